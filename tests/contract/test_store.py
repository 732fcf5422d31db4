"""The contract of ``tertulia.chat.ports.Store``: every implementation, the same tests."""

import asyncio
import time

import pytest

from contract.node import WITHIN, Node, StoreFactory
from harness.waiting import until
from tertulia.chat.ports import Entry, Outcome
from tertulia.domain.events import Joined, Left, Said, Whispered

TEXTS = [
    "",
    " ",
    'quoted "so" and \\so',
    "%d %s {} \\n",
    "ñandú, perché, 日本語, 🙂, \u2028\u2029",
    "x" * 4096,
    '{"t":"left","n":"andy","s":"n:1"}',
    "one\ttwo",
]


# The start


async def test_a_node_is_seated_before_anything_else(store_factory: StoreFactory) -> None:
    node = await store_factory.node()
    assert node.follower.calls == ["seated"]
    assert node.follower.seatings == [[]]
    assert len(node.store) == 0


async def test_a_started_store_is_healthy(store_factory: StoreFactory) -> None:
    node = await store_factory.node()
    assert node.store.health().keys() == {"redis", "bus"}
    await until(lambda: all(node.store.health().values()), WITHIN, "health")


async def test_nodes_have_ids_of_their_own(store_factory: StoreFactory) -> None:
    one, two = await store_factory.node("same"), await store_factory.node("same")
    assert one.store.node != two.store.node
    assert store_factory.registered() == {one.store.node, two.store.node}


async def test_nothing_submitted_is_settled_at_once(store_factory: StoreFactory) -> None:
    node = await store_factory.node()
    await asyncio.wait_for(node.store.settle(), WITHIN)


# Joining


async def test_a_join_is_done_and_announced(store_factory: StoreFactory) -> None:
    node = await store_factory.node()
    guest = node.guest("Andy")
    op = guest.join()
    assert op.outcome is None
    await node.store.settle()
    assert op.outcome is Outcome.DONE
    assert node.follower.events == [Joined("Andy", guest.session, "chatte")]


@pytest.mark.parametrize("asked", ["Andy", "andy", "ANDY"])
@pytest.mark.parametrize("elsewhere", [False, True])
async def test_a_nickname_that_is_held_is_taken(
    store_factory: StoreFactory, asked: str, elsewhere: bool
) -> None:
    one = await store_factory.node("one")
    two = await store_factory.node("two") if elsewhere else one
    await one.enter("Andy")
    op = two.guest(asked).join()
    await two.store.settle()
    assert op.outcome is Outcome.TAKEN
    assert [type(event) for event in one.follower.events] == [Joined]


async def test_a_nickname_is_never_announced_without_being_taken(
    store_factory: StoreFactory,
) -> None:
    """Of many who want a nickname on several nodes at once, one gets it, and one is announced."""
    nodes = [await store_factory.node(f"n{i}") for i in range(3)]
    guests = [nodes[i % 3].guest("wanted") for i in range(30)]
    ops = [guest.join() for guest in guests]
    await asyncio.gather(*(node.store.settle() for node in nodes))
    won = [g.session for g, op in zip(guests, ops, strict=True) if op.outcome is Outcome.DONE]
    assert len(won) == 1
    assert {op.outcome for op in ops} == {Outcome.DONE, Outcome.TAKEN}
    await until(lambda: all(n.follower.joins() == won for n in nodes), WITHIN, "the one join")


async def test_what_was_taken_in_vain_is_not_held(store_factory: StoreFactory) -> None:
    node = await store_factory.node()
    holder = await node.enter_one("andy")
    other = node.guest("andy")
    other.join()
    ops = [other.say("mine?"), other.whisper("andy", "mine?"), other.leave()]
    kept = holder.say("mine")
    await node.store.settle()
    assert [op.outcome for op in ops] == [Outcome.GONE] * 3
    assert kept.outcome is Outcome.DONE
    assert node.follower.said == ["mine"]
    assert node.follower.letters == []
    assert node.follower.nicknames == ["andy"]


# Leaving


@pytest.mark.parametrize("words", ["see you", 'quoted "so" and \\so', "%d è {}", "x" * 390])
async def test_a_leave_is_announced_with_its_words(store_factory: StoreFactory, words: str) -> None:
    one, two = await store_factory.node("one"), await store_factory.node("two")
    andy = await one.enter_one("andy")
    andy.leave(words=words)
    await one.store.settle()
    await two.sees(lambda it: Left("andy", andy.session, text=words) in it.events, "the leave")
    assert one.follower.events[-1] == Left("andy", andy.session, text=words)


async def test_a_leave_is_done_and_announced(store_factory: StoreFactory) -> None:
    node = await store_factory.node()
    guest = await node.enter_one("Andy")
    op = guest.leave()
    await node.store.settle()
    assert op.outcome is Outcome.DONE
    assert node.follower.events[-1] == Left("Andy", guest.session)


async def test_a_nickname_that_was_given_back_is_free_everywhere(
    store_factory: StoreFactory,
) -> None:
    one, two = await store_factory.node("one"), await store_factory.node("two")
    first = await one.enter_one("andy")
    first.leave()
    await one.store.settle()
    second = two.guest("ANDY")
    op = second.join()
    await two.store.settle()
    assert op.outcome is Outcome.DONE
    assert two.follower.events[-1] == Joined("ANDY", second.session, "chatte")


async def test_who_left_is_gone(store_factory: StoreFactory) -> None:
    node = await store_factory.node()
    guest, other = await node.enter("andy", "betty")
    guest.leave()
    ops = [guest.leave(), guest.say("still here"), guest.whisper("betty", "still here")]
    await node.store.settle()
    assert [op.outcome for op in ops] == [Outcome.GONE] * 3
    assert node.follower.said == []
    assert node.follower.letters == []
    assert node.follower.lefts() == [guest.session]
    assert other.session in {member.session for member in node.follower.roster}


