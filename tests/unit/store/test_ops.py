"""The table of ops: what is packed by it, and what the scripts are sent with."""

import re
from importlib.resources import files
from pathlib import Path

import msgspec
import pytest

from tertulia.chat.device_ops import CollectOp, ForgetOp, RequestOp, SignUpOp
from tertulia.chat.ports import (
    CloseOp,
    JoinOp,
    LeaveOp,
    Member,
    ModerateOp,
    Op,
    PassOnOp,
    PresenceOp,
    RefusedOp,
    ReportOp,
    SayOp,
    WhisperOp,
)
from tertulia.domain.events import Joined, Kicked, Left, Said, Undelivered, Whispered, encode
from tertulia.domain.moderation import Moderation
from tertulia.domain.operator_commands import Action
from tertulia.domain.operator_commands import decode as decode_command
from tertulia.domain.requests import JoinUp, LeaveChat, LogIn, LogOut, Message, OpenChat
from tertulia.store import scripts
from tertulia.store.batch import Batch, Seen
from tertulia.store.keys import Keys
from tertulia.store.ops import LAYOUTS, SAY, Layout, in_numbers, lengths

KEYS = Keys("main")
FIXED = 9
SOURCE = Path(__file__).parents[3] / "service" / "tertulia"
LETTERS = {it.letter: it for it in LAYOUTS.values() if it.letter}
HERE = "192.0.2.1"


def lua(name: str) -> str:
    return (files("tertulia.store") / "lua" / f"{name}.lua").read_text()


# What the scripts are sent with


def test_the_head_says_how_long_each_op_is() -> None:
    assert scripts.COMMIT.plain.text.startswith(lengths())
    (found,) = re.findall(r"'(.{58})'", lengths())
    told = {chr(65 + at): ord(length) - 48 for at, length in enumerate(found) if length != "0"}
    assert told == {letter: 1 + len(it.fields) for letter, it in LETTERS.items()}


def test_a_named_field_is_sent_as_its_place() -> None:
    for name, layout in LAYOUTS.items():
        for at, field in enumerate(layout.fields, 1):
            assert in_numbers(f"ARGV[at + {name}.{field}]") == f"ARGV[at + {at}]"


def test_a_script_that_names_no_field_is_sent_as_it_is() -> None:
    text = "local it = { A = 1 }\nreturn it.A + OTHER.field"
    assert in_numbers(text) == text


def test_a_field_that_no_op_has_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="passwort"):
        in_numbers("ARGV[at + SIGN_UP.passwort]")


@pytest.mark.parametrize(
    "name",
    ["commit", "devices", "mailboxes", "pending", "restraints", "room_commit", "room_talk"],
)
def test_no_script_counts_the_fields_of_an_op_itself(name: str) -> None:
    assert not re.search(r"\bARGV\[\s*at \+ \d|\bkey\(at \+ \d", lua(name))


def test_every_name_in_the_commit_script_is_one_of_the_table() -> None:
    assert not re.search(r"at \+ [A-Z_]+\.", scripts.COMMIT.plain.text)


def test_every_op_has_a_letter_of_its_own_and_a_function() -> None:
    assert len(LETTERS) == len([it for it in LAYOUTS.values() if it.letter])
    written = re.findall(
        r"^ *OPS\['(\w)'\] = function",
        lua("commit") + lua("devices") + lua("mailboxes") + lua("restraints"),
        re.MULTILINE,
    )
    assert sorted(written) == sorted(set(LETTERS) - set("yzuU"))


def test_every_op_of_a_further_room_has_a_function() -> None:
    text = lua("room_commit") + "".join(re.findall(r"OPS\['[QM]'\] = function", lua("restraints")))
    written = re.findall(r"OPS\['(\w)'\](?:, OPS\['(\w)'\])? = (?:function|OPS)", text)
    assert {letter for pair in written for letter in pair if letter} == set("sSuUnyzQM")


