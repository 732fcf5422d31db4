"""Pages lose connections, a bus and a node, and go on elsewhere: nothing is lost, doubled or moved.

In no room: the pages are in further ones as well.
"""

import asyncio
import random
from collections.abc import Iterator, Sequence

import pytest

from harness.browser_client import BrowserClient
from harness.chatte_client import ChatteClient
from harness.crowd import ROOMS
from harness.dialects import launch, listener, port
from harness.load import assert_promises_kept, lost, settle
from harness.node import QUICK, Node, NodeFactory
from harness.person import Person
from harness.redis_proxy import RedisProxy
from harness.redis_server import RedisServer, running_redis
from harness.waiting import elapse, until
from history.record import Resumed, SawJoined, SawLeft

pytestmark = pytest.mark.slow

BOTH = (BrowserClient, ChatteClient)
SEAT_SECONDS = 5.0
"""More than it takes to come back on a busy machine."""
BACK_SECONDS = 60.0
IN_FLIGHT = 8


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    with running_redis(fsync="no") as server:  # nothing here is about disks
        yield server


class Company:
    """People at pages on two nodes, and one on each who reads in lines, and stays."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.nodes = nodes
        self.people = [Person(f"page-{i}") for i in range(8)]
        self.places: dict[Person, int] = {}
        """The number of the node at which each is, or was last."""
        self.witnesses: list[ChatteClient] = []
        self.away: set[Person] = set()
        """Who has given up a connection, and is not through with going on at another one."""
        self.dice = random.Random(20261129)
        self.is_over = False

    @property
    def clients(self) -> list[ChatteClient]:
        return [*self.witnesses, *(it for person in self.people for it in person.connections)]

    async def come(self) -> None:
        for i, room in enumerate(("", "", *(f"@{room}" for room in ROOMS))):
            at = port(self.nodes[i % 2], ChatteClient)
            self.witnesses.append(await ChatteClient.enter_chat(at, f"reader-{i}{room}"))
        for i, person in enumerate(self.people):
            self.places[person] = i % 2
            await person.come(port(self.nodes[i % 2], BrowserClient))
            for room in ROOMS[: i % 3]:
                await person.join_room(room)

    async def talk(self, person: Person) -> None:
        """Say something all the time, but while it goes on at another connection."""
        names = [it.nickname for it in self.witnesses] + [it.nickname for it in self.people]
        while not self.is_over:
            await elapse(0.02)
            if person in self.away or person.connection.unanswered >= IN_FLIGHT:
                continue
            if self.dice.random() < 0.25:
                person.whisper(self.dice.choice(names))
            else:
                person.say(self.dice.choice(["", *person.connection.rooms]))

    async def move(self, person: Person, node: int) -> None:
        """Go on at a node."""
        self.places[person] = node
        await person.come_back(port(self.nodes[node], BrowserClient), BACK_SECONDS)
        self.away.remove(person)

    def lose(self, person: Person, *, notices: bool = True) -> None:
        """Let a connection be lost, or be no good any more without anybody's noticing."""
        self.away.add(person)
        person.cut() if notices else person.lose()

    async def blip(self, person: Person, seconds: float, node: int) -> None:
        """Lose the connection, and be back soon at a node."""
        self.lose(person, notices=self.dice.random() < 0.5)
        await elapse(seconds)
        await self.move(person, node)

    def saw(self, kind: type[SawJoined] | type[SawLeft], person: Person) -> int:
        """Count the comings, or the goings, of somebody that the first reader saw."""
        records = self.witnesses[0].history.of(kind)
        return sum(it.nickname == person.nickname for it in records)


async def test_pages_go_on_while_connections_buses_and_a_node_are_lost(
    node_factory: NodeFactory, redis_server: RedisServer
) -> None:
    settings = {**QUICK, "CLUSTER__AWAY_SECONDS": str(SEAT_SECONDS)}
    async with RedisProxy(redis_server) as proxy:
        stays = launch(node_factory, map(listener, BOTH), redis_url=proxy.url, **settings)
        dies = launch(node_factory, map(listener, BOTH), **settings)
        for node in (stays, dies):
            await node.ready()
        they = Company([stays, dies])
        await they.come()
        talking = [asyncio.create_task(they.talk(person)) for person in they.people]
        *quick, slow = they.people

        async def blips() -> None:
            for turn in range(3):
                await asyncio.gather(
                    *(
                        they.blip(it, they.dice.random() / 4, (i + turn) % 2)
                        for i, it in enumerate(quick)
                    )
                )
                assert proxy.cut_bus()
                await asyncio.gather(
                    *(
                        they.blip(it, turn * 0.05, (i + turn + 1) % 2)
                        for i, it in enumerate(quick[:4])
                    )
                )

        async def loses_its_seat() -> None:
            they.lose(slow)
            await until(lambda: they.saw(SawLeft, slow), SEAT_SECONDS + 30, "the seat to be free")
            await they.move(slow, 1)

        await asyncio.gather(blips(), loses_its_seat())
        assert not any(they.saw(SawLeft, person) for person in quick), "nobody was told of them"

        doomed = [person for person in they.people if they.places[person] == 1]
        assert len(doomed) > 2
        lost([*they.witnesses[1::2], *(person.connection for person in doomed)])
        dies.kill()
        proxy.cut_bus()

        async def flee(person: Person, *, waits: bool) -> None:
            await person.connection.disconnected()
            they.lose(person)
            if waits:
                left = they.saw(SawLeft, person)
                await until(lambda: they.saw(SawLeft, person) > left, 60, "a burial")
            await they.move(person, 0)

        await asyncio.gather(*(flee(it, waits=i % 2 == 1) for i, it in enumerate(doomed)))
        they.is_over = True
        await asyncio.gather(*talking)
        await settle([*they.witnesses[0::2], *(person.connection for person in they.people)])
        await assert_promises_kept(they.clients, seat_seconds=SEAT_SECONDS)

        resumed = [it for client in they.clients for it in client.history.of(Resumed)]
        assert len([it for it in resumed if not it.room]) > 30
        assert len([it for it in resumed if it.room]) > 15
        assert all(it.whole for it in resumed)
        assert sum(person.resent + person.spared for person in they.people) > 0
