"""The face of a language model, as the thinker sees it; `llama.py` is the real one, tests bring a small one."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class Limits:
    """Where a reply ends at the latest."""

    tokens: int
    deadline_ns: int  # monotonic


@dataclass(frozen=True, slots=True)
class Written:
    """What one reply took. Times are monotonic ns; `first_ns` is 0 when not one token was written."""

    why: Literal["complete", "cancelled", "limit"]
    tokens: int
    first_ns: int
    last_ns: int
    prompt_tokens: int
    kept_tokens: int  # of the prompt, still in the context from the turn before

    @property
    def evaluated_tokens(self) -> int:
        return self.prompt_tokens - self.kept_tokens

    @property
    def tokens_per_s(self) -> float:
        """Speed after the first token; 0 for fewer than two."""
        return (self.tokens - 1) * 1e9 / (self.last_ns - self.first_ns) if self.tokens > 1 and self.last_ns > self.first_ns else 0.0


class Mind(Protocol):
    """One model with one context. Every call blocks and belongs in one and the same thread."""

    name: str
    family: str  # the prompt family it was trained on
    context_tokens: int

    def count(self, text: str) -> int:
        """Tokens of a prompt."""
        ...

    def write(self, prompt: str, limits: Limits, stop: threading.Event, hear: Callable[[str], None]) -> Written:
        """Continue `prompt`, handing each piece of text to `hear`, until the model ends, `stop` is set or a limit is met."""
        ...

    def warm(self, prefix: str, stop: threading.Event) -> int:
        """Evaluate the beginning of the next prompt ahead of time; the number of tokens that it took. "" forgets what is held."""
        ...

    def probe(self) -> None:
        """One token's work, leaving no trace: proof that the engine answers. EngineError if it does not."""
        ...
