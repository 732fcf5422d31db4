"""What two devices say to each other on one connection, in each of the two roles.

Source: the protocol page device, "Live chat, between devices".
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tertulia.clients.device.exchange import Event, Quiet, Steps, a_string, an_integer, either
from tertulia.clients.device.wire import QUIT, Garbage, integer, port_of, string
from tertulia.domain import nicknames
from tertulia.domain.text import decode

ADDING = r"\u"
"""Tells the peers that somebody is being added."""
SHARE = "share "
MAX_MEMBERS = 32
"""Devices in a chat, one's own included."""

_CHAT_OF_TWO = 0
_GROUP = 1
_CANNOT_SEND = b"***"


@dataclass(frozen=True, slots=True)
class Member:
    """A device in a chat: who it is, and where it listens."""

    name: str
    port: int


@dataclass(frozen=True, slots=True)
class Entered(Event):
    """The one that I dialled has taken me in; ``others`` are those of its group that I have to dial.

    None where there is no group, but a chat of two.
    """

    others: tuple[Member, ...] | None


@dataclass(frozen=True, slots=True)
class Newcomer(Event):
    """Somebody who dialled me has said who it is and awaits ``invitation`` or ``introduction``."""

    member: Member


@dataclass(frozen=True, slots=True)
class Met(Event):
    """The member that I dialled has said who it is."""


@dataclass(frozen=True, slots=True)
class ListOver(Event):
    """The list after ``Met`` has come, or will not: until then the exchange can be made ``quiet``."""


@dataclass(frozen=True, slots=True)
class Spoken(Event):
    """A message."""

    text: str


@dataclass(frozen=True, slots=True)
class AddsSomebody(Event):
    """The peer is adding a user."""


@dataclass(frozen=True, slots=True)
class File(Event):
    """The peer shares a file. Its name is whatever the peer says: it may be hostile."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class NoFile(Event):
    """The peer wanted to share a file and could not read it."""


@dataclass(frozen=True, slots=True)
class Leaves(Event):
    """The peer ends the chat for itself."""


def take_partner() -> Steps[None]:
    """I listen, and the one that I waited for has dialled."""
    yield integer(_CHAT_OF_TWO)
    yield from _talk()


def dial_partner(me: Member) -> Steps[None]:
    """I dial the one that I chat with: it is alone, or has asked me into its group."""
    kind = yield from an_integer()
    if kind == _CHAT_OF_TWO:
        yield Entered(None)
    elif kind == _GROUP:
        yield _identity(me)
        yield Entered((yield from _members((yield from an_integer()))))
    else:
        raise Garbage(f"{kind} where 0 is a chat of two and 1 a group")
    yield from _talk()


def take_newcomer() -> Steps[None]:
    """I am in a group, and somebody dials to come in."""
    yield integer(_GROUP)
    yield Newcomer((yield from _member()))
    yield from _talk()


def dial_member(me: Member, expected: Member) -> Steps[None]:
    """I came into a group and dial one of its other members."""
    kind = yield from an_integer()
    if kind != _GROUP:
        raise Garbage(f"{kind} where a group's member writes 1")
    yield _identity(me)
    said: list[bytes] = []
    first = yield from either()
    if isinstance(first, int) or not first:
        # It had asked me in as well, and takes me for its own guest: count and members, no name.
        yield from _members(first if isinstance(first, int) else 0)
        yield Met()
    else:
        port_of((yield from an_integer()))
        if nicknames.fold(decode(first)) != nicknames.fold(expected.name):
            raise Garbage(f"{expected.name} was dialled and another device answered")
        count = _bounded((yield from an_integer()))
        yield Met()
        said = yield from _said_instead_of_members(count)
    yield ListOver()
    yield from _talk(said)


def invitation(others: list[Member]) -> bytes:
    """What the newcomer is told by who asked it in: how many others there are, and who."""
    return integer(len(others)) + b"".join(map(_identity, others))


def introduction(me: Member) -> bytes:
    """What the newcomer is told by any other member: who that is. No list comes with the count."""
    return _identity(me) + integer(0)


def message(text: str) -> bytes:
    """Encode a message. ``\\q``, ``\\u`` and what begins with ``share `` would be misread."""
    return string(text)


def shared(name: bytes, content: bytes) -> bytes:
    """Encode a file. Raises TooLong."""
    return string(SHARE.encode() + name) + string(name) + string(content)


def _identity(member: Member) -> bytes:
    return string(member.name) + integer(member.port)


def _member() -> Steps[Member]:
    name = decode((yield from a_string()))
    if not nicknames.is_valid(name):
        raise Garbage("a newcomer's name is no nickname")
    return Member(name, port_of((yield from an_integer())))


def _members(count: int) -> Steps[tuple[Member, ...]]:
    members = []
    for _ in range(_bounded(count)):
        members.append((yield from _member()))  # noqa: PERF401 (no comprehension can yield)
    return tuple(members)


def _said_instead_of_members(count: int) -> Steps[list[bytes]]:
    """Pass over the list that the page puts after a member's count, and its author's program doesn't.

    The list is the one that the newcomer has already. A string that can be no name, or that no port
    follows, was said; return what was.
    """
    for _ in range(count):
        raw = b""
        try:
            raw = yield from a_string()
            if not nicknames.is_valid(decode(raw)):
                return [raw]
            port = yield from either()
        except Quiet:
            return [raw]
        if not isinstance(port, int):
            return [raw, port]
    return []


def _bounded(count: int) -> int:
    if count >= MAX_MEMBERS:
        raise Garbage(f"{count} members where {MAX_MEMBERS} are the most")
    return count


def _talk(said: Iterable[bytes] = ()) -> Steps[None]:
    """Tell what is said, after what was said already, until the peer leaves."""
    for raw in said:
        if (yield from _take(raw)):
            return
    while not (yield from _take((yield from a_string()))):
        pass


def _take(raw: bytes) -> Steps[bool]:
    """Tell what a string says; return whether it was the last one."""
    said = _SIGNALS.get(raw)
    if said is not None:
        event = said()
        yield event
        return isinstance(event, Leaves)
    if raw.startswith(SHARE.encode()):
        name = yield from a_string()
        # Nothing follows where it could not be sent; an empty string after it is no message anyhow.
        yield NoFile() if name == _CANNOT_SEND else File(decode(name), (yield from a_string()))
    elif text := decode(raw):
        yield Spoken(text)
    return False


_SIGNALS: dict[bytes, Callable[[], Event]] = {
    QUIT.encode(): Leaves,
    ADDING.encode(): AddsSomebody,
}
