"""Clients behind a proxy that says who they are, and those who only pretend to be one."""

import json
from pathlib import Path
from typing import Any, cast

import pytest

from harness.browser_client import BrowserClient
from harness.certificates import make
from harness.chatte_client import GREETING, INVALID, ChatteClient
from harness.device_client import DeviceClient
from harness.dialects import launch
from harness.load import settle
from harness.node import Listener, Node, NodeFactory
from harness.proxy_headers import LOCAL, raw_v2, tlv, v1, v2
from harness.redis_server import RedisServer
from harness.waiting import until

FAR = "203.0.113.7"
OTHER = "2001:db8::7"
STRANGER = "127.0.0.2"
"""An address of this machine that is not trusted."""
TRUSTED = {"TRUSTED_PROXIES": '["127.0.0.1"]'}
ALL = tuple(Listener(dialect) for dialect in ("chatte", "protocollo", "browser", "device"))


async def trusting(factory: NodeFactory, enter_seconds: int) -> Node:
    """Start a node that trusts 127.0.0.1."""
    settings = {
        "LIMITS__ENTER_SECONDS": str(enter_seconds),
        "LIMITS__CONNECTIONS_PER_ADDRESS": "2",
        "DRAIN_SECONDS": "120",
    }
    node = factory.launch(listeners=ALL, settings=TRUSTED | settings)
    await node.ready()
    return node


@pytest.fixture
async def node(node_factory: NodeFactory) -> Node:
    """Start one for which nobody is too slow."""
    return await trusting(node_factory, 120)


def place(redis: RedisServer, nickname: str) -> tuple[str, str]:
    """Return where somebody in the room is, as all nodes know."""
    kept = cast(dict[str, str], redis.control.hgetall(f"{{main}}:nick:{nickname}"))
    return kept["address"], kept["port"]


async def test_a_client_is_where_its_proxy_says(node: Node, redis_server: RedisServer) -> None:
    headers = {
        "v1-4": (v1(FAR, 40_001), (FAR, "40001")),
        "v1-6": (v1(OTHER, 40_002), (OTHER, "40002")),
        "v2-4": (v2(FAR, 40_003), (FAR, "40003")),
        "v2-6": (v2(OTHER, 40_004, tlv(4, b"x" * 500)), (OTHER, "40004")),
    }
    for nickname, (header, expected) in headers.items():
        client = await ChatteClient.connect(node.port(), nickname, header=header)
        assert await client.enter(nickname)
        assert client.lines[0] == GREETING
        assert place(redis_server, nickname) == expected
    browser = await BrowserClient.connect(
        node.port("browser"), "browser", header=v2("198.51.100.1", 1)
    )
    assert await browser.enter("browser")
    assert place(redis_server, "browser") == ("198.51.100.1", "1")


async def test_a_proxy_that_speaks_for_itself_is_served_as_itself(
    node: Node, redis_server: RedisServer
) -> None:
    for nickname, header in {"local": raw_v2(0, b"", LOCAL), "v1": b"PROXY UNKNOWN\r\n"}.items():
        client = await ChatteClient.connect(node.port(), nickname, header=header)
        assert await client.enter(nickname)
        assert place(redis_server, nickname)[0] == "127.0.0.1"


async def test_the_first_words_may_come_with_the_header_or_all_of_it_byte_by_byte(
    node: Node,
) -> None:
    at_once = await ChatteClient.connect(node.port(), "andy", header=v2(FAR, 1) + b"andy\n100 hi\n")
    await at_once.expect_line("101 Message sent.")
    slow = await ChatteClient.connect(node.port(), "achury")
    for byte in v1(FAR, 2) + b"achury\n":
        await slow_down()
        slow.send(bytes([byte]))
    await at_once.expect_line("150 achury just join to the chat")


async def slow_down() -> None:
    """Let what was written go, so that the next byte comes alone."""
    turns = iter(range(3))
    await until(lambda: next(turns) == 2, 30, "three turns of the loop", every=0.001)


async def test_the_client_s_address_counts_and_not_its_proxy_s(node: Node) -> None:
    async def come(name: str, address: str) -> ChatteClient:
        return await ChatteClient.connect(node.port(), name, header=v2(address, 1))

    first, second = await come("first", FAR), await come("second", FAR)
    third = await come("third", FAR)
    await third.disconnected()
    assert third.lines == []
    assert await node.disconnects("too_many_from_address") == 1
    others = [await come(f"other-{i}", f"198.51.100.{i}") for i in range(5)]
    for client in (first, second, *others):
        assert await client.enter(client.nickname)
    first.close()
    await second.expect_line("151 first just left the chat")
    again = await come("again", FAR)
    assert await again.enter("again")
    await settle([second, again, *others])


async def test_to_whom_is_not_trusted_a_header_is_ordinary_bytes(node: Node) -> None:
    client = await ChatteClient.connect(node.port(), "liar", source=STRANGER, header=v1(FAR, 1))
    await client.expect_line(INVALID)
    honest = await ChatteClient.connect(node.port(), "honest", source=STRANGER)
    assert await honest.enter("honest")
    binary = await ChatteClient.connect(node.port(), "2", source=STRANGER, header=v2(FAR, 1))
    await binary.expect_line(INVALID)
    assert await node.disconnects("proxy_header") == 0


