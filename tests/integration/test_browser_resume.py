"""A browser that lost its connection, and its node perhaps, misses nothing and says nothing twice."""

import asyncio
import contextlib
import itertools
import random
from collections.abc import AsyncIterator, Iterator, Sequence

import pytest

from harness import browser_frames as frames
from harness.browser_client import BrowserClient, Happened, Position
from harness.chatte_client import ChatteClient
from harness.dialects import launch, listener, port, start, until_empty
from harness.node import QUICK, Node, NodeFactory
from harness.person import Displaced, Person, of_others, since_joined, whispered_to
from harness.redis_server import RedisServer, running_redis
from harness.waiting import elapse, until
from history.record import Unexpected

BOTH = (BrowserClient, ChatteClient)
BACK_SECONDS = 60.0


class Chat:
    """One chat over two nodes, and somebody who is connected all the time."""

    def __init__(self, nodes: Sequence[Node], witness: BrowserClient) -> None:
        self.nodes = nodes
        self.witness = witness
        self.connections: list[BrowserClient] = [witness]
        self.people: list[Person] = []

    def port(self, node: int) -> int:
        """Where browsers connect."""
        return port(self.nodes[node], BrowserClient)

    async def connect(self, node: int, nickname: str) -> BrowserClient:
        """Connect somebody who does as the test says."""
        self.connections.append(await BrowserClient.connect(self.port(node), nickname))
        return self.connections[-1]

    async def end(self) -> None:
        """Let everybody go."""
        for person in self.people:
            self.connections += person.connections
        for connection in self.connections:
            connection.close()
        await until_empty(self.nodes)

    async def person(self, nickname: str, node: int = 0) -> Person:
        """Let somebody in, and wait until the witness knows."""
        person = Person(nickname)
        self.people.append(person)
        await person.come(self.port(node))
        await self.witness.expect_event(frames.JoinedEvent(nickname))
        return person

    async def say(self, *texts: str) -> None:
        """Let the witness say something, and wait until it is in the log."""
        for text in texts:
            self.witness.say(text)
        await self.witness.answered()

    async def settled(self, *people: Person) -> None:
        """Wait until everybody has the witness's last word."""
        for person in people:
            await person.connection.answered()
        text = self.witness.say()
        last = frames.SaidEvent(self.witness.nickname, text)
        await self.witness.answered()
        for person in people:
            await person.connection.expect_event(last, 30)

    def assert_nothing_missed(self, person: Person) -> None:
        """Hold all that somebody read against the log: nothing missing, nothing twice, in order."""
        expected = of_others(since_joined(self.witness.events, person.nickname), person.nickname)
        assert_same(of_others(person.events, person.nickname), expected)
        for connection in person.connections:
            assert not list(connection.history.of(Unexpected))

    def assert_said_once(self, person: Person) -> None:
        """Everybody read what somebody said once, in the order in which it was said."""
        assert said_by(person.nickname, self.witness.events) == person.said


def assert_same(got: Sequence[Happened], expected: Sequence[Happened]) -> None:
    """Compare two sequences of events, and show no more than where they part."""
    for i, (one, other) in enumerate(itertools.zip_longest(got, expected)):
        assert one == other, f"{i} of {len(got)}: {got[i - 2 : i + 3]} != {expected[i - 2 : i + 3]}"


def said_by(nickname: str, events: Sequence[Happened]) -> list[str]:
    return [
        it.event.text
        for it in events
        if isinstance(it.event, frames.SaidEvent) and it.event.nickname == nickname
    ]


def texts(events: Sequence[Happened]) -> list[str]:
    return [it.event.text for it in events if isinstance(it.event, frames.SaidEvent)]


async def open_chat(nodes: Sequence[Node]) -> Chat:
    return Chat(nodes, await BrowserClient.enter_chat(port(nodes[0], BrowserClient), "witness"))


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with running_redis(fsync="no") as server:  # nothing here is about disks
        yield server


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory, redis: RedisServer) -> Iterator[list[Node]]:
    factory = NodeFactory(tmp_path_factory.mktemp("nodes"), redis.url)
    try:
        for _ in range(2):
            launch(factory, map(listener, BOTH))
        for node in factory.nodes:
            node.ready_sync()
        yield factory.nodes
    finally:
        factory.end()


@pytest.fixture
async def chat(nodes: list[Node]) -> AsyncIterator[Chat]:
    """The chat of all tests on the shared nodes; each leaves it empty."""
    chat = await open_chat(nodes)
    yield chat
    await chat.end()


# What the description says


