"""What waits for accounts: kept within bounds, handed over in steps and in order, streams taken over."""

from collections.abc import AsyncIterator, Iterable
from typing import cast

import pytest

from contract.chat_stores import RedisNode, RedisStores
from contract.node import WITHIN, Guest
from tertulia.chat.device_ops import CollectOp, ForgetOp, RequestOp
from tertulia.chat.ports import Outcome, ReportOp, WhisperOp
from tertulia.domain.requests import LogIn, Message
from tertulia.redis.access import Access
from tertulia.redis.client import Client
from tertulia.store.chat_store import ChatStore
from tertulia.store.pending import Mailboxes

ADDRESS = "192.0.2.1"
MESSAGE, SENDER = 64, 512
"""What each counts for beside the text."""


@pytest.fixture
async def boxes(chat_stores: RedisStores) -> AsyncIterator[Mailboxes]:
    """What waits in the chat, as operators see it."""
    url = f"redis://127.0.0.1:{chat_stores.server.port}"
    client = Client.to(Access.to(url), chat_stores.keys.meta, "test", WITHIN)
    yield Mailboxes(chat_stores.keys, client)
    client.link.disconnect()


def leave(guest: Guest, recipient: str, text: str) -> WhisperOp:
    """Whisper to somebody who is away, to be kept."""
    op = WhisperOp(guest.session, guest.key, guest.nickname, recipient, text, keep=True, away=True)
    guest.node.store.submit(op)
    return op


async def left(guest: Guest, recipient: str, *texts: str) -> list[Outcome | None]:
    """Leave messages, and return what came of each."""
    ops = [leave(guest, recipient, text) for text in texts]
    await guest.node.store.settle()
    return [op.outcome for op in ops]


async def texts(boxes: Mailboxes, key: str) -> list[str]:
    return [f"{it.sender} {it.text.decode()}" for it in await boxes.everything(key)]


async def collect(guest: Guest, most: int = 1000) -> list[int]:
    """Have what waits handed over, and return how many messages each step brought."""
    store = cast(ChatStore, guest.node.store)
    steps: list[int] = []
    while senders := await store.accounts.oldest_senders(guest.key):
        before = len(guest.node.follower.letters)
        op = CollectOp(guest.session, guest.key, guest.nickname, tuple(senders[:most]))
        store.submit(op)
        await store.settle()
        steps.append(len(guest.node.follower.letters) - before)
        if op.outcome is not Outcome.KEPT:
            break
    return steps


async def enter(node: RedisNode, nickname: str) -> Guest:
    """Let an account in that has proved its password."""
    guest = node.guest(nickname)
    guest.join(proven=True)
    await node.store.settle()
    return guest


def nothing_is_left(stores: RedisStores) -> None:
    names = [name.partition("}:")[2] for name in stores.names()]
    assert [it for it in names if it.startswith(("pending:", "senders:", "counts:"))] == []
    assert [stores.server.control.ttl(stores.keys.mailbox("dan")) > 0] == [True]
    assert stores.server.control.hget(stores.keys.meta, "pending") == "0"


# --- In order ---------------------------------------------------------------------------------------------


async def test_what_waits_is_handed_over_in_the_order_in_which_it_came(
    chat_stores: RedisStores, boxes: Mailboxes
) -> None:
    node = await chat_stores.node()
    chat_stores.give_password("dan", "x")
    senders = await node.enter(*(f"Guest-{i}" for i in range(5)))
    expected = [f"{i} of {guest.nickname} ¡\u20ac!" for i in range(40) for guest in senders]
    ops = [leave(senders[int(it.split("Guest-")[1][0])], "DAN", it) for it in expected]
    await node.store.settle()
    assert {op.outcome for op in ops} == {Outcome.KEPT}
    found = [it async for it in boxes.senders("dan")]
    assert [(it.nickname, it.messages) for it in found] == [(g.nickname, 40) for g in senders]
    assert [it.text.decode() for it in await boxes.everything("dan")] == expected
    dan = await enter(node, "Dan")
    assert await collect(dan) == [100, 100]
    assert node.follower.letter_texts == expected
    nothing_is_left(chat_stores)


