"""When an event loop rests, and for how long."""

import asyncio
import time
from collections.abc import Callable
from typing import cast

import pytest

from tertulia.redis.beat import ENOUGH, OF_LATE, SECONDS, Beat

HALF = SECONDS / 2


class Loop:
    """An event loop that is turned by hand, and the clocks."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.used = 0.0
        self.rests: list[float] = []
        self._soon: list[Callable[[], None]] = []
        self.beat = Beat(lambda: self.now, self._sleep, lambda: self.used)

    def call_soon(self, callback: Callable[[], None]) -> None:
        self._soon.append(callback)

    def _sleep(self, seconds: float) -> None:
        self.rests.append(seconds)
        self.now += seconds

    def hears(self, messages: int, works: float = 0.0) -> None:
        """Hear of messages in a turn that takes so long; then whatever is due soon."""
        self.beat.heard(messages, cast(asyncio.AbstractEventLoop, self))
        self.now += works
        self.used += works
        self.turn()

    def turn(self) -> None:
        soon, self._soon = self._soon, []
        for callback in soon:
            callback()

    def gets_busy(self) -> None:
        """Hear of so much that it is worth resting."""
        for _ in range(2 * OF_LATE):
            self.now += 0.9 * SECONDS
            self.hears(1)
        self.rests.clear()


@pytest.fixture
def loop() -> Loop:
    return Loop()


def test_a_loop_that_hears_of_little_never_rests(loop: Loop) -> None:
    for _ in range(10 * OF_LATE):
        loop.now += 2.1 * SECONDS / ENOUGH
        loop.hears(1)
    assert not loop.rests


def test_one_that_hears_of_much_rests_until_the_next_beat(loop: Loop) -> None:
    loop.gets_busy()
    loop.now = 2000 * SECONDS + HALF
    loop.hears(1, works=HALF / 2)
    assert loop.rests == [pytest.approx(HALF / 2)]


def test_it_rests_no_more_when_little_comes_again(loop: Loop) -> None:
    loop.gets_busy()
    loop.now += 1.0
    loop.hears(1)
    assert not loop.rests


def test_it_does_not_rest_with_more_to_do_than_there_is_time(loop: Loop) -> None:
    loop.gets_busy()
    loop.hears(100, works=1.1 * SECONDS)
    assert not loop.rests
    loop.hears(1)
    assert loop.rests, "it has to do with little again"


def test_who_had_the_processor_meanwhile_is_not_taken_for_work(loop: Loop) -> None:
    loop.gets_busy()
    loop.hears(1)
    loop.now += 1.1 * SECONDS
    loop.hears(1)
    assert len(loop.rests) == 2


def test_what_several_masters_bring_at_once_is_one_rest(loop: Loop) -> None:
    loop.gets_busy()
    for _ in range(3):
        loop.beat.heard(1, cast(asyncio.AbstractEventLoop, loop))
    loop.turn()
    assert len(loop.rests) == 1


async def test_a_real_loop_sends_before_it_rests() -> None:
    """A rest holds up what comes, and nothing that was written before it."""
    running = asyncio.get_running_loop()
    rested, came = asyncio.Event(), asyncio.Event()
    unsent: list[int] = []

    class Peer(asyncio.Protocol):
        def data_received(self, data: bytes) -> None:
            came.set()

    server = await running.create_server(Peer, "127.0.0.1", 0)
    transport, _ = await running.create_connection(
        asyncio.Protocol, *server.sockets[0].getsockname()
    )

    def sleep(seconds: float) -> None:
        assert 0.0 < seconds <= SECONDS
        unsent.append(transport.get_write_buffer_size())
        rested.set()

    it = Beat(time.time, sleep, lambda: 0.0)
    try:
        it.heard(2 * OF_LATE, running)
        transport.write(b"x")
        await asyncio.wait_for(asyncio.gather(rested.wait(), came.wait()), 5)
    finally:
        transport.close()
        server.close()
    assert unsent == [0]
