"""The generator: what loads where the load tool would itself be what is measured. See generator.c."""

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

from speed.bench.cases import Case, Side
from speed.bench.servers import missing_compiler

_SOURCE: Final = Path(__file__).with_name("generator.c")
SPEAKS: Final = frozenset({"chatte", "irc", "browser", "nats", "jetstream", "centrifugo"})


class Joins(msgspec.Struct, frozen=True, kw_only=True):
    """How everybody came."""

    clients: int
    seconds: float
    notices: int
    notices_expected: int
    notices_seconds: float
    seats: int
    seats_per_second: float
    busiest: float
    """The share of a core that the tool used meanwhile, where coming is all that is measured."""


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """What was sent."""

    public: int
    private: int
    per_second: float
    answered: int


class Delivered(msgspec.Struct, frozen=True, kw_only=True):
    """What was read."""

    public: int
    private: int
    seconds: float
    per_second: float
    lost: int
    duplicated: int
    out_of_order: int
    disconnected: int


class Latencies(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds from when a message was due."""

    p50: float | None
    p99: float | None
    p99_9: float | None = msgspec.field(name="p99.9")
    max: float | None


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """What the tool itself needed."""

    busiest: float


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What the generator prints: of what ``tertulia load --json`` says, the part that the benchmark reads."""

    began: float
    ended: float
    joins: list[Joins]
    sent: Sent
    delivered: Delivered
    latency: Latencies
    tool: Tool
    trouble: list[str]


def can(case: Case) -> bool:
    """Return whether it knows all the words of a case, and is there."""
    return (
        missing_compiler() is None
        and not case.load.rooms
        and case.load.private in (0, 1)
        and case.fault is None
        and all(_speaks(side) for side in case.sides)
    )


def _speaks(side: Side) -> bool:
    """Only ours have clients of several dialects at once."""
    return len(side.dialects) < 2 and SPEAKS.issuperset(side.dialects)


@cache
def program() -> str:
    """Compile it, once, and return where it is. Raises subprocess.CalledProcessError."""
    directory = _KEPT.name
    made = str(Path(directory) / "generator")
    compiler = shutil.which("cc") or "gcc"
    command = [compiler, "-std=gnu11", "-O2", "-o", made, str(_SOURCE)]
    subprocess.run(command, check=True, capture_output=True)
    return made


_KEPT: Final = tempfile.TemporaryDirectory(prefix="tertulia-generator-")
"""Goes with the process."""


def command(
    case: Case, side: Side, dialect: str, ports: Sequence[int], seconds: float
) -> list[str]:
    """Return how it is called."""
    load = case.load
    pace = ["-w", f"{load.in_flight or 1}"] if load.rate is None else ["-r", f"{load.rate:g}"]
    return [
        *(program(), dialect, ",".join(map(str, ports))),
        *("-c", f"{load.clients}", "-s", f"{load.senders}", *pace, "-o", f"{load.at_once}"),
        *("-t", f"{load.lasts(seconds):g}", "-h", f"{load.past}"),
        *(["-p"] if load.private else []),
        *(["-a"] if side.acknowledges else []),
    ]
