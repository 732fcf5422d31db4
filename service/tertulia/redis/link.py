"""A chat's way to Redis for one use, over a connection that other chats use as well.

redis-py's clients reconnect and retry silently. Here other parts depend on knowing that a connection was
lost (was the batch done? what did the bus miss?). So connections are made and dropped openly.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from functools import partial
from typing import Any, TypeVar

from hiredis import HiredisError

from tertulia.redis.errors import ErrorReply, StoreAway, translate
from tertulia.redis.hot import Argument, HotConnection, Inbox
from tertulia.redis.masters import Masters, moved_to
from tertulia.redis.multiplexer import Multiplexer, Shared
from tertulia.redis.script import Script
from tertulia.telemetry.metrics import RetryCause

_T = TypeVar("_T")

_FAILURES = (ErrorReply, HiredisError, OSError)
_WAITED = 0.5
"""The share of a reply's time limit for which replicas are waited for."""
_WRONG_SERVER = (RetryCause.READ_ONLY, RetryCause.LOADING)


class Link:
    """A way to the master. Every failure is a StoreAway, after which the link has let go of its connection.

    A refusal to one link does not touch the other links on the connection, unless it says that the server is
    no master.
    """

    def __init__(
        self, servers: Masters, name: str, timeout: float, multiplexer: Multiplexer | None = None
    ) -> None:
        """``name`` is the connection's. Without a multiplexer, the connection is this link's alone."""
        self._servers = servers
        self._name = name
        self._timeout = timeout
        self._multiplexer = multiplexer or Multiplexer(servers.access, timeout)
        self._shared: Shared | None = None
        self._connection: HotConnection | None = None
        self.refusal = ""
        """Redis' last refusal for lack of a permission, since this was emptied."""
        self.is_sharded = False
        """Whether its server publishes to a channel's own shard only."""
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
        """Run a script; load it if Redis does not have it."""
        connection = self._connection
        if connection is None or connection.is_over:
            connection = await self._connected()
        form = script.sharded if self.is_sharded else script.plain
        given = (len(keys) + 1, *keys, script.last_key(keys[0]), *args)
        try:
            (reply,) = await connection.ask(self._timeout, ("EVALSHA", form.sha, *given))
        except _FAILURES as error:
            if not (isinstance(error, ErrorReply) and error.word == "NOSCRIPT"):
                raise self._failure(error) from error
            return await self.call("EVAL", form.text, *given)
        if self._connection is not connection:
            raise self._failure(ConnectionError("the connection was given up"))
        return reply

    async def run_replicated(
        self, script: Script, keys: Sequence[str], args: Sequence[Argument]
    ) -> tuple[Any, int]:
        """Run a script and wait for replicas; return its reply, and how many replicas have what it wrote.

        ``WAIT`` holds up all calls on the connection, and covers all earlier writes on it. So one ``WAIT`` is
        under way at a time, and the next one is for all that was written meanwhile.
        """
        connection = await self._connected()
        shared = self._shared
        assert shared is not None
        form = script.sharded if self.is_sharded else script.plain
        given = (len(keys) + 1, *keys, script.last_key(keys[0]), *args)
        for command in (("EVALSHA", form.sha, *given), ("EVAL", form.text, *given)):
            try:
                asked = connection.request(self._timeout, command)
                try:
                    replicas = await shared.replicas.join(partial(self._wait, connection))
                    (reply,) = await asked
                finally:
                    if not asked.cancel() and not asked.cancelled():
                        asked.exception()  # perhaps nobody awaits it
                if isinstance(reply, ErrorReply):
                    raise reply
            except _FAILURES as error:
                if not (isinstance(error, ErrorReply) and error.word == "NOSCRIPT"):
                    raise self._failure(error) from error
            except StoreAway as error:
                raise self._failure(error) from error
            else:
                return reply, replicas
        raise AssertionError("EVAL needs no script to be there")

    async def _wait(self, connection: HotConnection) -> int:
        """Wait until a replica has all writes of a connection; return how many replicas have them."""
        wait = ("WAIT", 1, round(self._timeout * _WAITED * 1000))
        try:
            (replicas,) = await connection.ask(self._timeout, wait)
        except _FAILURES as error:
            raise translate(error) from error
        return int(replicas)

    async def publish(self, channel: str, message: str | bytes) -> None:
        """Publish to the subscribers of a channel of a chat."""
        await self._connected()
        plain, sharded = ("PUBLISH", channel, message), ("SPUBLISH", channel, message)
        await self.call(*(sharded if self.is_sharded else plain))

    async def subscribers(self, channels: Sequence[str]) -> list[int]:
        """Return how many subscribe to each channel."""
        await self._connected()
        plain, sharded = ("PUBSUB", "NUMSUB", *channels), ("PUBSUB", "SHARDNUMSUB", *channels)
        told = await self.call(*(sharded if self.is_sharded else plain))
        return [int(it) for it in told[1::2]]

    async def confirm(self) -> None:
        """Make sure that the server is still the master, after it was silent for long."""
        connection = self._connection
        await self._multiplexer.confirm(self._servers)
        if connection is None or connection.is_over or connection is not self._connection:
            # Another link has met another master meanwhile, so this one was dropped.
            raise self._failure(ConnectionError("the connection was given up"))

    def disconnect(self) -> None:
        """Let go of the connection; the next call makes another one, or takes one that others have made.

        A call that waits for something on it fails: at once, or when its reply has come.
        """
        shared, self._shared, self._connection = self._shared, None, None
        if shared is not None:
            shared.let_go(self)

    async def _ask(self, *commands: Sequence[Argument]) -> list[Any]:
        connection = await self._connected()
        try:
            replies = await connection.ask(self._timeout, *commands)
        except _FAILURES as error:
            raise self._failure(error) from error
        if self._connection is not connection:
            # All links of the chat have left that server.
            raise self._failure(ConnectionError("the connection was given up"))
        return replies

    async def _connected(self) -> HotConnection:
        if self._connection is not None and not self._connection.is_over:
            return self._connection
        self.disconnect()
        shared = await self._multiplexer.connected(self._servers, self._name)
        if self._connection is None:  # else another call has connected this link meanwhile
            self._shared, self._connection = shared, shared.connection
            self.is_sharded = shared.is_sharded
            shared.holders.add(self)
            self._servers.met(self, shared.server, shared.run_id)
        return self._connection

    def _failure(self, error: Exception) -> StoreAway:
        away = translate(error)
        if away.cause in _WRONG_SERVER and self._connection is not None:
            self._connection.end()
        self.disconnect()
        if (server := moved_to(error)) is not None:
            self._servers.sent_to(server)
        if away.cause is RetryCause.NO_PERMISSION:
            self.refusal = str(away)
        return away


