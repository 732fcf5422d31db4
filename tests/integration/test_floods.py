"""Somebody sends the cheapest that a dialect has, as fast as he can: his neighbours hardly notice."""

import asyncio
import json
import statistics
import time
from pathlib import Path

import pytest
from websockets.frames import Frame, Opcode

from harness.chatte_client import ChatteClient
from harness.device_client import sign_up
from harness.flooder import Flooder
from harness.node import Node, NodeFactory
from harness.waiting import until

pytestmark = pytest.mark.slow

MOST_SECONDS = 0.05
TRIES = 20
"""The machine may be busy with something else: once it has to be quick."""
SAID = 25
LIFTED = {
    "LIMITS__COMMANDS_PER_SECOND": "1000000",
    "LIMITS__COMMANDS_BURST": "1000000",
    "LIMITS__BYTES_PER_SECOND": "1000000000",
    "LIMITS__BYTES_BURST": "1000000000",
}
"""So that the flood is bounded by nothing but turns, and takes all that the node has."""
SHIPPED = {"LIMITS__MESSAGES_PER_SECOND": "50", "LIMITS__MESSAGES_BURST": "200"}
"""What a node by itself has."""


def masked(opcode: Opcode, data: bytes = b"", *, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin=fin).serialize(mask=True)


HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: c2l4dGVlbiBieXRlcyBvaw==\r\n\r\n"
)
ENTER = HANDSHAKE + masked(Opcode.TEXT, b'{"type":"enter","nickname":"flood"}')
REGISTER = b"NICK flood\nUSER flood 0 * :flood\n"
REQUEST = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
FLOODS: dict[str, tuple[str, bytes, bytes]] = {
    "chatte": ("chatte", b"flood\n", b"\n"),
    "chatte, acknowledgements": (
        "chatte", b"flood\n", b"101 Message received.\n101 Message received.\r\n",
    ),
    "chatte, messages": ("chatte", b"flood\n", b"100 \n"),
    "protocollo": ("protocollo", b"flood\n", b"\n"),
    "classic": ("classic", b"flood\nnull\n\n", b"\n"),
    "device, text": ("device", b"10\nanna\nbruno\n", b"\n"),
    "device, binary": ("device", b"\0\0\0\x0a\0\x04\0\0anna\0\x05\0\0bruno", b"\0\0\0\0"),
    "browser, pings": ("browser", ENTER, masked(Opcode.PING)),
    "browser, pongs": ("browser", ENTER, masked(Opcode.PONG)),
    "browser, fragments": (
        "browser", ENTER + masked(Opcode.TEXT, fin=False), masked(Opcode.CONT, fin=False),
    ),
    "browser, empty messages": ("browser", ENTER, masked(Opcode.TEXT)),
    "irc": ("irc", REGISTER, b"\n"),
    "irc, pongs": ("irc", REGISTER, b"PONG x\n"),
    "irc, messages": ("irc", REGISTER, b"PRIVMSG #lobby :x\n"),
    "irc, lists": ("irc", REGISTER, b"NAMES #lobby\nWHO *\nLIST\nMODE #lobby +q\n"),
    "irc, tags": ("irc", REGISTER, b"@" + b"a=\\:;" * 800 + b" TAGMSG #lobby\n"),
    "page": ("browser", b"GET / HTTP/1.1\r\n", b"a:\r\n"),
    "ops, requests": ("ops", b"", REQUEST),
    "ops, headers": ("ops", b"GET / HTTP/1.1\r\n", b"a:\r\n"),
    "proxy header": ("proxied", b"PROXY UNKNOWN\r\n", b"\n"),
}  # fmt: skip

DIALECTS = ("chatte", "protocollo", "classic", "browser", "irc")


