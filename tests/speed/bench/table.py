"""The results as a person reads them: on a terminal and in Markdown."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from speed.bench.results import (
    CaseResult,
    Figure,
    Measured,
    SideResult,
    is_held_back,
    ratio,
)

Row = list[str]
_NOTHING: Final = "–"


def _number(value: float | None, digits: int = 0) -> str:
    return _NOTHING if value is None else f"{value:,.{digits}f}"


def _per_second(value: float | None) -> str:
    return _number(value)


def _micros(value: float | None) -> str:
    return _number(value, 2)


def _kilobytes(value: float | None) -> str:
    return _NOTHING if value is None else f"{value / 1000:,.2f}"


def _percent(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.1%}"


_HEADS: Final[dict[Figure, tuple[str, Callable[[float | None], str]]]] = {
    "deliveries": ("deliveries/s", _per_second),
    "messages": ("messages/s", _per_second),
    "cpu": ("CPU µs/delivery", _micros),
    "join": ("seconds", _micros),
    "past": ("seconds", _micros),
    "p50": ("p50 ms", _micros),
    "p99": ("p99 ms", _micros),
    "cost": ("CPU µs/message", _per_second),
    "seats": ("seats/s", _per_second),
    "memory": ("kB/connection", _kilobytes),
    "idle": ("% of a core", _percent),
    "latency": ("longest ms", _micros),
}
_RATIO: Final = "ours ÷"
_GLANCE: Final[Sequence[tuple[str, str, tuple[Figure, ...]]]] = (
    ("fanout-1000-w1", "1 in flight", ("deliveries", "cpu")),
    ("fanout-1000-w16", "16 in flight", ("deliveries", "cpu")),
    ("fanout-1000-r100", "100 messages/s", ("cpu",)),
    ("fanout-1000-r1000", "1,000 messages/s", ("p99",)),
    ("private-200-w1", "private, 1 in flight", ("messages", "cost")),
)
"""What is read first: cases, how they are called there, and which of their figures."""
_WRONG: Final = ("lost", "duplicated", "out_of_order")
_WRONG_HEADS: Final = ("lost", "twice", "disorder")


def rows(case: CaseResult) -> list[Row]:
    """Return the heads of the columns, and then a row for each side."""
    figures = _columns(case.figure)
    heads = ["", *(head for it in figures for head in (_HEADS[it][0], _RATIO)), *_further(case)]
    found = [heads]
    ours = case.sides[0]
    for side in case.sides:
        row = [side.name]
        for figure in figures:
            row.append(_HEADS[figure][1](side.median(figure)))
            row.append(_number(ratio(ours, side, figure), 2) if side is not ours else "")
        found.append(row + [_NOTHING if it is None else it for it in _rest(case, side)])
    return found


def glance(cases: Mapping[str, CaseResult]) -> str:
    """Return the figures that are read first, all sides in one table; nothing where they are not all there.

    What a busy tool made stands in brackets.
    """
    chosen = [(cases[name], words, figures) for name, words, figures in _GLANCE if name in cases]
    if len(chosen) < len(_GLANCE):
        return ""
    heads = [
        f"{words}: {' · '.join(_HEADS[it][0] for it in figures)}" for _, words, figures in chosen
    ]
    names = dict.fromkeys(side.name for case, *_ in chosen for side in case.sides)
    body = [
        [name, *(_at_a_glance(case, name, figures) for case, _, figures in chosen)]
        for name in names
    ]
    return (
        "\n".join([_pipes(["", *heads]), "|---|" + "---:|" * len(heads), *map(_pipes, body)]) + "\n"
    )


def _at_a_glance(case: CaseResult, name: str, figures: Sequence[Figure]) -> str:
    for side in case.sides:
        if side.name == name and side.measured:
            found = " · ".join(_HEADS[it][1](side.median(it)) for it in figures)
            return f"({found})" if is_held_back(side.measured, case.figure) else found
    return _NOTHING


def text(case: CaseResult) -> str:
    """Return one case for a terminal."""
    lines = [f"{case.name}: {case.title}"]
    table = rows(case)
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    for row in table:
        cells = [
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(("  " + "  ".join(cells)).rstrip())
    lines += [f"  ! {note}" for note in notes(case)]
    return "\n".join(lines) + "\n"


def markdown(case: CaseResult) -> str:
    """Return one case for a page."""
    heads, *body = rows(case)
    lines = [_pipes(heads), "|---|" + "---:|" * (len(heads) - 1), *map(_pipes, body)]
    lines += ["", *(f"- {note}" for note in notes(case))]
    return "\n".join(lines).rstrip() + "\n"


def notes(case: CaseResult) -> Iterator[str]:
    """Say what has to be known beside the figures."""
    if any(it.by == "generator" for side in case.sides for it in side.measured):
        yield "measured with the generator in C"
    for side in case.sides:
        for why in dict.fromkeys(side.failed):
            yield f"{side.name}: {why}"
        for why in dict.fromkeys(trouble for it in side.measured for trouble in it.trouble):
            yield f"{side.name}: {why}"
    busy = [side.name for side in case.sides if is_held_back(side.measured, case.figure)]
    if case.sides[0].name in busy:
        yield f"no ratio, as the load tool was busy, and its own limit measured, with {', '.join(busy)}"
    elif busy:
        yield f"no ratio to {', '.join(busy)}: the load tool was busy, and its own limit measured"


def _columns(figure: Figure) -> Sequence[Figure]:
    if figure in ("deliveries", "messages", "p99"):
        return (figure, "cpu")
    if figure == "p50":
        return ("p50", "cost")
    if figure == "past":
        return ("past", "cpu")
    return (figure,)


def _further(case: CaseResult) -> Row:
    if case.figure == "join":
        return ["notices", "of", "tool"]
    if case.figure == "past":
        return ["of it", "notices", "of", "lost", "twice", "tool"]
    if case.figure == "p50":
        return ["p99 ms", "longest ms", "messages/s", *_WRONG_HEADS, "tool"]
    if case.figure == "p99":
        return ["of it", "p50 ms", "longest ms", "deliveries/s", *_WRONG_HEADS, "tool"]
    if case.figure == "seats":
        return ["tool"]
    if case.figure == "memory":
        return ["% of a core"]
    if case.figure == "idle":
        return ["of it", "kB/seat", "connections to Redis, each"]
    if case.figure == "latency":
        return ["p50 ms", "p99 ms", *_WRONG_HEADS, "killed"]
    return ["of it", "p50 ms", "p99 ms", "longest ms", *_WRONG_HEADS, "tool"]


def _rest(case: CaseResult, side: SideResult) -> list[str | None]:
    it = side.middle
    if it is None:
        return [None] * len(_further(case))
    if case.figure == "join":
        return [f"{it.notices:,}", f"{it.notices_expected:,}", f"{it.tool:.0%}"]
    if case.figure == "seats":
        return [f"{it.tool:.0%}"]
    if case.figure == "memory":
        return [f"{sum(it.busy.values()):.1%}"]
    if case.figure == "idle":
        shares = " + ".join(f"{role} {share:.1%}" for role, share in it.busy.items())
        return [shares, _kilobytes(it.value("memory")), f"{it.connections:.1f}"]
    quantiles = [_number(it.p50, 2), _number(it.p99, 2)]
    wrong = [f"{sum(getattr(m, name) for m in side.measured):,}" for name in _WRONG]
    if case.figure == "past":
        notices = [f"{it.notices:,}", f"{it.notices_expected:,}"]
        return [_shares(it), *notices, *wrong[:2], f"{it.tool:.0%}"]
    if case.figure == "p50":
        pace = _per_second(it.messages)
        return [_number(it.p99, 2), _number(it.longest, 1), pace, *wrong, f"{it.tool:.0%}"]
    if case.figure == "p99":
        pace = _per_second(it.deliveries)
        return [_shares(it), quantiles[0], _number(it.longest, 1), pace, *wrong, f"{it.tool:.0%}"]
    if case.figure == "latency":
        return [*quantiles, *wrong, f"{it.faults}"]
    return [_shares(it), *quantiles, _number(it.longest, 1), *wrong, f"{it.tool:.0%}"]


def _shares(it: Measured) -> str:
    """Return how the CPU time is divided, where there are several kinds of processes."""
    if len(it.cpu) < 2:
        return ""
    return " + ".join(f"{role} {micros:.2f}" for role, micros in it.cpu.items())


def _pipes(cells: Row) -> str:
    return "| " + " | ".join(cells) + " |"
