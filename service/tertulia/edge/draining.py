"""Sending a node's clients away: all at once, or in random order over a set time."""

import asyncio
import random
from collections import deque
from dataclasses import dataclass
from typing import Final

from tertulia.edge.pump import TURNS_OF_A_READ
from tertulia.edge.serving import Connections, OpenConnection

_TICK_SECONDS: Final = 0.05
_POLL_SECONDS: Final = 0.005
"""How often a client that is to go is looked at, until what it sent is committed."""


@dataclass(frozen=True, slots=True)
class DrainSchedule:
    """How quickly clients go, so that they do not all come back to another node in one second."""

    seconds: float
    """Within which all of them are sent away; 0: at once."""
    per_second: float
    """How many go in a second; more only where ``seconds`` would not do."""

    def due(self, count: int, elapsed: float) -> int:
        """Return how many of ``count`` clients should have been sent away after so many seconds."""
        if elapsed >= self.seconds:
            return count
        rate = max(self.per_second, count / self.seconds)
        return min(count, int(elapsed * rate) + 1)


AT_ONCE: Final = DrainSchedule(0.0, 1.0)


async def send_away(connections: Connections, spread: DrainSchedule, hurry: asyncio.Event) -> None:
    """Close every connection once what was read from it is committed and answered.

    From its turn on, a connection is read no more; until then it is served as always. What the system has
    of it by then is read, also where the connection was not being read just then. ``hurry`` ends the
    spreading. Waits as long as the store is away: the caller sets the bound.
    """
    known = set[OpenConnection]()
    # A last one may have been accepted, and not told of, before nobody was accepted any more.
    while come := [connection for connection in connections if connection not in known]:
        await _send_these(come, AT_ONCE if known else spread, hurry)
        known.update(come)


async def _send_these(
    connections: list[OpenConnection], spread: DrainSchedule, hurry: asyncio.Event
) -> None:
    clock = asyncio.get_running_loop().time
    began = clock()
    waiting = deque(connections)
    random.shuffle(waiting)
    count = len(waiting)
    going: list[OpenConnection] = []
    while waiting or going:
        due = count if hurry.is_set() else spread.due(count, clock() - began)
        turn = [waiting.popleft() for _ in range(due - (count - len(waiting)))]
        if turn:
            await _look_at_sockets()
        for connection in turn:
            connection.stop_reading()
        going += turn
        quiet = [connection for connection in going if connection.is_quiet]
        going = [connection for connection in going if not connection.is_quiet]
        for connection in quiet:
            connection.close_unless_closing()
        if going:
            await asyncio.sleep(_POLL_SECONDS)
        elif waiting:
            await _pause(hurry)


async def _look_at_sockets() -> None:
    """Let the loop read what is there: the signal to shut down may have overtaken a client's last words."""
    for _ in range(TURNS_OF_A_READ):
        await asyncio.sleep(0)


async def _pause(hurry: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(_TICK_SECONDS):
            await hurry.wait()
    except TimeoutError:
        pass
