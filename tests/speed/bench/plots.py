"""The results as pictures, PNG and SVG. Every server has the same colour in all of them."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture
from matplotlib.ticker import NullFormatter

from speed.bench.cases import CLIENTS
from speed.bench.results import CaseResult, Figure, Results, SideResult, by_name

mpl.use("Agg")
mpl.rcParams |= {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "svg.hashsalt": "bench",  # the same picture is the same file
    "svg.fonttype": "none",
}

# From the palette of Okabe and Ito, which colour-blind readers can tell apart.
_COLOURS: Final = {
    "tertulia": "#0072B2",
    "C limit": "#999999",
    "InspIRCd": "#E69F00",
    "ngIRCd": "#CC79A7",
    "nats-server": "#009E73",
    "nats-server, stored": "#56B4E9",
    "tertulia, without io_uring": "#0B3C5D",
    "Ergo": "#D55E00",
    "Centrifugo": "#F0E442",
}
_OTHERS: Final = ("#0072B2", "#56B4E9", "#009E73", "#E69F00")
_ROLES: Final = {"node": "#0072B2", "redis": "#D55E00"}
_HEIGHT: Final = 4.0
_WIDTH: Final = 7.0
"""Inches of one panel."""

Groups = Mapping[str, Sequence[float | None]]
"""What each server has, group by group."""


def draw(results: Results, directory: Path) -> list[str]:
    """Draw what there are results for, and return the names of the pictures, without suffix."""
    cases = by_name(results.cases)
    drawn = []
    for name, picture in _pictures(cases):
        picture.tight_layout()
        picture.savefig(directory / f"{name}.png", dpi=120)
        picture.savefig(directory / f"{name}.svg", metadata={"Date": None})
        drawn.append(name)
    return drawn


def _pictures(cases: Mapping[str, CaseResult]) -> Iterator[tuple[str, Picture]]:
    paces = [it for it in ("w1", "w16") if any(f"fanout-{n}-{it}" in cases for n in CLIENTS)]
    if paces:
        picture, panels = _panels(len(paces))
        for panel, pace in zip(panels, paces, strict=True):
            _by_clients(panel, cases, pace, "deliveries", scale=1e-6)
            panel.set_ylabel("deliveries per second, millions")
            panel.set_title(f"Fan-out, {pace[1:]} in flight for each of 10 senders")
        yield "fan-out", picture
    if any(f"fanout-{n}-r100" in cases for n in CLIENTS):
        picture, (panel,) = _panels(1, width=9.0)
        _by_clients(panel, cases, "r100", "cpu")
        panel.set_ylabel("CPU time per delivery, µs")
        panel.set_title("Fan-out at 100 messages per second")
        yield "cpu-per-delivery", picture
    if case := cases.get("fanout-1000-r100"):
        picture, (panel,) = _panels(1, width=9.0)
        _latencies(panel, case)
        yield "latency", picture
    if case := cases.get("private-1000-w1"):
        picture, (panel,) = _panels(1, width=9.0)
        _one_each(panel, case, "messages", scale=1e-3)
        panel.set_ylabel("messages per second, thousands")
        panel.set_title("Private messages, 1,000 clients, 1 in flight each")
        yield "private", picture
    if "nodes-w16" in cases and "nodes-r100" in cases:
        picture, (left, right) = _panels(2)
        _one_each(left, cases["nodes-w16"], "deliveries", scale=1e-6, backwards=True)
        left.set_ylabel("deliveries per second, millions")
        left.set_title("1,000 clients, 16 in flight")
        _shares(right, cases["nodes-r100"])
        right.set_ylabel("CPU time per delivery, µs")
        right.set_title("1,000 clients, 100 messages per second")
        yield "nodes", picture
    join, idle = cases.get("join-1000"), _first(cases, "idle-")
    if join and idle:
        picture, (left, right) = _panels(2)
        _one_each(left, join, "join")
        left.set_ylabel("seconds until all have read who came")
        left.set_title("1,000 clients join one room at once")
        _one_each(right, idle, "memory", scale=1e-3)
        right.set_ylabel("kB of memory per connection")
        right.set_title(idle.title[0].upper() + idle.title[1:])
        yield "join-and-idle", picture


def _panels(count: int, *, width: float = _WIDTH) -> tuple[Picture, list[Axes]]:
    picture = Picture(figsize=(width * count, _HEIGHT))
    panels = [picture.add_subplot(1, count, i + 1) for i in range(count)]
    for panel in panels:
        panel.grid(axis="y", color="#dddddd", linewidth=0.6)
    return picture, panels


def _by_clients(
    panel: Axes, cases: Mapping[str, CaseResult], pace: str, figure: Figure, scale: float = 1.0
) -> None:
    found = {n: case for n in CLIENTS if (case := cases.get(f"fanout-{n}-{pace}"))}
    # Who has another setting is measured with but one number of clients.
    sides = [side.name for case in found.values() for side in case.sides if "," not in side.name]
    names = list(dict.fromkeys(sides))
    groups = {
        name: [_value(case, name, figure, scale) for case in found.values()] for name in names
    }
    _bars(panel, [f"{n:,} clients" for n in found], groups)
    _legend(panel)


def _latencies(panel: Axes, case: CaseResult) -> None:
    marks = ("p50", "p99", "p99_9", "longest")
    groups = {
        side.name: [getattr(it, mark) for mark in marks]
        for side in case.sides
        if (it := side.middle)
    }
    _bars(panel, ["p50", "p99", "p99.9", "longest"], groups)
    panel.set_yscale("log")
    panel.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    panel.yaxis.set_minor_formatter(NullFormatter())
    panel.margins(y=0.15)
    panel.set_ylabel("ms from when due to when read")
    panel.set_title("Latency: 1,000 clients, 100 messages per second")
    _legend(panel)


def _one_each(
    panel: Axes, case: CaseResult, figure: Figure, scale: float = 1.0, *, backwards: bool = False
) -> None:
    sides = [side for side in case.sides if side.median(figure)]
    sides = sides[::-1] if backwards else sides
    values = [(side.median(figure) or 0) * scale for side in sides]
    bars = panel.bar(range(len(sides)), values, color=[_colour(it.name, 0) for it in sides])
    panel.bar_label(bars, fmt=_short, fontsize=8, padding=2)
    panel.set_xticks(range(len(sides)), [_label(side) for side in sides], fontsize=8)


def _shares(panel: Axes, case: CaseResult) -> None:
    sides = [side for side in reversed(case.sides) if side.middle]
    below = [0.0] * len(sides)
    for role, colour in _ROLES.items():
        values = [it.cpu.get(role, 0.0) for side in sides if (it := side.middle)]
        panel.bar(range(len(sides)), values, bottom=below, color=colour, label=role)
        below = [low + value for low, value in zip(below, values, strict=True)]
    for i, value in enumerate(below):
        panel.annotate(
            _short(value), (i, value), (0, 2), textcoords="offset points", ha="center", fontsize=8
        )
    panel.set_xticks(range(len(sides)), [_label(side) for side in sides], fontsize=8)
    _legend(panel)


def _legend(panel: Axes) -> None:
    """Put it below, where no bar can be behind it."""
    panel.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=4, fontsize=8)


def _bars(panel: Axes, ticks: Sequence[str], groups: Groups) -> None:
    width = 0.85 / max(len(groups), 1)
    for number, (name, values) in enumerate(groups.items()):
        places = [i + (number - (len(groups) - 1) / 2) * width for i in range(len(ticks))]
        known = [(place, v) for place, v in zip(places, values, strict=True) if v is not None]
        bars = panel.bar(
            [place for place, _ in known],
            [v for _, v in known],
            width * 0.92,
            color=_colour(name, number),
            label=name,
        )
        panel.bar_label(bars, fmt=_short, fontsize=6.5, padding=1)
    panel.set_xticks(range(len(ticks)), ticks)


def _value(case: CaseResult, name: str, figure: Figure, scale: float) -> float | None:
    for side in case.sides:
        if side.name == name and (value := side.median(figure)) is not None:
            return value * scale
    return None


def _first(cases: Mapping[str, CaseResult], prefix: str) -> CaseResult | None:
    return next((case for name, case in cases.items() if name.startswith(prefix)), None)


def _colour(name: str, number: int) -> str:
    found = _COLOURS.get(name) or _COLOURS.get(name.partition(",")[0])
    return found or _OTHERS[number % len(_OTHERS)]


def _label(side: SideResult) -> str:
    return side.name.replace(", ", ",\n")


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
