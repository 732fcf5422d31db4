"""Gives a talk its sockets and the time, and does what is due: over one address of the chat, or several."""

import asyncio
import itertools
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from tertulia.clients.chat.addresses import ChatAddress
from tertulia.clients.chat.talk import Talk
from tertulia.clients.chat.way import OpenSocket, SendFrame

_MOST_BYTES: Final = 64 * 1024 * 1024
"""Of a frame: a welcome names everybody who is there."""
_OPENING: Final = 10.0
"""Seconds for a connection to open."""
_CLOSING: Final = 1.0
"""Seconds for the other side to answer a close."""
_STATUS: Final = {
    403: "The service lets nobody connect from here (403).",
    404: "There is no chat at {url} (404).",
    421: "The service does not answer to the name {host} (421).",
    502: "The proxy there finds no node (502).",
    503: "No node is there now (503).",
}


class TalkConnection:
    """One connection at a time. ``changed`` is called when the talk may have changed."""

    def __init__(
        self,
        talk: Talk,
        addresses: Sequence[ChatAddress],
        changed: Callable[[], None],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.failures = 0
        """How many connections could not be opened since the last one that was."""
        self._talk = talk
        self._addresses = itertools.cycle(addresses)
        self._changed = changed
        self._tls = tls
        self._something = asyncio.Event()
        self._serving: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._outgoing = asyncio.Queue[bytes]()

    def poke(self) -> None:
        """Note that the person did something."""
        self._something.set()

    async def run(self) -> None:
        """Do what the talk wants, until this is cancelled."""
        try:
            while True:
                self._talk.clock(time.time(), now())
                self._talk.due(now())
                self._act()
                self._changed()
                self._act()  # what came of that
                deadline = self._talk.deadline
                with suppress(TimeoutError):
                    async with asyncio.timeout(
                        None if deadline is None else max(0.0, deadline - now())
                    ):
                        await self._something.wait()
                self._something.clear()
                if self._serving is not None and self._serving.done():
                    self._serving.result()  # a defect is not to be waited out
        finally:
            self._drop()
            if self._ending:
                await asyncio.wait(self._ending)

    def _act(self) -> None:
        for act in self._talk.take_acts():
            match act:
                case OpenSocket():
                    self._drop()
                    self._outgoing = asyncio.Queue()
                    self._serving = asyncio.create_task(
                        self._serve(next(self._addresses), self._outgoing)
                    )
                    self._serving.add_done_callback(lambda _: self.poke())
                case SendFrame(frame):
                    self._outgoing.put_nowait(msgspec.json.encode(frame))
                case _:
                    self._drop()

    def _drop(self) -> None:
        task, self._serving = self._serving, None
        if task is not None and not task.done():
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
            task.cancel()

    async def _serve(self, address: ChatAddress, outgoing: asyncio.Queue[bytes]) -> None:
        try:
            connection = await self._open(address)
        except (OSError, InvalidHandshake, TimeoutError, ValueError) as error:
            self.failures += 1
            self._talk.closed(None, "", now(), explained(error, address))
            self.poke()
            return
        writing = asyncio.create_task(_write(connection, outgoing))
        try:
            self.failures = 0
            self._talk.opened(now())
            self.poke()
            with suppress(ConnectionClosed):
                async for frame in connection:
                    self._talk.received(frame, now())
                    self.poke()
            self._talk.closed(connection.close_code, connection.close_reason or "", now())
            self.poke()
        finally:
            writing.cancel()
            with suppress(TimeoutError):
                async with asyncio.timeout(_CLOSING):
                    await connection.close()
            connection.transport.abort()

    async def _open(self, address: ChatAddress) -> ClientConnection:
        return await connect(
            address.url,
            compression=None,
            proxy=None if address.is_here else True,
            ssl=self._tls if address.url.startswith("wss:") else None,
            open_timeout=_OPENING,
            ping_interval=None,  # the frames of browser.md ask whether the service is there
            max_size=_MOST_BYTES,
        )


async def _write(connection: ClientConnection, outgoing: asyncio.Queue[bytes]) -> None:
    with suppress(ConnectionClosed):
        while True:
            await connection.send(await outgoing.get(), text=True)


def now() -> float:
    """Return the time by a clock that nobody sets."""
    return time.monotonic()


def explained(error: Exception, address: ChatAddress) -> str:
    """Say in a sentence why a connection was not opened."""
    match error:
        case InvalidStatus():
            status = error.response.status_code
            told = _STATUS.get(status, "The answer at {url} was {status}.")
            return told.format(url=address.url, host=address.host, status=status)
        case ssl.SSLCertVerificationError():
            return f"The certificate of {address.host} is not good: {error.verify_message}."
        case ssl.SSLError():
            return f"No TLS is spoken at {address.url}."
        case InvalidHandshake() | ValueError():
            return f"What answers at {address.url} is no chat."
        case socket.gaierror():
            return f"There is no host {address.host}."
        case ConnectionRefusedError():
            return f"Nobody listens at {address.url}."
        case TimeoutError():
            return f"Nobody answers at {address.url}."
    reason = getattr(error, "strerror", None) or "the connection broke"
    return f"No connection to {address.url}: {reason}."
