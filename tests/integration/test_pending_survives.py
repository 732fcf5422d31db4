"""Messages for an account survive the end of a node and of Redis, and are shown once.

A message counts as taken when the service went on to the next step on the same connection: it answered
the integer 200 that came behind the message.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest

from harness.device_client import DeviceClient, chat, hanging, show, sign_up, take
from harness.node import Listener, Node, NodeFactory
from harness.redis_server import RedisServer
from harness.waiting import elapse, until

ROUNDS = 4
AWAY_SECONDS = 0.3
BURIED_SECONDS = 60.0
"""Within which a dead node is buried, whenever the others were started."""
PATIENT = 20.0
"""Seconds to wait for an answer while something is down."""
LOST = (OSError, EOFError, TimeoutError, AssertionError)
"""How a device learns that its operation came to nothing."""

pytestmark = pytest.mark.slow


@dataclass
class Sender:
    """Leaves numbered messages for anna, one behind the other, whatever happens to connections."""

    name: str
    port: Callable[[], int]
    taken: list[int] = field(default_factory=list)
    maybe: set[int] = field(default_factory=set)
    """What may or may not have been read to its end."""
    stopping: bool = False
    _next: int = 0

    async def run(self) -> None:
        while not self.stopping:
            try:
                device, answer = await chat(self.port(), self.name, "anna")
            except LOST:
                await elapse(0.02)
                continue
            try:
                assert answer == 1
                while not self.stopping:
                    await self._leave(device)
                device.send("\\q")
                await device.close()
            except LOST:
                device.close_at_once()

    async def _leave(self, device: DeviceClient) -> None:
        number, self._next = self._next, self._next + 1
        self.maybe.add(number)
        device.send(str(number), 200)
        assert await device.integer(PATIENT) == 1
        self.maybe.discard(number)
        self.taken.append(number)
        # The exchange of 200 goes on: what anna left for the sender, which is nothing.
        device.send(self.name, "anna")
        assert await device.integer(PATIENT) == 1
        assert await device.lines(PATIENT) == ["null"]


@dataclass
class Reader:
    """Anna: shows what waits, and closes in order, again and again."""

    node: Callable[[], Node]
    sender: str
    shown: list[int] = field(default_factory=list)
    """What was shown by exchanges that both sides closed in order, in that order."""
    unsure: set[int] = field(default_factory=set)
    """What was shown on a connection that ended otherwise: it may be shown again, and need not."""
    stopping: bool = False

    async def run(self) -> None:
        while not self.stopping:
            await self.look()
            await elapse(0.01)

    async def look(self) -> None:
        lines: list[str] = []
        node = self.node()
        try:
            device, lines = await show(node.port("device"), "anna", self.sender)
            assert await device.close() == b""
            # The system closes a dead node's connections as if it had been the node itself.
            assert node.running
        except LOST:
            self.unsure.update(map(int, lines))
        else:
            self.shown += map(int, lines)


def check(sender: Sender, reader: Reader) -> None:
    """Nothing that was taken is lost, nothing that was shown in order is shown twice."""
    lost = set(sender.taken) - set(reader.shown) - reader.unsure
    assert not lost, f"lost: {sorted(lost)}"
    invented = set(reader.shown) - set(sender.taken) - sender.maybe
    assert not invented, f"never sent: {sorted(invented)}"
    twice = sorted(it for it in set(reader.shown) if reader.shown.count(it) > 1)
    assert not twice, f"shown twice: {twice}"
    assert reader.shown == sorted(reader.shown), "not in the order in which they were sent"
    assert len(sender.taken) > 20, "hardly anything happened"


@dataclass
class Cluster:
    """Nodes that are replaced when they die."""

    factory: NodeFactory
    nodes: list[Node] = field(default_factory=list)

    async def start(self, count: int) -> None:
        self.nodes = [self._launch() for _ in range(count)]
        for node in self.nodes:
            await node.ready()

    def port(self, index: int) -> int:
        return self.nodes[index].port("device")

    async def replace(self, index: int) -> None:
        """Kill a node, and start another in its place."""
        self.nodes[index].kill()
        node = self._launch()
        await node.ready()
        self.nodes[index] = node

    def _launch(self) -> Node:
        return self.factory.launch(listeners=(Listener("device"),))


@pytest.fixture
async def cluster(node_factory: NodeFactory) -> AsyncIterator[Cluster]:
    cluster = Cluster(node_factory)
    await cluster.start(2)
    for name in ("anna", "bruno"):
        await sign_up(cluster.port(0), name)
    yield cluster


async def stopped(*running: tuple[Sender | Reader, asyncio.Task[None]]) -> None:
    for it, task in running:
        it.stopping = True
        async with asyncio.timeout(2 * PATIENT):
            await task


async def goes_on(sender: Sender) -> None:
    """Wait until the sender's messages are taken again."""
    count = len(sender.taken)
    await until(lambda: len(sender.taken) > count + 3, PATIENT, "messages to be taken again")


async def drained(reader: Reader, cluster: Cluster) -> None:
    """Let anna look until nothing hangs."""

    async def nothing() -> bool:
        await reader.look()
        return not await hanging(cluster.port(1), "anna")

    await until(nothing, PATIENT, "anna to have been shown everything")


