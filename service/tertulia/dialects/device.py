"""The dialect ``device``: one short connection for each operation. Source: docs/protocols/device.md.

Each operation is a dialogue, written below as the page has it: what is read, what is asked of the
service, what is written. ``OPERATIONS`` is the table of all.
"""

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from typing import Any, Final

from tertulia.dialects.device_framing import (
    MAX_STRING,
    MESSAGES,
    SHOW,
    Binary,
    Malformed,
    Need,
    Text,
)
from tertulia.domain import requests
from tertulia.domain.passwords import MIN_PASSWORD
from tertulia.domain.requests import MAX_PORT, MIN_PORT, Request
from tertulia.domain.text import in_one_line

MAX_PASSWORD: Final = 72
"""Characters of a password that a device signs up with, as its protocol has it."""
MAX_MESSAGE: Final = MAX_STRING - 1
"""Bytes in a message that is kept: it is shown as a line of a string."""
QUIT: Final = "\\q"
NOBODY_ONLINE: Final = "nessun utente online"
NOTHING: Final = "null"


@dataclass(frozen=True, slots=True)
class Tell:
    """Something to write; several strings are a string that consists of lines."""

    value: int | str | Sequence[str]


@dataclass(frozen=True, slots=True)
class Explain:
    """Why something was refused. Only text framing has it: a program would take it for an answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Reply:
    """Bytes to write to the device."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Hangup:
    """The exchange is over: the connection is to be closed."""


Step = Need | Tell | Explain | Request
Dialogue = Generator[Step, Any, None]
Command = Reply | Hangup | Request


def _sign_up() -> Dialogue:
    yield Tell(1)
    name = yield Need.STRING
    wait = yield requests.SignUpWait()
    free = not wait and (yield requests.IsFree(name))
    yield _ok(free)
    if wait:
        yield Explain(_too_soon(wait))
    if not free:
        return
    password = yield Need.STRING
    good = MIN_PASSWORD <= len(password) <= MAX_PASSWORD
    yield _ok(good)
    if not good:
        return
    port = yield Need.INTEGER
    done = _is_port(port) and (yield requests.SignUp(name, password, port))
    yield _ok(done)


def _log_in() -> Dialogue:
    yield Tell(1)
    name = yield Need.STRING
    known = yield requests.IsAccount(name)
    yield _ok(known)
    if not known:
        return
    password = yield Need.STRING
    right = yield requests.Prove(name, password)
    yield _ok(right)
    if not right:
        return
    port = yield Need.INTEGER
    done = _is_port(port) and (yield requests.LogIn(name, port))
    yield _ok(done)


def _log_out() -> Dialogue:
    yield Tell(1)
    name = yield Need.STRING
    done = yield requests.LogOut(name)
    if done is not None:
        yield _ok(done)


def _chat() -> Dialogue:
    yield Tell(1)
    me = yield Need.STRING
    if (yield requests.IsHere(me)) is None:
        return
    yield Tell(1)
    other = yield Need.STRING
    answer = yield requests.OpenChat(me, other)
    if answer is None:
        return
    yield Tell(answer)
    if answer >= MIN_PORT and (yield Need.SHOW) == SHOW and (yield from _show()):
        yield Need.DONE
    if answer != 1:
        return
    # Offchat: messages are kept for the other user, until \q or until the other comes.
    need = Need.FIRST_MESSAGE
    while True:
        message = yield need
        need = Need.MESSAGE
        if message == SHOW:
            if not (yield from _show()):
                return
        elif message == QUIT:
            yield requests.LeaveChat(me, only_here=True)
            yield Need.END
            return
        elif (
            len(message.encode()) > MAX_MESSAGE
            or (yield requests.Message(me, other, message)) is None
        ):
            return


def _add() -> Dialogue:
    names = yield requests.Online()
    parts = [f"{name}," for name in names]
    room = yield Need.ROOM
    yield Tell("".join(parts[: fitting(parts, room)]) or NOBODY_ONLINE)
    other = yield Need.STRING
    port = yield requests.PortOf(other)
    yield Tell(port)
    me = yield Need.STRING
    if port:
        yield requests.JoinUp(me, other)


def _leave() -> Dialogue:
    yield Tell(1)
    me = yield Need.STRING
    yield requests.LeaveChat(me)


def _hanging() -> Dialogue:
    yield Tell(1)
    me = yield Need.STRING
    waiting = yield requests.Hanging(me)
    if waiting is None:
        return
    lines = [f"{sender}: {count} messaggi, {_date(last)}" for sender, count, last in waiting]
    room = yield Need.ROOM
    yield Tell(lines[: fitting(lines, room, 1)])


def _show() -> Generator[Step, Any, bool]:
    yield Tell(1)
    me = yield Need.STRING
    yield Tell(1)
    sender = yield Need.STRING
    texts = yield requests.Show(me, sender)
    if texts is None:
        return False
    shown = texts[: fitting(texts, MAX_STRING, 1)]
    yield Tell(list(map(in_one_line, shown)) or NOTHING)  # each line is a message
    return True


def _show_alone() -> Dialogue:
    if (yield from _show()):
        yield Need.END  # "pending no more once the device has closed the connection in order"


