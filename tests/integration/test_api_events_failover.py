"""Listeners over the API go on where they were when a shard of a cluster moves, and when a master is lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest

from harness.api_process import ApiProcess
from harness.chatte_client import ChatteClient
from harness.event_listener import EventListener
from harness.load import settle, under_load
from harness.node import Node, NodeFactory
from harness.redis_groups import ClusterRedis, WatchedRedis, denied
from harness.redis_server import RedisServer
from harness.waiting import elapse, until

pytestmark = pytest.mark.slow

ROOM = "ops"
KEYS = {"lobby": "main", ROOM: f"main#{ROOM}"}
"""What stands in the braces of each room's keys."""
BACK_SECONDS = 40.0
REPLICATED = {"DURABILITY": "replicated"}


class Place:
    """A node, an API, people in the lobby and in a room, and two listeners to each: one is cut meanwhile."""

    node: Node
    api: ApiProcess
    people: list[ChatteClient]
    listeners: dict[str, list[EventListener]]

    async def come(self) -> None:
        port = self.node.port()
        names = ("anna", "bruno", f"carla@{ROOM}", f"dora@{ROOM}")
        self.people = [await ChatteClient.enter_chat(port, name) for name in names]
        self.listeners = {
            room: [await EventListener(self.api.ports["api"], room).connect() for _ in range(2)]
            for room in KEYS
        }

    async def cut(self) -> None:
        """Lose one listener of each room; have it come back once something was said that it has missed."""
        for steady, cut in self.listeners.values():
            cut.cut()
            await until(lambda cut=cut: cut.is_over, 10, "the connection to be gone")  # type: ignore[misc]
            heard = len(steady.said())
            await until(
                lambda steady=steady, heard=heard: len(steady.said()) > heard,  # type: ignore[misc]
                BACK_SECONDS,
                "the other one to hear more",
            )
            await until(
                lambda cut=cut: self._is_back(cut),  # type: ignore[misc]
                BACK_SECONDS,
                "it to come back",
            )

    async def _is_back(self, listener: EventListener) -> bool:
        before = listener.greetings
        await listener.connect()
        return listener.greetings > before

    async def all_is_heard(self, owner: "dict[str, RedisServer]") -> None:
        """Check that every listener has read what its room's log has, once and in order."""
        await self.node.becomes_ready(BACK_SECONDS)
        await settle(self.people, BACK_SECONDS)
        for room, listeners in self.listeners.items():
            log = cast(
                list[tuple[str, dict[str, str]]],
                owner[room].control.xrange(f"{{{KEYS[room]}}}:log"),
            )
            lines = [line for _, fields in log for line in fields["e"].split("\n")]
            said = [
                it.split('"x":"')[1].partition('"')[0]
                for it in lines
                if it.startswith('{"t":"said"')
            ]
            assert said
            for listener in listeners:
                await listener.hears(said[-1], BACK_SECONDS)
                assert listener.said() == said
                assert not [it for it in listener.heard if it.name == "gap"]


@asynccontextmanager
async def place(folder: Path, url: str) -> AsyncIterator[Place]:
    factory, it = NodeFactory(folder, url), Place()
    it.api = ApiProcess(folder / "api", url, settings=REPLICATED)
    try:
        it.node = factory.launch(settings=REPLICATED)
        await it.node.ready()
        await it.api.ready()
        await it.come()
        yield it
        for listeners in it.listeners.values():
            for listener in listeners:
                await listener.close()
    finally:
        it.api.end()
        factory.end()


async def test_in_a_cluster_whose_slots_move_and_which_loses_a_master(tmp_path: Path) -> None:
    cluster = ClusterRedis(replicas=True)

    def owners() -> dict[str, RedisServer]:
        return {room: cluster.owner(f"{{{tag}}}:meta") for room, tag in KEYS.items()}

    try:
        cluster.start()
        async with place(tmp_path, cluster.url) as it:

            async def outages() -> None:
                await elapse(0.5)
                here = owners()
                third = next(
                    server
                    for server in map(cluster.owner, ("a", "b", "c", "d", "e"))
                    if server not in here.values()
                )
                await asyncio.to_thread(cluster.move, f"{{{KEYS[ROOM]}}}:meta", third)
                await it.cut()
                third.kill()
                await until(lambda: owners()[ROOM] is not third, BACK_SECONDS, "another master")
                third.start()
                await it.cut()

            await under_load(it.people, outages(), per_second=30)
            await it.all_is_heard(owners())
        assert denied(cluster.servers) == []
    finally:
        cluster.close()


async def test_when_sentinels_make_another_master(tmp_path: Path) -> None:
    watched = WatchedRedis("--repl-diskless-sync-delay", "0")
    try:
        watched.start()
        async with place(tmp_path, watched.url) as it:

            async def outages() -> None:
                await elapse(0.5)
                watched.first.kill()
                await until(
                    lambda: watched.master_port() == watched.second.port,
                    BACK_SECONDS,
                    "the Sentinels to move it",
                )
                watched.first.start()
                await it.cut()

            await under_load(it.people, outages(), per_second=30)
            await it.all_is_heard(dict.fromkeys(KEYS, watched.second))
        assert denied((watched.first, watched.second)) == []
    finally:
        watched.close()
