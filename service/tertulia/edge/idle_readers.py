"""Readers at rest: clients that only acknowledge are read less often than they are written to.

In a large room every message is answered by an acknowledgement from everybody, and reading them one by one
costs nearly as much as the fan-out. A client that has sent nothing else for a second is at rest: its
socket is looked at together with the others'. After that all are left alone for a time that is
proportional to the time that looking at them took. So acknowledgements cost a set share of the node. A small
room is read at once as always, and a word of a client at rest waits 50 ms at most.
"""

import asyncio
import contextlib
import os
import select
import time
from collections.abc import Callable
from typing import Final

_PAUSE_FACTOR: Final = 50
"""A pause lasts so many times as long as the reading before it: acknowledgements take 2 % of a node."""
_LONGEST_PAUSE: Final = 0.05
"""In seconds: people do not notice it."""
_AT_ONCE: Final = 512
"""Sockets that are read before something else has its turn."""
_FEW: Final = 11
_MANY: Final = 2000
"""Acknowledgements. Mostly there are few, and a small read takes no allocation from the system."""
_BROKEN: Final = select.EPOLLERR | select.EPOLLHUP

Hear = Callable[[bytes], None]


class IdleReaders:
    """The sockets of a node that are at rest."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._epoll = select.epoll()
        self._hear: dict[int, tuple[Hear, int]] = {}
        self._taken = 0.0
        loop.add_reader(self._epoll.fileno(), self._something_came)

    def __len__(self) -> int:
        """Count the sockets at rest."""
        return len(self._hear)

    def add(self, fd: int, hear: Hear, unit: int) -> None:
        """Look after a socket: ``hear`` is told what comes, and an empty ``bytes`` when the socket ends.

        ``unit`` is the length of an acknowledgement: none is cut in two by what is read at once.
        """
        self._hear[fd] = hear, unit
        self._epoll.register(fd, select.EPOLLIN)

    def discard(self, fd: int, hear: Hear) -> None:
        """Look after it no more. What the system has closed already is forgotten."""
        found = self._hear.get(fd)
        if found is not None and found[0] == hear:  # else the number has gone to another one since
            del self._hear[fd]
            with contextlib.suppress(OSError):
                self._epoll.unregister(fd)

    def close(self) -> None:
        """Look at nothing any more."""
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()

    def _something_came(self) -> None:
        self._loop.remove_reader(self._epoll.fileno())
        self._read()

    def _read(self) -> None:
        if self._epoll.closed:
            return
        began = time.perf_counter()
        ready = self._epoll.poll(0, _AT_ONCE)
        try:
            for fd, events in ready:
                found = self._hear.get(fd)
                if found is not None:
                    hear, unit = found
                    # An error is reported once: the one that reads from now on has to hear it.
                    hear(b"" if events & _BROKEN else _read(fd, unit))
        finally:  # whoever fails, the others are heard: what is not read yet is ready again
            self._taken += time.perf_counter() - began
            if len(ready) == _AT_ONCE:
                self._loop.call_soon(self._read)
            else:
                pause = min(self._taken * _PAUSE_FACTOR, _LONGEST_PAUSE)
                self._taken = 0.0
                self._loop.call_later(pause, self._look_again)

    def _look_again(self) -> None:
        if not self._epoll.closed:
            self._loop.add_reader(self._epoll.fileno(), self._something_came)


def _read(fd: int, unit: int) -> bytes:
    try:
        data = os.read(fd, unit * _FEW)
    except OSError:
        return b""
    if len(data) == unit * _FEW:
        with contextlib.suppress(OSError):  # there may be no more
            data += os.read(fd, unit * _MANY)
    return data
