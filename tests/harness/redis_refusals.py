"""Ways in which a real Redis answers and refuses, on every engine."""

import asyncio
import contextlib
from pathlib import Path

import redis

from harness.redis_server import RedisServer
from harness.waiting import until


class Refusals:
    """Ways to have a real Redis refuse, each with how it ends."""

    def __init__(self, server: RedisServer, password: Path | None = None) -> None:
        """``password``: the file from which nodes have that of the user andy."""
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

    async def busy(self) -> None:
        self._set("lua-time-limit", 20)  # as all of them know it
        port = self._server.port

        def run() -> None:
            client = redis.Redis(port=port, socket_timeout=60)
            with client, contextlib.suppress(redis.RedisError):
                client.eval("while true do end", 0)

        self._script = asyncio.create_task(asyncio.to_thread(run))
        await until(self.is_busy, 30, "a script to be busy")

    def is_busy(self) -> bool:
        """Say whether a script has run for too long."""
        try:
            return not self._server.control.ping()
        except redis.ResponseError:
            return True

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
            30,
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
        assert self._password is not None
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
        )
        if self._server.engine.version >= (7,):  # which looks after clients by bytes as well
            self._server.options += ("--loading-process-events-interval-bytes", "1024")
        await asyncio.to_thread(self._server.start)
