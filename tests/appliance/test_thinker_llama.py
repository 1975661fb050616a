"""The real llama.cpp on a tiny model with random weights: nonsense words, every real step."""

import subprocess
import sys
import threading
import time
from itertools import pairwise

import pytest

from device.clock import now_ns
from device.errors import EngineError
from services.thinker.llama import Llama
from services.thinker.mind import Limits, Written
from services.thinker.prompt import Ask, full, stable
from tests import tiny_gguf

pytestmark = pytest.mark.appliance
LONG = tuple((f"i remember the garden number {n} and the music in the night", f"You remember the garden number {n}.") for n in range(5))


def ask(words: str, history: tuple[tuple[str, str], ...] = LONG, memories: tuple[str, ...] = ()) -> str:
    return full("starter", Ask("Maria", history, memories, "sad", "lonely", "consoling", (), words))


def limits(tokens: int = 24, ms: int = 20_000) -> Limits:
    return Limits(tokens, now_ns() + ms * 1_000_000)


def write(mind: Llama, prompt: str, tokens: int = 24) -> tuple[Written, str]:
    pieces: list[str] = []
    return mind.write(prompt, limits(tokens), threading.Event(), pieces.append), "".join(pieces)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return tiny_gguf.write(tmp_path_factory.mktemp("model") / "tiny.gguf")


@pytest.fixture
def mind(tiny):
    mind = Llama(tiny, context_tokens=1024, threads=1, temperature=0.4, seed=7)
    yield mind
    mind.close()


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    """About ten thousand times the work of the tiny one, so that there is something to cancel."""
    path = tiny_gguf.write(tmp_path_factory.mktemp("model") / "slow.gguf", layers=6, dim=768)
    mind = Llama(path, context_tokens=1024, threads=1)
    yield mind
    mind.close()


def test_family_is_known_and_tokens_are_counted_when_loaded(mind):
    assert mind.family == "starter"
    assert mind.count("<who><user><beside>") == 3


def test_only_the_end_is_evaluated_when_the_conversation_goes_on(mind):
    first, _ = write(mind, ask("i can't sleep", LONG[:4]))
    second, _ = write(mind, ask("tell me more", LONG))
    grown = mind.count(stable("starter", "Maria", LONG)) - mind.count(stable("starter", "Maria", LONG[:4]))
    assert first.kept_tokens == 0
    assert second.kept_tokens >= mind.count(stable("starter", "Maria", LONG[:4]))
    assert second.evaluated_tokens <= second.prompt_tokens - first.kept_tokens
    assert second.evaluated_tokens <= grown + mind.count("<face> sad<feeling> lonely<intent> consoling<user> tell me more<beside>") + 2


def test_almost_nothing_is_left_to_evaluate_when_the_prefix_was_read_ahead(mind):
    ahead = mind.warm(stable("starter", "Maria", LONG), threading.Event())
    written, _ = write(mind, ask("yes"))
    assert ahead == mind.count(stable("starter", "Maria", LONG))
    assert written.kept_tokens == ahead


def test_kept_prefix_does_not_change_the_reply(tiny):
    one, other = (Llama(tiny, context_tokens=1024, threads=1, temperature=0, seed=7) for _ in range(2))
    one.warm(stable("starter", "Maria", LONG), threading.Event())
    write(one, ask("i am cold"))
    assert write(one, ask("i miss my garden"))[1] == write(other, ask("i miss my garden"))[1]
    one.close()
    other.close()


def test_probe_leaves_no_trace(mind):
    write(mind, ask("yes"))
    for _ in range(50):
        mind.probe()
    assert write(mind, ask("yes"))[0].evaluated_tokens == 1


def test_context_holds_nothing_when_told_to_forget(mind):
    write(mind, ask("yes"))
    assert mind.warm("", threading.Event()) == 0
    assert write(mind, ask("yes"))[0].kept_tokens == 0


def test_reply_ends_at_the_token_limit_and_at_the_deadline(mind, slow):
    endless = Limits(5, now_ns() + 10**10)
    assert mind.write(ask("yes"), endless, threading.Event(), lambda text: None).tokens <= 5
    begin = now_ns()
    written = slow.write(ask("yes", ()), Limits(500, begin + 300_000_000), threading.Event(), lambda text: None)
    assert written.why in ("limit", "complete")
    assert (now_ns() - begin) / 1e6 < 1500


