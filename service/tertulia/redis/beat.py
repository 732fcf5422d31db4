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

SECONDS: Final = 0.003
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
        used: Callable[[], float] = time.thread_time,
    ) -> None:
        """``clock`` is one that nodes have in common; ``used`` says for how long the loop has worked."""
        self._clock = clock
        self._sleep = sleep
        self._used = used
        self._used_before = used()
        self._since = 0.0
        self._heard = 0
        self._is_busy = False
        self._is_asked = False

    def heard(self, messages: int, loop: asyncio.AbstractEventLoop) -> None:
        """Take into account that messages came; where they are many, rest when they are dealt with."""
        self._heard += messages
        now = self._clock()
        beats = (now - self._since) / SECONDS
        if not 0.0 <= beats < OF_LATE:
            self._is_busy = self._heard >= ENOUGH * min(beats, 2 * OF_LATE)
            self._since, self._heard = now, 0
        if self._is_busy and not self._is_asked:
            self._is_asked = True
            # Not in this turn: at its end is sent what it wrote.
            loop.call_soon(self._rest)

    def _rest(self) -> None:
        self._is_asked = False
        before, self._used_before = self._used_before, self._used()
        # By what the loop itself has worked: others may have had the processor.
        if self._used_before - before < SECONDS:  # else there is enough to do without resting
            self._sleep(SECONDS - self._clock() % SECONDS)
