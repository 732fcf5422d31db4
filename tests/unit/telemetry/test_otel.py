"""Spans: what is in them, how those of several nodes hang together, and that nobody waits for them."""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from structlog.testing import capture_logs

from tertulia.domain.position import Position
from tertulia.telemetry import tracing
from tertulia.telemetry.otel import OtelTracer, resource
from tertulia.telemetry.tracer import TracingError


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES", "OTEL_TRACES_SAMPLER"):
        monkeypatch.delenv(name, raising=False)
    yield


class Node:
    """A node that traces, and what it made."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.tracer = OtelTracer(Resource({}), SimpleSpanProcessor(self._exporter))

    def commit(self, batch: int, outcome: str = "committed") -> None:
        self.tracer.committed(
            "main", "eu-1~a", batch, ops=3, size=250, tries=2, seconds=0.25, outcome=outcome
        )

    def deliver(self, batch: int, at: float) -> None:
        self.tracer.delivered("main", "eu-1~a", batch, Position("e", 7, at), 2)

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        return self._exporter.get_finished_spans()


def ids(span: ReadableSpan) -> tuple[int, int]:
    assert span.context is not None
    return span.context.trace_id, span.context.span_id


def length(span: ReadableSpan) -> float:
    assert span.start_time is not None and span.end_time is not None
    return (span.end_time - span.start_time) / 1e9


def test_a_commit_tells_what_was_in_it_and_how_it_went() -> None:
    node = Node()
    node.commit(5)
    (span,) = node.spans
    assert (span.name, span.kind, span.parent) == ("commit", SpanKind.CLIENT, None)
    assert dict(span.attributes or {}) == {
        "db.system.name": "redis",
        "tertulia.chat": "main",
        "tertulia.node": "eu-1~a",
        "tertulia.batch": 5,
        "tertulia.ops": 3,
        "tertulia.bytes": 250,
        "tertulia.tries": 2,
        "tertulia.outcome": "committed",
    }
    assert length(span) == pytest.approx(0.25)
    assert span.end_time is not None and abs(span.end_time / 1e9 - time.time()) < 60
    assert span.status.status_code is StatusCode.UNSET
    node.commit(6, "fenced")
    assert node.spans[1].status.status_code is StatusCode.ERROR
    assert ids(node.spans[1])[0] != ids(span)[0]


def test_deliveries_on_all_nodes_are_children_of_the_commit() -> None:
    committing, other = Node(), Node()
    committing.commit(5)
    published = time.time() - 0.1
    committing.deliver(5, published)
    other.deliver(5, published)
    commit, own = committing.spans
    (far,) = other.spans
    for delivery in (own, far):
        assert (delivery.name, delivery.kind) == ("delivery", SpanKind.CONSUMER)
        assert delivery.parent is not None
        assert (delivery.parent.trace_id, delivery.parent.span_id) == ids(commit)
        assert ids(delivery)[0] == ids(commit)[0]
        assert 0.09 < length(delivery) < 60  # longer on a busy machine
        assert dict(delivery.attributes or {}) == {
            "tertulia.chat": "main",
            "tertulia.epoch": "e",
            "tertulia.offset": 7,
            "tertulia.events": 2,
        }
    assert len({ids(span)[1] for span in (commit, own, far)}) == 3


def test_what_no_commit_brought_is_a_trace_of_its_own() -> None:
    node = Node()
    node.deliver(0, time.time())
    node.deliver(0, time.time())
    first, second = node.spans
    assert first.parent is None and ids(first)[0] != ids(second)[0]


def test_a_clock_that_is_ahead_makes_no_negative_time() -> None:
    node = Node()
    node.deliver(5, time.time() + 60)
    node.deliver(6, 0.0)  # an entry of a later version
    assert [length(span) for span in node.spans] == [0, 0]


def test_nodes_sample_the_same_traces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.5")
    committing, other = Node(), Node()
    for batch in range(1, 201):
        committing.commit(batch)
        other.deliver(batch, time.time())
    sampled = {ids(span)[0] for span in committing.spans}
    assert 50 < len(sampled) < 150
    assert {ids(span)[0] for span in other.spans} == sampled


def test_who_makes_the_spans_is_told_and_may_be_said_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = resource("eu-1", "1.2.3").attributes
    assert (told["service.name"], told["service.instance.id"]) == ("tertulia", "eu-1")
    assert told["service.version"] == "1.2.3"
    monkeypatch.setenv("OTEL_SERVICE_NAME", "chat")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test")
    told = resource("eu-1", "1.2.3").attributes
    assert (told["service.name"], told["deployment.environment"]) == ("chat", "test")


class Stuck(SpanExporter):
    """A collector that never answers."""

    def __init__(self) -> None:
        self.released = threading.Event()

    def export(self, spans: Any) -> SpanExportResult:
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self.released.wait(100)


async def test_a_collector_that_does_not_answer_holds_up_no_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tertulia.telemetry.otel._STOP_SECONDS", 0.1)
    stuck = Stuck()
    tracer = OtelTracer(Resource({}), SimpleSpanProcessor(stuck))
    async with asyncio.timeout(30):  # the collector would take 100
        await tracer.stop()
    stuck.released.set()


@pytest.mark.slow
def test_off_nothing_is_made_nor_loaded() -> None:
    assert tracing.start("off", "eu-1", "1") is None
    code = "import sys, tertulia.node.node; assert 'tertulia.telemetry.otel' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("gone", ["opentelemetry", "opentelemetry.sdk"])
@pytest.mark.parametrize("command", ["serve", "check"])
def test_without_the_extra_it_is_one_line_and_status_2(command: str, gone: str) -> None:
    code = (
        f"import sys; sys.modules[{gone!r}] = None; sys.argv[0] = 'tertulia'\n"
        "from tertulia.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, command],
        env={"TERTULIA_TRACING": "otlp", "TERTULIA_OPS__PORT": "0", "PATH": ""},
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert "pip install 'tertulia[otel]'" in line and "tracing" in line


def test_a_wrong_variable_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "-1")
    with pytest.raises(TracingError, match="look at the OTEL_ variables"):
        tracing.start("otlp", "eu-1", "1")


async def test_a_defect_of_it_is_told_once_and_ends_nothing() -> None:
    class Broken(SimpleSpanProcessor):
        def on_end(self, span: ReadableSpan) -> None:
            raise ZeroDivisionError

    tracer = OtelTracer(Resource({}), Broken(InMemorySpanExporter()))
    with capture_logs() as lines:
        for batch in (1, 2):
            tracer.committed(
                "main", "x", batch, ops=1, size=1, tries=1, seconds=0.1, outcome="committed"
            )
            tracer.delivered("main", "x", batch, Position("e", 1, 1.0), 1)
    assert [line["event"] for line in lines] == ["a span could not be made"]
