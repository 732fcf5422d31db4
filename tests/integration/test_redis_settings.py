"""A node that starts looks at Redis: what can't work ends it in a sentence, what is risky is told."""

import asyncio
import json
from pathlib import Path

import pytest
import redis

from harness.admin import Admin
from harness.node import Node, NodeFactory
from harness.redis_groups import MASTER, Sentinel
from harness.redis_refusals import Refusals
from harness.redis_server import RedisServer, free_port, running_redis
from harness.waiting import until

pytestmark = pytest.mark.slow

SOON = 30.0
START_SECONDS = 30.0
"""What several interpreters that start at once take on a busy machine."""
SECRET = "hunter2"


def advice(node: Node) -> list[str]:
    entries = [json.loads(line) for line in node.lines]
    return [it["advice"] for it in entries if it["event"] == "redis should be set otherwise"]


async def test_settings_that_are_risky_are_told_once(tmp_path: Path) -> None:
    options = ("--appendonly", "no", "--maxmemory-policy", "allkeys-lru")
    with running_redis(options=options) as server:
        factory = NodeFactory(tmp_path, server.url)
        try:
            node = await factory.start()
            told = advice(node)
            assert len(told) == 3
            for what in ("appendonly", "maxmemory-policy", "client-output-buffer-limit"):
                assert sum(what in it for it in told) == 1
            assert all(f"127.0.0.1:{server.port}: " in it for it in told)
            server.control.config_set("appendonly", "yes")
            server.control.config_set("maxmemory-policy", "noeviction")
            server.control.config_set("client-output-buffer-limit", "pubsub 256mb 64mb 60")
            assert advice(await factory.start()) == []
        finally:
            factory.end()


async def ends(node: Node, *words: str) -> int:
    """Wait for a node to end soon, with one line for people that has these words; return its status."""
    status = await node.exit_status(SOON + START_SECONDS)
    node.end()
    lines = [line for line in node.lines if not line.startswith("{")]
    assert len(lines) == 1, lines
    assert all(word in lines[0] for word in words), lines[0]
    assert SECRET not in "".join(node.lines)
    return status


async def test_a_redis_that_can_not_be_used_ends_a_node_in_a_sentence(
    node_factory: NodeFactory, redis_server: RedisServer, tmp_path: Path
) -> None:
    place = f"127.0.0.1:{redis_server.port}"
    redis_server.control.acl_setuser(
        "andy", enabled=True, passwords=["+right"], categories=["+@all"], keys=["*"]
    )
    redis_server.control.acl_setuser(
        "beth", enabled=True, passwords=[f"+{SECRET}"], commands=["+ping"]
    )

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as http:
        port = http.sockets[0].getsockname()[1]
        wrong = {
            f"redis://andy:{SECRET}@{place}": (2, "redis_password_file"),
            f"redis://beth:{SECRET}@{place}": (2, "deploy/redis/users.acl"),
            f"redis://127.0.0.1:{port}": (2, "no Redis"),
            f"redis+sentinel://{place}/main": (2, "is no Sentinel"),
            f"redis+cluster://{place}": (2, "is no Redis Cluster: write redis://"),
            f"redis://:{SECRET}@127.0.0.1:{free_port()}": (1, "nothing listens there"),
            f"redis://:{SECRET}@no-such-host.invalid": (1, "set redis_url to where it is"),
            f"redis://:{SECRET}@192.0.2.1": (1, "set redis_url to where it is"),
            f"unix://:{SECRET}@{tmp_path}/nowhere.sock": (1, "set redis_url to where it is"),
        }
        # Some at a time: an interpreter takes long to start on a busy machine.
        cases = list(wrong.items())
        for some in (cases[:3], cases[3:6], cases[6:]):
            nodes = [(node_factory.launch(redis_url=url), told) for url, told in some]
            for node, (status, words) in nodes:
                assert await ends(node, "tertulia: Redis at ", words) == status
    sentinel = Sentinel(redis_server, 1, password=SECRET)
    file = tmp_path / "sentinel-password"
    file.write_text(SECRET)
    let_in = {"REDIS_SENTINEL_PASSWORD_FILE": str(file)}
    try:
        sentinel.start()
        await until(sentinel.state, 30, "the Sentinel")
        url = f"redis+sentinel://127.0.0.1:{sentinel.port}"
        stranger = node_factory.launch(redis_url=f"{url}/{MASTER}")
        misled = node_factory.launch(redis_url=f"{url}/other", settings=let_in)
        assert await ends(stranger, f"the Sentinel at 127.0.0.1:{sentinel.port}: ") == 2
        assert await ends(misled, "knows no master named other") == 2
    finally:
        sentinel.close()
    missing = str(tmp_path / "nowhere")
    node = node_factory.launch(settings={"REDIS_PASSWORD_FILE": missing})
    assert await ends(node, "redis_password_file", missing) == 2


async def test_a_redis_that_is_loading_or_busy_is_waited_for(
    node_factory: NodeFactory, redis_server: RedisServer
) -> None:
    """It is there, and will answer: readiness is red until then, and the node can be stopped."""
    busy = "while true do end"
    script = asyncio.create_task(asyncio.to_thread(_run, redis_server, busy))
    redis_server.control.config_set("lua-time-limit", 50)
    await until(lambda: _is_busy(redis_server), 30, "Redis to be busy")
    nodes = [node_factory.launch() for _ in range(2)]
    for node in nodes:
        await until(
            lambda node=node: any("waiting for redis" in line for line in node.lines),  # type: ignore[misc]
            30,
            node.tail,
        )
        assert "starting" in (await node.readyz()).body
    nodes[0].terminate()
    assert await nodes[0].exit_status(30) == 0
    redis_server.control.script_kill()
    await script
    await nodes[1].ready()


async def test_a_redis_that_takes_no_writes_for_a_moment_is_waited_for(
    node_factory: NodeFactory, redis_server: RedisServer
) -> None:
    """Nodes wait, and operators' commands as well. In each engine's words: contract/test_refusals.py."""
    admin, ways = Admin(redis_server.url), Refusals(redis_server)
    serving = await node_factory.start()
    for name, word in (
        ("out_of_memory", "OOM"),
        ("no_replicas", "NOREPLICAS"),
        ("misconfigured", "MISCONF"),
    ):
        begin, end = getattr(ways, name), getattr(ways, f"{name}_ends")
        if (beginning := begin()) is not None:
            await beginning
        node = node_factory.launch()
        saying = asyncio.create_task(admin("say", word, "--timeout", "60"))
        await until(lambda node=node, word=word: waits_for(node, word), 30, node.tail)  # type: ignore[misc]
        assert not (await node.readyz()).json()["ready"]
        if (ending := end()) is not None:
            await ending
        await node.ready()
        assert (await saying).status == 0
    assert serving.running


def waits_for(node: Node, word: str) -> bool:
    """Say whether a node that starts has told that it waits until Redis no longer says so."""
    entries = map(json.loads, list(node.lines))
    return any(
        it["event"] == "waiting for redis" and it["error"].startswith(word) for it in entries
    )


def _is_busy(server: RedisServer) -> bool:
    try:
        server.control.ping()
    except redis.exceptions.ResponseError:
        return True
    return False


def _run(server: RedisServer, script: str) -> None:
    with (
        redis.Redis(port=server.port, socket_timeout=60) as client,
        pytest.raises(redis.RedisError),
    ):
        client.eval(script, 0)
