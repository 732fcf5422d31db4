"""Which messages one reader has had of each sender, by their numbers."""

from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import Final

MOST_MISSING: Final = 1_000_000
"""Numbers that one message may skip. Beyond that it is not ours, even if it looks so."""


class Verdict(Enum):
    """What a message is to its reader."""

    NEXT = auto()
    AHEAD = auto()
    """Some before it have not come."""
    LATE = auto()
    """It comes behind one that was sent after it."""
    AGAIN = auto()
    STRAY = auto()
    """None of the messages that this reader can have."""


class Sequences:
    """The numbers that one reader has had. Exact, and so slow: for readers that need it."""

    __slots__ = ("_heads", "_missing", "doubled", "late", "skipped")

    def __init__(self, heads: Mapping[int, int] | None = None) -> None:
        """Begin with the next number that is expected of each sender; of others, the first."""
        self._heads = dict(heads or {})
        self._missing: set[tuple[int, int]] = set()
        self.doubled = 0
        self.late = 0
        self.skipped = 0
        """How many are missing right before the message that was taken last."""

    @property
    def is_faultless(self) -> bool:
        """Whether all came once and in order, so far."""
        return not (self._missing or self.doubled or self.late)

    def take(self, sender: int, number: int) -> Verdict:
        """Note a message, and say what it is."""
        self.skipped = 0
        head = self._heads.get(sender, 0)
        if number == head:
            self._heads[sender] = head + 1
            return Verdict.NEXT
        if number > head:
            if number - head > MOST_MISSING:
                return Verdict.STRAY
            self._missing.update((sender, missing) for missing in range(head, number))
            self._heads[sender] = number + 1
            self.skipped = number - head
            return Verdict.AHEAD
        if (sender, number) in self._missing:
            self._missing.remove((sender, number))
            self.late += 1
            return Verdict.LATE
        self.doubled += 1
        return Verdict.AGAIN

    def follow(self, runs: Sequence[tuple[int, int, int]]) -> bool:
        """Note runs of messages (a sender, its first number, how many), if all are next.

        Otherwise note nothing, and say so.
        """
        heads = self._heads
        for sender, first, _ in runs:
            if heads.get(sender, 0) != first:
                return False
        for sender, first, count in runs:
            heads[sender] = first + count
        return True

    def lost(self, sent: Mapping[int, int]) -> int:
        """Count what did not come, of so many as each sender sent to this reader."""
        behind = sum(max(0, count - self._heads.get(sender, 0)) for sender, count in sent.items())
        return len(self._missing) + behind
