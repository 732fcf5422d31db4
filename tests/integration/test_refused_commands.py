"""Redis refuses nodes each command that scripts use, for a while and under load."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from contract.test_refused_commands import commands_of
from harness.chatte_client import ChatteClient
from harness.crowd import ROOMS, gather, listeners
from harness.load import assert_promises_kept, settle, under_load
from harness.node import Node, NodeFactory
from harness.redis_server import RedisServer
from harness.waiting import elapse, until
from history.record import Acked, Disconnected
from tertulia.redis.script import Script
from tertulia.store import scripts

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

REFUSED_SECONDS = 2.0
BACK_SECONDS = 60.0
WORLDS = 5
COMMANDS = sorted({command for it in vars(scripts).values() if isinstance(it, Script)
                   for command in commands_of(it)})  # fmt: skip


@dataclass
class World:
    """A chat with two nodes that log in to Redis as a user of its own."""

    name: str
    server: RedisServer
    nodes: list[Node]
    clients: list[ChatteClient] = field(default_factory=list)

    async def refuse_each(self, commands: Sequence[str]) -> None:
        """Refuse one command after the other, while people talk, come and go."""
        for command in commands:
            self._permit(f"-{command.lower()}")
            visitors = asyncio.create_task(self._come_and_go(command.lower()))
            await elapse(REFUSED_SECONDS)
            self._permit("+@all")
            await self._go_on(command)
            self.clients += await visitors

    def _permit(self, rule: str) -> None:
        self.server.control.acl_setuser(self.name, enabled=True, commands=[rule])

    async def _come_and_go(self, name: str) -> list[ChatteClient]:
        """Let somebody enter each node, say something and leave again, however long that takes."""
        visitors = await gather(self.nodes, 4, f"visitor-{name}", chat=self.name)
        for visitor in visitors:
            visitor.say()
            await until(
                lambda it=visitor: not it.unanswered,  # type: ignore[misc]
                BACK_SECONDS,
                lambda: f"{name}: an answer",
            )
            visitor.close()
        return visitors

    async def _go_on(self, command: str) -> None:
        before = {client: len(list(client.history.of(Acked))) for client in self.talkers}
        await until(
            lambda: all(len(list(c.history.of(Acked))) > n for c, n in before.items()),
            BACK_SECONDS,
            lambda: f"{command}: to go on: {[it.describe() for it in before]}",
        )

    @property
    def talkers(self) -> list[ChatteClient]:
        return self.clients[:6]


async def test_each_command_refused_for_a_while_breaks_no_promise(
    redis_server: RedisServer, node_factory: NodeFactory
) -> None:
    worlds = []
    for number in range(WORLDS):
        name = f"chat{number}"
        redis_server.control.acl_setuser(
            name, enabled=True, nopass=True, keys=["*"], channels=["*"], commands=["+@all"]
        )
        url = redis_server.url.replace("//", f"//{name}:any@")
        nodes = [node_factory.launch(listeners=listeners(name), redis_url=url) for _ in range(2)]
        worlds.append(World(name, redis_server, nodes))
    for world in worlds:
        for node in world.nodes:
            await node.ready()
        world.clients = await gather(world.nodes, 6, world.name, chat=world.name)
    await asyncio.gather(
        *(
            under_load(
                world.talkers,
                world.refuse_each(COMMANDS[number::WORLDS]),
                per_second=4,
                whisper_to=[it.nickname for it in world.talkers],
            )
            for number, world in enumerate(worlds)
        )
    )
    for world in worlds:
        await settle(world.talkers)
        for client in world.talkers:
            assert client.connected, client.describe()
            assert not any(client.history.of(Disconnected))
        await assert_promises_kept(world.clients)
        for room in ("", *(f"#{it}" for it in ROOMS)):
            assert not redis_server.control.exists(f"{{{world.name}{room}}}:unfinished")
