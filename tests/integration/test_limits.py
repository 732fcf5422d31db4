"""What a client may do to a node: nothing that others notice."""

import asyncio
import random
import statistics

import pytest

from harness.browser_client import BrowserClient
from harness.chatte_client import GREETING, ChatteClient
from harness.dialects import launch, listener, port
from harness.load import assert_promises_kept, connect_many, settle, under_load
from harness.node import Node, NodeFactory
from harness.protocollo_client import ClassicClient, ProtocolloClient
from harness.waiting import until
from history.record import Acked, ReceivedPublic, SentPublic


@pytest.mark.slow
async def test_who_chooses_no_nickname_in_time_is_disconnected(node_factory: NodeFactory) -> None:
    node = await node_factory.start(LIMITS__ENTER_SECONDS="2")
    member = await ChatteClient.enter_chat(node.port(), "member")
    started = member.history.now()
    silent = await ChatteClient.connect(node.port(), "silent")
    dripping = await ChatteClient.connect(node.port(), "dripping")

    async def drip() -> None:
        def one_byte() -> bool:
            dripping.send(b"x")
            return dripping.closed

        await until(one_byte, 30, "the dripping client's end", every=0.1)

    await asyncio.gather(silent.disconnected(), drip())
    assert 1.9 < member.history.now() - started < 30  # it is 60 where nothing is set
    assert silent.lines == [GREETING]
    member.say()
    await member.answered()
    assert member.connected
    assert await node.disconnects("enter_timeout") == 2


async def test_one_address_has_so_many_connections_and_no_more(node_factory: NodeFactory) -> None:
    node = await node_factory.start(LIMITS__CONNECTIONS_PER_ADDRESS="3")
    clients = await connect_many([node.port()], 3, "user")
    for _ in range(3):
        refused = await ChatteClient.connect(node.port(), "one too many")
        await refused.disconnected()
        assert not refused.welcomed
    elsewhere = await ChatteClient.connect(node.port(), "elsewhere", source="127.0.0.2")
    assert await elsewhere.enter("elsewhere")
    clients[0].close()
    await clients[1].expect_line("151 user-0 just left the chat")
    freed = await ChatteClient.enter_chat(node.port(), "freed")
    await settle([*clients[1:], elsewhere, freed])
    assert await node.disconnects("too_many_from_address") == 3


async def test_all_addresses_together_have_so_many_connections(node_factory: NodeFactory) -> None:
    node = await node_factory.start(LIMITS__CONNECTIONS="2")
    clients = await connect_many([node.port()], 2, "user")
    refused = await ChatteClient.connect(node.port(), "one too many", source="127.0.0.2")
    await refused.disconnected()
    assert await node.disconnects("too_many") == 1
    await settle(clients)


