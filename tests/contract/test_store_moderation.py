"""Moderation at the store: where in the order it holds, who may do it, and what comes of what is refused."""

import time
from collections.abc import Awaitable, Callable
from typing import cast

import pytest
from msgspec.structs import replace

from contract.chat_stores import RedisStores
from contract.node import Guest, Node, StoreFactory
from harness.waiting import until
from tertulia.chat.ports import Outcome
from tertulia.domain.events import Appointed, Kicked, Left, Muted, Redacted, Said, Topic
from tertulia.domain.operator_commands import Action

PASSWORD = "anna's"
TOKEN = "a" * 32

Scene = tuple[Node, Node, Guest, Guest]


@pytest.fixture
def scene(store_factory: StoreFactory) -> Callable[[], Awaitable[Scene]]:
    """Anna moderates, on one node; bruno is on the other one."""

    async def make() -> Scene:
        one, two = await store_factory.node("one"), await store_factory.node("two")
        store_factory.give_password("anna", PASSWORD)
        await store_factory.appoint("anna")
        anna = one.guest("anna")
        anna.join(proven=True)
        await one.store.settle()
        bruno = await two.enter_one("Bruno")
        await one.sees(lambda it: len(it.roster) == 2, "both")
        await one.sees(lambda it: "anna" in it.rules.moderators, "a moderator")
        return one, two, anna, bruno

    return make


async def test_who_is_muted_says_nothing_from_there_on(
    scene: Callable[[], Awaitable[Scene]],
) -> None:
    one, two, anna, bruno = await scene()
    before = time.time() * 1000
    mute = anna.moderate(Action.MUTE, "bruno", 60, text="too loud")
    await one.store.settle()
    assert mute.outcome is Outcome.DONE
    said = bruno.say("am I heard?")
    await two.store.settle()
    assert said.outcome is Outcome.MUTED
    assert before + 59_000 <= said.until <= time.time() * 1000 + 60_001
    for node in (one, two):
        await node.sees(lambda it: "bruno" in it.rules.mutes, "the mute")
        told = [it for it in node.follower.events if isinstance(it, Muted)]
        assert [(it.nickname, it.whom, it.until, it.reason) for it in told] == [
            ("anna", "bruno", said.until, "too loud")
        ]
        assert node.follower.said == []
    assert anna.moderate(Action.UNMUTE, "bruno").outcome is None
    await one.store.settle()
    heard = bruno.say("now?")
    await two.store.settle()
    assert heard.outcome is Outcome.DONE


async def test_in_one_batch_what_stands_before_the_mute_is_said(
    scene: Callable[[], Awaitable[Scene]],
) -> None:
    one, _two, anna, _bruno = await scene()
    carla = await one.enter_one("carla")
    first, mute, second = (
        carla.say("before"),
        anna.moderate(Action.MUTE, "carla"),
        carla.say("after"),
    )
    await one.store.settle()
    outcomes = [first.outcome, mute.outcome, second.outcome]
    assert outcomes == [Outcome.DONE, Outcome.DONE, Outcome.MUTED]
    assert second.until == 0
    kinds = [type(it) for it in one.follower.events[-2:]]
    assert kinds == [Said, Muted]


async def test_the_muted_write_in_private_to_moderators_only(
    scene: Callable[[], Awaitable[Scene]],
) -> None:
    one, two, anna, bruno = await scene()
    await one.enter_one("carla")
    await two.sees(lambda it: len(it.roster) == 3, "carla")
    anna.moderate(Action.MUTE, "bruno")
    await one.store.settle()
    why, psst = bruno.whisper("anna", "why?"), bruno.whisper("carla", "psst")
    away = bruno.whisper("nobody", "anybody?")
    away.away = True
    await two.store.settle()
    assert [why.outcome, psst.outcome, away.outcome] == [
        Outcome.DONE,
        Outcome.MUTED,
        Outcome.MUTED,
    ]
    await one.sees(lambda it: it.letter_texts == ["why?"], "the question")


async def test_what_the_muted_wrote_is_remembered_as_refused(
    scene: Callable[[], Awaitable[Scene]],
) -> None:
    one, two, anna, bruno = await scene()
    anna.moderate(Action.MUTE, "bruno")
    await one.store.settle()
    bruno.say("one", 1, TOKEN)
    bruno.whisper("carla", "two", 2, TOKEN)
    bruno.whisper("carla", "three", 3, TOKEN).away = True
    bruno.whisper("anna", "four", 4, TOKEN)
    await two.store.settle()
    place = two.follower.entries[-1].position
    replay = await one.replay(place, place, TOKEN)
    assert (replay.done, list(replay.refused)) == (4, [1, 2, 3])


