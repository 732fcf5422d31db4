"""Tasks that nobody waits for: kept alive, and their errors logged."""

import asyncio
from collections.abc import Coroutine

import structlog

_log = structlog.get_logger(__name__)


class Tasks:
    """The tasks under way."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[object, object, None]) -> None:
        """Run a coroutine as a task."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._done)

    def stop(self) -> None:
        """Cancel what is under way."""
        for task in self._running:
            task.cancel()

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a task failed", exc_info=error)
