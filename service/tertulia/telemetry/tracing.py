"""Spans of commits and deliveries. Off by default: then nobody is asked, and nothing is loaded."""

from importlib.util import find_spec
from typing import Literal

from tertulia.telemetry.tracer import Tracer, TracingError


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
    from tertulia.telemetry import otel

    return otel.start(node, version)


def _is_installed() -> bool:
    try:
        return all(
            map(find_spec, ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http"))
        )
    except ModuleNotFoundError:  # not even what they are in
        return False
