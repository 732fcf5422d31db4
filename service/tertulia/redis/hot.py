"""What is said on a connection to Redis once it is made: commands and their replies, or what is published.

Nothing here knows of masters, scripts or chats, and nothing is tried twice. It is RESP2, as a server
speaks until it is asked otherwise: over RESP3 the bus is slower by about a third.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, Final, cast

import msgspec
from hiredis import HiredisError, ProtocolError, Reader, pack_command

from tertulia.redis.errors import ErrorReply

Argument = str | bytes | int | float
_MORE: Final = object()
"""What the reader has where a reply is not all there."""
_MESSAGES: Final = (b"message", b"smessage")
_LEFT: Final = (b"unsubscribe", b"sunsubscribe")


class _Question(msgspec.Struct, gc=False):
    """What was sent, and is not answered yet."""

    waiter: "asyncio.Future[list[Any]] | None"
    """Whoever waits for the replies. Nobody may: then they are read and dropped."""
    wanted: int
    """How many replies there will be."""
    until: float
    """When they have to be there, by the loop's clock."""
    comes: "Inbox | None" = None
    """Who is subscribed with it."""
    goes: "Inbox | None" = None
    """Whose subscription it ends."""


class Inbox:
    """What is published on some channels, for the one who listens to them."""

    def __init__(self, channels: Iterable[bytes]) -> None:
        self.channels = tuple(channels)
        self.said: list[Any] = []
        """What has come, and was not received."""
        self.waiter: asyncio.Future[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._until = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self._error: Exception | None = None

    async def receive(self, seconds: float) -> list[Any]:
        """Wait for what comes, and return all that has come: nothing, if interrupted.

        Raises TimeoutError where nothing has come in so many seconds, OSError, HiredisError.
        """
        if not self.said:
            await self._wait(seconds)
        said, self.said = self.said, []
        return said

    def interrupt(self) -> None:
        """Have whoever receives go on, with nothing."""
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    def close(self, error: Exception) -> None:
        """Let nothing more come; whoever receives learns why, when he has what has come."""
        self._error = self._error or error
        if self._watch is not None:
            self._watch.cancel()
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_exception(error)

    async def _wait(self, seconds: float) -> None:
        if self._error is not None:
            raise self._error.with_traceback(None)
        # One timer goes on over any number of messages: one for each would cost more than they do.
        self._until = self._loop.time() + seconds
        if self._watch is None or self._watch.when() > self._until:
            if self._watch is not None:
                self._watch.cancel()
            self._watch = self._loop.call_at(self._until, self._look)
        waiter = self.waiter = self._loop.create_future()
        try:
            await waiter
        finally:
            self.waiter = None

    def _look(self) -> None:
        self._watch = None
        if self.waiter is None:
            return
        if self._loop.time() < self._until:
            self._watch = self._loop.call_at(self._until, self._look)
        elif not self.waiter.done():
            self.waiter.set_exception(TimeoutError("nothing came"))


class HotConnection(asyncio.Protocol):
    """Many ask on it, and each gets the replies to what it asked; or many listen, to channels of their own.

    Replies come in the order of the questions, so whatever goes wrong ends it for good and for all: nothing
    that comes later is ever taken for the reply to something else. Who is cancelled while it waits ends
    nothing, as its replies are read and dropped.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._reader = Reader(replyError=ErrorReply, notEnoughData=_MORE)
        self._transport: asyncio.Transport
        self._said: list[Any] = []
        self._questions: deque[_Question] = deque()
        self._watch: asyncio.TimerHandle | None = None
        self._error: Exception | None = None
        self._hearing: dict[bytes, Inbox] = {}
        self._is_bus = False
        self.is_over = False
        """Whether something went wrong, or it was ended."""
        self.heard_at = self._loop.time()
        """When anything came last to those who listen, by the loop's clock."""

    async def ask(self, seconds: float, *commands: Sequence[Argument]) -> list[Any]:
        """Send commands, and return their replies.

        Raises ErrorReply where one of them is a refusal, when all are there: the connection goes on.
        TimeoutError where they have not come in so many seconds, OSError, HiredisError.
        """
        replies = await self.request(seconds, *commands)
        for reply in replies:
            if isinstance(reply, ErrorReply):
                raise reply
        return replies

    def request(self, seconds: float, *commands: Sequence[Argument]) -> "asyncio.Future[list[Any]]":
        """Send commands, and return where their replies will be. Raises OSError, HiredisError.

        Unlike with ``ask``, refusals are among the replies.
        """
        waiter = self._loop.create_future()
        self._send(_Question(waiter, len(commands), self._loop.time() + seconds), *commands)
        return waiter

    async def subscribe(
        self, seconds: float, channels: Sequence[str], *, sharded: bool = False
    ) -> Inbox:
        """Listen to channels to which nobody else here listens; nothing but this can be asked then.

        What is published before all of them are confirmed is left out. Raises as ``ask``.
        """
        self._is_bus = True
        inbox = Inbox(channel.encode() for channel in channels)
        waiter = self._loop.create_future()
        until = self._loop.time() + seconds
        plain, by_shard = ("SUBSCRIBE", *channels), ("SSUBSCRIBE", *channels)
        question = _Question(waiter, len(channels), until, inbox)
        self._send(question, by_shard if sharded else plain)
        try:
            for reply in await waiter:
                if isinstance(reply, ErrorReply):
                    raise reply
        except asyncio.CancelledError:
            self.unsubscribe(inbox, seconds, sharded=sharded)
            raise
        return inbox

    def unsubscribe(self, inbox: Inbox, seconds: float, *, sharded: bool = False) -> None:
        """Listen no more; others go on."""
        inbox.close(ConnectionError("the connection was given up"))
        for channel in inbox.channels:
            self._hearing.pop(channel, None)
        for question in self._questions:
            if question.comes is inbox:
                question.comes = None
        if not self.is_over:
            plain: Sequence[Argument] = ("UNSUBSCRIBE", *inbox.channels)
            by_shard: Sequence[Argument] = ("SUNSUBSCRIBE", *inbox.channels)
            until = self._loop.time() + seconds
            question = _Question(None, len(inbox.channels), until, goes=inbox)
            self._send(question, by_shard if sharded else plain)

    def end(self) -> None:
        """Close the connection; whoever waits for something on it learns that it is lost."""
        self._fail(ConnectionError("the connection was given up"))

    def _send(self, question: _Question, *commands: Sequence[Argument]) -> None:
        if self._error is not None:
            raise self._error.with_traceback(None)
        # Its stub says a tuple of one.
        if len(commands) == 1:
            packed = pack_command(tuple(commands[0]))  # type: ignore[arg-type]
        else:
            packed = b"".join([pack_command(tuple(it)) for it in commands])  # type: ignore[arg-type]
        self._transport.write(packed)
        self._questions.append(question)
        # One timer goes on over any number of replies: one for each would cost more than they do.
        if self._watch is None or self._watch.when() > question.until:
            if self._watch is not None:
                self._watch.cancel()
            self._watch = self._loop.call_at(question.until, self._look)

    # --- What the loop calls ---------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        said = self._said
        reader = self._reader
        try:
            reader.feed(data)
            while (reply := reader.gets()) is not _MORE:
                said.append(reply)
            if self._is_bus:
                self._distribute()
                return
        except HiredisError as error:
            self._fail(error)
            return
        except (TypeError, ValueError, LookupError, MemoryError) as error:
            # RESP has what Python can't hold, as a map by lists: nothing that is said to us.
            self._fail(ProtocolError(f"Protocol error: {error}"))
            return
        questions = self._questions
        while questions and len(said) >= questions[0].wanted:
            question = questions.popleft()
            replies, said = said, said[question.wanted :]
            if said:
                del replies[question.wanted :]
            if question.waiter is not None and not question.waiter.done():
                question.waiter.set_result(replies)
        self._said = said

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc or ConnectionError("Redis closed the connection"))

    def _distribute(self) -> None:
        """Give what was published to those who listen: what came in one read is received at once."""
        said, self._said = self._said, []
        self.heard_at = self._loop.time()
        reached: list[Inbox] = []
        for message in said:
            if message.__class__ is list and message[0] in _MESSAGES:
                inbox = self._hearing.get(message[1])
                if inbox is not None:
                    if not inbox.said:
                        reached.append(inbox)
                    inbox.said.append(message)
            else:
                self._confirm(message)
        for inbox in reached:
            if inbox.waiter is not None and not inbox.waiter.done():
                inbox.waiter.set_result(None)

    def _confirm(self, reply: Any) -> None:
        """Take the reply to a subscription or to its end; or that Redis has ended one, as its slot moved."""
        question = self._questions[0] if self._questions else None
        if not isinstance(reply, ErrorReply) and reply[0] in _LEFT:
            goes = question.goes if question is not None else None
            if goes is None or reply[1] not in goes.channels:
                if (inbox := self._hearing.get(reply[1])) is not None:
                    inbox.said.append(reply)
                    inbox.interrupt()
                return
        if question is None:
            raise ValueError("a reply to nothing")
        # Of a refusal there is one, however many channels were named.
        question.wanted -= question.wanted if isinstance(reply, ErrorReply) else 1
        if question.wanted:
            return
        self._questions.popleft()
        if question.comes is not None and not isinstance(reply, ErrorReply):
            self._hearing.update(dict.fromkeys(question.comes.channels, question.comes))
        if question.waiter is not None and not question.waiter.done():
            question.waiter.set_result([reply])

    def _look(self) -> None:
        self._watch = None
        if not self._questions:
            return
        until = min(question.until for question in self._questions)
        if self._loop.time() < until:
            self._watch = self._loop.call_at(until, self._look)
        else:
            self._fail(TimeoutError("nothing came"))

    def _fail(self, error: Exception) -> None:
        if self.is_over:
            return
        self.is_over = True
        self._error = error
        self._transport.abort()
        if self._watch is not None:
            self._watch.cancel()
        for question in self._questions:
            if question.waiter is not None and not question.waiter.done():
                question.waiter.set_exception(error)
        self._questions.clear()
        for inbox in set(self._hearing.values()):
            inbox.close(error)
