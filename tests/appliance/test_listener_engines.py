"""The listener's real engines on synthesised voices, in virtual time: nothing here depends on how busy the machine is."""

import asyncio
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from device.audio import FRAME_NS, FRAME_SAMPLES, RATE_HZ, Frame, Pcm, speech_end_sample
from device.config import ROOT, Config, Listener
from device.errors import ConfigError, EngineError
from device.events import Event, TranscriptEmpty, TranscriptFinal
from device.microphone import to_16_khz
from device.wav import read_wav
from services.listener.__main__ import open_ears
from services.listener.decoding import Decoding
from services.listener.ears import Ears
from services.listener.silero import Silero
from services.listener.smart_turn import SmartTurn
from services.listener.sphinx import Sphinx
from services.listener.spotter import SphinxSpotter
from services.listener.turns import Turns
from tests.vosk_by_hand import write_vosk_model

pytestmark = pytest.mark.appliance
FETCHED = ROOT / "models" / "fetched"


@pytest.fixture(scope="module")
def ears() -> Ears:
    if not (FETCHED / "silero_vad.onnx").exists():
        pytest.skip("the models are not fetched: beside models fetch")
    return open_ears(Config())


@pytest.fixture(scope="module")
def say(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]  # a function from text and voice to sound
    if shutil.which("flite") is None:
        pytest.skip("flite is not installed")
    folder = tmp_path_factory.mktemp("voices")

    def spoken(text: str, voice: str = "rms") -> Pcm:
        """The words without the silence around them."""
        path = folder / "said.wav"
        subprocess.run(["flite", "-voice", voice, "-t", text, str(path)], check=True, timeout=30)
        pcm = to_16_khz(*read_wav(path))
        return pcm[int(np.flatnonzero(np.abs(pcm) > 200)[0]) : speech_end_sample(pcm)]

    return spoken


def silence(seconds: float, level: float = 4.0) -> Pcm:
    return np.random.default_rng(1).normal(0, level, int(seconds * RATE_HZ)).astype(np.int16)


