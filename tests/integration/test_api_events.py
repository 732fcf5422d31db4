"""Listeners over the API, cut again and again while people talk: they miss nothing, and double nothing."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from harness.api_process import ApiProcess
from harness.event_listener import EventListener
from harness.load import connect_many, settle, under_load
from harness.node import Node, NodeFactory
from harness.redis_server import RedisServer, running_redis
from harness.waiting import elapse, until

pytestmark = pytest.mark.slow

BACK_SECONDS = 60.0
AT_LEAST = 5
"""Losses of a connection, also where the machine is busy."""


class Service:
    """A node and an API."""

    redis: RedisServer
    node: Node
    api: ApiProcess

    async def listen(self, room: str = "lobby") -> EventListener:
        return await EventListener(self.api.ports["api"], room).connect()


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    with running_redis() as server:
        factory = NodeFactory(tmp_path, server.url)
        api = ApiProcess(tmp_path / "api", server.url)
        try:
            it = Service()
            it.redis, it.api = server, api
            it.node = factory.launch()
            await it.node.ready()
            await api.ready()
            yield it
        finally:
            api.end()
            factory.end()


async def come_back(listener: EventListener, until_then: asyncio.Event) -> None:
    """Lose the connection in any moment, and come back, again and again."""
    times = 0
    while not until_then.is_set() or times <= AT_LEAST:
        await elapse(random.uniform(0.01, 0.2))
        listener.cut()
        await until(lambda: listener.is_over, 60, "the connection to be gone")
        await listener.connect()
        times += 1


def entries(service: Service) -> list[str]:
    logged: Any = service.redis.control.xrange("{main}:log")
    return [fields["e"] for _, fields in logged]


async def test_who_is_cut_again_and_again_misses_nothing(service: Service) -> None:
    steady, *cut = [await service.listen() for _ in range(4)]
    people = await connect_many([service.node.port()], 8, "talker")
    done = asyncio.Event()
    back = [asyncio.create_task(come_back(it, done)) for it in cut]

    async def outages() -> None:
        await elapse(1)
        service.redis.restart()
        await elapse(1)
        for connection in service.redis.connections():
            service.redis.cut(connection)
        await until(lambda: len(steady.said()) > 100, 120, "enough to be said")

    await under_load(people, outages(), per_second=100)
    await settle(people, BACK_SECONDS)
    last = people[0].say("the last of all")
    done.set()
    await asyncio.gather(*back)
    everybody = [steady, *cut]
    for listener in everybody:
        await listener.hears(last, BACK_SECONDS)
    expected = [line for entry in entries(service) for line in entry.split("\n")]
    said = [it for it in expected if it.startswith('{"t":"said"')]
    assert len(said) > 100
    for listener in everybody:
        assert not [it for it in listener.heard if it.name == "gap"]
        assert len(listener.said()) == len(said)
        assert listener.said() == steady.said()
        assert [it.data["nickname"] for it in listener.heard if it.name == "joined"] == [
            it.data["nickname"] for it in steady.heard if it.name == "joined"
        ]
        await listener.close()
    assert sorted(text.split('"x":"')[1].partition('"')[0] for text in said) == sorted(
        steady.said()
    )
