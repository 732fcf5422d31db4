"""The closing of a chat: at once, everywhere, for everybody; and what is left is tidied up in small steps."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import pytest

from contract.lossy_proxy import LossyProxy
from harness import browser_frames as frames
from harness.browser_client import BrowserClient
from harness.chatte_client import ChatteClient
from harness.dialects import launch, listener, port, until_empty
from harness.load import under_load
from harness.node import Node, NodeFactory
from harness.protocollo_client import (
    CLOSE,
    FIRST,
    FORBIDDEN,
    ClassicClient,
    ProtocolloClient,
)
from harness.redis_server import RedisServer, running_redis
from harness.stopwatch import MOST_ONCE_MILLISECONDS, Stopwatch
from harness.waiting import elapse, until

T = TypeVar("T", bound=ChatteClient)

ONE: tuple[type[ChatteClient], ...] = (ChatteClient, ProtocolloClient, BrowserClient)
TWO: tuple[type[ChatteClient], ...] = (ChatteClient, ClassicClient, BrowserClient)
"""What the nodes speak."""
OPENERS = (ProtocolloClient, ClassicClient, ProtocolloClient)
CLOSED = "102 G The chat was closed by its administrator."
CLOSED_SECONDS = 1.0
"""Within which everybody is told, where the machine is not busy: in one of ten tries."""
WITHIN = 60.0
"""The same, on however busy a machine."""
BACK_SECONDS = 60.0
"""Within which a node that was away is back."""


@dataclass(slots=True)
class Chat:
    """One chat over some nodes, of which the second speaks the classic protocollo."""

    nodes: Sequence[Node]

    async def connect(self, node: int, kind: type[T], nickname: str = "") -> T:
        """Connect to a node."""
        return await kind.connect(port(self.nodes[node], kind), nickname)

    async def enter(self, node: int, kind: type[T], nickname: str) -> T:
        """Connect to a node and enter."""
        return await kind.enter_chat(port(self.nodes[node], kind), nickname, within=60)

    async def enter_lines(self, node: int, nickname: str) -> ProtocolloClient:
        """Enter in the protocollo that the node speaks."""
        return await self.enter(node, ClassicClient if node == 1 else ProtocolloClient, nickname)

    async def crowd(self, each: int = 2) -> tuple[ProtocolloClient, list[ChatteClient]]:
        """Let an administrator in on the first node, then so many of each dialect on each node."""
        admin = await self.enter(0, ProtocolloClient, "admin")
        others = await asyncio.gather(
            *(
                self.enter(node, kind, f"{node}-{kind.__name__}-{i}")
                for node in range(len(self.nodes))
                for kind in (TWO if node == 1 else ONE)
                for i in range(each)
            )
        )
        return admin, list(others)

    async def assert_anew(self, names: Sequence[str], node: int) -> list[ProtocolloClient]:
        """Enter under nicknames of before: the first opens the chat, and only it may close it."""
        entered = [await self.enter_lines(node, names[0])]
        assert entered[0].lines == [FIRST]
        for i, name in enumerate(names[1:]):
            client = await self.enter_lines(i % (node + 1), name)
            entered.append(client)
            assert client.others == tuple(names[: i + 1])
            client.stop()
            await client.expect_line(FORBIDDEN)
        entered[0].say("heard again")
        for client in entered[1:]:
            await client.expect_line(client.wording.said(names[0], "heard again"))
        return entered


def was_told(client: ChatteClient) -> bool:
    """Whether the last thing that a client read was that the chat is closed, in its words."""
    if isinstance(client, ProtocolloClient):
        return client.lines[-1] == CLOSE
    if isinstance(client, BrowserClient):
        frame = client.frames[-1]
        return (
            isinstance(frame, frames.EventsFrame)
            and isinstance(frame.events[-1], frames.ClosedEvent)
            and (client.close_code, client.close_reason) == (1000, "chat_closed")
        )
    return client.lines[-1] == CLOSED


async def let_in(client: ChatteClient, within: float = 30.0) -> None:
    """Wait for the welcome of a client that asked for it."""
    await client.wait_for(lambda: client.welcomed, within, "the welcome")


async def assert_closed(clients: Sequence[ChatteClient], within: float) -> None:
    """Wait for the end of all connections; each was told why."""
    await until(
        lambda: all(client.closed for client in clients),
        within,
        lambda: f"all to be closed: {[it.describe() for it in clients if not it.closed]}",
    )
    untold = [client.describe() for client in clients if not was_told(client)]
    assert not untold, untold


@pytest.fixture
def quick_redis() -> Iterator[RedisServer]:
    """Run a Redis for what is not about disks."""
    with running_redis(fsync="no") as server:
        yield server


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Node]]:
    with running_redis(fsync="no") as server:  # nothing here is about disks
        factory = NodeFactory(tmp_path_factory.mktemp("nodes"), server.url)
        try:
            for kinds in (ONE, TWO, ONE):
                launch(factory, map(listener, kinds))
            for node in factory.nodes:
                node.ready_sync()
            yield factory.nodes
        finally:
            factory.end()


@pytest.fixture
async def chat(nodes: list[Node]) -> AsyncIterator[Chat]:
    """The chat of all tests on the shared nodes; each leaves it empty."""
    yield Chat(nodes)
    await until_empty(nodes)


# At once, everywhere


async def test_everybody_on_every_node_is_told_within_a_second_and_all_nicknames_are_free(
    chat: Chat,
) -> None:
    guest = await chat.connect(1, ChatteClient)  # has not chosen a name
    took: list[float] = []
    while len(took) < 10 and (not took or min(took) >= CLOSED_SECONDS):
        admin, others = await chat.crowd()
        others[3].whisper("admin")
        started = time.monotonic()
        admin.stop()
        await assert_closed([admin, *others], WITHIN)
        took.append(time.monotonic() - started)
    assert min(took) < CLOSED_SECONDS, took
    for client in (admin, *others):
        lines = [line for line in client.lines if "disconness" in line or "left" in line]
        assert lines == [], "nobody left: all were closed"
    assert await guest.enter("guest"), "who is still at the door comes after the closing"
    names = [client.nickname for client in (admin, *others)]
    late = await chat.enter(0, ProtocolloClient, names[3])
    assert late.others == ("guest",)
    guest.close()
    late.leave()
    await late.disconnected()
    await until_empty(chat.nodes)
    for client in await chat.assert_anew(names, 2):
        client.close()
    for node in chat.nodes:
        assert await node.disconnects("fenced") == await node.disconnects("displaced") == 0


async def test_a_chat_can_be_closed_again_and_again_by_whoever_opened_it(chat: Chat) -> None:
    for turn in range(8):
        opener = await chat.enter(
            turn // 2 % 3, BrowserClient if turn % 4 == 1 else OPENERS[turn // 2 % 3], "anna"
        )
        other = await chat.enter(turn % 2, (ChatteClient, ClassicClient)[turn % 2], "bruno")
        assert isinstance(opener, ProtocolloClient | BrowserClient)
        assert opener.is_administrator
        opener.stop()
        await assert_closed([opener, other], WITHIN)


async def test_everybody_is_told_the_same_while_everybody_talks(chat: Chat) -> None:
    """Whoever had something under way, too."""
    untold: list[str] = []
    for _ in range(4):
        admin, others = await chat.crowd()

        async def close(admin: ProtocolloClient = admin) -> None:
            await elapse(0.1)
            admin.stop()
            await admin.disconnected(WITHIN)

        await under_load(others, close(), per_second=200)
        for client in others:
            await client.disconnected(WITHIN)
        untold += [client.describe() for client in (admin, *others) if not was_told(client)]
    assert not untold, untold


async def test_who_comes_at_the_same_moment_is_in_the_old_chat_or_in_the_new_one(
    chat: Chat,
) -> None:
    outcomes: set[bool] = set()
    for turn in range(8):
        admin, others = await chat.crowd(each=1)
        newcomers: list[ChatteClient] = [
            await chat.connect(i % 3, (TWO if i % 3 == 1 else ONE)[i // 3 % 3], f"new-{i}")
            for i in range(12)
        ]
        for i, client in enumerate(newcomers):
            if i == turn % 4 * 3:
                admin.stop()
            client.ask(client.nickname)
        for client in newcomers:
            await let_in(client)
        for client in (admin, *others):
            await client.disconnected(WITHIN)
        # Who got into the new chat is not closed by the old one's end: those are all of it.
        probe = await chat.enter(0, ProtocolloClient, "probe")
        present = set(probe.others)
        for client in newcomers:
            if client.nickname not in present:
                await client.disconnected(WITHIN)
                assert was_told(client), client.describe()
        probe.say("who is here?")
        for client in newcomers:
            if client.nickname in present:
                await client.expect_line(lambda line: "who is here?" in line)
        outcomes |= {client.closed for client in newcomers}
        for client in (probe, *newcomers):
            client.close()
        await until_empty(chat.nodes)
    assert outcomes == {True, False}


@pytest.mark.slow
async def test_who_is_closed_reads_nothing_of_the_chat_that_begins_then(
    quick_redis: RedisServer, node_factory: NodeFactory
) -> None:
    """Closing, newcomers' coming, all in one batch."""
    node = launch(node_factory, map(listener, ONE), redis_url=quick_redis.url)
    await node.ready()
    chat = Chat([node])
    admin, old = await chat.crowd(each=1)
    newcomers = [await chat.connect(0, kind) for kind in ONE]
    quick_redis.freeze()
    try:
        old[0].say("in flight")  # so that what follows gathers into the next batch
        await until_read(node, old[0])
        admin.stop()
        await until_read(node, admin)
        for i, client in enumerate(newcomers):
            client.ask(f"new-{i}")
            await until_read(node, client)
    finally:
        quick_redis.thaw()
    for client in newcomers:
        await let_in(client)
        assert not client.closed
    await assert_closed([admin, *old], WITHIN)


