"""The table of ops: what is packed by it, and what the scripts are sent with."""

import re
from importlib.resources import files
from pathlib import Path

import pytest

from tertulia.chat.device_ops import CollectOp, ForgetOp, RequestOp, SignUpOp
from tertulia.chat.ports import CloseOp, JoinOp, LeaveOp, Op, ReportOp, SayOp, WhisperOp
from tertulia.domain.events import Joined, Left, Said, Undelivered, Whispered, encode
from tertulia.domain.requests import JoinUp, LeaveChat, LogIn, LogOut, Message, OpenChat
from tertulia.store import scripts
from tertulia.store.batch import Batch
from tertulia.store.keys import Keys
from tertulia.store.ops import LAYOUTS, Layout, in_numbers, lengths

KEYS = Keys("main")
FIXED = 9
SOURCE = Path(__file__).parents[3] / "service" / "tertulia"
LETTERS = {it.letter: it for it in LAYOUTS.values() if it.letter}
HERE = "192.0.2.1"


def lua(name: str) -> str:
    return (files("tertulia.store") / "lua" / f"{name}.lua").read_text()


# What the scripts are sent with


def test_the_head_says_how_long_each_op_is() -> None:
    head, _, _ = scripts.COMMIT.plain.text.partition("}\n")
    told = {letter: int(length) for letter, length in re.findall(r"(\w) = (\d+),", head)}
    assert lengths() == head + "}\n"
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


@pytest.mark.parametrize("name", ["commit", "devices", "mailboxes", "pending"])
def test_no_script_counts_the_fields_of_an_op_itself(name: str) -> None:
    assert not re.search(r"\bARGV\[\s*at \+ \d|\bkey\(at \+ \d", lua(name))


def test_every_name_in_the_commit_script_is_one_of_the_table() -> None:
    assert not re.search(r"at \+ [A-Z_]+\.", scripts.COMMIT.plain.text)


def test_every_op_has_a_letter_of_its_own_and_a_function() -> None:
    assert len(LETTERS) == len([it for it in LAYOUTS.values() if it.letter])
    written = re.findall(
        r"^ *OPS\['(\w)'\] = function",
        lua("commit") + lua("devices") + lua("mailboxes"),
        re.MULTILINE,
    )
    assert sorted(written) == sorted(LETTERS)


def test_an_op_uses_fields_of_its_own_layout_only() -> None:
    """Under the name of an op's layout, or of one that it begins with."""
    names = {it.letter: name for name, it in LAYOUTS.items() if it.letter}
    for _, letter, body in re.findall(
        r"^( *)(?:OPS|LOOKS)\['(\w)'\] = function(.*?)^\1end",
        lua("commit") + lua("devices") + lua("mailboxes"),
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
WHISPERED: dict[str, object] = {
    **ANDY,
    "recipient": KEYS.nick("ben"),
    "letter": encode(Whispered("Andy", "n:1", "Ben", "psst")),
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
        {**ANDY, "event": encode(Said("Andy", "n:1", "hi")), **TAG},
    ),
    (WhisperOp("n:1", "andy", "Andy", "Ben", "psst"), "w", WHISPERED),
    (WhisperOp("n:1", "andy", "Andy", "Ben", "psst", 7, "t"), "W", {**WHISPERED, **TAG}),
    (
        WhisperOp("n:1", "andy", "Andy", "Ben", "psst", 7, "t", keep=True, away=True),
        "V",
        {
            **WHISPERED,
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
    (
        JoinOp("n:1", "andy", "Andy", "chatte", HERE, 5000, "t", resumed=True, proven=True),
        "J",
        {
            **ANDY,
            "key": "andy",
            "nickname": "Andy",
            "dialect": "chatte",
            "address": HERE,
            "port": 5000,
            "event": encode(Joined("Andy", "n:1", "chatte")),
            "token": KEYS.token("t"),
            "resumed": 1,
            "account": KEYS.account("andy"),
            "proven": 1,
            "senders": KEYS.senders("andy"),
            "stream": KEYS.stream("andy"),
            "ended": KEYS.ended("andy"),
        },
    ),
    (
        LeaveOp("n:1", "andy", "Andy"),
        "L",
        {**ANDY, "key": "andy", "event": encode(Left("Andy", "n:1")), "token": 0},
    ),
    (
        CloseOp("n:1", "andy", "Andy"),
        "C",
        {**ANDY, "key": "andy", "event": b'{"t":"closed","n":"Andy","s":"n:1"}'},
    ),
    (
        ReportOp("n:1", "andy", "Ben", "psst", 3),
        "R",
        {
            **ANDY,
            "letter": encode(Undelivered("andy", "n:1", "Ben", "psst")),
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
    assert {it[1] for it in OPS} | {it[2] for it in DEVICE_OPS} == LETTERS.keys()


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