class Subscription(Link):
    """A link over which a chat listens to its channels."""

    _inbox: Inbox | None = None

    async def subscribe(self, channels: Sequence[str], seconds: float) -> None:
        """Subscribe to channels of a chat. Messages from before all are confirmed are left out."""
        self._leave()
        connection = await self._connected()
        inbox = await self._patiently(
            connection.subscribe(seconds, channels, sharded=self.is_sharded)
        )
        if self._connection is not connection:
            connection.unsubscribe(inbox, seconds, sharded=self.is_sharded)
            raise self._failure(ConnectionError("the connection was given up"))
        self._inbox = inbox

    async def receive(self, seconds: float) -> list[Any]:
        """Wait for messages, so many seconds at most; return all that have come, none if interrupted.

        If nothing came for any listener in that time, the connection ends for all.
        """
        if self._inbox is None:
            raise self._failure(ConnectionError("the connection was given up"))
        return await self._patiently(self._inbox.receive(seconds), seconds)

    def interrupt(self) -> None:
        """Let a waiting ``receive`` return, with nothing."""
        if self._inbox is not None:
            self._inbox.interrupt()

    def disconnect(self) -> None:
        connection = self._connection
        super().disconnect()
        self._leave(connection)

    def _leave(self, connection: HotConnection | None = None) -> None:
        inbox, self._inbox = self._inbox, None
        connection = connection or self._connection
        if inbox is not None and connection is not None:
            connection.unsubscribe(inbox, self._timeout, sharded=self.is_sharded)

    async def _patiently(self, listening: Awaitable[_T], silence: float = 0.0) -> _T:
        connection = self._connection
        try:
            return await listening
        except _FAILURES as error:
            if isinstance(error, TimeoutError) and connection is not None:
                now = asyncio.get_running_loop().time()
                if now - connection.heard_at >= silence:
                    connection.end()
            raise self._failure(error) from error
