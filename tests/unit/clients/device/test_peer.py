"""What two devices say to each other. Source: docs/protocols/device.md, "Live chat, between devices"."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cases import each
from tertulia.clients.device import peer
from tertulia.clients.device.exchange import PeerEvent, Run, Steps
from tertulia.clients.device.peer import (
    CLASSIC_BYTES,
    AddsSomebody,
    Entered,
    File,
    Leaves,
    ListOver,
    Met,
    Newcomer,
    NoFile,
    Partner,
    Spoken,
    Unsaid,
)
from tertulia.clients.device.wire import FrameDecoder, FrameTooLong, Garbage, integer, string

ANNA, BOB, CAROL = Partner("anna", 5000), Partner("bob", 6000), Partner("carol", 7000)
CAROL_SAYS = string("carol") + integer(7000)


class Side:
    """One side of a connection: what it sent, and what it told."""

    def __init__(self, steps: Steps[None]) -> None:
        self.frames = FrameDecoder()
        self.run: Run[Any] = Run(self.frames, steps)
        self.sent = b""
        self.told: list[PeerEvent] = []
        self.go_on()

    def reads(self, data: bytes) -> list[PeerEvent]:
        """Feed it, and return what it told thereupon."""
        before = len(self.told)
        self.frames.feed(data)
        self.go_on()
        return self.told[before:]

    def go_on(self) -> None:
        for step in self.run.advance():
            if isinstance(step, bytes):
                self.sent += step
            else:
                self.told.append(step)


def test_who_listens_writes_0_for_a_chat_of_two() -> None:
    side = Side(peer.take_partner())
    assert side.sent == integer(0)
    assert side.reads(string("ciao")) == [Spoken("ciao")]


def test_who_dials_reads_0_and_talks() -> None:
    side = Side(peer.dial_partner(ANNA))
    assert side.sent == b""
    assert side.reads(integer(0)) == [Entered(None)]
    assert side.reads(string("ciao")) == [Spoken("ciao")]
    assert side.sent == b""


def test_who_dials_into_a_group_says_who_it_is_and_learns_the_others() -> None:
    side = Side(peer.dial_partner(CAROL))
    assert side.reads(integer(1)) == []
    assert side.sent == CAROL_SAYS
    others = integer(2) + string("anna") + integer(5000) + string("dora") + integer(8000)
    assert side.reads(others) == [Entered((ANNA, Partner("dora", 8000)))]
    assert side.reads(string("ciao")) == [Spoken("ciao")]


def test_who_is_in_a_group_asks_whoever_dials_who_it_is() -> None:
    side = Side(peer.take_newcomer())
    assert side.sent == integer(1)
    assert side.reads(CAROL_SAYS) == [Newcomer(CAROL)]
    assert side.reads(string("ciao")) == [Spoken("ciao")]


def test_the_invitation_tells_how_many_others_there_are_and_who() -> None:
    assert peer.invitation([]) == integer(0)
    assert peer.invitation([ANNA, BOB]) == (
        integer(2) + string("anna") + integer(5000) + string("bob") + integer(6000)
    )


def test_another_member_answers_its_own_name_and_port_and_0() -> None:
    assert peer.introduction(BOB) == string("bob") + integer(6000) + integer(0)


def met(*, count: int = 0, name: str = "bob") -> Side:
    side = Side(peer.dial_member(CAROL, BOB))
    assert side.sent == b""
    assert side.reads(integer(1)) == []
    assert side.sent == CAROL_SAYS
    assert side.reads(string(name) + integer(6000) + integer(count))[:1] == [Met()]
    assert (ListOver() in side.told) == (count == 0)
    return side


def test_a_newcomer_dials_a_member() -> None:
    assert met().reads(string("ciao")) == [Spoken("ciao")]


def test_a_member_s_list_is_passed_over() -> None:
    side = met(count=2)
    listed = string("anna") + integer(5000) + string("dora") + integer(8000)
    assert side.reads(listed + string("ciao")) == [ListOver(), Spoken("ciao")]


@pytest.mark.parametrize("first", ["ciao a tutti", "ciao", r"\u", "share foto"])
def test_a_member_s_count_may_come_without_its_list(first: str) -> None:
    side = met(count=2)
    told = side.reads(string(first) + string("foto") + string("!"))
    if first.startswith("share "):
        assert told == [ListOver(), File("foto", b"!")]
    else:
        start = AddsSomebody() if first == r"\u" else Spoken(first)
        assert told == [ListOver(), start, Spoken("foto"), Spoken("!")]


def test_a_member_without_list_may_leave_at_once() -> None:
    side = met(count=2)
    assert side.reads(string(r"\q")) == [ListOver(), Leaves()]
    assert side.run.done
    side = met(count=2)
    assert side.reads(string("ciao") + string(r"\q")) == [ListOver(), Spoken("ciao"), Leaves()]
    assert side.run.done


def test_a_word_that_nothing_follows_was_no_name() -> None:
    side = met(count=2)
    assert side.reads(string("ciao")) == []
    assert list(side.run.quiet()) == [ListOver(), Spoken("ciao")]
    assert side.reads(string("anna") + string("bob")) == [Spoken("anna"), Spoken("bob")]


def test_a_list_that_does_not_come_is_no_list() -> None:
    side = met(count=2)
    assert list(side.run.quiet()) == [ListOver()]
    assert side.reads(string("anna")) == [Spoken("anna")]


@pytest.mark.parametrize("others", [(), (ANNA,)])
def test_a_member_may_have_asked_the_newcomer_in_as_well(others: tuple[Partner, ...]) -> None:
    side = Side(peer.dial_member(CAROL, BOB))
    side.reads(integer(1))
    assert side.reads(peer.invitation(list(others))) == [Met(), ListOver()]
    assert side.reads(string("ciao")) == [Spoken("ciao")]


BARE = integer(1) + integer(2)
"""What an old program's member writes to a newcomer: how many others there are, and no more."""


