"""The traffic on a connection to Redis once it is made: commands and replies, or published messages.

Nothing here knows of masters, scripts or chats, and nothing is tried twice. The protocol is RESP2, a
server's default: over RESP3 the bus is slower by about a third.
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
"""What the reader returns while a reply is incomplete."""
_MESSAGES: Final = (b"message", b"smessage")
_LEFT: Final = (b"unsubscribe", b"sunsubscribe")


class _Question(msgspec.Struct, gc=False):
    """Commands that were sent and are not answered yet."""

    waiter: "asyncio.Future[list[Any]] | None"
    """The future of the replies. None, or cancelled: the replies are read and dropped."""
    wanted: int
    """How many replies there will be."""
    until: float
    """When the replies have to be there, by the loop's clock."""
    comes: "Inbox | None" = None
    """The inbox that it subscribes."""
    goes: "Inbox | None" = None
    """The inbox whose subscription it ends."""


class Inbox:
    """The messages that are published on some channels, for one listener."""

    def __init__(self, channels: Iterable[bytes]) -> None:
        self.channels = tuple(channels)
        self.said: list[Any] = []
        """Messages that have come and were not received yet."""
        self.waiter: asyncio.Future[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._until = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self._error: Exception | None = None

    async def receive(self, seconds: float) -> list[Any]:
        """Wait for messages, and return all that have come; none if interrupted.

        Raises TimeoutError if nothing has come in so many seconds, OSError, HiredisError.
        """
        if not self.said:
            await self._wait(seconds)
        said, self.said = self.said, []
        return said

    def interrupt(self) -> None:
        """Let a waiting ``receive`` return, with nothing."""
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    def close(self, error: Exception) -> None:
        """Let nothing more come. ``receive`` first returns what has come, then raises ``error``."""
        self._error = self._error or error
        if self._watch is not None:
            self._watch.cancel()
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_exception(error)

    async def _wait(self, seconds: float) -> None:
        if self._error is not None:
            raise self._error.with_traceback(None)
        # One timer serves any number of messages: a timer for each would cost more than the message.
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
    """A connection on which many ask, and each gets its replies; or many listen, each to its channels.

    Replies come in the order of the questions. So any error but a refusal ends the connection, for all
    and for good: no later reply is ever taken for the reply to another question. A caller that is cancelled
    while it waits ends nothing: its replies are read and dropped.
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
        """When something last came for any listener, by the loop's clock."""

    async def ask(self, seconds: float, *commands: Sequence[Argument]) -> list[Any]:
        """Send commands, and return their replies.

        Raises ErrorReply if one of them is a refusal, when all have come: the connection goes on. Raises
        TimeoutError if they have not come in so many seconds, OSError, HiredisError.
        """
        replies = await self.request(seconds, *commands)
        for reply in replies:
            if isinstance(reply, ErrorReply):
                raise reply
        return replies

    def request(self, seconds: float, *commands: Sequence[Argument]) -> "asyncio.Future[list[Any]]":
        """Send commands, and return the future of their replies. Raises OSError, HiredisError.

        Unlike with ``ask``, refusals are among the replies.
        """
        waiter = self._loop.create_future()
        self._send(_Question(waiter, len(commands), self._loop.time() + seconds), *commands)
        return waiter

    async def subscribe(
        self, seconds: float, channels: Sequence[str], *, sharded: bool = False
    ) -> Inbox:
        """Listen to channels to which nobody else here listens. After that only (un)subscribing is possible.

        Messages that are published before all channels are confirmed are left out. Raises as ``ask``.
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
        """End one listener's subscription; the others go on."""
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
        """Close the connection; calls that wait for something on it fail."""
        self._fail(ConnectionError("the connection was given up"))

    def _send(self, question: _Question, *commands: Sequence[Argument]) -> None:
        if self._error is not None:
            raise self._error.with_traceback(None)
        # The stub of pack_command names a tuple of one element.
        if len(commands) == 1:
            packed = pack_command(tuple(commands[0]))  # type: ignore[arg-type]
        else:
            packed = b"".join([pack_command(tuple(it)) for it in commands])  # type: ignore[arg-type]
        self._transport.write(packed)
        self._questions.append(question)
        # One timer serves any number of replies: a timer for each would cost more than the reply.
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
            # RESP has values that Python can't hold, as a map with lists as keys. Redis sends us none.
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
        """Give published messages to the listeners: those of one read are received at once."""
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
        """Take the reply to (un)subscribing, or the notice that Redis ended one because its slot moved."""
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
        # There is only one refusal, however many channels were named.
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
