"""The speaker as a process, and `python -m services.speaker say TEXT --out FILE.wav` for technicians."""

import sys

from device import lifecycle
from device.config import Speaker
from device.lifecycle import Life
from device.loudspeaker import open_loudspeaker
from services.speaker.lasting import LastingLoudspeaker
from services.speaker.service import speak
from services.speaker.voice import Voice


def open_voice(config: Speaker) -> Voice:
    """The engine that `speaker.tts` names."""
    if config.tts == "piper":
        from services.speaker.piper_engine import PiperVoice

        return PiperVoice(config.piper_voice, config.pace, config.volume)
    from services.speaker.flite_engine import FliteVoice

    return FliteVoice(config.flite_voice, config.pace, config.volume)


async def wire(life: Life) -> None:
    voice = open_voice(life.config.speaker)
    loudspeaker = LastingLoudspeaker(lambda: open_loudspeaker(life.config.speaker.loudspeaker))
    try:
        async with life.bus(speak) as bus:
            await speak(bus, voice, loudspeaker, life)
    finally:
        await loudspeaker.close()


if __name__ == "__main__":
    if sys.argv[1:2] == ["say"]:
        from services.speaker.say import main

        main(sys.argv[2:], open_voice)
    lifecycle.main("speaker", wire)
