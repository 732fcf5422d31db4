"""A client of the dialect chatte that records its history.

A client of another dialect records the same records; only what it writes and reads differs.
"""

import asyncio
import contextlib
import itertools
import socket
import ssl
from collections import deque
from collections.abc import Callable
from typing import Self, cast

from harness.waiting import DeadlineError
from history.record import (
    Acked,
    AckedPrivate,
    Connected,
    Disconnected,
    EnterSent,
    History,
    ReceivedPrivate,
    ReceivedPublic,
    Refused,
    RefusedPrivate,
    RefusedPublic,
    Reported,
    SawJoined,
    SawLeft,
    SentPrivate,
    SentPublic,
    Unexpected,
    Welcomed,
)

WITHIN = 60.0
"""Seconds to wait for something that should come at once."""
GREETING = "0 Hello, nickname please."
WELCOME = "200 Welcome to the chatte."
INVALID = "201 Invalid nickname. Please try again. Bye."
TAKEN = "202 Nickname already in use. Please try with another one. Bye."
UNKNOWN = "203 Invalid destinatary. Verify the nickname."
SENT = "101 Message sent."
IGNORED = "666 Invalid command. Ignoring."
RECEIVED = b"101 Message received.\n"
SERVER = "G"

_JOINED = " just join to the chat"
_LEFT = " just left the chat"
_ids = itertools.count(1)


