"""The page of the results: docs/benchmarks/README.md, written anew by every whole run."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from speed.bench.results import CaseResult, Results, by_name
from speed.bench.table import glance, markdown

NOTES: Final = "notes.md"
"""A page beside it, written by hand, on what the figures mean and where the time goes."""

_METHOD: Final = Path(__file__).with_name("method.md")

_PICTURES: Final = {
    "Fan-out": ("fan-out", "cpu-per-delivery", "latency"),
    "Private messages": ("private",),
    "Several nodes on one Redis": ("nodes",),
    "Join storm": ("join-and-idle",),
}
"""Which picture belongs to which group of cases."""


def page(results: Results, pictures: Sequence[str], ngircd: int, *, has_notes: bool) -> str:
    """Return the page, in Markdown."""
    return "\n".join(_parts(results, pictures, ngircd, has_notes=has_notes)).rstrip() + "\n"


def write(results: Results, pictures: Sequence[str], ngircd: int, directory: Path) -> None:
    """Write the page into a folder."""
    text = page(results, pictures, ngircd, has_notes=(directory / NOTES).exists())
    (directory / "README.md").write_text(text)


def _parts(
    results: Results, pictures: Sequence[str], ngircd: int, *, has_notes: bool
) -> Iterator[str]:
    yield "# Benchmarks\n"
    yield (
        f"Written by `make bench` at {results.began}: {results.seconds / 60:.0f} minutes, "
        f"{results.seconds_each:g} s for each figure, up to {results.rounds} rounds. The same as data: "
        "[results.json](results.json). Figures of one machine mean little elsewhere; **ratios** mean more: "
        "*ours ÷* is our figure divided by that of the row.\n"
    )
    if has_notes:
        yield f"What to make of it, and where the time goes: [{NOTES}]({NOTES}).\n"
    if first := glance(by_name(results.cases)):
        yield "## At a glance\n"
        yield (
            "1,000 clients in a room, 10 of whom send, and 1,000 in pairs, 200 of whom send. CPU is of the "
            "whole server side, with its Redis where it has one. In brackets: the load tool was busy, so it "
            "may be what is measured.\n"
        )
        yield first
    yield from _groups(results.cases, pictures)
    yield "## Method\n"
    yield _METHOD.read_text().format(ngircd=f"{ngircd:,}")
    yield "## Machine and versions\n"
    yield _pairs(results.machine)
    yield _pairs(results.versions)
    if results.missing:
        yield "Not measured:\n"
        yield "\n".join(f"- {why}" for why in results.missing) + "\n"


def _groups(cases: Sequence[CaseResult], pictures: Sequence[str]) -> Iterator[str]:
    for group in dict.fromkeys(case.group for case in cases):
        yield f"## {group}\n"
        for name in _PICTURES.get(group, ()):
            if name in pictures:
                yield f"![{name.replace('-', ' ')}]({name}.png)\n"
        for case in cases:
            if case.group == group:
                yield f"**{case.title}** (`{case.name}`)\n"
                yield markdown(case)


def _pairs(pairs: Mapping[str, str]) -> str:
    rows = "\n".join(f"| {name} | {value} |" for name, value in pairs.items())
    return f"| | |\n|---|---|\n{rows}\n"