@pytest.mark.parametrize("node", [0, 1])
async def test_what_was_said_meanwhile_comes_after_the_welcome(chat: Chat, node: int) -> None:
    anna = await chat.person("anna", 1)
    await chat.say("before")
    await chat.settled(anna)
    read = len(anna.events)
    anna.cut()
    await chat.witness.expect_event(frames.LeftEvent("anna"))
    await chat.say("while away 1", "while away 2")
    await anna.come_back(chat.port(node))
    await chat.say("after")
    await chat.settled(anna)
    assert texts(anna.events[read:])[:3] == ["while away 1", "while away 2", "after"]
    assert anna.missed == ["nothing"]
    assert anna.connection.lines[0].startswith('{"type":"welcome"')
    chat.assert_nothing_missed(anna)


async def test_the_welcome_tells_how_the_room_is_now(chat: Chat) -> None:
    anna, bruno = await chat.person("anna", 0), await chat.person("bruno", 1)
    token = anna.connection.welcome and anna.connection.welcome.token
    anna.cut()
    bruno.connection.leave()
    for name in ("anna", "bruno"):
        await chat.witness.expect_event(frames.LeftEvent(name))
    await chat.person("carla", 0)
    await anna.come_back(chat.port(1))
    welcome = anna.connection.welcome
    assert welcome is not None
    assert welcome.members == ("witness", "carla", "anna")
    assert welcome.token == token
    await chat.settled(anna)
    chat.assert_nothing_missed(anna)


async def test_who_missed_nothing_is_told_so(chat: Chat) -> None:
    anna = await chat.person("anna", 0)
    for i in range(5):
        anna.cut()
        await anna.come_back(chat.port(i % 2))
    await chat.settled(anna)
    assert anna.missed == ["nothing"] * 5
    chat.assert_nothing_missed(anna)


async def test_what_was_sent_and_not_answered_is_sent_again_unless_it_was_done(
    chat: Chat, redis: RedisServer
) -> None:
    anna = await chat.person("anna", 1)
    anna.say()
    await anna.connection.answered()
    redis.freeze()
    try:
        for _ in range(5):
            anna.say()
        anna.whisper("witness")
        await elapse(0.1)
        anna.cut()  # what was read of this waits for Redis, and so does its leaving
    finally:
        redis.thaw()
    await chat.witness.expect_event(frames.LeftEvent("anna"))
    await anna.come_back(chat.port(0))
    anna.say()
    await chat.settled(anna)
    assert anna.connection.welcome is not None
    assert anna.resent + anna.spared == 6
    chat.assert_said_once(anna)
    assert whispered_to(chat.witness) == anna.whispered
    chat.assert_nothing_missed(anna)


async def test_done_is_the_last_that_was_carried_out_whatever_became_of_it(chat: Chat) -> None:
    anna = await chat.person("anna", 0)
    anna.say()
    anna.connection.whisper("nobody", "x")  # not sent: carried out all the same
    await anna.connection.answered()
    assert anna.connection.answers == [
        frames.SentFrame(1),
        frames.FailedFrame(2, "unknown_recipient"),
    ]
    for _ in range(3):
        anna.cut()
        await anna.come_back(chat.port(1))
        assert anna.connection.welcome is not None
        assert anna.connection.welcome.done == 2
        assert anna.connection.welcome.refused == (2,)
    anna.say()
    await chat.settled(anna)
    assert anna.connection.answers == [frames.SentFrame(3)]


async def test_a_token_is_good_for_an_hour(chat: Chat, redis: RedisServer) -> None:
    def tokens() -> set[str]:
        return {str(key) for key in redis.control.scan_iter("{main}:token:*", count=1000)}

    before = tokens()
    await chat.person("anna", 0)
    (token,) = tokens() - before
    assert 3600 < int(str(redis.control.ttl(token))) <= 3900


# Taking over


async def test_the_token_takes_over_a_connection_that_still_lives(chat: Chat) -> None:
    anna = await chat.person("anna", 0)
    anna.say()
    await chat.settled(anna)
    old = anna.connection
    anna.lose()
    await anna.come_back(chat.port(1))
    await old.disconnected()
    assert (old.close_code, old.close_reason) == (4001, "displaced")
    old.put(type="say", id=99, text="a ghost's words")
    anna.say()
    await chat.settled(anna)
    around = [
        it.event
        for it in chat.witness.events
        if isinstance(it.event, frames.JoinedEvent | frames.LeftEvent)
    ]
    came, went = frames.JoinedEvent("anna"), frames.LeftEvent("anna")
    assert (around.count(came), around.count(went)) == (1, 0), "nobody is told"
    assert anna.missed == ["nothing"]
    chat.assert_nothing_missed(anna)
    chat.assert_said_once(anna)
    assert not any("ghost" in text for text in texts(chat.witness.events))


