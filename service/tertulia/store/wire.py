"""How ops, entries and letters read in Redis. The bus format carries a version; others are skipped."""

import contextlib
from collections.abc import Sequence

import msgspec

from tertulia.chat.device_ops import (
    Collect,
    Deliver,
    DeviceOp,
    Disengage,
    Forget,
    JoinUp,
    LogIn,
    LogOut,
    OpenChat,
    SignUp,
)
from tertulia.chat.ports import Close, Delivery, Entry, Join, Leave, Op, Report, Say, Whisper
from tertulia.domain.bans import Ban
from tertulia.domain.events import (
    Closed,
    Joined,
    Left,
    PublicEvent,
    Said,
    Undelivered,
    Whispered,
    decode_private,
    decode_public,
    decode_public_lines,
    encode,
)
from tertulia.domain.nicknames import fold
from tertulia.domain.operator_commands import OperatorCommand
from tertulia.domain.operator_commands import decode as decode_order
from tertulia.domain.position import Position
from tertulia.store.keys import Keys

VERSION = b"1"

_decode_ban = msgspec.json.Decoder(Ban).decode
# Text that is no JSON of ours, or no UTF-8, or nested too deeply; a number that is none, or larger than any.
_STRANGE = (msgspec.DecodeError, ValueError, RecursionError, OverflowError)


class Unknown(Exception):
    """Something that this version does not understand: skipped and counted."""


class RoomMessage(msgspec.Struct, frozen=True):
    """An entry as it comes over the bus."""

    entry: Entry
    node: str
    batch: int
    unknown: int
    """How many of its events this version does not understand."""


class InboxMessage(msgspec.Struct, frozen=True):
    """Letters for this node."""

    epoch: str
    deliveries: Sequence[Delivery]


class ProbeMessage(msgspec.Struct, frozen=True):
    """This node's own word to itself: the subscription works, and should have brought so much."""

    position: Position


BusMessage = RoomMessage | InboxMessage | ProbeMessage


def parse_message(data: bytes) -> BusMessage:
    """Read what came over the bus. Raises Unknown."""
    head, _, body = data.partition(b"\n")
    words = head.split(b" ")
    try:
        if words[0] != VERSION:
            raise Unknown
        kind = words[1]
        if kind == b"r":
            epoch, offset, published, node, batch = words[2:7]
            return parse_entry(epoch.decode(), int(offset), published, node + b" " + batch, body)
        if kind == b"i":
            return InboxMessage(words[2].decode(), parse_letters(body.split(b"\n")))
        if kind == b"p":
            return ProbeMessage(Position(words[2].decode(), int(words[3])))
    except (*_STRANGE, IndexError) as error:
        raise Unknown from error
    raise Unknown


def parse_entry(
    epoch: str, offset: int, published: bytes, batch: bytes, body: bytes
) -> RoomMessage:
    """Read an entry of the log."""
    node, _, number = batch.partition(b" ")
    events, orders, unknown = _parse_events(body)
    return RoomMessage(
        Entry(Position(epoch, offset, int(published) / 1e6), events, orders),
        node.decode(),
        int(number),
        unknown,
    )


def parse_logged(epoch: str, name: bytes, fields: Sequence[bytes]) -> RoomMessage:
    """Read an entry as XRANGE gives it. One of a later version takes its place in the log, and is empty."""
    named = dict(zip(fields[::2], fields[1::2], strict=True))
    offset = int(name.partition(b"-")[0])
    try:
        if named.get(b"v", VERSION) != VERSION:
            raise Unknown
        return parse_entry(epoch, offset, named[b"p"], named[b"b"], named[b"e"])
    except (Unknown, KeyError, *_STRANGE):
        return RoomMessage(Entry(Position(epoch, offset), ()), "", 0, 1)


def _parse_events(body: bytes) -> tuple[list[PublicEvent], Sequence[OperatorCommand], int]:
    try:
        return decode_public_lines(body), (), 0
    except _STRANGE:  # seldom: there is an order in it, or an event of a later version
        return _parse_one_by_one(body.split(b"\n"))


def _parse_one_by_one(
    lines: Sequence[bytes],
) -> tuple[list[PublicEvent], Sequence[OperatorCommand], int]:
    events: list[PublicEvent] = []
    orders: list[OperatorCommand] = []
    for line in lines:
        try:
            events.append(decode_public(line))
        except _STRANGE:
            with contextlib.suppress(*_STRANGE):
                orders.append(decode_order(line))
    return events, orders, len(lines) - len(events) - len(orders)


def parse_letters(lines: Sequence[bytes]) -> list[Delivery]:
    """Read letters of an inbox. One of a later version still takes the number with which it begins."""
    letters = []
    for line in lines:
        try:
            number, session, milliseconds, letter = line.split(b" ", 3)
            event = decode_private(letter)
            at = int(milliseconds) / 1000
            letters.append(Delivery(int(number), session.decode(), event, at))
        except _STRANGE:
            letters.append(Delivery(int(line.partition(b" ")[0]), "", None, 0.0))
    return letters


def parse_bans(found: Sequence[bytes]) -> list[Ban]:
    """Read bans as HGETALL gives them. One of a later version covers nobody here."""
    bans = []
    for told in found[1::2]:
        with contextlib.suppress(*_STRANGE):
            bans.append(_decode_ban(told))
    return bans


def returned(letter: Whispered) -> Undelivered:
    """Turn a whisper into the report of its failure."""
    return Undelivered(letter.sender, letter.sender_session, letter.recipient, letter.text)


def probe(position: Position) -> str:
    """Write a probe: where the log was, by what Redis last told, before the probe was sent."""
    return f"{VERSION.decode()} p {position.epoch} {position.offset}"


