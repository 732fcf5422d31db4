"""What a node tells Redis, and when it doubts the answer."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from contract.follower import RecordingFollower
from fakes.loop_time import leaping
from harness.waiting import until
from tertulia.chat.ports import LeaveOp, Member, Op, WhisperOp
from tertulia.domain.position import Position
from tertulia.redis.hot import Argument
from tertulia.redis.link import Link
from tertulia.redis.script import Script
from tertulia.settings.sections import ClusterSettings
from tertulia.store.committer import Committer
from tertulia.store.keys import Keys
from tertulia.store.membership import Membership
from tertulia.telemetry.metrics import Metrics

HEARTBEAT = 0.2
FROZEN = 0.45
"""More heartbeats than an idle node waits for an answer, and less than makes a reply a late one."""
WITHIN = 30.0


class Answering:
    """A link to a Redis that does everything at once while it is not frozen."""

    def __init__(self) -> None:
        self.answers = 0
        self.confirmed = 0
        self.batches: list[int] = []
        """How many ops were in each batch that had some."""
        self.letters_done: list[tuple[int, bool]] = []
        """What was said of letters, and whether there were ops with it."""
        self.goes = asyncio.Event()
        self.goes.set()
        self.whispers: list[tuple[str, int]] = []
        """The letters of the ops in batches with whispers, and how many letters the node had written."""
        self.has_more = False
        """Whether there is more in the log than the node has seen."""
        self.bus: Callable[[int], None] | None = None
        """Brings the entry of a batch, a turn after its reply; None: batches have none."""

    async def run(self, script: Script, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        await self.goes.wait()
        self.answers += 1
        self.letters_done.append((cast(int, args[5]), "L" in args[19:]))
        letters = str(args[16])
        if set("rw") & set(letters):
            self.whispers.append((letters, cast(int, args[18])))
            if "r" in letters and self.has_more:
                return [b"unseen"]
            own = b"1700000000000 *" if "r" in letters else b""
            return [b"ok", 0, 0, 1 if own else 0, b"d", b"", own]
        ops = list(args[19:]).count("L")
        if ops:
            self.batches.append(ops)
        if ops and self.bus is not None:
            asyncio.get_running_loop().call_soon(self.bus, cast(int, args[1]))
            return [b"ok", 1, 1, 0, b"d" * ops, b"", b""]
        return [b"ok", 0, 0, 0, b"d" * ops, b"", b""]

    async def confirm(self) -> None:
        self.confirmed += 1


@pytest.fixture
def link() -> Answering:
    return Answering()


@pytest.fixture
def follower() -> RecordingFollower:
    return RecordingFollower("node")


@pytest.fixture
def heartbeat() -> float:
    return HEARTBEAT


@pytest.fixture
def member() -> Membership:
    return Membership("node")


@pytest.fixture
async def committer(
    link: Answering, member: Membership, follower: RecordingFollower, heartbeat: float
) -> AsyncIterator[Committer]:
    with leaping():
        committer = Committer(
            Keys("c"),
            cast(Link, link),
            member,
            follower,
            ClusterSettings(heartbeat_seconds=heartbeat),
            Metrics(CollectorRegistry(), dialects=(), chats=("c",), version="x"),
        )
        running = asyncio.create_task(committer.run())
        yield committer
        running.cancel()


async def test_an_answer_after_a_freeze_is_doubted_however_late_it_was_asked_for(
    committer: Committer, link: Answering
) -> None:
    await until(lambda: link.answers > 1, WITHIN, "some heartbeats")
    before = link.confirmed
    link.goes.clear()
    await asyncio.sleep(FROZEN)  # which leaps
    assert link.confirmed == before
    link.goes.set()
    await until(lambda: link.confirmed > before, WITHIN, "a doubt")


async def test_answers_that_come_in_time_are_believed(
    committer: Committer, link: Answering
) -> None:
    for _ in range(20):
        committer.submit(LeaveOp("node:1", "andy", "andy"))
        await committer.settle()
    assert link.answers >= 20
    assert link.confirmed <= 1  # but for the first one


class Prompt(RecordingFollower):
    """A client of which says something as soon as it reads its answer: in the next turn of the loop."""

    def __init__(self) -> None:
        super().__init__("node")
        self.says: list[Callable[[], None]] = []

    def settled(self, ops: Sequence[Op]) -> None:
        super().settled(ops)
        for say in self.says:
            asyncio.get_running_loop().call_soon(say)
        self.says.clear()


@pytest.mark.parametrize(("follower", "heartbeat"), [(Prompt(), 2.0)])
async def test_what_waits_takes_along_what_is_said_to_the_last_batch(
    committer: Committer, member: Membership, link: Answering, follower: Prompt
) -> None:
    """Else those who wait for each other's answers are served in two batches, in turn, for ever."""

    def bring(batch: int) -> None:
        member.delivered_batch = batch
        committer.acknowledge_delivered()

    link.bus = bring
    await until(lambda: link.answers, WITHIN, "the first heartbeat")
    link.goes.clear()
    committer.submit(LeaveOp("node:1", "andy", "andy"))
    await until(lambda: not committer, WITHIN, "a batch in flight")
    committer.submit(LeaveOp("node:2", "betty", "betty"))
    follower.says.append(lambda: committer.submit(LeaveOp("node:3", "carol", "carol")))
    link.goes.set()
    await until(lambda: sum(link.batches) == 3, WITHIN, "three ops")
    assert link.batches == [1, 2]


