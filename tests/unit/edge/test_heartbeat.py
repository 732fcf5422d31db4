"""The wheel that pings: a real loop is not needed."""

import asyncio
from collections.abc import Callable
from typing import cast

from tertulia.dialects.browser import HEARTBEAT_SECONDS
from tertulia.edge.heartbeat import SLOTS, Heartbeat


class Loop:
    """Calls back when the test turns it."""

    def __init__(self) -> None:
        self.later: list[tuple[float, Callable[[], None]]] = []

    def call_later(self, delay: float, callback: Callable[[], None]) -> "Loop":
        self.later.append((delay, callback))
        return self

    def cancel(self) -> None:
        self.later.clear()

    def turn(self, times: int) -> None:
        for _ in range(times):
            ((_, callback),) = self.later
            self.later.clear()
            callback()


class Connection:
    def __init__(self) -> None:
        self.beats = 0

    def beat(self) -> None:
        self.beats += 1


def made() -> tuple[Heartbeat, Loop]:
    loop = Loop()
    return Heartbeat(cast(asyncio.AbstractEventLoop, loop)), loop


def test_each_is_pinged_once_a_round_from_one_timer() -> None:
    heartbeat, loop = made()
    connections = [Connection() for _ in range(200)]
    for connection in connections:
        heartbeat.add(connection)
    assert [delay for delay, _ in loop.later] == [HEARTBEAT_SECONDS / SLOTS]
    loop.turn(SLOTS - 1)
    assert {it.beats for it in connections} == {0}
    loop.turn(1)
    assert {it.beats for it in connections} == {1}
    loop.turn(2 * SLOTS)
    assert {it.beats for it in connections} == {3}


def test_those_who_come_at_other_times_are_pinged_at_other_times() -> None:
    heartbeat, loop = made()
    early, late = Connection(), Connection()
    heartbeat.add(early)
    loop.turn(SLOTS // 2)
    heartbeat.add(late)
    loop.turn(SLOTS // 2)
    assert (early.beats, late.beats) == (1, 0)


def test_nothing_happens_where_nobody_is() -> None:
    heartbeat, loop = made()
    assert not loop.later
    one, other = Connection(), Connection()
    slots = [heartbeat.add(it) for it in (one, other)]
    heartbeat.discard(one, slots[0])
    loop.turn(SLOTS)
    assert (one.beats, other.beats) == (0, 1)
    heartbeat.discard(other, slots[1])
    assert not loop.later


def test_a_connection_may_be_discarded_while_its_slot_is_pinged() -> None:
    heartbeat, loop = made()
    slots: list[int] = []

    class Ends(Connection):
        def beat(self) -> None:
            super().beat()
            for connection, slot in zip(both, slots, strict=True):
                heartbeat.discard(connection, slot)

    both = [Ends(), Ends()]
    slots = [heartbeat.add(it) for it in both]
    loop.turn(SLOTS)
    assert not loop.later
