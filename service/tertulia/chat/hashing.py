"""Hashing of passwords: beside the event loop, a few at a time, one network after the other."""

import asyncio
import os
import threading
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

from tertulia.telemetry.metrics import Metrics

_T = TypeVar("_T")
_LANES = 4
"""Threads that one hash keeps busy, at the library's default cost."""
_NICE = 15


class Busy(Exception):
    """Too many wait already: this password was not looked at."""


class Hashing:
    """The hashing of a whole node. A hash takes 64 MiB, and tens of milliseconds of every core.

    Clients that log in wait for one another, and for everything else on the machine. The chat does not wait
    for them.
    """

    def __init__(self, most_waiting: int, metrics: Metrics) -> None:
        self.workers = max(1, (os.cpu_count() or 1) // _LANES)
        """How many passwords are hashed at once."""
        self._threads = ThreadPoolExecutor(self.workers, "passwords", _give_way)
        self._free = self.workers
        self._most_waiting = most_waiting
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        # By network: the network whose turn it is comes first; within it, the client that waits longest.
        metrics.passwords_waiting.set_function(lambda: self._total)
        metrics.passwords_limit.set(most_waiting)
        self._refused = metrics.passwords_refused

    @asynccontextmanager
    async def turn(self, network: str) -> AsyncIterator[None]:
        """Wait for a turn, which is over with the context. Raises Busy.

        Networks take turns, so that many clients of one network delay only each other. Half of those that
        wait may be from one network. Where no more may wait, the client that came last from the network with
        most gives way to a client of a network with fewer.
        """
        if self._free:
            self._free -= 1
        else:
            try:
                await self._wait(network)
            except Busy:
                self._refused.inc()
                raise
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, network: str) -> None:
        most, mine = self._most_waiting, len(self._waiting.get(network, ()))
        if mine >= (most + 1) // 2:
            raise Busy
        if self._total >= most:
            largest = max(self._waiting.values(), key=len)
            if len(largest) <= mine + 1:
                raise Busy
            largest.pop().set_exception(Busy())
        called: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(network, deque()).append(called)
        try:
            await called
        except asyncio.CancelledError:
            if called.done() and not called.cancelled():
                self._pass_on()  # its turn had just come
            else:
                self._waiting[network].remove(called)
                if not self._waiting[network]:
                    del self._waiting[network]
            raise

    @property
    def _total(self) -> int:
        return sum(map(len, self._waiting.values()))

    def _pass_on(self) -> None:
        """Give a turn that is over to the next client, and put its network last."""
        if not self._waiting:
            self._free += 1
            return
        network, queue = self._waiting.popitem(last=False)
        queue.popleft().set_result(None)
        if queue:
            self._waiting[network] = queue

    async def work(self, function: Callable[..., _T], *args: object) -> _T:
        """Run a function beside the event loop. Only a caller that has the turn may call it."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, lambda: function(*args))


def _give_way() -> None:
    # On Linux a thread has a priority of its own, and gives it to those that it starts.
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
