"""The traffic on a connection to Redis once it is made: commands and replies, or published messages.

Nothing here knows of masters, scripts or chats, and nothing is tried twice. The protocol is RESP2, a
server's default: over RESP3 the bus is slower by about a third.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Protocol

import msgspec
from hiredis import HiredisError, ProtocolError, Reader, pack_command

from tertulia.redis.errors import ErrorReply

Argument = str | bytes | int | float
Take = Callable[[list[Any]], bool]
"""Takes messages, and says whether it did."""
_MORE: Final = object()
"""What the reader returns while a reply is incomplete."""
_MESSAGES: Final = (b"message", b"smessage")
_LEFT: Final = (b"unsubscribe", b"sunsubscribe")


class Waiter(Protocol):
    """Who waits for replies: a future of them, or what is told in the turn in which they come."""

    def done(self) -> bool:
        """Say whether they are not wanted any more."""
        ...

    def set_result(self, replies: list[Any], /) -> None:
        """Take the replies."""
        ...

    def set_exception(self, error: Exception, /) -> None:
        """Take why there will be none."""
        ...


class _Question(msgspec.Struct, gc=False):
    """Commands that were sent and are not answered yet."""

    waiter: Waiter | None
    """Who is given the replies. None, or done: they are read and dropped."""
    wanted: int
    """How many replies there will be."""
    until: float
    """When the replies have to be there, by the loop's clock."""
    comes: "Inbox | None" = None
    """The inbox for which it subscribes."""
    goes: bool = False
    """Whether it ends subscriptions."""
    channels: tuple[bytes, ...] = ()
    """The channels of either."""
    refusal: "ErrorReply | None" = None
    """The first one, where there are several commands."""