class ChatteClient(asyncio.Protocol):
    """One connection. It always reads, whatever the test does, unless told to stop."""

    def __init__(self, name: str = "", *, acknowledges: bool = True) -> None:
        self.history = History(f"{name or 'client'}#{next(_ids)}")
        self.nickname = name
        self.room = ""
        """The further room that it is shown; empty for the lobby."""
        self.acknowledges = acknowledges
        self.lines: list[str] = []
        """Every line that came, without its end; bytes that are not UTF-8 as lone surrogates."""
        self.welcomed = False
        self.refused = False
        self.closed = False
        """Whether the connection is gone, by whoever's will."""
        self._cursor = 0
        self._arrived = asyncio.Event()
        self._buffer = b""
        self._own_end = False
        self._unanswered: deque[SentPublic | SentPrivate] = deque()
        self._own_copies: set[str] = set()
        self._messages = itertools.count(1)
        self._transport: asyncio.Transport

    @classmethod
    async def connect(
        cls,
        port: int,
        name: str = "",
        *,
        acknowledges: bool = True,
        source: str | None = None,
        receive_buffer: int | None = None,
        header: bytes = b"",
        tls: ssl.SSLContext | None = None,
    ) -> Self:
        """Connect to a node of this machine; ``source`` is the address to come from.

        ``receive_buffer`` bounds, in bytes, what the system takes in for a client that does not
        read. ``header`` is what a balancer writes in front of everything, ``tls`` how to be private.
        """
        loop = asyncio.get_running_loop()
        sock = socket.socket()
        try:
            sock.setblocking(False)
            if receive_buffer is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            if source is not None:
                sock.bind((source, 0))
            async with asyncio.timeout(WITHIN):
                await loop.sock_connect(sock, ("127.0.0.1", port))
                await loop.sock_sendall(sock, header)
                _, client = await loop.create_connection(
                    lambda: cls(name, acknowledges=acknowledges),
                    sock=sock,
                    ssl=tls,
                    server_hostname="localhost" if tls else None,
                )
        except BaseException:
            sock.close()
            raise
        return client

    @classmethod
    async def enter_chat(
        cls, port: int, nickname: str, *, acknowledges: bool = True, within: float = WITHIN
    ) -> Self:
        """Connect and enter. Raises AssertionError where the nickname is refused.

        A client of lines that enters as ``anna@ops`` is shown that room.
        """
        name = nickname.partition("@")[0]
        client = await cls.connect(port, name, acknowledges=acknowledges)
        assert await client.enter(nickname, within=within), client.describe()
        return client

    # What a client does

    async def enter(self, nickname: str, *, within: float = WITHIN) -> bool:
        """Ask for a nickname and return whether it was given."""
        self.ask(nickname)
        await self.wait_for(
            lambda: self.welcomed or self.refused or self.closed,
            within,
            f"{nickname} to be answered",
        )
        return self.welcomed

    def ask(self, nickname: str) -> None:
        """Ask for a nickname, and don't wait."""
        self.nickname, _, self.room = nickname.partition("@")
        self.history.reads_lobby = not self.room
        for room in dict.fromkeys(("", self.room)):
            self.history.add(EnterSent(self.history.now(), self.nickname, room=room))
        self.send(nickname.encode() + b"\n")

    def say(self, text: str | None = None, room: str = "") -> str:
        """Tell everybody in the room that is shown, or in another one; return what.

        By default it is a text that no other client sends.
        """
        text = self.unique() if text is None else text
        record = SentPublic(self.history.now(), text, room=room or self.room)
        self.history.add(record)
        self._unanswered.append(record)
        self.send(f"102 #{room} {text}\n".encode() if room else f"100 {text}\n".encode())
        return text

    def whisper(self, recipient: str, text: str | None = None) -> str:
        """Tell one user, and return what."""
        text = self.unique("psst") if text is None else text
        record = SentPrivate(self.history.now(), recipient, text)
        self.history.add(record)
        self._unanswered.append(record)
        self.send(f"102 {recipient} {text}\n".encode())
        return text

    def unique(self, prefix: str = "m") -> str:
        """Return a text that is used once, by this client."""
        return f"{prefix}-{self.history.client}-{next(self._messages)}"

    def send(self, data: bytes) -> None:
        """Write bytes, unrecorded; after the own end, nothing."""
        if not self.closed and not self._own_end and not self._transport.is_closing():
            self._transport.write(data)

    def unsent(self) -> int:
        """Return how many bytes the server's side has not taken."""
        return self._transport.get_write_buffer_size()

    def stop_reading(self) -> None:
        """Leave what comes to the system's buffers."""
        self._transport.pause_reading()

    def go_on_reading(self) -> None:
        """Read on."""
        self._transport.resume_reading()

    def close(self) -> None:
        """Close, as a client does that has had enough."""
        self._end()
        self._transport.close()

    def abort(self) -> None:
        """Break the connection: what is under way is thrown away."""
        self._end()
        self._transport.abort()

    def half_close(self) -> None:
        """Say that no more will come, and read on."""
        self._end()
        with contextlib.suppress(OSError):  # the other side may have closed at this moment
            self._transport.write_eof()

    # What a test waits for

    @property
    def unanswered(self) -> int:
        """How many recorded messages the server has not answered."""
        return len(self._unanswered)

    @property
    def connected(self) -> bool:
        """Whether it was welcomed and neither side has closed."""
        return self.welcomed and not self.closed and not self._own_end

    async def answered(self, within: float = WITHIN) -> None:
        """Wait until every recorded message is answered."""
        await self.wait_for(lambda: not self._unanswered, within, "all answers")

    async def expect_line(self, line: str | Callable[[str], bool], within: float = WITHIN) -> str:
        """Return the next line that is, or satisfies, ``line``; those before it are passed over."""
        test = line if callable(line) else line.__eq__
        found: str | None = None

        def look() -> bool:
            nonlocal found
            while self._cursor < len(self.lines):
                self._cursor += 1
                if test(self.lines[self._cursor - 1]):
                    found = self.lines[self._cursor - 1]
                    return True
            return False

        await self.wait_for(look, within, f"the line {line!r}")
        assert found is not None
        return found

    async def next_line(self, within: float = WITHIN) -> str:
        """Return the very next line."""
        return await self.expect_line(lambda _: True, within)

    async def next_lines(self, count: int, within: float = WITHIN) -> list[str]:
        """Return the very next so many lines."""
        return [await self.next_line(within) for _ in range(count)]

    async def lines_through(self, line: str, within: float = WITHIN) -> list[str]:
        """Return all lines from the next one on through one that is ``line``."""
        start = self._cursor
        await self.expect_line(line, within)
        return self.lines[start : self._cursor]

    async def disconnected(self, within: float = WITHIN) -> None:
        """Wait until the connection is gone."""
        await self.wait_for(lambda: self.closed, within, "the connection's end")

    def rest(self) -> list[str]:
        """Return the lines that came and were not waited for."""
        start, self._cursor = self._cursor, len(self.lines)
        return self.lines[start:]

    async def wait_for(self, condition: Callable[[], bool], within: float, what: str) -> None:
        """Wait until a condition holds that only what the server sends can change."""
        try:
            async with asyncio.timeout(within):
                while not condition():
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            if condition():
                return
            raise DeadlineError(f"not within {within:g} s: {what}; {self.describe()}") from None

    def describe(self) -> str:
        """Return who this is and what it read last, for an error."""
        state = "closed" if self.closed else "open"
        return f"{self.history.client} is {state} and read last {self.lines[-8:]}"

    # What comes

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.history.add(Connected(self.history.now()))

    def data_received(self, data: bytes) -> None:
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for raw in lines:
            line = raw.decode(errors="surrogateescape")
            self.lines.append(line)
            self._record(line)
        self._arrived.set()

    def eof_received(self) -> None:
        self._arrived.set()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._own_end:
            self.history.add(Disconnected(self.history.now(), "server"))
        self.closed = True
        self._arrived.set()

    def _end(self) -> None:
        if not self._own_end and not self.closed:
            self._own_end = True
            self.history.add(Disconnected(self.history.now(), "client"))

    def _record(self, line: str) -> None:
        code, _, rest = line.partition(" ")
        record = _RECORDERS.get(code)
        if record is None or (not self.welcomed and code not in _ENTERING):
            self._unexpected(line)
        else:
            record(self, line, rest)

    def _greeted(self, line: str, rest: str) -> None:
        if line != GREETING or len(self.lines) > 1:
            self._unexpected(line)

    def _was_welcomed(self, line: str, rest: str) -> None:
        if line != WELCOME or self.welcomed:
            self._unexpected(line)
            return
        self.welcomed = True
        self._has_come_in(None)

    def _has_come_in(self, others: tuple[str, ...] | None) -> None:
        now = self.history.now()
        if self.room:
            self.history.add(Welcomed(now, self.nickname))
        self.history.add(Welcomed(now, self.nickname, others, room=self.room))

    def _was_refused(self, line: str, rest: str) -> None:
        if line not in (INVALID, TAKEN) or self.welcomed:
            self._unexpected(line)
            return
        self.refused = True
        reason = "invalid" if line == INVALID else "taken"
        self._was_turned_away(reason)

    def _was_turned_away(self, reason: str) -> None:
        for room in dict.fromkeys(("", self.room)):
            self.history.add(Refused(self.history.now(), self.nickname, reason, room=room))

    def _public(self, line: str, rest: str) -> None:
        nickname, _, text = rest.partition(" ")
        self.history.add(ReceivedPublic(self.history.now(), nickname, text, room=self.room))
        if nickname == self.nickname:
            self._own_copies.add(text)
        self._acknowledge()

    def _private(self, line: str, rest: str) -> None:
        nickname, _, text = rest.partition(" ")
        if nickname == SERVER:
            self.history.add(Reported(self.history.now(), text))
        else:
            self.history.add(ReceivedPrivate(self.history.now(), nickname, text))
        self._acknowledge()

    def _acknowledge(self) -> None:
        if self.acknowledges:
            self.send(RECEIVED)

    def _joined(self, line: str, rest: str) -> None:
        nickname = rest.removesuffix(_JOINED)
        if nickname == rest or nickname.lower() == self.nickname.lower():
            self._unexpected(line)  # nobody is told that it came itself
        else:
            self.history.add(SawJoined(self.history.now(), nickname, room=self.room))

    def _left(self, line: str, rest: str) -> None:
        nickname = rest.removesuffix(_LEFT)
        if nickname == rest or nickname.lower() == self.nickname.lower():
            self._unexpected(line)  # nor that it went
        else:
            self.history.add(SawLeft(self.history.now(), nickname, room=self.room))

    def _was_sent(self, line: str, rest: str) -> None:
        if line != SENT or not self._unanswered:
            self._unexpected(line)
            return
        sent = self._unanswered.popleft()
        now = self.history.now()
        if isinstance(sent, SentPrivate):
            self.history.add(AckedPrivate(now, sent.recipient, sent.text))
            return
        self.history.add(Acked(now, sent.text, room=sent.room))
        if sent.room == self.room and sent.text not in self._own_copies:
            self._unexpected(f"{line} before the own copy of {sent.text!r}")

    def _was_unknown(self, line: str, rest: str) -> None:
        if line != UNKNOWN or not self._unanswered:
            self._unexpected(line)
            return
        sent = self._unanswered.popleft()
        now = self.history.now()
        if isinstance(sent, SentPublic):
            self.history.add(RefusedPublic(now, sent.text, room=sent.room))
            if sent.room == self.room:
                self._unexpected(f"{line} to a public message")
        else:
            self.history.add(RefusedPrivate(now, sent.recipient, sent.text))

    def _was_ignored(self, line: str, rest: str) -> None:
        if line != IGNORED:
            self._unexpected(line)

    def _unexpected(self, what: str) -> None:
        self.history.add(Unexpected(self.history.now(), what))


_RECORDERS: dict[str, Callable[[ChatteClient, str, str], None]] = {
    "0": ChatteClient._greeted,
    "200": ChatteClient._was_welcomed,
    "201": ChatteClient._was_refused,
    "202": ChatteClient._was_refused,
    "100": ChatteClient._public,
    "101": ChatteClient._was_sent,
    "102": ChatteClient._private,
    "150": ChatteClient._joined,
    "151": ChatteClient._left,
    "203": ChatteClient._was_unknown,
    "666": ChatteClient._was_ignored,
}
_ENTERING = frozenset({"0", "200", "201", "202"})
