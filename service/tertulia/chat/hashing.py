"""Where passwords are hashed: beside the event loop, a few at a time, whoever waits longest first."""

import asyncio
import os
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

from tertulia.metrics import Metrics

_T = TypeVar("_T")
_LANES = 4
"""Threads that one hash keeps busy, at the library's default cost."""
_NICE = 15


class Busy(Exception):
    """As many wait already as may: this one's password was not looked at."""


class Hashing:
    """The hashing of a whole node. A hash takes 64 MiB, and tens of milliseconds of every core.

    People who log in wait for one another, and for everything else on the machine; the chat does not
    wait for them.
    """

    def __init__(self, most_waiting: int, metrics: Metrics) -> None:
        self.workers = max(1, (os.cpu_count() or 1) // _LANES)
        """How many are hashed at once."""
        self._threads = ThreadPoolExecutor(self.workers, "passwords", _give_way)
        self._free = asyncio.Semaphore(self.workers)
        self._most_waiting = most_waiting
        self._waiting: Counter[str] = Counter()
        metrics.passwords_waiting.set_function(self._waiting.total)

    @asynccontextmanager
    async def turn(self, address: str) -> AsyncIterator[None]:
        """Wait for a turn, which is over with the context. Raises Busy.

        Half of those who wait may be from one address, so that nobody shuts out all others.
        """
        most = self._most_waiting
        if self._waiting.total() >= most or self._waiting[address] >= (most + 1) // 2:
            raise Busy
        self._waiting[address] += 1
        try:
            await self._free.acquire()  # it wakes those first that wait longest
        finally:
            self._waiting[address] -= 1
            if not self._waiting[address]:
                del self._waiting[address]
        try:
            yield
        finally:
            self._free.release()

    async def work(self, function: Callable[..., _T], *args: object) -> _T:
        """Run a function beside the event loop. Only for whoever has the turn."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, lambda: function(*args))


def _give_way() -> None:
    # On Linux a thread has a priority of its own, and gives it to those that it starts.
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
