"""Reading much at once: an event loop that is woken too often rests until the next beat.

Who speaks in one of many rooms has nobody to gather with there. So each message would wake each node, which
has by then lost to others what it had in the processor's caches: half of what a message costs. A node that
rests finds with one look what its clients sent, what Redis answered and what others said meanwhile.

Beats are those of the clock, not of each node. So nodes commit at the same time, and Redis writes to its
disk, and to each node, once for all of them. Where clocks differ, only that is lost.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final

SECONDS: Final = 0.002
"""Between two beats: a message waits for one in its node, and for another in those that hear of it."""
ENOUGH: Final = 1.0
"""So many messages for each beat make resting worthwhile."""
OF_LATE: Final = 25
"""Beats over which they are counted."""


class Beat:
    """The beat of one event loop. Resting blocks: all on the loop waits, for ``SECONDS`` at most."""

    def __init__(
        self,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], object] = time.sleep,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        """``clock`` is one that nodes have in common, ``timer`` the loop's, both in seconds."""
        self._clock = clock
        self._timer = timer
        self._sleep = sleep
        self._since = 0.0
        self._heard = 0
        self._is_busy = False
        self._turn: float | None = None
        """When the turn of the loop began after which it is to rest, by its own clock."""

    def heard(self, messages: int, began: float, loop: asyncio.AbstractEventLoop) -> None:
        """Take into account that messages came, in a turn of the loop that ``began`` then.

        Where there are many, it rests when they are dealt with.
        """
        self._heard += messages
        beats = (began - self._since) / SECONDS
        if beats >= OF_LATE:
            self._is_busy = self._heard >= ENOUGH * min(beats, 2 * OF_LATE)
            self._since, self._heard = began, 0
        if self._is_busy and self._turn is None:
            self._turn = began
            # Not in this turn: at its end is sent what it wrote.
            loop.call_soon(self._rest)

    def _rest(self) -> None:
        assert self._turn is not None
        worked, self._turn = self._timer() - self._turn, None
        if worked < SECONDS:  # else there is enough to do without
            self._sleep(SECONDS - self._clock() % SECONDS)
