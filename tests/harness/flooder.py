"""Somebody who sends as fast as he can, from a thread of his own."""

import contextlib
import select
import socket
import threading
from types import TracebackType
from typing import Self

_LOOK_SECONDS = 0.1
_CHUNK = 1 << 18


class Flooder:
    """One client: its first words, then one thing over and over. Where it is closed, it comes again."""

    def __init__(self, port: int, first: bytes, each: bytes, *, reads: bool = True) -> None:
        """Flood a port of this machine. ``reads``: whether it takes what it is answered."""
        self.sent = 0
        """Bytes that the system has taken."""
        self.connections = 0
        self._address = ("127.0.0.1", port)
        self._first = first
        self._chunk = each * (_CHUNK // len(each) + 1)
        self._reads = reads
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="flooder", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, it: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(30)

    def _run(self) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(OSError), socket.socket() as sock:
                if not self._reads:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                sock.connect(self._address)
                self.connections += 1
                self._flood(sock)

    def _flood(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        left = memoryview(self._first + self._chunk)
        while not self._stop.is_set():
            readable, writable, _ = select.select(
                [sock] if self._reads else [], [sock], [], _LOOK_SECONDS
            )
            if readable and not sock.recv(_CHUNK):
                return
            if writable:
                count = sock.send(left)
                self.sent += count
                left = left[count:] or memoryview(self._chunk)
