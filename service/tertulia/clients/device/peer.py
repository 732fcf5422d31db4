"""What two devices say to each other on one connection, in each of the two roles.

Source: docs/protocols/device.md, "Live chat, between devices".
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from tertulia.clients.device.exchange import PeerEvent, Quiet, Steps, a_string, an_integer, either
from tertulia.clients.device.wire import MAX_STRING, QUIT, Garbage, integer, port_of, string
from tertulia.domain import nicknames
from tertulia.domain.text import decode

ADDING = r"\u"
"""Tells the peers that somebody is being added."""
SHARE = "share "
MAX_MEMBERS = 32
"""Devices in a chat, one's own included."""
CLASSIC_BYTES = 119
"""What the old program has room for in what a peer says, in an array of 120."""
CLASSIC_FILE_BYTES = 1199
"""And in a file."""

_CHAT_OF_TWO = 0
_GROUP = 1
_CANNOT_SEND = b"***"


@dataclass(frozen=True, slots=True)
class Partner:
    """A device in a chat: who it is, and where it listens."""

    name: str
    port: int


@dataclass(frozen=True, slots=True)
class Entered(PeerEvent):
    """The one that I dialled has taken me in; ``others`` are those of its group that I have to dial.

    None where there is no group, but a chat of two.
    """

    others: tuple[Partner, ...] | None


@dataclass(frozen=True, slots=True)
class Newcomer(PeerEvent):
    """Somebody who dialled me has said who it is and awaits ``invitation`` or ``introduction``."""

    member: Partner


@dataclass(frozen=True, slots=True)
class Met(PeerEvent):
    """The member that I dialled has said who it is."""


@dataclass(frozen=True, slots=True)
class ListOver(PeerEvent):
    """The list after ``Met`` has come, or will not: until then the exchange can be made ``quiet``."""


@dataclass(frozen=True, slots=True)
class Spoken(PeerEvent):
    """A message."""

    text: str


@dataclass(frozen=True, slots=True)
class AddsSomebody(PeerEvent):
    """The peer is adding a user."""


@dataclass(frozen=True, slots=True)
class File(PeerEvent):
    """The peer shares a file. Its name is whatever the peer says: it may be hostile."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class NoFile(PeerEvent):
    """The peer wanted to share a file and could not read it."""


@dataclass(frozen=True, slots=True)
class Unsaid(PeerEvent):
    """The peer sent a string with nothing in it that could be shown."""


@dataclass(frozen=True, slots=True)
class Leaves(PeerEvent):
    """The peer ends the chat for itself."""


def take_partner() -> Steps[None]:
    """I listen, and the one that I waited for has dialled."""
    yield integer(_CHAT_OF_TWO)
    yield from _talk()


def dial_partner(me: Partner) -> Steps[None]:
    """I dial the one that I chat with: it is alone, or has asked me into its group."""
    kind = yield from an_integer()
    if kind == _CHAT_OF_TWO:
        yield Entered(None)
    elif kind == _GROUP:
        yield _identity(me)
        listed, said = yield from _listed((yield from an_integer()))
        yield Entered(tuple(Partner(name, port_of(port)) for name, port in listed))
        yield from _talk(said)
        return
    else:
        raise Garbage(f"{kind} where 0 is a chat of two and 1 a group")
    yield from _talk()


def take_newcomer() -> Steps[None]:
    """I am in a group, and somebody dials to come in."""
    yield integer(_GROUP)
    yield Newcomer((yield from _member()))
    yield from _talk()


def dial_member(me: Partner, expected: Partner) -> Steps[None]:
    """I came into a group and dial one of its other members."""
    kind = yield from an_integer()
    if kind != _GROUP:
        raise Garbage(f"{kind} where a group's member writes 1")
    yield _identity(me)
    # An old program's member writes its count alone. One that had asked me in as well, and takes me for
    # its own guest, puts its list behind it.
    count = yield from either()
    if isinstance(count, bytes) and count:
        port_of((yield from an_integer()))
        if nicknames.fold(decode(count)) != nicknames.fold(expected.name):
            raise Garbage(f"{expected.name} was dialled and another device answered")
        count = yield from an_integer()
    counted = _bounded(count or 0)
    yield Met()
    # The list is the one that I have already.
    _, said = yield from _listed(counted)
    yield ListOver()
    yield from _talk(said)


def invitation(others: list[Partner]) -> bytes:
    """Return the inviter's words to the newcomer: how many others there are, and who."""
    return integer(len(others)) + b"".join(map(_identity, others))