async def test_slow_mode_lets_each_say_one_thing_at_a_time(
    scene: Callable[[], Awaitable[Scene]],
) -> None:
    one, two, anna, bruno = await scene()
    anna.moderate(Action.SLOW, value=600)
    await one.store.settle()
    first, second = bruno.say("one"), bruno.say("two")
    own = [anna.say("I"), anna.say("may")]
    await one.store.settle()
    await two.store.settle()
    assert (first.outcome, second.outcome) == (Outcome.DONE, Outcome.SLOW)
    assert 590_000 < second.until - time.time() * 1000 <= 600_001
    assert {it.outcome for it in own} == {Outcome.DONE}
    anna.moderate(Action.SLOW)
    await one.store.settle()
    third = bruno.say("three")
    await two.store.settle()
    assert third.outcome is Outcome.DONE


async def test_where_only_accounts_may_speak(scene: Callable[[], Awaitable[Scene]]) -> None:
    one, two, anna, bruno = await scene()
    anna.moderate(Action.ACCOUNTS_ONLY, value=1)
    await one.store.settle()
    guest, sly = bruno.say("hello"), bruno.say('","a":true,"x":"')
    own = anna.say("hello", is_account=True)
    await one.store.settle()
    await two.store.settle()
    assert [it.outcome for it in (guest, sly, own)] == [
        Outcome.ACCOUNTS_ONLY,
        Outcome.ACCOUNTS_ONLY,
        Outcome.DONE,
    ]
    assert bruno.whisper("anna", "hello").outcome is None
    await two.store.settle()
    await one.sees(lambda it: it.letter_texts == ["hello"], "what he writes in private")


async def test_who_is_no_moderator_may_not(
    scene: Callable[[], Awaitable[Scene]], store_factory: StoreFactory
) -> None:
    one, two, anna, bruno = await scene()
    store_factory.give_password("dora", "dora's")
    await store_factory.appoint("dora")
    acts = [
        bruno.moderate(Action.MUTE, "anna"),
        anna.moderate(Action.MUTE, "dora"),
        anna.moderate(Action.KICK, "dora"),
    ]
    await one.store.settle()
    await two.store.settle()
    assert {it.outcome for it in acts} == {Outcome.FORBIDDEN}
    assert {type(it) for it in one.follower.events} & {Muted, Kicked} == set()


async def test_a_kick(scene: Callable[[], Awaitable[Scene]]) -> None:
    one, two, anna, bruno = await scene()
    kick, late = anna.moderate(Action.KICK, "bruno", text="enough"), bruno.say("I stay")
    await one.store.settle()
    await two.sees(lambda it: it.lefts() == [bruno.session], "bruno to be gone")
    await two.store.settle()
    assert kick.outcome is Outcome.DONE
    assert late.outcome in (Outcome.DONE, Outcome.GONE)  # whichever came first
    kicked, left = one.follower.events[-2:]
    assert (kicked, left) == (
        Kicked("anna", anna.session, "bruno", "enough"),
        Left("Bruno", bruno.session),
    )
    again = anna.moderate(Action.KICK, "bruno")
    await one.store.settle()
    assert again.outcome is Outcome.UNKNOWN
    await two.enter_one("bruno")  # the nickname is free


async def test_a_message_is_redacted_by_its_place(scene: Callable[[], Awaitable[Scene]]) -> None:
    one, two, anna, bruno = await scene()
    bruno.say("first")
    bruno.say("second")
    await two.store.settle()
    await one.sees(lambda it: it.said == ["first", "second"], "both")
    offset = one.follower.entries[-1].position.offset
    index = sum(isinstance(it, Said) for it in one.follower.entries[-1].events) - 1
    ops = [
        anna.moderate(Action.REDACT, value=offset, index=index, text='an "address"'),
        anna.moderate(Action.REDACT, value=offset, index=index + 1),
        anna.moderate(Action.REDACT, value=1_000_000),
    ]
    await one.store.settle()
    assert [it.outcome for it in ops] == [Outcome.DONE, Outcome.UNKNOWN, Outcome.UNKNOWN]
    for node in (one, two):
        await node.sees(lambda it: it.rules.redacted == {(offset, index)}, "the mark")
        event = node.follower.events[-1]
        assert isinstance(event, Redacted)
        assert (event.offset, event.index, event.text) == (offset, index, 'an "address"')