@pytest.mark.parametrize("split", ["whole", "by byte"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
async def test_acknowledgements_are_no_commands_however_they_end(
    node_factory: NodeFactory, end: bytes, split: str
) -> None:
    """At a command in a thousand seconds: nothing of it is left for them."""
    node = await node_factory.start(LIMITS__COMMANDS_PER_SECOND="0.001", LIMITS__COMMANDS_BURST="2")
    client = await ChatteClient.connect(node.port(), acknowledges=False)
    assert await client.enter("client")  # which was a command
    sent = (b"101 Message received." + end) * 300 + b"100 and this" + end
    for part in (sent,) if split == "whole" else (sent[i : i + 1] for i in range(len(sent))):
        client.send(part)
        if split == "by byte":
            await asyncio.sleep(0)  # so that it is read in many pieces
    await client.expect_line("100 client and this")
    await client.expect_line("101 Message sent.")


@pytest.mark.slow
async def test_a_flood_is_slowed_and_not_dropped(node_factory: NodeFactory) -> None:
    nodes = await node_factory.start_many(
        2, LIMITS__COMMANDS_PER_SECOND="40", LIMITS__COMMANDS_BURST="20"
    )
    flooder = await ChatteClient.enter_chat(nodes[0].port(), "flooder", acknowledges=False)
    others = await connect_many([node.port() for node in nodes], 4, "user", acknowledges=False)
    started = flooder.history.now()
    texts = [flooder.say() for _ in range(140)]

    async def until_answered() -> None:
        await flooder.answered(60)

    # The others talk meanwhile, as if nothing were.
    await under_load(others[:2], until_answered(), per_second=10)
    took = flooder.history.now() - started
    assert took > 120 / 40 * 0.8
    for other in others[:2]:
        waits = answer_times(other)
        assert len(waits) >= 10
        # The machine may stand still for a moment: one in ten may wait for that.
        assert statistics.quantiles(waits, n=10)[-1] < took / 3
    await settle([flooder, *others])
    for reader in others:
        got = [r.text for r in reader.history.of(ReceivedPublic) if r.nickname == "flooder"]
        assert [text for text in got if text in set(texts)] == texts
    assert flooder.connected
    await assert_promises_kept([flooder, *others])


TOLD = {
    ChatteClient: "102 G You write too fast: what you write is passed on more slowly, all of it.",
    ProtocolloClient: "G> scrivi troppo in fretta: quello che scrivi passa più lentamente, ma tutto",
    ClassicClient: "G> scrivi troppo in fretta: quello che scrivi passa più lentamente, ma tutto",
    BrowserClient: '{"type":"slowed"}',
}


async def times_slowed(node: Node) -> float:
    return sum(
        it.value
        for it in await node.metrics()
        if it.name == "tertulia_reads_paused_total" and it.labels["limit"] == "messages"
    )


@pytest.mark.slow
@pytest.mark.parametrize("dialect", list(TOLD))
async def test_who_says_too_much_is_told_once_and_nothing_is_dropped(
    node_factory: NodeFactory, dialect: type[ChatteClient]
) -> None:
    """On the listener that says so; who comes in by another one may say more."""
    other = ChatteClient if dialect is BrowserClient else BrowserClient
    slow = listener(dialect) | {"messages_per_second": 20, "messages_burst": 10}
    node = launch(node_factory, [slow, listener(other)])
    await node.ready()
    reader = await other.enter_chat(port(node, other), "reader")
    sayer = await dialect.enter_chat(port(node, dialect), "sayer")
    started = sayer.history.now()
    texts = [sayer.say() for _ in range(50)]

    def all_came() -> bool:
        return [it.text for it in reader.history.of(ReceivedPublic)] == texts

    await until(all_came, 60, "everything that was said")
    assert sayer.history.now() - started > 40 / 20 * 0.8
    assert sayer.lines.count(TOLD[dialect]) == 1
    slowed = await times_slowed(node)
    assert (
        slowed >= 10
    )  # 40, but for what it may say again where the machine stood still for a moment
    more = [reader.say() for _ in range(50)]
    await until(
        lambda: [it.text for it in sayer.history.of(ReceivedPublic)][-50:] == more, 60, "the rest"
    )
    assert await times_slowed(node) == slowed
    assert TOLD[other] not in reader.lines


def answer_times(client: ChatteClient) -> list[float]:
    """Return how long each of a client's public messages waited for its acknowledgement."""
    sent = {record.text: record.at for record in client.history.of(SentPublic)}
    return [record.at - sent[record.text] for record in client.history.of(Acked)]


UNBOUND = {
    "LIMITS__COMMANDS_PER_SECOND": "100000",
    "LIMITS__COMMANDS_BURST": "100000",
    "LIMITS__BYTES_PER_SECOND": "100000000",
    "LIMITS__BYTES_BURST": "100000000",
}
ways_to_send = pytest.mark.parametrize("io_uring", ["true", "false"])


@pytest.mark.slow
@ways_to_send
async def test_who_does_not_read_is_disconnected_and_slows_nobody(
    node_factory: NodeFactory, io_uring: str
) -> None:
    node = await node_factory.start(LIMITS__OUTBOX_BYTES="131072", IO_URING=io_uring, **UNBOUND)
    clients = await connect_many([node.port()], 4, "user", acknowledges=False)
    sleeper = await ChatteClient.connect(node.port(), "sleeper", receive_buffer=4096)
    assert await sleeper.enter("sleeper")
    await clients[0].expect_line("150 sleeper just join to the chat")
    sleeper.stop_reading()
    filling = "x" * 3900

    async def until_it_is_gone() -> None:
        await clients[0].expect_line("151 sleeper just left the chat", 200)

    async def talk(client: ChatteClient, gone: asyncio.Event) -> None:
        # Some megabytes are in the system's buffers before the node has a backlog at all.
        for i in range(2000):
            await until(lambda: client.unanswered < 8, 30, "answers", every=0.001)
            if gone.is_set():
                return
            client.say(f"{client.nickname} {i} {filling}")

    gone = asyncio.Event()
    talkers = [asyncio.create_task(talk(client, gone)) for client in clients]
    try:
        await until_it_is_gone()
    finally:
        gone.set()
        await asyncio.gather(*talkers)
    assert await node.disconnects("slow_reader") == 1
    for client in clients:
        assert client.connected
        # The machine may stand still for a moment: one in twenty may wait for that.
        assert statistics.quantiles(answer_times(client), n=20)[-1] < 2
    sleeper.go_on_reading()
    await sleeper.disconnected()
    await settle(clients)
    await assert_promises_kept([*clients, sleeper])


@pytest.mark.slow
@ways_to_send
async def test_a_slow_reader_that_reads_in_time_misses_nothing(
    node_factory: NodeFactory, io_uring: str
) -> None:
    node = await node_factory.start(IO_URING=io_uring, LIMITS__OUTBOX_PAUSE_BYTES="1000", **UNBOUND)
    speakers = await connect_many([node.port()], 3, "user", acknowledges=False)
    reader = await ChatteClient.connect(node.port(), "reader", receive_buffer=4096)
    assert await reader.enter("reader")
    filling = "x" * 3900

    async def lags() -> bool:
        return any(
            sample.name == "tertulia_slow_readers" and sample.value == 1
            for sample in await node.metrics()
        )

    async def talk(rounds: int) -> None:
        for i in range(rounds):
            for speaker in speakers:
                speaker.say(f"{speaker.unique()} {filling}")
            if i % 5 == 0:  # what is private comes between
                speakers[0].whisper("reader", f"{speakers[0].unique()} {filling}")
            await asyncio.gather(*(speaker.answered(30) for speaker in speakers))

    for _ in range(3):
        reader.stop_reading()
        for _ in range(60):  # until the system's buffers are full
            await talk(10)
            if await lags():
                break
        else:
            pytest.fail("the reader never lagged")
        await talk(5)
        reader.go_on_reading()
        await talk(20)
        await settle([*speakers, reader])
    await assert_promises_kept([*speakers, reader])


async def test_who_sends_one_long_line_after_another_is_disconnected(
    node_factory: NodeFactory,
) -> None:
    node = await node_factory.start()
    member = await ChatteClient.enter_chat(node.port(), "member")
    rude = await ChatteClient.enter_chat(node.port(), "rude")

    def one_more() -> bool:
        rude.send(b"x" * 5000 + b"\n")
        return rude.closed

    await until(one_more, 30, "the end of the one who is rude", every=0.01)
    await member.expect_line("151 rude just left the chat")
    assert await node.disconnects("long_lines") == 1


@pytest.mark.slow
async def test_garbage_ends_no_node_and_reaches_no_log(node_factory: NodeFactory) -> None:
    node = await node_factory.start()
    members = await connect_many([node.port()], 3, "member")
    rng = random.Random(1234)  # the same garbage every time
    joined = 0

    async def garbage(turn: int) -> None:
        nonlocal joined
        client = await ChatteClient.connect(node.port(), f"garbage-{turn}", acknowledges=False)
        if turn % 2:
            joined += 1
            client.send(f"garbage-{turn}\n".encode())
        for _ in range(rng.randrange(1, 8)):
            client.send(some_garbage(rng))
        await until(lambda: client.unsent() == 0 or client.closed, 30, "the garbage to be sent")
        rng.choice([client.close, client.abort, client.half_close])()
        await client.disconnected()

    for turn in range(0, 160, 8):
        await asyncio.gather(*(garbage(turn + i) for i in range(8)))
        for member in members:
            member.say()
    for member in members:
        await member.answered()
        assert member.connected
    assert joined
    assert node.running
    assert await node.disconnects("internal") == 0
    log = "\n".join(node.lines)
    assert "Traceback" not in log
    assert "\x1b" not in log
    assert "needle" not in log

    # All who came have gone. Somebody may be let in only now, though it went long ago.
    def who(code: str) -> set[str]:
        return {it.split(" ")[1] for it in members[0].lines if it.startswith(f"{code} garbage")}

    await until(lambda: who("150") and who("150") == who("151"), 30, members[0].describe)


def some_garbage(rng: random.Random) -> bytes:
    """Return bytes of one of many bad kinds."""
    one_line = rng.randbytes(50).replace(b"\n", b"")
    return rng.choice(
        [
            rng.randbytes(rng.randrange(1, 400)),
            rng.randbytes(rng.randrange(4000, 9000)) + b"\n",
            b"\n" * rng.randrange(1, 200),
            b"100 \x1b[2J\x1b]0;needle\x07\n102 needle \x00\n",
            b"100 " + one_line + b"\n",
            b"102 member-0 " + one_line + b"\n",
            b"GET /needle HTTP/1.1\r\nHost: needle\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # the start of TLS
            b"101 Message received.\n" * 50 + b"101 Mess",
            b"\xed\xa0\x80\xf4\x90\x80\x80\xc0\xaf\n",  # surrogates, too large, overlong
            b"100 \xed\xa0\x80\n",
        ]
    )