async def test_who_is_taken_over_says_nothing_more(chat: Chat) -> None:
    """What the old connection sends at the very moment is done before, or not at all."""
    anna = await chat.person("anna", 0)
    for turn in range(20):
        old = anna.connection
        for _ in range(turn % 5):
            anna.say()
        anna.lose()  # without cutting it
        await anna.come_back(chat.port(turn % 2))
        anna.say()
        await anna.connection.answered()
        await old.disconnected()
    await chat.settled(anna)
    chat.assert_said_once(anna)
    chat.assert_nothing_missed(anna)


@pytest.mark.parametrize("token", ["", "x", "a" * 24])
async def test_a_wrong_token_takes_nothing_over(chat: Chat, token: str) -> None:
    anna = await chat.person("anna", 0)
    position = anna.position
    assert position is not None
    thief = await chat.connect(1, "thief")
    thief.ask_again("anna", Position(token, position.epoch, position.offset))
    refused = await thief.expect_frame(frames.RefusedFrame)
    assert refused.reason == "nickname_taken"
    anna.say()
    await chat.settled(anna)
    assert anna.connection.connected
    assert not thief.welcomed


async def test_a_token_is_good_for_its_own_nickname_only(chat: Chat) -> None:
    anna, bruno = await chat.person("anna", 0), await chat.person("bruno", 0)
    assert anna.position is not None
    thief = await chat.connect(1, "thief")
    thief.ask_again("bruno", anna.position)
    assert (await thief.expect_frame(frames.RefusedFrame)).reason == "nickname_taken"
    await chat.settled(anna, bruno)


async def test_a_token_takes_nothing_from_who_took_the_nickname_since(chat: Chat) -> None:
    anna = await chat.person("anna", 0)
    anna.cut()
    await chat.witness.expect_event(frames.LeftEvent("anna"))
    heir = await chat.connect(1, "heir")
    assert await heir.enter("Anna")
    await anna.connect_again(chat.port(0))
    await anna.connection.expect_frame(frames.RefusedFrame)
    heir.say("still here")
    await heir.answered()
    assert heir.connected


PAST = "what was said before anybody else came, "


@pytest.mark.parametrize("how", ["a token of one's own making", "one's own token", "another epoch"])
async def test_nobody_reads_what_was_before_its_first_coming(chat: Chat, how: str) -> None:
    await chat.say(PAST + how)
    anna = await chat.person("anna", 1)
    await chat.settled(anna)
    assert anna.position is not None
    epoch, token = anna.position.epoch, anna.position.token
    anna.cut()
    await chat.witness.expect_event(frames.LeftEvent("anna"))
    reader = await chat.connect(0, "reader")
    positions = {
        "a token of one's own making": (
            "reader",
            Position("a-token-that-was-never-given", epoch, 0),
        ),
        "one's own token": ("anna", Position(token, epoch, 0)),
        "another epoch": ("anna", Position(token, "another", 5)),
    }
    await reader.resume(*positions[how])
    await chat.say("now")
    await reader.expect_event(frames.SaidEvent("witness", "now"))
    assert not [text for text in texts(reader.events) if text.startswith(PAST)]
    if reader.welcome and not reader.welcome.resumed:
        assert reader.welcome.missed == "some"
        assert reader.welcome.token != positions[how][1].token


# What can't be had any more


async def test_another_epoch_has_lost_some(chat: Chat) -> None:
    anna = await chat.person("anna", 0)
    await chat.settled(anna)
    assert anna.position is not None
    anna.cut()
    anna.position = Position(anna.position.token, "another", anna.position.offset)
    await chat.say("while away")
    await anna.come_back(chat.port(1))
    await chat.say("now")
    await chat.settled(anna)
    assert anna.missed == ["some"]
    assert texts(anna.events)[-2] == "now"
    chat_epoch = chat.witness.events[-1].epoch
    assert {it.epoch for it in anna.connection.events} == {chat_epoch}


async def test_an_offset_that_is_not_yet_has_lost_some(chat: Chat) -> None:
    anna = await chat.person("anna", 0)
    assert anna.position is not None
    anna.cut()
    anna.position = Position(anna.position.token, anna.position.epoch, 10**9)
    await anna.connect_again(chat.port(1))
    welcome = await anna.connection.expect_frame(frames.WelcomeFrame)
    assert welcome.missed == "some"


