"""CHATHISTORY: what was said before, asked for by messages or times. Source: ircv3.net, "chathistory"."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec.structs import replace

from tertulia.dialects.irc.capabilities import Capability
from tertulia.dialects.irc.client import IrcClient
from tertulia.dialects.irc.message import middle, tagged
from tertulia.dialects.irc.speech import Speech, moment
from tertulia.domain.commands import Command, Excerpt, ReadReply
from tertulia.domain.nicknames import is_well_formed
from tertulia.domain.past import PastMessage, Place

MOST: Final = 100
"""Messages in an answer, as 005 says."""
_COMMAND: Final = "CHATHISTORY"
_NOT_RETRIEVED: Final = "Messages could not be retrieved"
_BATCH: Final = "history"
_MSGID: Final = re.compile(r"(.{1,64})-([0-9]{1,16})-([0-9]{1,9})\Z")
_TIMESTAMP: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\Z", re.ASCII)
_LIMIT: Final = re.compile(r"[0-9]{1,9}\Z")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_REFERENCES: Final = {"LATEST": 1, "BEFORE": 1, "AFTER": 1, "AROUND": 1, "BETWEEN": 2}
"""How many messages or times a subcommand names."""


@dataclass(frozen=True, slots=True)
class _Moment:
    """A millisecond, as a tag of a message has it: the message is committed somewhere in it."""

    start: float
    """Seconds since 1970."""
    end: float
    """Its last microsecond; the log has no finer times."""


@dataclass(frozen=True, slots=True)
class _Message:
    epoch: str
    place: Place


_Reference = _Moment | _Message


class _Refused(Exception):
    """A request is no good; the line says why."""


def message_place(msgid: str) -> tuple[str, Place] | None:
    """Return the epoch and the place of a public message; None where that is the id of none."""
    found = _MSGID.match(msgid)
    return None if found is None else (found[1], Place(int(found[2]), int(found[3])))


def chathistory(
    client: IrcClient, params: Sequence[str], label: str, is_in: Callable[[str], bool]
) -> Iterator[Command]:
    """Yield the commands that a request is carried out with. ``is_in``: whether the client is in a room."""
    try:
        yield from _requests(client, params, label, is_in)
    except _Refused as refused:
        yield ReadReply(client.answer([str(refused)], label))


def _requests(
    client: IrcClient, params: Sequence[str], label: str, is_in: Callable[[str], bool]
) -> Iterator[Command]:
    subcommand = params[0].upper()
    if subcommand == "TARGETS":
        yield from _targets(client, params, label)
        return
    expected = _REFERENCES.get(subcommand)
    if expected is None:
        raise _invalid(client, subcommand, words="Unknown command")
    _check_count(client, subcommand, params, expected + 3)
    target, most = params[1], _limit(client, subcommand, params[-1])
    room = client.server.room(target)
    if room is None and is_well_formed(target):
        # Private messages are not kept: there is nothing, and that is no error.
        yield ReadReply(client.answer(_batch(client, "chathistory", [], target), label))
        return
    if room is None or not is_in(room):
        raise _failed(client, "INVALID_TARGET", subcommand, target, words=_NOT_RETRIEVED)
    if subcommand == "LATEST" and params[2] == "*":
        found: list[_Reference] = []
    else:
        found = [_reference(client, subcommand, target, it) for it in params[2:-1]]
    speech = Speech(client.server, client.capabilities, room)

    def told(messages: Sequence[PastMessage]) -> bytes:
        return client.answer(speech.excerpt(messages), label)

    epochs = {it.epoch for it in found if isinstance(it, _Message)}
    if len(epochs) > 1:  # nothing is between two messages of different logs
        yield ReadReply(told(()))
    else:
        yield _excerpt(subcommand, found, Excerpt(told, most, room, epoch="".join(epochs)))


def _excerpt(subcommand: str, found: Sequence[_Reference], asked: Excerpt) -> Excerpt:
    """Add to a request which messages it is about."""
    match subcommand, found:
        case "AROUND", [only]:
            return replace(asked, around=_first(only))
        case "BEFORE", [only]:
            return replace(asked, before=_first(only))
        case "AFTER", [only]:
            return replace(asked, after=_last(only), from_start=True)
        case "LATEST", [only]:
            return replace(asked, after=_last(only))
        case "BETWEEN", [first, second]:
            # It counts from the first one on, which may be the later one.
            goes_on = not _is_later(first, second)
            after, before = (first, second) if goes_on else (second, first)
            return replace(asked, after=_last(after), before=_first(before), from_start=goes_on)
    return asked


def _first(reference: _Reference) -> Place | float:
    return reference.place if isinstance(reference, _Message) else reference.start


def _last(reference: _Reference) -> Place | float:
    return reference.place if isinstance(reference, _Message) else reference.end


def _is_later(one: _Reference, other: _Reference) -> bool:
    """Say whether one is after the other; where one is a time and one a message, it is taken for earlier."""
    if isinstance(one, _Message) and isinstance(other, _Message):
        return (one.place.offset, one.place.index) > (other.place.offset, other.place.index)
    if isinstance(one, _Moment) and isinstance(other, _Moment):
        return one.start > other.start
    return False


def _reference(client: IrcClient, subcommand: str, target: str, written: str) -> _Reference:
    kind, equals, value = written.partition("=")
    if equals and kind == "timestamp":
        return _moment(client, subcommand, value)
    if equals and kind == "msgid":
        found = message_place(value)
        if found is None:
            raise _failed(client, "MESSAGE_ERROR", subcommand, target, words=_NOT_RETRIEVED)
        return _Message(*found)
    words = "Only timestamp= and msgid= are supported"
    raise _failed(client, "INVALID_MSGREFTYPE", subcommand, target, words=words)


def _moment(client: IrcClient, subcommand: str, written: str) -> _Moment:
    try:
        if not _TIMESTAMP.match(written):
            raise ValueError
        passed = datetime.fromisoformat(written) - _EPOCH
    except ValueError:
        raise _invalid(client, subcommand, written, words="Invalid timestamp") from None
    microseconds = passed // timedelta(microseconds=1)
    return _Moment(microseconds / 1e6, (microseconds + 999) / 1e6)


def _limit(client: IrcClient, subcommand: str, written: str) -> int:
    if not _LIMIT.match(written) or int(written) == 0:
        raise _invalid(client, subcommand, written, words="Invalid limit")
    return min(int(written), MOST)


def _check_count(client: IrcClient, subcommand: str, params: Sequence[str], expected: int) -> None:
    if len(params) < expected:
        raise _invalid(client, subcommand, words="Insufficient parameters")
    if len(params) > expected:
        raise _invalid(client, subcommand, words="Too many parameters")


def _invalid(client: IrcClient, subcommand: str, *context: str, words: str) -> _Refused:
    return _failed(client, "INVALID_PARAMS", subcommand, *context, words=words)


def _failed(client: IrcClient, code: str, *context: str, words: str) -> _Refused:
    return _Refused(client.fail(_COMMAND, code, *map(middle, context), words=words))


def _targets(client: IrcClient, params: Sequence[str], label: str) -> Iterator[Command]:
    """Ask each channel for its last message; the answer is told with the last of them."""
    _check_count(client, "TARGETS", params, 4)
    times = []
    for written in params[1:3]:
        kind, _, value = written.partition("=")
        if kind != "timestamp":
            words = "Only timestamp= is supported"
            raise _failed(client, "INVALID_MSGREFTYPE", "TARGETS", written, words=words)
        times.append(_moment(client, "TARGETS", value))
    most = _limit(client, "TARGETS", params[3])
    earlier, later = sorted(times, key=lambda it: it.start)
    rooms = sorted(client.rooms)
    latest: list[tuple[float, str]] = []

    def answer() -> bytes:
        chosen = sorted(latest)
        chosen = chosen[:most] if times[0] is earlier else chosen[-most:]
        lines = [
            f":{client.server.name} {_COMMAND} TARGETS {client.server.channel(room)} {moment(at)}"
            for at, room in chosen
        ]
        return client.answer(_batch(client, "draft/chathistory-targets", lines), label)

    def asked(room: str) -> Excerpt:
        def told(messages: Sequence[PastMessage]) -> bytes:
            at = messages[-1].position.at if messages else 0.0
            if earlier.end < at < later.start:
                latest.append((at, room))
            return answer() if room == rooms[-1] else b""

        return Excerpt(told, 1, room)

    if not rooms:
        yield ReadReply(answer())
    yield from map(asked, rooms)


def _batch(client: IrcClient, kind: str, lines: Sequence[str], *params: str) -> Sequence[str]:
    if not client.has(Capability.BATCH):
        return lines
    source = f":{client.server.name}"
    begin = " ".join([f"{source} BATCH +{_BATCH} {kind}", *params])
    return [begin, *(tagged([("batch", _BATCH)], it) for it in lines), f"{source} BATCH -{_BATCH}"]
