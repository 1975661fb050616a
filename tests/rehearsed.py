"""What a rehearsal leaves behind, for the tests that read it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Done:
    """What a rehearsal left behind."""

    code: int
    stdout: str
    stderr: str
    out: Path

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.out / "turns.jsonl").read_text(encoding="utf-8").splitlines()]

    def logs(self) -> str:
        return "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in (self.out / "logs").glob("*.log"))


Rehearse = Callable[..., Done]
