"""How long to wait before Redis is asked again."""

import asyncio
import random


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
