"""The contract of the store for who is away, and who is an account: every implementation, the same tests."""

import pytest

from contract.chat_stores import RedisStores
from contract.follower import RecordingFollower
from contract.in_rooms import enter, open_room
from contract.node import Guest, Node, StoreFactory
from contract.test_chat_store_epochs import epoch_changed
from harness.redis_server import RedisServer
from tertulia.chat.ports import DONE, GONE, MOST_AWAY, Member
from tertulia.domain.events import Joined, PublicEvent, Registered, WentAway

ABOUT = 'a Andy "so" \\ %d è, "joined"'


def known(follower: RecordingFollower, nickname: str = "andy") -> Member:
    member = follower.roster.holder(nickname)
    assert member is not None
    return member


async def known_to_newcomers(factory: StoreFactory, name: str = "late") -> Member:
    """Return what a node reads of andy that starts now."""
    node = await factory.node(name)
    return known(node.follower)


def changes(node: Node) -> list[PublicEvent]:
    return [it for it in node.follower.events if isinstance(it, WentAway | Registered)]


async def account(node: Node, factory: StoreFactory, nickname: str = "andy") -> Guest:
    factory.give_password(nickname, "hash")
    guest = node.guest(nickname)
    guest.join(proven=True)
    await node.store.settle()
    return guest


async def test_who_is_away_is_told_to_everybody_with_the_words(store_factory: StoreFactory) -> None:
    one, two = await store_factory.node("one"), await store_factory.node("two")
    andy = await one.enter_one("Andy")
    words = "è " + "x" * (MOST_AWAY - 3)
    op = andy.change(words)
    await one.store.settle()
    assert op.outcome is DONE
    await two.sees(lambda it: changes(two), "that he is away")
    assert changes(one) == changes(two) == [WentAway("Andy", andy.session, words)]
    assert (await known_to_newcomers(store_factory)).away == words
    andy.change("")
    await one.store.settle()
    assert changes(one)[1:] == [WentAway("Andy", andy.session)]
    assert (await known_to_newcomers(store_factory, "later")).away == ""


async def test_what_is_so_already_is_not_told(store_factory: StoreFactory) -> None:
    node = await store_factory.node()
    andy = await node.enter_one("andy")
    ops = [
        *(andy.change(""), andy.change("lunch"), andy.change("lunch")),
        *(
            andy.change(account=False),
            andy.change(account=True),
            andy.change("lunch", account=True),
        ),
        *(andy.change(), andy.change("tea", account=False)),
    ]
    await node.store.settle()
    assert {op.outcome for op in ops} == {DONE}
    assert changes(node) == [
        WentAway("andy", andy.session, "lunch"),
        Registered("andy", andy.session, True),
        WentAway("andy", andy.session, "tea"),
        Registered("andy", andy.session),
    ]


async def test_who_does_not_hold_the_nickname_changes_nothing(store_factory: StoreFactory) -> None:
    node = await store_factory.node()
    before = await node.enter_one("andy")
    before.leave()
    andy = await node.enter_one("andy")
    ops = [before.change("lunch", account=True), node.guest("nobody").change("lunch")]
    await node.store.settle()
    assert [op.outcome for op in ops] == [GONE, GONE]
    assert changes(node) == []
    member = await known_to_newcomers(store_factory)
    assert member == Member("andy", andy.session, member.dialect)


async def test_who_comes_is_known_as_an_account_or_as_a_guest(store_factory: StoreFactory) -> None:
    node = await store_factory.node()
    andy, betty = await account(node, store_factory), await node.enter_one("betty")
    joined = [it for it in node.follower.events if isinstance(it, Joined)]
    assert [(it.session, it.is_account) for it in joined] == [
        *((andy.session, True), (betty.session, False)),
    ]
    late = await store_factory.node("late")
    assert known(late.follower).is_account
    assert not known(late.follower, "betty").is_account


async def test_who_goes_on_with_a_token_is_known_as_what_it_proves(
    store_factory: StoreFactory,
) -> None:
    node = await store_factory.node()
    store_factory.give_password("andy", "hash")
    node.guest("andy").join("a" * 32, proven=True)
    node.guest("betty").join("b" * 32)
    await node.store.settle()
    for nickname, token in (("andy", "a" * 32), ("betty", "b" * 32)):
        node.guest(nickname).join(token, resumed=True)
    await node.store.settle()
    again = [it for it in node.follower.events if isinstance(it, Joined) and it.was]
    assert [it.is_account for it in again] == [True, False]
    assert known(node.follower).is_account
    assert (await known_to_newcomers(store_factory)).is_account


async def test_nothing_of_it_stays_with_the_nickname(store_factory: StoreFactory) -> None:
    """Not after a leave, nor after the chat was closed, where Redis keeps the hash for a while."""
    node = await store_factory.node()
    andy = await node.enter_one("andy")
    andy.change("lunch", account=True)
    andy.close_chat()
    await node.store.settle()
    await node.enter_one("andy")
    member = await known_to_newcomers(store_factory)
    assert (member.away, member.is_account) == ("", False)


