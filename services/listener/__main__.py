"""The listener as a process, and `python -m services.listener transcribe FILE...` for technicians."""

import sys
from pathlib import Path

from device import lifecycle
from device.config import ROOT, Config, Paths
from device.errors import ConfigError
from device.lifecycle import Life
from device.microphone import open_microphone
from services.listener.ears import Ears, Recogniser
from services.listener.service import listen

BEDSIDE = ROOT / "models" / "bedside_lm"


def model_path(paths: Paths, name: str) -> Path:
    """Where a fetched model lies; a relative folder is counted from the project's root."""
    folder = paths.models if paths.models.is_absolute() else ROOT / paths.models
    return folder / name


def open_recogniser(config: Config) -> Recogniser:
    if config.listener.stt == "vosk":
        if config.listener.vosk_model is None:
            raise ConfigError(
                "vosk-model-unnamed", "Vosk is chosen, but no model for it.", "Set listener.vosk_model to the folder of a Vosk model."
            )
        from services.listener.vosk_engine import Vosk

        return Vosk(config.listener.vosk_model)
    from services.listener.sphinx import Sphinx

    built = BEDSIDE / "bedside.lm.bin"
    return Sphinx(built, BEDSIDE / "bedside.dict")


def open_ears(config: Config) -> Ears:
    """The engines that the configuration asks for."""
    from services.listener.silero import Silero
    from services.listener.smart_turn import SmartTurn
    from services.listener.spotter import SphinxSpotter

    return Ears(
        voice=Silero(model_path(config.paths, "silero_vad.onnx")),
        judge=SmartTurn(model_path(config.paths, "smart-turn-v3.2-cpu.onnx")),
        recogniser=open_recogniser(config),
        spotter=SphinxSpotter(config.listener.stop_words) if config.listener.stop_words else None,
    )


async def wire(life: Life) -> None:
    config = life.config.listener
    ears = open_ears(life.config)
    open_microphone(config.microphone)  # a file that holds no sound is a mistake of the configuration, not a lost device
    async with life.bus(listen) as bus:
        await listen(bus, lambda: open_microphone(config.microphone), ears, config, life)


if __name__ == "__main__":
    if sys.argv[1:2] == ["transcribe"]:
        from services.listener.transcribe import main

        sys.exit(main(sys.argv[2:], open_recogniser))
    lifecycle.main("listener", wire)
