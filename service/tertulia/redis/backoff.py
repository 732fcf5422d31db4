"""How long to wait before Redis is asked again."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tertulia.redis.errors import StoreAway

_T = TypeVar("_T")


class Backoff:
    """Waits that double, with jitter, up to a bound. They are short, because everybody waits meanwhile."""

    FIRST = 0.02
    LONGEST = 0.5

    def __init__(self) -> None:
        self._next = 0.0

    def reset(self) -> None:
        """Start over: Redis has answered."""
        self._next = 0.0

    async def wait(self) -> None:
        """Wait. The first time is without a wait: perhaps only a single connection was cut."""
        delay, self._next = self._next, min(self.LONGEST, max(self.FIRST, self._next * 2))
        await asyncio.sleep(delay * random.uniform(0.5, 1.0))  # noqa: S311 (jitter is no secret)


async def patiently(do: Callable[[], Awaitable[_T]], seconds: float) -> _T:
    """Do something that may be done twice, again and again for so many seconds while Redis is away.

    Raises the last StoreAway then; one against which waiting does not help at once.
    """
    backoff, loop = Backoff(), asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while True:
        try:
            return await do()
        except StoreAway as error:
            if error.is_final or loop.time() >= deadline:
                raise
            await backoff.wait()
