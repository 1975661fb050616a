"""Whether the mouth may be used: pure, time is an argument.

Nobody but guardian can vet words. Gone is gone whatever the reason: it died, or the bus between us did. Two seconds of grace cover a
restart; then one built-in sentence is due, once an outage, and after it silence until guardian is back.
"""

NS_PER_S = 1_000_000_000
GONE_NS = 2 * NS_PER_S
FIRST_NS = 30 * NS_PER_S  # at the start of the house guardian may still be on its way


class Outage:
    """Told whether guardian is there and what time it is (monotonic ns); says when the sentence is due and whether to be silent."""

    def __init__(self, now_ns: int) -> None:
        self._absent_since: int | None = now_ns
        self._grace_ns = FIRST_NS
        self.silent = False

    def guardian(self, there: bool, now_ns: int) -> None:
        """Guardian is there, or is not, since now."""
        if there:
            self._absent_since, self._grace_ns, self.silent = None, GONE_NS, False
        elif self._absent_since is None:
            self._absent_since = now_ns

    def sentence_due(self, now_ns: int) -> bool:
        """True once an outage, when the grace is over; from then on `silent` until guardian is back."""
        if self.silent or self._absent_since is None or now_ns - self._absent_since < self._grace_ns:
            return False
        self.silent = True
        return True
