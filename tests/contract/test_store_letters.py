"""The contract of the store for private messages: every implementation, the same tests."""

import asyncio

import pytest

from contract.node import WITHIN, StoreFactory
from harness.waiting import until
from tertulia.chat.ports import Outcome, PassOnOp
from tertulia.domain.events import Said, TaggedAlone, Undelivered, Whispered


@pytest.mark.parametrize("elsewhere", [False, True])
@pytest.mark.parametrize("written", ["Betty", "betty", "BETTY"])
async def test_a_whisper_reaches_its_recipient_alone(
    store_factory: StoreFactory, elsewhere: bool, written: str
) -> None:
    one = await store_factory.node("one")
    two = await store_factory.node("two") if elsewhere else one
    andy = await one.enter_one("Andy")
    betty, _ = await two.enter("Betty", "carl")
    op = andy.whisper(written, "psst", is_account=True)
    await one.store.settle()
    assert op.outcome is Outcome.DONE
    await until(lambda: two.follower.letters, WITHIN, "the whisper")
    (delivery,) = two.follower.letters
    assert (delivery.number, delivery.session) == (1, betty.session)
    assert delivery.event == Whispered("Andy", andy.session, written, "psst", is_account=True)
    assert elsewhere is (one.follower.letters == [])
    assert not any(isinstance(event, Said) for event in two.follower.events)


async def test_a_whisper_to_nobody_is_unknown(store_factory: StoreFactory) -> None:
    node = await store_factory.node()
    andy, betty = await node.enter("andy", "betty")
    betty.leave()
    ops = [andy.whisper("nobody", "psst"), andy.whisper("betty", "psst")]
    await node.store.settle()
    assert [op.outcome for op in ops] == [Outcome.UNKNOWN] * 2
    assert node.follower.letters == []


async def test_a_whisper_may_follow_its_recipients_join_in_one_batch(
    store_factory: StoreFactory,
) -> None:
    node = await store_factory.node()
    andy = await node.enter_one("andy")
    betty = node.guest("betty")
    too_early = andy.whisper("betty", "too early")
    betty.join()
    op = andy.whisper("betty", "welcome")
    betty.leave()
    too_late = andy.whisper("betty", "too late")
    await node.store.settle()
    assert [it.outcome for it in (too_early, op, too_late)] == [
        Outcome.UNKNOWN, Outcome.DONE, Outcome.UNKNOWN,
    ]  # fmt: skip
    assert node.follower.letter_texts == ["welcome"]
    assert node.follower.letters[0].session == betty.session


async def test_letters_are_numbered_without_holes(store_factory: StoreFactory) -> None:
    """Whoever sends them, from wherever; the follower itself watches the numbers."""
    nodes = [await store_factory.node(f"n{i}") for i in range(3)]
    guests = [await node.enter_one(f"guest-{i}") for i, node in enumerate(nodes)]
    ops = [
        sender.whisper(recipient.nickname, f"{sender.nickname} {i}")
        for i in range(100)
        for sender in guests
        for recipient in guests
    ]
    await asyncio.gather(*(node.store.settle() for node in nodes))
    assert {op.outcome for op in ops} == {Outcome.DONE}
    for node in nodes:
        await node.sees(lambda it: len(it.letters) == 300, "300 letters")
        assert [it.number for it in node.follower.letters] == list(range(1, 301))
        for sender in guests:  # in the order of each sender's submission
            own = [it for it in node.follower.letter_texts if it.startswith(f"{sender.nickname} ")]
            assert own == [f"{sender.nickname} {i}" for i in range(100)]


async def test_a_report_goes_back_to_the_sender(store_factory: StoreFactory) -> None:
    one, two = await store_factory.node("one"), await store_factory.node("two")
    andy, betty = await one.enter_one("Andy"), await two.enter_one("Betty")
    op = betty.report_to(andy, "psst")
    await two.store.settle()
    assert op.outcome is Outcome.DONE
    await until(lambda: one.follower.letters, WITHIN, "the report")
    (delivery,) = one.follower.letters
    assert delivery.session == andy.session
    assert isinstance(delivery.event, Undelivered)
    assert delivery.event.recipient == "Betty"
    assert delivery.event.text == "psst"
    assert two.follower.letters == []


async def test_a_report_to_who_left_is_gone(store_factory: StoreFactory) -> None:
    one, two = await store_factory.node("one"), await store_factory.node("two")
    andy, betty = await one.enter_one("andy"), await two.enter_one("betty")
    andy.leave()
    await one.store.settle()
    other = await one.enter_one("andy")
    op = betty.report_to(andy, "psst")
    await two.store.settle()
    assert op.outcome is Outcome.GONE
    other.say("level")
    await one.store.settle()
    assert one.follower.letters == []


async def test_a_letter_is_passed_on_to_where_its_reader_has_gone_on(
    store_factory: StoreFactory,
) -> None:
    """As it was: who reads it can't tell that it went another way."""
    nodes = [await store_factory.node(it) for it in ("one", "two", "three")]
    one, two, three = nodes
    betty = await three.enter_one("betty")
    lost = one.guest("andy")
    lost.join("a" * 32)
    await one.store.settle()
    betty.whisper("andy", "psst")
    await three.store.settle()
    await until(lambda: one.follower.letters, WITHIN, "the letter")
    (letter,) = one.follower.letters
    again = two.guest("andy")
    again.join("a" * 32, resumed=True)
    await two.store.settle()
    ops = [
        PassOnOp(session, "andy", letter.event, letter.at, letter.number)  # type: ignore[arg-type]
        for session in (again.session, lost.session)
    ]
    for op in ops:
        one.store.submit(op)
    await one.store.settle()
    assert [op.outcome for op in ops] == [Outcome.DONE, Outcome.GONE]
    await until(lambda: two.follower.letters, WITHIN, "the letter where its reader is")
    (passed,) = two.follower.letters
    assert (passed.event, passed.session) == (letter.event, again.session)
    assert passed.at == pytest.approx(letter.at, abs=0.001)
    assert one.follower.letters == [letter]


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_tags_go_with_a_letter_or_alone(store_factory: StoreFactory, elsewhere: bool) -> None:
    one = await store_factory.node("one")
    two = await store_factory.node("two") if elsewhere else one
    andy, betty = await one.enter_one("andy"), await two.enter_one("betty")
    who, tags = ("andy", andy.session), "+draft/reply=a-1-0"
    ops = [
        andy.whisper("betty", "yes", 1, tags=tags, splits=(0, 2)),
        andy.whisper("betty", "", 2, is_account=True, tags=tags),
    ]
    await one.store.settle()
    assert {op.outcome for op in ops} == {Outcome.DONE}
    await until(lambda: len(two.follower.letters) == 2, WITHIN, "both")
    assert [(it.session, it.event) for it in two.follower.letters] == [
        (betty.session, Whispered(*who, "betty", "yes", 1, tags=tags, splits=(0, 2))),
        (betty.session, TaggedAlone(*who, tags, 2, True)),
    ]