def test_an_op_uses_fields_of_its_own_layout_only() -> None:
    """Under the name of an op's layout, or of one that it begins with."""
    names = {it.letter: name for name, it in LAYOUTS.items() if it.letter}
    for _, letter, body in re.findall(
        r"^( *)(?:OPS|LOOKS)\['(\w)'\] = function(.*?)^\1end",
        "".join(map(lua, ("commit", "devices", "mailboxes", "restraints", "room_commit"))),
        re.MULTILINE | re.DOTALL,
    ):
        own = LETTERS[letter].fields
        for name in set(re.findall(r"\b([A-Z_]+)\.[a-z_]+", body)):
            begins = LAYOUTS[name].fields
            assert own[: len(begins)] == begins, (names[letter], name)


# What is packed


def packed(op: Op, *, look_further: bool = False) -> tuple[str, dict[str, object]]:
    """Pack an op, and read it back by the table; the indexes of keys as their names."""
    batch = Batch(KEYS, FIXED, "n", look_further=look_further)
    batch.add(op)
    letter, *values = batch.args
    assert batch.letters == letter
    assert isinstance(letter, str)
    layout: Layout = LETTERS[letter]
    told = dict(zip(layout.fields, values, strict=True))
    for field in KEYS_OF_OPS & told.keys():
        index = told[field]
        assert isinstance(index, int)
        told[field] = batch.keys[index - FIXED - 1] if index else 0
    return letter, dict(told)


KEYS_OF_OPS = {
    "nick", "recipient", "token", "ended", "account", "own_account", "device", "devices", "waiting",
    "other_nick", "other_account", "other_device", "list", "mailbox", "senders", "stream",
}  # fmt: skip
ANDY = {"nick": KEYS.nick("andy"), "session": "n:1"}
FOR_BEN = {
    "list": KEYS.pending("ben", "andy"),
    "mailbox": KEYS.mailbox("ben"),
    "senders": KEYS.senders("ben"),
}
DEVICE: dict[str, object] = {
    "device": KEYS.device("andy"),
    "devices": KEYS.devices,
    "key": "andy",
    "address": HERE,
}
TAG = {"token": KEYS.token("t"), "tag": 7}
NUMBERED: dict[str, object] = {
    **ANDY,
    "recipient": KEYS.nick("ben"),
    "letter": encode(Whispered("Andy", "n:1", "Ben", "psst", 7)),
}

