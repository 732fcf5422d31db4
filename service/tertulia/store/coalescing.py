"""Letting what other nodes said gather while this node's clients have just been written to.

Each node commits for itself. So a room that is busy on several nodes brings each node one entry at a time,
and each entry is a write to everybody. Writing is most of a node's work. So what others said gathers for
some times as long as the last write took, and is then one write. What was said here is written at once,
because its speaker waits for the answer; what has gathered is written with it.
"""

from typing import Final

PATIENCE: Final = 16.0
"""For how long what others said may gather: so many times the duration of the last write."""
MOST: Final = 0.02
"""For how many seconds it gathers at most: less than a person notices."""


class Coalescing:
    """When to write what others said. Times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._opens = 0.0

    def left(self, now: float) -> float:
        """Return for how many more seconds it gathers; 0: it is to be written now."""
        return max(0.0, self._opens - now)

    def written(self, began: float, now: float) -> None:
        """Note that a write began at ``began`` and ended ``now``; it may not have gone to everybody."""
        self._opens = max(self._opens, now + min(MOST, PATIENCE * (now - began)))
