"""The results as a person reads them: on a terminal and in Markdown."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from speed.bench.results import (
    BUSY_TOOL,
    MORE_IS_BETTER,
    CaseResult,
    Figure,
    Measured,
    SideResult,
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


_HEADS: Final[dict[Figure, tuple[str, Callable[[float | None], str]]]] = {
    "deliveries": ("deliveries/s", _per_second),
    "messages": ("messages/s", _per_second),
    "cpu": ("CPU µs/delivery", _micros),
    "join": ("seconds", _micros),
    "memory": ("kB/connection", _kilobytes),
    "latency": ("longest ms", _micros),
}
_RATIO: Final = "ours ÷"


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
            row.append(_ratio(ours, side, figure) if side is not ours else "")
        found.append(row + [_NOTHING if it is None else it for it in _rest(case, side)])
    return found


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
    for side in case.sides:
        for why in dict.fromkeys(side.failed):
            yield f"{side.name}: {why}"
        for why in dict.fromkeys(trouble for it in side.measured for trouble in it.trouble):
            yield f"{side.name}: {why}"
        if _held_back(side) and case.figure in MORE_IS_BETTER:
            yield f"{side.name}: the load tool was busy: it may be more; look at the CPU time"


def _ratio(ours: SideResult, side: SideResult, figure: Figure) -> str:
    """Return a ratio, with a sign where the load tool kept one of the two from doing more."""
    found = _number(ratio(ours, side, figure), 2)
    if figure not in MORE_IS_BETTER or found == _NOTHING:
        return found
    sign = {(True, True): "~ ", (True, False): "≥ ", (False, True): "≤ "}
    return sign.get((_held_back(ours), _held_back(side)), "") + found


def _held_back(side: SideResult) -> bool:
    return max((it.tool for it in side.measured), default=0.0) > BUSY_TOOL


def _columns(figure: Figure) -> Sequence[Figure]:
    if figure in ("deliveries", "messages"):
        return (figure, "cpu")
    if figure == "cpu":
        return ("cpu",)
    return (figure,)


def _further(case: CaseResult) -> Row:
    if case.figure == "join":
        return ["notices", "of"]
    if case.figure == "memory":
        return ["% of a core"]
    if case.figure == "latency":
        return ["p50 ms", "p99 ms", "lost", "twice", "disorder", "killed"]
    return ["of it", "p50 ms", "p99 ms", "longest ms", "lost", "twice", "disorder", "tool"]


def _rest(case: CaseResult, side: SideResult) -> list[str | None]:
    it = side.middle
    if it is None:
        return [None] * len(_further(case))
    if case.figure == "join":
        return [f"{it.notices:,}", f"{it.notices_expected:,}"]
    if case.figure == "memory":
        return [f"{sum(it.busy.values()):.1%}"]
    quantiles = [_number(it.p50, 2), _number(it.p99, 2)]
    wrong = [f"{sum(getattr(m, name) for m in side.measured):,}" for name in _WRONG]
    if case.figure == "latency":
        return [*quantiles, *wrong, f"{it.faults}"]
    return [_shares(it), *quantiles, _number(it.longest, 1), *wrong, f"{it.tool:.0%}"]


_WRONG: Final = ("lost", "duplicated", "out_of_order")


def _shares(it: Measured) -> str:
    """Return how the CPU time is divided, where there are several kinds of processes."""
    if len(it.cpu) < 2:
        return ""
    return " + ".join(f"{role} {micros:.2f}" for role, micros in it.cpu.items())


def _pipes(cells: Row) -> str:
    return "| " + " | ".join(cells) + " |"
