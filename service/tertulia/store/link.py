"""One connection to Redis, used by one task: connected, asked, thrown away when anything is amiss.

redis-py's clients reconnect and retry silently. Here a lost connection is an event that the rest depends
on (was the batch done? what did the bus miss?), so connections are made and dropped openly.
"""

import asyncio
import re
from collections.abc import Sequence
from typing import Any

from hiredis import pack_command
from redis.asyncio.connection import Connection
from redis.exceptions import NoScriptError, RedisError

from tertulia.metrics import RetryCause
from tertulia.store.access import Server
from tertulia.store.errors import StoreAway, translate
from tertulia.store.scripts import Script
from tertulia.store.servers import Servers

Argument = str | bytes | int | float
_FAILURES = (RedisError, OSError, TimeoutError)
_SHARDED_SINCE = (7, 0)
_WAITED = 0.5
"""How much of the time that a reply may take is given to replicas."""
_MOVED = re.compile(r"MOVED \d+ (.+):(\d+)$")


class Link:
    """A connection to the master. Every failure is a StoreAway, and leaves the link disconnected."""

    def __init__(self, servers: Servers, name: str, timeout: float) -> None:
        self._servers = servers
        self._name = name
        self._timeout = timeout
        self._connection: Connection | None = None
        self.is_sharded = False
        """Whether its server keeps what is published to a channel's own shard."""
        servers.add(self)

    @property
    def is_connected(self) -> bool:
        """Whether it was connected and nothing has failed since."""
        return self._connection is not None and bool(self._connection.is_connected)

    async def connect(self) -> None:
        """Connect, and make sure that a master answers: a replica would take a PUBLISH."""
        await self._connected()

    async def call(self, *command: Argument) -> Any:
        """Send one command and return its reply."""
        connection = self._connection
        if connection is None or not connection.is_connected:
            connection = await self._connected()
        try:
            # In C: redis-py packs in Python, which takes seven times as long for a large batch.
            packed = pack_command(command)  # type: ignore[arg-type] # its stub says a tuple of one
            async with asyncio.timeout(self._timeout):
                await connection.send_packed_command(packed)
                return await connection.read_response()
        except NoScriptError:
            raise
        except _FAILURES as error:
            # After an error reply the connection is sound, but what answers may be the wrong server.
            raise await self._failure(error) from error

    async def call_many(self, commands: Sequence[Sequence[Argument]]) -> list[Any]:
        """Send commands in one go and return their replies."""
        if not commands:
            return []
        connection = await self._connected()
        try:
            async with asyncio.timeout(self._timeout):
                await connection.send_packed_command(connection.pack_commands(commands))
                return [await connection.read_response() for _ in commands]
        except _FAILURES as error:
            raise await self._failure(error) from error

    async def run(self, script: Script, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        """Run a script, loading it where Redis does not have it."""
        if not self.is_connected:
            await self._connected()  # which says in which form the script is to be sent
        form = script.sharded if self.is_sharded else script.plain
        try:
            return await self.call("EVALSHA", form.sha, len(keys), *keys, *args)
        except NoScriptError:
            return await self.call("EVAL", form.text, len(keys), *keys, *args)

    async def run_replicated(
        self, script: Script, keys: Sequence[str], args: Sequence[Argument]
    ) -> tuple[Any, int]:
        """Run a script, and return also how many replicas have what it wrote, after some waiting."""
        connection = await self._connected()
        form = script.sharded if self.is_sharded else script.plain
        wait = ("WAIT", 1, round(self._timeout * _WAITED * 1000))
        commands = [("EVALSHA", form.sha, len(keys), *keys, *args), wait]
        try:
            packed = [pack_command(it) for it in commands]  # type: ignore[arg-type]
            try:
                async with asyncio.timeout(self._timeout):
                    await connection.send_packed_command(packed)
                    try:
                        reply = await connection.read_response()
                    except NoScriptError:
                        await connection.read_response()  # of WAIT
                        raise
                    replicas = await connection.read_response()
            except NoScriptError:
                reply = await self.call("EVAL", form.text, len(keys), *keys, *args)
                replicas = await self.call(*wait)
        except _FAILURES as error:
            raise await self._failure(error) from error
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
            async with asyncio.timeout(self._timeout):
                await connection.send_command(*(sharded if self.is_sharded else plain))
        except _FAILURES as error:
            raise await self._failure(error) from error
        for _ in channels:
            await self.receive(seconds)

    async def subscribers(self, channels: Sequence[str]) -> list[int]:
        """Return how many subscribe to each channel."""
        await self._connected()
        plain, sharded = ("PUBSUB", "NUMSUB", *channels), ("PUBSUB", "SHARDNUMSUB", *channels)
        told = await self.call(*(sharded if self.is_sharded else plain))
        return [int(it) for it in told[1::2]]

    async def confirm(self) -> None:
        """Make sure that what is connected is still the master: it was silent for long."""
        await self._servers.confirm(self._timeout)

    async def receive(self, seconds: float) -> Any:
        """Wait so many seconds at the longest for what comes next."""
        connection = self._connection
        try:
            if connection is None:
                raise ConnectionError("the connection was given up")
            message = await connection.read_response(timeout=seconds)
        except _FAILURES as error:
            raise await self._failure(error) from error
        if message is None:  # redis-py's word for a time-out that was asked for
            raise await self._failure(TimeoutError("nothing came"))
        return message

    async def disconnect(self) -> None:
        """Drop the connection; the next call makes another one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)

    async def _connected(self) -> Connection:
        if self._connection is not None and self._connection.is_connected:
            return self._connection
        await self.disconnect()
        server = await self._servers.find(self._timeout)
        connection = self._servers.access.connection(server, self._name, self._timeout)
        try:
            run_id = await self._examine(connection, server)
        except _FAILURES as error:
            await connection.disconnect(nowait=True)
            _heed_cancellation()
            raise translate(error) from error
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        # From here on, time-outs are ours: those of redis-py cost a task for everything that is sent.
        connection.socket_timeout = None
        self._connection = connection
        await self._servers.met(self, server, run_id)
        return connection

    async def _examine(self, connection: Connection, server: Server) -> bytes:
        """Connect; make sure that it is the kind of server that is wanted, and return its run id."""
        await connection.connect()  # type: ignore[no-untyped-call]
        _heed_cancellation()
        await connection.send_packed_command(
            connection.pack_commands([("ROLE",), ("INFO", "server")])
        )
        _heed_cancellation()
        role, told = await connection.read_response(), await connection.read_response()
        info = _fields(told)
        mode = (info.get(b"redis_mode") or info[b"server_mode"]).decode()  # Redis; Valkey
        is_cluster = self._servers.is_cluster
        if mode == "sentinel":
            raise StoreAway(
                RetryCause.OTHER, f"{server} is a Sentinel: write redis+sentinel://…/MASTER"
            )
        if (mode == "cluster") != is_cluster:
            scheme = "redis+cluster://" if mode == "cluster" else "redis://"
            raise StoreAway(RetryCause.OTHER, f"{server} runs in the mode {mode}: write {scheme}")
        if role[0] != b"master":
            raise StoreAway(RetryCause.READ_ONLY, f"{server} is a replica")
        version = tuple(int(it) for it in info[b"redis_version"].split(b".")[:2])
        self.is_sharded = is_cluster and version >= _SHARDED_SINCE
        return info[b"run_id"]

    async def _failure(self, error: Exception) -> StoreAway:
        await self.disconnect()
        _heed_cancellation()
        if moved := _MOVED.match(str(error)):
            self._servers.sent_to(Server(moved[1], int(moved[2])))
        return translate(error)


def _fields(info: bytes) -> dict[bytes, bytes]:
    """Read what INFO tells."""
    lines = (line.partition(b":") for line in info.split(b"\r\n"))
    return {name: value for name, _, value in lines}


def _heed_cancellation() -> None:
    """End the task if it is to end: ``asyncio.wait_for``, with which redis-py sends, may swallow that.

    (Python 3.11: it returns normally where a cancellation and the result come in one turn.)
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
