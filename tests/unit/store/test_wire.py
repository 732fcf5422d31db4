"""How ops, entries and letters read in Redis: back and forth, and what is not understood."""

import contextlib
import re
import string

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cases import each
from tertulia.chat.ports import CloseOp, JoinOp, LeaveOp, Op, ReportOp, SayOp, WhisperOp
from tertulia.domain.bans import Ban, BanKind
from tertulia.domain.events import (
    Closed,
    Joined,
    Left,
    Present,
    PrivateEvent,
    PublicEvent,
    Said,
    Tagged,
    TaggedAlone,
    Undelivered,
    Whispered,
    encode,
)
from tertulia.domain.operator_commands import Action, OperatorCommand
from tertulia.domain.operator_commands import encode as encode_command
from tertulia.domain.position import Position
from tertulia.store.batch import Batch
from tertulia.store.keys import Keys
from tertulia.store.wire import (
    InboxMessage,
    ProbeMessage,
    RoomMessage,
    Unknown,
    parse_bans,
    parse_entry,
    parse_letters,
    parse_logged,
    parse_message,
    probe,
)

KEYS = Keys("main")
FIXED = 9
DEEP = b'{"t":"said","n":"a","s":"n:1","z":' + b"[" * 50_000 + b"]" * 50_000 + b"}"
"""Nested further than anything is read."""
LETTER = Whispered("ada", "n:1", "bob", "hi")

LOWER, DIGITS = string.ascii_lowercase, string.digits
# Made of their alphabets: of a regular expression it takes four times as long.
NICKNAMES = st.text(string.ascii_letters + DIGITS + "._+-", min_size=1, max_size=32)
SESSIONS = st.builds(
    "{}:{}".format,
    st.text(LOWER + DIGITS + "~-", min_size=1, max_size=20),
    st.text(DIGITS, min_size=1, max_size=6),
)
TEXTS = st.text(st.characters(codec="utf-8"))
PUBLIC: st.SearchStrategy[PublicEvent] = st.one_of(
    st.builds(Joined, NICKNAMES, SESSIONS, st.sampled_from(["chatte", "browser"])),
    st.builds(Present, NICKNAMES, SESSIONS, st.just("chatte")),
    st.builds(Left, NICKNAMES, SESSIONS),
    st.builds(Said, NICKNAMES, SESSIONS, TEXTS, tags=TEXTS),
    st.builds(Tagged, NICKNAMES, SESSIONS, TEXTS, st.integers(0, 9), st.booleans()),
    st.builds(Closed, NICKNAMES, SESSIONS),
)
PRIVATE: st.SearchStrategy[PrivateEvent | TaggedAlone] = st.one_of(
    st.builds(Whispered, NICKNAMES, SESSIONS, NICKNAMES, TEXTS),
    st.builds(Undelivered, NICKNAMES, SESSIONS, NICKNAMES, TEXTS),
    st.builds(TaggedAlone, NICKNAMES, SESSIONS, TEXTS, st.integers(0, 9)),
)


# What comes over the bus


@given(st.lists(PUBLIC, min_size=1, max_size=5))
def test_an_entry_reads_back(events: list[PublicEvent]) -> None:
    body = b"\n".join(map(encode, events))
    message = parse_message(b"1 r epoch 12 1700000000123456 node~1 7\n" + body)
    assert isinstance(message, RoomMessage)
    assert message.entry.position == Position("epoch", 12, 1700000000.123456)
    assert list(message.entry.events) == events
    assert (message.node, message.batch, message.unknown) == ("node~1", 7, 0)
    assert message.entry.is_talk is all(type(event) is Said for event in events)


@given(st.lists(PUBLIC, min_size=1, max_size=5))
def test_the_log_reads_as_the_bus_does(events: list[PublicEvent]) -> None:
    body = b"\n".join(map(encode, events))
    logged = parse_logged("e", b"12-0", [b"p", b"1700000000123456", b"b", b"n~1 7", b"e", body])
    assert logged == parse_message(b"1 r e 12 1700000000123456 n~1 7\n" + body)


@given(st.lists(st.tuples(SESSIONS, PRIVATE), min_size=1, max_size=5))
def test_letters_read_back(letters: list[tuple[str, PrivateEvent | TaggedAlone]]) -> None:
    lines = [
        f"{number} {session} 1700000000500 ".encode() + encode(event)
        for number, (session, event) in enumerate(letters, 3)
    ]
    message = parse_message(b"1 i epoch\n" + b"\n".join(lines))
    assert isinstance(message, InboxMessage)
    assert message.epoch == "epoch"
    assert [(it.session, it.event) for it in message.deliveries] == letters
    assert [it.number for it in message.deliveries] == list(range(3, 3 + len(letters)))
    assert {it.at for it in message.deliveries} == {1700000000.5}


def test_a_probe_reads_back() -> None:
    position = Position("epoch", 42)
    assert parse_message(probe(position).encode()) == ProbeMessage(position)


