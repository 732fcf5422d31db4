"""A browser that is back within a few seconds was never gone, on whichever node it comes back."""

import asyncio
import time
from collections.abc import Iterator

import pytest

from harness import browser_frames as frames
from harness.browser_client import BrowserClient
from harness.chatte_client import ChatteClient
from harness.dialects import launch, listener, port, start, until_empty
from harness.node import Node, NodeFactory
from harness.person import Person, whispered_to
from harness.redis_server import running_redis
from harness.waiting import until
from history.record import Reported, SawJoined, SawLeft

BOTH = (BrowserClient, ChatteClient)
SECONDS = 30.0
"""How long a seat is kept: more than it takes to come back on a busy machine."""
BURIED_SECONDS = 8.0
"""How long a dead node is left alone: more than it takes to come back, too."""
UNDELIVERED = "Your message to anna was not delivered: too late"


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Node]]:
    with running_redis(fsync="no") as redis:
        factory = NodeFactory(tmp_path_factory.mktemp("nodes"), redis.url)
        try:
            for _ in range(2):
                launch(
                    factory,
                    map(listener, BOTH),
                    CLUSTER__AWAY_SECONDS=str(SECONDS),
                    CLUSTER__SILENCE_SECONDS=str(BURIED_SECONDS),
                )
            for node in factory.nodes:
                node.ready_sync()
            yield factory.nodes
        finally:
            factory.end()


class Company:
    """Anna, who is the administrator, at a page; and one who reads in lines, on each node."""

    def __init__(self, anna: Person, witnesses: list[ChatteClient]) -> None:
        self.anna = anna
        self.witnesses = witnesses

    async def talk(self) -> None:
        """Let everybody read the same word, so that all before it was read."""
        text = self.witnesses[0].say()
        for witness in self.witnesses:
            await until(lambda: text in "".join(witness.lines), 60, "the word")  # noqa: B023

    def told(self) -> list[str]:
        """Return who was told to the witnesses as come or gone, since they came themselves."""
        names: list[str] = []
        for witness in self.witnesses:
            names += [it.nickname for it in witness.history.of(SawJoined)]
            names += [it.nickname for it in witness.history.of(SawLeft)]
        return [it for it in names if not it.startswith("witness")]

    def reported(self) -> list[str]:
        return [it.text for witness in self.witnesses for it in witness.history.of(Reported)]

    async def end(self, nodes: list[Node]) -> None:
        self.anna.connection.leave()  # so that no seat is kept
        for client in (*self.witnesses, *self.anna.connections[:-1]):
            client.close()
        await until_empty(nodes, within=SECONDS + 10)


async def company(nodes: list[Node]) -> Company:
    anna = Person("anna")
    await anna.come(port(nodes[0], BrowserClient))
    witnesses = [
        await ChatteClient.enter_chat(port(node, ChatteClient), f"witness-{i}")
        for i, node in enumerate(nodes)
    ]
    return Company(anna, witnesses)


@pytest.mark.parametrize("node", [0, 1])
@pytest.mark.parametrize("how", ["reload", "break", "unnoticed"])
async def test_nobody_is_told_and_the_administrator_stays(
    nodes: list[Node], node: int, how: str
) -> None:
    they = await company(nodes)
    anna = they.anna
    if how == "reload":
        anna.connection.close()
        anna.lose()
    elif how == "break":
        anna.cut()
    else:
        anna.lose()
    they.witnesses[1].say("missed")
    await they.talk()
    await anna.come_back(port(nodes[node], BrowserClient))
    assert anna.connection.welcome is not None
    assert anna.connection.welcome.members == ("anna", "witness-0", "witness-1")
    assert anna.missed == ["nothing"]
    anna.say()
    await anna.connection.answered()
    await they.talk()
    await anna.connection.expect_event(frames.SaidEvent("witness-1", "missed"))
    assert they.told() == []
    anna.connection.stop()
    await anna.connection.disconnected()
    assert anna.connection.close_reason == "chat_closed", "it may close the chat as before"
    await they.end(nodes)


@pytest.mark.parametrize("node", [0, 1])
async def test_a_private_message_meanwhile_is_read(nodes: list[Node], node: int) -> None:
    they = await company(nodes)
    anna, (here, there) = they.anna, they.witnesses
    anna.connection.close()
    anna.lose()
    for turn in range(10):
        (here, there)[turn % 2].whisper("anna", f"psst {turn}")
    await asyncio.gather(here.answered(), there.answered())
    await anna.come_back(port(nodes[node], BrowserClient))
    connection = anna.connection
    await until(lambda: len(whispered_to(connection)) == 10, 60, "the messages")
    assert {f"psst {turn}" for turn in range(10)} == set(whispered_to(connection))
    assert they.told() == they.reported() == []
    await they.end(nodes)


@pytest.mark.slow
async def test_a_private_message_to_who_does_not_come_back_is_reported(
    node_factory: NodeFactory,
) -> None:
    seat_seconds = 3.0
    nodes = await start(node_factory, BOTH, BOTH, CLUSTER__AWAY_SECONDS=str(seat_seconds))
    they = await company(nodes)
    here = they.witnesses[0]
    began = time.monotonic()
    they.anna.connection.close()
    here.whisper("anna", "too late")
    await here.answered()
    await until(lambda: they.reported() == [UNDELIVERED], SECONDS, "the report")
    assert time.monotonic() - began > seat_seconds - 0.1
    await they.talk()
    assert they.told() == ["anna"] * 2, "gone, to both witnesses"
    await they.end(nodes)


async def test_the_node_that_keeps_the_seat_may_die(nodes: list[Node]) -> None:
    """It ends a node, and so comes last. Who is back before anybody buries the node was never gone either."""
    they = await company(nodes)
    anna = they.anna
    anna.cut()
    await they.talk()
    nodes[0].kill()
    await anna.come_back(port(nodes[1], BrowserClient))
    assert anna.connection.welcome is not None
    assert anna.connection.welcome.members[0] == "anna"
    anna.say()
    await anna.connection.answered()
    gone = they.witnesses[1]
    await until(
        lambda: [it.nickname for it in gone.history.of(SawLeft)] == ["witness-0"], 60, "a burial"
    )
    anna.say()
    await anna.connection.answered()
    for client in (gone, anna.connection):
        client.close()
