"""Letting what other nodes said gather while this node's clients have just been written to.

Each node commits for itself, so a room that is busy on several nodes brings each of them an entry at a
time, and each entry is a write to everybody. Writing is most of a node's work: what others said gathers for
some times as long as the last write took, and is then one. What was said here is written at once, as its
speaker waits for his answer, and takes along what has gathered.
"""

from typing import Final

PATIENCE: Final = 16.0
"""How many times as long as the last write took what others said may gather."""
MOST: Final = 0.02
"""Seconds that it gathers at the longest: less than a person notices."""


class Coalescing:
    """When to write what others said. Times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._opens = 0.0

    def left(self, now: float) -> float:
        """Return for how many seconds it gathers still; 0: it is to be written."""
        return max(0.0, self._opens - now)

    def written(self, began: float, now: float) -> None:
        """Learn that something was written just now, and since when; it may not have been to everybody."""
        self._opens = max(self._opens, now + min(MOST, PATIENCE * (now - began)))
