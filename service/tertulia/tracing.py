"""Spans of commits and deliveries. Off by default: then nobody is asked, and nothing is loaded."""

from importlib.util import find_spec
from typing import Literal, Protocol

from tertulia.dialects.contract import Place


class Tracer(Protocol):
    """Who is told of each batch and each entry; chosen once, at the start. None of it blocks or raises."""

    def committed(
        self, chat: str, node: str, batch: int, *, ops: int, size: int, tries: int, seconds: float,
        outcome: str,
    ) -> None:  # fmt: skip
        """Learn that a batch is through, just now: what was in it, and how long that took.

        ``size`` is in bytes of events and letters; ``outcome`` is ``committed``, or why not.
        """
        ...

    def delivered(self, chat: str, node: str, batch: int, place: Place, events: int) -> None:
        """Learn that an entry, which that node committed, was just written to the clients of this one."""
        ...

    async def stop(self) -> None:
        """Export what there is, within a few seconds."""
        ...


class TracingError(Exception):
    """Tracing can't begin; the text says why, and what to do."""


def check(exporter: Literal["off", "otlp"]) -> None:
    """Raise TracingError where what is set needs something that is not installed."""
    if exporter == "otlp" and not _is_installed():
        raise TracingError(
            "tracing is otlp, and OpenTelemetry is not installed: "
            "pip install 'tertulia[otel]', or set tracing to off"
        )


def start(exporter: Literal["off", "otlp"], node: str, version: str) -> Tracer | None:
    """Begin to export spans of a node; None where that is off. Raises TracingError."""
    if exporter == "off":
        return None
    check(exporter)
    from tertulia import otel

    return otel.start(node, version)


def _is_installed() -> bool:
    try:
        return all(
            map(find_spec, ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http"))
        )
    except ModuleNotFoundError:  # not even what they are in
        return False