async def test_letters_are_confirmed_when_there_is_news_and_with_each_heartbeat(
    committer: Committer, link: Answering, follower: RecordingFollower
) -> None:
    await until(lambda: link.answers, WITHIN, "the first heartbeat")
    follower.done_with = 7
    for _ in range(3):
        committer.submit(LeaveOp("node:1", "andy", "andy"))
        await committer.settle()
    with_ops = [number for number, has_ops in link.letters_done if has_ops]
    assert with_ops in ([7, 0, 0], [0, 0, 0])  # a heartbeat may have come first
    alone = len(link.letters_done)
    await until(lambda: len(link.letters_done) > alone + 1, WITHIN, "heartbeats")
    assert link.letters_done[alone:] == [(7, False)] * (len(link.letters_done) - alone)


async def test_a_node_that_has_not_seen_all_asks_redis_who_is_there_for_a_moment(
    committer: Committer, link: Answering, follower: RecordingFollower, member: Membership
) -> None:
    await until(lambda: link.answers, WITHIN, "the first heartbeat")
    for i, name in enumerate(("andy", "betty"), 1):
        follower.roster.add(Member(name, f"{member.node}:{i}", "chatte"))

    async def whisper() -> list[tuple[str, int]]:
        link.whispers.clear()
        committer.submit(WhisperOp(f"{member.node}:1", "andy", "andy", "betty", "psst"))
        await committer.settle()
        return list(link.whispers)

    assert await whisper() == [("r", 1)]
    assert follower.letter_texts == ["psst"]
    link.has_more = True
    assert await whisper() == [("r", 1), ("w", 0)]
    link.has_more = False
    assert await whisper() == [("w", 0)]


async def test_what_is_known_to_come_is_waited_for_by_redis(
    committer: Committer, link: Answering, follower: RecordingFollower, member: Membership
) -> None:
    """The node need not ask whether it has seen all: by Redis' last answer it has not."""
    await until(lambda: link.answers, WITHIN, "the first heartbeat")
    for i, name in enumerate(("andy", "betty"), 1):
        follower.roster.add(Member(name, f"{member.node}:{i}", "chatte"))
    committer.registered(Position("e", 5))
    committer.submit(WhisperOp(f"{member.node}:1", "andy", "andy", "betty", "psst"))
    await committer.settle()
    assert link.whispers == [("w", 0)]
