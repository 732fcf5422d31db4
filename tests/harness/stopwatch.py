"""How long Redis works on a script, on however busy a machine."""

import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Self

from harness.redis_server import RedisServer

MOST_MILLISECONDS = 20.0
"""No script is to take longer, whatever anybody stored."""


class Stopwatch:
    """How long Redis was at work on the longest script, in milliseconds.

    Redis measures the time that passes. Where others had its processor meanwhile, the time that its
    thread really ran says by how much that is too long.
    """

    def __init__(self, server: RedisServer) -> None:
        self._control = server.control
        self._ran = Path(f"/proc/{server.pid}/task/{server.pid}/schedstat")
        self._ran_before = 0

    def __enter__(self) -> Self:
        self._control.config_set("slowlog-log-slower-than", 0)
        self._control.config_set("slowlog-max-len", 10_000)
        self.reset()
        return self

    def __exit__(self, *_: object) -> None:
        self._control.config_set("slowlog-log-slower-than", 10_000)
        self._control.slowlog_reset()

    def reset(self) -> None:
        """Forget what was run."""
        self._control.slowlog_reset()
        self._ran_before = self._running_time()

    def longest(self, command: bytes = b"EVAL") -> float:
        """Return how long the longest script has taken since the reset; or another ``command``; b"": any."""
        ran = self._running_time() - self._ran_before
        seen: list[dict[str, Any]] = self._control.slowlog_get(10_000)
        passed = sum(int(it["duration"]) for it in seen)
        scripts = [int(it["duration"]) for it in seen if it["command"].startswith(command)]
        return max(scripts) / 1000 * min(1.0, ran / passed)

    def _running_time(self) -> int:
        """Return for how long the thread has run, in microseconds."""
        if not self._ran.exists():  # no Linux: trust the clock
            return time.monotonic_ns() // 1000
        return int(self._ran.read_text().split()[0]) // 1000


async def quickest(stopwatch: Stopwatch, work: Callable[[], Awaitable[object]]) -> float:
    """Return how long the longest script took in the best of some tries."""
    best = float("inf")
    for _ in range(5):
        stopwatch.reset()
        await work()
        best = min(best, stopwatch.longest())
        if best < MOST_MILLISECONDS / 2:
            break
    return best
