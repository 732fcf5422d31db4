"""Two real nodes that export their spans to a collector."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from harness.chatte_client import ChatteClient
from harness.load import settle
from harness.node import NodeFactory
from harness.waiting import until


class Collector:
    """What takes spans over HTTP."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, Span]] = []
        """Each with the node that made it."""
        self.paths: set[str] = set()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.paths.add(self.path)
                collector.take(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def take(self, request: ExportTraceServiceRequest) -> None:
        for of_resource in request.resource_spans:
            about = {it.key: it.value.string_value for it in of_resource.resource.attributes}
            assert about["service.name"] == "tertulia"
            for scope in of_resource.scope_spans:
                self.spans += [(about["service.instance.id"], span) for span in scope.spans]

    def end(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    try:
        yield collector
    finally:
        collector.end()


def number(span: Span, name: str) -> int:
    values = {it.key: it.value.int_value for it in span.attributes}
    return int(values[name])


async def test_a_message_is_one_trace_over_all_nodes(
    node_factory: NodeFactory, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "200")
    nodes = await node_factory.start_many(2, TRACING="otlp", DRAIN_NOTICE_SECONDS="0")
    clients = [
        await ChatteClient.enter_chat(node.port(), f"user-{i}") for i, node in enumerate(nodes)
    ]
    clients[0].say("x" * 1000)
    await settle(clients)

    def long_ones() -> list[tuple[str, Span]]:
        return [
            (node, span)
            for node, span in collector.spans
            if span.name == "commit" and number(span, "tertulia.bytes") >= 1000
        ]

    await until(long_ones, 30, "the commit to be exported")
    ((who, commit),) = long_ones()
    assert who == "node-1"
    assert number(commit, "tertulia.ops") >= 1
    assert commit.end_time_unix_nano > commit.start_time_unix_nano

    def children() -> dict[str, Span]:
        return {
            node: span
            for node, span in collector.spans
            if span.trace_id == commit.trace_id and span.parent_span_id == commit.span_id
        }

    await until(lambda: children().keys() == {"node-1", "node-2"}, 30, "both deliveries")
    assert {span.name for span in children().values()} == {"delivery"}
    assert collector.paths == {"/v1/traces"}

    # What was not exported yet is exported by a node that goes.
    before = len(collector.spans)
    clients[1].say()
    await clients[1].answered()
    nodes[0].terminate()
    assert await nodes[0].exit_status(30) == 0
    await until(
        lambda: any(node == "node-1" for node, _ in collector.spans[before:]), 30, "the rest"
    )


async def test_a_collector_that_is_away_costs_nobody_anything(
    node_factory: NodeFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
    node = await node_factory.start(TRACING="otlp", DRAIN_NOTICE_SECONDS="0")
    client = await ChatteClient.enter_chat(node.port(), "andy")
    for _ in range(20):
        client.say()
    await settle([client])
    node.terminate()
    assert await node.exit_status(30) == 0