class Inbox:
    """The messages that are published on some channels, for one listener."""

    def __init__(self) -> None:
        self.channels: set[bytes] = set()
        """Those that are confirmed."""
        self.said: list[Any] = []
        """Messages that have come and were not received yet."""
        self.waiter: asyncio.Future[None] | None = None
        self._take: Take | None = None
        self._loop = asyncio.get_running_loop()
        self._until = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self._error: Exception | None = None

    async def receive(self, seconds: float, take: Take | None = None) -> list[Any]:
        """Wait for messages, and return all that have come; none if interrupted.

        ``take`` is given what comes meanwhile, in the turn in which it is read: what it takes is not returned
        and what it raises is raised. Raises TimeoutError if nothing to return has come in so many seconds,
        OSError, HiredisError.
        """
        if not self.said:
            self._take = take
            try:
                await self._wait(seconds)
            finally:
                self._take = None
        said, self.said = self.said, []
        return said

    def bring(self, messages: list[Any]) -> None:
        """Add messages behind those that are here."""
        take, waiter = self._take, self.waiter
        if take is not None and waiter is not None and not waiter.done():
            try:
                if take(messages):
                    return
            except Exception as error:  # those who receive have made it, and not the connection
                waiter.set_exception(error)
                return
        self.said += messages
        self.interrupt()

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

    def __init__(self, transport: asyncio.WriteTransport, writer: object = None) -> None:
        """``writer`` is kept: a StreamWriter that is garbage-collected closes its transport."""
        self._loop = asyncio.get_running_loop()
        self._reader = Reader(replyError=ErrorReply, notEnoughData=_MORE)
        self._transport = transport
        self._writer = writer
        self.is_sharded = False
        """Whether its server publishes to a channel's own shard only."""
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

    def request_for(self, waiter: Waiter, seconds: float, *commands: Sequence[Argument]) -> None:
        """Send commands, whose replies go to ``waiter``, as with ``request``."""
        self._send(_Question(waiter, len(commands), self._loop.time() + seconds), *commands)

    async def subscribe(
        self, seconds: float, channels: Sequence[str], inbox: Inbox | None = None
    ) -> Inbox:
        """Listen to channels to which nobody else here listens. After that only (un)subscribing is possible.

        ``inbox``: one that listens to others already. Messages that are published before all channels are
        confirmed may be left out. Raises as ``ask``.
        """
        self._is_bus = True
        inbox = Inbox() if inbox is None else inbox
        waiter = self._loop.create_future()
        until = self._loop.time() + seconds
        names = tuple(channel.encode() for channel in channels)
        question = _Question(waiter, len(names), until, inbox, channels=names)
        self._send(question, *self._each("SSUBSCRIBE" if self.is_sharded else "SUBSCRIBE", names))
        try:
            for reply in await waiter:
                if isinstance(reply, ErrorReply):
                    raise reply
        except asyncio.CancelledError:
            self.unsubscribe(inbox, seconds, names)
            raise
        return inbox

    def unsubscribe(
        self, inbox: Inbox, seconds: float, channels: Iterable[bytes] | None = None
    ) -> None:
        """End one listener's subscription, to some channels or to all of them; the others go on."""
        names = tuple(inbox.channels if channels is None else channels)
        if channels is None:
            inbox.close(ConnectionError("the connection was given up"))
        for question in self._questions:
            if question.comes is inbox and (channels is None or question.channels == names):
                question.comes = None
                names = (*names, *(name for name in question.channels if name not in names))
        for channel in names:
            self._hearing.pop(channel, None)
            inbox.channels.discard(channel)
        if names and not self.is_over:
            until = self._loop.time() + seconds
            question = _Question(None, len(names), until, goes=True, channels=names)
            self._send(
                question, *self._each("SUNSUBSCRIBE" if self.is_sharded else "UNSUBSCRIBE", names)
            )

    async def prove(self, seconds: float) -> None:
        """Wait until the server answers, on a connection on which many listen. Raises as ``ask``.

        It is asked for a channel that is subscribed already: nobody needs another permission for that.
        """
        channel = next(iter(self._hearing), None)
        if channel is None:
            return
        waiter = self._loop.create_future()
        question = _Question(waiter, 1, self._loop.time() + seconds)
        command = "SSUBSCRIBE" if self.is_sharded else "SUBSCRIBE"
        self._send(question, (command, channel))
        for reply in await waiter:
            if isinstance(reply, ErrorReply):
                raise reply

    def _each(self, command: str, channels: Sequence[bytes]) -> list[Sequence[Argument]]:
        """Return what does something for channels. A shard's channels may each be of another slot."""
        if self.is_sharded:
            return [(command, channel) for channel in channels]
        return [(command, *channels)]

    def end(self) -> None:
        """Close the connection; calls that wait for something on it fail."""
        self._fail(ConnectionError("the connection was given up"))

    def _send(self, question: _Question, *commands: Sequence[Argument]) -> None:
        if self._error is not None:
            raise self._error.with_traceback(None)
        # The stub of pack_command names a tuple of one element.
        self._transport.write(b"".join(map(pack_command, map(tuple, commands))))  # type: ignore[arg-type]
        self._questions.append(question)
        # One timer serves any number of replies: a timer for each would cost more than the reply.
        if self._watch is None or self._watch.when() > question.until:
            if self._watch is not None:
                self._watch.cancel()
            self._watch = self._loop.call_at(question.until, self._look)

    # --- What the loop calls ---------------------------------------------------------------------

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
        done = 0
        while questions and len(said) >= (end := done + questions[0].wanted):
            waiter = questions.popleft().waiter
            if waiter is not None and not waiter.done():
                waiter.set_result(said[done:end])
            done = end
        del said[:done]

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc or ConnectionError("Redis closed the connection"))

    def _distribute(self) -> None:
        """Give published messages to the listeners: those of one read are received at once."""
        said, self._said = self._said, []
        self.heard_at = self._loop.time()
        reached: dict[Inbox, list[Any]] = {}
        for message in said:
            if message.__class__ is list and message[0] in _MESSAGES:
                inbox = self._hearing.get(message[1])
                if inbox in reached:
                    reached[inbox].append(message)
                elif inbox is not None:
                    reached[inbox] = [message]
            else:
                self._bring(reached)
                self._confirm(message)
        self._bring(reached)

    @staticmethod
    def _bring(reached: dict[Inbox, list[Any]]) -> None:
        while reached:
            inbox, messages = reached.popitem()
            inbox.bring(messages)

    def _confirm(self, reply: Any) -> None:
        """Take the reply to (un)subscribing, or the notice that Redis ended one because its slot moved."""
        question = self._questions[0] if self._questions else None
        is_refusal = isinstance(reply, ErrorReply)
        if (
            not is_refusal
            and reply[0] in _LEFT
            and not (question is not None and question.goes and reply[1] in question.channels)
        ):
            if (inbox := self._hearing.get(reply[1])) is not None:
                inbox.bring([reply])
            return
        if question is None:
            raise ValueError("a reply to nothing")
        # There is one refusal for each command, and one command for all channels but those of shards.
        question.wanted -= question.wanted if is_refusal and not self.is_sharded else 1
        question.refusal = question.refusal or (reply if is_refusal else None)
        if question.wanted:
            return
        reply = question.refusal or reply
        self._questions.popleft()
        if question.comes is not None and not isinstance(reply, ErrorReply):
            self._hearing.update(dict.fromkeys(question.channels, question.comes))
            question.comes.channels.update(question.channels)
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
