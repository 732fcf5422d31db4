"""What is said on a connection to Redis once it is made: commands and their replies, or what is published.

Nothing here knows of masters, scripts or channels, and nothing is tried twice. It is RESP2, as a server
speaks until it is asked otherwise: over RESP3 the bus is slower by about a third.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final, cast

from hiredis import HiredisError, ProtocolError, Reader, pack_command

from tertulia.redis.errors import ErrorReply

Argument = str | bytes | int | float
_MORE: Final = object()
"""What the reader has where a reply is not all there."""


class Connection(asyncio.Protocol):
    """One task asks and is answered; or, after ``send``, it receives what comes.

    Whatever goes wrong, also that whoever waits for a reply is cancelled, ends it for good: nothing that
    comes later is ever taken for the reply to something else.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._reader = Reader(replyError=ErrorReply, notEnoughData=_MORE)
        self._transport: asyncio.Transport
        self._said: list[Any] = []
        self._wanted = 0
        self._waiter: asyncio.Future[None] | None = None
        self._until = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self._error: Exception | None = None

    @property
    def is_over(self) -> bool:
        """Whether something went wrong, or it was ended."""
        return self._error is not None

    async def ask(self, seconds: float, *commands: Sequence[Argument]) -> list[Any]:
        """Send commands, and return their replies.

        Raises ErrorReply where one of them is a refusal, when all are there: the connection goes on.
        TimeoutError where they have not come in so many seconds, OSError, HiredisError.
        """
        self.send(*commands)
        await self._wait(seconds, len(commands))
        return self._take()

    async def receive(self, seconds: float) -> list[Any]:
        """Wait for what comes, and return all that has come: nothing, if interrupted. Raises as ``ask``."""
        if not self._said:
            await self._wait(seconds, 1)
        return self._take()

    def interrupt(self) -> None:
        """Have whoever receives go on, with nothing. Nobody may be asking."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def end(self) -> None:
        """Close the connection; whoever waits for something on it learns that it is lost."""
        self._fail(ConnectionError("the connection was given up"))

    def send(self, *commands: Sequence[Argument]) -> None:
        """Send commands. Raises OSError, HiredisError."""
        if self._error is not None:
            raise self._error
        # Its stub says a tuple of one.
        packed = [pack_command(tuple(it)) for it in commands]  # type: ignore[arg-type]
        self._transport.write(packed[0] if len(packed) == 1 else b"".join(packed))

    def _take(self) -> list[Any]:
        said, self._said = self._said, []
        for reply in said:
            if isinstance(reply, ErrorReply):
                raise reply
        return said

    async def _wait(self, seconds: float, wanted: int) -> None:
        """Wait until so much was said."""
        if self._error is not None:
            raise self._error
        self._wanted = wanted
        # One timer goes on over any number of replies: one for each would cost more than they do.
        self._until = self._loop.time() + seconds
        if self._watch is None or self._watch.when() > self._until:
            if self._watch is not None:
                self._watch.cancel()
            self._watch = self._loop.call_at(self._until, self._look)
        waiter = self._waiter = self._loop.create_future()
        try:
            await waiter
        except BaseException:
            self.end()
            raise
        finally:
            self._waiter = None

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
        except HiredisError as error:
            self._fail(error)
            return
        except (TypeError, ValueError, MemoryError) as error:
            # RESP has what Python can't hold, as a map by lists: nothing that is said to us.
            self._fail(ProtocolError(f"Protocol error: {error}"))
            return
        if len(said) >= self._wanted and self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc or ConnectionError("Redis closed the connection"))

    def _look(self) -> None:
        self._watch = None
        if self._waiter is None:
            return
        if self._loop.time() < self._until:
            self._watch = self._loop.call_at(self._until, self._look)
        else:
            self._fail(TimeoutError("nothing came"))

    def _fail(self, error: Exception) -> None:
        if self._error is not None:
            return
        self._error = error
        self._transport.abort()
        if self._watch is not None:
            self._watch.cancel()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)
