"""Letting newcomers in by groups while the room is busy announcing the last ones.

A join costs a write to everybody, so N joins one by one cost N² writes. While fan-outs take long, joins
gather, and a group of them costs each reader one write. Only joining waits, a fraction of a second.
"""

from typing import Final

from tertulia.chat.ports import JoinOp

PATIENCE: Final = 4.0
"""Joins gather for this many times the length of the last fan-out. Then the next group goes in."""
MOST: Final = 0.5
"""Seconds that a join waits at most, however long fan-outs take."""


class Admission:
    """The queue at the door. Times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._waiting: list[JoinOp] = []
        self._opens = 0.0

    def offer(self, join: JoinOp, now: float) -> tuple[list[JoinOp], float | None]:
        """Take a join; return the joins that go in now, and when to ask again if a timer is to be set."""
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
        """Learn how long it took to announce the last group to the room, in seconds."""
        self._opens = now + min(MOST, took * PATIENCE)
