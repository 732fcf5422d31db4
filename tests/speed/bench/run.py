"""A whole run: every case, side after side, round after round."""

import os
import resource
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from speed.bench import generator
from speed.bench.cases import Case, Side
from speed.bench.cores import divide
from speed.bench.machine import machine, versions
from speed.bench.measure import MeasureError, measure
from speed.bench.results import CaseResult, Measured, Results, SideResult, is_held_back
from speed.bench.servers import Server

Show = Callable[[CaseResult], None]
_OTHER_FILES: Final = 200
"""Files that a server has open beside its clients' connections, at most."""


def run(cases: Sequence[Case], seconds: float, rounds: int, show: Show) -> Results:
    """Measure cases, each side for so many seconds in each round, and show each when it is through."""
    began, since = datetime.now(UTC), time.monotonic()
    allow_many_files()
    os.sync()  # servers wait for the disk, and what was just installed may be on its way there
    missing: dict[str, None] = {}
    found = []
    for case in cases:
        result = _measure(case, seconds, rounds, missing)
        show(result)
        found.append(result)
    servers = {side.server.name: side.server for case in cases for side in case.sides}
    return Results(
        began=began.isoformat(timespec="seconds"),
        seconds=round(time.monotonic() - since, 1),
        seconds_each=seconds,
        rounds=rounds,
        machine=machine(divide(os.sched_getaffinity(0), 2)),
        versions=versions(_without_doubles(servers.values())),
        missing=list(missing),
        cases=found,
    )


def allow_many_files() -> None:
    """Raise the limit of open files as far as it may be, for whatever is started from here."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def too_many(case: Case) -> str | None:
    """Say why a case has more clients than files may be open, if it has."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = case.load.clients + _OTHER_FILES
    if hard == resource.RLIM_INFINITY or hard >= needed:
        return None
    return f"{case.name} needs {needed:,} open files and {hard:,} are allowed: ulimit -Hn {needed}"


def _measure(case: Case, seconds: float, rounds: int, missing: dict[str, None]) -> CaseResult:
    sides = []
    for side in case.sides:
        why = too_many(case) or side.server.missing()
        if why:
            missing[f"{side.server.name}: {why}"] = None
            _tell(f"skipped: {side.server.name}: {why}")
        else:
            sides.append(side)
    measured: dict[str, list[Measured]] = {side.name: [] for side in sides}
    failed: dict[str, list[str]] = {side.name: [] for side in sides}
    rounds, tool = min(rounds, case.most_rounds), case.tool
    number = 0
    while number < rounds:
        for side in sides:
            _tell(f"{case.name}: {side.name}, round {number + 1} of {rounds}, by the {tool}")
            try:
                measured[side.name].append(measure(case, side, seconds, tool=tool))
            except MeasureError as error:
                failed[side.name].append(str(error))
        number += 1
        busy = any(is_held_back(it, case.figure) for it in measured.values())
        if busy and tool == "load" and generator.can(case):
            # Of all, as a ratio of what two tools made would be none.
            tool, number = "generator", 0
            measured = {side.name: [] for side in sides}
            failed = {side.name: [] for side in sides}
    return CaseResult(
        name=case.name,
        group=case.group,
        title=case.title,
        figure=case.figure,
        sides=[_result(side, measured, failed) for side in case.sides],
    )


def _result(
    side: Side, measured: dict[str, list[Measured]], failed: dict[str, list[str]]
) -> SideResult:
    return SideResult(
        name=side.name,
        measured=measured.get(side.name, []),
        failed=failed.get(side.name, ["not measured"]),
    )


def _without_doubles(servers: Iterable[Server]) -> list[Server]:
    """Leave out servers that are another in another setting."""
    return [server for server in servers if "," not in server.name]


def _tell(what: str) -> None:
    print(what, file=sys.stderr, flush=True)  # noqa: T201 - a program for a terminal
