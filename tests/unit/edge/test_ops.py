"""Ops over HTTP: answers over a real loopback socket, time-outs with a clock advanced by hand."""

import asyncio
import contextlib
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, cast

import pytest
import structlog
import uvloop
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from harness.slowness import slowness
from tertulia.edge import ops
from tertulia.edge.ops import OpsConnection


class Broken(Collector):
    """A collector that fails when it is asked."""

    def collect(self) -> Iterator[Any]:
        raise RuntimeError("no figures today")


class Node:
    """What the ops port asks a node."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.counter = Counter("lamps", "Lamps that were lit.", registry=self.registry)
        self.reasons: list[str] = []

    def not_ready(self) -> list[str]:
        return self.reasons


@pytest.fixture
def node() -> Node:
    return Node()


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with structlog.testing.capture_logs():
        yield


# Over a socket


@pytest.fixture
async def port(node: Node) -> AsyncIterator[int]:
    server = await ops.serve("127.0.0.1", 0, registry=node.registry, not_ready=node.not_ready)
    yield server.sockets[0].getsockname()[1]
    server.close()


class Client:
    """An HTTP client that can be told to send anything."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, raw: bytes) -> None:
        self._writer.write(raw)

    def send_eof(self) -> None:
        self._writer.write_eof()

    async def answer(self, *, head: bool = False) -> tuple[int, dict[str, str], bytes]:
        raw = await self._reader.readuntil(b"\r\n\r\n")
        status, *lines = raw.decode().split("\r\n")[:-2]
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        length = 0 if head else int(headers["content-length"])
        return int(status.split()[1]), headers, await self._reader.readexactly(length)

    async def get(self, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        self.send(request("GET", path, **headers))
        return await self.answer()

    async def is_closed(self) -> bool:
        return await self._reader.read() == b""

    async def is_cut(self) -> bool:
        with contextlib.suppress(ConnectionError):
            return await self.is_closed()
        return True


def request(method: str, path: str, **headers: str) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in {"host": "x", **headers}.items())
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode()


@contextlib.asynccontextmanager
async def connected(port: int) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@pytest.fixture
async def client(port: int) -> AsyncIterator[Client]:
    async with connected(port) as client:
        yield client


async def test_alive(client: Client) -> None:
    status, headers, body = await client.get("/livez")
    assert (status, body) == (200, b"ok")
    assert headers["cache-control"] == "no-store"


async def test_ready_while_there_is_no_reason_not_to_be(client: Client, node: Node) -> None:
    status, headers, body = await client.get("/readyz")
    assert (status, json.loads(body)) == (200, {"ready": True, "reasons": []})
    assert headers["content-type"] == "application/json"
    node.reasons = ["redis is away", "draining"]
    status, _, body = await client.get("/readyz")
    assert (status, json.loads(body)) == (
        503,
        {"ready": False, "reasons": ["redis is away", "draining"]},
    )
    node.reasons = []
    assert (await client.get("/readyz"))[0] == 200


async def test_alive_also_when_not_ready(client: Client, node: Node) -> None:
    node.reasons = ["draining"]
    assert (await client.get("/livez"))[0] == 200
    assert (await client.get("/metrics"))[0] == 200


async def test_metrics_as_prometheus_text(client: Client, node: Node) -> None:
    node.counter.inc(7)
    status, headers, body = await client.get("/metrics")
    assert status == 200
    assert headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert b"\nlamps_total 7.0\n" in body


async def test_metrics_as_openmetrics_where_it_is_asked_for(client: Client, node: Node) -> None:
    accept = "application/openmetrics-text; version=1.0.0,text/plain;q=0.5"
    status, headers, body = await client.get("/metrics", accept=accept)
    assert status == 200
    assert headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    families = text_string_to_metric_families(body.decode())  # type: ignore[no-untyped-call]
    assert [family.name for family in families] == ["lamps"]


async def test_no_word_of_the_client_comes_back(client: Client) -> None:
    for accept in (
        "application/openmetrics-text; version=9.smuggled; escaping=smuggled",
        "text/plain; version=9.smuggled",
    ):
        status, headers, body = await client.get("/metrics", accept=accept)
        assert status == 200
        assert "smuggled" not in str(headers) + body.decode()
    assert b"smuggled" not in (await client.get("/smuggled"))[2]