class Batch:
    """Ops on their way to the commit script: its variable KEYS, and its arguments."""

    def __init__(self, keys: Keys, fixed: int, node: str, *, look_further: bool = False) -> None:
        """``look_further``: a recipient was not where this node thought it was."""
        self._names = keys
        self._node = node
        self._look_further = look_further
        self._fixed = fixed
        self._index: dict[str, int] = {}
        self.args: list[str | bytes | int] = []
        self.size = 0
        """Bytes of events and letters in all."""
        self.has_letters = False

    @property
    def keys(self) -> list[str]:
        """The variable keys, in the order of their indexes."""
        return list(self._index)

    def key(self, name: str) -> int:
        """Return a key's index among KEYS, from 1."""
        index = self._index.get(name)
        if index is None:
            index = self._index[name] = self._fixed + len(self._index) + 1
        return index

    def add(self, op: Op) -> None:
        """Put an op in, after those before it."""
        nick = self.key(self._names.nick(op.key))
        text: bytes
        match op:
            case Say():
                text = encode(Said(op.nickname, op.session, op.text))
                if op.token:
                    self.args += ("S", nick, op.session, text, self._token(op.token), op.tag)
                else:
                    self.args += ("s", nick, op.session, text)
            case Whisper():
                text = encode(Whispered(op.nickname, op.session, op.recipient, op.text))
                recipient = self.key(self._names.nick(fold(op.recipient)))
                if op.away or self._look_further:
                    self.args += ("V", nick, op.session, recipient, text)
                    self.args += (self._token(op.token), op.tag)
                    key = fold(op.recipient)
                    self.args += (*self._account(key), *self._waiting(key, op.key))
                    self.args += (int(op.keep), op.nickname, op.key, op.text)
                elif op.token:
                    self.args += ("W", nick, op.session, recipient, text)
                    self.args += (self._token(op.token), op.tag)
                else:
                    self.args += ("w", nick, op.session, recipient, text)
                self.has_letters = True
            case Join():
                text = encode(Joined(op.nickname, op.session, op.dialect))
                self.args += ("J", nick, op.key, op.session, op.nickname)
                self.args += (op.dialect, op.address, op.port, text)
                self.args += (self._token(op.token), int(op.resumed))
                self.args += (self.key(self._names.account(op.key)), int(op.proven))
                waits = (self._names.senders(op.key), self._names.stream(op.key))
                self.args += map(self.key, waits) if op.proven else (0, 0)
                self.args += (self.key(self._names.ended(op.key)) if op.resumed else 0,)
            case Leave():
                text = encode(Left(op.nickname, op.session))
                self.args += ("L", nick, op.key, op.session, text, self._token(op.token))
            case Close():
                text = encode(Closed(op.nickname, op.session))
                self.args += ("C", nick, op.key, op.session, text)
            case Report():
                text = encode(Undelivered(op.key, op.session, op.recipient, op.text))
                recipient_key = fold(op.recipient)
                self.args += ("R", nick, op.session, text)
                self.args += (self.key(self._names.account(recipient_key)),)
                self.args += (*self._waiting(recipient_key, op.key), op.key, op.text)
                self.has_letters = True
            case DeviceOp():
                text = b""
                self._add_device(op)
            case _:
                raise TypeError(f"no such op: {type(op).__name__}")
        self.size += len(text)

    def _add_device(self, op: DeviceOp) -> None:
        names, key = self._names, op.key
        device = (self.key(names.device(key)), self.key(names.devices), key)
        waiting = self.key(names.waiting(self._node))
        match op:
            case SignUp():
                where = (self.key(names.nick(key)), self.key(names.account(key)))
                self.args += ("a", *device, *where, op.nickname, op.password_hash)
                self.args += (op.address, op.port)
            case LogIn():
                self.args += ("i", *device, self.key(names.account(key)), op.nickname)
                self.args += (op.address, op.port)
            case LogOut():
                self.args += ("o", *device, op.address)
            case OpenChat():
                other = fold(op.other)
                self.args += ("c", *device, op.address, waiting, op.session)
                self.args += (other, self.key(names.nick(other)), *self._account(other))
                self.has_letters = True
            case JoinUp():
                other = fold(op.other)
                self.args += ("j", *device, op.address, other, self.key(names.device(other)))
                self.has_letters = True
            case Disengage():
                self.args += ("l", *device, op.address, waiting)
                self.args += (op.session if op.only_waiting else "",)
            case Deliver():
                other = fold(op.other)
                self.args += ("p", *device, op.address, self.key(names.nick(other)))
                self.args += (self.key(names.account(other)), *self._waiting(other, key)[:3])
                self.args += (op.other, op.text)
                self.size += len(op.text)
                self.has_letters = True
            case Forget():
                self.args += ("x", *self._waiting(key, op.sender)[:3])
                self.args += (op.sender, op.number, op.shown)
            case Collect():
                lists = [self.key(names.pending(key, sender)) for sender in op.senders]
                self.args += ("k", self.key(names.nick(key)), op.session, op.nickname)
                self.args += (self.key(names.mailbox(key)), self.key(names.senders(key)))
                self.args += (" ".join(op.senders), " ".join(map(str, lists)))
                self.has_letters = True

    def _account(self, key: str) -> tuple[int, int]:
        return self.key(self._names.account(key)), self.key(self._names.device(key))

    def _waiting(self, key: str, sender: str) -> tuple[int, int, int, int]:
        """Where what a sender leaves for an account goes, and the sender's own account."""
        names = self._names
        return (
            self.key(names.pending(key, sender)),
            self.key(names.mailbox(key)),
            self.key(names.senders(key)),
            self.key(names.account(sender)),
        )

    def _token(self, key: str) -> int:
        return self.key(self._names.token(key)) if key else 0
