"""Which models fit this machine, and why. Pure but for the two numbers it is given."""

from dataclasses import dataclass

from models.catalogue import Catalogue, Model, Profile

SYSTEM_MB = 1500  # Debian without a desktop, the seven services' own code, the broker, the vector index


@dataclass(frozen=True, slots=True)
class Choice:
    """One model of a profile and the reason for it."""

    model: Model
    why: str


@dataclass(frozen=True, slots=True)
class Advice:
    profile: Profile
    choices: tuple[Choice, ...]
    memory_mb: int  # what all of it needs, the system included
    machine_mb: int


def recommend(catalogue: Catalogue, memory_mb: int) -> Advice:
    """The largest profile that fits into `memory_mb`.

    A machine sold as 8 GB reports less, because the graphics keep a share: 12 % are forgiven.
    """
    fitting = [p for p in catalogue.profiles if p.memory_gb * 1000 * 0.88 <= memory_mb]
    profile = fitting[-1] if fitting else catalogue.profiles[0]
    choices = tuple(Choice(catalogue.find(name), why) for name, why in profile.choices)
    needed = sum(c.model.memory_mb for c in choices) + sum(m.memory_mb for m in catalogue.needed)
    return Advice(profile, choices, needed + SYSTEM_MB, memory_mb)
