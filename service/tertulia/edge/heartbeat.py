"""When each of many connections is pinged, or looked at whether it has to be: all of them share one timer.

A timer for each would cost more than the pings. The connections are spread over the slots of a wheel, by the
time at which they came. Each tick turns it by a slot, so never many are pinged at once.
"""

import asyncio
from typing import Final, Protocol

from tertulia.dialects.browser import HEARTBEAT_SECONDS

SLOTS: Final = 48


class Beating(Protocol):
    """A connection that is pinged."""

    def beat(self) -> None:
        """Ping it where it is time to, or let it go where it did not answer."""
        ...


class Heartbeat:
    """The connections of a listener that are pinged, until they are discarded."""

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float = HEARTBEAT_SECONDS) -> None:
        """``seconds``: in how many the wheel goes round."""
        self._loop = loop
        self._tick = seconds / SLOTS
        # Dicts, as they keep an order.
        self._slots: tuple[dict[Beating, None], ...] = tuple({} for _ in range(SLOTS))
        self._now = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, connection: Beating) -> int:
        """Have a connection beat, every time the wheel has gone round. Returns its slot."""
        self._slots[self._now][connection] = None
        if self._timer is None:
            self._turn_later()
        return self._now

    def discard(self, connection: Beating, slot: int) -> None:
        """Have it beat no more."""
        self._slots[slot].pop(connection, None)
        if self._timer is not None and not any(self._slots):
            self._timer.cancel()
            self._timer = None

    def _turn_later(self) -> None:
        self._timer = self._loop.call_later(self._tick, self._turn)

    def _turn(self) -> None:
        self._now = (self._now + 1) % SLOTS
        self._turn_later()
        for connection in list(self._slots[self._now]):
            connection.beat()
