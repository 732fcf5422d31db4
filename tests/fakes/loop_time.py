"""A real event loop whose time passes only where nothing is left to do: no machine is too slow for it."""

import asyncio
import selectors
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, cast

EARLY: Final = 0.4e-9
"""By so many seconds every timer is called before its time: asyncio may do so, by its clock's resolution."""


@contextmanager
def leaping() -> Iterator[None]:
    """Let the running loop's time leap to its next timer instead of passing.

    For what waits for timers, and not for threads or other processes: their time passes, the loop's does not.
    """
    loop = cast(Any, asyncio.get_running_loop())
    looks: Callable[[float | None], list[Any]] = loop._selector.select
    now = 1000.0

    def select(timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        nonlocal now
        if timeout is None:
            return looks(None)
        found = looks(0)
        if not found and timeout > 0:
            now += max(timeout - EARLY, 2 * EARLY)
        return found

    loop._selector.select = select
    loop.time = lambda: now
    try:
        yield
    finally:
        del loop._selector.select, loop.time
