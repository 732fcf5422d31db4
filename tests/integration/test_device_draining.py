"""A node drains under devices that wait: what it took of them is kept, and they can know what was not."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from harness.device_chat import both_framings
from harness.device_client import DeviceClient, Framing, chat, sign_up, take
from harness.node import Listener, Node, NodeFactory
from harness.redis_server import RedisServer
from harness.waiting import elapse, until

pytestmark = pytest.mark.slow

DRAIN_SECONDS = 60.0
PAIRS = 8


@dataclass
class Pair:
    """Two nodes: the first is going to drain."""

    nodes: list[Node]
    ports: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.ports = [node.port("device") for node in self.nodes]

    async def drains(self) -> None:
        assert await self.nodes[0].exit_status(DRAIN_SECONDS) == 0


async def launched(factory: NodeFactory, **settings: str) -> Pair:
    settings = {"DRAIN_SECONDS": str(DRAIN_SECONDS), **settings}
    nodes = [factory.launch(listeners=(Listener("device"),), settings=settings) for _ in range(2)]
    for node in nodes:
        await node.ready()
    return Pair(nodes)


@pytest.fixture
async def pair(node_factory: NodeFactory) -> AsyncIterator[Pair]:
    pair = await launched(node_factory)
    for name in ("anna", "bruno"):
        await sign_up(pair.ports[1], name)
    yield pair


@dataclass
class Writer:
    """A device that waits, and writes numbered messages one after the other."""

    device: DeviceClient
    sent: int = 0

    async def writes(self, *, until_told: bool) -> None:
        """Go on until it reads the end, or, where it does not look, until it can't any more."""
        while not (until_told and self.device.has_end):
            self.device.send(str(self.sent))
            self.sent += 1
            await self.device.sent()
            await elapse(0.02)  # a busy machine commits so many as well


@both_framings
async def test_everything_that_a_device_wrote_until_it_was_told_the_end_is_kept(
    pair: Pair, framing: Framing
) -> None:
    device, answer = await chat(pair.ports[0], "bruno", "anna", framing=framing)
    assert answer == 1
    writer = Writer(device)
    writing = asyncio.create_task(writer.writes(until_told=True))
    await until(lambda: writer.sent > 20, 60, "some messages")
    pair.nodes[0].terminate()
    await asyncio.wait_for(writing, DRAIN_SECONDS)
    assert await device.close() == b""
    await pair.drains()
    assert await take(pair.ports[1], "anna", "bruno") == [str(n) for n in range(writer.sent)]


@both_framings
async def test_a_device_that_does_not_look_is_reset_and_can_know_what_was_not_taken(
    pair: Pair, framing: Framing
) -> None:
    """Such is the old program: it reads nothing while a person types."""
    device, answer = await chat(pair.ports[0], "bruno", "anna", framing=framing)
    assert answer == 1
    writer = Writer(device)
    writing = asyncio.create_task(writer.writes(until_told=False))
    await until(lambda: writer.sent > 20, 60, "some messages")
    pair.nodes[0].terminate()
    await until(lambda: device.has_end, DRAIN_SECONDS, "the end")
    told_at = writer.sent
    with pytest.raises(ConnectionError):
        await asyncio.wait_for(writing, DRAIN_SECONDS)
    await pair.drains()
    kept = await take(pair.ports[1], "anna", "bruno")
    assert kept == [str(n) for n in range(len(kept))]
    assert told_at < len(kept) <= writer.sent


@both_framings
async def test_who_is_sent_away_waits_on_another_node_and_is_found(
    pair: Pair, framing: Framing
) -> None:
    device, answer = await chat(pair.ports[0], "bruno", "anna", framing=framing)
    assert answer == 1
    device.send("prima")
    pair.nodes[0].terminate()
    assert await device.rest(DRAIN_SECONDS) == b""
    again, answer = await chat(pair.ports[1], "bruno", "anna", framing=framing)
    assert answer == 1
    device.close_at_once()
    await pair.drains()
    again.send("dopo")
    anna, answer = await chat(pair.ports[1], "anna", "bruno", framing=framing)
    assert answer == 5001
    assert await again.integer() == 5001
    await anna.close()
    assert await take(pair.ports[1], "anna", "bruno") == ["prima", "dopo"]


@both_framings
async def test_nobody_is_told_to_dial_a_device_that_was_sent_away(
    node_factory: NodeFactory, framing: Framing
) -> None:
    """Whoever comes while the node drains either gets a port, and the other one his; or waits."""
    pair = await launched(node_factory)
    pairs = [(f"a{i}", f"b{i}") for i in range(PAIRS)]
    for i, (a, b) in enumerate(pairs):
        await sign_up(pair.ports[1], a, 5000 + i)
        await sign_up(pair.ports[1], b, 6000 + i)
    waiting = [await chat(pair.ports[0], a, b, framing=framing) for a, b in pairs]
    assert [answer for _, answer in waiting] == [1] * PAIRS
    pair.nodes[0].terminate()
    coming = await asyncio.gather(*(chat(pair.ports[1], b, a, framing=framing) for a, b in pairs))
    for i, ((there, _), (here, answer)) in enumerate(zip(waiting, coming, strict=True)):
        told = await there.rest(DRAIN_SECONDS)
        assert (told, answer) in ((framing.write(6000 + i), 5000 + i), (b"", 1)), i
        there.close_at_once()
        here.close_at_once()
    await pair.drains()


@both_framings
@pytest.mark.parametrize("how", ["in time", "hurried"])
async def test_what_could_not_be_kept_before_the_node_ended_is_visible(
    node_factory: NodeFactory, redis_server: RedisServer, framing: Framing, how: str
) -> None:
    """Redis is frozen: the device reads a reset, and no end as if all had been taken."""
    pair = await launched(node_factory, DRAIN_SECONDS="2" if how == "in time" else "60")
    for name in ("anna", "bruno"):
        await sign_up(pair.ports[1], name)
    device, answer = await chat(pair.ports[0], "bruno", "anna", framing=framing)
    assert answer == 1
    redis_server.freeze()
    device.send("ciao")
    await device.sent()
    pair.nodes[0].terminate()
    await pair.nodes[0].drains()
    if how == "hurried":
        pair.nodes[0].terminate()
    with pytest.raises(ConnectionError):
        await device.ends_in_order(DRAIN_SECONDS)
    redis_server.thaw()
    await pair.nodes[0].exit_status(DRAIN_SECONDS)
