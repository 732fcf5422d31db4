"""Redis goes away in every way it can, and comes back: everybody waits, nobody loses."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import psutil
import pytest

from harness.chatte_client import TAKEN, UNKNOWN, ChatteClient
from harness.crowd import ROOMS, Wanderer, gather, listeners, start_nodes
from harness.load import (
    assert_promises_kept,
    promised_between,
    settle,
    under_load,
)
from harness.node import Node, NodeFactory
from harness.redis_proxy import RedisProxy
from harness.redis_server import RedisServer
from harness.waiting import elapse, until
from history.record import Disconnected, SawJoined, SawLeft

pytestmark = pytest.mark.slow

IN_FLIGHT_SECONDS = 0.3
"""How long after a node has said that Redis is away an answer from before may still be under way."""
BACK_SECONDS = 60.0
"""Within which everything goes on once Redis is back."""


async def chatting(
    factory: NodeFactory, nodes: int = 3, clients: int = 12
) -> tuple[list[Node], list[ChatteClient]]:
    """Start nodes, let clients in, and wait until everybody has heard from somebody."""
    started = await start_nodes(factory, nodes)
    entered = await gather(started, clients)
    await settle(entered)
    return started, entered


def assert_nobody_left(clients: Sequence[ChatteClient]) -> None:
    for client in clients:
        assert client.connected, client.describe()
        assert not any(client.history.of(SawLeft))
        assert not any(client.history.of(Disconnected))


async def test_every_connection_to_redis_is_cut_again_and_again_under_load(
    node_factory: NodeFactory, redis_server: RedisServer
) -> None:
    _, clients = await chatting(node_factory)
    joins = [len(list(client.history.of(SawJoined))) for client in clients]
    cut: set[bool] = set()

    async def cut_one_by_one() -> None:
        for turn in range(24):
            # In turn a subscriber's and one that carries commits; each time another node's.
            kind = [c for c in redis_server.connections() if c.is_bus == bool(turn % 2)]
            if kind:
                victim = kind[turn // 2 % len(kind)]
                cut.add(victim.is_bus)
                redis_server.cut(victim)
            if turn == 12:
                redis_server.control.script_flush()
            await elapse(0.25)

    names = [client.nickname for client in clients]
    await under_load(clients[:6], cut_one_by_one(), per_second=30, whisper_to=names)
    await settle(clients)
    assert cut == {True, False}
    assert_nobody_left(clients)
    assert [len(list(client.history.of(SawJoined))) for client in clients] == joins
    await assert_promises_kept(clients)


async def test_all_connections_of_all_nodes_are_cut_at_once(
    node_factory: NodeFactory, redis_server: RedisServer
) -> None:
    nodes, clients = await chatting(node_factory, nodes=2, clients=8)

    async def cut_all() -> None:
        for _ in range(4):
            await elapse(0.5)
            for connection in redis_server.connections():
                redis_server.cut(connection)

    await under_load(clients[:4], cut_all(), per_second=30)
    await settle(clients)
    for node in nodes:
        await node.becomes_ready(30)
    assert_nobody_left(clients)
    await assert_promises_kept(clients)


async def outage(
    nodes: Sequence[Node],
    clients: Sequence[ChatteClient],
    *,
    begin: Callable[[], None],
    end: Callable[[], Awaitable[None]],
    seconds: float,
) -> ChatteClient:
    """Take Redis away for a while under load, and assert what holds whatever the way.

    Returns who came meanwhile and gave up.
    """
    away_from = back_from = 0.0
    newcomer: ChatteClient

    async def away() -> None:
        nonlocal away_from, back_from, newcomer
        clock = clients[0].history.now
        await elapse(0.5)  # of traffic before
        begin()
        started = clock()
        newcomer = await ChatteClient.connect(nodes[0].port())
        newcomer.ask("newcomer")
        for node in nodes:
            page = await node.becomes_unready(30)
            answer = page.json()
            assert answer["ready"] is False
            assert answer["reasons"]
            assert (await node.get("/livez")).status == 200
        # What a node answered before it noticed was written before it said so here.
        away_from = clock() + IN_FLIGHT_SECONDS
        newcomer.close()
        await elapse(max(1.0, seconds - (clock() - started)))
        assert not newcomer.welcomed
        back_from = clock()
        await end()

    await under_load(clients[:4], away(), per_second=20)
    for node in nodes:
        await node.becomes_ready(BACK_SECONDS)
    await settle(clients, BACK_SECONDS)
    promised = promised_between([client.history for client in clients], away_from, back_from)
    assert promised == []
    for client in clients:
        assert client.connected, client.describe()
        assert not any(client.history.of(Disconnected))
    assert not any(r.nickname.startswith("user") for r in clients[0].history.of(SawLeft))
    return newcomer


async def test_redis_is_stopped_for_longer_than_a_lease_and_restarted(
    node_factory: NodeFactory, redis_server: RedisServer
) -> None:
    nodes, clients = await chatting(node_factory)

    async def start() -> None:
        redis_server.start()

    newcomer = await outage(nodes, clients, begin=redis_server.stop, end=start, seconds=11.0)
    # Nobody is thrown out afterwards either, when the leases of before are looked at.
    await under_load(clients[:2], elapse(4), per_second=10)
    late = await ChatteClient.enter_chat(nodes[1].port(), "late")
    await settle([*clients, late])
    assert all(client.connected for client in clients)
    await assert_promises_kept([*clients, newcomer, late])


async def test_redis_is_killed_and_restarted(
    node_factory: NodeFactory, redis_server: RedisServer
) -> None:
    nodes, clients = await chatting(node_factory)

    async def kill_twice() -> None:
        for _ in range(2):
            await elapse(1)
            redis_server.kill()
            await elapse(1)
            redis_server.start()

    names = [client.nickname for client in clients]
    await under_load(clients[:6], kill_twice(), per_second=40, whisper_to=names)
    for node in nodes:
        await node.becomes_ready(BACK_SECONDS)
    await settle(clients, BACK_SECONDS)
    assert_nobody_left(clients)
    await assert_promises_kept(clients)


async def test_redis_is_frozen_and_its_connections_stay_open(
    node_factory: NodeFactory, redis_server: RedisServer
) -> None:
    nodes, clients = await chatting(node_factory)

    async def thaw() -> None:
        redis_server.thaw()

    newcomer = await outage(nodes, clients, begin=redis_server.freeze, end=thaw, seconds=6.0)
    late = await ChatteClient.enter_chat(nodes[2].port(), "late")
    await settle([*clients, late])
    await assert_promises_kept([*clients, newcomer, late])


async def test_who_sends_while_redis_is_away_is_read_only_so_far(
    node_factory: NodeFactory, redis_server: RedisServer
) -> None:
    nodes, clients = await chatting(node_factory, nodes=1, clients=2)
    flooder = await ChatteClient.enter_chat(nodes[0].port(), "flooder", acknowledges=False)
    before = psutil.Process(nodes[0].pid).memory_info().rss
    redis_server.stop()
    filling = "x" * 4000
    for i in range(10_000):
        flooder.say(f"{i} {filling}")
    sent = 40_000_000
    # The system's own buffers take some megabytes; the rest stays with the sender.
    await elapse(3)
    assert flooder.unsent() > sent / 2
    assert psutil.Process(nodes[0].pid).memory_info().rss - before < 10_000_000
    flooder.abort()
    redis_server.start()
    for client in clients:
        client.say()
    await settle(clients, BACK_SECONDS)
    await clients[0].expect_line("151 flooder just left the chat", BACK_SECONDS)
    await assert_promises_kept([*clients, flooder])


@pytest.mark.parametrize("way", ["flushed while it runs", "restarted without its data"])
async def test_redis_loses_its_data_and_the_sessions_go_on(
    node_factory: NodeFactory, redis_server: RedisServer, way: str
) -> None:
    nodes, clients = await chatting(node_factory, nodes=2, clients=8)
    ports = [node.port() for node in nodes]
    if way == "flushed while it runs":
        redis_server.control.flushall()
    else:
        redis_server.stop()
        redis_server.empty()
        redis_server.start()
    # Each node notices at its next commit, or heartbeat, and registers its sessions again.
    for client in clients:
        client.say()
    await until(
        lambda: not any(client.unanswered for client in clients),
        BACK_SECONDS,
        lambda: f"answers; {[client.describe() for client in clients if client.unanswered]}",
    )
    await settle(clients, BACK_SECONDS)
    for node in nodes:
        await node.becomes_ready(BACK_SECONDS)
    for client in clients:
        assert client.connected, client.describe()
        assert not any(client.history.of(SawLeft))

    # Nicknames are still their holders', from both nodes; newcomers are seen and see.
    thieves = [await ChatteClient.connect(port, "thief") for port in ports for _ in clients]
    asked = [clients[i % len(clients)].nickname for i in range(len(thieves))]
    given = await asyncio.gather(
        *(thief.enter(name) for thief, name in zip(thieves, asked, strict=True))
    )
    assert not any(given)
    assert {thief.lines[-1] for thief in thieves} == {TAKEN}
    late = await ChatteClient.enter_chat(ports[1], "late")
    for client in clients:
        late.whisper(client.nickname)
    late.whisper("nobody")
    assert await late.expect_line(UNKNOWN)
    clients[0].close()
    await clients[1].expect_line(f"151 {clients[0].nickname} just left the chat")
    heir = await ChatteClient.enter_chat(ports[1], clients[0].nickname)
    everybody = [*clients, *thieves, late, heir]
    names = [client.nickname for client in clients[1:]]
    await under_load(clients[1:5], elapse(1), per_second=20, whisper_to=names)
    await settle(everybody)
    await assert_promises_kept(everybody)


# Faults on the way between one node and Redis, for certain and one at a time


@pytest.fixture
async def proxy(redis_server: RedisServer) -> AsyncIterator[RedisProxy]:
    async with RedisProxy(redis_server) as proxy:
        yield proxy


async def chatting_through(
    factory: NodeFactory, proxy: RedisProxy
) -> tuple[Node, Node, list[ChatteClient]]:
    """Start a node behind the proxy and one that is not; those on the first come first."""
    shaky = factory.launch(listeners=listeners(), redis_url=proxy.url)
    steady = factory.launch(listeners=listeners())
    await asyncio.gather(shaky.ready(), steady.ready())
    clients = [*await gather([shaky], 4, "shaky"), *await gather([steady], 4, "steady")]
    await settle(clients)
    return shaky, steady, clients


@pytest.mark.parametrize("what", ["answers_to_lose", "commands_to_lose"])
async def test_a_commit_whose_command_or_answer_is_lost_is_done_once(
    node_factory: NodeFactory, proxy: RedisProxy, what: str
) -> None:
    shaky, _, clients = await chatting_through(node_factory, proxy)
    ana, bea = clients[0], clients[4]

    said = ana.unique()
    setattr(proxy, what, said.encode())
    ana.say(said)
    await ana.answered(BACK_SECONDS)
    whispered = ana.unique()
    setattr(proxy, what, whispered.encode())
    ana.whisper(bea.nickname, whispered)
    await ana.answered(BACK_SECONDS)
    assert proxy.lost == 2
    eve = clients[1]
    assert isinstance(eve, Wanderer)
    for number, room in enumerate(ROOMS, 3):
        told = eve.unique()
        setattr(proxy, what, told.encode())
        eve.say(told, room)
        await eve.answered(BACK_SECONDS)
        assert proxy.lost == number

    # Coming and going are commits as well.
    setattr(proxy, what, b"newcomer")
    newcomer = await ChatteClient.enter_chat(shaky.port(), "newcomer", within=BACK_SECONDS)
    assert proxy.lost == 5
    setattr(proxy, what, b"newcomer")
    newcomer.close()
    await bea.expect_line("151 newcomer just left the chat", BACK_SECONDS)
    await until(lambda: proxy.lost == 6, 30, "the loss")  # others read of it without the answer
    again = await ChatteClient.enter_chat(shaky.port(), "newcomer", within=BACK_SECONDS)
    guest = await Wanderer.enter_chat(shaky.port("browser"), "guest")
    witness = clients[6]
    setattr(proxy, what, b"guest")
    assert await guest.join_room(ROOMS[0], within=BACK_SECONDS)
    assert proxy.lost == 7
    setattr(proxy, what, b"guest")
    await guest.part_room(ROOMS[0], within=BACK_SECONDS)
    await witness.expect_line("151 guest just left the chat", BACK_SECONDS)
    await until(lambda: proxy.lost == 8, 30, "the loss")
    assert await guest.join_room(ROOMS[0], within=BACK_SECONDS)

    everybody = [*clients, newcomer, again, guest]
    await settle(everybody)
    assert bea.lines.count(f"100 {ana.nickname} {said}") == 1
    assert bea.lines.count(f"102 {ana.nickname} {whispered}") == 1
    await assert_promises_kept(everybody)


async def test_answers_to_commits_are_lost_again_and_again_under_load(
    node_factory: NodeFactory, proxy: RedisProxy
) -> None:
    _, _, clients = await chatting_through(node_factory, proxy)
    proxy.loses_every = 7

    async def until_many_are_lost() -> None:
        await until(lambda: proxy.lost >= 15, 60, lambda: f"{proxy.lost} of 15 lost answers")
        proxy.loses_every = 0

    names = [client.nickname for client in clients]
    await under_load(clients[:6], until_many_are_lost(), per_second=30, whisper_to=names)
    await settle(clients)
    assert_nobody_left(clients)
    await assert_promises_kept(clients)


async def test_the_bus_is_away_while_commits_go_through(
    node_factory: NodeFactory, proxy: RedisProxy
) -> None:
    shaky, _, clients = await chatting_through(node_factory, proxy)

    async def away() -> None:
        await elapse(0.5)
        proxy.refuses_bus = True
        assert proxy.cut_bus()
        page = await shaky.becomes_unready(30)
        assert page.json()["reasons"]
        await elapse(1.5)
        proxy.refuses_bus = False

    names = [client.nickname for client in clients]
    await under_load(clients, away(), per_second=20, whisper_to=names)
    await shaky.becomes_ready(BACK_SECONDS)
    await settle(clients)
    assert_nobody_left(clients)
    await assert_promises_kept(clients)


@pytest.mark.parametrize("next_one", [True, False], ids=["talk goes on", "silence follows"])
async def test_what_the_bus_loses_is_found_and_put_in_its_place(
    node_factory: NodeFactory, proxy: RedisProxy, next_one: bool
) -> None:
    _, _, clients = await chatting_through(node_factory, proxy)
    ana, bea = clients[0], clients[4]
    said, whispered = bea.unique(), bea.unique()
    for text in (said, whispered):
        proxy.news_to_lose = text.encode()
        if text == said:
            bea.say(text)
        else:
            bea.whisper(ana.nickname, text)
        await bea.answered()
        await until(lambda: not proxy.news_to_lose, 30, "the message to be lost")
        if next_one:
            bea.say()
            bea.whisper(ana.nickname)
    await ana.wait_for(lambda: f"100 {bea.nickname} {said}" in ana.lines, 30, "the public message")
    if next_one:  # where nothing follows, a letter's loss shows only when the next one comes
        line = f"102 {bea.nickname} {whispered}"
        await ana.wait_for(lambda: line in ana.lines, 30, "the private message")
    else:
        bea.whisper(ana.nickname)
        bea.whisper(ana.nickname)
    await settle(clients)
    await until(lambda: proxy.lost == 2, 30, "two losses")
    await assert_promises_kept(clients)


async def test_what_the_bus_loses_of_a_room_is_found_when_the_next_one_comes(
    node_factory: NodeFactory, proxy: RedisProxy
) -> None:
    """A room has no probe of its own, as the lobby has: it would cost something for each idle one."""
    _, _, clients = await chatting_through(node_factory, proxy)
    ana, bea = clients[2], clients[5]
    assert isinstance(bea, Wanderer) and ana.room == ROOMS[0]
    said = bea.unique()
    proxy.news_to_lose = said.encode()
    bea.say(said, ROOMS[0])
    await bea.answered()
    await until(lambda: not proxy.news_to_lose, 30, "the message to be lost")
    bea.say(room=ROOMS[0])
    await ana.expect_line(f"100 {bea.nickname} {said}")
    await settle(clients)
    await assert_promises_kept(clients)


@pytest.mark.parametrize("kind", ["bus", "commands"])
async def test_a_connection_to_redis_is_half_open(
    node_factory: NodeFactory, proxy: RedisProxy, kind: str
) -> None:
    """It looks alive, and brings nothing: only the node's own probes and time-outs can tell."""
    shaky, _, clients = await chatting_through(node_factory, proxy)

    async def stall() -> None:
        await elapse(0.5)
        stalled = [link for link in proxy.links if link.is_bus == (kind == "bus")]
        assert stalled
        for link in stalled:
            link.stalled = True
        before = len(clients[0].lines)
        # Those who sent before still wait, so what comes is what the node found again.
        await until(lambda: len(clients[0].lines) > before + 20, BACK_SECONDS, shaky.tail)

    names = [client.nickname for client in clients]
    await under_load(clients[2:], stall(), per_second=20, whisper_to=names)
    await shaky.becomes_ready(BACK_SECONDS)
    await settle(clients)
    assert_nobody_left(clients)
    await assert_promises_kept(clients)