async def test_who_lost_its_nickname_to_another_session_is_gone(
    store_factory: StoreFactory,
) -> None:
    one, two = await store_factory.node("one"), await store_factory.node("two")
    first = await one.enter_one("andy")
    first.leave()
    await one.store.settle()
    await two.enter("andy")
    ops = [first.say("mine"), first.whisper("andy", "mine"), first.leave()]
    await one.store.settle()
    assert [op.outcome for op in ops] == [Outcome.GONE] * 3
    assert one.follower.nicknames == ["andy"]
    assert two.follower.letters == []


async def test_one_batch_may_pass_a_nickname_on(store_factory: StoreFactory) -> None:
    node = await store_factory.node()
    first, second = node.guest("andy"), node.guest("Andy")
    ops = [first.join(), second.join(), first.leave(), second.join(), second.say("mine")]
    await node.store.settle()
    assert [op.outcome for op in ops] == [
        Outcome.DONE, Outcome.TAKEN, Outcome.DONE, Outcome.DONE, Outcome.DONE,
    ]  # fmt: skip
    assert node.follower.events == [
        Joined("andy", first.session, "chatte"),
        Left("andy", first.session),
        Joined("Andy", second.session, "chatte"),
        Said("Andy", second.session, "mine"),
    ]


# Order


async def test_ops_of_a_session_take_effect_in_the_order_of_submission(
    store_factory: StoreFactory,
) -> None:
    """Also over many batches: more is submitted than goes into one."""
    node = await store_factory.node()
    guest = node.guest("andy")
    said = [str(i) for i in range(1500)]
    ops = [guest.join(), *(guest.say(text) for text in said), guest.leave()]
    await node.store.settle()
    assert {op.outcome for op in ops} == {Outcome.DONE}
    assert node.follower.ops == ops
    assert node.follower.said == said
    assert isinstance(node.follower.events[0], Joined)
    assert isinstance(node.follower.events[-1], Left)


async def test_waiting_ops_are_counted(store_factory: StoreFactory) -> None:
    node = await store_factory.node()
    guest = await node.enter_one("andy")
    for i in range(10):
        guest.say(str(i))
    assert len(node.store) == 10
    await node.store.settle()
    assert len(node.store) == 0


@pytest.mark.parametrize("count", [1, 2, 3])
async def test_all_nodes_see_one_order(store_factory: StoreFactory, count: int) -> None:
    """Nodes submit at once, in many batches; every entry comes once to each, in one order."""
    nodes = [await store_factory.node(f"n{i}") for i in range(count)]
    guests = [await node.enter_one(f"guest-{i}") for i, node in enumerate(nodes)]

    async def talk(node: Node, number: int) -> None:
        for i in range(100):
            guests[number].say(f"{number} {i}")
            if i % 7 == number:
                await node.store.settle()
        await node.store.settle()

    await asyncio.gather(*(talk(node, number) for number, node in enumerate(nodes)))
    await until(
        lambda: all(len(node.follower.said) == 100 * count for node in nodes),
        WITHIN,
        "every message everywhere",
    )
    for number in range(count):
        own = [text for text in nodes[0].follower.said if text.startswith(f"{number} ")]
        assert own == [f"{number} {i}" for i in range(100)]
    logs = [{entry.position: entry.events for entry in node.follower.entries} for node in nodes]
    for node, log in zip(nodes, logs, strict=True):
        assert len(log) == len(node.follower.entries)
        assert all(logs[0].get(position, events) == events for position, events in log.items())


@pytest.mark.parametrize("text", TEXTS)
async def test_text_arrives_as_it_was_said(store_factory: StoreFactory, text: str) -> None:
    node = await store_factory.node()
    guest = await node.enter_one("andy")
    said, whispered = guest.say(text), guest.whisper("andy", text)
    await node.store.settle()
    assert (said.outcome, whispered.outcome) == (Outcome.DONE, Outcome.DONE)
    assert node.follower.said == [text]
    assert node.follower.letters[0].event == Whispered("andy", guest.session, "andy", text)


async def test_entries_tell_when_they_were_published(store_factory: StoreFactory) -> None:
    node = await store_factory.node()
    before = time.time()
    guest = await node.enter_one("andy")
    guest.say("now")
    await node.store.settle()
    published = [entry.position.at for entry in node.follower.entries]
    assert published == sorted(published)
    assert before - 1 <= published[0] <= published[-1] <= time.time() + 1


async def test_own_copies_come_before_answers(store_factory: StoreFactory) -> None:
    node = await store_factory.node()
    guest = node.guest("andy")
    guest.join()
    await node.store.settle()
    guest.say("public")
    guest.whisper("andy", "private")
    await node.store.settle()
    calls = [call for call in node.follower.calls if " " in call]
    assert calls == [
        "event joined andy",
        f"settled {guest.session}",
        "event said public",
        "letter private",
        "settled public",
        "settled private",
    ]


async def test_a_follower_may_submit_while_it_is_told(store_factory: StoreFactory) -> None:
    node = await store_factory.node()
    guest = await node.enter_one("andy")
    answers = 3
    take = node.follower.entry

    def answer_in_turn(entry: Entry) -> None:
        nonlocal answers
        take(entry)
        if answers:
            answers -= 1
            guest.say(f"answer {answers}")

    node.follower.entry = answer_in_turn  # type: ignore[method-assign]
    guest.say("question")
    await node.store.settle()
    assert node.follower.said == ["question", "answer 2", "answer 1", "answer 0"]
