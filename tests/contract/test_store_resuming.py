"""The contract of the store, where a lost session is resumed: every implementation, the same tests."""

import asyncio

import pytest

from contract.node import WITHIN, StoreFactory
from harness.waiting import until
from tertulia.chat.ports import KNOWN_REFUSED, LeaveOp, Outcome, Remembered
from tertulia.domain.events import Joined, Left, PublicEvent, Said
from tertulia.domain.operator_commands import Action
from tertulia.domain.position import Position

TOKEN = "a" * 32
OTHER = "b" * 32


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_who_has_the_token_takes_its_nickname_over(
    store_factory: StoreFactory, elsewhere: bool
) -> None:
    """It goes on in its place in the order; what the earlier session still has comes to nothing."""
    one = await store_factory.node("one")
    two = await store_factory.node("two") if elsewhere else one
    lost, again = one.guest("andy"), two.guest("Andy")
    lost.join(TOKEN)
    await one.store.settle()
    await two.enter("betty")
    op = again.join(TOKEN, resumed=True)
    await two.store.settle()
    assert op.outcome is Outcome.DONE
    assert two.follower.entries[-1].events == [
        Joined("Andy", again.session, "chatte", lost.session)
    ]
    third = await store_factory.node("three")
    assert third.follower.nicknames == ["Andy", "betty"], "as the store has them"
    late = [lost.say("late"), lost.leave()]
    kept = again.say("mine")
    await asyncio.gather(one.store.settle(), two.store.settle())
    assert [it.outcome for it in late] == [Outcome.GONE] * 2
    assert kept.outcome is Outcome.DONE
    await until(lambda: one.follower.said, WITHIN, "the message")
    assert one.follower.said == ["mine"]
    assert one.follower.nicknames == ["Andy", "betty"]
    whispered = again.whisper("andy", "to myself")
    await two.store.settle()
    assert whispered.outcome is Outcome.DONE
    assert two.follower.letters[-1].session == again.session


async def test_a_nickname_may_be_taken_over_again_and_again(store_factory: StoreFactory) -> None:
    nodes = [await store_factory.node(f"n{i}") for i in range(2)]
    guests = [nodes[i % 2].guest("andy") for i in range(6)]
    for i, guest in enumerate(guests):
        op = guest.join(TOKEN, resumed=i > 0)
        await guest.node.store.settle()
        assert op.outcome is Outcome.DONE
    for node in nodes:
        await node.sees(lambda it: len(it.joins()) == 6, "all of them")
        assert node.follower.lefts() == [], "nobody is told"
        assert node.follower.nicknames == ["andy"]


@pytest.mark.parametrize(("token", "resumed"), [(TOKEN, False), (OTHER, True), ("", False)])
async def test_nobody_else_takes_it_over(
    store_factory: StoreFactory, token: str, resumed: bool
) -> None:
    node = await store_factory.node()
    holder = node.guest("andy")
    holder.join(TOKEN)
    op = node.guest("andy").join(token, resumed=resumed)
    await node.store.settle()
    assert op.outcome is Outcome.TAKEN
    assert node.follower.lefts() == []


async def test_a_token_is_good_for_its_own_nickname_only(store_factory: StoreFactory) -> None:
    node = await store_factory.node()
    node.guest("andy").join(TOKEN)
    await node.enter("betty")
    op = node.guest("betty").join(TOKEN, resumed=True)
    await node.store.settle()
    assert op.outcome is Outcome.TAKEN


async def test_a_token_is_good_for_the_session_that_it_named_last(
    store_factory: StoreFactory,
) -> None:
    """Its session left, and somebody else has the nickname now."""
    node = await store_factory.node()
    andy = node.guest("andy")
    andy.join(TOKEN)
    andy.leave()
    await node.enter("andy")
    op = node.guest("andy").join(TOKEN, resumed=True)
    await node.store.settle()
    assert op.outcome is Outcome.TAKEN


async def test_who_is_gone_already_resumes_by_a_plain_join(store_factory: StoreFactory) -> None:
    node = await store_factory.node()
    andy = node.guest("andy")
    andy.join(TOKEN)
    andy.leave()
    again = node.guest("andy")
    op = again.join(TOKEN, resumed=True)
    await node.store.settle()
    assert op.outcome is Outcome.DONE
    assert [type(event) for event in node.follower.events] == [Joined, Left, Joined]


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_a_token_says_whose_it_is_and_since_when(
    store_factory: StoreFactory, elsewhere: bool
) -> None:
    """Since his first join, whoever was there before, and however often he comes back."""
    one = await store_factory.node("one")
    two = await store_factory.node("two") if elsewhere else one
    await one.enter("somebody")
    guest = one.guest("Andy")
    guest.join(TOKEN)
    await one.store.settle()
    first = one.follower.entries[-1].position.offset
    assert await two.recall(TOKEN) == Remembered("andy", first)
    guest.leave()
    await one.store.settle()
    two.guest("andy").join(TOKEN, resumed=True)
    await two.store.settle()
    assert await one.recall(TOKEN) == Remembered("andy", first)


