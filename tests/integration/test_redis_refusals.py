"""Redis answers, and refuses: nodes wait as if it were away, acknowledge nothing, and go on afterwards."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest
import redis

from harness.chatte_client import ChatteClient
from harness.load import (
    assert_promises_kept,
    connect_many,
    promised_between,
    settle,
    under_load,
)
from harness.node import Node, NodeFactory
from harness.redis_server import RedisServer
from harness.waiting import elapse, until
from history.record import Disconnected, SawLeft

pytestmark = pytest.mark.slow

IN_FLIGHT_SECONDS = 0.3
BACK_SECONDS = 15.0


class Refusals:
    """Ways to have a real Redis refuse, each with how it ends."""

    def __init__(self, server: RedisServer, password: Path) -> None:
        self._server = server
        self._password = password
        self._script: asyncio.Task[None] | None = None

    def _set(self, name: str, value: str | int) -> None:
        self._server.control.config_set(name, value)

    def readonly(self) -> None:
        self._server.control.replicaof("127.0.0.1", "1")

    def readonly_ends(self) -> None:
        self._server.control.replicaof("NO", "ONE")

    def masterdown(self) -> None:
        self._set("replica-serve-stale-data", "no")
        self.readonly()

    def masterdown_ends(self) -> None:
        self.readonly_ends()

    def out_of_memory(self) -> None:
        self._set("maxmemory", 1)

    def out_of_memory_ends(self) -> None:
        self._set("maxmemory", 0)

    def no_replicas(self) -> None:
        self._set("min-replicas-to-write", 1)

    def no_replicas_ends(self) -> None:
        self._set("min-replicas-to-write", 0)

    def busy(self) -> None:
        self._set("busy-reply-threshold", 20)
        port = self._server.port

        def run() -> None:
            client = redis.Redis(port=port, socket_timeout=60)
            with client, contextlib.suppress(redis.RedisError):
                client.eval("while true do end", 0)

        self._script = asyncio.create_task(asyncio.to_thread(run))

    async def busy_ends(self) -> None:
        self._server.control.script_kill()
        assert self._script is not None
        await self._script

    async def misconfigured(self) -> None:
        (self._server.directory / "dump.rdb").mkdir()  # where a file should go
        self._set("save", "3600 1")
        await self._save("err")

    async def misconfigured_ends(self) -> None:
        (self._server.directory / "dump.rdb").rmdir()
        await self._save("ok")
        self._set("save", "")

    async def _save(self, status: str) -> None:
        self._server.control.bgsave()
        await until(
            lambda: self._server.control.info("persistence")["rdb_last_bgsave_status"] == status,
            10,
            "the snapshot to end",
        )

    def no_permission(self) -> None:
        self._server.control.acl_setuser("andy", enabled=True, commands=["-evalsha"])

    def no_permission_ends(self) -> None:
        self._server.control.acl_setuser("andy", enabled=True, commands=["+evalsha"])

    def wrong_password(self) -> None:
        self._server.control.acl_setuser("andy", enabled=True, passwords=["-first", "+second"])
        for connection in self._server.connections():
            self._server.cut(connection)

    def wrong_password_ends(self) -> None:
        self._password.write_text("second\n")

    def loading(self) -> None:
        # It looks after clients once in 1,024 commands that it loads.
        for step in range(20):
            fill = [f"{i}" for i in range(step * 500, step * 500 + 500)]
            self._server.control.eval(
                "for _, it in ipairs(KEYS) do redis.call('SET', it, 1) end", 500, *fill
            )
        self._server.kill()

    async def loading_ends(self) -> None:
        self._server.options = (
            *("--user", "andy", "on", ">second", "allkeys", "allchannels", "+@all"),
            *("--key-load-delay", "200"),
            *("--loading-process-events-interval-bytes", "1024"),
        )
        await asyncio.to_thread(self._server.start)


async def refused(
    nodes: Sequence[Node],
    clients: Sequence[ChatteClient],
    cause: str,
    begin: Callable[[], Awaitable[None] | None],
    end: Callable[[], Awaitable[None] | None],
) -> None:
    """Have Redis refuse for a moment under load, and assert what holds whatever the way."""
    clock = clients[0].history.now
    from_, to = 0.0, 0.0

    async def meanwhile() -> None:
        nonlocal from_, to
        await elapse(0.3)
        if (beginning := begin()) is not None:
            await beginning
        from_ = clock() + IN_FLIGHT_SECONDS
        for node in nodes:
            page = await node.becomes_unready(8)
            assert page.json()["reasons"]
        await elapse(IN_FLIGHT_SECONDS + 0.3)
        to = clock()
        if (ending := end()) is not None:
            await ending

    before = await retries(nodes, cause)
    await under_load(clients[:3], meanwhile(), per_second=20)
    for node in nodes:
        await node.becomes_ready(BACK_SECONDS)
    await settle(clients, BACK_SECONDS)
    assert promised_between([client.history for client in clients], from_, to) == []
    assert await retries(nodes, cause) > before


async def retries(nodes: Sequence[Node], cause: str) -> float:
    """Return how many commits had to be sent again for a cause."""
    return sum(
        [
            it.value
            for node in nodes
            for it in await node.metrics()
            if it.name == "tertulia_commit_retries_total" and it.labels["cause"] == cause
        ]
    )


async def test_every_refusal_is_waited_out(
    node_factory: NodeFactory, redis_server: RedisServer, tmp_path: Path
) -> None:
    password = tmp_path / "password"
    password.write_text("first\n")
    redis_server.options = ("--user", "andy", "on", ">first", "allkeys", "allchannels", "+@all")
    redis_server.restart()
    settings = {"REDIS_PASSWORD_FILE": str(password)}
    url = f"redis://andy@127.0.0.1:{redis_server.port}"
    nodes = [node_factory.launch(redis_url=url, settings=settings) for _ in range(2)]
    for node in nodes:
        await node.ready()
    clients = await connect_many([node.port() for node in nodes], 6, "user")
    await settle(clients)
    ways = Refusals(redis_server, password)
    for cause, name in (
        ("read_only", "readonly"),
        ("read_only", "masterdown"),
        ("out_of_memory", "out_of_memory"),
        ("no_replicas", "no_replicas"),
        ("busy", "busy"),
        ("misconfigured", "misconfigured"),
        ("other", "no_permission"),
        ("other", "wrong_password"),
        ("loading", "loading"),
    ):
        await refused(nodes, clients, cause, getattr(ways, name), getattr(ways, f"{name}_ends"))
    for client in clients:
        assert client.connected, client.describe()
        assert not any(client.history.of(SawLeft))
        assert not any(client.history.of(Disconnected))
    await assert_promises_kept(clients)