@pytest.mark.parametrize("victim", ["senders node", "readers node"])
async def test_pending_messages_survive_a_node_that_is_killed(
    cluster: Cluster, victim: str
) -> None:
    chance = random.Random(victim)
    sender = Sender("bruno", lambda: cluster.port(0))
    reader = Reader(lambda: cluster.nodes[1], "bruno")
    sending, reading = asyncio.create_task(sender.run()), asyncio.create_task(reader.run())
    for _ in range(ROUNDS):
        await goes_on(sender)
        await elapse(chance.uniform(0.0, 0.2))
        await cluster.replace(0 if victim == "senders node" else 1)
    await goes_on(sender)
    await stopped((sender, sending), (reader, reading))
    await drained(reader, cluster)
    check(sender, reader)


async def test_pending_messages_survive_a_redis_that_is_killed(
    cluster: Cluster, redis_server: RedisServer
) -> None:
    chance = random.Random("redis")
    sender = Sender("bruno", lambda: cluster.port(0))
    reader = Reader(lambda: cluster.nodes[1], "bruno")
    sending, reading = asyncio.create_task(sender.run()), asyncio.create_task(reader.run())
    for _ in range(ROUNDS):
        await goes_on(sender)
        await elapse(chance.uniform(0.0, 0.2))
        redis_server.kill()
        await elapse(chance.uniform(0.0, AWAY_SECONDS))
        redis_server.start()
    await goes_on(sender)
    await stopped((sender, sending), (reader, reading))
    await drained(reader, cluster)
    check(sender, reader)


async def test_a_message_is_taken_while_redis_is_away_only_when_it_is_back(
    cluster: Cluster, redis_server: RedisServer
) -> None:
    device, answer = await chat(cluster.port(0), "bruno", "anna")
    assert answer == 1
    redis_server.kill()
    device.send("ciao", 200)
    with pytest.raises(TimeoutError):
        await device.integer(AWAY_SECONDS)
    redis_server.start()
    device.send("bruno", "anna")
    assert [await device.integer(PATIENT) for _ in range(2)] == [1, 1]
    assert await device.lines() == ["null"]
    await device.close()
    assert await take(cluster.port(1), "anna", "bruno") == ["ciao"]


async def test_what_was_shown_in_order_while_redis_was_away_is_not_shown_again(
    cluster: Cluster, redis_server: RedisServer
) -> None:
    device, _ = await chat(cluster.port(0), "bruno", "anna")
    device.send("ciao", "\\q")
    await device.close()
    device, lines = await show(cluster.port(1), "anna", "bruno")
    assert lines == ["ciao"]
    redis_server.kill()
    device.half_close()
    redis_server.start()
    assert await device.rest(PATIENT) == b""

    async def gone() -> bool:
        try:
            return not await hanging(cluster.port(0), "anna")
        except TimeoutError:
            return False

    await until(gone, PATIENT, "it to be forgotten")


async def test_the_service_closes_when_what_was_shown_is_forgotten_and_not_before(
    cluster: Cluster, redis_server: RedisServer
) -> None:
    """Else its death in between would show it twice, and no device could know."""
    device, _ = await chat(cluster.port(0), "bruno", "anna")
    device.send("ciao", "\\q")
    await device.close()
    device, lines = await show(cluster.port(1), "anna", "bruno")
    assert lines == ["ciao"]
    redis_server.freeze()
    try:
        device.half_close()
        with pytest.raises(TimeoutError):
            await device.rest(AWAY_SECONDS)
    finally:
        redis_server.thaw()
    assert await device.rest(PATIENT) == b""
    assert await hanging(cluster.port(0), "anna") == []


async def test_what_was_shown_by_a_node_that_drains_is_not_shown_again(cluster: Cluster) -> None:
    device, _ = await chat(cluster.port(0), "bruno", "anna")
    device.send("ciao", "\\q")
    await device.close()
    device, lines = await show(cluster.port(1), "anna", "bruno")
    assert lines == ["ciao"]
    cluster.nodes[1].terminate()
    assert await device.rest(PATIENT) == b""  # the node's end comes first
    await device.close()
    assert await cluster.nodes[1].exit_status(PATIENT) == 0
    assert await hanging(cluster.port(0), "anna") == []


async def bruno_waits_on_a_node_that_dies(cluster: Cluster) -> None:
    device, answer = await chat(cluster.port(0), "bruno", "anna")
    assert answer == 1
    cluster.nodes[0].kill()
    assert await device.rest() == b""


async def test_a_device_that_waited_on_a_node_that_died_is_offchat_when_that_is_buried(
    cluster: Cluster, redis_server: RedisServer
) -> None:
    await bruno_waits_on_a_node_that_dies(cluster)
    await until(
        lambda: not redis_server.control.hexists("{main}:device:bruno", "onchat"),
        BURIED_SECONDS,
        "bruno to be offchat",
    )


async def test_who_enters_before_the_burial_keeps_nobody_onchat_for_ever(
    cluster: Cluster, redis_server: RedisServer
) -> None:
    await bruno_waits_on_a_node_that_dies(cluster)
    anna, _ = await chat(cluster.port(1), "anna", "bruno")
    await anna.close()
    await until(
        lambda: not redis_server.control.hexists("{main}:device:bruno", "onchat"),
        BURIED_SECONDS,
        "bruno to be offchat",
    )
