"""Are there a microphone and a loudspeaker, and do the ones in the configuration exist? Opens nothing: a service may hold them."""

from pathlib import Path

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
            CODE, TITLE, "note", "Files stand in for the sound card; nobody can be heard or spoken to.", "Set listener.microphone: card"
        )
    try:
        import sounddevice

        devices = sounddevice.query_devices()
    except (OSError, ImportError):
        return Finding(CODE, TITLE, "broken", "The sound library cannot be loaded.", "Install the Debian package libportaudio2.")
    missing = [
        what for what in cards if not any(d["max_input_channels" if what == "microphone" else "max_output_channels"] > 0 for d in devices)
    ]
    if missing:
        return Finding(
            CODE, TITLE, "broken", f"No {' and no '.join(missing)} is connected.", "Plug one in (USB is best) and run this again."
        )
    return Finding(CODE, TITLE, "well", "A microphone and a loudspeaker are connected.")
