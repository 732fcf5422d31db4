"""One connection to Redis, used by one task: connected, asked, thrown away when anything is amiss.

redis-py's clients reconnect and retry silently. Here a lost connection is an event that the rest depends
on (was the batch done? what did the bus miss?), so connections are made and dropped openly.
"""

import re
from collections.abc import Sequence
from typing import Any

from hiredis import HiredisError

from tertulia.redis.access import Server
from tertulia.redis.errors import MISFORMED, ErrorReply, StoreAway, strange, translate
from tertulia.redis.hot import Argument, Connection
from tertulia.redis.masters import Servers, replaced
from tertulia.redis.script import Script
from tertulia.telemetry.metrics import RetryCause

_FAILURES = (ErrorReply, HiredisError, OSError)
_SHARDED_SINCE = (7, 0)
_CONFIRMED = (b"subscribe", b"ssubscribe")
_WAITED = 0.5
"""How much of the time that a reply may take is given to replicas."""
_MOVED = re.compile(r"MOVED \d+ (.+):(\d{1,5})$")


class Link:
    """A connection to the master. Every failure is a StoreAway, and leaves the link disconnected."""

    def __init__(self, servers: Servers, name: str, timeout: float) -> None:
        self._servers = servers
        self._name = name
        self._timeout = timeout
        self._connection: Connection | None = None
        self.refusal = ""
        """What Redis said last to be not permitted, since this was emptied."""
        self.is_sharded = False
        """Whether its server keeps what is published to a channel's own shard."""
        servers.add(self)

    async def connect(self) -> None:
        """Connect, and make sure that a master answers: a replica would take a PUBLISH."""
        await self._connected()

    async def call(self, *command: Argument) -> Any:
        """Send one command and return its reply."""
        (reply,) = await self._ask(command)
        return reply

    async def call_many(self, commands: Sequence[Sequence[Argument]]) -> list[Any]:
        """Send commands in one go and return their replies."""
        return await self._ask(*commands) if commands else []

    async def run(self, script: Script, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        """Run a script, loading it where Redis does not have it."""
        (reply,) = await self._run(script, keys, args)
        return reply

    async def run_replicated(
        self, script: Script, keys: Sequence[str], args: Sequence[Argument]
    ) -> tuple[Any, int]:
        """Run a script, and return also how many replicas have what it wrote, after some waiting."""
        wait = ("WAIT", 1, round(self._timeout * _WAITED * 1000))
        reply, replicas = await self._run(script, keys, args, wait)
        return reply, int(replicas)

    async def publish(self, channel: str, message: str | bytes) -> None:
        """Publish to those who subscribe to a channel of a chat."""
        await self._connected()
        plain, sharded = ("PUBLISH", channel, message), ("SPUBLISH", channel, message)
        await self.call(*(sharded if self.is_sharded else plain))

    async def subscribe(self, channels: Sequence[str], seconds: float) -> None:
        """Subscribe to channels of a chat on a new connection. It can only receive from then on."""
        connection = await self._connected()
        plain, sharded = ("SUBSCRIBE", *channels), ("SSUBSCRIBE", *channels)
        try:
            connection.send(sharded if self.is_sharded else plain)
        except _FAILURES as error:
            raise self._failure(error) from error
        confirmed = 0
        while confirmed < len(channels):
            # What is published to one of them meanwhile is left out.
            confirmed += sum(it[0] in _CONFIRMED for it in await self.receive(seconds))

    async def receive(self, seconds: float) -> list[Any]:
        """Wait so many seconds at the longest for what comes next; return all that has come.

        That is nothing where it was interrupted.
        """
        if self._connection is None:
            raise self._failure(ConnectionError("the connection was given up"))
        try:
            return await self._connection.receive(seconds)
        except _FAILURES as error:
            raise self._failure(error) from error

    def interrupt(self) -> None:
        """Have whoever receives go on, with nothing."""
        if self._connection is not None:
            self._connection.interrupt()

    async def subscribers(self, channels: Sequence[str]) -> list[int]:
        """Return how many subscribe to each channel."""
        await self._connected()
        plain, sharded = ("PUBSUB", "NUMSUB", *channels), ("PUBSUB", "SHARDNUMSUB", *channels)
        told = await self.call(*(sharded if self.is_sharded else plain))
        return [int(it) for it in told[1::2]]

    async def confirm(self) -> None:
        """Make sure that what has answered is still the master: it was silent for long."""
        connection = self._connection
        await self._servers.confirm(self._timeout)
        if connection is None or connection.is_over:
            # Another link has met another master meanwhile, so this one was dropped.
            raise self._failure(ConnectionError("the connection was given up"))

    def disconnect(self) -> None:
        """Drop the connection; the next call makes another one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.end()

    async def _ask(self, *commands: Sequence[Argument]) -> list[Any]:
        connection = await self._connected()
        try:
            return await connection.ask(self._timeout, *commands)
        except _FAILURES as error:
            # After a refusal the connection is sound, but what answers may be the wrong server.
            raise self._failure(error) from error

    async def _run(
        self,
        script: Script,
        keys: Sequence[str],
        args: Sequence[Argument],
        *after: Sequence[Argument],
    ) -> list[Any]:
        """Return a script's reply, and those of the commands after it."""
        connection = await self._connected()  # which says in which form the script is to be sent
        form = script.sharded if self.is_sharded else script.plain
        given = (len(keys) + 1, *keys, script.last_key(keys[0]), *args)
        try:
            return await connection.ask(self._timeout, ("EVALSHA", form.sha, *given), *after)
        except _FAILURES as error:
            if not (isinstance(error, ErrorReply) and error.word == "NOSCRIPT"):
                raise self._failure(error) from error
        return await self._ask(("EVAL", form.text, *given), *after)

    async def _connected(self) -> Connection:
        if self._connection is not None and not self._connection.is_over:
            return self._connection
        self.disconnect()
        server = await self._servers.find(self._timeout)
        try:
            connection = await self._servers.access.connect(server, self._name, self._timeout)
        except _FAILURES as error:
            raise translate(error) from error
        try:
            run_id = await self._examine(connection, server)
            # It may have been frozen until now: it answers as a master what others took over from it.
            if await self._servers.successor(server, self._timeout) is not None:
                raise replaced(server)
        except _FAILURES as error:
            connection.end()
            raise translate(error) from error
        except BaseException:
            connection.end()
            raise
        self._connection = connection
        self._servers.met(self, server, run_id)
        return connection

    async def _examine(self, connection: Connection, server: Server) -> bytes:
        """Make sure that it is the kind of server that is wanted, and return its run id."""
        role, told = await connection.ask(self._timeout, ("ROLE",), ("INFO", "server"))
        try:
            info = _fields(told)
            mode = (info.get(b"redis_mode") or info[b"server_mode"]).decode()  # Redis; Valkey
            version = tuple(int(it) for it in info[b"redis_version"].split(b".")[:2])
            is_master, run_id = role[0] == b"master", info[b"run_id"]
        except MISFORMED as error:
            raise strange(server) from error
        is_cluster = self._servers.is_cluster
        if mode == "sentinel":
            raise StoreAway(
                RetryCause.OTHER, f"{server} is a Sentinel: write redis+sentinel://…/MASTER"
            )
        if (mode == "cluster") != is_cluster:
            scheme = "redis+cluster://" if mode == "cluster" else "redis://"
            raise StoreAway(RetryCause.OTHER, f"{server} runs in the mode {mode}: write {scheme}")
        if not is_master:
            raise StoreAway(RetryCause.READ_ONLY, f"{server} is a replica")
        self.is_sharded = is_cluster and version >= _SHARDED_SINCE
        return run_id

    def _failure(self, error: Exception) -> StoreAway:
        self.disconnect()
        if moved := _MOVED.match(str(error)):
            self._servers.sent_to(Server(moved[1], int(moved[2])))
        away = translate(error)
        if away.cause is RetryCause.NO_PERMISSION:
            self.refusal = str(away)
        return away


def _fields(info: bytes) -> dict[bytes, bytes]:
    """Read what INFO tells."""
    lines = (line.partition(b":") for line in info.split(b"\r\n"))
    return {name: value for name, _, value in lines}
