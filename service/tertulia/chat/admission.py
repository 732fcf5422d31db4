"""Letting newcomers in by groups while the room is busy telling everybody of the last ones.

A join costs a write to everybody, so N joins one by one cost N² writes. While fan-outs take long, joins
gather, and a group of them costs each reader one write. Only joining waits, a fraction of a second.
"""

from typing import Final

from tertulia.chat.ports import JoinOp

PATIENCE: Final = 4.0
"""How many times as long as the last fan-out took joins gather before the next group goes in."""
MOST: Final = 0.5
"""Seconds that a join waits at the longest, however long fan-outs take."""


class Admission:
    """The queue at the door. Times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._waiting: list[JoinOp] = []
        self._opens = 0.0

    def offer(self, join: JoinOp, now: float) -> tuple[list[JoinOp], float | None]:
        """Take a join; return those that go in now, and the time to ask again if it is to be armed."""
        self._waiting.append(join)
        if now >= self._opens:
            return self.due(now)[0], None
        return [], self._opens if len(self._waiting) == 1 else None

    def due(self, now: float) -> tuple[list[JoinOp], float | None]:
        """Return the joins that go in now, and the time to ask again where there is one."""
        if now < self._opens:
            return [], self._opens if self._waiting else None
        group, self._waiting = self._waiting, []
        return group, None

    def fanned_out(self, took: float, now: float) -> None:
        """Learn how long telling the room of the last group took, in seconds."""
        self._opens = now + min(MOST, took * PATIENCE)
