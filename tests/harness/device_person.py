"""A person at a terminal, with the program ``tertulia device`` on it."""

import fcntl
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyte

from harness.redis_server import reserved_port
from harness.waiting import until_sync

WITHIN = 60.0
"""Seconds to wait for something that should come at once."""
EXIT_SECONDS = 60.0
_ROWS = 24
_ROOM = 1000
"""Columns of the emulated terminal: what a narrower one wraps by itself stays one line to look at."""
_ESCAPE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


class Person:
    """One program on a pseudo-terminal. Types keys and reads the screen."""

    def __init__(
        self,
        folder: Path,
        server: str,
        *,
        host: str | None = None,
        columns: int = 100,
        classic: bool = False,
    ) -> None:
        """Start it in a folder; ``host`` is the address to listen on, ``classic`` for old partners."""
        self._reserved = reserved_port()
        self.port: int = self._reserved.getsockname()[1]
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._raw = ""
        self._emulated = pyte.HistoryScreen(_ROOM, _ROWS, history=100_000)
        self._output = pyte.ByteStream(self._emulated)
        self._scrolled: list[str] = []
        self._shown: tuple[list[str], str] = ([], "")
        self._passed = 0
        """Lines that were expected already, and those before them."""
        self._terminal, inner = pty.openpty()
        self.resizes(columns)
        command = "from tertulia.cli import main; main()"
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-c", command, "device", str(self.port)),
                *("--server", server, "--dir", str(folder / "kept")),
                *(("--host", host) if host else ()),
                *(("--classic",) if classic else ()),
            ],
            stdin=inner,
            stdout=inner,
            stderr=inner,
            cwd=folder,
            # Buffered, as it is on a person's terminal.
            env={**os.environ, "TERM": "xterm", "TZ": "UTC", "PYTHONUNBUFFERED": ""},
            start_new_session=True,
            preexec_fn=_take_terminal,
        )
        os.close(inner)
        self._stopped, self._stop = socket.socketpair()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def screen(self) -> str:
        """Everything that was shown, also what is not there any more, without what moves the cursor."""
        return _ESCAPE.sub("", self._raw)

    @property
    def lines(self) -> list[str]:
        """The lines that stay on the screen, as a person sees them, without the one being typed."""
        return self._shown[0]

    @property
    def line(self) -> str:
        """What stands in front of the cursor: the prompt, and what is typed."""
        return self._shown[1]

    def types(self, line: str) -> None:
        """Type a line and press Enter."""
        self.presses(line.encode() + b"\r")

    def presses(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._terminal, keys)

    def expects(self, pattern: str, within: float = WITHIN) -> str:
        """Return the next line that matches from its start; those before it are passed over."""
        compiled = re.compile(rf"^(?:{pattern})[^\n]*\n", re.MULTILINE)
        found: re.Match[str] | None = None

        def look() -> bool:
            nonlocal found
            found = compiled.search("".join(f"{it}\n" for it in self.lines[self._passed :]))
            return found is not None

        until_sync(look, within, lambda: f"{pattern!r} on the screen:\n{self._seen()}")
        assert found is not None
        self._passed += found.string.count("\n", 0, found.end())
        return found[0].rstrip("\n")

    def screen_has(self, line: str, within: float = WITHIN) -> None:
        """Wait until a line that begins so is on the screen, wherever."""
        until_sync(
            lambda: any(it.startswith(line) for it in self.lines),
            within,
            lambda: f"{line!r} on the screen:\n{self._seen()}",
        )

    def asked(self, prompt: str, within: float = WITHIN) -> None:
        """Wait until the last line on the screen is a prompt, with nothing typed behind it."""
        until_sync(
            lambda: self.line == prompt,
            within,
            lambda: f"the prompt {prompt!r}:\n{self._seen()}",
        )

    def ended(self, within: float = EXIT_SECONDS) -> int:
        """Wait until the program has ended and return its status."""
        until_sync(
            lambda: self.process.poll() is not None, within, lambda: f"its end:\n{self._seen()}"
        )
        self._reader.join(30)
        return self.process.returncode

    def modes(self) -> list[Any]:
        """Return how the terminal is set."""
        return termios.tcgetattr(self._terminal)

    def sets_modes(self, modes: list[Any]) -> None:
        """Set the terminal, as a shell does when the program is stopped."""
        termios.tcsetattr(self._terminal, termios.TCSANOW, modes)

    def resizes(self, columns: int) -> None:
        """Make the window as wide as that."""
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, columns, 0, 0))

    def hangs_up(self) -> None:
        """Close the terminal, as closing its window does."""
        self._stop_looking()

    def kill(self) -> None:
        """End the program with no chance to say goodbye."""
        self.process.kill()
        self.process.wait(30)

    def freeze(self) -> None:
        """Stop the program in its tracks: its sockets stay open."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self.process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """End it whatever it does."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(30)
        self._stop_looking()
        self._reserved.close()

    def _stop_looking(self) -> None:
        if self._terminal >= 0:
            self._stopped.send(b".")
            self._reader.join(30)
            os.close(self._terminal)
            self._terminal = -1
            self._stopped.close()
            self._stop.close()

    def _read(self) -> None:
        while True:
            # A read under way would keep the terminal open when it is closed.
            ready, _, _ = select.select([self._terminal, self._stop.fileno()], [], [])
            if self._stop.fileno() in ready:
                return
            try:
                data = os.read(self._terminal, 65_536)
            except OSError:  # the last program on the terminal has ended
                return
            if not data:
                return
            self._raw += data.decode(errors="replace")
            self._output.feed(data)
            self._look()

    def _look(self) -> None:
        cursor, left = self._emulated.cursor, self._emulated.history.top
        while left:
            self._scrolled.append(_text(left.popleft()))
        rows = [_text(self._emulated.buffer[number]) for number in range(cursor.y + 1)]
        line = rows.pop().rstrip()
        self._shown = [*self._scrolled, *rows], line.ljust(cursor.x)

    def _seen(self) -> str:
        return "\n".join([*self.lines, self.line])


def _text(row: Mapping[int, pyte.screens.Char]) -> str:
    return "".join(row[column].data for column in range(max(row, default=-1) + 1)).rstrip()


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