async def test_a_token_that_was_never_given_is_not_known(store_factory: StoreFactory) -> None:
    node = await store_factory.node()
    node.guest("andy").join(TOKEN)
    node.guest("andy").join(OTHER)
    await node.store.settle()
    assert await node.recall("c" * 32) is None
    assert await node.recall(OTHER) is None  # it was refused


async def test_what_was_done_is_remembered_with_the_token(store_factory: StoreFactory) -> None:
    one, two = await store_factory.node("one"), await store_factory.node("two")
    andy = one.guest("andy")
    andy.join(TOKEN)
    andy.say("one", 1, TOKEN)
    andy.whisper("andy", "two", 2, TOKEN)
    andy.say("no number")
    await one.store.settle()
    place = one.follower.entries[-1].position
    assert (await two.replay(place, place, TOKEN)).done == 2
    again = two.guest("andy")
    again.join(TOKEN, resumed=True)
    late = andy.say("three", 3, TOKEN)
    await two.store.settle()
    await one.store.settle()
    assert late.outcome is Outcome.GONE
    again.say("three, again", 3, TOKEN)
    await two.store.settle()
    assert (await one.replay(place, place, TOKEN)).done == 3
    assert (await one.replay(place, place, OTHER)).done == 0
    assert (await one.replay(place, place)).done == 0


async def test_what_was_not_done_is_not_remembered(store_factory: StoreFactory) -> None:
    one, two = await store_factory.node("one"), await store_factory.node("two")
    andy = one.guest("andy")
    andy.join(TOKEN)
    andy.say("one", 1, TOKEN)
    await one.store.settle()
    two.guest("andy").join(TOKEN, resumed=True)
    await two.store.settle()
    late = [andy.say("two", 2, TOKEN), andy.whisper("andy", "three", 3, TOKEN)]
    await one.store.settle()
    assert [op.outcome for op in late] == [Outcome.GONE] * 2
    place = one.follower.entries[-1].position
    assert (await two.replay(place, place, TOKEN)).done == 1


async def test_what_was_refused_is_remembered_with_the_token(store_factory: StoreFactory) -> None:
    one, two = await store_factory.node("one"), await store_factory.node("two")
    andy = one.guest("andy")
    andy.join(TOKEN)
    andy.whisper("nobody", "one", 1, TOKEN)
    andy.say("two", 2, TOKEN)
    andy.refused(3, TOKEN)
    andy.whisper("nobody", "no number")
    await one.store.settle()
    place = one.follower.entries[-1].position
    replay = await two.replay(place, place, TOKEN)
    assert (replay.done, list(replay.refused)) == (3, [1, 3])
    two.guest("andy").join(TOKEN, resumed=True)
    await two.store.settle()
    assert andy.refused(4, TOKEN).outcome is None
    await one.store.settle()
    replay = await two.replay(place, place, TOKEN)
    assert (replay.done, list(replay.refused)) == (3, [1, 3])


async def test_of_older_numbers_nobody_knows_whether_they_were_refused(
    store_factory: StoreFactory,
) -> None:
    node = await store_factory.node()
    andy = node.guest("andy")
    andy.join(TOKEN)
    for tag in (1, 2, 3, KNOWN_REFUSED + 1):
        andy.refused(tag, TOKEN)
    andy.say("the last", KNOWN_REFUSED + 2, TOKEN)
    await node.store.settle()
    place = node.follower.entries[-1].position
    assert list((await node.replay(place, place, TOKEN)).refused) == [3, KNOWN_REFUSED + 1]


async def test_a_replay_gives_what_is_between_two_places(store_factory: StoreFactory) -> None:
    """Both exclusive; more of it than the store reads in one go; as it was told the first time."""
    one, two = await store_factory.node("one"), await store_factory.node("two")
    andy = await one.enter_one("andy")
    for i in range(130):
        andy.say(str(i))
        await one.store.settle()
    entries = one.follower.entries
    for first, last in ((10, 20), (0, 130), (50, 51), (7, 9)):
        replay = await two.replay(entries[first].position, entries[last].position)
        assert list(replay.entries) == entries[first + 1 : last]
        assert replay.is_complete


async def test_a_replay_of_another_epoch_is_not_complete(store_factory: StoreFactory) -> None:
    """The client's place is one that this log never had: it gets what there is."""
    node = await store_factory.node()
    andy = await node.enter_one("andy")
    andy.say("one")
    await node.store.settle()
    here = node.follower.entries[-1].position
    said: list[PublicEvent] = []
    for after in (Position("earlier", 1), Position(here.epoch, here.offset + 5)):
        replay = await node.replay(after, here)
        assert not replay.is_complete
        said += [event for entry in replay.entries for event in entry.events]
    assert not any(isinstance(event, Said) for event in said)
    assert [type(event) for event in said] == [Joined, Joined]


