"""Doing once, for all, what several callers want at the same time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

_T = TypeVar("_T")


class Rounds(Generic[_T]):
    """A caller that comes during a round waits for the next one: the running one may not see its work."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._next: asyncio.Task[_T] | None = None  # of a round that has not begun

    async def join(self, do: Callable[[], Awaitable[_T]]) -> _T:
        """Have it done, alone or with others. It goes on even if callers are cancelled meanwhile."""
        if self._next is None:
            self._next = asyncio.create_task(self._round(do))
        return await asyncio.shield(self._next)

    async def _round(self, do: Callable[[], Awaitable[_T]]) -> _T:
        async with self._turn:
            self._next = None
            return await do()