@pytest.mark.slow
async def test_who_missed_too_much_reads_the_latest_of_it(chat: Chat) -> None:
    anna = await chat.person("anna", 0)
    await chat.settled(anna)
    read = len(anna.events)
    anna.cut()
    filling = "x" * 4000
    for i in range(350):  # 1.4 MB, each an entry of its own
        await chat.say(f"{i} {filling}")
    await anna.come_back(chat.port(1))
    await chat.say("now")
    await chat.settled(anna)
    assert anna.missed == ["some"]
    got = of_others(anna.events[read:], "anna")
    assert 200 < len(got) < 350
    assert_same(got, of_others(chat.witness.events, "anna")[-len(got) :])


@pytest.mark.slow
async def test_a_log_that_was_trimmed_has_lost_some(
    node_factory: NodeFactory, redis_server: RedisServer
) -> None:
    (node,) = await start(node_factory, BOTH, CLUSTER__LOG_AGE_SECONDS="1")
    chat = await open_chat([node])
    anna = await chat.person("anna")
    await chat.settled(anna)
    read = len(anna.events)
    assert anna.position is not None
    anna.cut()
    since = anna.position.offset

    async def is_trimmed() -> bool:
        await chat.say("on and on")
        info = redis_server.control.xinfo_stream("{main}:log")
        return int(info["first-entry"][0].partition("-")[0]) > since + 5

    await until(is_trimmed, 60, "the log to be trimmed", every=0.1)
    await anna.come_back(chat.port(0))
    await chat.say("now")
    await chat.settled(anna)
    assert anna.missed == ["some"]
    got = of_others(anna.events[read:], "anna")
    assert got
    assert_same(got, of_others(chat.witness.events, "anna")[-len(got) :])


@pytest.mark.slow
async def test_who_comes_back_after_redis_lost_its_data_is_told_and_goes_on(
    node_factory: NodeFactory, redis_server: RedisServer
) -> None:
    nodes = await start(node_factory, BOTH, BOTH)
    chat = await open_chat(nodes)
    anna = await chat.person("anna", 1)
    anna.say()
    await chat.settled(anna)
    redis_server.freeze()
    anna.say()
    anna.cut()
    redis_server.thaw()
    redis_server.control.flushall()
    await chat.say("after the loss")
    await chat.witness.expect_event(
        frames.LeftEvent("anna"), BACK_SECONDS
    )  # its token is lost, too
    for node in nodes:  # both have written down again who is there, which it is not
        await node.becomes_ready(BACK_SECONDS)
    await chat.say("she is gone")
    await anna.come_back(chat.port(0), BACK_SECONDS)
    anna.say()
    await chat.settled(anna)
    assert anna.missed == ["some"]
    assert said_by("anna", chat.witness.events)[-1] == anna.said[-1]
    assert {it.epoch for it in anna.connection.events} == {chat.witness.events[-1].epoch}


async def test_what_waits_to_be_sent_again_is_sent_in_the_order_in_which_it_was_said(
    chat: Chat,
) -> None:
    anna = await chat.person("anna", 1)
    for _ in range(3):  # never let in between
        anna.connection.abort()
        anna.say()
        anna.lose()
        await anna.connect_again(chat.port(0))
    await anna.is_back()
    await chat.settled(anna)
    chat.assert_said_once(anna)
    assert anna.resent == 3


# Closing


async def test_who_was_away_when_the_chat_was_closed_learns_it_and_is_in_the_new_one(
    chat: Chat,
) -> None:
    anna = await chat.person("anna", 1)
    anna.cut()
    await chat.witness.expect_event(frames.LeftEvent("anna"))
    chat.witness.stop()
    await chat.witness.disconnected()
    await anna.come_back(chat.port(1))
    await anna.connection.expect_event(frames.ClosedEvent("witness"))
    assert anna.connection.welcome is not None
    assert anna.connection.welcome.members == ("anna",)
    anna.say()
    await anna.connection.answered()


# Where a connection may break