@pytest.mark.parametrize("most", [1, 3, 100])
async def test_steps_hand_over_in_order_however_few_senders_are_seen_to_at_once(
    chat_stores: RedisStores, most: int
) -> None:
    node = await chat_stores.node()
    chat_stores.give_password("dan", "x")
    senders = await node.enter(*(f"g{i}" for i in range(7)))
    for number in range(300):
        leave(senders[number * number % 7], "dan", str(number))
    await node.store.settle()
    dan = await enter(node, "dan")
    assert max(await collect(dan, most)) <= 100
    assert node.follower.letter_texts == list(map(str, range(300)))
    nothing_is_left(chat_stores)


async def test_who_is_being_handed_what_waits_reads_what_comes_meanwhile_behind_it(
    chat_stores: RedisStores,
) -> None:
    one, two = await chat_stores.node("one"), await chat_stores.node("two")
    chat_stores.give_password("dan", "x")
    chat_stores.give_password("eve", "x")
    (ann,) = await two.enter("ann")
    eve = RequestOp("d1", "eve", LogIn("eve", 4000), ADDRESS)
    two.store.submit(eve)
    await left(ann, "dan", "ann 1")
    from_eve = [RequestOp("d1", "eve", Message("eve", "dan", f"eve {i}"), ADDRESS) for i in (1, 2)]
    two.store.submit(from_eve[0])
    await two.store.settle()
    dan = await enter(one, "dan")
    ops = [ann.whisper("dan", "ann 2"), ann.whisper("dan", "ann 3", 7, "0" * 32)]
    two.store.submit(from_eve[1])
    await two.store.settle()
    assert {op.outcome for op in (*ops, *from_eve)} == {Outcome.DONE}
    assert one.follower.letters == []
    await collect(dan)
    assert one.follower.letter_texts == ["ann 1", "eve 1", "ann 2", "ann 3", "eve 2"]
    assert ann.whisper("dan", "at once").outcome is None
    await two.store.settle()
    await one.sees(lambda it: it.letter_texts[-1:] == ["at once"], "it")
    nothing_is_left(chat_stores)


async def test_a_step_is_for_the_session_that_holds_the_nickname(chat_stores: RedisStores) -> None:
    node = await chat_stores.node()
    chat_stores.give_password("dan", "x")
    (ann,) = await node.enter("ann")
    await left(ann, "dan", "hello")
    before = await enter(node, "dan")
    now = await enter(node, "dan")
    assert await collect(before) == [0]
    assert await collect(now) == [1]
    assert [it.session for it in node.follower.letters] == [now.session]


async def test_what_was_handed_over_and_not_read_waits_again_whatever_waits_by_now(
    chat_stores: RedisStores, boxes: Mailboxes
) -> None:
    node = await chat_stores.node(pending_bytes=65_536)
    chat_stores.give_password("dan", "x")
    for name in ("ann", "ben"):
        chat_stores.give_password(name, "x")
    ann, ben = await enter(node, "ann"), await enter(node, "ben")
    await left(ann, "dan", "x" * 4000)
    dan = await enter(node, "dan")
    await collect(dan)
    dan.leave()
    await node.store.settle()
    while Outcome.KEPT in await left(ben, "dan", "y" * 4000):
        pass
    letter = ReportOp("", "ann", "dan", "x" * 4000, 1)
    node.store.submit(letter)
    await node.store.settle()
    assert letter.outcome is Outcome.KEPT
    assert (await texts(boxes, "dan"))[-1] == "ann " + "x" * 4000


# --- Shown to devices -------------------------------------------------------------------------------------


