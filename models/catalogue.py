"""The catalogue of models: what can be had, where it lies, how a file is known to be the right one.

`models/catalog.yaml` is the one source of these facts; this module reads it and says where each model lies on this machine.
Nothing here touches the network.
"""

from functools import cache
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from device.config import ROOT, Config
from device.errors import InputError

CATALOG = ROOT / "models" / "catalog.yaml"

Kind = Literal["llm", "stt", "tts", "embedding", "face", "emotion", "turn", "vad", "wake"]
KINDS = ("llm", "stt", "tts", "embedding", "face", "emotion", "turn", "vad", "wake")
Family = Literal["starter", "chatml", "qwen3", "llama3", "gemma", "gemma4", "mistral", "phi", "granite"]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Md5 = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,120}$")]  # flat: it can never leave its folder


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ModelFile(Strict):
    """One file of a model and where it comes from."""

    file: FileName
    url: Annotated[str, Field(pattern=r"^https://")] | None = None
    wheel: str | None = None  # the Python package that holds it …
    version: str | None = None
    member: str | None = None  # … and its path in there
    project: str | None = None  # it comes with Beside: its path from the project's root
    bytes: Annotated[int, Field(gt=0)] | None = None
    sha256: Sha256 | None = None
    md5: Md5 | None = None
    unpack: bool = False  # a zip archive that becomes the folder of its name

    @model_validator(mode="after")
    def _has_one_origin(self) -> Self:
        packaged = [self.wheel, self.version, self.member]
        if any(packaged) and not all(packaged):
            raise ValueError("wheel, version and member belong together")
        if bool(self.url or self.wheel) == bool(self.project):
            raise ValueError("needs a url or a wheel, or else a project path")
        if self.unpack and not self.file.endswith(".zip"):
            raise ValueError("only a .zip can be unpacked")
        return self

    @property
    def placed(self) -> str:
        """What stands in the models folder in the end: the file, or the folder that it unpacks to."""
        return PurePosixPath(self.file).stem if self.unpack else self.file


class Model(Strict):
    """One entry of the catalogue."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,60}$")]
    kind: Kind
    languages: list[str] = []
    needed: bool = False
    prompt: Family | None = None
    memory_mb: Annotated[int, Field(gt=0)]
    good_for: str
    licence: str
    cautions: list[str] = []
    single_source: bool = False
    files: list[ModelFile]

    @model_validator(mode="after")
    def _talks_in_a_known_way(self) -> Self:
        if (self.kind == "llm") != (self.prompt is not None):
            raise ValueError("a prompt family belongs to language models, and to each of them")
        return self

    @property
    def download_bytes(self) -> int:
        """What a fetch would load, as far as it is known."""
        return sum(f.bytes or 0 for f in self.files if not f.project)

    @property
    def speaks_aloud_badly(self) -> bool:
        """It can be fetched, but should not be recommended for talking."""
        return bool({"always-thinks", "recurrent", "research-only", "non-commercial"} & set(self.cautions))


class Profile(Strict):
    """What fits a machine with this much memory: a model of each kind and, for each, why."""

    memory_gb: Annotated[int, Field(ge=0)]
    llm: str
    stt: str
    tts: str
    why_llm: str
    why_stt: str
    why_tts: str

    @property
    def choices(self) -> tuple[tuple[str, str], ...]:
        return (self.llm, self.why_llm), (self.stt, self.why_stt), (self.tts, self.why_tts)


class Catalogue(Strict):
    cautions: dict[str, str]
    profiles: list[Profile]  # smallest machine first
    models: list[Model]

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        names = [m.name for m in self.models]
        placed = [f.placed for m in self.models for f in m.files]
        for what, seen in (("model", names), ("file", placed)):
            twice = {n for n in seen if seen.count(n) > 1}
            if twice:
                raise ValueError(f"{what} listed twice: {', '.join(sorted(twice))}")
        unknown = {c for m in self.models for c in m.cautions} - set(self.cautions)
        if unknown:
            raise ValueError(f"cautions that nobody explains: {', '.join(sorted(unknown))}")
        kinds = {m.name: m.kind for m in self.models}
        for profile in self.profiles:
            if [kinds.get(name) for name, _ in profile.choices] != ["llm", "stt", "tts"]:
                raise ValueError(f"the profile of {profile.memory_gb} GB names a model that is not there or of another kind")
        return self

    def find(self, name: str) -> Model:
        """The model of that name; InputError says which names come near."""
        for model in self.models:
            if model.name.lower() == name.lower():
                return model
        import difflib

        near = difflib.get_close_matches(name.lower(), [m.name.lower() for m in self.models], 3, 0.4)
        hint = f"Did you mean {' or '.join(near)}? " if near else ""
        raise InputError("model-unknown", f"The catalogue has no model '{name}'.", f"{hint}All names: beside models list")

    @property
    def needed(self) -> list[Model]:
        return [m for m in self.models if m.needed]


@cache
def load(path: Path = CATALOG) -> Catalogue:
    """The catalogue in `path`; InputError if it is not one."""
    try:
        return Catalogue.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError) as error:
        first = str(error).splitlines()[-1] if isinstance(error, OSError) else _first_mistake(error)
        raise InputError(
            "catalogue-unreadable", f"The catalogue {path.name} cannot be used: {first}.", "Run ./install.sh again."
        ) from error


def _first_mistake(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return "it is not YAML text"
    first = error.errors()[0]
    return f"{'.'.join(str(p) for p in first['loc'])}: {first['msg']}"


def models_folder(config: Config) -> Path:
    """Where fetched models lie; a relative path counts from the project's root."""
    folder = config.paths.models
    return folder if folder.is_absolute() else ROOT / folder


def place_of(file: ModelFile, folder: Path) -> Path:
    """Where this file (or the folder it unpacks to) lies or would lie."""
    return ROOT / file.project if file.project else folder / file.placed


def is_here(model: Model, folder: Path) -> bool:
    """Whether every file of the model is in its place (not whether it is whole: that is `verify`)."""
    return all(place_of(f, folder).exists() for f in model.files)
