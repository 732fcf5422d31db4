"""The operator's HTTP: health, readiness, metrics."""

import asyncio
import contextlib
import json
import socket

import pytest
from prometheus_client.parser import text_string_to_metric_families

from harness.chatte_client import ChatteClient
from harness.load import connect_many, settle
from harness.node import NodeFactory, samples
from harness.redis_server import RedisServer
from harness.waiting import until

SECRET = "zqx"
"""In everything that this client sends; in no other word."""


async def test_a_node_with_redis_is_alive_and_ready(node_factory: NodeFactory) -> None:
    node = await node_factory.start()
    assert (await node.get("/livez")).status == 200
    page = await node.readyz()
    assert page.status == 200
    assert "json" in page.content_type
    assert page.json()["ready"] is True
    assert (await node.get("/")).status == 404
    assert (await node.get("/nothing/here")).status == 404


@pytest.mark.slow
async def test_readiness_says_why_it_is_red_and_recovers(
    node_factory: NodeFactory, redis_server: RedisServer
) -> None:
    node = await node_factory.start()
    redis_server.stop()
    page = await node.becomes_unready(30)
    assert "json" in page.content_type
    assert page.json()["reasons"]

    async def blames_redis() -> bool:
        reasons = (await node.readyz()).json()["reasons"]
        return any("redis" in str(reason).lower() for reason in reasons)

    await until(blames_redis, 30, "the reason", every=0.05)
    assert (await node.get("/livez")).status == 200
    redis_server.start()
    page = await node.becomes_ready(30)
    assert not page.json()["reasons"]


async def test_the_metrics_count_what_happens(node_factory: NodeFactory) -> None:
    node = await node_factory.start()
    before = await totals(node_factory)
    clients = await connect_many([node.port()], 3, "user")
    for client in clients:
        client.say()
        client.whisper(clients[0].nickname)
        client.send(b"no command\n")
    await settle(clients)
    clients[2].close()
    await clients[0].expect_line("151 user-2 just left the chat")

    page = await node.get("/metrics")
    assert page.status == 200
    assert page.content_type.startswith("text/plain")
    families = {family.name: family for family in text_string_to_metric_families(page.body)}
    assert families
    for family in families.values():
        assert family.documentation, family.name
        if family.name.startswith("tertulia"):
            assert family.type in {"counter", "gauge", "histogram", "info", "summary"}, family.name
    ours = {name for name in families if name.startswith("tertulia")}
    for word in (
        *("sessions", "join", "leave", "message", "deliver", "batch", "commit", "gap", "recover"),
        *("fenc", "bur", "disconnect", "redis", "lag", "build"),
    ):
        assert any(word in name for name in ours), f"no metric of {word}: {sorted(ours)}"
    after = await totals(node_factory)
    assert after["sessions"] == 2
    assert after["joins"] - before.get("joins", 0) == 3
    # Three, and the one by which the room settled; and three private ones.
    assert after["messages"] - before.get("messages", 0) == 7
    assert await node.disconnects("gone") == 1


async def totals(factory: NodeFactory) -> dict[str, float]:
    """Return the sums, over labels, of some counters and gauges, by a word in their names."""
    found: dict[str, float] = {}
    for sample in await factory.nodes[0].metrics():
        name = sample.name.removeprefix("tertulia_").removesuffix("_total")
        if name in ("sessions", "joins", "messages"):
            found[name] = found.get(name, 0) + sample.value
    return found


async def test_no_label_holds_or_grows_with_what_clients_send(node_factory: NodeFactory) -> None:
    node = await node_factory.start()

    async def provoke(turn: int) -> None:
        client = await ChatteClient.enter_chat(node.port(), f"{SECRET}{turn}")
        client.say(f"{SECRET} hola")
        client.whisper(f"{SECRET}-nobody", f"{SECRET} psst")
        client.send(f"{SECRET}\n999 {SECRET}\n".encode())
        await client.answered()
        refused = await ChatteClient.connect(node.port())
        refused.send(f"{SECRET} is invalid\n".encode())
        await refused.disconnected()
        client.close()
        await client.disconnected()

    await provoke(0)
    first = len(await series(node_factory))
    await asyncio.gather(*(provoke(turn) for turn in range(1, 12)))
    for path in (f"/{SECRET}", f"/metrics?{SECRET}={SECRET}", f"/readyz/{SECRET}"):
        await node.get(path)
    page = await node.get("/metrics")
    assert SECRET not in page.body.lower()
    assert len(await series(node_factory)) == first
    assert SECRET not in "\n".join(node.lines).lower()


async def series(factory: NodeFactory) -> set[tuple[str, str]]:
    """Return the names and labels of all that is counted."""
    return {
        (sample.name, json.dumps(sample.labels, sort_keys=True))
        for sample in await factory.nodes[0].metrics()
    }


async def test_bad_requests_trouble_neither_the_ops_port_nor_the_chat(
    node_factory: NodeFactory,
) -> None:
    node = await node_factory.start()
    member = await ChatteClient.enter_chat(node.port(), "member")
    idle = [socket.create_connection(("127.0.0.1", node.ops_port)) for _ in range(10)]
    for request in (
        *(b"\x00\xff garbage\r\n\r\n", b"GET\r\n\r\n", b"POST /metrics HTTP/1.1\r\n\r\n"),
        b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n",
        *(b"GET /livez HTTP/1.1\r\n" + b"A: b\r\n" * 10_000, b"\r\n" * 1000),
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", node.ops_port)
        with contextlib.suppress(OSError, TimeoutError):
            writer.write(request)
            writer.write_eof()
            async with asyncio.timeout(30):
                answer = await reader.read()
            assert b" 200 " not in answer.split(b"\r\n")[0]
        writer.close()
    assert (await node.get("/livez")).status == 200
    member.say()
    await member.answered()
    for sock in idle:
        sock.close()
    assert node.running


async def test_the_metrics_can_be_read_as_often_as_wanted(node_factory: NodeFactory) -> None:
    node = await node_factory.start()
    pages = await asyncio.gather(*(node.get("/metrics") for _ in range(20)))
    assert all(samples(page.body) for page in pages)
    await until(node.metrics, 30, "metrics")
