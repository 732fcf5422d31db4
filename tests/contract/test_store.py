"""The contract of ``tertulia.chat.ports.Store``: every implementation, the same tests."""

import asyncio
import time

import pytest

from contract.node import WITHIN, Node, StoreFactory
from harness.waiting import until
from tertulia.chat.ports import Entry, Outcome
from tertulia.chat.roster import Roster
from tertulia.domain.events import Joined, Left, Said, Undelivered, Whispered

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


async def level(*nodes: Node) -> None:
    """Wait until all nodes have followed the log to the same place."""
    last = [node.follower.entries[-1].position.offset for node in nodes if node.follower.entries]
    await until(
        lambda: all(
            node.follower.entries and node.follower.entries[-1].position.offset >= max(last)
            for node in nodes
        ),
        WITHIN,
        lambda: f"all nodes to follow: {[len(node.follower.entries) for node in nodes]}",
    )


# The start


async def test_a_node_is_seated_before_anything_else(store_factory: StoreFactory) -> None:
    node = await store_factory.node()
    assert node.follower.calls == ["seated"]
    assert node.follower.seatings == [[]]
    assert len(node.store) == 0


async def test_a_started_store_is_healthy(store_factory: StoreFactory) -> None:
    node = await store_factory.node()
    assert dict(node.store.health()) == {"redis": True, "bus": True}


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
    published = [entry.place.at for entry in node.follower.entries]
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


# Private messages


@pytest.mark.parametrize("elsewhere", [False, True])
@pytest.mark.parametrize("written", ["Betty", "betty", "BETTY"])
async def test_a_whisper_reaches_its_recipient_alone(
    store_factory: StoreFactory, elsewhere: bool, written: str
) -> None:
    one = await store_factory.node("one")
    two = await store_factory.node("two") if elsewhere else one
    andy = await one.enter_one("Andy")
    betty, _ = await two.enter("Betty", "carl")
    op = andy.whisper(written, "psst")
    await one.store.settle()
    assert op.outcome is Outcome.DONE
    await until(lambda: two.follower.letters, WITHIN, "the whisper")
    (delivery,) = two.follower.letters
    assert (delivery.number, delivery.session) == (1, betty.session)
    assert delivery.event == Whispered("Andy", andy.session, written, "psst")
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


# A newcomer


async def test_a_newcomer_is_seated_with_everybody_in_the_order_of_their_joins(
    store_factory: StoreFactory,
) -> None:
    one, two = await store_factory.node("one"), await store_factory.node("two")
    guests = await one.enter("a", "b")
    guests += await two.enter("c", "d")
    guests += await one.enter("e")
    guests[0].leave()
    await one.store.settle()
    await two.enter("A")
    guests[2].leave()
    await two.store.settle()
    newcomer = await store_factory.node("newcomer")
    (members,) = newcomer.follower.seatings
    assert [member.nickname for member in members] == ["b", "d", "e", "A"]
    assert members[0].session == guests[1].session
    assert members[0].dialect == "chatte"
    assert newcomer.follower.entries == []


async def test_a_newcomer_sees_what_comes_after_it_and_nothing_before(
    store_factory: StoreFactory,
) -> None:
    one = await store_factory.node("one")
    andy = await one.enter_one("andy")
    andy.say("before")
    await one.store.settle()
    newcomer = await store_factory.node("newcomer")
    andy.say("after")
    await one.store.settle()
    await until(lambda: newcomer.follower.said, WITHIN, "what comes after")
    assert newcomer.follower.said == ["after"]
    assert newcomer.follower.entries[0].position == one.follower.entries[-1].position


async def test_a_newcomer_in_a_crowd_knows_who_is_there(store_factory: StoreFactory) -> None:
    """It is seated while others come and go; seat and log together are the roster."""
    one = await store_factory.node("one")

    async def come_and_go() -> None:
        for i in range(40):
            guests = await one.enter(*(f"g{i}-{j}" for j in range(10)))
            for guest in guests[:9]:
                guest.leave()
        await one.store.settle()

    crowd = asyncio.create_task(come_and_go())
    newcomers = [await store_factory.node(f"newcomer-{i}") for i in range(4)]
    await crowd
    (await one.enter_one("last")).say("done")
    await one.store.settle()
    expected = [f"g{i}-9" for i in range(40)] + ["last"]
    for newcomer in newcomers:
        await newcomer.sees(lambda it: it.nicknames[-1:] == ["last"], "the last one")
        await level(one, newcomer)
        assert sorted(newcomer.follower.nicknames) == sorted(expected)
        assert newcomer.follower.nicknames == one.follower.nicknames


# Nodes that stop, and nodes that are buried


