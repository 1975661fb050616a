"""What was said in this conversation, and what was really heard of it. Pure."""

from collections import OrderedDict
from dataclasses import dataclass, field

from device.events import Exchange, Intent

EXCHANGES = 6  # that go into a prompt
TURNS = 64


@dataclass(slots=True)
class _Turn:
    words: str
    intent: Intent
    heard: list[str] = field(default_factory=list)
    dropped: bool = False


class History:
    """One conversation, oldest turn first."""

    def __init__(self) -> None:
        self._turns: OrderedDict[str, _Turn] = OrderedDict()

    def planned(self, turn: str, words: str, intent: Intent) -> None:
        """The turn will be answered so; its words include those of a broken-off turn before it."""
        self._turns[turn] = _Turn(words, intent)
        while len(self._turns) > TURNS:
            self._turns.popitem(last=False)

    def dropped(self, turn: str) -> None:
        """Broken off before a sound: its words went into the next turn."""
        if turn in self._turns:
            self._turns[turn].dropped = True

    def heard(self, turn: str, text: str) -> None:
        """Words of an answer that really sounded."""
        if turn in self._turns and text.strip():
            self._turns[turn].heard.append(text.strip())

    def words(self, turn: str) -> str:
        return self._turns[turn].words if turn in self._turns else ""

    def exchanges(self, but: str = "") -> tuple[Exchange, ...]:
        """The last exchanges that were spoken; `but` leaves out the turn that is being answered."""
        done = [t for name, t in self._turns.items() if name != but and not t.dropped and t.heard]
        return tuple(Exchange(user=t.words, beside=" ".join(t.heard)) for t in done[-EXCHANGES:])

    def intents(self, but: str = "") -> tuple[Intent, ...]:
        return tuple(t.intent for name, t in self._turns.items() if name != but and not t.dropped)

    def clauses(self) -> list[str]:
        """Everything that was heard, clause by clause."""
        return [clause for turn in self._turns.values() for clause in turn.heard]