OPS: list[tuple[Op, str, dict[str, object]]] = [
    (
        SayOp("n:1", "andy", "Andy", "hi"),
        "s",
        {**ANDY, "event": encode(Said("Andy", "n:1", "hi"))},
    ),
    (
        SayOp("n:1", "andy", "Andy", "hi", 7, "t"),
        "S",
        {**ANDY, "event": encode(Said("Andy", "n:1", "hi", 7)), **TAG},
    ),
    (
        SayOp("n:1", "andy", "Andy", "hi", is_account=True),
        "s",
        {**ANDY, "event": b'{"t":"said","n":"Andy","s":"n:1","x":"hi","a":true}'},
    ),
    (WhisperOp("n:1", "andy", "Andy", "Ben", "psst", 7, "t"), "W", {**NUMBERED, **TAG}),
    (
        WhisperOp("n:1", "andy", "Andy", "Ben", "psst", 7, "t", keep=True, away=True),
        "V",
        {
            **NUMBERED,
            **TAG,
            **FOR_BEN,
            "account": KEYS.account("ben"),
            "device": KEYS.device("ben"),
            "own_account": KEYS.account("andy"),
            "keep": 1,
            "nickname": "Andy",
            "key": "andy",
            "text": "psst",
        },
    ),
    (RefusedOp("n:1", "andy", 7, "t"), "n", {**ANDY, **TAG}),
    (
        JoinOp(
            *("n:1", "andy", "Andy", "chatte", HERE, 5000, "t"),
            resumed=True,
            proven=True,
            about="a Andy",
        ),
        "J",
        {
            **ANDY,
            "key": "andy",
            "nickname": "Andy",
            "dialect": "chatte",
            "address": HERE,
            "port": 5000,
            "event": encode(Joined("Andy", "n:1", "chatte", about="a Andy")),
            "token": KEYS.token("t"),
            "resumed": 1,
            "account": KEYS.account("andy"),
            "proven": 1,
            "senders": KEYS.senders("andy"),
            "stream": KEYS.stream("andy"),
            "ended": KEYS.ended("andy"),
            "about": "a Andy",
        },
    ),
    (
        LeaveOp("n:1", "andy", "Andy"),
        "L",
        {**ANDY, "key": "andy", "event": encode(Left("Andy", "n:1")), "token": 0},
    ),
    (
        PresenceOp("n:1", "andy", "Andy", "lunch", True),
        "P",
        {
            **ANDY,
            "away": "lunch",
            "away_event": b'{"t":"away","n":"Andy","s":"n:1","x":"lunch"}',
            "proven": 1,
            "proven_event": b'{"t":"account","n":"Andy","s":"n:1","y":true}',
        },
    ),
    (
        PresenceOp("n:1", "andy", "Andy", ""),
        "P",
        {
            **ANDY,
            "away": "",
            "away_event": b'{"t":"away","n":"Andy","s":"n:1"}',
            "proven": 0,
            "proven_event": b"",
        },
    ),
    (
        CloseOp("n:1", "andy", "Andy"),
        "C",
        {**ANDY, "key": "andy", "event": b'{"t":"closed","n":"Andy","s":"n:1"}'},
    ),
    (
        PassOnOp("n:1", "andy", Whispered("Ben", "n:2", "Andy", "psst"), 1.5, 3),
        "h",
        {**ANDY, "letter": encode(Whispered("Ben", "n:2", "Andy", "psst")), "at": 1500},
    ),
    (
        ReportOp("n:1", "andy", "Ben", "psst", 3, 7),
        "R",
        {
            **ANDY,
            "letter": encode(Undelivered("andy", "n:1", "Ben", "psst", 7)),
            **FOR_BEN,
            "account": KEYS.account("ben"),
            "own_account": KEYS.account("andy"),
            "key": "andy",
            "text": "psst",
        },
    ),
]
DEVICE_OPS: list[tuple[type, tuple[object, ...], str, dict[str, object]]] = [
    (
        CollectOp,
        ("n:1", "andy", "Andy", ("ben", "carl")),
        "k",
        {
            **ANDY,
            "nickname": "Andy",
            "mailbox": KEYS.mailbox("andy"),
            "senders": KEYS.senders("andy"),
            "names": "ben carl",
            "lists": f"{FIXED + 1} {FIXED + 2}",
        },
    ),
    (
        ForgetOp,
        ("n:1", "ben", "andy", 3, 5),
        "x",
        {**FOR_BEN, "sender": "andy", "number": 3, "shown": 5},
    ),
    (
        SignUpOp,
        ("n:1", "andy", "Andy", "hashed", HERE, 5000),
        "a",
        {
            **DEVICE,
            "nick": KEYS.nick("andy"),
            "account": KEYS.account("andy"),
            "nickname": "Andy",
            "hash": "hashed",
            "port": 5000,
        },
    ),
    (
        RequestOp,
        ("n:1", "andy", LogIn("Andy", 5000), HERE),
        "i",
        {**DEVICE, "account": KEYS.account("andy"), "port": 5000},
    ),
    (RequestOp, ("n:1", "andy", LogOut("Andy"), HERE), "o", DEVICE),
    (
        RequestOp,
        ("n:1", "andy", OpenChat("Andy", "Ben"), HERE),
        "c",
        {
            **DEVICE,
            "waiting": KEYS.waiting("n"),
            "session": "n:1",
            "other": "ben",
            "other_nick": KEYS.nick("ben"),
            "other_account": KEYS.account("ben"),
            "other_device": KEYS.device("ben"),
        },
    ),
    (
        RequestOp,
        ("n:1", "andy", JoinUp("Andy", "Ben"), HERE),
        "j",
        {**DEVICE, "other": "ben", "other_device": KEYS.device("ben")},
    ),
    (
        RequestOp,
        ("n:1", "andy", LeaveChat("Andy", only_here=True), HERE),
        "l",
        {**DEVICE, "waiting": KEYS.waiting("n"), "session": "n:1"},
    ),
    (
        RequestOp,
        ("n:1", "andy", Message("Andy", "Ben", "psst"), HERE),
        "p",
        {
            **DEVICE,
            **FOR_BEN,
            "other_nick": KEYS.nick("ben"),
            "other_account": KEYS.account("ben"),
            "other": "Ben",
            "text": "psst",
        },
    ),
]