async def test_a_stopped_node_is_not_known_any_more(store_factory: StoreFactory) -> None:
    one, two = await store_factory.node("one"), await store_factory.node("two")
    guest = await two.enter_one("andy")
    guest.leave()
    await two.store.settle()
    two_calls = len(two.follower.calls)
    await asyncio.wait_for(two.store.stop(), WITHIN)
    assert store_factory.registered() == {one.store.node}
    betty = await one.enter_one("betty")
    betty.say("anybody?")
    await one.store.settle()
    assert len(two.follower.calls) == two_calls
    assert one.follower.lefts() == [guest.session]
    one_more = await store_factory.node("two")
    assert one_more.store.node != two.store.node


async def test_a_condemned_node_learns_that_it_is_fenced(store_factory: StoreFactory) -> None:
    one, two = await store_factory.node("one"), await store_factory.node("two")
    await one.enter("watcher")
    guests = await two.enter("andy", "betty")
    before = two.store.node
    store_factory.condemn(before)
    ops = [guests[0].say("zombie"), guests[1].leave(), two.guest("carl").join()]
    await until(lambda: two.follower.fencings, WITHIN, "the fence")
    await until(lambda: len(one.follower.lefts()) == 2, WITHIN, "the burial")
    await until(lambda: two.store.node != before, WITHIN, "another name")
    assert [op.outcome for op in ops] == [None] * 3
    assert sorted(one.follower.lefts()) == sorted(guest.session for guest in guests)
    again = await two.enter("andy", "carl")
    again[0].say("new life")
    await two.store.settle()
    await until(lambda: one.follower.said, WITHIN, "the new life")
    assert one.follower.said == ["new life"]
    assert one.follower.nicknames == ["watcher", "andy", "carl"]
    assert not any(op in two.follower.ops for op in ops)
    await until(lambda: before not in store_factory.registered(), WITHIN, "the burial's end")
    assert store_factory.registered() == {one.store.node, two.store.node}
    assert two.follower.fencings == 1


async def test_a_fenced_node_goes_on_following_the_log(store_factory: StoreFactory) -> None:
    one, two = await store_factory.node("one"), await store_factory.node("two")
    talker = await one.enter_one("talker")
    before = two.store.node
    store_factory.condemn(before)
    for i in range(20):
        talker.say(str(i))
        await one.store.settle()
    await until(lambda: two.store.node != before, WITHIN, "another name")
    await until(lambda: len(two.follower.said) == 20, WITHIN, "all messages")
    assert two.follower.said == [str(i) for i in range(20)]


async def test_letters_to_a_node_that_is_buried_are_reported(store_factory: StoreFactory) -> None:
    """All that it has not confirmed, and only that: its inbox is trimmed as it confirms."""
    one, two = await store_factory.node("one"), await store_factory.node("two")
    andy, betty = await one.enter_one("Andy"), await two.enter_one("Betty")
    two.follower.done_with = 0
    for i in range(1, 6):
        andy.whisper("betty", str(i))
    await one.store.settle()
    await until(lambda: len(two.follower.letters) == 5, WITHIN, "the letters")
    two.follower.done_with = 3
    betty.say("the inbox is trimmed with this")
    await two.store.settle()
    store_factory.condemn(two.store.node)
    await until(lambda: len(one.follower.letters) == 2, WITHIN, "the reports")
    reports = [it.event for it in one.follower.letters]
    assert all(isinstance(report, Undelivered) for report in reports)
    assert {it.recipient for it in reports if isinstance(it, Undelivered)} == {"betty"}
    assert one.follower.letter_texts == ["4", "5"]
    assert {it.session for it in one.follower.letters} == {andy.session}
    await until(lambda: two.follower.fencings, WITHIN, "the fence")


async def test_letters_are_numbered_anew_after_a_fence(store_factory: StoreFactory) -> None:
    one, two = await store_factory.node("one"), await store_factory.node("two")
    andy = await one.enter_one("andy")
    await two.enter("betty")
    for i in range(3):
        andy.whisper("betty", str(i))
    await one.store.settle()
    await until(lambda: len(two.follower.letters) == 3, WITHIN, "the letters")
    before = two.store.node
    store_factory.condemn(before)
    await until(lambda: two.store.node != before, WITHIN, "another name")
    await until(lambda: one.follower.nicknames == ["andy"], WITHIN, "the burial")
    await two.enter("betty")
    op = andy.whisper("betty", "again")
    await one.store.settle()
    assert op.outcome is Outcome.DONE
    await until(lambda: len(two.follower.letters) == 4, WITHIN, "one more letter")
    assert two.follower.letters[-1].number == 1


async def test_rosters_agree(store_factory: StoreFactory) -> None:
    """After all that, a roster that is read and one that was followed are the same."""
    one, two = await store_factory.node("one"), await store_factory.node("two")
    guests = await one.enter("a", "b", "c")
    await two.enter("d", "e")
    guests[1].leave()
    await one.store.settle()
    newcomer = await store_factory.node("newcomer")
    read = Roster()
    read.replace(newcomer.follower.seatings[0])
    await level(one, two)
    assert list(read) == list(one.follower.roster) == list(two.follower.roster)
