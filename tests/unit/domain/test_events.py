"""Events as they stand in the log: readable, one object a line, back as they were."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tertulia.domain import events
from tertulia.domain.events import (
    MODERATED,
    Closed,
    Joined,
    Left,
    Muted,
    Present,
    PrivateEvent,
    PublicEvent,
    Registered,
    Said,
    Undelivered,
    WentAway,
    Whispered,
)

# Everything that JSON can hold; surrogates can't come out of any decoder.
TEXT = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    ["\n", "\r\n", "\u2028", "\x00", '"}', "\\n", '{"t":"left"}', "}\n{"]
)
PUBLIC: st.SearchStrategy[PublicEvent] = st.one_of(
    st.builds(Joined, nickname=TEXT, session=TEXT, is_account=st.booleans(), about=TEXT),
    st.builds(Present, nickname=TEXT, session=TEXT, dialect=TEXT, away=TEXT, about=TEXT),
    st.builds(WentAway, nickname=TEXT, session=TEXT, text=TEXT),
    st.builds(Registered, nickname=TEXT, session=TEXT, on=st.booleans()),
    st.builds(Left, nickname=TEXT, session=TEXT, is_gone=st.booleans(), text=TEXT),
    st.builds(Said, nickname=TEXT, session=TEXT, text=TEXT),
    *(st.builds(kind, nickname=TEXT, session=TEXT) for kind in MODERATED),
    st.builds(
        Muted, nickname=TEXT, session=TEXT, whom=TEXT, until=st.integers(0, 2**53), reason=TEXT
    ),
    st.builds(Closed, nickname=TEXT, session=TEXT),
)
PRIVATE: st.SearchStrategy[PrivateEvent] = st.one_of(
    st.builds(Whispered, sender=TEXT, sender_session=TEXT, recipient=TEXT, text=TEXT),
    st.builds(Undelivered, sender=TEXT, sender_session=TEXT, recipient=TEXT, text=TEXT),
)


@given(PUBLIC)
def test_a_public_event_comes_back_as_it_was(event: PublicEvent) -> None:
    back = events.decode_public(events.encode(event))
    assert back == event
    assert type(back) is type(event)


@given(PRIVATE)
def test_a_private_event_comes_back_as_it_was(event: PrivateEvent) -> None:
    back = events.decode_private(events.encode(event))
    assert back == event
    assert type(back) is type(event)


@given(PUBLIC | PRIVATE)
def test_one_json_object_without_a_raw_line_end(event: PublicEvent | PrivateEvent) -> None:
    encoded = events.encode(event)
    assert b"\n" not in encoded
    assert b"\r" not in encoded
    assert isinstance(json.loads(encoded), dict)


@given(st.lists(PUBLIC))
def test_an_entry_is_its_events_one_a_line(batch: list[PublicEvent]) -> None:
    # The commit script joins them without looking inside.
    for entry in (
        b"\n".join(map(events.encode, batch)),
        b"".join(events.encode(event) + b"\n" for event in batch),
    ):
        assert events.decode_public_lines(entry) == batch


@pytest.mark.parametrize(
    ("event", "encoded"),
    [
        (Joined("Andy", "n1:7", "chatte"), '{"t":"joined","n":"Andy","s":"n1:7","d":"chatte"}'),
        (Present("Andy", "n1:7", "chatte"), '{"t":"present","n":"Andy","s":"n1:7","d":"chatte"}'),
        (
            Joined("Andy", "n1:7", "irc", about="a Andy B."),
            '{"t":"joined","n":"Andy","s":"n1:7","d":"irc","r":"a Andy B."}',
        ),
        (
            Joined("Andy", "n1:7", "chatte", is_account=True),
            '{"t":"joined","n":"Andy","s":"n1:7","d":"chatte","a":true}',
        ),
        (WentAway("Andy", "n1:7", "tea"), '{"t":"away","n":"Andy","s":"n1:7","x":"tea"}'),
        (Registered("Andy", "n1:7", True), '{"t":"account","n":"Andy","s":"n1:7","y":true}'),
        (Left("Andy", "n1:7", text="bye"), '{"t":"left","n":"Andy","s":"n1:7","x":"bye"}'),
        (Left("Andy", "n1:7"), '{"t":"left","n":"Andy","s":"n1:7"}'),
        (Said("Andy", "n1:7", "sí\t\n"), '{"t":"said","n":"Andy","s":"n1:7","x":"sí\\t\\n"}'),
        (Closed("Andy", "n1:7"), '{"t":"closed","n":"Andy","s":"n1:7"}'),
        (
            Whispered("Andy", "n1:7", "Bea", "ps"),
            '{"t":"whispered","n":"Andy","s":"n1:7","r":"Bea","x":"ps"}',
        ),
        (
            Undelivered("Andy", "n1:7", "Bea", "ps"),
            '{"t":"undelivered","n":"Andy","s":"n1:7","r":"Bea","x":"ps"}',
        ),
    ],
)
def test_what_stands_in_the_log_is_what_other_versions_read(
    event: PublicEvent | PrivateEvent, encoded: str
) -> None:
    assert events.encode(event).decode() == encoded


def test_a_field_of_a_newer_version_is_passed_over() -> None:
    event = events.decode_public(b'{"t":"said","n":"Andy","s":"n1:7","x":"hi","mood":[1]}')
    assert event == Said("Andy", "n1:7", "hi")


@pytest.mark.parametrize(
    "foreign",
    [b"", b"{}", b"[]", b'{"t":"said"}', b'{"t":"waved","n":"a","s":"b"}', b'{"n":"a","s":"b"}'],
)
def test_what_is_no_event_is_refused(foreign: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        events.decode_public(foreign)


def test_a_private_message_is_never_taken_for_a_public_event() -> None:
    with pytest.raises(msgspec.DecodeError):
        events.decode_public(events.encode(Whispered("Andy", "n1:7", "Bea", "ps")))


def test_events_are_values() -> None:
    assert Said("Andy", "n1:7", "hi") == Said("Andy", "n1:7", "hi")
    present: PublicEvent = Present("Andy", "n1:7")
    assert present != Joined("Andy", "n1:7")
    with pytest.raises(AttributeError):
        Said("Andy", "n1:7", "hi").text = "bye"  # type: ignore[misc]
