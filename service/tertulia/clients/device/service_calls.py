"""Calls to the service: a short connection for each operation, tried again where that makes sense."""

import asyncio
import os
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar, cast

from tertulia.clients.device.exchange import Run, Steps
from tertulia.clients.device.wire import MAX_STRING, FrameDecoder, Garbage
from tertulia.domain.addresses import host_port

T = TypeVar("T")

MAX_UNREAD = 4 * MAX_STRING
"""Bytes that the service may send unasked before it is hung up on: they would fill the memory."""
UNANSWERED_TRIES = 2
"""The service also hangs up on a device that is not logged in, and will do so again."""
_RESET = struct.pack("ii", 1, 0)  # to linger for no time at all: the other side reads a reset


@dataclass(frozen=True, slots=True)
class Retrying:
    """How long to wait for the service. All in seconds."""

    connect: float = 5.0
    answer: float = 10.0
    """For an operation's next answer: time enough for a busy service to verify a password."""
    exchange: float = 60.0
    """For all answers of an operation, however slowly they trickle in."""
    close: float = 2.0
    """For the service to close in its turn: it then has taken everything."""
    pauses: tuple[float, ...] = (0.3, 1.0, 2.0, 3.0)
    """Between the tries: a node that is started again is there within them."""


class ServiceError(Exception):
    """The service did not do what was asked. The text is for the person."""


class Away(ServiceError):
    """Nobody listens there: the service was asked nothing."""


class NoAnswer(ServiceError):
    """The service was asked and may have done it; no answer came in time."""


class HungUp(NoAnswer):
    """The service ended the connection without the answer."""


class Garbled(ServiceError):
    """Whatever listens there, it is no service for devices."""


class Call(asyncio.Protocol):
    """One connection to the service, on which exchanges run one after the other."""

    def __init__(self, where: str, patience: Retrying) -> None:
        self._where = where
        self._patience = patience
        self._frames = FrameDecoder()
        self._arrived = asyncio.Event()
        self._lost = asyncio.Event()
        self._in_order = True
        self._transport: asyncio.Transport

    async def do(self, steps: Steps[T], *, for_ever: bool = False) -> T:
        """Run an exchange and return its result; ``for_ever``: however long it takes.

        Raises ServiceError.
        """
        within = None if for_ever else self._patience.answer
        run = Run(self._frames, steps)
        try:
            async with asyncio.timeout(None if for_ever else self._patience.exchange):
                return await self._run(run, within)
        except TimeoutError:
            self._break()
            raise NoAnswer(f"The service at {self._where} did not answer in time.") from None
        except Garbage as error:
            self._break()
            raise Garbled(f"What answers at {self._where} is no service for devices.") from error
        except asyncio.CancelledError:
            self._break()
            raise

    async def _run(self, run: Run[T], within: float | None) -> T:
        while True:
            for step in run.advance():
                if isinstance(step, bytes):
                    self.send(step)
            if run.done:
                return run.result
            if self._lost.is_set():
                raise HungUp(
                    f"The service at {self._where} ended the connection without an answer. If it "
                    "does so again, log in again."
                )
            self._arrived.clear()
            async with asyncio.timeout(within):
                await self._arrived.wait()

    def send(self, data: bytes) -> None:
        """Send what belongs to no exchange."""
        if not self._transport.is_closing():
            self._transport.write(data)

    def end(self) -> None:
        """Say that no more will come."""
        if not self._transport.is_closing():
            self._transport.write_eof()

    async def close(self) -> bool:
        """Close in order, and return whether the service did so too: it took what was sent."""
        self.end()
        try:
            async with asyncio.timeout(self._patience.close):
                await self._lost.wait()
        except TimeoutError:
            return False
        finally:
            self._transport.abort()  # nothing is left to send or to read, or there was no end to it
        return self._in_order

    def _break(self) -> None:
        """Close out of order: messages that were asked for stay pending, as they were not shown."""
        if not self._lost.is_set():
            self._in_order = False
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._frames.feed(data)
        self._arrived.set()
        if len(self._frames) > MAX_UNREAD:
            self._break()

    def connection_lost(self, exc: Exception | None) -> None:
        self._in_order = self._in_order and exc is None
        self._lost.set()
        self._arrived.set()


class Service:
    """Where the service is, and how to ask it for something."""

    def __init__(
        self,
        host: str,
        port: int,
        tell: Callable[[str], None],
        patience: Retrying = Retrying(),
        source: str | None = None,
    ) -> None:
        """``tell``: how the person learns that it takes longer.

        ``source``: the address to come from, which the service tells to others as this device's.
        """
        self._source = None if source is None else (source, 0)
        self._patience = patience
        self._host = host
        self.address = host
        """Where the last call got to."""
        self.own_address = ""
        """Where it came from: by this the service knows me, unless somebody is in between."""
        self._port = port
        self._tell = tell
        self.where = host_port(host, port)

    async def call(
        self, steps: Callable[[], Steps[T]], *, repeatable: bool = True, patient: bool = True
    ) -> T:
        """Run an operation on a connection of its own, and close that in order.

        Raises ServiceError, after some tries; without ``patient`` after the first one, and without
        ``repeatable`` as soon as the service may have done it.
        """
        call, result = await self.open(steps, repeatable=repeatable, patient=patient)
        await call.close()
        return result

    async def open(
        self, steps: Callable[[], Steps[T]], *, repeatable: bool = True, patient: bool = True
    ) -> tuple[Call, T]:
        """Do as ``call`` does, and leave the connection open."""
        unanswered = 0
        told = False
        for pause in (*(self._patience.pauses if patient else ()), None):
            try:
                call = await self._connect()
            except Away:
                if pause is None:
                    raise
            else:
                try:
                    return call, await call.do(steps())
                except NoAnswer:
                    unanswered += 1
                    if pause is None or not repeatable or unanswered == UNANSWERED_TRIES:
                        raise
            if not told:
                told = True
                self._tell(f"The service at {self.where} does not answer; trying again …")
            await asyncio.sleep(pause)
        raise AssertionError("the last try returns or raises")

    async def _connect(self) -> Call:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._patience.connect):
                transport, call = await loop.create_connection(
                    lambda: Call(self.where, self._patience),
                    self._host,
                    self._port,
                    local_addr=self._source,
                )
        except OSError as error:  # TimeoutError is one
            raise Away(
                f"The service at {self.where} is away ({_reason(error)}). Try again later."
            ) from error
        # None where it broke at once: then the call will say so.
        self.address = (transport.get_extra_info("peername") or (self._host,))[0]
        self.own_address = (transport.get_extra_info("sockname") or ("",))[0]
        return call


def _reason(error: OSError) -> str:
    """Return why there is no connection, in the system's words and not the event loop's."""
    if isinstance(error, socket.gaierror):
        return str(error.strerror)
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return os.strerror(error.errno) if error.errno else "no address of it answers"
