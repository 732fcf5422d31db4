"""Writing the log without ever waiting for the log reader.

A pipe that nobody empties, a terminal that was stopped, a disk that hangs: whoever writes there stands
still. That is a thread of its own here; lines wait for it in a queue, and where too many wait, they are
dropped, counted, and said to be missing when it goes on.
"""

import os
import select
import threading
from queue import SimpleQueue

import structlog

from tertulia.telemetry.counters import Counter

_log = structlog.get_logger(__name__)


class LogWriter:
    """Writes lines to a file, in their order, each in one go, so that those of two processes don't mix."""

    most_waiting = 4_194_304
    """Characters that may wait to be written: some 20,000 lines."""

    def __init__(self, file: int, encoding: str) -> None:
        self.dropped = Counter()
        """Lines that were not written, for whatever reason."""
        self._file = file
        self._encoding = encoding
        self._room = select.poll()
        self._room.register(file, select.POLLOUT)
        # What collects garbage may log as well, on this very thread, between any two steps.
        self._lock = threading.RLock()
        self._lines: SimpleQueue[str | threading.Event] = SimpleQueue()
        self._waiting = 0
        self._is_full = False
        self._untold = 0
        threading.Thread(target=self._run, name="log", daemon=True).start()

    def put(self, line: str) -> None:
        """Have a line written; drop it where too many wait. Returns at once; any thread may call it."""
        with self._lock:
            if self._is_full or self._waiting + len(line) > self.most_waiting:
                self._is_full = True
                self._drop()
            else:
                self._waiting += len(line)
                self._lines.put(line)

    def flush(self, seconds: float) -> None:
        """Wait until what was put is written, so many seconds at the longest."""
        written = threading.Event()
        self._lines.put(written)
        written.wait(seconds)

    def _run(self) -> None:
        while True:
            line = self._lines.get()
            if isinstance(line, threading.Event):
                line.set()
            else:
                self._settle(line, self._write(line))

    def _settle(self, line: str, is_written: bool) -> None:
        with self._lock:
            self._waiting -= len(line)
            if not is_written:
                self._drop()
            if self._waiting <= self.most_waiting // 2:
                self._is_full = False
            if is_written and self._untold and not self._is_full:
                untold, self._untold = self._untold, 0
                # Before anybody else, so that it stands in their place. An error: those are always logged.
                _log.error("lines of the log are missing", lines=untold)

    def _drop(self) -> None:
        self.dropped.count += 1
        self._untold += 1

    def _write(self, line: str) -> bool:
        rest = memoryview(f"{line}\n".encode(self._encoding, "backslashreplace"))
        try:
            while rest:
                try:
                    rest = rest[os.write(self._file, rest) :]
                except BlockingIOError:  # it is shared, and another process made it so
                    self._room.poll()
        except OSError:  # the log reader is gone, or the disk is full: no reason to stop
            return False
        return True
