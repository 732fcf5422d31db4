"""What was measured, as it is kept in JSON, and the arithmetic: medians and ratios."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Final, Literal

import msgspec

Figure = Literal[
    "deliveries",
    "messages",
    "cpu",
    "join",
    "past",
    "seats",
    "memory",
    "idle",
    "latency",
    "p50",
    "p99",
    "cost",
]
"""What a case is about."""
Tool = Literal["load", "generator"]
"""What loads: ``tertulia load``, or the generator in C, which knows fewer words and takes less."""

_AT_REST: Final = frozenset({"memory", "idle"})
"""What is measured when the tool has nothing to do any more."""
BUSY_TOOL: Final = 0.8
"""The share of a core from which on the tool may be what limits a figure: then it is compared with none."""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement of one side."""

    deliveries: float
    """A second."""
    messages: float
    """A second, as they were sent."""
    cpu: dict[str, float]
    """Microseconds of CPU time per delivery, by what the processes of the server side do."""
    busy: dict[str, float]
    """Shares of a core that they used."""
    p50: float | None
    """Milliseconds within which half of the deliveries came, as all the following."""
    p99: float | None
    p99_9: float | None
    longest: float | None
    answered: int
    """How many messages the server said that it took."""
    lost: int
    duplicated: int
    out_of_order: int
    disconnected: int
    join_seconds: float
    """From the first connection until all are in and have read who came."""
    notices: int
    """How often somebody read that another came."""
    notices_expected: int
    seats_per_second: float
    """Clients that went into further rooms, each counted in each of its rooms."""
    memory: dict[str, float]
    """Bytes by which the processes grew, for each connection; in further rooms, for each seat."""
    connections: float
    """What each process of the server had to Redis, at most."""
    tool: float
    """The share of a core that the load tool used: while it sent, or else until all were in."""
    faults: int
    """How often the server was disturbed on purpose."""
    trouble: list[str]
    """What the load tool found to be not as it should be."""
    by: Tool = "load"
    cost: float | None = None
    """Microseconds of CPU time per message, of the whole server side; None where none was sent."""

    def value(self, figure: Figure) -> float | None:
        """Return one figure; None where there is none."""
        match figure:
            case "deliveries":
                return self.deliveries or None
            case "messages":
                return self.messages or None
            case "cpu":
                return sum(self.cpu.values()) if self.cpu else None
            case "join" | "past":
                return self.join_seconds
            case "p50":
                return self.p50
            case "p99":
                return self.p99
            case "cost":
                return self.cost
            case "seats":
                return self.seats_per_second or None
            case "idle":
                return sum(self.busy.values())
            case "memory":
                # Not what is in Redis: that is for the messages and names, whatever is connected where.
                return sum(grown for role, grown in self.memory.items() if role != "redis")
            case "latency":
                return self.longest


class SideResult(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured of one side, in each round."""

    name: str
    measured: list[Measured] = []
    failed: list[str] = []
    """Why it could not be measured."""

    def median(self, figure: Figure) -> float | None:
        """Return the median of all rounds."""
        values = [value for it in self.measured if (value := it.value(figure)) is not None]
        return median(values) if values else None

    @property
    def middle(self) -> Measured | None:
        """The measurement whose deliveries are the median, or next above it."""
        ordered = sorted(self.measured, key=lambda it: it.deliveries)
        return ordered[len(ordered) // 2] if ordered else None


class CaseResult(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured in one case. The first side is ours."""

    name: str
    group: str
    title: str
    figure: Figure
    sides: list[SideResult]


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run."""

    began: str
    """ISO 8601."""
    seconds: float
    """How long the whole run took."""
    seconds_each: float
    rounds: int
    machine: dict[str, str]
    versions: dict[str, str]
    missing: list[str]
    """What could not be measured, and why."""
    cases: list[CaseResult]


def ratio(ours: SideResult, other: SideResult, figure: Figure) -> float | None:
    """Return how many times the other's figure ours is: the median of the rounds.

    Each round is compared in itself, so that what disturbs the machine for a while disturbs both. None where
    the tool was busy with one of the two.
    """
    if is_held_back(ours.measured, figure) or is_held_back(other.measured, figure):
        return None
    if len(ours.measured) == len(other.measured):
        pairs = zip(ours.measured, other.measured, strict=True)
        found = [quotient(mine.value(figure), theirs.value(figure)) for mine, theirs in pairs]
        known = [it for it in found if it is not None]
        return median(known) if known else None
    return quotient(ours.median(figure), other.median(figure))


def is_held_back(measured: Iterable[Measured], figure: Figure) -> bool:
    """Return whether the tool was ever so busy that the server might have done more, or otherwise."""
    return figure not in _AT_REST and any(it.tool > BUSY_TOOL for it in measured)


def quotient(mine: float | None, theirs: float | None) -> float | None:
    """Divide, where there is something to divide, and by."""
    return mine / theirs if mine is not None and theirs else None


def by_name(cases: Sequence[CaseResult]) -> Mapping[str, CaseResult]:
    """Return the cases by their names."""
    return {case.name: case for case in cases}
