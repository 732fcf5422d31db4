"""Metrics as a table, for docs/metrics.md."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Metric

from tertulia.telemetry.metrics import Metrics

_OWN = {"le"}
"""Labels that a type of metrics has by itself."""


def table() -> str:
    """Return a line for each metric of a node, in Markdown: name, type, labels, meaning."""
    registry = CollectorRegistry()
    Metrics(registry, dialects=("x",), chats=("x",), version="", certificates=("x",))
    lines = ["| metric | type | labels | meaning |", "|---|---|---|---|", *rows(registry)]
    return "\n".join(lines) + "\n"


def rows(registry: CollectorRegistry) -> Iterator[str]:
    """Give the lines of a registry's metrics. Labels of a metric are known once it has a value."""
    for family in registry.collect():
        labels = sorted({label for sample in family.samples for label in sample.labels} - _OWN)
        told = ", ".join(f"`{label}`" for label in labels)
        yield f"| `{_shown(family)}` | {family.type} | {told} | {family.documentation} |"


def _shown(family: Metric) -> str:
    suffix = {"counter": "_total", "info": "_info"}.get(family.type, "")
    return family.name + suffix
