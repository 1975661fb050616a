"""What a check found."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from device.config import Config

Severity = Literal["well", "note", "warning", "broken"]
EXIT_CODES: dict[Severity, int] = {"well": 0, "note": 0, "warning": 1, "broken": 2}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report. `sentence` is for the caregiver; `remedy` says what helps, empty when all is well."""

    code: str  # kebab-case
    title: str
    severity: Severity
    sentence: str
    remedy: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


Check = Callable[[Config], Finding]
