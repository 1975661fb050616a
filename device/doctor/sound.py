"""Are there a microphone and a loudspeaker, and do the ones in the configuration exist? Opens nothing: a service may hold them."""

from pathlib import Path
from typing import Any

from device.config import Config
from device.doctor.finding import Finding

CODE, TITLE = "sound", "Microphone and loudspeaker"


def look(config: Config) -> Finding:
    wanted = {"microphone": config.listener.microphone, "loudspeaker": config.speaker.loudspeaker}
    cards = {what: source for what, source in wanted.items() if source.split(":")[0] == "card"}
    for what, source in wanted.items():
        kind, _, where = source.partition(":")
        if kind == "file" and what == "microphone" and not Path(where).is_file():
            return Finding(
                CODE, TITLE, "broken", f"The file that stands in for the microphone is missing: {where}.", "Correct listener.microphone."
            )
    if not cards:
        return Finding(
            CODE,
            TITLE,
            "note",
            "No sound card is used; nobody can be heard or spoken to.",
            "Set listener.microphone and speaker.loudspeaker to card",
        )
    try:
        import sounddevice
    except (OSError, ImportError):
        return Finding(CODE, TITLE, "broken", "The sound library cannot be loaded.", "Install the Debian package libportaudio2.")
    missing = [what for what, source in cards.items() if not _is_there(sounddevice, what, source.partition(":")[2])]
    if missing:
        return Finding(
            CODE, TITLE, "broken", f"No {' and no '.join(missing)} is connected.", "Plug one in (USB is best) and run this again."
        )
    return Finding(CODE, TITLE, "well", f"{' and '.join(cards).capitalize()}: connected.")


def _is_there(sounddevice: Any, what: str, name: str) -> bool:
    """Whether the named card, or any card, can record or play."""
    kind = "input" if what == "microphone" else "output"
    try:
        if name:
            card = sounddevice.query_devices(int(name) if name.isdigit() else name, kind)
            return int(card[f"max_{kind}_channels"]) > 0
        return any(int(card[f"max_{kind}_channels"]) > 0 for card in sounddevice.query_devices())
    except (ValueError, sounddevice.PortAudioError):  # ValueError: no such card, or more than one of that name
        return False
