# Five words and no options to remember.
.PHONY: setup check test run doctor docs starter lock measure

setup:
	./install.sh --setup
check:
	./install.sh --check
test:
	./install.sh --test
run:
	.venv/bin/beside up
doctor:
	.venv/bin/beside doctor

# For those who change Beside: the generated pages, the shipped model, the pinned packages.
docs:
	.venv/bin/python -m services.flow events > docs/events.md
measure:
	.venv/bin/python -m device.rehearsal.measure
starter:
	.venv/bin/python -m models.workshop starter
lock:
	uv pip compile pyproject.toml --extra test --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -q -o requirements.lock