async def test_what_was_shown_is_forgotten_and_nothing_that_came_since(
    chat_stores: RedisStores, boxes: Mailboxes
) -> None:
    node = await chat_stores.node()
    store = cast(ChatStore, node.store)
    chat_stores.give_password("dan", "x")
    ann, ben = await node.enter("ann", "ben")
    await left(ann, "dan", *(f"{i}" for i in range(60)))
    await left(ben, "dan", "mine")
    shown = await store.accounts.pending("dan", "ann", 20)
    assert [it.text for it in shown][:10] == [f"{i}" for i in range(10)]
    assert len(shown) <= 11
    await left(ann, "dan", "later")
    for _ in range(2):  # two connections were shown the same
        store.submit(ForgetOp("d", "dan", sender="ann", number=shown[9].number))
    await store.settle()
    expected = [f"ann {i}" for i in range(10, 60)] + ["ben mine", "ann later"]
    assert await texts(boxes, "dan") == expected
    assert [(it.sender, it.messages) for it in await store.accounts.hanging("dan", 9)] == [
        ("ann", 51), ("ben", 1),
    ]  # fmt: skip
    store.submit(ForgetOp("d", "dan", sender="ann", number=10**15))
    store.submit(ForgetOp("d", "dan", sender="ben", number=10**15))
    await store.settle()
    nothing_is_left(chat_stores)


async def test_no_message_has_a_number_that_was_shown_before(chat_stores: RedisStores) -> None:
    """Also where more came in a millisecond than that has, and the mailbox was emptied since."""
    node = await chat_stores.node()
    store = cast(ChatStore, node.store)
    chat_stores.give_password("dan", "x")
    (ann,) = await node.enter("ann")
    await left(ann, "dan", *("x" for _ in range(500)))
    (*_, last) = await store.accounts.pending("dan", "ann", 65_535)
    store.submit(ForgetOp("d", "dan", sender="ann", number=last.number))
    assert await left(ann, "dan", "new") == [Outcome.KEPT]
    store.submit(ForgetOp("d", "dan", sender="ann", number=last.number))
    await store.settle()
    assert [it.text for it in await store.accounts.pending("dan", "ann", 100)] == ["new"]
    assert chat_stores.server.control.ttl(chat_stores.keys.mailbox("dan")) == -1


# --- Bounds -----------------------------------------------------------------------------------------------


async def fill(guests: Iterable[Guest], text: str) -> int:
    """Have everybody leave dan something until nothing more is kept; return how many messages were."""
    count = 0
    for guest in guests:
        while Outcome.FULL not in (outcomes := await left(guest, "dan", *[text] * 64)):
            count += 64
        count += outcomes.count(Outcome.KEPT)
    return count


@pytest.mark.parametrize("text", ["", "x" * 500], ids=["empty", "long"])
async def test_guests_fill_half_of_a_mailbox_and_accounts_have_the_other(
    chat_stores: RedisStores, boxes: Mailboxes, text: str
) -> None:
    whole, share = 65_536, 16_384
    node = await chat_stores.node(pending_bytes=whole, pending_sender_bytes=share)
    for name in ("dan", "ann", "ben"):
        chat_stores.give_password(name, "x")
    strangers = await node.enter(*(f"stranger-{i}" for i in range(70)))
    ann, ben = await enter(node, "ann"), await enter(node, "ben")
    count = await fill(strangers, text)
    cost = len(text) + MESSAGE
    assert count * cost <= whole / 2
    assert await left(strangers[0], "dan", text) == [Outcome.FULL]
    for account in (ann, ben):
        own = await fill([account], text)
        assert own == (share - SENDER) // cost
    found = [it async for it in boxes.senders("dan")]
    assert sum(it.messages for it in found) == int(await boxes.count("dan"))
    dan = await enter(node, "dan")
    await collect(dan)
    nothing_is_left(chat_stores)
    line = str(chat_stores.server.control.hget(chat_stores.keys.mailbox("dan"), ""))
    assert line.split(" ")[1:] == ["0", "0", "0"]


async def test_one_senders_messages_are_counted(chat_stores: RedisStores) -> None:
    node = await chat_stores.node(pending_messages=10)
    chat_stores.give_password("dan", "x")
    ann, ben = await node.enter("ann", "ben")
    assert (await left(ann, "dan", *[""] * 11)).count(Outcome.KEPT) == 10
    assert await left(ben, "dan", "") == [Outcome.KEPT]


async def test_an_empty_mailbox_takes_the_longest_message(chat_stores: RedisStores) -> None:
    node = await chat_stores.node(pending_bytes=65_536, pending_sender_bytes=1)
    chat_stores.give_password("dan", "x")
    (ann,) = await node.enter("ann")
    assert await left(ann, "dan", "x" * 65_534, "") == [Outcome.KEPT, Outcome.FULL]