@pytest.mark.parametrize(("op", "letter", "fields"), OPS, ids=[it[1] for it in OPS])
def test_an_op_of_the_room_reads_back(op: Op, letter: str, fields: dict[str, object]) -> None:
    assert packed(op) == (letter, fields)


@pytest.mark.parametrize(
    ("kind", "given", "letter", "fields"), DEVICE_OPS, ids=[it[2] for it in DEVICE_OPS]
)
async def test_an_op_of_a_device_reads_back(
    kind: type[Op], given: tuple[object, ...], letter: str, fields: dict[str, object]
) -> None:
    assert packed(kind(*given)) == (letter, fields)  # type: ignore[arg-type]


def test_every_op_was_read_back() -> None:
    here = {it[1] for it in OPS} | {it[2] for it in DEVICE_OPS}
    assert (
        here | {"Q", "M", "w", "r"} | set("yzuU") == LETTERS.keys()
    )  # for those four see below; rooms: test_rooms.py


def test_an_act_of_moderation_brings_what_it_needs_in_front() -> None:
    batch = Batch(KEYS, FIXED, "n")
    batch.add(SayOp("n:1", "andy", "Andy", "hi"))
    act = Moderation(Action.KICK, "Ben", text="enough")
    batch.add(ModerateOp("n:1", "andy", "Andy", act, "other~1:7"))
    assert batch.letters == "MQs"
    assert batch.args[:1] + batch.args[4:5] == ["Q", "s"]
    layout = LETTERS["M"]
    told = dict(zip(layout.fields, batch.args[4 + 1 + len(SAY.fields) + 1 :], strict=True))
    names = {
        field: batch.keys[index - FIXED - 1] if index else 0
        for field in ("nick", "account", "redacted", "audit", "other", "nicks", "ended")
        if isinstance(index := told.pop(field), int)
    }
    assert names == {
        "nick": KEYS.nick("andy"),
        "account": KEYS.account("andy"),
        "redacted": KEYS.redacted,
        "audit": KEYS.audit,
        "other": KEYS.nick("ben"),
        "nicks": KEYS.nicks("other~1"),
        "ended": KEYS.ended("ben"),
    }
    command = decode_command(told.pop("command"))  # type: ignore[arg-type]
    assert (command.by, command.action, command.subject) == ("Andy (moderator)", Action.KICK, "ben")
    assert told == {
        "session": "n:1",
        "most": 10_000,
        "action": "kick",
        "key": "ben",
        "value": 0,
        "index": 0,
        "text": "enough",
        "event": encode(Kicked("Andy", "n:1", "Ben", "enough")),
        "there": "other~1",
    }


def test_what_says_who_may_not_speak_is_in_front_once() -> None:
    batch = Batch(KEYS, FIXED, "n", restrained=True)
    for _ in range(2):
        act = Moderation(Action.TOPIC, text="x")
        batch.add(ModerateOp("n:1", "andy", "Andy", act))
    letter, *indexes = batch.args[:4]
    assert letter == "Q"
    assert batch.args.count("Q") == 1
    names = [batch.keys[it - FIXED - 1] for it in indexes if isinstance(it, int)]
    assert names == [KEYS.moderation, KEYS.muted, KEYS.spoke]


def test_whispers_in_a_row_are_one_op() -> None:
    batch = Batch(KEYS, FIXED, "n")
    psst, hush = (WhisperOp("n:1", "andy", "Andy", "BEN", text) for text in ("psst", "hush"))
    tagged = WhisperOp("n:1", "andy", "Andy", "Ben", "psst", 7, "t")
    batch.add(psst, hush, tagged, SayOp("n:1", "andy", "Andy", "hi"), psst)
    andy, ben = FIXED + 1, FIXED + 2
    assert batch.keys[:2] == [KEYS.nick("andy"), KEYS.nick("ben")]
    letters = [encode(Whispered("Andy", "n:1", "BEN", it)).decode() for it in ("psst", "hush")]
    each = [[andy, "n:1", ben, letter] for letter in letters]
    found = [it for it in batch.args if it in ("w", "W", "s")]
    assert found == ["w", "W", "s", "w"]
    packed = [msgspec.msgpack.decode(batch.args[at]) for at in (1, -1)]  # type: ignore[arg-type]
    assert packed == [[*each[0], *each[1]], each[0]]