@each(
    "message",
    [
        b"",
        b"\n",
        b"1",
        b"1 ",
        b"1 x",
        b"1 r",
        b"1 r e 1 2 n",
        b"1 r e one 2 n 1\n{}",
        b"1 r e 1 two n 1\n{}",
        b"1 i",
        b"1 i e\nnumber session 1 {}",
        b"1 i e\nnumber",
        b"1 p",
        b"1 p e",
        b"1 p e one",
        b"1 p \xff 1",
        b"2 r e 1 2 n 1\n{}",
        b"10 p e 1",
        b" 1 p e 1",
        b"1 r e 1 " + b"9" * 330 + b" n 1\n{}",  # more than a float holds
        b"1 r e 1 " + b"9" * 5_000 + b" n 1\n{}",
    ],
)
def test_what_is_not_understood_is_named_so(message: bytes) -> None:
    with pytest.raises(Unknown):
        parse_message(message)


@given(st.binary())
def test_nothing_else_comes_of_anything(message: bytes) -> None:
    with contextlib.suppress(Unknown):
        parse_message(message)


@pytest.mark.parametrize(
    "stranger",
    [b'{"t":"waved","n":"a","s":"n:1"}', b'{"t":"said"}', b"[]", b"no JSON", DEEP],
)
def test_events_of_a_later_version_are_counted_and_the_others_read(stranger: bytes) -> None:
    before, after = Joined("a", "n:1", "chatte"), Said("a", "n:1", "x")
    body = b"\n".join([encode(before), stranger, encode(after)])
    message = parse_message(b"1 r e 1 2 n 1\n" + body)
    assert isinstance(message, RoomMessage)
    assert list(message.entry.events) == [before, after]
    assert message.unknown == 1


def test_an_event_may_say_more_than_is_known() -> None:
    message = parse_message(b'1 r e 1 2 n 1\n{"t":"left","n":"a","s":"n:1","why":"bored"}')
    assert isinstance(message, RoomMessage)
    assert list(message.entry.events) == [Left("a", "n:1")]
    assert message.unknown == 0


def test_a_letter_of_a_later_version_takes_its_number() -> None:
    lines = [b'7 n:1 1000 {"t":"poked"}', b"8 in another form", b"9", b"10 n:1 soon {}"]
    lines += [b"11 n:1 1000 " + DEEP, b"12 n:1 " + b"9" * 330 + b" " + encode(LETTER)]
    assert [(it.number, it.event) for it in parse_letters(lines)] == [
        (number, None) for number in (7, 8, 9, 10, 11, 12)
    ]


def test_the_head_of_an_entry_may_say_more_than_is_known() -> None:
    message = parse_message(b'1 r e 1 2 n 3 and more\n{"t":"left","n":"a","s":"n:1"}')
    assert isinstance(message, RoomMessage)
    assert (message.entry.position.offset, message.batch, message.unknown) == (1, 3, 0)


@pytest.mark.parametrize(
    "fields",
    [
        [b"v", b"2", b"p", b"1", b"b", b"n 1", b"e", b"{}"],
        [b"z", b"packed"],
        [b"p", b"soon", b"b", b"n 1", b"e", b""],
        [b"p", b"1", b"b", b"n", b"e", b""],
        [b"p", b"9" * 330, b"b", b"n 1", b"e", b""],
        [],
    ],
)
def test_a_logged_entry_of_a_later_version_keeps_its_place(fields: list[bytes]) -> None:
    message = parse_logged("e", b"7-0", fields)
    assert message.entry.position == Position("e", 7)
    assert (list(message.entry.events), message.unknown) == ([], 1)


@given(TEXTS)
def test_an_event_is_one_line_of_plain_ascii_keys(text: str) -> None:
    """The scripts put events together with line feeds, and operators read them."""
    written = encode(Said("andy", "n:1", text))
    assert b"\n" not in written
    assert b"\r" not in written
    assert msgspec.json.decode(written)["t"] == "said"


# What goes to the commit script


def batch(*ops: Op) -> Batch:
    made = Batch(KEYS, FIXED, "n")
    for op in ops:
        made.add(op)
    return made


def say(nickname: str, text: str = "hello") -> SayOp:
    return SayOp(f"n:{nickname}", nickname.lower(), nickname, text)


def test_keys_are_named_once_by_their_index() -> None:
    made = batch(say("Andy"), say("betty"), say("ANDY"))
    assert made.keys == [KEYS.nick("andy"), KEYS.nick("betty")]
    verbs = [made.args[at : at + 4] for at in range(0, len(made.args), 4)]
    assert [verb[0] for verb in verbs] == ["s"] * 3
    assert [verb[1] for verb in verbs] == [FIXED + 1, FIXED + 2, FIXED + 1]
    assert [verb[2] for verb in verbs] == ["n:Andy", "n:betty", "n:ANDY"]
    assert made.key(KEYS.inbox("n")) == FIXED + 3