def _address() -> Dialogue:
    yield Tell(1)
    me = yield Need.STRING
    yield Tell(1)
    other = yield Need.STRING
    host = yield requests.AddressOf(me, other)
    if host is not None:
        yield Tell(host)


OPERATIONS: Final[dict[int, Callable[[], Dialogue]]] = {
    1: _sign_up,
    2: _log_in,
    3: _log_out,
    10: _chat,
    12: _address,
    20: _add,
    30: _leave,
    100: _hanging,
    SHOW: _show_alone,
}


def fitting(parts: Sequence[str], room: int, more: int = 0) -> int:
    """Return how many parts, from the first on, fit into ``room`` bytes; each takes ``more`` bytes more."""
    sizes = accumulate(len(part.encode()) + more for part in parts)
    return sum(1 for size in sizes if size <= room)


def beginning(text: str, room: int) -> str:
    """Return as much of a text as fits into ``room`` bytes, but at least one character."""
    return text.encode()[:room].decode(errors="ignore") or text[:1]


def _too_soon(seconds: float) -> str:
    if math.isinf(seconds):
        return "le iscrizioni sono chiuse"
    minutes = math.ceil(seconds / 60)
    when = "1 minuto" if minutes == 1 else f"{minutes} minuti"
    return f"troppe iscrizioni dalla tua rete: riprova tra {when}"


def _ok(good: object) -> Tell:
    return Tell(0 if good else 1)


def _is_port(port: int) -> bool:
    return MIN_PORT <= port <= MAX_PORT


def _date(moment: datetime) -> str:
    return moment.strftime("%d-%m-%Y %H:%M:%S")


class DeviceDecoder:
    """One connection: it is fed bytes, and says what to write to the device and to ask the service."""

    __slots__ = ("_asked", "_dialogue", "_ended", "_framing", "_room", "_step")

    def __init__(self, answer_bytes: int = 0) -> None:
        """``answer_bytes``: the most bytes of an answer of lines or names; 0: as many as a string holds."""
        self._room = answer_bytes or MAX_STRING
        self._framing: Binary | Text | None = None
        self._dialogue: Dialogue = self._begin()
        self._step: Step | None = next(self._dialogue)
        self._asked = False  # the service has not answered yet
        self._ended = False  # the hangup was given

    @property
    def buffered(self) -> int:
        return self._framing.buffered if self._framing is not None else 0

    @property
    def is_waiting(self) -> bool:
        """Whether the device may be silent for as long as it likes: offchat, between messages."""
        return self._step in MESSAGES and not self.buffered

    @property
    def is_done(self) -> bool:
        """Whether the device may close now; the service waits for that only a little."""
        return self._step in (Need.SHOW, Need.DONE)

    @property
    def may_be_told(self) -> bool:
        """Whether the device is in no exchange: within one it would take a port for the answer."""
        return self._step not in (Need.INTEGER, Need.STRING) and not isinstance(self._step, Tell)

    @property
    def is_about_to_ask(self) -> bool:
        """Whether the device goes on with operation 200, unless it is a person or a script."""
        return self._step is Need.FIRST_MESSAGE and isinstance(self._framing, Binary)

    def feed(self, data: bytes) -> None:
        """Take bytes in any split. The first one says which framing the device speaks."""
        if self._framing is None and data:
            self._framing = Text() if data[:1].isdigit() else Binary()
        if self._framing is not None:
            self._framing.feed(data)

    def next_command(self) -> Command | None:
        """Return what is to be done next; None where more bytes or an answer are needed."""
        while not self._asked and not self._ended:
            step = self._step
            if step is None:
                return self._hang_up()
            if isinstance(step, Tell):
                assert self._framing is not None
                self._advance(None)
                return Reply(self._framing.write(step.value))
            if isinstance(step, Explain):
                self._advance(None)
                if isinstance(self._framing, Text):
                    return Reply(self._framing.write(step.text))
                continue
            if step is Need.ROOM:
                self._advance(self._room)
                continue
            if not isinstance(step, Need):
                self._asked = True
                return step
            try:
                value = self._read(step)
            except Malformed:
                return self._hang_up()
            if value is None:
                return None
            self._advance(value)
        return None

    def answer(self, value: object) -> None:
        """Take the service's answer to the request that was given last."""
        self._asked = False
        self._advance(value)

    def summon(self, port: int) -> bytes:
        """End the waiting: the other has come onchat and dials. Return the bytes that tell the device."""
        assert self._framing is not None
        self._ended = True
        return self._framing.write(port)

    def entered(self) -> None:
        """Change nothing: a device enters no room."""

    def refused(self) -> None:
        """Change nothing: a device enters no room."""

    def _begin(self) -> Dialogue:
        code = yield Need.INTEGER
        operation = OPERATIONS.get(code)
        if operation is not None:
            yield from operation()

    def _read(self, need: Need) -> int | str | None:
        if self._framing is None:
            return None
        if need in (Need.END, Need.DONE):
            if self._framing.buffered:
                raise Malformed
            return None
        return self._framing.read(need)

    def _advance(self, value: object) -> None:
        try:
            self._step = self._dialogue.send(value)
        except StopIteration:
            self._step = None

    def _hang_up(self) -> Hangup:
        self._ended = True
        return Hangup()
