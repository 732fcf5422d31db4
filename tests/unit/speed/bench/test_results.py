"""The benchmark's arithmetic: CPU time between two moments, ratios, cores, and the table of it all."""

import subprocess
import sys
import time

import msgspec
import pytest

from speed.bench.cases import QUICK, chosen, everything
from speed.bench.cores import Cores, divide
from speed.bench.results import CaseResult, Figure, Measured, SideResult, ratio
from speed.bench.table import glance, markdown, notes, text
from speed.bench.usage import Usage, cpu_seconds, resident

NOTHING = Measured(
    deliveries=0,
    messages=0,
    cpu={},
    busy={},
    p50=None,
    p99=None,
    p99_9=None,
    longest=None,
    answered=0,
    lost=0,
    duplicated=0,
    out_of_order=0,
    disconnected=0,
    join_seconds=0,
    notices=0,
    notices_expected=0,
    seats_per_second=0,
    memory={},
    connections=0,
    tool=0.5,
    faults=0,
    trouble=[],
)


def side(name: str, *deliveries: float, **further: object) -> SideResult:
    """Return one that made so many deliveries a second, in each round."""
    measured = [
        msgspec.structs.replace(NOTHING, deliveries=it, cpu={"node": 1.5, "redis": 0.5}, **further)
        for it in deliveries
    ]
    return SideResult(name=name, measured=measured)


def case(*sides: SideResult, figure: Figure = "deliveries") -> CaseResult:
    return CaseResult(name="it", group="", title="a title", figure=figure, sides=list(sides))


def test_cpu_between_two_moments_is_on_the_line_between_looks() -> None:
    usage = Usage(times=[10.0, 11.0, 13.0], cpu=[1.0, 1.5, 3.5], memory=[100, 200, 400])
    assert usage.cpu_between(10, 13) == 2.5
    assert usage.cpu_between(10.5, 12) == pytest.approx(1.25)
    assert usage.cpu_between(11, 11) == 0
    assert usage.cpu_between(0, 99) == 2.5  # nothing is made up beyond what was seen
    assert usage.memory_at(0) == 100
    assert usage.memory_at(12) == 300


def test_the_cpu_time_of_a_process_is_that_of_all_its_threads() -> None:
    work = (
        "import hashlib, threading, sys\n"
        "t = threading.Thread(target=lambda: hashlib.pbkdf2_hmac('sha256', b'x', b'y', 400_000))\n"
        "t.start(); t.join(); print('done', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", work], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        used = cpu_seconds(process.pid)
        assert 0.05 < used < time.process_time() + 60
        assert resident(process.pid) > 1_000_000
        process.communicate()
    with pytest.raises(ProcessLookupError):
        cpu_seconds(process.pid)


def test_a_ratio_compares_figures_of_the_same_round() -> None:
    ours, other = side("ours", 100, 50, 80), side("other", 50, 25, 160)
    assert ratio(ours, other, "deliveries") == 2.0
    assert ratio(ours, side("other", 50, 100), "deliveries") == pytest.approx(80 / 75)
    assert ratio(ours, side("other"), "deliveries") is None
    assert ratio(ours, ours, "cpu") == 1.0


def test_memory_leaves_redis_out_and_cpu_has_it() -> None:
    it = msgspec.structs.replace(
        NOTHING, memory={"node": 1500.0, "redis": 900.0}, cpu={"a": 1, "b": 2}
    )
    assert it.value("memory") == 1500
    assert it.value("cpu") == 3
    assert NOTHING.value("cpu") is None


@pytest.mark.parametrize(
    ("cores", "processes", "apart", "servers", "load"),
    [
        ({0}, 2, False, [set(), set()], set()),
        ({0, 1}, 2, False, [{0}, {0}], {1}),
        ({0, 1}, 4, True, [{0}] * 4, {1}),
        ({2, 3, 4, 5, 6}, 4, True, [{2}, {3}, {4}, {5}], {6}),
        ({2, 3, 4, 5}, 2, False, [{2}, {2}], {3, 4, 5}),
    ],
)
def test_who_gets_which_core(
    cores: set[int], processes: int, apart: bool, servers: list[set[int]], load: set[int]
) -> None:
    it = divide(cores, processes, apart=apart)
    assert [set(each) for each in it.servers] == servers
    assert it.load == load


def test_the_cores_are_said() -> None:
    assert divide({0, 1}, 2).words == "server side on core 0 (all), load on 1"
    assert divide({0, 1, 2, 3}, 1).words == "server side on core 0 (all), load on 1-3"
    assert Cores((frozenset(),), frozenset()).words == "nothing is pinned: there is but one core"


def test_the_table_has_all_figures_and_every_ratio() -> None:
    it = case(side("tertulia", 1000, 2000, lost=1), side("peer", 500, 1000), side("absent"))
    lines = text(it).splitlines()
    assert lines[0] == "it: a title"
    assert lines[1].split("  ")[1].strip() == ""
    assert lines[2].split() == [
        *("tertulia", "1,500", "2.00", "node", "1.50", "+", "redis", "0.50"),
        *("–", "–", "–", "2", "0", "0", "50%"),
    ]
    assert lines[3].split()[:5] == ["peer", "750", "2.00", "2.00", "1.00"]
    assert set(lines[4].split()) == {"absent", "–"}
    page = markdown(it).splitlines()
    assert page[0].startswith("|  | deliveries/s | ours ÷ | CPU µs/delivery |")
    assert {line.count("|") for line in page[:5]} == {page[0].count("|")}


