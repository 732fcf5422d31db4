"""Both implementations of the store, each with a chat of its own for every test."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from contract.chat_stores import RedisStores
from contract.follower import RecordingFollower
from contract.memory_store import MemoryChat
from contract.node import WITHIN, Node, StoreFactory, stop
from harness.redis_server import RedisServer, running_redis
from tertulia.domain.operator_commands import Action, OperatorCommand


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what runs on a Redis: of all here, what is not for both implementations."""
    for item in items:
        is_here = item.path.parent == Path(__file__).parent
        if is_here and "store_factory" not in getattr(item, "fixturenames", ()):
            item.add_marker("server")


class MemoryStores:
    """Nodes that share a chat in memory."""

    def __init__(self) -> None:
        self._chat = MemoryChat(asyncio.get_running_loop().call_soon)
        self.nodes: list[Node] = []

    async def node(self, name: str = "node") -> Node:
        store = self._chat.node(name)
        node = Node(store, RecordingFollower(name))
        await store.start(node.follower)
        self.nodes.append(node)
        return node

    def give_password(self, nickname: str, password: str | None) -> None:
        self._chat.passwords.pop(nickname, None)
        if password is not None:
            self._chat.passwords[nickname] = password

    async def appoint(self, nickname: str) -> None:
        await self.dismiss(Action.APPOINT, nickname)

    async def dismiss(self, action: Action, nickname: str) -> None:
        subject = f"nickname:{nickname}" if action is Action.BAN else nickname
        self._chat.order(OperatorCommand("1", "carla", action, subject))

    def registered(self) -> set[str]:
        return self._chat.nodes

    def condemn(self, node: str) -> None:
        self._chat.condemn(node)

    def broken(self) -> dict[str, list[str]]:
        followers = [it for n in self.nodes for it in (n.follower, *n.room_followers)]
        return {it.name: it.broken for it in followers if it.broken}

    async def end(self) -> None:
        for node in self.nodes:
            if node.store.node in self._chat.nodes:
                await asyncio.wait_for(stop(node), WITHIN)


@pytest.fixture(scope="module")
def shared_redis() -> Iterator[RedisServer]:
    """Run a Redis for all tests of a module. Nothing here is about disks, so it does not wait for one."""
    with running_redis(fsync="no") as server:
        yield server


@pytest.fixture
async def chat_stores(shared_redis: RedisServer) -> AsyncIterator[RedisStores]:
    """Make nodes on a real Redis, each over a wire of its own that can fail."""
    stores = RedisStores(shared_redis)
    yield stores
    await stores.end()
    assert not stores.broken(), stores.broken()


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.server)])
async def store_factory(request: pytest.FixtureRequest) -> AsyncIterator[StoreFactory]:
    """Make nodes on either implementation."""
    stores: MemoryStores | RedisStores = MemoryStores()
    if request.param == "redis":
        stores = RedisStores(request.getfixturevalue("shared_redis"))
    yield stores
    await stores.end()
    assert not stores.broken(), stores.broken()