def old_member() -> Side:
    side = Side(peer.dial_member(CAROL, BOB))
    assert side.reads(BARE) == [Met()]
    assert side.sent == CAROL_SAYS
    return side


@pytest.mark.parametrize("first", ["ciao a tutti", "ciao", "", r"\u carla", "share foto"])
def test_a_member_may_write_its_count_alone_and_then_what_it_says(first: str) -> None:
    told = old_member().reads(string(first) + string("foto") + string("!"))
    match first:
        case "share foto":
            assert told == [ListOver(), File("foto", b"!")]
        case "":
            assert told == [ListOver(), Spoken("foto"), Spoken("!")]
        case r"\u carla":
            assert told == [ListOver(), AddsSomebody(), Spoken("foto"), Spoken("!")]
        case _:
            assert told == [ListOver(), Spoken(first), Spoken("foto"), Spoken("!")]


def test_a_member_with_a_bare_count_may_say_a_word_leave_or_be_silent() -> None:
    side = old_member()
    assert side.reads(string("ciao")) == []
    assert list(side.run.quiet()) == [ListOver(), Spoken("ciao")]
    assert old_member().reads(string("ciao") + string(r"\q")) == [
        *(ListOver(), Spoken("ciao"), Leaves()),
    ]
    assert list(old_member().run.quiet()) == [ListOver()]


def test_a_count_may_be_followed_by_fewer_than_it_says() -> None:
    """An old program counts on from one live chat to the next."""
    side = old_member()
    listed = string("anna") + integer(5000)
    assert side.reads(listed + string("ciao a tutti")) == [ListOver(), Spoken("ciao a tutti")]
    side = Side(peer.dial_partner(CAROL))
    assert side.reads(integer(1) + integer(3) + listed) == []
    assert list(side.run.quiet()) == [Entered((ANNA,))]
    assert side.reads(string("ciao")) == [Spoken("ciao")]
    side = Side(peer.dial_partner(CAROL))
    assert side.reads(integer(1) + integer(3) + listed + string("dai, vieni")) == [
        *(Entered((ANNA,)), Spoken("dai, vieni")),
    ]


def test_a_member_is_compared_without_case() -> None:
    met(name="BOB")


@each(
    ("steps", "data"),
    [
        (lambda: peer.dial_partner(ANNA), integer(2)),
        (lambda: peer.dial_partner(ANNA), string("ciao")),
        (lambda: peer.dial_partner(ANNA), integer(1) + integer(32)),
        (lambda: peer.dial_partner(ANNA), integer(1) + integer(1) + string("") + integer(5000)),
        (lambda: peer.dial_partner(ANNA), integer(1) + integer(1) + string("bob") + integer(80)),
        (lambda: peer.dial_member(ANNA, BOB), integer(0)),
        (lambda: peer.dial_member(ANNA, BOB), integer(1) + peer.introduction(CAROL)),
        (lambda: peer.dial_member(ANNA, BOB), integer(1) + string("bob") + integer(1)),
        (peer.take_newcomer, string("G") + integer(5000)),
        (peer.take_newcomer, string("\x1b[31m") + integer(5000)),
        (peer.take_newcomer, string("ca rol") + integer(5000)),
        (peer.take_newcomer, string("carol") + integer(65_536)),
        (peer.take_newcomer, b"GET / HTTP/1.1\r\n"),
        (peer.take_partner, b"GET / HTTP/1.1\r\n"),
        (peer.take_partner, string("ciao") + b"\xff\xff\xff\xff"),
    ],
)
def test_what_no_device_says_is_garbage(steps: Callable[[], Steps[None]], data: bytes) -> None:
    with pytest.raises(Garbage):
        Side(steps()).reads(data)


def test_what_came_before_garbage_is_told() -> None:
    side = Side(peer.take_partner())
    with pytest.raises(Garbage):
        side.reads(string("ciao") + b"GET ")
    assert side.told == [Spoken("ciao")]


TALK = (
    string("ciao")
    + string("")
    + string(r"\u")
    + string("share ../../x")
    + string("../../x")
    + string(b"\0\xff" * 300)
    + string("share y")
    + string("***")
    + string("")
    + string("\x1b[2Jè")
    + string(r"\q")
)
TOLD = [
    Spoken("ciao"),
    Unsaid(),
    AddsSomebody(),
    File("../../x", b"\0\xff" * 300),
    NoFile(),
    Unsaid(),
    Spoken("[2Jè"),
    Leaves(),
]


