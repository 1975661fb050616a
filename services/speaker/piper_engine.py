"""Piper: the appliance's voice. One ONNX session on a fixed number of threads, warm before the first word.

Piper's own loader opens a session with every core and spinning threads and offers no setting for it, so we open the session
ourselves. `normalize_audio` stays off: it would lift every clause to full loudness. It makes one piece of sound a sentence and
puts no pause between them; we do.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from device.audio import Pcm
from device.errors import EngineError
from services.speaker.voice import Sound

THREADS = 1
BETWEEN_SENTENCES_MS = 200
REMEDY = "Choose a voice with: beside models list --kind tts, or set speaker.tts to flite."


class PiperVoice:
    """`model` is the .onnx file with its .onnx.json beside it; `pace` multiplies the voice's own length scale."""

    def __init__(self, model: Path | None, pace: float, volume: float) -> None:
        if model is None:
            raise EngineError("piper-voice-unset", "No Piper voice is named in speaker.piper_voice.", REMEDY)
        for file in (model, Path(f"{model}.json")):
            if not file.is_file():
                raise EngineError("piper-voice-missing", f"The Piper voice's file {file} is not there.", REMEDY)
        self.name = f"piper-{model.stem}"
        try:
            self._engine, self._settings = _open(model, pace, volume)
            self.synthesise("hm")
        except EngineError:
            raise
        except Exception as error:  # a broken voice file fails in json, onnx or piper, each with its own exception
            raise EngineError("piper-voice-broken", f"The Piper voice {model.name} cannot be used.", REMEDY) from error

    def synthesise(self, text: str) -> Sound:
        rate = int(self._engine.config.sample_rate)
        pause = np.zeros(BETWEEN_SENTENCES_MS * rate // 1000, np.int16)
        pieces: list[Pcm] = []
        try:
            for chunk in self._engine.synthesize(text, self._settings) if text else ():
                pieces += [pause, chunk.audio_int16_array] if pieces else [chunk.audio_int16_array]
        except Exception as error:  # onnxruntime and the phonemiser raise classes of their own
            raise EngineError(
                "piper-failed", "The Piper voice could not speak this.", "Check the voice with: beside models verify"
            ) from error
        return Sound(np.concatenate(pieces) if pieces else np.zeros(0, np.int16), rate)


def _open(model: Path, pace: float, volume: float) -> tuple[Any, Any]:
    """Piper's engine around our own session, and the settings of every synthesis."""
    import onnxruntime
    from piper import PiperConfig, PiperVoice, SynthesisConfig

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors: a warning about an odd graph is no news to a caregiver
    session = onnxruntime.InferenceSession(str(model), sess_options=options, providers=["CPUExecutionProvider"])
    config = PiperConfig.from_dict(json.loads(Path(f"{model}.json").read_text(encoding="utf-8")))
    engine = PiperVoice(session=session, config=config, download_dir=model.parent)
    return engine, SynthesisConfig(length_scale=config.length_scale * pace, volume=volume, normalize_audio=False)