async def test_head_is_get_without_the_body(client: Client, node: Node) -> None:
    node.reasons = ["draining"]
    for path, expected in (("/livez", 200), ("/readyz", 503), ("/metrics", 200), ("/", 404)):
        client.send(request("HEAD", path))
        status, headers, _ = await client.answer(head=True)
        assert status == expected
        assert int(headers["content-length"]) > 0
    assert (await client.get("/livez"))[2] == b"ok"


@pytest.mark.parametrize("path", ["/", "/livez/", "/LIVEZ", "/readyz/x", "*", "/..%2flivez"])
async def test_nothing_else_is_here(client: Client, path: str) -> None:
    assert (await client.get(path))[0] == 404
    assert (await client.get("/livez"))[0] == 200


async def test_a_query_makes_no_difference(client: Client) -> None:
    assert (await client.get("/livez?verbose=1"))[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "get", "PRI", "CONNECT"])
async def test_other_methods_are_not_allowed(client: Client, method: str) -> None:
    client.send(request(method, "/readyz"))
    status, headers, _ = await client.answer()
    assert status == 405
    assert headers["allow"] == "GET, HEAD"
    assert (await client.get("/livez"))[0] == 200


async def test_a_body_is_not_waited_for(client: Client) -> None:
    client.send(request("POST", "/metrics", **{"content-length": "1000000"}) + b"x" * 5000)
    status, headers, _ = await client.answer()
    assert status == 405
    assert headers["connection"] == "close"
    client.send(b"x" * 5000)
    assert await client.is_closed()


async def test_an_upgrade_is_answered_as_if_it_were_none(client: Client) -> None:
    assert (await client.get("/livez", connection="upgrade", upgrade="websocket"))[0] == 200
    assert (await client.get("/livez"))[0] == 200


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"hola\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET /livez HTTP/1.1\r\n\r\n", 400),  # no host
        (b"GET /livez HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", 400),
        (b"GET /livez HTTP/1.1\r\nhost: x\r\nspa ce: x\r\n\r\n", 400),
        (b"GET /livez HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n", 400),
        (b"GET /livez HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nz\r\n", 400),
        (b"HEAD /livez HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nz\r\n", 400),
        (b"GET /" + b"a" * 10_000, 431),
        (b"GET /livez HTTP/1.1\r\nhost: x\r\nx: " + b"a" * 10_000, 431),
        (b"\x00" * 10_000, 400),
    ],
)
async def test_garbage_is_refused_and_the_connection_closed(
    client: Client, raw: bytes, expected: int
) -> None:
    client.send(raw)
    status, headers, _ = await client.answer(head=raw.startswith(b"HEAD "))
    assert status == expected
    assert headers["connection"] == "close"
    client.send(b"more garbage")
    assert await client.is_closed()


async def test_what_comes_behind_a_head_is_refused_with_words(client: Client) -> None:
    client.send(request("HEAD", "/livez") + b"hola\r\n\r\n")
    assert (await client.answer(head=True))[0] == 200
    status, _, body = await client.answer()
    assert (status, bool(body)) == (400, True)
    assert await client.is_closed()


async def test_garbage_harms_nobody_else(client: Client, port: int) -> None:
    async with connected(port) as other:
        other.send(b"\x00\r\n\r\n")
        assert (await other.answer())[0] == 400
        assert (await client.get("/livez"))[0] == 200


async def test_an_old_client_is_answered_and_closed(client: Client) -> None:
    client.send(b"GET /readyz HTTP/1.0\r\n\r\n")
    status, headers, _ = await client.answer()
    assert (status, headers["connection"]) == (200, "close")
    assert await client.is_closed()


async def test_who_asks_to_close_is_closed(client: Client) -> None:
    assert (await client.get("/livez", connection="close"))[0] == 200
    assert await client.is_closed()


async def test_many_requests_at_once_are_answered_in_order(client: Client) -> None:
    paths = ["/livez", "/readyz", "/metrics", "/none"] * 10
    client.send(b"".join(request("GET", path) for path in paths))
    assert [(await client.answer())[0] for _ in paths] == [200, 200, 200, 404] * 10