def introduction(me: Partner) -> bytes:
    """Return another member's words to the newcomer: who that member is. No list comes with the count."""
    return _identity(me) + integer(0)


def message(text: str, room: int = MAX_STRING) -> bytes:
    """Encode a message, in pieces where it has more bytes than there is room for, split between characters.

    What begins with ``\\q``, ``\\u`` or ``share `` would be misread; no piece does unless the text does.
    """
    return b"".join(map(string, _pieces(text.encode(), room)))


def _pieces(raw: bytes, room: int) -> Iterator[bytes]:
    while len(raw) > room:
        end = room
        while raw[end] & 0xC0 == 0x80 or raw.startswith(_MISREAD, end):
            end -= 1
        yield raw[:end]
        raw = raw[end:]
    yield raw


def shared(name: bytes, content: bytes) -> bytes:
    """Encode a file. Raises TooLong."""
    return string(SHARE.encode() + name) + string(name) + string(content)


def _identity(member: Partner) -> bytes:
    return string(member.name) + integer(member.port)


def _member() -> Steps[Partner]:
    name = decode((yield from a_string()))
    if not nicknames.is_valid(name):
        raise Garbage("a newcomer's name is no nickname")
    return Partner(name, port_of((yield from an_integer())))


def _listed(count: int) -> Steps[tuple[list[tuple[str, int]], list[bytes]]]:
    """Read the names and ports of so many members, as far as they come; return what was said instead.

    The page puts a list after a count, and its author's program often none, or a shorter one. A string
    that can be no name, or that no port follows, was said.
    """
    listed: list[tuple[str, int]] = []
    for _ in range(_bounded(count)):
        raw = b""
        try:
            raw = yield from a_string()
            if not nicknames.is_valid(decode(raw)):
                return listed, [raw]
            port = yield from either()
        except Quiet:
            return listed, [raw]
        if not isinstance(port, int):
            return listed, [raw, port]
        listed.append((decode(raw), port))
    return listed, []


def _bounded(count: int) -> int:
    if count >= MAX_MEMBERS:
        raise Garbage(f"{count} members where {MAX_MEMBERS} are the most")
    return count


def _talk(said: Iterable[bytes] = ()) -> Steps[None]:
    """Tell what is said, after what was said already, until the peer leaves."""
    for raw in filter(None, said):
        if (yield from _take(raw)):
            return
    while not (yield from _take((yield from a_string()))):
        pass


def _take(raw: bytes) -> Steps[bool]:
    """Tell what a string says; return whether it was the last one."""
    said = _SIGNALS.get(raw[:2])  # "it knows \\u and \\q by their first two characters"
    if said is not None:
        event = said()
        yield event
        return isinstance(event, Leaves)
    if raw.startswith(SHARE.encode()):
        name = yield from a_string()
        # Nothing follows where it could not be sent; an empty string after it is no message anyhow.
        yield NoFile() if name == _CANNOT_SEND else File(decode(name), (yield from a_string()))
    else:
        text = decode(raw)
        yield Spoken(text) if text else Unsaid()
    return False


_SIGNALS: dict[bytes, Callable[[], PeerEvent]] = {
    QUIT.encode(): Leaves,
    ADDING.encode(): AddsSomebody,
}
_MISREAD = (*_SIGNALS, SHARE.encode())
