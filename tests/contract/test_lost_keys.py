"""A key of a chat is lost, alone, while people talk: what happens is what the architecture says."""

import asyncio
import re
from pathlib import Path

import pytest

from contract.chat_stores import RedisStores
from contract.in_rooms import enter, open_room
from contract.node import WITHIN, Guest
from harness.waiting import until
from tertulia.chat.ports import Outcome
from tertulia.store import rooms as store_rooms

DOCUMENT = Path(__file__).parents[2] / "docs" / "architecture.md"
HARMLESS = {
    "audit",
    "moderation",
    "muted",
    "redacted",
    "rooms",
    "room-nodes",
    "room-sizes",
    "room-facts",
    "node:ID:rooms",
    "spoke",
    "ban-ends",
    "batches",
    "inboxes",
    "leases",
    "log",
    "marks",
    "meta",
    "node:ID:burial",
    "node:ID:facts",
    "node:ID:inbox",
    "node:ID:nicks",
    "node:ID:waiting",
    "order",
    "order:ID",
    "posted:HASH",
    "ended:andy",
    "replaced",
    "rewritten",
    "token:HASH",
    "failures:NETWORK",
    "failures:NETWORK:andy",
    "sign-ups:NETWORK",
    "changes:NETWORK",
    "invitations",
    "webhook:NAME",
    "webhook:NAME:dead",
    "unfinished",
}
"""Who is in the room goes on as if nothing had been lost."""
SOMEBODYS = {
    "nick:andy",
    "account:andy",
    "device:andy",
    "pending:andy",
    "pending:andy:carl",
    "mailbox:andy",
    "senders:andy",
    "counts:andy",
    "bans",
    "devices",
}
"""What they say is gone for those whom it is about; everybody else goes on."""


def table() -> dict[str, str]:
    """Return what the architecture says of each key that is lost."""
    (rows,) = re.findall(
        r"<!-- lost keys -->\n(.*?)<!-- /lost keys -->", DOCUMENT.read_text(), re.S
    )
    found = {}
    for line in rows.splitlines()[2:]:
        keys, what = (it.strip() for it in line.strip("|").split("|"))
        for key in re.findall(r"`([^`]+)`", keys):
            assert key not in found, key
            found[key] = what
    return found


def test_every_key_is_in_the_table_once() -> None:
    section = DOCUMENT.read_text().partition("## Keys of a chat")[2].partition("\n## ")[0]
    kinds = [
        kind
        for row in re.findall(r"^\| (`\{main\}:.*?`) \|", section, re.M)
        for kind in re.findall(r"\{main\}:([^`]+)", row)
    ]
    assert set(table()) == set(kinds) == HARMLESS | SOMEBODYS


@pytest.mark.parametrize("kind", sorted(HARMLESS | SOMEBODYS))
async def test_a_chat_goes_on_without_a_key(chat_stores: RedisStores, kind: str) -> None:
    control = chat_stores.server.control
    one, two = await chat_stores.node("one"), await chat_stores.node("two")
    (andy,) = await one.enter("andy")
    (betty,) = await two.enter("betty")
    (carla,) = await two.enter("carla")
    for node in (one, two):
        node.follower.trimmed = kind == "log"
        await node.sees(lambda it: len(it.roster) == 3, "all three")

    talk = [guest.say(f"{guest.nickname} {i}") for i in range(20) for guest in (andy, betty)]
    whispers = [andy.whisper("betty", f"{i}") for i in range(20)]
    for name in (it for node in ("one", "two") for it in chat_stores.registered() if node in it):
        node_key = kind.replace("ID", name)
        control.delete(f"{{{chat_stores.chat}}}:{node_key}")
    control.delete(f"{{{chat_stores.chat}}}:{kind.replace('HASH', '0' * 32)}")
    if kind == "nick:andy":
        andy = one.guest("anna")
        andy.join()
    await asyncio.gather(one.store.settle(), two.store.settle())
    later = [guest.say(f"{guest.nickname} later") for guest in (andy, betty)]
    new = [node.guest(name) for node, name in ((one, "dora"), (two, "edda"))]
    joins = [it.join() for it in new]
    await asyncio.gather(one.store.settle(), two.store.settle())
    assert {it.outcome for it in later} == {Outcome.DONE}
    assert {it.outcome for it in joins} == {Outcome.DONE}
    if kind != "nick:andy":
        assert {it.outcome for it in (*talk, *whispers)} == {Outcome.DONE}
        said = [it.text for it in (*talk, *later)]
        for node in (one, two):
            await node.sees(lambda it: it.said[-1:] and set(said) <= set(it.said), "all of it")
            assert sorted(node.follower.said) == sorted(said)
    for node in (one, two):
        assert node.follower.fencings == 0

    betty.leave()
    await two.store.settle()
    await one.sees(lambda it: it.lefts() == [betty.session], "betty to leave")
    assert one.guest("betty").join().outcome is None
    await one.store.settle()

    two.wire.cut_off()
    gone = {betty.session, carla.session, new[1].session}
    await one.sees(lambda it: gone <= set(it.lefts()) or kind == "node:ID:nicks", "the burial")
    await until(
        lambda: not any(it in node for node in chat_stores.registered() for it in ("two",)),
        WITHIN,
        "two to be forgotten",
    )
    again = Guest(one, "carla", f"{one.store.node}:99").join()
    await one.store.settle()
    assert again.outcome is Outcome.DONE
    await one.sees(lambda it: carla.session in it.lefts(), "carla to leave")


@pytest.mark.parametrize(
    "key",
    [
        *("meta", "log", "marks", "order", "batches", "condemned", "tokens", "token-ends"),
        *("moderation", "rooms", "room-nodes", "node:ID:rooms"),
    ],
)
async def test_a_room_goes_on_without_a_key(
    chat_stores: RedisStores, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setattr(store_rooms, "_NOTE_SECONDS", 0.2)
    control = chat_stores.server.control
    one, two = await chat_stores.node("one"), await chat_stores.node("two")
    here, there = open_room(one, "ops"), open_room(two, "ops")
    (andy,), (betty,) = await enter(one, here, "andy"), await enter(two, there, "betty")
    talk = [seat.say(f"{seat.session} {i}") for i in range(20) for seat in (andy, betty)]
    for room in (here, there):
        room.follower.trimmed = key == "log"
    chat = chat_stores.chat
    for name in chat_stores.registered():
        control.delete(f"{{{chat}}}:{key.replace('ID', name)}")
    control.delete(f"{{{chat}#ops}}:{key}")
    await asyncio.gather(one.store.settle(), two.store.settle())
    later = [andy.say("later"), betty.say("later as well")]
    await asyncio.gather(one.store.settle(), two.store.settle())
    assert {op.outcome for op in (*talk, *later)} == {Outcome.DONE}
    for room in (here, there):
        await until(lambda it=room: len(it.follower.said) == 42, WITHIN, "all of it")  # type: ignore[misc]
    names = chat_stores.keys
    await until(
        lambda: control.exists(names.rooms, names.room_nodes, names.node_rooms(two.store.node)) == 3,
        WITHIN, "what is noted",
    )  # fmt: skip
    two.wire.cut_off()
    await until(lambda: here.follower.lefts() == [betty.session] or key == "order", WITHIN, "betty")
    andy.leave()
    await one.store.settle()
