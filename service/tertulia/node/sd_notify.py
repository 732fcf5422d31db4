"""Telling the service manager how the node is: systemd's notification protocol, sd_notify(3).

A datagram of ``NAME=value`` lines to the socket that ``NOTIFY_SOCKET`` names. A node that was
not started by such a manager notifies nobody, at no cost.
"""

import asyncio
import contextlib
import os
import re
import socket
import time
from collections.abc import Callable, MutableMapping
from typing import Final

_LOOK_SECONDS: Final = 5.0
"""How often the status is looked at where there is no watchdog."""
_A_WATCHDOG_TIME: Final = 3
"""How often the watchdog is notified within its time: sd_watchdog_enabled(3) wants it twice."""


class Notifier:
    """The way to the service manager. Nothing here raises or blocks: a deaf manager misses it."""

    def __init__(self, address: str = "", watchdog_seconds: float | None = None) -> None:
        """``address``: a path, or ``@`` and an abstract name; empty: tell nobody."""
        self._address = address
        self.watchdog_seconds = watchdog_seconds
        """Within which the manager wants to hear of the node, else it ends it; None: it does not."""

    @classmethod
    def from_environment(cls, environment: MutableMapping[str, str] = os.environ) -> "Notifier":
        """Take what the manager left there, and remove it: no child is to speak for the node."""
        address = environment.pop("NOTIFY_SOCKET", "")
        micros = environment.pop("WATCHDOG_USEC", "")
        pid = environment.pop("WATCHDOG_PID", "")
        watched = re.fullmatch("[1-9][0-9]{0,17}", micros) and pid in ("", str(os.getpid()))
        if not address.startswith(("/", "@")):
            return cls()
        return cls(address, int(micros) / 1e6 if watched else None)

    @property
    def is_heard(self) -> bool:
        """Whether there is a manager to tell."""
        return bool(self._address)

    def ready(self, status: str) -> None:
        """Tell that the node serves: it listens, and has its store."""
        self._tell("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """Tell that the node takes new settings; ``ready`` ends it."""
        micros = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._tell("RELOADING=1", f"MONOTONIC_USEC={micros}")

    def stopping(self, status: str) -> None:
        """Tell that the node drains."""
        self._tell("STOPPING=1", f"STATUS={status}")

    def status(self, status: str) -> None:
        """Tell in one line how the node is: what ``systemctl status`` shows."""
        self._tell(f"STATUS={status}")

    def alive(self) -> None:
        """Tell that the event loop turns."""
        self._tell("WATCHDOG=1")

    def _tell(self, *lines: str) -> None:
        if not self._address:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way:
            way.setblocking(False)
            # "@" stands for the zero byte with which the name of an abstract socket begins.
            address = self._address
            way.connect(f"\0{address[1:]}" if address.startswith("@") else address)
            way.send("\n".join(lines).encode())


class Pulse:
    """Tells the manager, on the loop's own timer, that the node lives, and how it is when that changes.

    A loop that stands still tells nothing, and that is the point.
    """

    def __init__(
        self, notifier: Notifier, loop: asyncio.AbstractEventLoop, status: Callable[[], str]
    ) -> None:
        self._notifier = notifier
        self._loop = loop
        self._status = status
        self._told = ""
        watchdog = notifier.watchdog_seconds
        self._every = _LOOK_SECONDS if watchdog is None else watchdog / _A_WATCHDOG_TIME
        self._timer: asyncio.TimerHandle | None = None
        if notifier.is_heard:
            self._beat()

    def stop(self) -> None:
        """Tell nothing more."""
        if self._timer is not None:
            self._timer.cancel()

    def _beat(self) -> None:
        if self._notifier.watchdog_seconds is not None:
            self._notifier.alive()
        if (status := self._status()) != self._told:
            self._told = status
            self._notifier.status(status)
        self._timer = self._loop.call_later(min(self._every, _LOOK_SECONDS), self._beat)
