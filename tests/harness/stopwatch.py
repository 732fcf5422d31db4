"""How long Redis works on a script, on however busy a machine."""

import contextlib
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, Self

from harness.redis_server import RedisServer

MOST_MILLISECONDS = 20.0
"""No script is to take longer, whatever anybody stored: on a machine that is as quick as is usual."""
MOST_ONCE_MILLISECONDS = 100.0
"""As much where it can be tried only once: a machine's host may have other work in just that moment."""
_YARDSTICK: Final = """
for number = 1, 3000 do
  local name = string.format('%032d', number)
  redis.call('HSET', KEYS[1], name, string.rep('x', 100) .. tostring(number))
  redis.call('HGET', KEYS[1], name)
end
redis.call('DEL', KEYS[1])
"""
"""Work of the kind that scripts do, and always the same."""
_YARDSTICK_MILLISECONDS: Final = 12.0
"""What it takes on a machine that is as quick as is usual: 2 GHz or more, to itself."""


class Stopwatch:
    """How long Redis was at work on the longest script, in milliseconds.

    Redis measures the time that passes. So its thread runs before everybody else, where that is
    allowed (root is). Where others had its processor meanwhile, the time that the thread really ran
    says by how much what passed is too long; or what the longest may have waited, if it stood still
    but once. And a processor may be at half its speed for a while, as other machines are on it: a
    piece of work that is always the same says so.
    """

    def __init__(self, server: RedisServer) -> None:
        self._control = server.control
        self._thread = server.pid
        self._ran = Path(f"/proc/{server.pid}/task/{server.pid}/schedstat")
        self._ran_before = 0

    def __enter__(self) -> Self:
        self._control.config_set("slowlog-log-slower-than", 0)
        self._control.config_set("slowlog-max-len", 10_000)
        self._schedule(os.SCHED_FIFO, 1)
        self.reset()
        return self

    def __exit__(self, *_: object) -> None:
        self._schedule(os.SCHED_OTHER, 0)
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
        scripts = sorted(int(it["duration"]) for it in seen if it["command"].startswith(command))
        at_all_times = scripts[-1] * min(1.0, ran / passed)
        at_once = max([scripts[-1] - max(0, passed - ran), *scripts[-2:-1]])
        return min(at_all_times, at_once) / 1000 / self._slowness()

    def _slowness(self) -> float:
        """Return how many times as long as usual the machine takes for a thing now; 1 where it is quick."""
        self._control.slowlog_reset()
        for _ in range(3):
            self._control.eval(_YARDSTICK, 1, "{yardstick}")
        seen = self._control.slowlog_get(10_000)
        took = [int(it["duration"]) for it in seen if it["command"].startswith(b"EVAL")]
        return max(1.0, min(took) / 1000 / _YARDSTICK_MILLISECONDS)

    def _schedule(self, policy: int, priority: int) -> None:
        with contextlib.suppress(PermissionError):
            os.sched_setscheduler(self._thread, policy, os.sched_param(priority))

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
