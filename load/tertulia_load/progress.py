"""The line that lives while a run does."""

import shutil
import sys
import time
from typing import Final, TextIO

from tertulia_load.control import Progress

_EVERY: Final = 0.4
"""Seconds between two looks at the line."""


class Line:
    """One line on a terminal, written over and over. Elsewhere, nothing."""

    def __init__(self, out: TextIO = sys.stderr) -> None:
        self._out = out
        self._lives = out.isatty()
        self._at = 0.0
        self._before = Progress(0, 0, 0, 0, 0, 0)

    def show(self, doing: str, seconds: float, progress: Progress) -> None:
        """Write what is going on, unless that was just done."""
        now = time.monotonic()
        passed = now - self._at
        if not self._lives or passed < _EVERY:
            return
        text = line(doing, seconds, progress, self._before, passed)
        self._out.write("\r" + text[: shutil.get_terminal_size().columns - 1] + "\x1b[K")
        self._out.flush()
        self._at, self._before = now, progress

    def clear(self) -> None:
        """Remove the line."""
        if self._lives:
            self._out.write("\r\x1b[K")
            self._out.flush()


def line(doing: str, seconds: float, now: Progress, before: Progress, passed: float) -> str:
    """Return the line: totals, and rates since the time before."""

    def rate(count: int, earlier: int) -> str:
        return f"{max(0, count - earlier) / passed:,.0f}/s"

    told = f"{doing} {seconds:.0f} s  {now.clients:,} clients"
    if now.sent:
        return (
            f"{told}  sent {now.sent:,} {rate(now.sent, before.sent)}  "
            f"delivered {now.delivered:,} {rate(now.delivered, before.delivered)}  "
            f"slowest {now.slowest / 1000:,.1f} ms"
        )
    return (
        f"{told} {rate(now.clients, before.clients)}  "
        f"notices {now.notices:,} {rate(now.notices, before.notices)}"
    )