def test_events_are_written_whole() -> None:
    made = batch(
        JoinOp("n:1", "andy", "Andy", "chatte", "192.0.2.1", 5000),
        say("Andy", "hello"),
        LeaveOp("n:1", "andy", "Andy"),
        CloseOp("n:1", "andy", "Andy"),
    )
    events = [arg for arg in made.args if isinstance(arg, bytes)]
    assert events == [
        encode(Joined("Andy", "n:1", "chatte")),
        encode(Said("Andy", "n:Andy", "hello")),
        encode(Left("Andy", "n:1")),
        encode(Closed("Andy", "n:1")),
    ]
    assert made.size == sum(map(len, events))
    assert not made.has_letters


def test_a_whisper_names_its_recipient_folded_and_says_it_as_written() -> None:
    made = batch(WhisperOp("n:1", "andy", "Andy", "BETTY", "psst"))
    assert made.has_letters
    assert made.keys[:2] == [KEYS.nick("andy"), KEYS.nick("betty")]
    _, _, _, letter = msgspec.msgpack.decode(made.args[1])  # type: ignore[arg-type]
    assert letter == encode(Whispered("Andy", "n:1", "BETTY", "psst")).decode()


def test_a_report_goes_to_the_sender() -> None:
    made = batch(ReportOp("n:1", "andy", "betty", "psst", 7))
    assert made.has_letters
    assert made.keys[0] == KEYS.nick("andy")
    assert encode(Undelivered("andy", "n:1", "betty", "psst")) in made.args


def test_a_token_is_a_key_where_there_is_one() -> None:
    token = "f" * 32
    tagged = batch(SayOp("n:1", "andy", "andy", "hello", 3, token))
    assert (tagged.args[0], tagged.args[-2:]) == ("S", [FIXED + 2, 3])
    assert tagged.keys[1] == KEYS.token(token)
    whispered = batch(WhisperOp("n:1", "andy", "andy", "betty", "hello", 4, token))
    assert (whispered.args[0], whispered.args[-2:]) == ("W", [FIXED + 3, 4])
    assert whispered.keys[2] == KEYS.token(token)


def test_nothing_is_said_of_a_token_where_there_is_none() -> None:
    without = batch(say("andy"), WhisperOp("n:1", "andy", "andy", "betty", "hello"))
    assert len(without.args) == 4 + 2
    assert (without.args[0], without.args[4]) == ("s", "w")


def test_an_op_that_nobody_knows_is_a_mistake() -> None:
    with pytest.raises(TypeError, match="no such op: Op"):
        batch(Op("n:1", "andy"))


# Names


def test_all_names_of_a_chat_are_on_one_shard() -> None:
    """Redis Cluster goes by what is in the braces."""
    names = [value for name, value in vars(KEYS).items() if name not in ("chat", "_tag")]
    names += [
        KEYS.nick("a"),
        KEYS.nicks("n"),
        KEYS.inbox("n"),
        KEYS.burial("n"),
        KEYS.token("t"),
        KEYS.channel("n"),
    ]
    assert len(set(names)) == len(names)
    assert all(re.match(r"\{main\}:.", name) for name in names)


def test_no_nickname_makes_a_name_of_something_else() -> None:
    assert KEYS.nick("log") != KEYS.log
    assert KEYS.nick("node") not in (KEYS.channel("node"), KEYS.nicks(""))


def test_orders_stand_apart_from_events() -> None:
    order = OperatorCommand(
        "7f", "carla", Action.BAN, "nickname:troll", "spam", Ban(BanKind.NICKNAME, "troll")
    )
    left = Left("andy", "n:1")
    body = b"\n".join([encode_command(order), encode(left)])
    message = parse_entry("e", 3, b"1000000", b"admin", b"0", body)
    assert message.entry.operator_commands == [order]
    assert message.entry.events == [left]
    assert message.unknown == 0


def test_an_order_among_messages_is_no_talk() -> None:
    order = OperatorCommand("7f", "carla", Action.BAN, "nickname:troll", "spam")
    for lines in ([], [Said("anna", "n:1", "tea")]):
        body = b"\n".join([encode_command(order), *map(encode, lines)])
        assert not parse_entry("e", 3, b"1000000", b"admin", b"0", body).entry.is_talk


def test_an_order_of_a_later_version_is_skipped_and_counted() -> None:
    body = b'{"t":"ordered","i":"1","b":"carla","a":"levitate"}\n' + encode(Left("andy", "n:1"))
    message = parse_entry("e", 3, b"1000000", b"admin", b"0", body)
    assert message.entry.operator_commands == []
    assert len(message.entry.events) == 1
    assert message.unknown == 1


def test_a_ban_of_a_later_version_covers_nobody_here() -> None:
    ban = Ban(BanKind.ADDRESS, "192.0.2.7", 5, "spam", "carla", 1)
    found = [b"x", b'{"kind":"aura","subject":"blue"}', b"y", encode(ban), b"z", b"no JSON"]
    assert parse_bans(found) == [ban]