async def test_a_node_may_stop_after_its_session_was_taken_over(
    store_factory: StoreFactory,
) -> None:
    """It has none any more, so nothing is left to be buried."""
    one, two = await store_factory.node("one"), await store_factory.node("two")
    one.guest("andy").join(TOKEN)
    await one.store.settle()
    two.guest("andy").join(TOKEN, resumed=True)
    await two.store.settle()
    await until(lambda: len(one.follower.joins()) == 2, WITHIN, "the takeover")
    await asyncio.wait_for(one.store.stop(), WITHIN)
    assert store_factory.registered() == {two.store.node}


async def test_a_buried_node_takes_nobody_with_it_whom_it_lost(
    store_factory: StoreFactory,
) -> None:
    one, two = await store_factory.node("one"), await store_factory.node("two")
    lost, again = one.guest("andy"), two.guest("andy")
    lost.join(TOKEN)
    await one.store.settle()
    again.join(TOKEN, resumed=True)
    await two.store.settle()
    before = one.store.node
    store_factory.condemn(before)
    await until(lambda: before not in store_factory.registered(), WITHIN, "the burial")
    again.say("still here")
    await two.store.settle()
    assert two.follower.said == ["still here"]
    assert two.follower.lefts() == []


# What a token proves, and for how long


@pytest.mark.parametrize("is_gone", [True, False])
@pytest.mark.parametrize(
    ("then", "now"),
    [(None, "new"), ("old", "new"), ("old", None)],
    ids=["signed up", "another password", "deleted"],
)
async def test_a_token_proves_what_was_proven_when_it_was_issued(
    store_factory: StoreFactory, then: str | None, now: str | None, is_gone: bool
) -> None:
    one, two = await store_factory.node("one"), await store_factory.node("two")
    store_factory.give_password("andy", then)
    andy = one.guest("andy")
    andy.join(TOKEN, proven=then is not None)
    await one.store.settle()
    assert await two.recall(TOKEN) == Remembered("andy", 1, is_account=then is not None)
    if is_gone:
        andy.leave()  # as a node lets those go that broke off
    await one.store.settle()
    store_factory.give_password("andy", now)
    assert await two.recall(TOKEN) is None
    op = two.guest("andy").join(TOKEN, resumed=True)
    await two.store.settle()
    assert op.outcome is Outcome.TAKEN


async def test_an_accounts_token_resumes_it_without_the_password(
    store_factory: StoreFactory,
) -> None:
    node = await store_factory.node()
    store_factory.give_password("andy", "s3cret")
    node.guest("andy").join(TOKEN, proven=True)
    op, again = (node.guest("andy").join(TOKEN, resumed=True) for _ in range(2))
    await node.store.settle()
    assert {op.outcome, again.outcome} == {Outcome.DONE}


@pytest.mark.parametrize("password", [None, "s3cret"])
async def test_a_leave_in_order_ends_the_token_that_it_names(
    store_factory: StoreFactory, password: str | None
) -> None:
    one, two = await store_factory.node("one"), await store_factory.node("two")
    store_factory.give_password("andy", password)
    andy = one.guest("andy")
    andy.join(TOKEN, proven=password is not None)
    andy.leave(TOKEN)
    await one.store.settle()
    assert await two.recall(TOKEN) is None
    op = two.guest("andy").join(TOKEN, resumed=True)
    await two.store.settle()
    assert op.outcome is Outcome.TAKEN


async def test_who_was_displaced_does_not_end_the_token_of_his_heir(
    store_factory: StoreFactory,
) -> None:
    node = await store_factory.node()
    lost = node.guest("andy")
    lost.join(TOKEN)
    node.guest("andy").join(TOKEN, resumed=True)
    lost.leave(TOKEN)
    await node.store.settle()
    assert await node.recall(TOKEN) is not None


@pytest.mark.parametrize("action", [Action.KICK, Action.BAN])
async def test_an_order_ends_all_tokens_of_the_nickname(
    store_factory: StoreFactory, action: Action
) -> None:
    """Also those of earlier sessions that were never seen to end; and none that are given later."""
    one, two = await store_factory.node("one"), await store_factory.node("two")
    earlier = one.guest("andy")
    earlier.join(OTHER)
    earlier.leave()
    one.guest("andy").join(TOKEN)
    await one.store.settle()
    await store_factory.dismiss(action, "andy")
    if action is Action.BAN:
        await one.sees(lambda it: it.operator_commands, "the ban")
        for guest in [it for it in one.follower.roster if it.nickname == "andy"]:
            one.store.submit(LeaveOp(guest.session, "andy", "andy"))
        await one.store.settle()
    for token in (TOKEN, OTHER):
        assert await two.recall(token) is None
        op = two.guest("andy").join(token, resumed=True)
        await two.store.settle()
        assert op.outcome is Outcome.TAKEN
    again = two.guest("andy")
    again.join("c" * 32)
    again.leave()
    op = two.guest("andy").join("c" * 32, resumed=True)
    await two.store.settle()
    assert op.outcome is Outcome.DONE
