"""How many messages wait for people: counted by Redis, told by every node, whatever becomes of them."""

import os
import subprocess
import sys
from typing import cast

import pytest

from harness.chatte_client import ChatteClient
from harness.device_client import PASSWORD, leave_messages, log_in, sign_up, take
from harness.node import Listener, Node, NodeFactory
from harness.redis_server import RedisServer
from harness.waiting import until

pytestmark = pytest.mark.slow


async def told(node: Node) -> float:
    (value,) = (it.value for it in await node.metrics() if it.name == "tertulia_pending_messages")
    return value


def waiting(redis_server: RedisServer) -> int:
    """Count what really waits."""
    control = redis_server.control
    lists = cast(list[str], control.keys("{main}:pending:*"))
    return sum(int(control.llen(name)) for name in lists)


def delete_account(redis_server: RedisServer, name: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "tertulia", "account", "delete", name],
        env=os.environ | {"TERTULIA_REDIS_URL": redis_server.url},
        check=True,
        timeout=200,
    )


async def test_the_count_is_right_whatever_becomes_of_messages(
    node_factory: NodeFactory, redis_server: RedisServer
) -> None:
    listeners = (Listener("chatte"), Listener("device"))
    nodes = [node_factory.launch(listeners=listeners) for _ in range(2)]
    for node in nodes:
        await node.ready()

    async def expect(count: int) -> None:
        await until(lambda: waiting(redis_server) == count, 30, f"{count} to wait")
        for node in nodes:

            async def tells(node: Node = node) -> bool:
                return await told(node) == count

            await until(tells, 30, f"{node.node_id} to tell of {count}", every=0.1)

    first, second = (node.port("device") for node in nodes)
    await expect(0)
    for name in ("ada", "bob", "cleo", "dora"):
        await sign_up(first, name)
    await log_in(first, "ada")
    await leave_messages(first, "ada", "bob", "one", "two", "three")
    await leave_messages(second, "ada", "cleo", "four", "five")
    await leave_messages(second, "ada", "dora", "six")
    await expect(6)

    await log_in(second, "bob")
    assert await take(second, "bob", "ada") == ["one", "two", "three"]
    await expect(3)

    cleo = await ChatteClient.connect(nodes[1].port(), "cleo")
    cleo.send(f"cleo:{PASSWORD}\n".encode())
    await cleo.expect_line("102 ada five")
    await expect(1)

    delete_account(redis_server, "dora")
    await expect(0)