async def until_read(node: Node, client: ChatteClient) -> None:
    """Wait until a node has read what a client wrote: it reads clients in turn, and this is one more."""
    assert client.unsent() == 0
    for _ in range(3):
        assert (await node.get("/livez")).status == 200


@pytest.mark.slow
async def test_a_lasting_chat_is_closed_by_nobody(
    quick_redis: RedisServer, node_factory: NodeFactory
) -> None:
    for kinds in (ONE, TWO):
        launch(
            node_factory,
            map(listener, kinds),
            redis_url=quick_redis.url,
            LASTING_CHATS='["main"]',
        )
    for node in node_factory.nodes:
        await node.ready()
    admin, others = await Chat(node_factory.nodes).crowd(each=1)
    admin.stop()
    await admin.expect_line(FORBIDDEN)
    admin.leave()
    await admin.disconnected()
    for client in others:
        if isinstance(client, BrowserClient):
            client.stop()
            await client.expect_frame(frames.ForbiddenFrame)
        elif isinstance(client, ProtocolloClient):
            client.stop()
            await client.expect_line(FORBIDDEN)
    assert all(client.connected for client in others)


# Nodes that are away


@pytest.mark.slow
@pytest.mark.parametrize("way", ["frozen", "cut", "half open"])
async def test_a_node_that_was_away_closes_its_sessions_when_it_is_back(
    node_factory: NodeFactory, quick_redis: RedisServer, way: str
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        proxy = await LossyProxy("127.0.0.1", quick_redis.port).start()
        stack.push_async_callback(proxy.close)
        # Nobody buries it meanwhile, on however busy a machine.
        patient = {"CLUSTER__SILENCE_SECONDS": "100", "CLUSTER__LEASE_SECONDS": "120"}
        here = launch(node_factory, map(listener, ONE), redis_url=quick_redis.url, **patient)
        quick = {"CLUSTER__REDIS_TIMEOUT_SECONDS": "1", **patient}
        away = launch(node_factory, map(listener, TWO), redis_url=proxy.url, **quick)
        for node in (here, away):
            await node.ready()
        chat = Chat([here, away])
        admin, others = await chat.crowd()
        stranded = [client for client in others if client.nickname.startswith("1-")]
        held = ["admin", *(client.nickname for client in others)]

        if way == "frozen":
            away.freeze()
        elif way == "cut":
            proxy.cut_off()
        else:
            for name in proxy.names:
                proxy.stall(name)
        for client in stranded[::2]:
            client.say()  # what comes too late
        door = await chat.connect(1, ChatteClient, "door")
        door.ask("door")
        admin.stop()
        await assert_closed([it for it in (admin, *others) if it not in stranded], WITHIN)
        assert not any(client.closed for client in stranded)
        # Meanwhile the chat begins anew, under the very nicknames that the others believe to hold.
        heirs = await chat.assert_anew(held[-4:], 0)

        if way == "frozen":
            away.thaw()
        else:
            proxy.restore()
            proxy.flow()
        await assert_closed(stranded, BACK_SECONDS)
        await away.becomes_ready(BACK_SECONDS)
        await let_in(door, BACK_SECONDS)
        late = await chat.enter(1, ClassicClient, "late")
        assert late.others == (*held[-4:], "door")
        late.say("heard here")
        await heirs[0].expect_line("late.@g> heard here")
        assert all(client.connected for client in (*heirs, door, late))
        assert not any("left" in line for line in door.lines)
        assert await away.disconnects("chat_closed") == len(stranded)


# Very many


@pytest.mark.slow
async def test_a_chat_of_100_000_nicknames_is_closed_without_holding_up_redis(
    node_factory: NodeFactory, quick_redis: RedisServer
) -> None:
    control = quick_redis.control
    many = 100_000
    # Each lease_seconds a node sweeps nicknames that nobody has there: all but one of these.
    lease = {"CLUSTER__LEASE_SECONDS": "600"}
    here = launch(node_factory, map(listener, ONE), redis_url=quick_redis.url, **lease)
    await here.ready()
    admin = await Chat([here]).enter(0, ProtocolloClient, "admin")
    holder = str(next(iter(control.zrange("{main}:leases", 0, -1))))
    write_down(quick_redis, holder, many)
    other = launch(node_factory, map(listener, TWO), redis_url=quick_redis.url)
    await other.ready()  # it has read them all: its members are all of them
    chat = Chat([here, other])
    witness = await chat.enter(1, ClassicClient, "witness")
    assert len(witness.others) == many + 1
    assert witness.others[:3] == ("admin", "user-0", "user-1")

    with Stopwatch(quick_redis) as stopwatch:
        admin.stop()
        await assert_closed([admin, witness], WITHIN)
        # At once they are free.
        opener = await chat.enter(1, ClassicClient, "user-99999")
        assert opener.lines == [FIRST]

        await until(
            lambda: not control.exists(f"{{main}}:node:{holder}:nicks"),
            200,
            lambda: f"{control.scard(f'{{main}}:node:{holder}:nicks')!r} nicknames to be swept",
        )
        assert stopwatch.longest() < MOST_ONCE_MILLISECONDS
    hashes = sum(1 for _ in control.scan_iter(match="{main}:nick:*", count=5000))
    assert hashes == 1
    assert control.zcard("{main}:order") == 1
    assert opener.connected


def write_down(server: RedisServer, node: str, many: int) -> None:
    """Write nicknames into Redis as the commit of so many joins would have."""
    control = server.control
    sitting = str(control.hget("{main}:meta", "sitting") or 0)
    joins = int(str(control.hget("{main}:meta", "joins")))
    step = 5000
    for start_at in range(0, many, step):
        names = [f"user-{i}" for i in range(start_at, min(start_at + step, many))]
        pipe = control.pipeline(transaction=False)
        for i, name in enumerate(names, start_at):
            pipe.hset(
                f"{{main}}:nick:{name}",
                mapping={
                    "nickname": name,
                    "node": node,
                    "session": f"{node}:{1_000_000 + i}",
                    "dialect": "chatte",
                    "address": "127.0.0.1",
                    "port": 50_000,
                    "since": 1_795_221_185_000,
                    "sitting": sitting,
                },
            )
        pipe.zadd("{main}:order", {name: joins + i for i, name in enumerate(names, start_at + 1)})
        pipe.sadd(f"{{main}}:node:{node}:nicks", *names)
        pipe.execute()
    control.hincrby("{main}:meta", "joins", many)
