"""Doing once, for all, what several callers want at the same time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from tertulia.redis.errors import StoreAway
from tertulia.telemetry.metrics import RetryCause

_T = TypeVar("_T")


class Rounds(Generic[_T]):
    """A caller that comes during a round waits for the next one: the running one may not see its work."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._next: asyncio.Future[_T] | None = None  # of a round that has not begun

    async def join(self, do: Callable[[], Awaitable[_T]]) -> _T:
        """Have it done, alone or with others.

        Raises StoreAway, also if another caller was doing it and was cancelled.
        """
        if self._next is not None:
            return await asyncio.shield(self._next)
        here = self._next = asyncio.get_running_loop().create_future()
        away = StoreAway(RetryCause.CONNECTION, "the connection was given up")
        try:
            async with self._turn:
                self._next = None
                came = await do()
        except BaseException as error:
            if self._next is here:
                self._next = None
            if isinstance(error, StoreAway):
                away = StoreAway(error.cause, str(error))
            here.set_exception(away)
            here.exception()  # perhaps no other caller waits
            raise
        here.set_result(came)
        return came
