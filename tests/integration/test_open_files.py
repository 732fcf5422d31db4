"""A node that may open so many files and no more: the system's limit, which it can't raise."""

import contextlib
import json
import os
import re
import resource
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.certificates import make
from harness.node import Listener, Node, NodeFactory
from harness.proxy_headers import v2
from harness.redis_groups import WatchedRedis
from harness.redis_server import RedisServer
from harness.waiting import elapse, until

FILES = 160
CROWD = 300
"""More clients than that."""
OUTAGE_SECONDS = 5.0
AT_ONCE_SECONDS = 30.0
"""Within which a node uses Redis that is back, on a busy machine: it tries twice a second."""
SAYS = {"plain": b"", "browser": b"", "tls": b"", "proxied": v2("203.0.113.7", 1), "silent": b""}
"""Who crowds in by which way, and what they say: behind a proxy who they are, or nothing."""


@pytest.fixture
def crowd() -> Iterator[Callable[[int, int, bytes], None]]:
    """Open so many sockets to a port, have each say something, and leave them open."""
    with contextlib.ExitStack() as held:

        def come(port: int, count: int, says: bytes) -> None:
            for _ in range(count):
                client = held.enter_context(socket.socket())
                client.settimeout(30)
                client.connect(("127.0.0.1", port))
                with contextlib.suppress(OSError):  # it was refused already
                    client.sendall(says)

        yield come


Broadcasting = Callable[[int, int, bytes], None]


def logged(node: Node, event: str) -> list[dict[str, Any]]:
    """Return the lines of one kind that a node logged."""
    return [it for it in map(json.loads, list(node.lines)) if it["event"] == event]


async def start(
    factory: NodeFactory, tmp_path: Path, way: str, files: int = FILES, **settings: str
) -> Node:
    """Start a node with a listener that many will come to in some way."""
    listener: dict[str, object] = {
        "dialect": "browser" if way == "browser" else "chatte",
        "port": 0,
    }
    if way == "tls":
        listener |= {"certificate": str(make(tmp_path).both)}
    if way in ("proxied", "silent"):
        settings |= {"TRUSTED_PROXIES": '["127.0.0.1"]'}
    node = factory.launch(settings={"LISTENERS": json.dumps([listener]), **settings}, files=files)
    await node.ready()
    return node


async def fill(node: Node, crowd: Broadcasting, way: str) -> None:
    """Have more clients come than there can be, and more to the operator's HTTP."""
    (port,) = node.ports.values()
    crowd(port, CROWD, SAYS[way])
    crowd(node.ops_port, CROWD, b"")

    async def some_are_refused() -> bool:
        return await node.disconnects("too_many") > CROWD / 2

    await until(some_are_refused, 30, "most to be refused")


@pytest.mark.slow
@pytest.mark.parametrize("way", SAYS)
async def test_a_full_node_answers_and_finds_redis_again(
    node_factory: NodeFactory,
    tmp_path: Path,
    redis_server: RedisServer,
    crowd: Broadcasting,
    way: str,
) -> None:
    node = await start(node_factory, tmp_path, way)
    await fill(node, crowd, way)
    for path in ("/livez", "/readyz", "/metrics"):
        page = await node.get(path)
        assert page.status == 200, (path, page)

    redis_server.stop()
    await node.becomes_unready(30)
    await elapse(OUTAGE_SECONDS)
    redis_server.start()
    await node.becomes_ready(AT_ONCE_SECONDS)


async def test_who_is_turned_away_is_told_to_operators(
    node_factory: NodeFactory, tmp_path: Path, crowd: Broadcasting
) -> None:
    node = await start(node_factory, tmp_path, "plain")
    told = {it["event"]: it for it in map(json.loads, node.lines)}
    less = told["fewer clients than limits.connections"]
    assert less["level"] == "warning"
    assert f"a process may have {FILES} open files here" in less["advice"]
    await fill(node, crowd, "plain")
    refused = CROWD - less["connections"]

    async def all_are_refused() -> bool:
        evictions = [
            it.value for it in await node.metrics() if it.name == "tertulia_ops_evictions_total"
        ]
        return await node.disconnects("too_many") >= refused and sum(evictions) > CROWD / 2

    await until(all_are_refused, 30, "everybody else to be refused")
    assert await node.disconnects("too_many") == refused
    shown = {it.name: it.value for it in await node.metrics() if not it.labels}
    assert shown["tertulia_connections"] == shown["tertulia_connections_limit"]
    assert shown["tertulia_connections_limit"] == less["connections"]
    assert shown["process_open_fds"] < FILES
    await until(lambda: logged(node, "clients are turned away"), 30, "the log to say so")
    (line,) = logged(node, "clients are turned away")
    assert (line["reason"], line["connections"]) == ("too_many", less["connections"])


async def test_a_full_node_starts_its_own_redis_again(tmp_path: Path, crowd: Broadcasting) -> None:
    factory = NodeFactory(tmp_path, None)
    try:
        node = await start(factory, tmp_path, "plain")
        await fill(node, crowd, "plain")
        (started,) = logged(node, "started an embedded Redis")
        os.kill(started["pid"], signal.SIGKILL)
        # It may be there again before anybody could ask whether the node is ready.
        await until(lambda: len(logged(node, "started an embedded Redis")) == 2, 30, node.tail)
        await node.becomes_ready(30)
    finally:
        factory.end()


@pytest.mark.slow
async def test_a_full_node_follows_a_failover(tmp_path: Path, crowd: Broadcasting) -> None:
    group = WatchedRedis("--repl-diskless-sync-delay", "0")
    factory = NodeFactory(tmp_path, group.url)
    try:
        group.start()
        node = await start(factory, tmp_path, "plain")
        await fill(node, crowd, "plain")
        group.first.kill()
        await until(lambda: logged(node, "redis is away"), 30, node.tail)
        await node.becomes_ready(60)
    finally:
        factory.end()
        group.close()


@pytest.mark.parametrize("files", [20, 63, 80])
async def test_a_node_with_too_few_says_so(node_factory: NodeFactory, files: int) -> None:
    many = tuple(Listener(chat=f"chat-{i}") for i in range(40))  # a file each
    node = node_factory.launch(listeners=many, files=files)
    assert await node.exit_status(30) == 2
    node.end()
    assert re.search(f"a process may have {files} open files here, .*: allow it", node.lines[-1])


async def test_the_soft_limit_is_raised(node_factory: NodeFactory, tmp_path: Path) -> None:
    node = await start(node_factory, tmp_path, "plain", LIMITS__CONNECTIONS="50")
    soft, hard = resource.prlimit(node.pid, resource.RLIMIT_NOFILE)
    assert soft == hard == FILES
    assert "fewer clients" not in node.tail()
