"""How long to wait before Redis is asked again."""

import asyncio
import random


class Backoff:
    """Waits that double, with jitter, up to a bound: short, because everybody waits meanwhile."""

    FIRST = 0.02
    LONGEST = 0.5

    def __init__(self) -> None:
        self._next = 0.0

    def reset(self) -> None:
        """Start over: it answered."""
        self._next = 0.0

    async def wait(self) -> None:
        """Wait; not at all the first time, for a single connection may just have been cut."""
        delay, self._next = self._next, min(self.LONGEST, max(self.FIRST, self._next * 2))
        await asyncio.sleep(delay * random.uniform(0.5, 1.0))  # noqa: S311 (jitter is no secret)
