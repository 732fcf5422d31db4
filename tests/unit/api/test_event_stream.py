"""A room's events as bytes: every kind, and where a stream goes on that ended in any place."""

import json
from typing import Any

import pytest

from tertulia.api import event_stream
from tertulia.api.event_stream import EVENTS, Cursor, parse_cursor
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
    Topic,
    Unmuted,
    WentAway,
    Withdrawn,
)
from tertulia.domain.position import Position
from tertulia.operators.log_reader import Gap

AT = Position("e", 5, 1_700_000_000.25)
WHEN = "2023-11-14T22:13:20.250000Z"
HERE: dict[str, Any] = {"at": WHEN, "position": "e:5"}
WHO = ("anna", "one~1:7")


def blocks(told: bytes) -> list[dict[str, Any]]:
    """Read a stream as its specification says."""
    found = []
    for block in told.decode().split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
        found.append({**fields, "data": json.loads(fields["data"])})
    return found


def entry(*events: PublicEvent) -> Entry:
    return Entry(AT, events)


@pytest.mark.parametrize(
    ("event", "name", "data"),
    [
        (Said(*WHO, "one\u2028two"), "said",
         {"place": "5.0", "nickname": "anna", "is_account": False, "text": "one\ntwo", "is_redacted": False}),
        (Withdrawn(*WHO), "said",
         {"place": "5.0", "nickname": "anna", "is_account": False, "text": "", "is_redacted": True}),
        (Joined(*WHO, "irc", is_account=True), "joined",
         {"nickname": "anna", "dialect": "irc", "is_account": True, "is_again": False}),
        (Present(*WHO, "irc"), "joined",
         {"nickname": "anna", "dialect": "irc", "is_account": False, "is_again": True}),
        (Left(*WHO, text="bye"), "left", {"nickname": "anna", "text": "bye"}),
        (WentAway(*WHO, "lunch"), "away", {"nickname": "anna", "text": "lunch"}),
        (Registered(*WHO, True), "account", {"nickname": "anna", "on": True}),
        (Closed(*WHO), "closed", {"by": "anna"}),
        (Muted(*WHO, "bruno", 1_700_000_000_250, "loud"), "muted",
         {"by": "anna", "nickname": "bruno", "until": WHEN, "reason": "loud"}),
        (Muted(*WHO, "bruno"), "muted", {"by": "anna", "nickname": "bruno", "until": None, "reason": ""}),
        (Unmuted(*WHO, "bruno"), "unmuted", {"by": "anna", "nickname": "bruno"}),
        (Kicked(*WHO, "bruno", "loud"), "kicked", {"by": "anna", "nickname": "bruno", "reason": "loud"}),
        (SlowMode(*WHO, 9), "slow", {"by": "anna", "seconds": 9}),
        (AccountsOnly(*WHO, True), "accounts_only", {"by": "anna", "on": True}),
        (Topic(*WHO, "news"), "topic", {"by": "anna", "text": "news"}),
        (Redacted(*WHO, 3, 1, 1, "why"), "redacted", {"by": "anna", "place": "3.1", "reason": "why"}),
        (Appointed(*WHO, "bruno", True), "moderator", {"by": "anna", "nickname": "bruno", "on": True}),
        (Owned(*WHO, "anna"), "owner", {"nickname": "anna"}),
        (Outsiders(*WHO, True), "outsiders", {"by": "anna", "on": True}),
    ],
    ids=lambda it: type(it).__name__ if isinstance(it, PublicEvent) else "",
)  # fmt: skip
def test_every_event(event: PublicEvent, name: str, data: dict[str, Any]) -> None:
    told, count = event_stream.entry_events(entry(event))
    assert count == 1
    assert blocks(told) == [{"event": name, "id": "e:5", "data": {**HERE, **data}}]
    assert name in EVENTS


def test_a_session_is_nobodys_business() -> None:
    told, _ = event_stream.entry_events(entry(Said(*WHO, "x"), Joined(*WHO, "irc"), Left(*WHO)))
    assert b"one~1" not in told


def test_who_is_back_in_its_seat_was_never_gone() -> None:
    assert event_stream.entry_events(entry(Joined(*WHO, "browser", was="one~1:3"))) == (b"", 0)


def test_the_last_event_of_an_entry_has_its_position_and_others_how_many_were_read() -> None:
    whole = entry(Said(*WHO, "a"), Joined(*WHO, "irc", was="x"), Said(*WHO, "b"), Left(*WHO))
    told, count = event_stream.entry_events(whole)
    assert count == 3
    assert [it["id"] for it in blocks(told)] == ["e:5.1", "e:5.3", "e:5"]
    assert [it["data"].get("place") for it in blocks(told)] == ["5.0", "5.1", None]


def test_a_stream_that_ended_anywhere_goes_on_exactly_there() -> None:
    """Whichever event was read last, the next ones are those that follow."""
    events = [Said(*WHO, f"{number}") for number in range(6)]
    events[2:2] = [Joined(*WHO, "browser", was="x")]  # type: ignore[list-item]
    whole, _ = event_stream.entry_events(entry(*events))
    everything = blocks(whole)
    for read, last in enumerate(everything, 1):
        cursor = parse_cursor(last["id"])
        assert cursor is not None
        if cursor.position.offset == 5:
            assert last is everything[-1]
            continue
        assert cursor.position == Position("e", 4)
        rest, count = event_stream.entry_events(entry(*events), cursor.within)
        assert blocks(rest) == everything[read:]
        assert count == len(everything) - read


def test_how_a_stream_begins_and_what_is_missing() -> None:
    told = event_stream.hello(AT)
    assert told.startswith(b"retry: 1000\n")
    assert blocks(told) == [
        {"retry": "1000", "event": "hello", "id": "e:5", "data": {"position": "e:5"}}
    ]
    for gap, data in (
        (Gap(AT, 3), {"entries": 3, "reason": "trimmed"}),
        (Gap(AT, None), {"entries": None, "reason": "epoch"}),
    ):
        it = {"event": "gap", "id": "e:5", "data": {"position": "e:5", **data}}
        assert blocks(event_stream.gap(gap)) == [it]


@pytest.mark.parametrize(
    ("text", "cursor"),
    [
        ("e:5", Cursor(Position("e", 5))),
        ("e:0", Cursor(Position("e", 0))),
        ("e:5.2", Cursor(Position("e", 4), 2)),
        ("e:0.2", None),
        ("nonsense", None),
    ],
)
def test_where_a_stream_goes_on(text: str, cursor: Cursor | None) -> None:
    assert parse_cursor(text) == cursor


def test_a_text_can_end_no_event() -> None:
    for text in ("a\n\ndata: x", "\r\rid: y", "\u2028\u2028event: z", "\x00"):
        told, _ = event_stream.entry_events(entry(Said(*WHO, text)))
        (block,) = blocks(told)
        assert block["id"] == "e:5"
        assert told.count(b"\n") == 4 and b"\r" not in told
