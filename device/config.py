"""The configuration: one frozen section per service, read once, every mistake reported at once.

`config.yaml` documents each key for people; a test keeps it equal to these classes. Times carry their unit in the name.
"""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from device.errors import ConfigError

ROOT = Path(__file__).resolve().parent.parent


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Person(Section):
    name: Annotated[str, Field(max_length=40)] = ""  # what Beside calls the person; empty: no name


# Services are processes of the project's folder, commands of the user's: both must mean the same place.
Folder = Annotated[Path, AfterValidator(lambda path: ROOT / path)]  # an absolute one stays as it is


class Paths(Section):
    data: Folder = ROOT / "var/data"  # journal, alarms, memory index, session logs
    run: Folder = ROOT / "var/run"  # the bus's socket and passwords; a tmpfs on the appliance
    models: Folder = ROOT / "models/fetched"  # what fetch and install put there


class Listener(Section):
    microphone: str = "card"  # card | card:NAME | file:PATH | air:SOCKET (a rehearsal)
    stt: Literal["pocketsphinx", "vosk"] = "pocketsphinx"
    vosk_model: Path | None = None  # folder of a Vosk model
    turn_ceiling_ms: Annotated[int, Field(ge=500, le=3500)] = 1000  # longest quiet before a turn is over
    turn_quick_ms: Annotated[int, Field(ge=100, le=1000)] = 200  # quiet needed when model and words agree
    turn_longest_s: Annotated[int, Field(ge=10, le=1800)] = 120  # a monologue is handed on in pieces of this length
    half_duplex: bool = True  # deaf (but for the stop word) while Beside speaks
    stop_words: tuple[str, ...] = ("stop", "wait", "be quiet")


class Watcher(Section):
    camera: str = "off"  # off | card | card:N | file:PATH
    pictures_per_s: Annotated[float, Field(ge=0.1, le=10)] = 2.0  # a look in 10 s at least: it feeds the watchdog


class Guardian(Section):
    language: Literal["en"] = "en"
    country: Literal["us", "uk", "ie", "eu", "ua"] = "eu"


class Companion(Section):
    seal_after_quiet_s: Annotated[int, Field(ge=5, le=7200)] = 600
    slow_thinker_ms: Annotated[int, Field(ge=500, le=20000)] = 3000  # then Beside says honestly that it is thinking
    reply_limit_ms: Annotated[int, Field(ge=1000, le=60000)] = 12000
    say_not_human_daily: bool = True


class Thinker(Section):
    model: str = "starter"  # a name from the catalogue, or a path to a GGUF
    threads: Annotated[int, Field(ge=0, le=64)] = 0  # 0: one less than the cores
    context_tokens: Annotated[int, Field(ge=512, le=32768)] = 1024
    reply_tokens: Annotated[int, Field(ge=8, le=512)] = 72
    temperature: Annotated[float, Field(ge=0.0, le=2.0)] = 0.4
    memories: Annotated[int, Field(ge=0, le=5)] = 2  # at most this many in a prompt


class Speaker(Section):
    loudspeaker: str = "card"  # card | card:NAME | file:PATH | air:SOCKET (a rehearsal)
    tts: Literal["flite", "piper"] = "flite"
    piper_voice: Path | None = None  # the .onnx file; its .json stands beside it
    flite_voice: str = "slt"
    pace: Annotated[float, Field(ge=0.5, le=2.0)] = 1.1  # 1.0 as the voice was made, more is slower
    volume: Annotated[float, Field(ge=0.0, le=1.0)] = 0.9


class Recorder(Section):
    keep_transcript_days: Annotated[int, Field(ge=0, le=3650)] = 30  # 0: for ever


class Config(Section):
    person: Person = Person()
    paths: Paths = Paths()
    listener: Listener = Listener()
    watcher: Watcher = Watcher()
    guardian: Guardian = Guardian()
    companion: Companion = Companion()
    thinker: Thinker = Thinker()
    speaker: Speaker = Speaker()
    recorder: Recorder = Recorder()

    @property
    def bus_socket(self) -> Path:
        return self.paths.run / "bus.sock"

    def state(self, service: str) -> Path:
        """The one folder that a service writes; it bears the service's name and, on the appliance, its owner's."""
        return self.paths.data / service


def default_path() -> Path:
    """`$BESIDE_CONFIG`, else /etc/beside/config.yaml if there, else the project's own."""
    named = os.environ.get("BESIDE_CONFIG")
    installed = Path("/etc/beside/config.yaml")
    return Path(named) if named else installed if installed.exists() else ROOT / "config.yaml"


def load(path: Path | None = None) -> Config:
    """The configuration in `path`; ConfigError names every mistake with its line, what was expected and a suggestion."""
    source = path or default_path()
    try:
        text = source.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(
            "config-missing", f"There is no configuration at {source}.", "Name it with --config, or run ./install.sh."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            "config-unreadable", f"The configuration {source} cannot be read.", "Check its owner and that it is text."
        ) from error
    from device.config_mistakes import parse

    return parse(text, str(source))