def test_reply_ends_within_one_token_when_cancelled(slow):
    stop, heard, stopped_ns = threading.Event(), list[int](), list[int]()

    def hear(text: str) -> None:
        heard.append(now_ns())
        if len(heard) == 3:
            stop.set()
            stopped_ns.append(now_ns())

    written = slow.write(ask("yes", ()), limits(200), stop, hear)
    assert written.why == "cancelled"
    assert len(heard) == 3
    assert (now_ns() - stopped_ns[0]) / 1e6 < 100


def test_prefill_ends_between_two_batches_when_cancelled(slow):
    stop, done = threading.Event(), list[Written]()
    slow.warm("", threading.Event())
    thread = threading.Thread(target=lambda: done.append(slow.write(ask("yes"), limits(), stop, lambda text: None)))
    thread.start()
    time.sleep(0.05)
    begin = now_ns()
    stop.set()
    thread.join(10)
    assert done[0].why == "cancelled"
    assert (now_ns() - begin) / 1e6 < 1000, "one batch is made to take 60 ms; this machine may be busy"


def test_letters_of_several_tokens_arrive_whole(mind):
    pieces = [write(mind, ask(word), 60)[1] for word in ("yes", "no", "rain")]
    assert all(isinstance(piece, str) and piece.encode() for piece in pieces)


def test_conversation_goes_on_when_the_context_is_full(tiny):
    small = Llama(tiny, context_tokens=512, threads=1)
    written, _ = write(small, ask("yes", LONG), 400)
    assert written.why in ("limit", "complete")
    small.probe()
    assert write(small, ask("no", LONG), 8)[0].tokens <= 8
    with pytest.raises(EngineError):
        write(small, ask("no", LONG * 8))
    small.close()


@pytest.mark.parametrize("markers", [("<|endoftext|>", "<|im_end|>", "<|im_start|>"), ("<bos>", "<end_of_turn>", "<start_of_turn>")])
def test_real_families_are_recognised_and_answer(tmp_path, markers):
    path = tiny_gguf.write(tmp_path / "other.gguf", markers=markers)
    other = Llama(path, context_tokens=1024, threads=1, seed=1)
    prompt = full(other.family, Ask("Maria", (), (), "sad", "lonely", "consoling", (), "i miss my garden"))
    assert write(other, prompt, 6)[0].prompt_tokens > 100
    other.close()


OPEN = """
import sys
from pathlib import Path
from device import config
from device.errors import BesideError
from services.thinker.__main__ import open_mind
try:
    open_mind(config.load(Path(sys.argv[1])))
except BesideError as trouble:
    print(trouble.sentence, trouble.remedy, file=sys.stderr)
    sys.exit(trouble.exit_code)
"""


def test_process_ends_with_a_sentence_when_the_model_is_damaged(tiny, tmp_path):
    """llama.cpp may abort on garbage: whatever the damage, a person gets a sentence and an exit code, or the model works."""
    raw, config = tiny.read_bytes(), tmp_path / "config.yaml"
    file = tmp_path / "damaged.gguf"
    config.write_text(f"paths: {{data: {tmp_path / 'data'}, run: {tmp_path / 'run'}}}\nthinker: {{model: {file}}}\n")
    for damaged in (raw[: len(raw) // 2], b"<html>not found</html>" * 99, raw[:8] + b"\xff" * 8 + raw[16:], None):
        file.unlink(missing_ok=True)
        if damaged is not None:
            file.write_bytes(damaged)
        done = subprocess.run([sys.executable, "-c", OPEN, str(config)], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 70, done.stderr
        assert "Traceback" not in done.stderr
        assert "damaged.gguf" in done.stderr


def test_tokens_are_told_one_by_one_as_they_are_made(slow):
    times: list[int] = []
    slow.write(ask("yes", ()), limits(12), threading.Event(), lambda text: times.append(now_ns()))
    gaps = [(b - a) / 1e6 for a, b in pairwise(times)]
    assert len(times) > 2
    assert max(gaps) > 0.5, "they did not come in one piece at the end"
