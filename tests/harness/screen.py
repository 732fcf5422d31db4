"""A program that fills the whole screen of a terminal, at which a test types and looks."""

import fcntl
import os
import pty
import select
import socket
import struct
import subprocess
import termios
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import pyte

from harness.waiting import until_sync

WITHIN: Final = 60.0
"""Seconds to wait for something that should come at once: such a program takes its time to start."""
ROWS: Final = 50
COLUMNS: Final = 200


class Screen:
    """One program on a pseudo-terminal. What it shows is as a person sees it now."""

    def __init__(
        self, command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        """Start it in a folder, which is its home as well."""
        folder.mkdir(parents=True, exist_ok=True)
        self._emulated = pyte.Screen(COLUMNS, ROWS)
        self._output = pyte.ByteStream(self._emulated)
        self._lock = threading.Lock()
        self._terminal, inner = pty.openpty()
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.process = subprocess.Popen(
            command,
            stdin=inner,
            stdout=inner,
            stderr=inner,
            cwd=folder,
            env={
                **os.environ,
                "HOME": str(folder),
                "TERM": "linux",
                "TZ": "UTC",
                "LANG": "C.UTF-8",
                "LC_ALL": "C.UTF-8",
                **(environment or {}),
            },
            start_new_session=True,
            preexec_fn=_take_terminal,
        )
        os.close(inner)
        self._stopped, self._stop = socket.socketpair()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def text(self) -> str:
        """What is on the screen now, row by row."""
        with self._lock:
            return "\n".join(row.rstrip() for row in self._emulated.display)

    def types(self, line: str) -> None:
        """Type a line and press Enter."""
        os.write(self._terminal, line.encode() + b"\r")

    def shows(self, *texts: str, within: float = WITHIN) -> None:
        """Wait until all of some texts are on the screen."""
        until_sync(
            lambda: all(it in self.text for it in texts),
            within,
            lambda: f"{texts} on the screen:\n{self.text}",
        )

    def end(self) -> None:
        """End it whatever it does."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(30)
        self._stopped.send(b".")
        self._reader.join(30)
        os.close(self._terminal)
        self._stopped.close()
        self._stop.close()

    def _read(self) -> None:
        while True:
            ready, _, _ = select.select([self._terminal, self._stop.fileno()], [], [])
            if self._stop.fileno() in ready:
                return
            try:
                data = os.read(self._terminal, 65_536)
            except OSError:  # the program has ended
                return
            if not data:
                return
            with self._lock:
                self._output.feed(data)


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