async def test_a_header_of_nobody_trusted_is_counted_and_told_once_in_each_dialect(
    node_factory: NodeFactory, tmp_path: Path
) -> None:
    """That is how a balancer looks that was left out of trusted_proxies; else only its clients notice."""
    made = make(tmp_path)
    names = ("chatte", "protocollo", "browser", "device")
    listeners: list[dict[str, object]] = [{"dialect": name, "port": 0} for name in names]
    private = {"dialect": "chatte", "port": 0, "chat": "private", "certificate": str(made.both)}
    node = launch(node_factory, [*listeners, private])
    await node.ready()
    for name, chat in (*((name, "main") for name in names), ("chatte", "private")):
        for header in (v2(FAR, 1), v1(FAR, 1), v2(FAR, 2)):
            client = await ChatteClient.connect(node.port(name, chat), header=header)
            client.send(b"x")  # in TLS, not even a handshake
            client.abort()
    honest = await ChatteClient.enter_chat(node.port(), "honest")
    honest.send(b"100 PROXY \n")
    honest.send(b"PROXY TCP4 \n")

    async def counted() -> bool:
        found = {it.name: it.value for it in await node.metrics()}
        return found["tertulia_untrusted_proxy_headers_total"] == 3 * 5

    await until(counted, 30, "all to be counted")

    def complaints() -> list[dict[str, Any]]:
        words = "PROXY header of nobody trusted"
        return [json.loads(line) for line in list(node.lines) if words in line]

    await until(lambda: len(complaints()) >= 5, 30, "the log to say so")
    lines = complaints()
    assert sorted(it["dialect"] for it in lines) == sorted((*names, "chatte"))
    assert {(it["proxy"], it["level"], it["count"]) for it in lines} == {
        ("127.0.0.1", "warning", 1)
    }
    assert FAR not in "".join(node.lines)


async def test_a_proxy_without_its_header_is_refused_and_named_once(
    node_factory: NodeFactory,
) -> None:
    node = await trusting(node_factory, 1)
    word = "zqx"
    for i, sent in enumerate([f"{word}\n".encode(), v1(FAR, 1)[:9] + f"{word}\r\n".encode()], 1):
        client = await ChatteClient.connect(node.port(), "bare", header=sent)
        await client.disconnected()
        assert client.lines == []
        assert await node.disconnects("proxy_header") == i
    half = await ChatteClient.connect(node.port(), "half", header=v2(FAR, 1)[:-1])
    half.half_close()
    await half.disconnected()
    silent = await ChatteClient.connect(node.port(), "silent")
    await silent.disconnected(30)
    dripping = await ChatteClient.connect(node.port(), "dripping", header=v2(FAR, 1)[:5])
    await dripping.disconnected(30)

    async def counted() -> bool:
        return await node.disconnects("proxy_header") == 5

    await until(counted, 30, "all to be counted")
    words = "no PROXY header"
    await until(lambda: any(words in it for it in list(node.lines)), 30, "the log to say so")
    complaints = [json.loads(line) for line in node.lines if words in line]
    assert [(it["proxy"], it["level"]) for it in complaints] == [("127.0.0.1", "warning")]
    assert word not in "".join(node.lines)


async def test_a_proxy_that_only_looks_is_no_fault(node: Node) -> None:
    client = await ChatteClient.connect(node.port(), "check")
    client.close()

    async def gone() -> bool:
        return all(
            it.value == 0 for it in await node.metrics() if it.name == "tertulia_connections"
        )

    await until(gone, 30, "the check to be gone")
    assert await node.disconnects("proxy_header") == 0


async def test_a_device_is_where_its_proxy_says(node: Node, redis_server: RedisServer) -> None:
    async with await DeviceClient.connect(node.port("device"), header=v2(FAR, 5)) as device:
        for value, expected in ((1, 1), ("anna", 0), ("s3cret", 0), (5001, 0)):
            device.send(value)
            assert await device.integer() == expected
        await device.close()
    kept = cast(dict[str, str], redis_server.control.hgetall("{main}:device:anna"))
    assert (kept["address"], kept["port"]) == (FAR, "5001")


async def test_who_is_at_the_entrance_holds_up_no_drain(node: Node) -> None:
    waiting = await ChatteClient.connect(node.port(), "waiting", header=v2(FAR, 1)[:-1])
    member = await ChatteClient.connect(node.port(), "member", header=v2(FAR, 1))
    assert await member.enter("member")
    node.terminate()
    await waiting.disconnected(30)
    await member.disconnected(30)
    assert await node.exit_status(30) == 0


async def test_the_operator_s_port_is_not_proxied(node: Node) -> None:
    assert (await node.get("/livez")).status == 200


async def test_a_listener_on_both_protocols_knows_ipv4_addresses_as_such(
    node_factory: NodeFactory, redis_server: RedisServer
) -> None:
    listeners = [{"dialect": "chatte", "host": "::", "port": 0}]
    node = launch(node_factory, listeners, **TRUSTED)
    await node.ready()
    proxied = await ChatteClient.connect(node.port(), "proxied", header=v2(FAR, 1))
    assert await proxied.enter("proxied")
    assert place(redis_server, "proxied") == (FAR, "1")
    direct = await ChatteClient.connect(node.port(), "direct", source=STRANGER)
    assert await direct.enter("direct")
    assert place(redis_server, "direct")[0] == STRANGER


async def test_without_trusted_proxies_nobody_is_asked_for_a_header(
    node_factory: NodeFactory,
) -> None:
    node = await node_factory.start()
    client = await ChatteClient.connect(node.port(), "liar", header=v1(FAR, 1))
    await client.expect_line(INVALID)
