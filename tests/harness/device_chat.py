"""A chat of devices on two nodes with one Redis: what tests look at, and do with it."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from harness.device_client import BOTH, DeviceClient, Framing, log_out, sign_up
from harness.node import Listener, Node, NodeFactory
from harness.redis_server import RedisServer, running_redis
from harness.waiting import until

both_framings = pytest.mark.parametrize("framing", BOTH, ids=[it.name for it in BOTH])


@dataclass
class Chat:
    """One chat, as devices see it from both nodes."""

    name: str
    nodes: list[Node]
    redis: RedisServer
    ports: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.ports = [node.port("device", self.name) for node in self.nodes]

    def key(self, name: str) -> str:
        return f"{{{self.name}}}:{name}"

    async def users(self, *names: str) -> None:
        """Sign users up: the first listens on 5001, the second on 5002."""
        for i, name in enumerate(names):
            await sign_up(self.ports[i % 2], name, 5001 + i)

    def device(self, name: str) -> dict[str, str]:
        return cast(dict[str, str], self.redis.control.hgetall(self.key(f"device:{name}")))

    def kept(self) -> dict[str, Any]:
        """Return everything that is kept of accounts, logins and messages."""
        control, found = self.redis.control, dict[str, Any]()
        for kind in ("account", "device", "mailbox"):
            for key in self.keys(f"{kind}:*"):
                found[key] = control.hgetall(key)
        for key in self.keys("pending:*"):
            found[key] = control.lrange(key, 0, -1)
        return found

    def keys(self, pattern: str) -> list[str]:
        return sorted(cast(list[str], self.redis.control.keys(self.key(pattern))))

    async def quiet(self) -> None:
        """Wait until the nodes serve nobody, and have committed what they were asked."""

        async def nobody() -> bool:
            pages = [await node.metrics() for node in self.nodes]
            return not any(
                sample.value
                for page in pages
                for sample in page
                if sample.name in ("tertulia_connections", "tertulia_commit_queue_length")
            )

        await until(nobody, 60, "every connection to be gone")
        for port in self.ports:  # what is on its way to Redis is in no queue: this comes behind it
            assert await log_out(port, "nobody") == 1


@dataclass
class Cluster:
    nodes: list[Node]
    redis: RedisServer

    def emptied(self) -> Chat:
        """Return the chat, with nothing in it of an earlier test."""
        chat = Chat("main", self.nodes, self.redis)
        kinds = (
            "account:*",
            "device:*",
            "devices",
            "pending:*",
            "mailbox:*",
            "senders:*",
            "failures:*",
        )
        for kind in kinds:
            for key in chat.keys(kind):
                self.redis.control.delete(key)
        return chat


@contextlib.contextmanager
def running_cluster(directory: Path, **settings: str) -> Iterator[Cluster]:
    """Run two nodes for devices on a Redis of their own, with further settings."""
    with running_redis() as server:
        factory = NodeFactory(directory, server.url)
        try:
            devices = (Listener("device"),)
            nodes = [factory.launch(listeners=devices, settings=settings) for _ in range(2)]
            for node in nodes:
                node.ready_sync()
            yield Cluster(nodes, server)
        finally:
            factory.end()


def converse(
    *steps: tuple[int | str, int | str | None],
) -> list[tuple[int | str, int | str | None]]:
    """Steps of a conversation: what the device sends, and what it is answered (None: nothing)."""
    return list(steps)


async def hold(
    port: int,
    framing: Framing,
    steps: list[tuple[int | str, int | str | None]],
    *,
    closes: bool = True,
) -> None:
    """Have a conversation, and see that the service says that and nothing else."""
    async with await DeviceClient.connect(port, framing) as device:
        for said, answer in steps:
            device.send(said)
            if answer is not None:
                await device.exactly(framing.write(answer))
        if closes:
            assert await device.rest() == b""
        else:
            assert await device.close() == b""
