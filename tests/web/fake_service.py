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
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from tertulia.edge.page import page_files

PAGE = page_files()
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

Frame = dict[str, Any]


def joined(nickname: str) -> Frame:
    return {"type": "joined", "nickname": nickname}


def left(nickname: str) -> Frame:
    return {"type": "left", "nickname": nickname}


def said(nickname: str, text: str) -> Frame:
    return {"type": "said", "nickname": nickname, "text": text}


def now_ms() -> int:
    return round(time.time() * 1000)


@dataclass
class Room:
    """A further room."""

    epoch: str = "r1"
    offset: int = 0
    members: list[str] = field(default_factory=list)
    log: list[Frame] = field(default_factory=list)
    done: dict[str, int] = field(default_factory=dict)
    """By the token of a client, its last message that was answered."""
    standing: Frame = field(default_factory=dict)
    """What else its welcome says."""


@dataclass(eq=False)
class Client:
    """A connection that has entered."""

    connection: ServerConnection
    nickname: str
    token: str
    rooms: set[str] = field(default_factory=set)


@dataclass
class FakeService:
    """What the room is like, and what the service does with it. Change it while it runs."""

    members: list[str] = field(default_factory=list)
    """Who is in the room, oldest first; pages that enter are added."""
    refusals: dict[str, str] = field(default_factory=dict)
    """Names that are refused, and the reason."""
    free_names: list[str] = field(default_factory=list)
    """What is offered to somebody whose name is refused."""
    accounts: dict[str, str] = field(default_factory=dict)
    """Passwords, by nickname."""
    registration: str | None = "open"
    """None: as a service of an earlier version, which tells nothing of accounts."""
    code: str = ""
    """The invitation that is good."""
    standing: Frame = field(default_factory=dict)
    """What else a welcome says, of what moderators have set."""
    absent_accounts: set[str] = field(default_factory=set)
    """Who is not here, and has private messages kept."""
    rooms: dict[str, Room] = field(default_factory=dict)
    """The further rooms that there are."""
    closed_rooms: dict[str, str] = field(default_factory=dict)
    """Those that nobody may come into, and the reason."""
    missed: str = "nothing"
    """What the welcome to a resumed session says."""
    is_down: bool = False
    """Whether new connections are refused."""
    holds_answers: bool = False
    """Whether messages are taken and nothing is done with them."""
    holds_lists: bool = False
    """Whether nobody who asks for the rooms is told of them."""
    is_closable: bool = True
    heartbeat: int = 600
    """Seconds between two pings, as a welcome says. None come: a page that hears nothing for longer asks, and
    takes a service on a busy machine for dead."""
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

    async def list_rooms(self, client: Client) -> None:
        """Tell a page of the further rooms."""
        listed = [
            {
                "room": name,
                "members": len(room.members),
                "topic": room.standing.get("topic", ""),
                "lasting": False,
            }
            for name, room in self.rooms.items()
        ]
        listed.sort(key=lambda it: -int(it["members"]))
        await _send(client.connection, type="rooms", rooms=listed)

    async def happen(self, *events: Frame, at: int | None = None, room: str = "") -> None:
        """Let these events happen, in one frame; in a further room, if there is one named."""
        if room:
            await self._happen_in(room, events, at)
            return
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

    async def _happen_in(self, name: str, events: tuple[Frame, ...], at: int | None) -> None:
        room = self.rooms.setdefault(name, Room())
        room.offset += 1
        frame = {
            "type": "events",
            "room": name,
            "epoch": room.epoch,
            "offset": room.offset,
            "at": at or now_ms(),
            "events": list(events),
        }
        for event in events:
            if event["type"] == "joined":
                room.members.append(event["nickname"])
            elif event["type"] == "left" and event["nickname"] in room.members:
                room.members.remove(event["nickname"])
        room.log.append(frame)
        await self.tell(frame, [it for it in self.clients if name in it.rooms])

    async def expel(
        self, nickname: str, room: str, reason: str = "kicked", words: str = ""
    ) -> None:
        """Take the place in a room from somebody who is on the page."""
        for client in self.clients:
            if client.nickname == nickname:
                client.rooms.discard(room)
                said = {"words": words} if words else {}
                await _send(client.connection, type="parted", room=room, reason=reason, **said)
        await self.happen(left(nickname), room=room)

    async def tell(self, frame: Frame, clients: list[Client] | None = None) -> None:
        """Send a frame to every page, or to some."""
        text = json.dumps(frame)
        for client in list(self.clients if clients is None else clients):
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
        answer = PAGE.answer("GET", request.path, request.headers.get("Accept-Encoding", ""))
        headers = Headers(
            {
                "Content-Security-Policy": POLICY,
                "X-Content-Type-Options": "nosniff",
                **answer.headers(),
                "Connection": "close",
            }
        )
        return Response(answer.status.value, answer.status.phrase, headers, answer.body)

    async def _enter(self, connection: ServerConnection, frame: Frame) -> Client | None:
        nickname = frame["nickname"]
        if nickname in self.refusals:
            offered = {"suggestions": self.free_names} if self.free_names else {}
            await _send(connection, type="refused", reason=self.refusals[nickname], **offered)
            return None
        if not frame.get("resume") and frame.get("password") != self.accounts.get(nickname):
            reason = "nickname_taken" if nickname in self.accounts else "no_account"
            await _send(connection, type="refused", reason=reason)
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
            heartbeat=self.heartbeat,
            **self.standing,
            **(
                {"account": nickname in self.accounts, "registration": self.registration}
                if self.registration
                else {}
            ),
        )
        self.members.append(nickname)
        if resume:
            for entry in self._log:
                if resume["offset"] < entry["offset"] < self.offset:
                    await _send(connection, **entry)
        self.clients.append(client)
        for name, place in frame.get("rooms", {}).items():
            await self._join(client, name, place)
        return client

    async def _join(self, client: Client, name: str, place: Frame | None = None) -> None:
        connection = client.connection
        if name in self.closed_rooms:
            reason = self.closed_rooms[name]
            await _send(connection, type="failed", action="join", room=name, reason=reason)
            return
        room = self.rooms.setdefault(name, Room())
        is_back = place is not None and place["epoch"] == room.epoch
        if client.nickname in room.members:
            room.members.remove(client.nickname)
        await self.happen(joined(client.nickname), room=name)
        await _send(
            connection,
            type="room",
            room=name,
            members=room.members,
            resumed=is_back,
            done=room.done.get(client.token, 0),
            epoch=room.epoch,
            offset=room.offset,
            missed="nothing",
            history=50,
            **{"moderator": False, "owner": "", "outsiders": False, **room.standing},
        )
        client.rooms.add(name)
        if place is not None and is_back:
            for entry in room.log:
                if place["offset"] < entry["offset"]:
                    await _send(connection, **entry)
        else:
            await _send(connection, **self._past(name, room.offset))

    def _past(self, name: str, before: int, index: int = 0) -> Frame:
        """Tell what was said in a room before a place, at most ten entries of it."""
        room = self.rooms[name]
        entries = [it for it in room.log if it["offset"] < before][-10:]
        messages = [
            {"offset": it["offset"], "index": number, "at": it["at"], **event}
            for it in entries
            for number, event in enumerate(e for e in it["events"] if e["type"] == "said")
        ]
        down_to = entries[0]["offset"] if entries else 0
        more = any(it["offset"] < down_to for it in room.log)
        return {
            "type": "past",
            "room": name,
            "epoch": room.epoch,
            "before": down_to,
            "index": index,
            "messages": messages,
            "more": more,
        }

    async def _carry_out_in(self, client: Client, name: str, frame: Frame) -> None:
        connection, room = client.connection, self.rooms.get(name, Room())
        match frame:
            case {"type": "join"}:
                await self._join(client, name)
            case {"type": "part"}:
                client.rooms.discard(name)
                await _send(connection, type="parted", room=name, reason="left")
                await self.happen(left(client.nickname), room=name)
            case {"type": "say"} if self.holds_answers:
                pass
            case {"type": "say", "id": tag} if name not in client.rooms:
                await _send(
                    connection, type="failed", room=name, id=tag, reason="unknown_recipient"
                )
            case {"type": "say", "id": tag, "text": text}:
                room.done[client.token] = tag
                await self.happen(said(client.nickname, text), room=name)
                await _send(connection, type="sent", room=name, id=tag)
            case {"type": "history", "before": before}:
                await _send(connection, **self._past(name, before))
            case {"type": "search", "text": text}:
                found = self._past(name, room.offset + 1)
                found["messages"] = [it for it in found["messages"] if text in it["text"]]
                await _send(connection, **{**found, "type": "found", "text": text, "more": False})
            case {"type": "moderate", "action": "topic", "text": text}:
                event = {"type": "topic", "text": text, "by": client.nickname}
                await self.happen(event, room=name)

    async def _carry_out(self, client: Client, frame: Frame) -> None:
        connection = client.connection
        match frame:
            case {"type": "ping"}:
                await _send(connection, type="pong")
            case {"room": str(name)}:
                await self._carry_out_in(client, name, frame)
            case {"type": "rooms"}:
                if not self.holds_lists:
                    await self.list_rooms(client)
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
            case {"type": "register" | "change_password" | "delete_account"} if self.holds_answers:
                pass
            case {"type": "register", "password": password}:
                invited = frame.get("invitation", "") == self.code
                if invited:
                    self.accounts[client.nickname] = password
                await self._account(client, frame, "done" if invited else "invitation")
            case {"type": "change_password", "old": old, "new": new}:
                is_right = self.accounts[client.nickname] == old
                if is_right:
                    self.accounts[client.nickname] = new
                await self._account(client, frame, "done" if is_right else "wrong_password")
            case {"type": "delete_account", "password": password}:
                is_right = self.accounts[client.nickname] == password
                if is_right:
                    del self.accounts[client.nickname]
                await self._account(client, frame, "done" if is_right else "wrong_password")
            case {"type": "log_out_everywhere"}:
                await self._account(client, frame, "done")
            case {"type": "leave"}:
                self._remove(client)
                self.members.remove(client.nickname)
                for name in client.rooms:
                    await self.happen(left(client.nickname), room=name)
                await connection.close(1000, "left")
            case {"type": "close"} if not self.is_closable:
                await _send(connection, type="forbidden")
            case {"type": "close"}:
                await self.happen({"type": "closed", "nickname": client.nickname})
                self.members.clear()
                await self.close(1000, "chat_closed")

    async def _account(self, client: Client, frame: Frame, outcome: str) -> None:
        await _send(client.connection, type="account", action=frame["type"], outcome=outcome)

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