async def test_what_was_asked_before_the_end_is_answered(client: Client) -> None:
    client.send(request("GET", "/livez") * 3)
    client.send_eof()
    assert [(await client.answer())[2] for _ in range(3)] == [b"ok"] * 3
    assert await client.is_closed()


@pytest.mark.parametrize("raw", [b"", b"GET /liv", b"\x00"])
async def test_an_end_in_the_middle_closes(client: Client, raw: bytes) -> None:
    client.send(raw)
    client.send_eof()
    # Either nothing or a complaint; in any case an end.
    assert (await client._reader.read())[:13] in (b"", b"HTTP/1.1 400 ")


def _fail() -> list[str]:
    raise RuntimeError("nobody knows")


async def test_who_holds_connections_keeps_nobody_out(port: int) -> None:
    async with contextlib.AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(connected(port)) for _ in range(ops.MOST_CONNECTIONS)
        ]
        for client in clients:
            assert (await client.get("/livez"))[0] == 200
        for _ in range(3):
            async with connected(port) as probe:
                assert (await probe.get("/readyz"))[0] == 200
                assert (await clients[-1].get("/livez"))[0] == 200
        assert await clients[0].is_cut()
        assert (await clients[-1].get("/livez"))[0] == 200


def test_the_same_on_the_loop_that_a_node_runs_on(node: Node) -> None:
    async def converse() -> None:
        server = await ops.serve("127.0.0.1", 0, registry=node.registry, not_ready=node.not_ready)
        port = server.sockets[0].getsockname()[1]
        await test_who_holds_connections_keeps_nobody_out(port)
        for talk in (
            test_many_requests_at_once_are_answered_in_order,
            test_what_was_asked_before_the_end_is_answered,
            test_who_asks_to_close_is_closed,
            test_a_body_is_not_waited_for,
        ):
            async with connected(port) as client:
                await talk(client)
        async with connected(port) as client:
            await test_garbage_is_refused_and_the_connection_closed(client, b"\x00" * 10_000, 400)
        server.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(converse())


# Without a socket


