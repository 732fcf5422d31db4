"""Accounts that nobody uses any more: found and removed by the real command."""

import asyncio
import os
import re
import subprocess
import sys

import pytest

from harness.chatte_client import ChatteClient
from harness.device_client import PASSWORD, leave_messages, log_out, sign_up
from harness.dialects import launch, listener
from harness.node import NodeFactory
from harness.redis_server import RedisServer

pytestmark = pytest.mark.slow

DEVICES: dict[str, object] = {"dialect": "device", "host": "127.0.0.1", "port": 0, "chat": "main"}
DAY_MS = 86_400_000


async def account(url: str, *words: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "tertulia", "account", *words],
        env={**os.environ, "TERTULIA_REDIS_URL": url},
        input=text,
        capture_output=True,
        text=True,
        timeout=200,
    )


async def test_accounts_that_were_not_used_are_found_and_removed(
    node_factory: NodeFactory, redis_server: RedisServer
) -> None:
    node = launch(node_factory, [DEVICES, listener(ChatteClient)])
    await node.ready()
    port, url, control = node.port("device"), redis_server.url, redis_server.control
    for name in ("ada", "Bob", "carl", "dora", "eve"):
        await sign_up(port, name)
    await leave_messages(port, "carl", "ada", "one", "two")
    for name in ("ada", "bob", "carl", "dora"):
        assert await log_out(port, name) == 0
    now = int(control.time()[0]) * 1000
    for name in ("ada", "bob", "carl", "dora", "eve"):  # all were made long ago
        control.hset(f"{{main}}:account:{name}", "since", now - 200 * DAY_MS)
    control.hset("{main}:account:bob", "used", now - 95 * DAY_MS)
    control.hset("{main}:account:dora", "used", now - 80 * DAY_MS)
    # Eve is logged in from a device, carl has been in the room for all that time.
    carl = await ChatteClient.connect(node.port())
    carl.send(f"carl:{PASSWORD}\n".encode())
    await carl.expect_line("200 Welcome to the chatte.")
    assert int(control.hget("{main}:account:carl", "used") or 0) >= now
    control.hset("{main}:account:carl", "used", now - 200 * DAY_MS)

    told = await account(url, "list")
    rows = [line.split() for line in told.stdout.splitlines()]
    assert rows[0] == ["NICKNAME", "SINCE", "USED", "DEVICE", "PENDING"]
    assert [row[0] for row in rows[1:]] == ["ada", "Bob", "carl", "dora", "eve"]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", row[3]) for row in rows[1:])
    told = await account(url, "list", "--unused-for", "90d")
    rows = [line.split() for line in told.stdout.splitlines()]
    assert [(row[0], row[-1]) for row in rows[1:]] == [("ada", "2"), ("Bob", "0"), ("carl", "0")]

    for answer in ("n\n", ""):
        told = await account(url, "prune", "--unused-for", "90d", text=answer)
        assert told.returncode == 1, told
        assert "Delete these, and what waits for them (3)? [y/N]" in told.stdout
        assert len(control.keys("{main}:account:*")) == 5
    told = await account(url, "prune", "--unused-for", "90d", text="y\n")
    assert told.returncode == 0, told
    assert told.stdout.partition("[y/N]: ")[2].splitlines() == [
        "ada: deleted",
        "Bob: deleted",
        "carl: in use by now, left as it is",
        "deleted 2 of 3 accounts",
    ]
    assert sorted(control.keys("{main}:account:*")) == [
        f"{{main}}:account:{name}" for name in ("carl", "dora", "eve")
    ]
    assert not control.keys("{main}:pending:ada:*")
    assert not control.exists("{main}:mailbox:ada", "{main}:senders:ada")
    assert control.hget("{main}:meta", "pending") == "0"

    told = await account(url, "prune", "--unused-for", "80d", "--yes")
    assert told.stdout.splitlines()[-1] == "deleted 0 of 1 accounts", (
        "dora, perhaps, but carl is in"
    )
    carl.close()


@pytest.mark.parametrize(
    "words", [("prune",), ("prune", "--unused-for", "90"), ("list", "--unused-for", "-1d")]
)
async def test_how_long_has_to_be_said_right(redis_server: RedisServer, words: tuple[str]) -> None:
    told = await account(redis_server.url, *words)
    assert told.returncode == 2
    assert "--unused-for" in told.stderr