async def test_a_node_that_starts_learns_what_holds(
    scene: Callable[[], Awaitable[Scene]], store_factory: StoreFactory
) -> None:
    one, _two, anna, bruno = await scene()
    bruno.say("forget it")
    await bruno.node.store.settle()
    offset = bruno.node.follower.entries[-1].position.offset
    for act in (
        (Action.MUTE, "bruno", 60, 0, "loud"),
        (Action.SLOW, "", 5),
        (Action.ACCOUNTS_ONLY, "", 1),
        (Action.TOPIC, "", 0, 0, "caffè & più"),
        (Action.REDACT, "", offset, 0),
    ):
        anna.moderate(*act)
    await one.store.settle()
    rules = (await store_factory.node("three")).follower.rules
    # The lobby's log does not say since when the account is there.
    assert replace(rules, moderators={"anna": 0}) == one.follower.rules
    assert rules.moderators.keys() == {"anna"}
    assert (rules.topic, rules.slow, rules.accounts_only) == ("caffè & più", 5, True)
    assert list(rules.mutes) == ["bruno"]
    assert rules.redacted == {(offset, 0)}
    assert Topic("anna", anna.session, "caffè & più") in one.follower.events
    assert any(isinstance(it, Appointed) for it in one.follower.events)


# On Redis


async def moderated(stores: RedisStores) -> tuple[Node, Guest]:
    """Return a node, and anna, who moderates."""
    one = await stores.node("one")
    stores.give_password("anna", PASSWORD)
    await stores.appoint("anna")
    anna = one.guest("anna")
    anna.join(proven=True)
    await one.store.settle()
    return one, anna


async def test_a_mute_ends_by_itself_and_nobody_looks_any_more(chat_stores: RedisStores) -> None:
    one, anna = await moderated(chat_stores)
    control, keys = chat_stores.server.control, chat_stores.keys
    bruno = await one.enter_one("bruno")
    assert control.hget(keys.meta, "restrained") is None
    anna.moderate(Action.MUTE, "bruno", 60)
    await one.store.settle()
    assert control.hget(keys.meta, "restrained") == "1"
    control.zadd(keys.muted, {"bruno": 1})  # as if the minute were over
    said = bruno.say("again")
    await one.store.settle()
    assert said.outcome is Outcome.DONE
    assert control.hget(keys.meta, "restrained") == "0"
    anna.moderate(Action.MUTE, "carla", 60)
    await one.store.settle()
    fields = cast(dict[str, str], control.hgetall(keys.moderation))
    assert fields.keys() == {"moderator:anna", "mute:carla"}


async def test_what_holds_outlives_meta(chat_stores: RedisStores) -> None:
    """Another epoch begins; it is looked up again who may not speak."""
    one, anna = await moderated(chat_stores)
    bruno = await one.enter_one("bruno")
    anna.moderate(Action.MUTE, "bruno")
    await one.store.settle()
    chat_stores.server.control.delete(chat_stores.keys.meta)
    said = bruno.say("again")
    await one.store.settle()
    assert said.outcome is Outcome.MUTED


async def test_what_was_redacted_is_kept_no_longer_than_the_log_has_it(
    chat_stores: RedisStores,
) -> None:
    one, anna = await moderated(chat_stores)
    control, keys = chat_stores.server.control, chat_stores.keys

    async def redact_one() -> int:
        anna.say("forget it")
        await one.store.settle()
        offset = one.follower.entries[-1].position.offset
        act = anna.moderate(Action.REDACT, value=offset)
        await one.store.settle()
        assert act.outcome is Outcome.DONE
        return offset

    first, second = await redact_one(), await redact_one()
    assert one.follower.rules.redacted == {(first, 0), (second, 0)}
    for _ in range(5):
        control.xtrim(keys.log, minid=f"{second}-0", approximate=False)
        first, second = second, await redact_one()
        assert one.follower.rules.redacted == {(first, 0), (second, 0)}
        assert control.zcard(keys.redacted) == 2


async def test_an_account_that_was_made_anew_is_no_moderator(chat_stores: RedisStores) -> None:
    one, anna = await moderated(chat_stores)
    chat_stores.server.control.hset(chat_stores.keys.account("anna"), "since", "2")
    act = anna.moderate(Action.TOPIC, text="mine")
    await one.store.settle()
    assert act.outcome is Outcome.FORBIDDEN


async def test_the_audit_log_and_the_log_say_who_did_it(chat_stores: RedisStores) -> None:
    one, anna = await moderated(chat_stores)
    anna.moderate(Action.MUTE, "Bruno", 60, text="too loud")
    await one.store.settle()
    command = one.follower.operator_commands[-1]
    assert (command.by, command.action, command.subject) == (
        "anna (moderator)",
        Action.MUTE,
        "bruno",
    )
    assert (command.value, command.text) == ("60 s", "too loud")
    await until(lambda: chat_stores.server.control.xlen(chat_stores.keys.audit) == 2, 30, "audit")
