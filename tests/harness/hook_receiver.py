"""Who is told by webhooks: a server that answers as it is told to, well or badly."""

import asyncio
import contextlib
import hashlib
import hmac
import json
import ssl
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

SECRET = "a secret of more than sixteen"
LATE_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def delivery(self) -> str:
        return self.headers["tertulia-delivery"]

    @property
    def told(self) -> Any:
        return json.loads(self.body)

    @property
    def texts(self) -> list[str]:
        """What was said, of it."""
        return [it["text"] for it in self.told["events"] if it["event"] == "said"]

    def is_signed(self, secret: str = SECRET) -> bool:
        """Say whether the signature is that of who has the secret."""
        stamp, _, mac = self.headers["tertulia-signature"].partition(",v1=")
        told = stamp.removeprefix("t=").encode() + b"." + self.body
        return mac == hmac.new(secret.encode(), told, hashlib.sha256).hexdigest()


class HookReceiver:
    """A server on a free port of 127.0.0.1.

    Each request takes the next way to answer, and a good one when there are none left: ``hang``, ``cut``,
    ``late``, ``endless``, or a status, with further header lines behind it.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.ways: deque[str] = deque()
        self.received: list[Received] = []
        """All that came whole."""
        self.taken: list[Received] = []
        """Those of them that were answered 200."""
        self._server: asyncio.Server
        self._clients: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for client in self._clients:
            client.cancel()

    def url(self, host: str = "127.0.0.1") -> str:
        return f"http{'s' if self._tls else ''}://{host}:{self.port}/hook?key=private"

    def texts(self, room: str) -> list[str]:
        """Return what was said in a room, each delivery once, as it was taken."""
        seen: dict[str, Sequence[str]] = {}
        for it in self.taken:
            if it.told["room"] == room:
                seen.setdefault(it.delivery, it.texts)
        return [text for texts in seen.values() for text in texts]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
            while await self._answer(reader, writer):
                pass
        writer.close()
        self._clients.discard(task)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        headers = {k.lower(): v for k, _, v in (it.partition(": ") for it in lines)}
        body = await reader.readexactly(int(headers["content-length"]))
        came = Received(first.split(" ")[1], headers, body)
        self.received.append(came)
        way = self.ways.popleft() if self.ways else "200 OK"
        if way == "hang":
            await asyncio.Event().wait()
        if way == "cut":
            writer.transport.abort()
            return False
        if way == "endless":
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while True:
                writer.write(b"3e8\r\n" + b"x" * 1000 + b"\r\n")
                await writer.drain()
        if way == "late":
            await asyncio.sleep(LATE_SECONDS)
            way = "200 OK"
        if way.startswith("2"):
            self.taken.append(came)
        answer = f"HTTP/1.1 {way}\r\nContent-Length: 2\r\n\r\nok"
        writer.write(answer.encode())
        await writer.drain()
        return True
