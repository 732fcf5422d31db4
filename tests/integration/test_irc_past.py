"""What was said before, by irc on two nodes: on joining, and asked for. Source: docs/protocols/irc.md."""

import itertools
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import ClassVar

import pytest

from harness.irc_client import CAPABILITIES, LOBBY, NETWORK, IrcClient, Message, PlainIrcClient
from harness.irc_house import IrcHouse, everybody_leaves, running_nodes
from harness.node import Node
from harness.redis_server import RedisServer

pytestmark = pytest.mark.slow

_rooms = itertools.count(1)


class Batched(IrcClient):
    """A client that knows of batches, and can't ask for history."""

    wanted: ClassVar[Sequence[str]] = [it for it in CAPABILITIES if "chathistory" not in it]


class Timed(IrcClient):
    """A client that knows of times, and of nothing else."""

    wanted: ClassVar[Sequence[str]] = ["server-time"]


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[Node], RedisServer]]:
    with running_nodes(tmp_path_factory.mktemp("nodes"), history=5) as both:
        yield both


@pytest.fixture
async def house(nodes: tuple[list[Node], RedisServer]) -> AsyncIterator[IrcHouse]:
    house = IrcHouse(*nodes, f"ops-{next(_rooms)}")
    yield house
    await everybody_leaves(house)


async def said(house: IrcHouse, count: int) -> list[Message]:
    """Let somebody say something in the house's room, and return it as it was read on the other node."""
    speaker = await house.irc("speaker", 0, house.room)
    reader = await house.irc("reader", 1, house.room)
    found = []
    for number in range(count):
        speaker.say(f"text {number}", house.room)
        found.append(await reader.expect_text("speaker", f"text {number}", f"#{house.room}"))
    return found


def texts(messages: Sequence[Message]) -> list[str]:
    return [it.text for it in messages]


async def test_who_joins_reads_the_last_messages(house: IrcHouse) -> None:
    messages = await said(house, 8)
    last = [(it.text, it.tags["time"], it.tags["msgid"]) for it in messages[3:]]
    batched = await house.enter(Batched, "batched", 1, house.room)
    await batched.wait_for(lambda: bool(batched.channels[house.room].past), 60, "the past")
    past = batched.channels[house.room].past
    assert [(it.text, it.tags["time"], it.tags["msgid"]) for it in past] == last
    assert {it.source for it in past} == {messages[0].source}
    timed = await house.enter(Timed, "timed", 1, house.room)
    room = f"#{house.room}"
    for text, time, _ in last:
        assert (await timed.expect_text("speaker", text, room)).tags == {"time": time}
    plain = await house.enter(PlainIrcClient, "plain", 0, house.room)
    # It could not tell that this is past: so it is told, in words.
    notices = [await plain.expect("NOTICE", room, source=NETWORK) for _ in last]
    assert [it.text.rpartition("speaker: ")[2] for it in notices] == [text for text, _, _ in last]
    assert not any("text 2" in it for it in plain.lines)


async def test_who_can_ask_for_it_is_not_told_unasked(house: IrcHouse) -> None:
    await said(house, 2)
    anna = await house.irc("anna", 1, house.room)
    anna.put("PING :x")
    await anna.expect("PONG")
    assert not any("text 1" in it for it in anna.lines)


async def test_the_past_comes_before_what_is_said_now(house: IrcHouse) -> None:
    await said(house, 3)
    speaker = next(it for it in house.guests if it.nickname == "speaker")
    batched = await house.connect(Batched, 1)
    assert await batched.enter("batched")
    batched.ask_room(house.room)
    speaker.say("now", house.room)
    await batched.expect("PRIVMSG", f"#{house.room}", "now")
    order = [it.text for it in batched.got("PRIVMSG")]
    assert order[-1] == "now" and order[-4:-1] == ["text 0", "text 1", "text 2"]


