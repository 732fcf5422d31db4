"""A chat in all dialects that can be told to do its work badly: what checks deliveries has to notice.

It holds nothing, and is as small as it can be. Written from the pages in docs/protocols alone.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

Deliver = Callable[["Session", list[bytes]], list[bytes]]
"""Gets what a session is about to read, rendered messages, and returns what it is given instead."""
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(eq=False)
class Session:
    """Somebody in the room."""

    nickname: str
    dialect: str
    write: Callable[[bytes], None]
    drop: Callable[[], None]
    delivered: int = 0
    """Messages that it was to be given so far, before any fault."""


@dataclass
class Faults:
    """What goes wrong. Nothing, unless set."""

    public: Deliver = lambda _session, messages: messages
    private: Deliver = lambda _session, messages: messages
    notice: Deliver = lambda _session, notices: notices
    refuses: Callable[[str], bool] = lambda _nickname: False
    unknown: bool = False
    """Whether nobody can be written to in private."""


@dataclass
class UnfaithfulService:
    """The chat. Everything happens in the event loop of the test."""

    faults: Faults = field(default_factory=Faults)
    sessions: list[Session] = field(default_factory=list)
    ports: dict[str, int] = field(default_factory=dict)
    said: int = 0
    """Public messages that were taken."""
    whispered: int = 0
    acknowledged: int = 0
    waiting: dict[tuple[str, str], list[bytes]] = field(default_factory=dict)
    """What devices have left for others: by recipient and sender."""
    reads: asyncio.Event = field(default_factory=asyncio.Event)
    """Cleared, it reads nothing from anybody."""

    def addresses(self, *dialects: str) -> list[str]:
        """Return where it listens, as the load tool wants it."""
        return [f"{dialect}=127.0.0.1:{self.ports[dialect]}" for dialect in dialects]

    def session(self, number: int) -> Session:
        """Return the session of one of the load tool's clients."""
        return next(it for it in self.sessions if it.nickname.endswith(f"-{number}"))

    # --- The chat --------------------------------------------------------------------------------

    def enter(self, session: Session) -> None:
        for other in self.sessions:
            for notice in self.faults.notice(other, [_joined(other.dialect, session.nickname)]):
                other.write(notice)
        self.sessions.append(session)

    def leave(self, session: Session) -> None:
        if session in self.sessions:
            self.sessions.remove(session)

    def say(self, sender: Session, text: str) -> None:
        self.said += 1
        for reader in list(self.sessions):
            if reader is sender and reader.dialect == "protocollo":
                continue
            reader.delivered += 1
            message = _said(reader.dialect, sender.nickname, text)
            for given in self.faults.public(reader, [message]):
                reader.write(given)
        if sender.dialect != "protocollo":
            sender.write(_sent(sender.dialect))

    def whisper(self, sender: Session, recipient: str, text: str) -> None:
        reader = next((it for it in self.sessions if it.nickname == recipient), None)
        if reader is None or self.faults.unknown:
            sender.write(_unknown(sender.dialect, recipient))
            return
        self.whispered += 1
        reader.delivered += 1
        message = _whispered(reader.dialect, sender.nickname, text)
        for given in self.faults.private(reader, [message]):
            reader.write(given)
        if sender.dialect != "protocollo":
            sender.write(_sent(sender.dialect))

    # --- Its dialects ----------------------------------------------------------------------------

    async def chatte(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"0 Hello, nickname please.\n")
        nickname = await _line(reader)
        if self.faults.refuses(nickname):
            writer.write(b"202 Nickname already in use. Please try with another one. Bye.\n")
            writer.close()
            return
        session = Session(nickname, "chatte", writer.write, writer.close)
        writer.write(b"200 Welcome to the chatte.\n")
        self.enter(session)
        try:
            while line := await _line(reader):
                await self.reads.wait()
                code, _, rest = line.partition(" ")
                if line == "101 Message received.":
                    self.acknowledged += 1
                elif code == "100":
                    self.say(session, rest)
                elif code == "102":
                    self.whisper(session, *rest.split(" ", 1))
        finally:
            self.leave(session)
            writer.close()

    async def protocollo(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nickname = await _line(reader)
        if self.faults.refuses(nickname):
            writer.write("il nome già utilizzato\n".encode())
            writer.close()
            return
        others = ", ".join(it.nickname for it in self.sessions)
        writer.write(f"Utenti collegati: {others or 'Sei il primo utente'}\n".encode())
        session = Session(nickname, "protocollo", writer.write, writer.close)
        self.enter(session)
        try:
            while recipient := await _line(reader):
                text = await _line(reader)
                await self.reads.wait()
                if recipient == "G":
                    self.say(session, text)
                else:
                    self.whisper(session, recipient, text)
        finally:
            self.leave(session)
            writer.close()

    async def browser(self, socket: ServerConnection) -> None:
        out: asyncio.Queue[bytes] = asyncio.Queue()

        async def write() -> None:
            with contextlib.suppress(ConnectionClosed):
                while data := await out.get():
                    await socket.send(data.decode())
                await socket.close(4000, "slow_reader")

        session = Session("", "browser", out.put_nowait, lambda: out.put_nowait(b""))
        writing = asyncio.create_task(write())
        try:
            async for frame in socket:
                await self.reads.wait()
                if not self._frame(session, json.loads(frame)):
                    break
        except ConnectionClosed:
            pass
        finally:
            self.leave(session)
            out.put_nowait(b"")
            await writing

    async def device(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def tell(*values: int | bytes) -> None:
            for value in values:
                if isinstance(value, int):
                    writer.write(value.to_bytes(4, "big"))
                else:
                    writer.write(len(value).to_bytes(2, "big") + b"\0\0" + value)

        async def integer() -> int:
            return int.from_bytes(await reader.readexactly(4), "big")

        async def string() -> bytes:
            return await reader.readexactly(
                int.from_bytes((await reader.readexactly(4))[:2], "big")
            )

        code = await integer()
        tell(1)
        me = (await string()).decode()
        match code:
            case 1:
                tell(int(self.faults.refuses(me)))
                await string()
                tell(0)
                await integer()
                self.sessions.append(Session(me, "device", lambda _: None, writer.close))
                tell(0)
            case 3:
                self.sessions = [it for it in self.sessions if it.nickname != me]
                tell(0)
            case 10:
                tell(1)
                other = (await string()).decode()
                tell(1)
                while (message := await string()) != b"\\q":
                    self._keep(me, other, message)
                await reader.read()
            case 200:
                tell(1)
                waiting = self.waiting.get((me, (await string()).decode()), [])
                shown = list(waiting)
                tell(b"".join(b"%s\n" % message for message in shown) or b"null")
                await reader.read()
                del waiting[: len(shown)]
        writer.close()

    def _keep(self, sender: str, recipient: str, message: bytes) -> None:
        self.whispered += 1
        reader = next(it for it in self.sessions if it.nickname == recipient)
        reader.delivered += 1
        kept = self.waiting.setdefault((recipient, sender), [])
        kept += self.faults.private(reader, [message])

    def _frame(self, session: Session, frame: dict[str, str]) -> bool:
        match frame:
            case {"type": "enter", "nickname": nickname} if self.faults.refuses(nickname):
                session.write(_json(type="refused", reason="nickname_taken"))
                return False
            case {"type": "enter", "nickname": nickname}:
                session.nickname = nickname
                members = [it.nickname for it in self.sessions] + [nickname]
                session.write(_json(type="welcome", nickname=nickname, members=members))
                self.enter(session)
            case {"type": "say", "text": text}:
                self.say(session, text)
            case {"type": "whisper", "to": recipient, "text": text}:
                self.whisper(session, recipient, text)
            case {"type": "received", "count": int(count)}:
                self.acknowledged += count
        return True


@contextlib.asynccontextmanager
async def unfaithful(faults: Faults | None = None) -> AsyncIterator[UnfaithfulService]:
    """Run the chat, on free ports of 127.0.0.1."""
    service = UnfaithfulService(faults or Faults())
    service.reads.set()
    async with contextlib.AsyncExitStack() as stack:
        talks = {
            "chatte": service.chatte,
            "protocollo": service.protocollo,
            "device": service.device,
        }
        for name, talk in talks.items():
            lines = await asyncio.start_server(_surviving(talk), "127.0.0.1", 0, backlog=1024)
            await stack.enter_async_context(lines)
            service.ports[name] = lines.sockets[0].getsockname()[1]
        frames = await stack.enter_async_context(serve(service.browser, "127.0.0.1", 0))
        service.ports["browser"] = next(iter(frames.sockets)).getsockname()[1]
        yield service


def _surviving(talk: Talk) -> Talk:
    async def surviving(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            writer.transport.abort()

    return surviving


async def _line(reader: asyncio.StreamReader) -> str:
    return (await reader.readline()).decode().removesuffix("\n")


def _json(**fields: object) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode()


def _joined(dialect: str, nickname: str) -> bytes:
    return {
        "chatte": f"150 {nickname} just join to the chat\n".encode(),
        "protocollo": f"G.@g> {nickname} si è unito\n".encode(),
        "browser": _json(type="events", events=[{"type": "joined", "nickname": nickname}]),
    }[dialect]


def _said(dialect: str, nickname: str, text: str) -> bytes:
    event = {"type": "said", "nickname": nickname, "text": text}
    return {
        "chatte": f"100 {nickname} {text}\n".encode(),
        "protocollo": f"{nickname}.@g> {text}\n".encode(),
        "browser": _json(type="events", events=[event]),
    }[dialect]


def _whispered(dialect: str, nickname: str, text: str) -> bytes:
    return {
        "chatte": f"102 {nickname} {text}\n".encode(),
        "protocollo": f"{nickname}> {text}\n".encode(),
        "browser": _json(type="whispered", **{"from": nickname}, text=text),
    }[dialect]


def _sent(dialect: str) -> bytes:
    return b"101 Message sent.\n" if dialect == "chatte" else _json(type="sent", id=0)


def _unknown(dialect: str, recipient: str) -> bytes:
    return {
        "chatte": b"203 Invalid destinatary. Verify the nickname.\n",
        "protocollo": f"G> destinatario sconosciuto: {recipient}\n".encode(),
        "browser": _json(type="failed", id=0, reason="unknown_recipient"),
    }[dialect]
