"""redis-py's client of the master that has a chat, for everything that is not hot.

It has one connection, on which one command waits for the other. It tries nothing twice: if the answer to an
operator command is lost, the part that gave it sends it again, under its id.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.client import Pipeline
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import NoScriptError, RedisError

from tertulia.redis.access import taken
from tertulia.redis.errors import FAILURES, StoreAway, plain, translate
from tertulia.redis.hot import Argument
from tertulia.redis.masters import Connected, Masters, moved_to
from tertulia.redis.script import Script
from tertulia.telemetry.metrics import RetryCause

OPTIONS: dict[str, Any] = {
    "protocol": 2,
    "decode_responses": True,
    # Bytes that are no UTF-8 can be encoded back to the same bytes.
    "encoding_errors": "surrogateescape",
}
"""How replies are read."""


class _ToMaster(ConnectionPool):
    """One connection, made anew to the server that is the master then."""

    def __init__(self, servers: Masters, name: str, seconds: float, link: Connected) -> None:
        super().__init__(**OPTIONS)
        self._servers = servers
        self._name = name
        self._seconds = seconds
        self._link = link
        self._made: AbstractConnection | None = None
        self.is_sharded = False

    async def get_connection(self, *_names: Any, **_options: Any) -> AbstractConnection:
        made = self._made
        # Before a question there is nothing to read. If there is something, the connection was closed.
        if made is None or not made.is_connected or await made.can_read():
            self.drop()
            server = await self._servers.find(self._seconds)
            master = await self._servers.master_at(server, self._name, self._seconds, **OPTIONS)
            made = self._made = master.made
            self.is_sharded = master.is_sharded
            self._servers.met(self._link, server, master.run_id)
        return made

    async def release(self, connection: AbstractConnection) -> None:
        """Do nothing: the only connection is kept."""

    def drop(self) -> None:
        """Drop the connection; a call that waits for a reply fails, as its reply is lost."""
        made, self._made = self._made, None
        if made is not None and made.is_connected:
            taken(made).transport.abort()


class Client(Redis):
    """Asks the master. Every failure is a StoreAway, and leaves the client disconnected."""

    def __init__(
        self, servers: Masters, name: str, seconds: float, pool: ConnectionPool | None = None
    ) -> None:
        """``name``: of the connection, at Redis. ``pool``: makes connections to another server instead."""
        self._servers = servers
        self._seconds = seconds
        self._turn = asyncio.Lock()
        self._to_master = None if pool else _ToMaster(servers, name, seconds, self)
        super().__init__(connection_pool=pool or self._to_master)
        self.refusal = ""
        """Redis' last refusal for lack of a permission, since this was emptied."""
        servers.add(self)

    @property
    def is_sharded(self) -> bool:
        """Whether its server publishes to a channel's own shard only. Known once connected."""
        return self._to_master is not None and self._to_master.is_sharded

    async def connect(self) -> None:
        """Connect, and make sure that a master answers."""
        async with self._asking():
            pass

    def disconnect(self) -> None:
        """Drop the connection; the next command makes another one."""
        if self._to_master is not None:
            self._to_master.drop()

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        async with self._asking():
            # Its arguments have no types.
            return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]

    async def together(self, say: Callable[[Pipeline], object]) -> list[Any]:
        """Send all commands that ``say`` adds to a pipeline in one go, and return their replies."""
        pipeline = self.pipeline(transaction=False)
        say(pipeline)
        async with self._asking():
            found: list[Any] = await pipeline.execute(raise_on_error=False)
            for reply in found:
                if isinstance(reply, RedisError):
                    raise reply
        return found

    async def run(self, script: Script, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        """Run a script; load it if Redis does not have it.

        redis-py's own way needs the permission for SCRIPT LOAD, which our users do not have.
        """
        await self.connect()  # after this it is known which form of the script to send
        form = script.sharded if self.is_sharded else script.plain
        given = (*keys, script.last_key(keys[0]), *args)
        try:
            return await self.evalsha(form.sha, len(keys) + 1, *given)
        except NoScriptError:
            pass
        return await self.eval(form.text, len(keys) + 1, *given)

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[None]:
        """Wait for the turn and connect; the questions may then take the client's seconds at most."""
        async with self._turn:
            try:
                await self.connection_pool.release(await self.connection_pool.get_connection())
                async with asyncio.timeout(self._seconds):
                    yield
            except NoScriptError:
                raise
            except FAILURES as error:
                raise self._failure(error) from error

    def _failure(self, error: Exception) -> StoreAway:
        """Disconnect, and return what went wrong. Even after a refusal the server may be the wrong one."""
        self.disconnect()
        error = plain(error)
        if (server := moved_to(error)) is not None:
            self._servers.sent_to(server)
        away = translate(error)
        if away.cause is RetryCause.NO_PERMISSION:
            self.refusal = str(away)
        return away


def flat(fields: Mapping[str, str]) -> list[bytes]:
    """Return a hash, or an entry of a stream, as hot connections give it: each name before its value."""
    return [part.encode(errors="surrogateescape") for pair in fields.items() for part in pair]
