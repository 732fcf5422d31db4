"""Spans by OpenTelemetry. Only loaded where tracing is on.

A commit is the root of a trace, and the deliveries of its entry, on whatever nodes, are its children. No
context travels with the entry: both ids of a commit's span follow from chat, node and batch number, which
every node knows of every entry.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from functools import wraps
from hashlib import blake2b
from typing import Concatenate, Final, ParamSpec

import structlog
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
)

from tertulia.domain.position import Position
from tertulia.telemetry.tracer import TracingError

_STOP_SECONDS: Final = 3.0
"""A collector that does not answer holds up no node that goes."""
_NS: Final = 1_000_000_000

_Args = ParamSpec("_Args")

_log = structlog.get_logger(__name__)


class _Ids(RandomIdGenerator):
    """Random ids, but for a span whose ids are chosen."""

    def __init__(self) -> None:
        self.chosen: tuple[int, int] | None = None

    def generate_trace_id(self) -> int:
        return self.chosen[0] if self.chosen else super().generate_trace_id()

    def generate_span_id(self) -> int:
        return self.chosen[1] if self.chosen else super().generate_span_id()


def _harmless(make: Callable[Concatenate["OtelTracer", _Args], None]) -> Callable[..., None]:
    """Let no defect of a library that only watches end a node; tell the first."""

    @wraps(make)
    def guarded(tracer: "OtelTracer", *args: _Args.args, **named: _Args.kwargs) -> None:
        try:
            make(tracer, *args, **named)
        except Exception:
            if not tracer.has_failed:
                tracer.has_failed = True
                _log.exception("a span could not be made")

    return guarded


class OtelTracer:
    """Makes the spans of a node."""

    def __init__(self, resource: Resource, processor: SpanProcessor) -> None:
        """Hand spans to ``processor``; which are sampled, the environment says (``OTEL_TRACES_SAMPLER``)."""
        self.has_failed = False
        self._ids = _Ids()
        self._provider = TracerProvider(
            resource=resource, id_generator=self._ids, shutdown_on_exit=False
        )
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("tertulia")

    @_harmless
    def committed(
        self, chat: str, node: str, batch: int, *, ops: int, size: int, tries: int, seconds: float,
        outcome: str,
    ) -> None:  # fmt: skip
        end = time.time_ns()
        self._ids.chosen = _ids_of(chat, node, batch)
        try:
            span = self._tracer.start_span(
                "commit",
                kind=SpanKind.CLIENT,
                start_time=end - int(seconds * _NS),
                attributes={
                    "db.system.name": "redis",
                    "tertulia.chat": chat,
                    "tertulia.node": node,
                    "tertulia.batch": batch,
                    "tertulia.ops": ops,
                    "tertulia.bytes": size,
                    "tertulia.tries": tries,
                    "tertulia.outcome": outcome,
                },
            )
        finally:
            self._ids.chosen = None
        if outcome != "committed":
            span.set_status(Status(StatusCode.ERROR, outcome))
        span.end(end)

    @_harmless
    def delivered(self, chat: str, node: str, batch: int, position: Position, events: int) -> None:
        end = time.time_ns()
        begin = int(position.at * _NS)
        span = self._tracer.start_span(
            "delivery",
            context=self._commit(chat, node, batch),
            kind=SpanKind.CONSUMER,
            # By Redis' clock, which may be ahead of this machine's.
            start_time=min(begin, end) if begin else end,
            attributes={
                "tertulia.chat": chat,
                "tertulia.epoch": position.epoch,
                "tertulia.offset": position.offset,
                "tertulia.events": events,
            },
        )
        span.end(end)

    async def stop(self) -> None:
        loop, stopped = asyncio.get_running_loop(), asyncio.Event()

        def shut_down() -> None:
            self._provider.shutdown()
            with contextlib.suppress(RuntimeError):  # nobody waited that long
                loop.call_soon_threadsafe(stopped.set)

        # Not the loop's own threads: the process would wait for them, however long it takes.
        threading.Thread(target=shut_down, name="tracing", daemon=True).start()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STOP_SECONDS):
                await stopped.wait()

    def _commit(self, chat: str, node: str, batch: int) -> Context:
        """Return the context of a commit's span, sampled as the committing node decided as well."""
        if not batch:
            return (
                Context()
            )  # what a burial, or a node that writes its members down, appends itself
        trace_id, span_id = _ids_of(chat, node, batch)
        judged = self._provider.sampler.should_sample(None, trace_id, "commit")
        sampled = judged.decision is Decision.RECORD_AND_SAMPLE
        flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
        parent = SpanContext(trace_id, span_id, is_remote=True, trace_flags=flags)
        return trace.set_span_in_context(NonRecordingSpan(parent), Context())


def start(node: str, version: str) -> OtelTracer:
    """Export over HTTP, as the ``OTEL_…`` variables say. Raises TracingError."""
    try:
        return OtelTracer(resource(node, version), BatchSpanProcessor(OTLPSpanExporter()))
    except ValueError as error:
        raise TracingError(f"tracing can't begin ({error}): look at the OTEL_ variables") from error


def resource(node: str, version: str) -> Resource:
    """Return who makes the spans: this node, unless the environment says otherwise."""
    named = Resource({SERVICE_NAME: "tertulia"})
    stated = Resource.create({"service.instance.id": node, "service.version": version})
    unnamed = str(stated.attributes[SERVICE_NAME]).startswith("unknown_service")
    return stated.merge(named) if unnamed else stated


def _ids_of(chat: str, node: str, batch: int) -> tuple[int, int]:
    """Return the ids of the trace and the span of a batch."""
    digest = blake2b(f"{chat} {node} {batch}".encode(), digest_size=24).digest()
    return int.from_bytes(digest[:16], "big"), int.from_bytes(digest[16:], "big")
