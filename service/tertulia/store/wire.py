"""The format of entries and letters in Redis. It carries a version; other versions are skipped."""

import contextlib
from collections.abc import Sequence

import msgspec

from tertulia.chat.ports import Delivery, Entry
from tertulia.domain.bans import Ban
from tertulia.domain.events import (
    Muted,
    PublicEvent,
    Said,
    decode_private,
    decode_public,
    decode_public_lines,
)
from tertulia.domain.moderation import Rules
from tertulia.domain.operator_commands import OperatorCommand
from tertulia.domain.operator_commands import decode as decode_command
from tertulia.domain.position import Position

VERSION = b"1"

_decode_ban = msgspec.json.Decoder(Ban).decode
_decode_mute = msgspec.json.Decoder(Muted).decode
# Text that is not our JSON, not UTF-8, or nested too deeply; a number that is not one, or is too large.
_STRANGE = (msgspec.DecodeError, ValueError, RecursionError, OverflowError)


class Unknown(Exception):
    """Something that this version does not understand: it is skipped and counted."""


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
    """A message of this node to itself: the subscription works, and should have brought all up to here."""

    position: Position


BusMessage = RoomMessage | InboxMessage | ProbeMessage


def parse_message(data: bytes) -> BusMessage:
    """Read a message of the bus. Raises Unknown."""
    head, _, body = data.partition(b"\n")
    words = head.split(b" ")
    try:
        if words[0] != VERSION:
            raise Unknown
        kind = words[1]
        if kind == b"r":
            epoch, offset, published, node, batch = words[2:7]
            return parse_entry(epoch.decode(), int(offset), published, node, batch, body)
        if kind == b"i":
            return InboxMessage(words[2].decode(), parse_letters(body.split(b"\n")))
        if kind == b"p":
            return ProbeMessage(Position(words[2].decode(), int(words[3])))
    except (*_STRANGE, IndexError) as error:
        raise Unknown from error
    raise Unknown


def parse_entry(
    epoch: str, offset: int, published: bytes, node: bytes, batch: bytes, body: bytes
) -> RoomMessage:
    """Read an entry of the log."""
    operator_commands: Sequence[OperatorCommand] = ()
    unknown = 0
    try:
        events = decode_public_lines(body)
    except _STRANGE:
        # This is rare: there is an operator command in it, or an event of a later version.
        events, operator_commands, unknown = _parse_one_by_one(body.split(b"\n"))
    is_talk = not operator_commands and list(map(type, events)).count(Said) == len(events)
    position = Position(epoch, offset, int(published) / 1e6)
    entry = Entry(position, events, operator_commands, is_talk)
    return RoomMessage(entry, node.decode(), int(batch), unknown)


def parse_logged(epoch: str, name: bytes, fields: Sequence[bytes]) -> RoomMessage:
    """Read an entry as XRANGE gives it. An entry of a later version keeps its offset, and is empty."""
    named = dict(zip(fields[::2], fields[1::2], strict=True))
    offset = int(name.partition(b"-")[0])
    try:
        if named.get(b"v", VERSION) != VERSION:
            raise Unknown
        node, _, batch = named[b"b"].partition(b" ")
        return parse_entry(epoch, offset, named[b"p"], node, batch, named[b"e"])
    except (Unknown, KeyError, *_STRANGE):
        return RoomMessage(Entry(Position(epoch, offset), (), is_talk=True), "", 0, 1)


def _parse_one_by_one(
    lines: Sequence[bytes],
) -> tuple[list[PublicEvent], Sequence[OperatorCommand], int]:
    events: list[PublicEvent] = []
    operator_commands: list[OperatorCommand] = []
    for line in lines:
        try:
            events.append(decode_public(line))
        except _STRANGE:
            with contextlib.suppress(*_STRANGE):
                operator_commands.append(decode_command(line))
    return events, operator_commands, len(lines) - len(events) - len(operator_commands)


def parse_letters(lines: Sequence[bytes]) -> list[Delivery]:
    """Read letters of an inbox. A letter of a later version still has the number with which it begins."""
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
    """Read bans as HGETALL gives them. A ban of a later version covers nobody here."""
    bans = []
    for told in found[1::2]:
        with contextlib.suppress(*_STRANGE):
            bans.append(_decode_ban(told))
    return bans


def parse_rules(found: Sequence[bytes], redacted: Sequence[bytes]) -> Rules:
    """Read what is in force, as HGETALL gives it, and the redacted messages. What is strange is left out."""
    rules = Rules()
    for field, told in zip(found[::2], found[1::2], strict=True):
        kind, _, key = field.decode(errors="replace").partition(":")
        with contextlib.suppress(*_STRANGE):
            match kind:
                case "topic":
                    rules.topic = told.decode()
                case "slow":
                    rules.slow = int(told)
                case "accounts_only":
                    rules.accounts_only = True
                case "moderator":
                    rules.moderators[key] = int(told)
                case "owner":
                    rules.owner, rules.owner_since = key, int(told)
                case "outsiders":
                    rules.outsiders = True
                case "mute":
                    rules.mutes[key] = _decode_mute(told)
    for place in redacted:
        with contextlib.suppress(*_STRANGE):
            offset, index = place.split(b" ")
            rules.redacted.add((int(offset), int(index)))
    return rules


def probe(position: Position) -> str:
    """Write a probe: the end of the log, by Redis' last answer before the probe is sent."""
    return f"{VERSION.decode()} p {position.epoch} {position.offset}"