class Timer:
    """Something to be called at a time, unless it is cancelled."""

    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when = when
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Clock:
    """Time that is advanced by hand."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.timers: list[Timer] = []

    def call_soon(self, callback: Callable[[], None], /) -> Timer:
        return self.call_later(0.0, callback)

    def call_later(self, delay: float, callback: Callable[[], None], /) -> Timer:
        self.timers.append(Timer(self.now + delay, callback))
        return self.timers[-1]

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while due := [timer for timer in self.pending() if timer.when <= end]:
            timer = min(due, key=lambda timer: timer.when)
            self.timers.remove(timer)
            self.now = timer.when
            timer.callback()
        self.now = end

    def turn(self) -> None:
        """Call what is due now, but nothing that only this makes due."""
        for timer in [timer for timer in self.pending() if timer.when <= self.now]:
            self.timers.remove(timer)
            timer.callback()

    def pending(self) -> list[Timer]:
        return [timer for timer in self.timers if not timer.cancelled]


class Transport:
    """A transport that keeps what was written."""

    def __init__(self) -> None:
        self.written = b""
        self.writes = 0
        self.reading = True
        self.ended = False
        self.closed = False
        self.aborted = False

    def write(self, data: bytes) -> None:
        assert not self.ended
        self.written += data
        self.writes += 1

    def write_eof(self) -> None:
        self.ended = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = True


class Bench:
    """A connection between a transport and a clock of wood."""

    def __init__(self, node: Node, connections: dict[OpsConnection, None] | None = None) -> None:
        self.connections = {} if connections is None else connections
        self.clock = Clock()
        self.transport = Transport()
        pages = ops.pages(node.registry, lambda: node.not_ready())
        self.evictions = 0
        self.connection = OpsConnection(
            pages, self.connections, self.clock, most_connections=2, evicting=self.count_eviction
        )
        self.connection.connection_made(cast(asyncio.Transport, self.transport))

    def count_eviction(self) -> None:
        self.evictions += 1

    @property
    def statuses(self) -> list[int]:
        """The statuses of all answers so far."""
        return [int(status) for status in re.findall(rb"HTTP/1.1 (\d+)", self.transport.written)]


GET = request("GET", "/livez")


@pytest.fixture
def bench(node: Node) -> Bench:
    return Bench(node)


def test_the_bounds() -> None:
    assert (ops.TIMEOUT, ops.MOST_CONNECTIONS) == (10.0, 64)
    assert ops.MOST_HEADER_BYTES <= 16_384


def test_who_asks_nothing_is_closed_without_a_word(bench: Bench) -> None:
    bench.clock.advance(9.9)
    assert not bench.transport.aborted
    bench.clock.advance(0.2)
    assert bench.transport.aborted
    assert bench.transport.written == b""


def test_who_asks_no_more_is_closed_without_a_word(bench: Bench) -> None:
    bench.clock.advance(9)
    bench.connection.data_received(GET)
    written = bench.transport.written
    bench.clock.advance(9)
    bench.connection.data_received(GET)
    assert bench.transport.written == written * 2
    bench.clock.advance(9.9)
    assert not bench.transport.aborted
    bench.clock.advance(0.2)
    assert bench.transport.aborted
    assert bench.transport.written == written * 2


def test_a_request_gets_its_whole_time_also_after_a_long_silence(bench: Bench) -> None:
    bench.clock.advance(9.9)
    bench.connection.data_received(GET[:5])
    bench.clock.advance(9.9)
    bench.connection.data_received(GET[5:])
    assert bench.statuses == [200]


def test_a_request_that_trickles_is_ended(bench: Bench) -> None:
    for byte in b"GET /livez HT":
        bench.connection.data_received(bytes([byte]))
        bench.clock.advance(0.75)
    assert bench.statuses == []
    bench.clock.advance(0.5)
    assert bench.statuses == [408]
    assert bench.transport.ended
    bench.connection.data_received(GET)  # too late
    assert bench.statuses == [408]
    bench.clock.advance(10)
    assert bench.transport.aborted


def test_who_stays_after_the_last_answer_is_cut(bench: Bench) -> None:
    bench.connection.data_received(b"garbage\r\n\r\n")
    assert bench.statuses == [400]
    assert bench.transport.ended
    assert not bench.transport.closed
    bench.clock.advance(9.9)
    bench.connection.data_received(b"more")
    assert not bench.transport.aborted
    bench.clock.advance(0.2)
    assert bench.transport.aborted


def test_who_goes_after_the_last_answer_is_closed(bench: Bench) -> None:
    bench.connection.data_received(b"garbage\r\n\r\n")
    assert bench.connection.eof_received() is False


def test_who_goes_is_closed(bench: Bench) -> None:
    bench.connection.data_received(GET)
    assert bench.connection.eof_received() is False


def test_who_goes_with_requests_unanswered_is_closed_after_the_last_answer(bench: Bench) -> None:
    bench.connection.data_received(GET * 3)
    assert bench.connection.eof_received()
    assert not bench.transport.closed
    bench.clock.advance(0.1)
    assert bench.statuses == [200] * 3
    assert bench.transport.closed


def test_who_does_not_read_is_not_served_and_cut_in_the_end(bench: Bench) -> None:
    bench.connection.pause_writing()
    assert not bench.transport.reading
    bench.connection.data_received(GET * 3)
    assert bench.statuses == []
    bench.clock.advance(10.1)
    assert bench.transport.aborted
    assert bench.statuses == []


def test_who_reads_again_is_served_on(bench: Bench) -> None:
    bench.connection.data_received(GET * 3)
    bench.connection.pause_writing()
    bench.clock.advance(1)
    assert bench.statuses == [200]
    bench.connection.resume_writing()
    bench.clock.advance(1)
    assert bench.statuses == [200] * 3
    assert bench.transport.reading


def test_one_request_a_turn_of_the_loop(bench: Bench) -> None:
    bench.connection.data_received(GET * 100)
    for turn in range(1, 100):
        assert len(bench.statuses) == turn
        assert not bench.transport.reading  # so no more than one read is ever buffered
        bench.clock.turn()
    assert len(bench.statuses) == 100
    assert bench.transport.reading


def test_a_header_is_too_long_also_where_it_comes_whole_in_one_read(node: Node) -> None:
    """Thousands of lines would hold up the chat for as long as it takes to look at them."""
    header = request("GET", "/livez")[:-2] + b"a:\r\n" * 60_000 + b"\r\n"
    took = []
    for _ in range(9):
        bench = Bench(node)
        began = time.thread_time()
        bench.connection.data_received(header)
        took.append(time.thread_time() - began)
        assert bench.statuses == [431]
    assert min(took) / slowness() < 0.01


def test_an_answer_is_one_write(bench: Bench) -> None:
    bench.connection.data_received(request("GET", "/metrics"))
    assert bench.transport.writes == 1


def test_a_lost_connection_leaves_nothing_behind(bench: Bench) -> None:
    bench.connection.data_received(GET * 2)
    bench.connection.connection_lost(ConnectionResetError())
    assert not bench.connections
    bench.clock.advance(100)
    assert bench.statuses == [200]
    assert not bench.clock.pending()
    assert not bench.transport.aborted


def test_for_one_too_many_the_idlest_is_closed(node: Node) -> None:
    connections: dict[OpsConnection, None] = {}
    first, second = (Bench(node, connections) for _ in range(2))
    first.connection.data_received(GET)
    second.connection.data_received(GET[:5])  # it has begun to ask, but gets nowhere
    third = Bench(node, connections)
    assert second.transport.aborted
    assert third.evictions == 1
    third.connection.data_received(GET)
    assert third.statuses == [200]
    first.connection.data_received(GET)
    fourth = Bench(node, connections)
    assert third.transport.aborted
    assert not first.transport.aborted
    fourth.connection.data_received(GET)
    assert fourth.statuses == [200]
    for gone in (second, third):
        gone.connection.data_received(GET)  # what had come before it was cut
        gone.connection.connection_lost(None)
    assert list(connections) == [first.connection, fourth.connection]
    fourth.connection.connection_lost(None)
    assert Bench(node, connections).evictions == 0


def test_pages_that_fail_are_a_500_and_a_log_line(bench: Bench, node: Node) -> None:
    node.not_ready = _fail  # type: ignore[method-assign]
    node.registry.register(_late(Broken()))
    with structlog.testing.capture_logs() as logs:
        bench.connection.data_received(request("GET", "/readyz"))
        bench.connection.data_received(request("GET", "/metrics"))
        bench.connection.data_received(request("GET", "/livez"))
    assert bench.statuses == [500, 500, 200]
    assert [(log["page"], log["log_level"]) for log in logs] == [
        ("readyz", "error"),
        ("metrics", "error"),
    ]


def _late(collector: Collector) -> Collector:
    # A registry asks a collector for its names at once, unless it can describe itself.
    collector.describe = list  # type: ignore[attr-defined]
    return collector


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=30),
            st.sampled_from(
                [
                    GET,
                    request("HEAD", "/metrics"),
                    request("POST", "/x", **{"content-length": "3"}),
                    request("CONNECT", "x:1"),
                    request("GET", "/livez", connection="close"),
                    request("GET", "/livez", expect="100-continue", **{"content-length": "1"}),
                    b"\r\n",
                    b"GET / HTTP/1.0\r\n\r\n",
                    b"a" * 9000,
                ]
            ),
        ),
        max_size=8,
    ),
    st.sampled_from(["eof", "lost", "silence"]),
)
def test_whatever_comes_nothing_is_raised_and_everything_ends(
    chunks: list[bytes], ending: str
) -> None:
    bench = Bench(Node())
    for chunk in chunks:
        bench.connection.data_received(chunk)
        bench.clock.turn()
    if ending == "eof":
        closes = not bench.connection.eof_received()
        bench.clock.advance(1)
        assert closes or bench.transport.closed
    elif ending == "silence":
        bench.clock.advance(20.5)
        assert bench.transport.aborted
    bench.connection.connection_lost(None)
    assert not bench.connections
    bench.clock.advance(100)
    assert not bench.clock.pending()
    assert all(status in {200, 400, 404, 405, 408, 431, 505} for status in bench.statuses)