def test_who_was_not_where_he_was_thought_to_be_is_looked_for_further() -> None:
    letter, _ = packed(WhisperOp("n:1", "andy", "Andy", "Ben", "psst"), look_further=True)
    assert letter == "V"


async def test_who_leaves_a_chat_wherever_it_waits_names_no_connection() -> None:
    _, fields = packed(RequestOp("n:1", "andy", LeaveChat("Andy"), HERE))
    assert fields["session"] == ""


def test_any_other_fields_are_a_mistake() -> None:
    with pytest.raises(TypeError, match="event"):
        LAYOUTS["SAY"].pack(nick=1, session="n:1")
    with pytest.raises(TypeError, match="events"):
        LAYOUTS["SAY"].pack(nick=1, session="n:1", event=b"", events=b"")


# Names


HERE_ARE = {
    "andy": Member("Andy", "n:1", "chatte"),
    "ben": Member("Ben", "n:2", "chatte"),
    "carl": Member("Carl", "other:3", "chatte"),
}


def knowing() -> Batch:
    """Make a batch of a node that knows as much as Redis: who is here, and seven letters."""
    return Batch(KEYS, FIXED, "n", known=Seen(HERE_ARE, 7, 1234))


def from_andy(
    to: str, text: str = "psst", tag: int = 0, token: str = "", session: str = "n:1"
) -> Op:
    return WhisperOp(session, "andy", "Andy", to, text, tag, token)


def test_letters_of_a_node_to_itself_stand_as_in_its_inbox() -> None:
    batch = knowing()
    batch.add(SayOp("n:1", "andy", "Andy", "hi"), from_andy("BEN"), from_andy("ben", "a\u2028b"))
    assert batch.args[-2:] == ["r", 2]
    assert batch.letters == "rs"
    letters = [Whispered("Andy", "n:1", "BEN", "psst"), Whispered("Andy", "n:1", "ben", "a\u2028b")]
    assert batch.addressed == [("n:2", letter) for letter in letters]
    assert batch.written == [
        f"{number} n:2 1234 {encode(letter).decode()}" for number, letter in enumerate(letters, 8)
    ]
    assert KEYS.nick("ben") not in batch.keys


@pytest.mark.parametrize(
    ("other", "letter"),
    [
        (from_andy("carl"), "w"),  # on another node
        (from_andy("nobody"), "w"),
        (from_andy("ben", session="n:0"), "w"),  # who has lost the nickname
        (from_andy("ben", tag=7, token="t"), "W"),
        (WhisperOp("n:1", "andy", "Andy", "Ben", "psst", away=True), "V"),
    ],
)
def test_behind_another_whisper_none_is_numbered_by_the_node(other: Op, letter: str) -> None:
    batch = knowing()
    batch.add(from_andy("ben", "first"), other, from_andy("ben"))
    assert len(batch.written) == 1
    assert batch.letters == "".join(sorted({"r", letter, "w"}))
    assert batch.args[:2] == ["r", 1]


@pytest.mark.parametrize(
    "other", [LeaveOp("n:9", "dora", "Dora"), ReportOp("n:9", "dora", "Ben", "x", 5)]
)
def test_where_somebody_may_come_or_go_in_the_batch_redis_looks_who_is_there(other: Op) -> None:
    batch = knowing()
    batch.add(other, from_andy("ben"))
    assert batch.written == []
    assert "w" in batch.letters


def test_a_batch_that_is_restrained_or_looks_further_leaves_all_to_redis() -> None:
    for asked in ({"restrained": True}, {"look_further": True}):
        batch = Batch(KEYS, FIXED, "n", known=Seen(HERE_ARE, 7, 1234), **asked)
        batch.add(from_andy("ben"))
        assert batch.written == []
