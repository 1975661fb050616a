"""Vosk, the appliance's recogniser. Its own endpointer has no settings in the wheel, so we decide the end and ask `FinalResult`.

It gives word confidences or alternatives, never both; we take confidences, because they keep phantoms out.
"""

import json
from pathlib import Path

from device.audio import RATE_HZ, Pcm
from device.errors import EngineError
from services.listener.ears import Reading

NEEDED = ("am/final.mdl", "conf/mfcc.conf")
NO_WORD = "[unk]"


class Vosk:
    """A Recogniser on the Vosk model in `folder`."""

    name = "vosk"

    def __init__(self, folder: Path) -> None:
        try:
            import vosk
        except ImportError as error:
            raise EngineError(
                "vosk-missing", "The recogniser Vosk is not installed.", "Run ./install.sh again, or set listener.stt: pocketsphinx"
            ) from error
        missing = [name for name in NEEDED if not (folder / name).is_file()]
        if missing:
            raise EngineError(
                "model-missing",
                f"{folder} is no Vosk model: it has no {missing[0]}.",
                "Set listener.vosk_model to the folder of an unpacked Vosk model.",
            )
        vosk.SetLogLevel(-1)
        try:
            model = vosk.Model(str(folder))
            self._recogniser = vosk.KaldiRecognizer(model, RATE_HZ)
        except Exception as error:
            raise EngineError("model-broken", f"Vosk cannot read the model in {folder}.", "Fetch or unpack the model again.") from error
        self._recogniser.SetWords(True)
        self._done: list[tuple[str, list[float]]] = []  # stretches that Vosk itself closed inside one turn

    def begin(self) -> None:
        self._recogniser.Reset()
        self._done = []

    def feed(self, samples: Pcm) -> str:
        if self._recogniser.AcceptWaveform(samples.tobytes()):
            self._done.append(_words(self._recogniser.Result()))
            return self._so_far("")
        return self._so_far(str(json.loads(self._recogniser.PartialResult()).get("partial", "")))

    def finish(self) -> Reading:
        self._done.append(_words(self._recogniser.FinalResult()))
        shares = [share for _, stretch in self._done for share in stretch]
        text = self._so_far("")
        return Reading(text, sum(shares) / len(shares) if shares else 0.0)

    def _so_far(self, partial: str) -> str:
        words = " ".join([*(text for text, _ in self._done), partial]).split()
        return " ".join(word for word in words if word != NO_WORD).lower()


def _words(result: str) -> tuple[str, list[float]]:
    """Text and word confidences of one of Vosk's JSON answers."""
    answer = json.loads(result)
    shares = [min(1.0, max(0.0, float(word.get("conf", 0.0)))) for word in answer.get("result", []) if word.get("word") != NO_WORD]
    return str(answer.get("text", "")), shares