async def test_who_somebody_says_to_be_is_known_everywhere(store_factory: StoreFactory) -> None:
    one, two = await store_factory.node("one"), await store_factory.node("two")
    andy = one.guest("andy")
    andy.join(about=ABOUT)
    await one.store.settle()
    await two.sees(lambda it: it.roster.holder("andy"), "andy")
    for node in (one, two):
        joined = Joined("andy", andy.session, known(node.follower).dialect, about=ABOUT)
        assert [it for it in node.follower.events if isinstance(it, Joined)] == [joined]
    andy.change("lunch", account=True)
    await one.store.settle()
    assert known(one.follower).about == ABOUT
    assert (await known_to_newcomers(store_factory)).about == ABOUT
    andy.leave()
    await one.enter_one("andy")
    assert (await known_to_newcomers(store_factory, "later")).about == ""


async def test_an_account_and_who_it_says_to_be_are_both_told(store_factory: StoreFactory) -> None:
    node = await store_factory.node()
    store_factory.give_password("andy", "hash")
    andy = node.guest("andy")
    andy.join("a" * 32, proven=True, about=ABOUT)
    await node.store.settle()
    again = node.guest("andy")
    again.join("a" * 32, resumed=True, about="a Another")
    await node.store.settle()
    told = [it for it in node.follower.events if isinstance(it, Joined)]
    assert [(it.is_account, it.was, it.about) for it in told] == [
        (True, "", ABOUT),
        (True, andy.session, "a Another"),
    ]
    member = await known_to_newcomers(store_factory)
    assert (member.is_account, member.about) == (True, "a Another")


async def test_in_a_room_it_is_known_who_somebody_says_to_be(store_factory: StoreFactory) -> None:
    one, two = await store_factory.node("one"), await store_factory.node("two")
    room = open_room(one, "ops")
    (carl,) = await enter(one, room, "carl")
    andy = await one.enter_one("andy")
    room.seat(andy, 9).join(account=1, about=ABOUT)
    await one.store.settle()
    joined = [it for it in room.follower.events if isinstance(it, Joined)]
    assert [(it.session, it.about) for it in joined] == [
        *((carl.session, ""), (andy.session, ABOUT)),
    ]
    there = open_room(two, "ops")
    await two.sees(lambda _: there.follower.seatings, "the room")
    assert (known(there.follower).about, known(there.follower, "carl").about) == (ABOUT, "")


async def test_in_a_room_it_is_known_who_came_as_an_account(store_factory: StoreFactory) -> None:
    one, two = await store_factory.node("one"), await store_factory.node("two")
    room = open_room(one, "ops")
    (carl,) = await enter(one, room, "carl")
    guest = await account(one, store_factory)
    room.seat(guest, 9).join(account=1)
    await one.store.settle()
    joined = [it for it in room.follower.events if isinstance(it, Joined)]
    assert [(it.session, it.is_account) for it in joined] == [
        *((carl.session, False), (guest.session, True)),
    ]
    there = open_room(two, "ops")
    await two.sees(lambda _: there.follower.seatings, "the room")
    assert known(there.follower).is_account
    assert not known(there.follower, "carl").is_account


async def test_it_is_written_down_again_after_redis_lost_its_data(
    chat_stores: RedisStores, shared_redis: RedisServer
) -> None:
    one, two = await chat_stores.node("one"), await chat_stores.node("two")
    andy = await account(one, chat_stores)
    betty = two.guest("betty")
    betty.join(about=ABOUT)
    await two.store.settle()
    andy.change("lunch")
    betty.change("tea")
    room = open_room(one, "ops")
    await enter(one, room, "carl")
    room.seat(andy, 9).join(account=1, about=ABOUT)
    await one.store.settle()
    await two.store.settle()
    await two.sees(lambda it: known(it).away, "that he is away")
    shared_redis.control.flushall()
    await epoch_changed(one)
    await epoch_changed(two)
    await one.sees(lambda it: len({e.position.epoch for e in it.entries}) == 2, "the new epoch")
    late = await chat_stores.node("late")
    assert (known(late.follower).away, known(late.follower).is_account) == ("lunch", True)
    assert (known(late.follower, "betty").away, known(late.follower, "betty").is_account) == (
        *("tea", False),
    )
    assert (known(late.follower).about, known(late.follower, "betty").about) == ("", ABOUT)
    there = open_room(late, "ops")
    await late.sees(lambda _: there.follower.seatings, "the room")
    await late.sees(lambda _: there.follower.roster.holder("andy"), "andy in the room")
    assert known(there.follower).is_account
    assert not known(there.follower, "carl").is_account
    assert (known(there.follower).about, known(there.follower, "carl").about) == (ABOUT, "")


@pytest.mark.parametrize("field", ["away", "proven", "about"])
async def test_what_redis_has_forgotten_is_put_right(
    chat_stores: RedisStores, shared_redis: RedisServer, field: str
) -> None:
    """It came back with an older state, where somebody is in the chat, and not away yet."""
    one, two = await chat_stores.node("one"), await chat_stores.node("two")
    andy = one.guest("andy")
    andy.join(about=ABOUT)
    andy.change("lunch", account=True)
    await one.store.settle()
    await two.sees(lambda it: it.roster.holder("andy"), "andy")
    await two.sees(lambda it: known(it).is_account, "that he is an account")
    keys, control = chat_stores.keys, shared_redis.control
    control.hdel(keys.nick("andy"), field)
    control.delete(keys.meta)
    await epoch_changed(one)
    await epoch_changed(two)
    late = await chat_stores.node("late")
    for node in (late, two):
        member = known(node.follower)
        assert (member.away, member.is_account, member.about) == ("lunch", True, ABOUT)
