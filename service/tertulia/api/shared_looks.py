"""Looks that take long: who asks for one meanwhile, or soon after, gets the same."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

_T = TypeVar("_T")
_QUICK_SECONDS: Final = 0.1
"""A look that takes no longer is taken anew each time."""
_REST: Final = 4
"""For how many times as long as it took a look is good: one kind takes at most a fifth of the time."""


@dataclass(slots=True)
class _Look(Generic[_T]):
    task: "asyncio.Task[_T]"
    good_until: float | None = None
    """None: it is not over."""


class SharedLooks(Generic[_T]):
    """The looks of one kind that are under way, or still good."""

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        self._clock = clock
        self._looks: dict[Hashable, _Look[_T]] = {}

    async def at(self, key: Hashable, look: Callable[[], Awaitable[_T]]) -> _T:
        """Look, or return what somebody else sees who looks at the same. Raises what ``look`` raises."""
        now = self._now()
        self._looks = {
            name: it
            for name, it in self._looks.items()
            if it.good_until is None or it.good_until > now
        }
        if key not in self._looks:
            self._looks[key] = self._begin(look)
        # Who asked first may give up; the others still want it.
        return await asyncio.shield(self._looks[key].task)

    def _begin(self, look: Callable[[], Awaitable[_T]]) -> _Look[_T]:
        began = self._now()

        async def looked() -> _T:
            return await look()

        def over(task: "asyncio.Task[_T]") -> None:
            now = self._now()
            is_good = not task.cancelled() and task.exception() is None
            took = now - began
            it.good_until = now + _REST * took if is_good and took > _QUICK_SECONDS else now

        it = _Look(asyncio.create_task(looked()))
        it.task.add_done_callback(over)
        return it

    def _now(self) -> float:
        return self._clock() if self._clock is not None else asyncio.get_running_loop().time()
