"""Piper: the appliance's voice. One ONNX session on a fixed number of threads, warm before the first word.

Piper opens its own session with every core and spinning threads and offers no setting for it, so the session is replaced.
`normalize_audio` stays off: it would lift every clause to full loudness.
"""

from pathlib import Path

import numpy as np

from device.audio import Pcm
from device.errors import EngineError
from services.speaker.voice import Sound

THREADS = 1


class PiperVoice:
    """`model` is the .onnx file with its .onnx.json beside it; `pace` multiplies the voice's own length scale."""

    def __init__(self, model: Path | None, pace: float, volume: float) -> None:
        remedy = "Choose a voice with: beside models list --kind tts, or set speaker.tts to flite."
        if model is None or not model.is_file() or not Path(f"{model}.json").is_file():
            raise EngineError(
                "piper-voice-missing", f"The Piper voice {model or ''} is not there (it is two files: .onnx and .onnx.json).", remedy
            )
        self.name = f"piper-{model.stem}"
        try:
            import onnxruntime
            from piper import PiperVoice as Engine
            from piper import SynthesisConfig

            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = THREADS
            options.inter_op_num_threads = 1
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
            self._engine = Engine.load(model)
            self._engine.session = onnxruntime.InferenceSession(str(model), sess_options=options, providers=["CPUExecutionProvider"])
            scale = self._engine.config.length_scale * pace
            self._settings = SynthesisConfig(length_scale=scale, volume=volume, normalize_audio=False)
            self.synthesise("hm")
        except EngineError:
            raise
        except Exception as error:  # a broken voice file fails in json, onnx or piper, each with its own exception
            raise EngineError("piper-voice-broken", f"The Piper voice {model.name} cannot be used.", remedy) from error

    def synthesise(self, text: str) -> Sound:
        rate = int(self._engine.config.sample_rate)
        if not text:
            return Sound(np.zeros(0, np.int16), rate)
        try:
            chunks: list[Pcm] = [chunk.audio_int16_array for chunk in self._engine.synthesize(text, self._settings)]
        except Exception as error:  # onnxruntime and the phonemiser raise classes of their own
            raise EngineError(
                "piper-failed", "The Piper voice could not speak this.", "Check the voice with: beside models verify"
            ) from error
        return Sound(np.concatenate(chunks) if chunks else np.zeros(0, np.int16), rate)