async def hear(ears: Ears, *sounds: Pcm) -> list[Event]:
    """What the listener says about these sounds, one after another, a second of quiet around them."""
    events: list[Event] = []
    decoding = Decoding(ears, events.append)
    turns = Turns(ears, decoding, events.append, Listener())
    ears.voice.reset()
    work = asyncio.create_task(decoding.run())
    pcm = np.concatenate([silence(1.0), *sounds, silence(3.0)])
    for number in range(pcm.size // FRAME_SAMPLES):
        turns.hear(Frame(pcm[number * FRAME_SAMPLES : (number + 1) * FRAME_SAMPLES], (number + 1) * FRAME_NS))
        await asyncio.sleep(0)
        while decoding.busy:  # noqa: ASYNC110  # virtual time goes on when the worker is done
            await asyncio.sleep(0.001)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    return events


def finals(events: list[Event]) -> list[TranscriptFinal]:
    return [event for event in events if isinstance(event, TranscriptFinal)]


async def test_listener_when_a_sentence_is_said_understands_it_and_its_end(ears: Ears, say) -> None:  # type: ignore[no-untyped-def]
    words = say("I could not sleep last night because my leg was hurting.", "rms")
    (final,) = finals(await hear(ears, words))
    assert final.text == "i could not sleep last night because my leg was hurting"
    assert final.confidence is not None
    assert final.confidence > 0.4
    true_end_ns = (RATE_HZ + words.size) * 1_000_000_000 // RATE_HZ
    assert abs(final.speech_end_ns - true_end_ns) < 150_000_000
    assert abs(final.speech_start_ns - 1_000_000_000) < 150_000_000


@pytest.mark.parametrize("pause_s", [0.3, 0.8, 1.5])
async def test_listener_when_a_person_pauses_inside_a_phrase_does_not_cut_them_off(ears: Ears, say, pause_s: float) -> None:  # type: ignore[no-untyped-def]
    first, second = say("I could not sleep last night because", "rms"), say("my leg was hurting.", "rms")
    assert len(finals(await hear(ears, first, silence(pause_s), second))) == 1


async def test_listener_when_there_is_only_noise_makes_no_turn(ears: Ears) -> None:
    random = np.random.default_rng(2)
    hiss = random.normal(0, 800, 4 * RATE_HZ).astype(np.int16)
    knocks = np.where(np.arange(4 * RATE_HZ) % RATE_HZ < 200, random.normal(0, 9000, 4 * RATE_HZ), 0).astype(np.int16)
    hum = (2000 * np.sin(2 * np.pi * 50 * np.arange(4 * RATE_HZ) / RATE_HZ)).astype(np.int16)
    events = await hear(ears, hiss, knocks, hum)
    assert finals(events) == []
    assert all(event.reason for event in events if isinstance(event, TranscriptEmpty))


def test_spotter_when_a_stop_word_is_said_hears_it_and_nothing_in_other_words(say) -> None:  # type: ignore[no-untyped-def]
    spotter = SphinxSpotter(("stop", "wait", "be quiet"))

    def spotted(pcm: Pcm) -> list[str]:
        spotter.reset()
        pcm = np.concatenate([silence(0.5), pcm, silence(0.5)])
        heard = [spotter.feed(pcm[at : at + FRAME_SAMPLES]) for at in range(0, pcm.size - FRAME_SAMPLES, FRAME_SAMPLES)]
        return [word for word in heard if word]

    assert spotted(say("stop", "slt")) == ["stop"]
    assert spotted(say("wait", "rms")) == ["wait"]
    assert spotted(say("be quiet", "awb")) == ["be quiet"]
    assert spotted(say("the garden was full of flowers in the summer", "slt")) == []


def test_spotter_when_a_word_has_no_pronunciation_says_which() -> None:
    with pytest.raises(ConfigError, match="'zzyzx'"):
        SphinxSpotter(("zzyzx",))


@pytest.mark.parametrize("content", [b"", b"not a model at all", None])
@pytest.mark.parametrize("engine", [Silero, SmartTurn])
def test_onnx_engine_when_its_file_is_missing_or_broken_says_so(tmp_path: Path, engine: type, content: bytes | None) -> None:
    path = tmp_path / "model.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(EngineError) as caught:
        engine(path)
    assert caught.value.remedy


def test_onnx_engine_when_given_another_model_or_half_of_one_says_so(ears: Ears, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="is not a model for"):
        Silero(FETCHED / "smart-turn-v3.2-cpu.onnx")
    half = tmp_path / "half.onnx"
    half.write_bytes((FETCHED / "silero_vad.onnx").read_bytes()[:1_000_000])
    with pytest.raises(EngineError, match="cannot be read"):
        Silero(half)


def test_sphinx_when_its_language_model_is_missing_or_broken_says_how_to_build_it(tmp_path: Path) -> None:
    (tmp_path / "broken.lm.bin").write_bytes(b"nothing of use")
    for name in ("missing.lm.bin", "broken.lm.bin"):
        with pytest.raises(EngineError, match="bedside_lm"):
            Sphinx(tmp_path / name)


def test_vosk_when_given_a_small_model_gives_partials_words_and_confidence(tmp_path: Path) -> None:
    script = (
        "import sys, json, pathlib, numpy as np\n"
        "from services.listener.vosk_engine import Vosk\n"
        "ear = Vosk(pathlib.Path(sys.argv[1])); noise = np.random.default_rng(1); ear.begin()\n"
        "partials = [ear.feed(noise.normal(0, 3000, 512).astype(np.int16)) for _ in range(60)]\n"
        "first = ear.finish(); ear.begin(); empty = ear.finish()\n"
        "print(json.dumps([partials[-1], first.text, first.confidence, empty.text]))\n"
    )  # a process of its own: libvosk keeps its log level and its threads for good
    done = subprocess.run(
        [sys.executable, "-c", script, str(write_vosk_model(tmp_path / "model"))],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
        check=True,
    )
    partial, text, confidence, empty = json.loads(done.stdout)
    assert set(text.split()) <= {"ab", "b"}
    assert text.startswith(partial)
    assert partial
    assert 0.0 < confidence <= 1.0
    assert empty == ""


@pytest.mark.parametrize("spoil", ["folder", "graph"])
def test_vosk_when_its_model_is_missing_or_broken_says_so(tmp_path: Path, spoil: str) -> None:
    from services.listener.vosk_engine import Vosk

    folder = tmp_path / "model"
    if spoil == "graph":
        write_vosk_model(folder)
        (folder / "conf" / "mfcc.conf").unlink()
    with pytest.raises(EngineError, match="no Vosk model"):
        Vosk(folder)


def test_transcribe_when_given_good_and_bad_files_names_the_bad_and_reads_the_good(tmp_path: Path) -> None:
    if shutil.which("flite") is None:
        pytest.skip("flite is not installed")
    good, bad = tmp_path / "good.wav", tmp_path / "bad.wav"
    subprocess.run(["flite", "-voice", "rms", "-t", "My daughter is coming on Sunday.", str(good)], check=True, timeout=30)
    bad.write_text("this is no sound")
    done = subprocess.run(
        [sys.executable, "-m", "services.listener", "transcribe", str(bad), str(good), "--json"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
    )
    assert done.returncode == 65
    assert "bad.wav is not a WAV file." in done.stderr
    assert "Traceback" not in done.stderr
    assert json.loads(done.stdout)["text"] == "my daughter is coming on sunday"
