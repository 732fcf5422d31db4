"""A service for the page to talk to: one process, one room, no store, and every fault on demand.

It serves the page's files and speaks docs/protocols/browser.md from the service's side, as far as a
page can tell. What a test wants to happen it does through the methods here.
"""

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

import tertulia

WEB = Path(tertulia.__file__).parent / "web"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

Frame = dict[str, Any]


def joined(nickname: str) -> Frame:
    return {"type": "joined", "nickname": nickname}


def left(nickname: str) -> Frame:
    return {"type": "left", "nickname": nickname}


def said(nickname: str, text: str) -> Frame:
    return {"type": "said", "nickname": nickname, "text": text}


def now_ms() -> int:
    return round(time.time() * 1000)


@dataclass(eq=False)
class Client:
    """A connection that has entered."""

    connection: ServerConnection
    nickname: str
    token: str


@dataclass
class FakeService:
    """What the room is like, and what the service does with it. Change it while it runs."""

    members: list[str] = field(default_factory=list)
    """Who is in the room, oldest first; pages that enter are added."""
    refusals: dict[str, str] = field(default_factory=dict)
    """Names that are refused, and the reason."""
    absent_accounts: set[str] = field(default_factory=set)
    """Who is not here, and has private messages kept."""
    missed: str = "nothing"
    """What the welcome to a resumed session says."""
    is_down: bool = False
    """Whether new connections are refused."""
    holds_answers: bool = False
    """Whether messages are taken and nothing is done with them."""
    is_closable: bool = True
    epoch: str = "e1"
    offset: int = 10
    frames: list[Frame] = field(default_factory=list)
    """Every frame that came, of all connections."""
    clients: list[Client] = field(default_factory=list)
    address: str = ""
    _log: list[Frame] = field(default_factory=list)
    _done: dict[str, int] = field(default_factory=dict)
    _tokens: "itertools.count[int]" = field(default_factory=itertools.count)

    # --- What tests do ---------------------------------------------------------------------------

    def received(self, type_: str) -> list[Frame]:
        """Return the frames of one type that came."""
        return [frame for frame in self.frames if frame["type"] == type_]

    async def happen(self, *events: Frame, at: int | None = None) -> None:
        """Let these events happen, in one frame."""
        self.offset += 1
        frame = {
            "type": "events",
            "epoch": self.epoch,
            "offset": self.offset,
            "at": at or now_ms(),
            "events": list(events),
        }
        for event in events:
            if event["type"] == "joined":
                self.members.append(event["nickname"])
            elif event["type"] == "left" and event["nickname"] in self.members:
                self.members.remove(event["nickname"])
        self._log.append(frame)
        await self.tell(frame)

    async def tell(self, frame: Frame) -> None:
        """Send a frame to every page."""
        text = json.dumps(frame)
        for client in list(self.clients):
            try:
                await client.connection.send(text)
            except ConnectionClosed:
                self._remove(client)

    async def whisper(self, sender: str, text: str, at: int | None = None) -> None:
        """Send a private message to every page."""
        await self.tell({"type": "whispered", "from": sender, "text": text, "at": at or now_ms()})

    def cut(self) -> None:
        """Break all connections without a word."""
        for client in list(self.clients):
            client.connection.transport.abort()
            self._remove(client)

    async def close(self, code: int, reason: str) -> None:
        """Close all connections in order."""
        for client in list(self.clients):
            self._remove(client)
            await client.connection.close(code, reason)

    # --- The service -----------------------------------------------------------------------------

    async def serve_client(self, connection: ServerConnection) -> None:
        """Serve one WebSocket."""
        client = None
        try:
            async for text in connection:
                frame = json.loads(text)
                self.frames.append(frame)
                if client is None:
                    client = await self._enter(connection, frame)
                else:
                    await self._carry_out(client, frame)
        except ConnectionClosed:
            pass
        finally:
            if client is not None:
                self._remove(client)

    def serve_file(self, connection: ServerConnection, request: Request) -> Response | None:
        """Serve a file of the page, or let a WebSocket through."""
        path = request.path.split("?")[0]
        if path == "/ws":
            return connection.respond(503, "down\n") if self.is_down else None
        file = WEB / ("index.html" if path == "/" else path.removeprefix("/"))
        if file.parent != WEB or not file.is_file():
            return connection.respond(404, "no such file\n")
        headers = Headers(
            {
                "Content-Type": TYPES[file.suffix],
                "Content-Security-Policy": POLICY,
                "X-Content-Type-Options": "nosniff",
                "Cache-Control": "no-cache",
                "Connection": "close",
            }
        )
        body = file.read_bytes()
        headers["Content-Length"] = str(len(body))
        return Response(200, "OK", headers, body)

    async def _enter(self, connection: ServerConnection, frame: Frame) -> Client | None:
        nickname = frame["nickname"]
        if nickname in self.refusals:
            await _send(connection, type="refused", reason=self.refusals[nickname])
            return None
        resume = frame.get("resume")
        token = resume["token"] if resume else f"t{next(self._tokens)}"
        if nickname in self.members:
            self.members.remove(nickname)
        self.offset += 1
        client = Client(connection, nickname, token)
        await _send(
            connection,
            type="welcome",
            nickname=nickname,
            token=token,
            resumed=bool(resume),
            done=self._done.get(token, 0),
            members=[*self.members, nickname],
            epoch=self.epoch,
            offset=self.offset,
            missed=self.missed if resume else "nothing",
        )
        self.members.append(nickname)
        if resume:
            for entry in self._log:
                if resume["offset"] < entry["offset"] < self.offset:
                    await _send(connection, **entry)
        self.clients.append(client)
        return client

    async def _carry_out(self, client: Client, frame: Frame) -> None:
        connection = client.connection
        match frame:
            case {"type": "say" | "whisper"} if self.holds_answers:
                pass
            case {"type": "say", "id": tag, "text": text}:
                self._done[client.token] = tag
                await self.happen(said(client.nickname, text))
                await _send(connection, type="sent", id=tag)
            case {"type": "whisper", "id": tag, "to": to, "text": text}:
                self._done[client.token] = tag
                if to == client.nickname:
                    await self.whisper(to, text)
                if to in self.members:
                    await _send(connection, type="sent", id=tag)
                elif to in self.absent_accounts:
                    await _send(connection, type="kept", id=tag)
                else:
                    await _send(connection, type="failed", id=tag, reason="unknown_recipient")
            case {"type": "leave"}:
                self._remove(client)
                self.members.remove(client.nickname)
                await connection.close(1000, "left")
            case {"type": "close"} if not self.is_closable:
                await _send(connection, type="forbidden")
            case {"type": "close"}:
                await self.happen({"type": "closed", "nickname": client.nickname})
                self.members.clear()
                await self.close(1000, "chat_closed")

    def _remove(self, client: Client) -> None:
        if client in self.clients:
            self.clients.remove(client)


async def _send(connection: ServerConnection, **frame: object) -> None:
    await connection.send(json.dumps(frame))


@asynccontextmanager
async def running_service(members: Iterable[str] = ()) -> AsyncIterator[FakeService]:
    """Run a service on a free port of 127.0.0.1."""
    service = FakeService(members=list(members))
    async with serve(
        service.serve_client,
        "127.0.0.1",
        0,
        process_request=service.serve_file,
        compression=None,
        max_queue=None,
    ) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        service.address = f"http://127.0.0.1:{port}/"
        yield service
        service.cut()
        await asyncio.sleep(0)
