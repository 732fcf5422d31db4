"""Wait for something that will be so, never longer than told: the only place that sleeps."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable

EVERY = 0.02
"""Seconds between two looks."""


class DeadlineError(AssertionError):
    """What was waited for did not come in time."""


async def until(
    condition: Callable[[], object | Awaitable[object]],
    within: float,
    what: str | Callable[[], str],
    *,
    every: float = EVERY,
) -> None:
    """Return as soon as the condition is true.

    Raises DeadlineError, saying ``what`` was waited for, when that takes more than ``within``
    seconds. The condition is looked at once more at the deadline, however late the loop is.
    """
    deadline = time.monotonic() + within
    while True:
        last = time.monotonic() >= deadline
        found = condition()
        if inspect.isawaitable(found):
            found = await found
        if found:
            return
        if last:
            raise DeadlineError(_complaint(what, within))
        await asyncio.sleep(min(every, max(0.0, deadline - time.monotonic())))


def until_sync(
    condition: Callable[[], object],
    within: float,
    what: str | Callable[[], str],
    *,
    every: float = EVERY,
) -> None:
    """Do as ``until`` does, where there is no event loop."""
    deadline = time.monotonic() + within
    while True:
        last = time.monotonic() >= deadline
        if condition():
            return
        if last:
            raise DeadlineError(_complaint(what, within))
        time.sleep(min(every, max(0.0, deadline - time.monotonic())))


async def elapse(seconds: float) -> None:
    """Let a length of time pass that is itself what the test is about: an outage, a freeze."""
    until_then = time.monotonic() + seconds
    await until(lambda: time.monotonic() >= until_then, seconds + 5, f"{seconds} s to pass")


def _complaint(what: str | Callable[[], str], within: float) -> str:
    return f"not within {within:g} s: {what if isinstance(what, str) else what()}"