def test_a_talk() -> None:
    side = Side(peer.take_partner())
    assert side.reads(TALK) == TOLD
    assert side.run.done


def test_a_talk_byte_by_byte() -> None:
    side = Side(peer.take_partner())
    assert [event for byte in TALK for event in side.reads(bytes([byte]))] == TOLD


def test_a_talk_cut_after_any_byte_tells_what_was_whole() -> None:
    for end in range(len(TALK)):
        told = Side(peer.take_partner()).reads(TALK[:end])
        assert told == TOLD[: len(told)]
        assert len(told) < len(TOLD)


@each(
    ("said", "event"),
    [
        (r"\u", AddsSomebody()),
        (r"\u carla", AddsSomebody()),
        (r"\ucarla", AddsSomebody()),
        (r"\q", Leaves()),
        (r"\q ", Leaves()),
        (r"\quando?", Leaves()),
        (r"\Q", Spoken(r"\Q")),
        (r" \q", Spoken(r" \q")),
        (r"\o/", Spoken(r"\o/")),
    ],
)
def test_two_signals_are_known_by_their_first_two_characters(said: str, event: PeerEvent) -> None:
    side = Side(peer.take_partner())
    assert side.reads(string(said)) == [event]
    assert side.run.done is isinstance(event, Leaves)


def spoken(data: bytes) -> list[str]:
    """Return what a peer reads, each string of it."""
    frames, said = FrameDecoder(), list[str]()
    frames.feed(data)
    while (raw := frames.string()) is not None:
        said.append(raw.decode())
    assert len(frames) == 0
    return said


@each(
    ("text", "pieces"),
    [
        ("ciao", ["ciao"]),
        ("", [""]),
        ("x" * 119, ["x" * 119]),
        ("x" * 120, ["x" * 119, "x"]),
        ("x" * 118 + "è", ["x" * 118, "è"]),
        ("è" * 60, ["è" * 59, "è"]),
        ("𝄞" * 60, ["𝄞" * 29, "𝄞" * 29, "𝄞" * 2]),
        ("x" * 119 + r"\q", ["x" * 118, r"x\q"]),
        ("x" * 118 + r"è\u!", ["x" * 118, r"è\u!"]),
        ("x" * 119 + "share y", ["x" * 118, "xshare y"]),
        ("x" * 119 + "shared", ["x" * 119, "shared"]),
    ],
)
def test_for_old_partners_a_message_is_split_at_119_bytes(text: str, pieces: list[str]) -> None:
    """Between characters, and no piece is a signal that the text was not."""
    assert spoken(peer.message(text, CLASSIC_BYTES)) == pieces
    assert spoken(peer.message(text)) == [text]


@given(st.text(st.sampled_from("qu\\ share èx𝄞"), max_size=300))
def test_whatever_is_split_is_the_same_again(text: str) -> None:
    pieces = spoken(peer.message(text, CLASSIC_BYTES))
    assert "".join(pieces) == text
    assert all(len(piece.encode()) <= CLASSIC_BYTES for piece in pieces)
    assert not any(piece.startswith((r"\q", r"\u", "share ")) for piece in pieces[1:])


def test_nothing_is_told_after_the_end() -> None:
    side = Side(peer.take_partner())
    assert side.reads(string(r"\q") + string("ciao")) == [Leaves()]


def test_a_file_is_announced_named_and_sent() -> None:
    assert peer.shared(b"a.txt", b"\0") == (string("share a.txt") + string("a.txt") + string(b"\0"))
    side = Side(peer.take_partner())
    assert side.reads(peer.shared(b"a.txt", b"x" * 65_535)) == [File("a.txt", b"x" * 65_535)]
    with pytest.raises(FrameTooLong):
        peer.shared(b"a.txt", b"x" * 65_536)


CONVERSATIONS: list[Callable[[], Steps[None]]] = [
    peer.take_partner,
    peer.take_newcomer,
    lambda: peer.dial_partner(ANNA),
    lambda: peer.dial_member(CAROL, BOB),
]
FRAMES = st.lists(
    st.one_of(
        st.sampled_from([integer(0), integer(1), integer(2), integer(6000), string("bob")]),
        st.sampled_from([string(r"\q"), string(r"\u"), string("share x"), string("***")]),
        st.integers(0, 2**32 - 1).map(integer),
        st.binary(max_size=20).map(string),
        st.binary(max_size=6),
    ),
    max_size=12,
).map(b"".join)


@pytest.mark.parametrize("steps", CONVERSATIONS)
@given(data=FRAMES)
def test_whatever_a_peer_says_is_told_or_garbage_in_any_split(
    steps: Callable[[], Steps[None]], data: bytes
) -> None:
    whole, garbled = Side(steps()), False
    try:
        whole.reads(data)
    except Garbage:
        garbled = True
    split = Side(steps())
    try:
        for byte in data:
            split.reads(bytes([byte]))
    except Garbage:
        assert garbled
    else:
        assert not garbled
    assert (split.told, split.sent) == (whole.told, whole.sent)