async def test_chathistory_both_ways(house: IrcHouse) -> None:
    messages = await said(house, 12)
    room = f"#{house.room}"
    anna = await house.irc("anna", 0, house.room)
    ids = [f"msgid={it.tags['msgid']}" for it in messages]
    times = [f"timestamp={it.tags['time']}" for it in messages]

    async def asked(words: str) -> list[str]:
        answer = await anna.answer(f"CHATHISTORY {words}")
        assert answer.kind == "chathistory", answer
        return [it.removeprefix("text ") for it in texts(answer.messages)]

    def numbers(*of: int) -> list[str]:
        return [str(it) for it in of]

    assert await asked(f"LATEST {room} * 3") == numbers(9, 10, 11)
    assert await asked(f"LATEST {room} {ids[9]} 10") == numbers(10, 11)
    assert await asked(f"LATEST {room} {ids[3]} 2") == numbers(10, 11)
    assert await asked(f"BEFORE {room} {ids[5]} 3") == numbers(2, 3, 4)
    assert await asked(f"BEFORE {room} {ids[0]} 3") == []
    assert await asked(f"AFTER {room} {ids[5]} 3") == numbers(6, 7, 8)
    assert await asked(f"AFTER {room} {ids[11]} 3") == []
    assert await asked(f"BETWEEN {room} {ids[2]} {ids[6]} 10") == numbers(3, 4, 5)
    assert await asked(f"BETWEEN {room} {ids[2]} {ids[9]} 2") == numbers(3, 4)
    assert await asked(f"BETWEEN {room} {ids[9]} {ids[2]} 2") == numbers(7, 8)
    around = await asked(f"AROUND {room} {ids[6]} 3")
    assert around == numbers(5, 6, 7)
    # Several may have been said within one millisecond.
    earlier = [it for it in range(12) if times[it] < times[5]]
    later = [it for it in range(12) if times[it] > times[8]]
    assert await asked(f"BEFORE {room} {times[5]} 50") == numbers(*earlier)
    assert await asked(f"AFTER {room} {times[8]} 50") == numbers(*later)
    whole = await anna.answer(f"CHATHISTORY LATEST {room} * 50")
    assert [it.tags["msgid"] for it in whole.messages] == [it.tags["msgid"] for it in messages]
    assert [it.tags["time"] for it in whole.messages] == [it.tags["time"] for it in messages]
    assert {it.params[0] for it in whole.messages} == {room}


async def test_chathistory_of_the_lobby(house: IrcHouse) -> None:
    anna = await house.irc("anna")
    bruno = await house.irc("bruno", 1)
    for text in ("one", "two"):
        anna.say(text)
        await bruno.expect_text("anna", text)
    answer = await bruno.answer(f"CHATHISTORY LATEST {LOBBY} * 2")
    assert texts(answer.messages) == ["one", "two"]


async def test_chathistory_as_far_as_the_log_goes(house: IrcHouse) -> None:
    speaker = await house.irc("speaker", 0, house.room)
    for number in range(230):
        speaker.say(f"{number}", house.room)
    await speaker.answered(60)
    anna = await house.irc("anna", 1, house.room)
    room = f"#{house.room}"
    answer = await anna.answer(f"CHATHISTORY LATEST {room} * 1000")
    assert len(answer.messages) == 100  # as many as it says it gives
    read = [*texts(answer.messages)]
    first = answer.messages[0]
    while True:
        answer = await anna.answer(f"CHATHISTORY BEFORE {room} msgid={first.tags['msgid']} 100")
        if not answer.messages:
            break
        read = texts(answer.messages) + read
        first = answer.messages[0]
    assert read == [f"{number}" for number in range(230)]


async def test_many_questions_at_once_are_all_answered(house: IrcHouse) -> None:
    """A client that comes asks for the past of all its channels together."""
    await said(house, 5)
    anna = await house.irc("anna", 1, house.room)
    room = f"#{house.room}"
    labels = [anna.ask_for(f"CHATHISTORY LATEST {it} * 2") for it in (room, LOBBY) * 5]
    await anna.wait_for(lambda: anna.answers.keys() >= {*labels}, 60, "all answers")
    assert {anna.answers[it].kind for it in labels} == {"chathistory"}
    assert list(anna.answers) == labels


async def test_whose_past_one_may_not_read(house: IrcHouse) -> None:
    await said(house, 1)
    anna = await house.irc("anna", 1)
    for words in (f"LATEST #{house.room} * 5", "LATEST #nowhere * 5"):
        answer = await anna.answer(f"CHATHISTORY {words}")
        (failed,) = answer.messages or pytest.fail(f"{words}: {answer}")
        assert failed.command == "FAIL"
        assert failed.params[:2] == ("CHATHISTORY", "INVALID_TARGET")
    for words in (
        f"LATEST {LOBBY} * x",
        f"BEFORE {LOBBY} nonsense 5",
        f"NEWEST {LOBBY} * 5",
        "LATEST",
    ):
        (failed,) = (await anna.answer(f"CHATHISTORY {words}")).messages
        assert failed.command == "FAIL"
        assert failed.params[1] in (
            *("INVALID_PARAMS", "NEED_MORE_PARAMS", "UNKNOWN_COMMAND", "INVALID_MSGREFTYPE"),
        )


async def test_in_which_channels_something_was_said(house: IrcHouse) -> None:
    messages = await said(house, 2)
    anna = await house.irc("anna", 1, house.room)
    words = "timestamp=2026-01-01T00:00:00.000Z timestamp=2100-01-01T00:00:00.000Z 10"
    answer = await anna.answer(f"CHATHISTORY TARGETS {words}")
    assert answer.kind == "draft/chathistory-targets"
    found = {it.params[1]: it.params[2] for it in answer.messages}
    assert found[f"#{house.room}"] == messages[-1].tags["time"]
