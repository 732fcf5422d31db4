"""Whoever has to go reads why, in its dialect's words, and the connection closes behind them."""

import pytest

from harness.browser_client import BrowserClient
from harness.chatte_client import WITHIN, ChatteClient
from harness.device_client import PASSWORD, sign_up
from harness.dialects import launch, listener, port
from harness.node import QUICK, Node, NodeFactory
from harness.protocollo_client import CLOSE, RESTARTS, ClassicClient, ProtocolloClient
from harness.waiting import until

pytestmark = pytest.mark.slow

DEVICES: dict[str, object] = {"dialect": "device", "host": "127.0.0.1", "port": 0, "chat": "main"}
EACH: tuple[type[ChatteClient], ...] = (
    ChatteClient,
    ProtocolloClient,
    ClassicClient,
    BrowserClient,
)
RESTART = "102 G The server restarts. Please come back in a moment."
GONE_SECONDS = 15.0


class Places:
    """Three nodes: one that stays, and two that speak the two wordings of protocollo."""

    def __init__(self, factory: NodeFactory, **settings: str) -> None:
        kinds: list[tuple[type[ChatteClient], ...]] = [
            (ChatteClient,),
            (ChatteClient, ProtocolloClient, BrowserClient),
            (ClassicClient,),
        ]
        self.nodes = [
            launch(factory, [*map(listener, each), DEVICES], **QUICK, **settings) for each in kinds
        ]
        for node in self.nodes:
            node.ready_sync()
        self.staying, *self.going = self.nodes

    def of(self, kind: type[ChatteClient]) -> Node:
        return self.going[kind is ClassicClient]

    async def enter(self, kind: type[ChatteClient], nickname: str = "") -> ChatteClient:
        name = nickname or kind.__name__
        return await kind.enter_chat(port(self.of(kind), kind), name)


async def read_last(client: ChatteClient, *words: str, within: float = GONE_SECONDS) -> None:
    """Wait for the end of a connection, and compare what was read last."""
    await client.disconnected(within)
    assert tuple(client.lines[-len(words) :]) == words, client.describe()


async def assert_told_of_a_restart(clients: list[ChatteClient], reason: str) -> None:
    chatte, page, classic, browser = clients
    await read_last(chatte, RESTART)
    await read_last(page, RESTARTS)
    await read_last(classic, CLOSE)
    assert RESTARTS not in classic.lines
    assert isinstance(browser, BrowserClient)
    await browser.disconnected(GONE_SECONDS)
    assert (browser.close_code, browser.close_reason) == (4000, reason)


async def test_a_node_that_shuts_down_says_so(node_factory: NodeFactory) -> None:
    places = Places(node_factory)
    witness = await ChatteClient.enter_chat(places.staying.port(), "witness")
    clients = [await places.enter(kind) for kind in EACH]
    for client in clients:
        client.say("last words")
    for node in places.going:
        node.terminate()
    await assert_told_of_a_restart(clients, "drained")
    for kind in EACH:
        await witness.wait_for(
            lambda kind=kind: f"100 {kind.__name__} last words" in witness.lines,  # type: ignore[misc]
            WITHIN,
            "what was said before",
        )
    for node in places.going:
        assert await node.exit_status(GONE_SECONDS) == 0
    assert RESTART not in witness.lines


async def test_who_can_read_nothing_yet_is_waited_for_when_its_node_shuts_down(
    node_factory: NodeFactory,
) -> None:
    places = Places(node_factory)
    witness = await ChatteClient.enter_chat(places.staying.port(), "witness")
    anna = await ProtocolloClient.connect(port(places.going[1], ClassicClient))  # says no `null`
    anna.send(b"anna\n")
    await anna.next_line()
    await witness.expect_line("150 anna just join to the chat")
    witness.say("uno")
    witness.whisper("anna", "due")
    await witness.answered()
    places.going[1].terminate()
    assert await places.going[1].exit_status(GONE_SECONDS) == 0
    await anna.disconnected()
    assert sorted(anna.lines[1:-1]) == ["witness.@G> uno", "witness> due"]
    assert anna.lines[-1] == CLOSE
    await witness.expect_line("151 anna just left the chat")
    witness.say("end")
    await witness.answered()
    assert not any("not delivered" in line for line in witness.lines), "it was read"


async def test_a_node_that_was_thought_dead_says_so_when_it_wakes(
    node_factory: NodeFactory,
) -> None:
    places = Places(node_factory)
    witness = await ChatteClient.enter_chat(places.staying.port(), "witness")
    clients = [await places.enter(kind) for kind in EACH]
    for node in places.going:
        node.freeze()
    await until(
        lambda: sum(line.startswith("151 ") for line in witness.lines) == len(clients),
        40,
        "all to be buried",
    )
    for node in places.going:
        node.thaw()
    await assert_told_of_a_restart(clients, "fenced")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (ChatteClient, ("102 G Your nickname went to another connection.",)),
        (ProtocolloClient, ("G> il tuo nome è passato a un'altra connessione", CLOSE)),
        (ClassicClient, ("G> il tuo nome è passato a un'altra connessione", CLOSE)),
    ],
)
async def test_whose_nickname_is_taken_over_reads_so(
    node_factory: NodeFactory, kind: type[ChatteClient], words: tuple[str, ...]
) -> None:
    places = Places(node_factory)
    await sign_up(places.staying.port("device"), "anna")
    clients = []
    for _ in range(2):
        client = await kind.connect(port(places.of(kind), kind))
        client.nickname = "anna"
        client.send(f"anna:{PASSWORD}\n".encode())
        await client.wait_for(lambda client=client: client.welcomed, WITHIN, "the welcome")  # type: ignore[misc]
        clients.append(client)
    await read_last(clients[0], *words)
    assert clients[1].connected


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (ChatteClient, ("102 G Too many of your lines were too long.",)),
        (ProtocolloClient, ("G> troppe righe troppo lunghe", CLOSE)),
        (ClassicClient, ("G> troppe righe troppo lunghe", CLOSE)),
    ],
)
@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
async def test_who_writes_too_many_long_lines_reads_so(
    node_factory: NodeFactory, kind: type[ChatteClient], words: tuple[str, ...], end: bytes
) -> None:
    places = Places(node_factory, LIMITS__LONG_LINES="2")
    client = await places.enter(kind)
    client.send((b"x" * 5000 + end) * 6)
    await read_last(client, *words)
