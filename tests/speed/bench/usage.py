"""What processes use, and when: CPU time of all their threads, and memory."""

import contextlib
import os
import threading
import time
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

EVERY: Final = 0.02
"""Seconds between two looks."""
_SCHEDULED: Final = 2
"""From the kernel's <linux/posix-timers.h>: the clock of what all threads of a process were given."""
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


@dataclass(slots=True)
class Usage:
    """What one role of the server side used, at rising times."""

    times: list[float] = field(default_factory=list)
    """Seconds since 1970."""
    cpu: list[float] = field(default_factory=list)
    """Seconds since the start."""
    memory: list[int] = field(default_factory=list)
    """Bytes that are resident."""

    def cpu_between(self, start: float, end: float) -> float:
        """Return the CPU seconds used from one moment to another."""
        return _at(self.times, self.cpu, end) - _at(self.times, self.cpu, start)

    def memory_at(self, when: float) -> float:
        """Return the bytes that were resident at a moment."""
        return _at(self.times, self.memory, when)


class Watch:
    """Looks at processes, from a thread of its own, as long as the block lasts."""

    def __init__(self, processes: Mapping[str, Sequence[int]]) -> None:
        """Look at the processes of each role."""
        self.usage = {role: Usage() for role in processes}
        self._processes = processes
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look_on, name="watch", daemon=True)

    def __enter__(self) -> Self:
        self._look()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _look_on(self) -> None:
        with contextlib.suppress(ProcessLookupError, FileNotFoundError):  # it has ended
            while not self._stop.wait(EVERY):
                self._look()
            self._look()

    def _look(self) -> None:
        for role, ids in self._processes.items():
            usage = self.usage[role]
            cpu = sum(map(cpu_seconds, ids))
            memory = sum(map(resident, ids))
            usage.times.append(time.time())
            usage.cpu.append(cpu)
            usage.memory.append(memory)


def cpu_seconds(process: int) -> float:
    """Return the CPU time of all threads that a process has or had, as exactly as the kernel knows it.

    Raises ProcessLookupError where there is no such process.
    """
    try:
        return time.clock_gettime((~process << 3) | _SCHEDULED)
    except OSError as error:
        raise ProcessLookupError(f"process {process} has ended") from error


def resident(process: int) -> int:
    """Return the bytes of a process that are resident."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * _PAGE


def _at(times: Sequence[float], values: Sequence[float], when: float) -> float:
    """Return the value at a moment, on the line from the last before it to the first after it."""
    after = bisect_left(times, when)
    if after == 0:
        return values[0]
    if after == len(times):
        return values[-1]
    span = times[after] - times[after - 1]
    share = (when - times[after - 1]) / span if span else 1.0
    return values[after - 1] + share * (values[after] - values[after - 1])
