"""Somebody whose mailbox is full enters, and shows: whoever talks meanwhile is answered meanwhile."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from harness.chatte_client import SENT, ChatteClient
from harness.device_client import PASSWORD, hanging, sign_up, take
from harness.mailboxes import fill
from harness.node import Listener, Node, NodeFactory
from harness.redis_server import RedisServer
from harness.stopwatch import MOST_ONCE_MILLISECONDS, Stopwatch
from tertulia.store.keys import Keys

pytestmark = pytest.mark.slow

PATIENT = 60.0
SENDERS, EACH = 50, 400
MESSAGES = [(f"stranger-{number % SENDERS}", "") for number in range(SENDERS * EACH)]
MESSAGES.append(("friend", "the last"))


@pytest.fixture
async def nodes(node_factory: NodeFactory) -> AsyncIterator[list[Node]]:
    listeners = (Listener("chatte"), Listener("device"))
    nodes = [node_factory.launch(listeners=listeners) for _ in range(2)]
    for node in nodes:
        await node.ready()
    yield nodes


def answered(client: ChatteClient) -> int:
    """Return how often a client was told that what it said was sent."""
    return client.lines.count(SENT)


async def talk(client: ChatteClient, until: asyncio.Event) -> int:
    """Say something, be answered, and so on; return how often."""
    count = 0
    while not until.is_set():
        client.say()
        await client.answered(PATIENT)
        count += 1
    return count


async def test_neighbours_talk_while_the_owner_of_a_full_mailbox_enters(
    nodes: list[Node], redis_server: RedisServer
) -> None:
    device = nodes[0].port("device")
    await sign_up(device, "dan")
    fill(redis_server.control, Keys("main"), MESSAGES)
    neighbours = [
        await ChatteClient.enter_chat(node.port(), f"neighbour-{number}")
        for number, node in enumerate(nodes)
    ]
    over = asyncio.Event()
    with Stopwatch(redis_server) as stopwatch:
        talks = [asyncio.create_task(talk(it, over)) for it in neighbours]
        lines = await hanging(device, "dan")
        assert len(lines) == SENDERS + 1
        assert len(await take(device, "dan", "stranger-3")) == EACH
        dan = await ChatteClient.connect(nodes[0].port(), "dan")
        dan.send(f"dan:{PASSWORD}\n".encode())
        try:
            await dan.expect_line(lambda line: line.startswith("102 "), PATIENT)
            said_before = sum(map(answered, neighbours))
            await dan.expect_line("102 friend the last", PATIENT)
            said_meanwhile = sum(map(answered, neighbours)) - said_before
            longest = stopwatch.longest(b"")
        finally:
            over.set()
            counts = await asyncio.gather(*talks)
            dan.close()
    read = [line for line in dan.lines if line.startswith("102 stranger")]
    assert len(read) == len(MESSAGES) - 1 - EACH
    assert said_meanwhile > len(neighbours)  # what each had under way is not enough
    assert min(counts)
    assert longest < MOST_ONCE_MILLISECONDS