async def start(factory: NodeFactory, kind: str, limits: dict[str, str]) -> Node:
    """Start a node with a listener for a neighbour, and one to flood."""
    dialect = {"classic": "protocollo", "ops": "browser", "proxied": "chatte"}.get(kind, kind)
    chatte = {"dialect": "chatte", "host": "127.0.0.1", "port": 0, "chat": "main"}
    flooded = {"dialect": dialect, "host": "127.0.0.1", "port": 0}
    if kind == "classic":
        flooded["wording"] = "classic"
    listeners = [chatte] if dialect == "chatte" else [chatte, flooded]
    settings = {**SHIPPED, **limits, "LISTENERS": json.dumps(listeners)}
    if kind == "proxied":
        settings["TRUSTED_PROXIES"] = '["127.0.0.1/32"]'
    node = factory.launch(settings=settings)
    await node.ready()
    if kind == "device":
        for name in ("anna", "bruno"):
            await sign_up(node.port("device"), name)
    return node


async def ninth_of_ten(client: ChatteClient) -> float:
    """Say something again and again; return how long nine of ten answers took at most."""
    took = []
    for _ in range(SAID):
        began = time.monotonic()
        client.say()
        await client.answered(60)
        took.append(time.monotonic() - began)
        await asyncio.sleep(0.02)  # the pacer: below the rate at which people may talk
    return statistics.quantiles(took, n=10)[-1]


@pytest.mark.parametrize(
    ("flood", "limits"),
    [(it, {}) for it in FLOODS] + [(it, LIFTED) for it in FLOODS if it.startswith(DIALECTS)],
    ids=[*FLOODS, *(f"{it}, no limits" for it in FLOODS if it.startswith(DIALECTS))],
)
async def test_a_neighbour_of_a_flood_is_answered_as_ever(
    node_factory: NodeFactory, flood: str, limits: dict[str, str]
) -> None:
    kind, first, each = FLOODS[flood]
    node = await start(node_factory, kind, limits)
    # Who comes from elsewhere is no proxy.
    neighbour = await ChatteClient.connect(node.port(), "neighbour", source="127.0.0.2")
    assert await neighbour.enter("neighbour")
    alone = await ninth_of_ten(neighbour)
    port = {"ops": node.ops_port, "proxied": node.port()}.get(
        kind, node.ports.get(("protocollo" if kind == "classic" else kind, "main"), 0)
    )
    with Flooder(port, first, each) as flooder:
        await until(lambda: flooder.sent > 1 << 16, 120, "the flood")
        tries: list[float] = []
        while len(tries) < TRIES and (not tries or min(tries) >= MOST_SECONDS + alone):
            tries.append(await ninth_of_ten(neighbour))
        assert min(tries) < MOST_SECONDS + alone, f"{tries}, and {alone} without"
        assert neighbour.connected
    assert node.running
    assert await node.disconnects("internal") == 0


def resident(node: Node) -> int:
    """Return a node's memory in bytes."""
    status = Path(f"/proc/{node.pid}/status").read_text()
    line = next(it for it in status.splitlines() if it.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


async def test_pongs_that_nobody_reads_take_no_memory_and_end_as_any_backlog(
    node_factory: NodeFactory,
) -> None:
    node = node_factory.launch(
        settings={
            "LIMITS__OUTBOX_BYTES": "131072",
            "LISTENERS": json.dumps(
                [
                    {"dialect": it, "host": "127.0.0.1", "port": 0}
                    for it in ("chatte", "browser")
                ]
            ),
            **LIFTED,  # it is the backlog alone that bounds it
        }
    )  # fmt: skip
    await node.ready()
    neighbour = await ChatteClient.enter_chat(node.port(), "neighbour")
    before = resident(node)
    ping = masked(Opcode.PING, b"x" * 125)
    with Flooder(node.port("browser"), ENTER, ping, reads=False) as flooder:
        await neighbour.expect_line("150 flood just join to the chat")
        sent, since = 0, time.monotonic()

        def stands_still() -> bool:
            nonlocal sent, since
            if flooder.sent != sent:
                sent, since = flooder.sent, time.monotonic()
            return time.monotonic() - since > 1.0

        await until(stands_still, 60, "the node to read no more of it")
        assert resident(node) - before < 30 << 20
        assert neighbour.connected
        assert await node.disconnects("slow_reader") == 0
        # What others say comes on top, until there is too much of it.
        for _ in range(60):
            neighbour.say("x" * 4000)
            await neighbour.answered()
        await neighbour.expect_line("151 flood just left the chat")
        assert await node.disconnects("slow_reader") >= 1
