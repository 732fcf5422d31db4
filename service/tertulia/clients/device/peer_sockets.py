"""The sockets of a live chat: the device's own port, and connections to and from peers."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import cast

from tertulia.clients.device.effects import (
    Close,
    Dial,
    Effect,
    Locate,
    NoPlace,
    Pause,
    PeerPlace,
    ReadOn,
    Send,
    Told,
)
from tertulia.clients.device.hosts import source_to
from tertulia.clients.device.live_chat import LiveChat

DIAL_SECONDS = 5.0
"""For which a peer is dialled again and again: it may not listen yet."""
CONNECT_SECONDS = 2.0
"""For one attempt: from the address that the service has of me, and from any, where that fails."""
DIAL_PAUSE_SECONDS = 0.2
FLUSH_SECONDS = 1.0
"""For what was sent to be written, at the end."""
GOING_SECONDS = 3.0
"""For a peer that goes to close: an old program reads on for a second, and crashes where it reads the end."""
MAX_BACKLOG = 1_048_576
"""Bytes that may wait for a peer that does not read."""

# A peer whose machine is gone says nothing at all: it is noticed within half a minute.
_KEEPALIVE = (
    ("TCP_KEEPIDLE", 15),
    ("TCP_KEEPINTVL", 5),
    ("TCP_KEEPCNT", 3),
    ("TCP_USER_TIMEOUT", 30_000),
)

Locator = Callable[[Locate], Awaitable[PeerPlace | NoPlace]]
"""Asks the service where a device is. It does not take for ever."""


class PeerSockets:
    """Carries out what a live chat asks for, and feeds it what comes.

    One chat at a time; while there is none, a peer that dials is hung up on.
    """

    def __init__(self, own_address: Callable[[], str] = str) -> None:
        """``own_address``: the address by which the service knows this device; empty: not known."""
        self._own_address = own_address
        self._chat: LiveChat | None = None
        self._locate: Locator
        self._learn: Callable[[Told], None]
        self._links: dict[int, _Connection] = {}
        self._dialling: dict[int, asyncio.Task[None]] = {}
        self._locating: set[asyncio.Task[None]] = set()
        self._closing: set[_Connection] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._server: asyncio.Server | None = None

    async def listen(self, host: str | None, port: int) -> None:
        """Listen on the device's own port; on ``::`` or None for IPv4 as well. Raises OSError."""
        loop = asyncio.get_running_loop()
        host = None if host == "::" else host  # the loop would take IPv6 alone
        self._server = await loop.create_server(lambda: _Connection(self, None), host, port)

    def attach(self, chat: LiveChat, locate: Locator, learn: Callable[[Told], None]) -> None:
        """Serve a chat; ``learn`` is told what is not for sockets."""
        self._chat, self._locate, self._learn = chat, locate, learn

    def detach(self) -> None:
        """Serve no chat any more, and close what is left of it."""
        self._chat = None
        for locating in self._locating:
            locating.cancel()
        for number in [*self._links, *self._dialling]:
            self._close(number)
        self._arm()

    async def close(self) -> None:
        """Stop listening, and give what was sent a moment to be written."""
        self.detach()
        if self._server is not None:
            self._server.close()
        closing = [asyncio.ensure_future(connection.gone.wait()) for connection in self._closing]
        if closing:
            await asyncio.wait(closing, timeout=FLUSH_SECONDS)
        for connection in list(self._closing):
            connection.transport.abort()

    def carry_out(self, effects: Sequence[Effect]) -> None:
        """Do what a chat asks for, and arm the timer for what it will ask for."""
        for effect in effects:
            match effect:
                case Send(link=number, data=data):
                    self._send(number, data)
                case Locate():
                    locating = asyncio.create_task(self._look(effect))
                    self._locating.add(locating)
                    locating.add_done_callback(self._locating.discard)
                case Dial(link=number, place=place):
                    self._dialling[number] = asyncio.create_task(self._dial(number, place))
                case Pause(link=number) if number in self._links:
                    self._links[number].transport.pause_reading()
                case ReadOn(link=number) if number in self._links:
                    self._links[number].transport.resume_reading()
                case Pause() | ReadOn():
                    pass  # it is gone
                case Close(link=number, patient=patient):
                    self._close(number, GOING_SECONDS if patient else 0.0)
                case _:
                    self._learn(effect)
        self._arm()

    # What connections tell

    def made(self, connection: "_Connection") -> None:
        """Take in a connection that was made, by me or to me."""
        now = _now()
        if self._chat is None:
            connection.transport.abort()
        elif connection.number is None:
            connection.number, effects = self._chat.accepted(connection.remote_host, now)
            self._links[connection.number] = connection
            self.carry_out(effects)
        else:
            del self._dialling[connection.number]
            self._links[connection.number] = connection
            self.carry_out(self._chat.connected(connection.number, now))

    def received(self, connection: "_Connection", data: bytes) -> None:
        """Take what came over a connection."""
        if self._chat is not None and self._is_ours(connection) and connection.number is not None:
            self.carry_out(self._chat.received(connection.number, data, _now()))

    def lost(self, connection: "_Connection") -> None:
        """Learn that a connection is gone."""
        self._closing.discard(connection)
        if self._is_ours(connection) and connection.number is not None:
            del self._links[connection.number]
            if self._chat is not None:
                self.carry_out(
                    self._chat.closed(connection.number, _now(), is_deaf=connection.is_deaf)
                )

    def _is_ours(self, connection: "_Connection") -> bool:
        number = connection.number
        return number is not None and self._links.get(number) is connection

    def _send(self, number: int, data: bytes) -> None:
        connection = self._links.get(number)
        if connection is None:
            return
        connection.transport.write(data)
        if connection.transport.get_write_buffer_size() > MAX_BACKLOG:
            connection.is_deaf = True
            connection.transport.abort()

    def _close(self, number: int, after: float = 0.0) -> None:
        task = self._dialling.pop(number, None)
        if task is not None:
            task.cancel()
        connection = self._links.pop(number, None)
        if connection is not None:
            self._closing.add(connection)
            loop = asyncio.get_running_loop()
            loop.call_later(after, connection.transport.close)
            loop.call_later(after + FLUSH_SECONDS, connection.transport.abort)

    async def _look(self, asked: Locate) -> None:
        place = await self._locate(asked)
        if self._chat is not None:
            self.carry_out(self._chat.located(asked.name, place, _now()))

    async def _dial(self, number: int, place: PeerPlace) -> None:
        try:
            async with asyncio.timeout(DIAL_SECONDS):
                while True:
                    if await self._connect(number, place):
                        return
                    await asyncio.sleep(DIAL_PAUSE_SECONDS)
        except TimeoutError:
            self._dialling.pop(number, None)
            if self._chat is not None:
                self.carry_out(self._chat.closed(number, _now()))

    async def _connect(self, number: int, place: PeerPlace) -> bool:
        loop = asyncio.get_running_loop()
        own = source_to(self._own_address(), place.host)
        # From another address I would be a stranger there; but old programs don't look.
        for source in (None,) if own is None else ((own, 0), None):
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    await loop.create_connection(
                        lambda: _Connection(self, number), place.host, place.port, local_addr=source
                    )
            except ConnectionRefusedError:
                return False  # it does not listen yet, wherever I come from
            except OSError:
                continue
            return True
        return False

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        at = None if self._chat is None else self._chat.deadline
        if at is not None:
            self._timer = asyncio.get_running_loop().call_at(at, self._tick)

    def _tick(self) -> None:
        self._timer = None
        if self._chat is not None:
            self.carry_out(self._chat.tick(_now()))


class _Connection(asyncio.Protocol):
    """A connection with a peer. Its number is the chat's; None until the chat has given it one."""

    def __init__(self, owner: PeerSockets, number: int | None) -> None:
        self.number = number
        self.gone = asyncio.Event()
        self.is_deaf = False
        """Whether too much waits for the peer to read it."""
        self.transport: asyncio.Transport
        self._owner = owner

    @property
    def remote_host(self) -> str:
        address = self.transport.get_extra_info("peername")
        return str(address[0]) if address else ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEPALIVE:
            option = getattr(socket, name, None)  # not every system has each
            if option is not None:
                sock.setsockopt(socket.IPPROTO_TCP, option, value)
        self._owner.made(self)

    def data_received(self, data: bytes) -> None:
        self._owner.received(self, data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone.set()
        self._owner.lost(self)


def _now() -> float:
    return asyncio.get_running_loop().time()
