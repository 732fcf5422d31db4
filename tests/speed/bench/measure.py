"""One measurement: a server is started, loaded, watched and ended."""

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from speed.bench import generator
from speed.bench.cases import Case, Fault, Side
from speed.bench.cores import Cores, divide, pinned
from speed.bench.generator import Outcome
from speed.bench.results import Measured, Tool
from speed.bench.servers import Running
from speed.bench.usage import Usage, Watch

_MOST_SECONDS: Final = 240
"""Seconds that the load tool may take beside the load itself: to join, most of all."""
_SETTLE: Final = 3
"""Seconds without a delivery after which what is missing is lost."""
_BEGINS_WITHIN: Final = 0.05
"""Seconds from when the load tool says that it begins to its first message."""
_MOST_PROCESSES: Final = 3
"""Processes of the load tool, where there are cores for them."""
_LOOK_EVERY: Final = 1.0
"""Seconds between two looks at what Redis is connected to."""


class MeasureError(Exception):
    """It could not be measured. The message says why."""


def measure(
    case: Case,
    side: Side,
    seconds: float,
    cores: Cores | None = None,
    tool: Tool = "load",
) -> Measured:
    """Measure one side of a case, for so many seconds. Raises MeasureError."""
    server = side.server
    cores = cores or divide(os.sched_getaffinity(0), server.processes, apart=server.apart)
    fault = case.fault if side is case.sides[0] else None
    try:
        with (
            tempfile.TemporaryDirectory(prefix="tertulia-bench-") as directory,
            server.start(Path(directory), cores) as running,
            Watch(running.processes) as watch,
            _each(case.fault_every, fault, running) as faults,
            _each(_LOOK_EVERY, _connections, running) as connections,
        ):
            outcome = _load(case, side, running, seconds, cores, tool)
            done = sum(faults)
            # A short load ends before anybody has looked.
            most = max([*connections, _connections(running)])
    except (AssertionError, OSError, RuntimeError, subprocess.SubprocessError) as error:
        raise MeasureError(f"{type(error).__name__}: {error}") from error
    those = [len(ids) for role, ids in running.processes.items() if role != "redis"]
    return figures(outcome, watch.usage, done, most / sum(those), tool)


def figures(
    outcome: Outcome,
    usage: Mapping[str, Usage],
    faults: int = 0,
    connections: float = 0.0,
    by: Tool = "load",
) -> Measured:
    """Put together what the load tool and the watch have seen."""
    delivered, joins, latency = outcome.delivered, outcome.joins[0], outcome.latency
    began = outcome.began
    # The last deliveries may come when nothing is sent any more: what they cost counts as well.
    ended = max(outcome.ended, began + _BEGINS_WITHIN + delivered.seconds)
    cpu = {role: it.cpu_between(began, ended) for role, it in usage.items()}
    count = delivered.public + delivered.private
    sent = outcome.sent.public + outcome.sent.private
    return Measured(
        deliveries=delivered.per_second if count else 0.0,
        messages=outcome.sent.per_second,
        cpu={role: spent / count * 1e6 for role, spent in cpu.items()} if count else {},
        busy={role: spent / (ended - began) for role, spent in cpu.items()},
        p50=latency.p50,
        p99=latency.p99,
        p99_9=latency.p99_9,
        longest=latency.max,
        answered=outcome.sent.answered,
        lost=delivered.lost,
        duplicated=delivered.duplicated,
        out_of_order=delivered.out_of_order,
        disconnected=delivered.disconnected,
        join_seconds=max(joins.seconds, joins.notices_seconds),
        notices=joins.notices,
        notices_expected=joins.notices_expected,
        seats_per_second=joins.seats_per_second,
        memory={
            role: (it.memory_at(outcome.ended) - it.memory_at(0))
            / max(joins.seats or joins.clients, 1)
            for role, it in usage.items()
        },
        connections=connections,
        tool=outcome.tool.busiest if sent else joins.busiest,
        faults=faults,
        trouble=outcome.trouble,
        by=by,
        cost=sum(cpu.values()) / sent * 1e6 if sent else None,
    )


def command(
    case: Case, side: Side, running: Running, seconds: float, processes: int = 1
) -> list[str]:
    """Return how the load tool is called."""
    dialects = side.dialects or tuple(running.ports)
    ports = {dialect: list(running.ports[dialect]) for dialect in dialects}
    each = max(map(len, ports.values()))
    addresses = [
        f"{dialect}=127.0.0.1:{ports[dialect][i]}" for i in range(each) for dialect in ports
    ]
    return [
        *(sys.executable, "-m", "tertulia", "load", *addresses),
        *case.load.options(seconds),
        *("--settle", f"{_SETTLE}", "--json"),
        *(["--ack"] if side.acknowledges else []),
        *("--processes", f"{processes}"),
    ]


def _processes(cores: Cores) -> int:
    """Return over how many processes the tool is spread: one for each core that it has, in reason."""
    return min(max(len(cores.load), 1), _MOST_PROCESSES)


def _load(
    case: Case, side: Side, running: Running, seconds: float, cores: Cores, tool: Tool
) -> Outcome:
    if tool == "generator":
        (dialect,) = side.dialects or tuple(running.ports)
        called = generator.command(case, side, dialect, running.ports[dialect], seconds)
    else:
        called = command(case, side, running, seconds, _processes(cores))
    with pinned(cores.load):
        done = subprocess.run(
            called,
            capture_output=True,
            timeout=_MOST_SECONDS + seconds,
            check=False,
        )
    try:
        return msgspec.json.decode(done.stdout, type=Outcome)
    except msgspec.MsgspecError as error:
        why = done.stderr.decode(errors="replace").strip().splitlines()
        raise MeasureError(why[-1] if why else f"the load tool said nothing: {error}") from error


def _connections(running: Running) -> int:
    return sum(len(server.connections()) for server in running.redis)


@contextlib.contextmanager
def _each(seconds: float, do: Fault | None, running: Running) -> Iterator[list[int]]:
    """Do something to a server every so often, if there is anything to do; gives what that returned."""
    stop = threading.Event()
    done: list[int] = []

    def go_on() -> None:
        while do is not None and not stop.wait(seconds):
            done.append(do(running))

    thread = threading.Thread(target=go_on, name="now and then", daemon=True)
    thread.start()
    try:
        yield done
    finally:
        stop.set()
        thread.join()