@pytest.mark.parametrize("figure", ["deliveries", "messages", "cpu", "join", "past", "p50"])
def test_what_a_busy_tool_made_is_compared_with_nothing(figure: Figure) -> None:
    figures: dict[str, object] = {"messages": 5, "p50": 3, "cost": 7, "join_seconds": 2}
    ours, busy = side("ours", 100, 100, **figures), side("peer", 50, 50, tool=0.81, **figures)
    free = side("free", 50, 50, **figures)
    assert ratio(ours, busy, figure) is None
    assert ratio(busy, ours, figure) is None
    assert ratio(ours, free, figure) is not None
    of_two = case(ours, free, busy, figure=figure)
    (busy_row,) = (line for line in text(of_two).splitlines() if line.startswith("  peer"))
    (free_row,) = (line for line in text(of_two).splitlines() if line.startswith("  free"))
    assert busy_row.count("–") > free_row.count("–")
    assert list(notes(of_two)) == [
        "no ratio to peer: the load tool was busy, and its own limit measured"
    ]
    assert list(notes(case(busy, ours, figure=figure))) == [
        "no ratio, as the load tool was busy, and its own limit measured, with peer"
    ]


@pytest.mark.parametrize("figure", ["memory", "idle"])
def test_a_tool_that_was_busy_before_says_nothing_of_a_server_at_rest(figure: Figure) -> None:
    ours = side("ours", 0, memory={"node": 2.0}, busy={"node": 0.2}, tool=1.0)
    assert ratio(ours, ours, figure) == 1
    assert list(notes(case(ours, figure=figure))) == []


def test_who_loaded_is_told() -> None:
    assert list(notes(case(side("ours", 1), side("peer", 1, by="generator")))) == [
        "measured with the generator in C"
    ]


def test_small_rooms_and_newcomers_have_tables_of_their_own() -> None:
    ours = side("ours", 90, messages=9, p50=0.5, p99=2, longest=3, cost=150.4, tool=0.01)
    lines = text(case(ours, figure="p50")).splitlines()
    assert lines[1].split() == [
        *("p50", "ms", "ours", "÷", "CPU", "µs/message", "ours", "÷", "p99", "ms", "longest", "ms"),
        *("messages/s", "lost", "twice", "disorder", "tool"),
    ]
    assert lines[2].split() == ["ours", "0.50", "150", "2.00", "3.0", "9", "0", "0", "0", "1%"]
    came = side("ours", 90, join_seconds=1.25, notices=3, notices_expected=3, lost=2)
    lines = text(case(came, figure="past")).splitlines()
    assert lines[2].split() == [
        *("ours", "1.25", "2.00", "node", "1.50", "+", "redis", "0.50", "3", "3", "2", "0", "50%"),
    ]


def test_what_is_read_first_is_one_table_with_what_a_busy_tool_made_in_brackets() -> None:
    ours = side("ours", 2000, messages=9, p99=2, cost=150.4)
    busy = side("peer", 1000, messages=8, p99=3, cost=15, tool=0.9)
    cases = {
        it.name: msgspec.structs.replace(case(ours, busy, figure=it.figure), name=it.name)
        for it in everything()
    }
    lines = glance(cases).splitlines()
    assert lines[2] == "| ours | 2,000 · 2.00 | 2,000 · 2.00 | 2.00 | 2.00 | 9 · 150 |"
    assert lines[3] == "| peer | (1,000 · 2.00) | (1,000 · 2.00) | (2.00) | (3.00) | (8 · 15) |"
    cases["private-200-w1"] = case(ours, figure="messages")
    assert glance(cases).splitlines()[3].endswith("| – |")
    del cases["private-200-w1"]
    assert glance(cases) == ""


def test_what_failed_or_went_wrong_is_told() -> None:
    failed = SideResult(name="peer", failed=["it ended with 1", "it ended with 1"])
    it = case(side("tertulia", 5, trouble=["3 messages were lost"]), failed)
    assert list(notes(it)) == ["tertulia: 3 messages were lost", "peer: it ended with 1"]


def test_cases_are_chosen_by_patterns() -> None:
    assert [it.name for it in chosen("private-200-w1, join-*")] == [
        "private-200-w1",
        "join-1000",
        "join-10000",
    ]
    assert len(chosen("*")) == len(everything()) == len({it.name for it in everything()})
    assert {it.name for it in chosen(" ".join(QUICK))} == set(QUICK)
    with pytest.raises(ValueError, match="no case is called 'fanout-7'; there are fanout-100-w1"):
        chosen("fanout-7")


def test_all_that_is_compared_is_there() -> None:
    names = {it.name for it in everything()}
    assert {f"nodes-{pace}" for pace in ("w1", "w16", "r100", "r1000")} <= names
    for name in (
        *(f"fanout-1000-{pace}" for pace in ("w1", "w16", "r100", "r1000")),
        "private-200-w1",
    ):
        assert "tertulia, without io_uring" in {it.name for it in chosen(name)[0].sides}
    assert {"small-10", "small-100", "history-1000", "rooms-idle", "rooms-r1000"} <= names
    (small,) = chosen("small-10")
    assert {"Ergo", "Centrifugo"} <= {it.server.name for it in small.sides}
    # On one core, whatever the machine has.
    assert not any(it.server.apart for case in chosen("nodes-*") for it in case.sides)


def test_ours_comes_first_in_every_case() -> None:
    assert {it.sides[0].server.name for it in everything()} == {"tertulia"}
    for it in everything():
        assert len({one.name for one in it.sides}) == len(it.sides)
