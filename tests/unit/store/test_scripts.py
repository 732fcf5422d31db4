"""The scripts as files: every one is there, is explained, and names what it is given."""

import re
from hashlib import sha1
from importlib.resources import files

from harness.cases import each
from tertulia.redis.script import Script
from tertulia.store import scripts
from tertulia.store.ops import in_numbers

SCRIPTS = {name: it for name, it in vars(scripts).items() if isinstance(it, Script)}
LIBRARIES = {
    "append",
    "claim",
    "devices",
    "epochs",
    "in_use",
    "lease",
    "mailboxes",
    "moderation",
    "operator_command",
    "pending",
    "restraints",
    "room_talk",
    "speech",
    "unread",
    "whole",
}


def own_text(name: str) -> str:
    return (files("tertulia.store") / "lua" / f"{name}.lua").read_text()


def test_every_file_is_a_script_or_a_library() -> None:
    there = {it.name.removesuffix(".lua") for it in (files("tertulia.store") / "lua").iterdir()}
    assert there == {name.lower() for name in SCRIPTS} | LIBRARIES


def test_every_script_has_a_name_of_its_own_in_redis() -> None:
    assert len({script.plain.sha for script in SCRIPTS.values()}) == len(SCRIPTS)


@each("script", SCRIPTS.values())
def test_redis_knows_a_script_by_its_text(script: Script) -> None:
    assert script.plain.sha == sha1(script.plain.text.encode(), usedforsecurity=False).hexdigest()


@each("name", sorted(name.lower() for name in SCRIPTS))
def test_a_script_is_at_the_end_of_its_text(name: str) -> None:
    assert SCRIPTS[name.upper()].plain.text.endswith(in_numbers(own_text(name)))


@each("name", sorted(name.lower() for name in SCRIPTS))
def test_a_script_says_on_top_what_it_is_given(name: str) -> None:
    head = re.match(r"(--.*\n)+", own_text(name))
    assert head is not None
    for word in ("KEYS", "ARGV", "Returns"):
        assert re.search(rf"^-- {word}", head[0], re.MULTILINE), word


@each("name", sorted(name.lower() for name in SCRIPTS))
def test_a_script_uses_no_key_or_argument_by_a_number_that_it_does_not_explain(name: str) -> None:
    text = own_text(name)
    head = re.match(r"(--.*\n)+", text)
    assert head is not None
    keys, _, arguments = head[0].partition("ARGV")
    for array, explained in (("KEYS", keys), ("ARGV", arguments)):
        used = {int(number) for number in re.findall(rf"{array}\[(\d+)\]", text)}
        named = {int(number) for number in re.findall(r"(?<![\w.])(\d+)[ …]", explained)}
        assert used <= named, array


@each("name", sorted(name.lower() for name in SCRIPTS))
def test_a_script_that_writes_ends_as_a_whole(name: str) -> None:
    """By done(), which keeps what Redis refused half-way, or by what calls it."""
    text = own_text(name)
    if "write(" in text or "append(" in text:
        assert re.search(r"\nreturn (done|carried_out)\(.*\)\n$", text)
    assert not re.search(r"redis\.call\('(?:[HLSXZ]?(?:SET|ADD|DEL|REM|PUSH|TRIM)|PUBLISH)", text)


@each("script", SCRIPTS.values())
def test_a_script_makes_no_name_of_a_key_by_itself(script: Script) -> None:
    """Redis Cluster has to be told every key beforehand; names are made in one place, and not here."""
    calls = re.findall(r"(?:redis\.p?call|write)\('(\w+)',\s*([^,)]+)", script.plain.text)
    assert calls or script is scripts.PERMITTED
    for command, key in calls:
        if command not in ("TIME", "PUBLISH"):
            assert not key.startswith(("'", '"')), (command, key)
            assert ".." not in key, (command, key)