async def test_whatever_was_read_when_it_broke_what_comes_after_is_the_rest(
    chat: Chat, redis: RedisServer
) -> None:
    """No frame names an offset of which there is more to come: so it may break after any frame."""
    people = [Person(f"user-{i}") for i in range(6)]
    for person in people[:3]:
        chat.people.append(person)
        await person.come(chat.port(1))
        person.cut()
    redis.freeze()
    try:
        # So that all that follows is one entry: comings, words and comings back.
        chat.witness.say("in flight")
        await elapse(0.1)
        fresh = [await chat.connect(1, it.nickname) for it in people[3:]]
        for old, new in zip(people[:3], fresh, strict=True):
            await old.connect_again(chat.port(1))
            new.ask(new.nickname)
        await elapse(0.1)
    finally:
        redis.thaw()
    for person in people[:3]:
        await person.is_back()
    for client in fresh:
        await client.expect_frame(frames.WelcomeFrame)
    text = chat.witness.say()
    last = frames.SaidEvent("witness", text)
    for client in (*fresh, *(it.connection for it in people[:3])):
        await client.expect_event(last)
        read: tuple[str, int] | None = None
        for frame in client.frames:
            if isinstance(frame, frames.EventsFrame):
                place = frame.epoch, frame.offset
                assert read is None or place > read, f"{place} after {read}: {client.lines}"
                read = place
            elif isinstance(frame, frames.WelcomeFrame) and client in fresh:
                read = frame.epoch, frame.offset


@pytest.mark.slow
async def test_200_connections_break_at_any_moment_under_load_and_nothing_is_lost_or_twice(
    chat: Chat,
) -> None:
    dice = random.Random(20261121)
    people = [await chat.person(f"user-{i}", i % 2) for i in range(8)]

    async def live(person: Person) -> None:
        for _ in range(25):
            for _ in range(dice.randrange(1, 8)):
                if dice.random() < 0.25:
                    person.whisper("witness")
                else:
                    person.say()
                if dice.random() < 0.3:
                    await elapse(dice.random() * 0.01)
            if dice.random() < 0.3:
                await person.stay(chat.port(dice.randrange(2)), person.is_answered, 30)
            match dice.randrange(4):
                case 0:
                    person.connection.close()  # in order, but with answers under way
                    person.lose()
                case 1:
                    person.lose()  # it may live on: the next one takes over
                case _:
                    person.cut()
            while dice.random() < 0.3:
                # Broken again before, or while, the past is read.
                await person.connect_again(chat.port(dice.randrange(2)))
                await elapse(dice.random() * 0.01)
                person.cut()
            with contextlib.suppress(Displaced):  # an attempt of before came late
                await person.come_back(chat.port(dice.randrange(2)))

    await asyncio.gather(*(live(person) for person in people))
    for person in people:
        await person.stay(chat.port(0), person.is_answered, 30)
    await chat.settled(*people)
    for person in people:
        assert set(person.missed) == {"nothing"}
        chat.assert_said_once(person)
        chat.assert_nothing_missed(person)
        own = [it for it in whispered_to(chat.witness) if it.startswith(f"psst-{person.nickname}-")]
        assert own == person.whispered
    assert sum(person.resent for person in people) > 5
    assert sum(person.spared for person in people) > 5
    assert sum(len(person.connections) for person in people) > 200


@pytest.mark.slow
async def test_a_node_is_killed_and_everybody_goes_on_at_the_other_without_a_loss(
    node_factory: NodeFactory,
) -> None:
    nodes = await start(node_factory, BOTH, BOTH, **QUICK)
    chat = await open_chat(nodes)
    stays = [await chat.person(f"stays-{i}", 0) for i in range(3)]
    moves = [await chat.person(f"moves-{i}", 1) for i in range(9)]
    stop = asyncio.Event()

    async def talk(person: Person) -> None:
        for turn in itertools.count():
            if stop.is_set():
                return
            if (
                person.connection.connected
                and person.connection.unanswered < 8
                and not person.has_to_send_again
            ):
                person.say() if turn % 4 else person.whisper("witness")
            await elapse(0.01)

    async def move(person: Person, pause: float) -> None:
        await person.connection.disconnected()
        person.lose()
        await elapse(pause)  # some come back before the dead node is buried, some after
        await person.come_back(chat.port(0), BACK_SECONDS)

    talking = [asyncio.create_task(talk(person)) for person in (*stays, *moves)]
    await until(lambda: len(chat.witness.events) > 300, 60, "traffic to flow")
    for person in moves:
        for _ in range(5):
            person.say()  # of this, some is done, and none is answered
    nodes[1].kill()
    await asyncio.gather(*(move(person, i % 3 * 2.5) for i, person in enumerate(moves)))
    await until(
        lambda: all(len(texts(it.connection.events)) > 20 for it in moves), 60, "traffic to flow"
    )
    stop.set()
    await asyncio.gather(*talking)
    await chat.settled(*stays, *moves)
    for person in (*stays, *moves):
        chat.assert_said_once(person)
        chat.assert_nothing_missed(person)
    for person in moves:
        assert person.missed == ["nothing"]
    assert sum(person.resent + person.spared for person in moves) > 0
