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
from pathlib import Path
from typing import Any

from harness.redis_server import reserved_port
from harness.waiting import until_sync

WITHIN = 10.0
"""Seconds to wait for something that should come at once."""
EXIT_SECONDS = 10.0
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
        self._screen = ""
        self._cursor = 0
        self._terminal, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
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
        """Everything that was shown, without what moves the cursor."""
        return self._screen

    @property
    def lines(self) -> list[str]:
        """The lines that stay on the screen, as a person sees them, without the one being typed."""
        rows = self._raw.split("\n")[:-1]
        # Whatever is written anew begins at the start of its row, and clears what is left of it.
        return [_ESCAPE.sub("", row.removesuffix("\r").rpartition("\r")[2]) for row in rows]

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
            found = compiled.search(self._screen, self._cursor)
            return found is not None

        until_sync(look, within, lambda: f"{pattern!r} on the screen:\n{self._screen}")
        assert found is not None
        self._cursor = found.end()
        return found[0].rstrip("\n")

    def screen_has(self, line: str, within: float = WITHIN) -> None:
        """Wait until a line that begins so is on the screen, wherever."""
        until_sync(
            lambda: any(it.startswith(line) for it in self.lines),
            within,
            lambda: f"{line!r} on the screen:\n{self._screen}",
        )

    def asked(self, prompt: str, within: float = WITHIN) -> None:
        """Wait until the last line on the screen is a prompt, with nothing typed behind it."""
        until_sync(
            lambda: self._screen.rpartition("\n")[2] == prompt,
            within,
            lambda: f"the prompt {prompt!r}:\n{self._screen}",
        )

    def ended(self, within: float = EXIT_SECONDS) -> int:
        """Wait until the program has ended and return its status."""
        until_sync(
            lambda: self.process.poll() is not None, within, lambda: f"its end:\n{self._screen}"
        )
        self._reader.join(5)
        return self.process.returncode

    def modes(self) -> list[Any]:
        """Return how the terminal is set."""
        return termios.tcgetattr(self._terminal)

    def hangs_up(self) -> None:
        """Close the terminal, as closing its window does."""
        self._stop_looking()

    def kill(self) -> None:
        """End the program with no chance to say goodbye."""
        self.process.kill()
        self.process.wait(10)

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
        self.process.wait(10)
        self._stop_looking()
        self._reserved.close()

    def _stop_looking(self) -> None:
        if self._terminal >= 0:
            self._stopped.send(b".")
            self._reader.join(5)
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
            self._screen = _ESCAPE.sub("", self._raw).replace("\r\n", "\n").replace("\r", "\n")


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
