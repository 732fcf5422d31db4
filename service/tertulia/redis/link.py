"""A chat's way to Redis for one use, over a connection that other chats use as well.

Other parts depend on knowing that a connection was lost (was the batch done? what did the bus miss?). So
connections are made and dropped openly, and nothing is tried twice.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from tertulia.redis.access import Server
from tertulia.redis.errors import FAILURES, ErrorReply, StoreAway, translate
from tertulia.redis.hot import Argument, Inbox, Take
from tertulia.redis.masters import Masters, moved_to
from tertulia.redis.multiplexer import Multiplexer, Shared
from tertulia.redis.script import Script
from tertulia.telemetry.metrics import RetryCause

_T = TypeVar("_T")

_WAITED = 0.5
"""The share of a reply's time limit for which replicas are waited for."""
_WRONG_SERVER = (RetryCause.READ_ONLY, RetryCause.LOADING)


Call = tuple[Sequence[str], Sequence[Argument]]
"""The KEYS and ARGV of a run of a script."""


class Link:
    """A way to the master. Every failure is a StoreAway, after which the link has let go of its connection.

    A missing permission is none of the connection's, which stays.
    A refusal to one link does not touch the other links on the connection, unless it says that the server is
    no master.
    """

    def __init__(self, masters: Masters, use: str, multiplexer: Multiplexer) -> None:
        """``use`` is the connection's name; links with the same one share it."""
        self._masters = masters
        self._use = use
        self._multiplexer = multiplexer
        self._timeout = multiplexer.seconds
        self._shared: Shared | None = None
        self.refusal = ""
        """Redis' last refusal for lack of a permission, since this was emptied."""
        masters.add(self)

    async def connect(self) -> Server:
        """Connect, and make sure that a master answers: a replica would take a PUBLISH. Return which."""
        return (await self._connected()).server

    async def is_sharded(self) -> bool:
        """Say, once connected, whether the server publishes to a channel's own shard only."""
        return (await self._connected()).connection.is_sharded

    async def call(self, *command: Argument) -> Any:
        """Send one command and return its reply."""
        (reply,) = await self.ask(command)
        return reply

    async def ask(self, *commands: Sequence[Argument]) -> list[Any]:
        """Send commands in one go and return their replies."""
        if not commands:
            return []
        shared = await self._connected()
        return await self._kept(shared, shared.connection.ask(self._timeout, *commands))

    async def run(self, script: Script, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        """Run a script; load it if Redis does not have it."""
        shared = self._shared
        if shared is None or shared.connection.is_over:
            shared = await self._connected()
        form = script.sharded if shared.connection.is_sharded else script.plain
        given = (len(keys) + 1, *keys, script.last_key(keys[0]), *args)
        try:
            (reply,) = await shared.connection.ask(self._timeout, ("EVALSHA", form.sha, *given))
        except FAILURES as error:
            if not (isinstance(error, ErrorReply) and error.word == "NOSCRIPT"):
                raise self.failure(error) from error
            return await self.call("EVAL", form.text, *given)
        if self._shared is not shared:
            raise self.given_up()
        return reply

    def run_now(
        self, script: Script, calls: Sequence[Call], told: Callable[[list[Any] | StoreAway], object]
    ) -> "Asked | None":
        """Run a script several times in one go, in this turn; None where it is not connected.

        ``told`` gets the replies, or why there are none, in the turn in which they come. A refusal is among
        the replies as an ErrorReply, that the script is not there as well.
        """
        shared = self._shared
        if shared is None or shared.connection.is_over:
            return None
        form = script.sharded if shared.connection.is_sharded else script.plain
        asked = Asked(self, shared, told)
        commands = [
            ("EVALSHA", form.sha, len(keys) + 1, *keys, script.last_key(keys[0]), *args)
            for keys, args in calls
        ]
        try:
            shared.connection.request_for(asked, self._timeout, *commands)
        except FAILURES:
            return None
        return asked

    async def run_many(
        self, script: Script, calls: Sequence[Call], *, is_replicated: bool = False
    ) -> tuple[list[Any], int]:
        """Run a script several times in one go; return the replies, a StoreAway for a refusal.

        Also returned: how many replicas have what was written; 0 unless ``is_replicated``.
        """
        shared = await self._connected()
        form = script.sharded if shared.connection.is_sharded else script.plain
        given = [(len(keys) + 1, *keys, script.last_key(keys[0]), *args) for keys, args in calls]
        asked = self._asked(shared, *(("EVALSHA", form.sha, *each) for each in given))
        if is_replicated:
            waited = shared.replicas.join(partial(self._wait, shared))
            told, replicas = await self._kept(shared, asyncio.gather(asked, waited))
        else:
            told, replicas = await self._kept(shared, asked), 0
        replies: list[Any] = []
        for each, reply in zip(given, told, strict=True):
            if not isinstance(reply, ErrorReply):
                replies.append(reply)
            elif reply.word == "NOSCRIPT":
                replies.append(await self.call("EVAL", form.text, *each))
                replicas = 0  # it was written since
            else:
                away = translate(reply)  # of one of them: the link is not to blame
                replies.append(away if away.cause is RetryCause.CLUSTER else self.failure(reply))
        return replies, replicas

    async def run_replicated(
        self, script: Script, keys: Sequence[str], args: Sequence[Argument]
    ) -> tuple[Any, int]:
        """Run a script and wait for replicas; return its reply, and how many replicas have what it wrote.

        ``WAIT`` holds up all calls on the connection, and covers all earlier writes on it. So one ``WAIT`` is
        under way at a time, and the next one is for all that was written meanwhile.
        """
        shared = await self._connected()
        form = script.sharded if shared.connection.is_sharded else script.plain
        given = (len(keys) + 1, *keys, script.last_key(keys[0]), *args)
        for command in (("EVALSHA", form.sha, *given), ("EVAL", form.text, *given)):
            asked = self._asked(shared, command)
            waited = shared.replicas.join(partial(self._wait, shared))
            (reply,), replicas = await self._kept(shared, asyncio.gather(asked, waited))
            if not isinstance(reply, ErrorReply):
                return reply, replicas
            if reply.word != "NOSCRIPT":
                break
        raise self.failure(reply)

    async def _wait(self, shared: Shared) -> int:
        """Wait until a replica has all writes of a connection; return how many replicas have them."""
        wait = ("WAIT", 1, round(self._timeout * _WAITED * 1000))
        (replicas,) = await shared.connection.ask(self._timeout, wait)
        return int(replicas)

    async def publish(self, channel: str, message: str | bytes) -> None:
        """Publish to the subscribers of a channel of a chat."""
        await self.call("SPUBLISH" if await self.is_sharded() else "PUBLISH", channel, message)

    async def subscribers(self, channels: Sequence[str]) -> list[int]:
        """Return how many subscribe to each channel."""
        is_sharded = await self.is_sharded()
        told = await self.call("PUBSUB", "SHARDNUMSUB" if is_sharded else "NUMSUB", *channels)
        return [int(count) for count in told[1::2]]

    async def confirm(self) -> None:
        """Make sure that the server is still the master, after it was silent for long."""
        shared = self._shared
        await self._masters.confirm()
        if shared is None or shared.connection.is_over or shared is not self._shared:
            # Another link has met another master meanwhile, so this one was dropped.
            raise self.given_up()

    def disconnect(self) -> None:
        """Let go of the connection; the next call makes another one, or takes one that others have made.

        A call that waits for something on it fails: at once, or when its reply has come.
        """
        shared, self._shared = self._shared, None
        if shared is not None:
            shared.let_go(self)

    async def _connected(self) -> Shared:
        if self._shared is not None and not self._shared.connection.is_over:
            return self._shared
        self.disconnect()
        shared = await self._multiplexer.connected(self._masters, self._use)
        if self._shared is None:  # else another call has connected this link meanwhile
            self._shared = shared
            shared.holders.add(self)
            self._masters.met(self, shared.server, shared.run_id)
        return self._shared

    def _asked(self, shared: Shared, *commands: Sequence[Argument]) -> "asyncio.Future[list[Any]]":
        """Send commands, though the connection may just have ended; return the future of their replies."""
        try:
            return shared.connection.request(self._timeout, *commands)
        except FAILURES as error:
            raise self.failure(error) from error

    async def _kept(self, shared: Shared, asked: Awaitable[_T]) -> _T:
        """Wait for an answer, during which the link must not let go of its connection."""
        try:
            answer = await asked
        except FAILURES as error:
            raise self.failure(error) from error
        if self._shared is not shared:
            # All links of the chat have left that server.
            raise self.given_up()
        return answer

    def is_on(self, shared: Shared) -> bool:
        """Say whether this is the connection that it holds."""
        return self._shared is shared

    def given_up(self) -> StoreAway:
        """Return the failure of having let go of a connection."""
        return self.failure(ConnectionError("the connection was given up"))

    def failure(self, error: Exception) -> StoreAway:
        """Let go of the connection, if an error is the connection's; return the error in our words."""
        away = translate(error)
        if away.cause in _WRONG_SERVER and self._shared is not None:
            self._shared.connection.end()
        if away.cause is RetryCause.NO_PERMISSION:
            self.refusal = str(away)
        else:
            self.disconnect()
        if (server := moved_to(error)) is not None:
            self._masters.sent_to(server)
        return away


class Asked:
    """What waits for the replies to ``Link.run_now``."""

    __slots__ = ("_link", "_shared", "_told")

    def __init__(
        self, link: Link, shared: Shared, told: Callable[[list[Any] | StoreAway], object]
    ) -> None:
        self._link = link
        self._shared = shared
        self._told: Callable[[list[Any] | StoreAway], object] | None = told

    def drop(self) -> None:
        """Tell nobody."""
        self._told = None

    def done(self) -> bool:
        return self._told is None

    def set_result(self, replies: list[Any], /) -> None:
        # All links of the chat may have left that server.
        self._tell(replies if self._link.is_on(self._shared) else self._link.given_up())

    def set_exception(self, error: Exception, /) -> None:
        self._tell(self._link.failure(error))

    def _tell(self, what: list[Any] | StoreAway) -> None:
        told, self._told = self._told, None  # whoever is told may hold this: then it is no cycle
        assert told is not None, "it was asked whether it is done"
        told(what)


class Subscription(Link):
    """A link over which a chat listens to its channels."""

    _inbox: Inbox | None = None

    async def subscribe(self, channels: Sequence[str]) -> None:
        """Subscribe to channels of a chat. Messages from before all are confirmed are left out."""
        self._leave(self._shared)
        shared = await self._connected()
        connection = shared.connection
        inbox = await self._heard(connection.subscribe(self._timeout, channels))
        if self._shared is not shared:
            connection.unsubscribe(inbox, self._timeout)
            raise self.given_up()
        self._inbox = inbox

    async def receive(self, seconds: float) -> list[Any]:
        """Wait for messages, so many seconds at most; return all that have come, none if interrupted.

        If nothing came for any listener in that time, the connection ends for all.
        """
        if self._inbox is None:
            raise self.given_up()
        return await self._heard(self._inbox.receive(seconds), seconds)

    def interrupt(self) -> None:
        """Let a waiting ``receive`` return, with nothing."""
        if self._inbox is not None:
            self._inbox.interrupt()

    def disconnect(self) -> None:
        shared = self._shared
        super().disconnect()
        self._leave(shared)

    def _leave(self, shared: Shared | None) -> None:
        inbox, self._inbox = self._inbox, None
        if inbox is not None and shared is not None:
            shared.connection.unsubscribe(inbox, self._timeout)

    async def _heard(self, listening: Awaitable[_T], silence: float = 0.0) -> _T:
        shared = self._shared
        try:
            return await listening
        except FAILURES as error:
            if isinstance(error, TimeoutError) and shared is not None:
                now = asyncio.get_running_loop().time()
                if now - shared.connection.heard_at >= silence:
                    shared.connection.end()
            raise self.failure(error) from error


class Subscriptions(Link):
    """A link over which many listen, each to a channel: they come and go while it is connected."""

    _inbox: Inbox | None = None

    async def add(self, channels: Sequence[str]) -> None:
        """Subscribe to more channels. Messages from before all are confirmed may be left out."""
        shared = await self._connected()
        inbox = self._inbox = self._inbox or Inbox()
        await self._kept(shared, shared.connection.subscribe(self._timeout, channels, inbox))

    def drop(self, channels: Sequence[str]) -> None:
        """End the subscription to some channels."""
        if self._inbox is not None and self._shared is not None:
            names = [channel.encode() for channel in channels]
            self._shared.connection.unsubscribe(self._inbox, self._timeout, names)

    async def hear(self, seconds: float, take: Take | None = None) -> list[Any]:
        """Wait for messages, and return all that have come; none if interrupted, or if none come in time.

        ``take`` is given what comes meanwhile, in the turn in which it is read: what it takes is not returned
        and what it raises is raised. If none come in time, the server was asked whether it is there, where it
        said nothing to anybody meanwhile.
        """
        shared = self._shared
        if shared is None or shared.connection.is_over:
            shared = await self._connected()
        inbox = self._inbox = self._inbox or Inbox()
        try:
            return await inbox.receive(seconds, take)
        except TimeoutError:
            pass
        except FAILURES as error:
            raise self.failure(error) from error
        if asyncio.get_running_loop().time() - shared.connection.heard_at >= seconds:
            await self._kept(shared, shared.connection.prove(self._timeout))
        return []

    @property
    def heard_at(self) -> float:
        """When the server last said something to anybody, by the loop's clock; 0: it is not connected."""
        return self._shared.connection.heard_at if self._shared is not None else 0.0

    def interrupt(self) -> None:
        """Let a waiting ``hear`` return, with nothing."""
        if self._inbox is not None:
            self._inbox.interrupt()

    def disconnect(self) -> None:
        inbox, self._inbox = self._inbox, None
        if inbox is not None:
            if self._shared is not None:
                self._shared.connection.unsubscribe(inbox, self._timeout)
            inbox.close(ConnectionError("the connection was given up"))
        super().disconnect()