# --- Deleting ---------------------------------------------------------------------------------------------


async def test_an_account_is_deleted_with_all_that_waits_for_it_in_steps(
    chat_stores: RedisStores, boxes: Mailboxes
) -> None:
    node = await chat_stores.node()
    chat_stores.give_password("dan", "x")
    for guest in await node.enter(*(f"g{i}" for i in range(250))):
        leave(guest, "dan", "hello")
    await node.store.settle()
    assert await boxes.delete_account("dan")
    assert not await boxes.delete_account("dan")
    names = chat_stores.names()
    assert [it for it in names if "dan" in it] == []
    assert chat_stores.server.control.hget(chat_stores.keys.meta, "pending") == "0"


# --- Streams of earlier versions --------------------------------------------------------------------------


def in_stream(stores: RedisStores, *messages: tuple[str, str]) -> list[str]:
    """Keep messages for dan as an earlier version does; return the names of the entries."""
    control, keys = stores.server.control, stores.keys
    names = []
    for sender, text in messages:
        names.append(str(control.xadd(keys.stream("dan"), {"f": sender, "x": text})))
        control.hincrby(keys.counts("dan"), sender.lower(), 1)
        control.hincrby(keys.counts("dan"), "", len(sender + text))
        control.hincrby(keys.meta, "pending", 1)
    return names


async def test_a_stream_becomes_lists_in_front_of_what_came_since(
    chat_stores: RedisStores, boxes: Mailboxes
) -> None:
    node = await chat_stores.node()
    store = cast(ChatStore, node.store)
    chat_stores.give_password("dan", "x")
    ann, ben = await node.enter("Ann", "ben")
    was = [(("Ann", "ben", "cid")[i % 3], f"before {i}") for i in range(350)]
    first, *_ = in_stream(chat_stores, *was)
    chat_stores.server.control.hset(chat_stores.keys.counts("dan"), f":{first}", 3)
    assert await left(ann, "dan", "since 1") == [Outcome.KEPT]
    assert await left(ben, "dan", "since 2") == [Outcome.KEPT]
    (begun, *_) = await store.accounts.pending("dan", "ann", 5)
    assert (begun.text, begun.shown) == ("ore 0", 3)
    by_sender: dict[str, list[str]] = {}
    for it in await boxes.everything("dan"):
        by_sender.setdefault(it.sender, []).append(it.text.decode())
    assert by_sender == {
        "Ann": [text for name, text in was if name == "Ann"] + ["since 1"],
        "ben": [text for name, text in was if name == "ben"] + ["since 2"],
        "cid": [text for name, text in was if name == "cid"],
    }
    dan = await enter(node, "dan")
    await collect(dan)
    assert node.follower.letter_texts == [
        "ore 0",
        *(text for _, text in was[1:]),
        "since 1",
        "since 2",
    ]
    nothing_is_left(chat_stores)


async def test_a_stream_that_is_half_taken_over_goes_on(
    chat_stores: RedisStores, boxes: Mailboxes, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = await chat_stores.node()
    chat_stores.give_password("dan", "x")
    was = [("ann", f"{i}") for i in range(30)]
    in_stream(chat_stores, *was)
    steps = 0

    class Crash(Exception):
        pass

    async def once(ask: object) -> object:
        nonlocal steps
        steps += 1
        if steps == 5:
            raise Crash
        return await ask()  # type: ignore[operator]

    monkeypatch.setattr("tertulia.store.pending._STEP_MESSAGES", 10)
    broken = Mailboxes(chat_stores.keys, boxes._redis, once)
    with pytest.raises(Crash):
        await broken.take_over("dan")
    assert chat_stores.server.control.xlen(chat_stores.keys.stream("dan")) == 10
    in_stream(chat_stores, ("ann", "of a node that is not upgraded yet"))
    assert await boxes.count("dan") == 31
    dan = await enter(node, "dan")
    await collect(dan)
    assert sorted(node.follower.letter_texts) == sorted(
        [*(text for _, text in was), "of a node that is not upgraded yet"]
    )
    nothing_is_left(chat_stores)
