"""What happens in a room as a stream of server-sent events: bytes alone, without I/O.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html

The ``id`` of the last event of an entry is the entry's position, ``EPOCH:OFFSET``. Of an earlier one it is
that with a dot and how many of the entry's events were read with it: a stream that ends within an entry goes
on there.
"""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from tertulia.api.positions import committed_at, parse_position, written
from tertulia.api.values import moment_or_none
from tertulia.chat.ports import Entry
from tertulia.domain.events import (
    AccountsOnly,
    Appointed,
    Closed,
    Joined,
    Kicked,
    Left,
    Muted,
    Outsiders,
    Owned,
    Present,
    PublicEvent,
    Redacted,
    Registered,
    Said,
    SlowMode,
    Tagged,
    Topic,
    Unmuted,
    WentAway,
    Withdrawn,
)
from tertulia.domain.position import Position
from tertulia.domain.text import with_line_feeds
from tertulia.operators.log_reader import Gap

HEARTBEAT: Final = b":\n\n"
"""A comment, so that both sides notice that the other is gone."""
RETRY_MILLISECONDS: Final = 1000
"""After which a client should come back."""

GAP: Final = "gap"
EVENTS: Final = frozenset(
    {
        *("said", "joined", "left", "away", "account", "closed", "topic", "redacted"),
        *("muted", "unmuted", "kicked", "slow", "accounts_only"),
        *("moderator", "owner", "outsiders"),
    }
)
"""The names of all events of a room."""

_encode = msgspec.json.Encoder().encode


class Cursor(msgspec.Struct, frozen=True):
    """A place in a stream: behind an entry, or within one."""

    position: Position
    """The last entry that was read as a whole."""
    within: int = 0
    """How many events of the next one were read."""


def parse_cursor(text: str) -> Cursor | None:
    """Read an ``id`` of a stream, or a position; None where it is none."""
    if (found := parse_position(text)) is None:
        return None
    position, within = found
    if within:
        before = Position(position.epoch, position.offset - 1)
        return Cursor(before, within) if position.offset else None
    return Cursor(position)


def hello(position: Position, within: int = 0) -> bytes:
    """Return how a stream begins that goes on behind a place. ``within``: as in a cursor.

    Its id is that place: who loses the connection right then comes back to it.
    """
    place = written(position)
    if within:
        place = written(Position(position.epoch, position.offset + 1), within)
    told = _message("hello", {"position": written(position)}, place)
    return b"retry: %d\n%s" % (RETRY_MILLISECONDS, told)


def gap(told: Gap) -> bytes:
    """Return what is said where something is missing."""
    return _message(GAP, gap_data(told), written(told.position))


def gap_data(told: Gap) -> dict[str, Any]:
    """Return the same as data."""
    why = "epoch" if told.entries is None else "trimmed"
    return {"position": written(told.position), "entries": told.entries, "reason": why}


def entry_events(entry: Entry, skip: int = 0) -> tuple[bytes, int]:
    """Return an entry's events, and how many they are. ``skip``: those that were read before."""
    position = entry.position
    shown = [it for it in event_data(entry) if it[0] > skip]
    told = []
    for number, name, data in shown:
        is_last = number == shown[-1][0]
        place = written(position) if is_last else written(position, number)
        told.append(_message(name, data, place))
    return b"".join(told), len(told)


def event_data(entry: Entry) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Give the same as data: the number of each event in its entry, its name, and what it says."""
    position = entry.position
    at, messages = committed_at(position), 0
    for number, event in enumerate(entry.events, 1):
        index = messages
        messages += isinstance(event, Said | Withdrawn)
        if (named := _named(event, position.offset, index)) is not None:
            name, data = named
            yield number, name, {"at": at, "position": written(position), **data}


def _message(name: str, data: dict[str, Any], place: str) -> bytes:
    return b"event: %s\nid: %s\ndata: %s\n\n" % (name.encode(), place.encode(), _encode(data))


def _named(event: PublicEvent, offset: int, index: int) -> tuple[str, dict[str, Any]] | None:
    """Return what an event is called, and what it says; None where nobody is told of it."""
    who, place = event.nickname, f"{offset}.{index}"
    match event:
        case Said(text=text, is_account=is_account):
            return "said", _said(place, who, with_line_feeds(text), is_account=is_account)
        case Tagged():
            return None
        case Withdrawn():
            return "said", _said(place, who, "", is_account=False, is_redacted=True)
        case Joined(was=was) if was:
            return None  # back in its seat before anybody knew
        case Joined(dialect=dialect, is_account=is_account):
            return "joined", _came(who, dialect, is_account=is_account)
        case Present(dialect=dialect, is_account=is_account):
            return "joined", _came(who, dialect, is_account=is_account, is_again=True)
        case Left(text=text):
            return "left", {"nickname": who, "text": text}
        case WentAway(text=text):
            return "away", {"nickname": who, "text": text}
        case Registered(on=on):
            return "account", {"nickname": who, "on": on}
        case Closed():
            return "closed", {"by": who}
        case Muted(whom=whom, until=until, reason=reason):
            end = moment_or_none(until)
            return "muted", {"by": who, "nickname": whom, "until": end, "reason": reason}
        case Unmuted(whom=whom):
            return "unmuted", {"by": who, "nickname": whom}
        case Kicked(whom=whom, reason=reason):
            return "kicked", {"by": who, "nickname": whom, "reason": reason}
        case SlowMode(seconds=seconds):
            return "slow", {"by": who, "seconds": seconds}
        case AccountsOnly(on=on):
            return "accounts_only", {"by": who, "on": on}
        case Topic(text=text):
            return "topic", {"by": who, "text": text}
        case Redacted(offset=of, index=at, text=reason):
            return "redacted", {"by": who, "place": f"{of}.{at}", "reason": reason}
        case Appointed(whom=whom, on=on):
            return "moderator", {"by": who, "nickname": whom, "on": on}
        case Owned(whom=whom):
            return "owner", {"nickname": whom}
        case Outsiders(on=on):
            return "outsiders", {"by": who, "on": on}


def _said(
    place: str, nickname: str, text: str, *, is_account: bool, is_redacted: bool = False
) -> dict[str, Any]:
    return {
        "place": place,
        "nickname": nickname,
        "is_account": is_account,
        "text": text,
        "is_redacted": is_redacted,
    }


def _came(
    nickname: str, dialect: str, *, is_account: bool, is_again: bool = False
) -> dict[str, Any]:
    return {
        "nickname": nickname,
        "dialect": dialect,
        "is_account": is_account,
        "is_again": is_again,
    }
