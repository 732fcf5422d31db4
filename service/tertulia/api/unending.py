"""What goes on for as long as the process does."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

_AFTER_DEFECT_SECONDS: Final = 5.0

_log = structlog.get_logger(__name__)


async def again_and_again(do: Callable[[], Awaitable[None]]) -> None:
    """Do what has no end. Where it fails all the same, say so, and do it again after a moment.

    Nobody would notice that tokens, or webhooks, are not read any more.
    """
    while True:
        try:
            await do()
        except Exception:
            _log.exception("a task failed")
        await asyncio.sleep(_AFTER_DEFECT_SECONDS)
