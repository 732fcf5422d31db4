"""The operations that a device runs with the service, one exchange each.

Source: docs/protocols/device.md, "Operations" and "10, after the answer".
"""

import re
from dataclasses import dataclass
from enum import Enum, IntEnum

from tertulia.clients.device.exchange import Steps, a_string, an_integer, either
from tertulia.clients.device.wire import MAX_STRING, MIN_PORT, Garbage, integer, port_of, string
from tertulia.domain import nicknames
from tertulia.domain.text import decode

_ACK = 1
_NOTHING_PENDING = b"null"
_LONGEST_MESSAGE = 4096
_HANGING = re.compile(r"(?P<sender>\S+): (?P<count>\d{1,9}) messaggi\w*, (?P<when>.+)", re.ASCII)


class Code(IntEnum):
    """An operation, as a device asks for it."""

    SIGN_UP = 1
    IN = 2
    OUT = 3
    CHAT = 10
    ADDRESS = 12
    ADD = 20
    LEAVE = 30
    HANGING = 100
    SHOW = 200


class LoginAnswer(Enum):
    """How operations 1 and 2 end."""

    DONE = "done"
    NAME_REFUSED = "name refused"
    PASSWORD_REFUSED = "password refused"  # noqa: S105 (an answer, not a secret)
    PORT_REFUSED = "port refused"


class NoPort(IntEnum):
    """The answers to operation 10 that are not a port."""

    UNKNOWN = 0
    OFFCHAT = 1


@dataclass(frozen=True, slots=True)
class HangingMessage:
    """Messages of one sender that wait to be shown."""

    sender: str
    count: int
    when: str


@dataclass(frozen=True, slots=True)
class PendingFrom:
    """A sender's messages that waited, oldest first."""

    messages: tuple[str, ...]
    perhaps_more: bool = False
    """Whether so much came that there may be more than one string holds."""


@dataclass(frozen=True, slots=True)
class PeerCame:
    """The one that was waited for is onchat too, and is about to dial."""

    port: int


def sign_up(name: str, password: str, port: int) -> Steps[LoginAnswer]:
    """Operation 1: make an account and log in."""
    return _identify(Code.SIGN_UP, name, password, port)


def log_in(name: str, password: str, port: int) -> Steps[LoginAnswer]:
    """Operation 2: log in with the port of one's own."""
    return _identify(Code.IN, name, password, port)


def log_out(name: str) -> Steps[bool]:
    """Operation 3. Returns whether the name was logged in."""
    yield from _asked(Code.OUT)
    yield string(name)
    return (yield from _accepted())


def enter_chat(me: str, dest: str) -> Steps[int]:
    """Operation 10 up to its answer: a NoPort, or the port of one who is onchat with me."""
    yield from _asked(Code.CHAT)
    yield string(me)
    yield from _acknowledged()
    yield string(dest)
    answer = yield from an_integer()
    return answer if answer in (NoPort.UNKNOWN, NoPort.OFFCHAT) else port_of(answer)


def wait_for_peer() -> Steps[PeerCame]:
    """Operation 10 after the answer 1. Meanwhile each string sent is a message, until ``\\q``."""
    return PeerCame(port_of((yield from an_integer())))


def show(me: str, sender: str) -> Steps[PendingFrom]:
    """Operation 200 on a connection of its own.

    What is returned is pending until the connection has been closed in order.
    """
    shown = yield from show_before_writing(me, sender)
    if isinstance(shown, PeerCame):
        raise Garbage("a port came where pending messages were asked for")
    return shown


def show_before_writing(me: str, sender: str) -> Steps[PendingFrom | PeerCame]:
    """Operation 200 where operation 10 was answered 1, before the first message.

    The peer may come at any moment; then its port is all that comes.
    """
    yield integer(Code.SHOW)
    for argument in (me, sender):
        answer = yield from an_integer()
        if answer >= MIN_PORT:
            return PeerCame(port_of(answer))
        _check_ack(answer)
        yield string(argument)
    shown = yield from either()
    if isinstance(shown, int):
        return PeerCame(port_of(shown))
    if shown == _NOTHING_PENDING:
        return PendingFrom(())
    lines = shown.removesuffix(b"\n").split(b"\n") if shown else []
    return PendingFrom(
        tuple(decode(line) for line in lines),
        perhaps_more=len(shown) >= MAX_STRING - _LONGEST_MESSAGE,
    )


def hanging(me: str) -> Steps[tuple[HangingMessage, ...]]:
    """Operation 100: who left messages."""
    yield from _asked(Code.HANGING)
    yield string(me)
    lines = (yield from a_string()).split(b"\n")
    return tuple(_hanging(decode(line)) for line in lines if line)


def address(me: str, user: str) -> Steps[str]:
    """Operation 12: the host where a user's device listens; empty where I am not to know."""
    yield from _asked(Code.ADDRESS)
    yield string(me)
    yield from _acknowledged()
    yield string(user)
    return decode((yield from a_string()))


def online_users() -> Steps[tuple[str, ...]]:
    """Operation 20 up to its list. ``add_user`` follows on the same connection."""
    yield integer(Code.ADD)
    names = decode((yield from a_string())).split(",")
    return tuple(
        name for name in names if nicknames.is_valid(name)
    )  # "nessun utente online" is none


def add_user(name: str, me: str) -> Steps[bool]:
    """The rest of operation 20. Returns whether the user is online, and I am onchat with it."""
    if not (yield from _port_of_user(name)):
        return False
    yield string(me)
    return True


def listening_port(name: str) -> Steps[int]:
    """As much of operation 20 as tells the port of a user, and adds nobody; 0: it is not online."""
    yield from online_users()
    return (yield from _port_of_user(name))


def leave_chat(me: str) -> Steps[None]:
    """Operation 30. Done once the service has closed, as it says nothing more."""
    yield from _asked(Code.LEAVE)
    yield string(me)


def _identify(code: Code, name: str, password: str, port: int) -> Steps[LoginAnswer]:
    yield from _asked(code)
    yield string(name)
    if not (yield from _accepted()):
        return LoginAnswer.NAME_REFUSED
    yield string(password)
    if not (yield from _accepted()):
        return LoginAnswer.PASSWORD_REFUSED
    yield integer(port)
    if not (yield from _accepted()):
        return LoginAnswer.PORT_REFUSED
    return LoginAnswer.DONE


def _port_of_user(name: str) -> Steps[int]:
    yield string(name)
    port = yield from an_integer()
    return port_of(port) if port else 0


def _asked(code: Code) -> Steps[None]:
    yield integer(code)
    yield from _acknowledged()


def _acknowledged() -> Steps[None]:
    _check_ack((yield from an_integer()))


def _check_ack(answer: int) -> None:
    if answer != _ACK:
        raise Garbage(f"{answer} where 1 acknowledges")


def _accepted() -> Steps[bool]:
    answer = yield from an_integer()
    if answer not in (0, 1):
        raise Garbage(f"{answer} where 0 accepts and 1 refuses")
    return answer == 0


def _hanging(line: str) -> HangingMessage:
    found = _HANGING.fullmatch(line)
    if found is None:
        return HangingMessage(line, 0, "")
    return HangingMessage(found["sender"], int(found["count"]), found["when"])
