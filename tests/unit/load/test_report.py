"""What is told: the live line, the table, the verdict, and the status."""

import json
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from tertulia import cli
from tertulia_load import run as load_run
from tertulia_load.control import Joined, Progress, Settled, Stopped
from tertulia_load.latency import Latency
from tertulia_load.outcome import Outcome, Rounds
from tertulia_load.plan import Plan
from tertulia_load.progress import line
from tertulia_load.reading import Tally
from tertulia_load.report import table
from tertulia_load.run import RunError
from tertulia_load.targets import Target

HERE = Target("chatte", "localhost", "127.0.0.1", 1234)


def outcome(
    tally: Mapping[str, int] = MappingProxyType({}),
    *,
    plan: Mapping[str, Any] = MappingProxyType({}),
    held_back: int = 0,
    late: int = 0,
) -> Outcome:
    """Return what became of two processes with two clients each, of which one sends 100 messages."""
    rounds = Rounds(Plan(targets=(HERE,), clients=4, senders=1, processes=2, **plan))
    joined = [Joined(2, {}, 0, 0, 500_000, 0.2), Joined(2, {}, 0, 0, 400_000, 0.1)]
    rounds.joined(joined, 6, 600_000, 6)
    rounds.sent(
        0, [Stopped({0: 100}, {}, late, held_back, 1_000_000), Stopped({}, {}, 0, 0, 900_000)]
    )
    first, second = Latency(), Latency()
    for micros in range(1000, 21_000, 100):
        first.record(micros)
        second.record(micros)
    fine = {"public": 200, "apart": 50, "readers": 2, "last": 1_100_000}
    rounds.settled(
        0,
        [
            Settled(
                Tally(**{**fine, **tally}), {}, first.encode(), 200, 20_900, {0: (7, 100)}, 0.95
            ),
            Settled(Tally(**fine), {}, second.encode(), 200, 20_900, {0: (7, 100)}, 0.1),
        ],
    )
    return rounds.outcome(interrupted=False)


def test_the_sum_over_processes() -> None:
    it = outcome()
    assert it.trouble == []
    assert (it.joins[0].clients, it.joins[0].seconds, it.joins[0].per_second) == (4, 0.5, 8)
    assert (it.joins[0].notices, it.joins[0].notices_expected) == (6, 6)
    assert (it.sent.public, it.sent.per_second) == (100, 100)
    assert (it.delivered.public, it.delivered.expected) == (400, 400)
    assert it.delivered.per_second == pytest.approx(400 / 1.1)
    assert (it.verified.readers, it.verified.taken_apart, it.verified.compared) == (4, 100, 300)
    assert it.latency.recorded == 400
    assert it.latency.p50 == pytest.approx(10.9, rel=0.002)
    assert it.latency.p99_9 == it.latency.max == 20.9
    assert (it.tool.busiest, it.joins[0].busiest) == (0.95, 0.4)


@pytest.mark.parametrize(
    ("tally", "trouble"),
    [
        ({"lost": 3}, "3 messages were lost"),
        ({"doubled": 1}, "1 messages came twice"),
        ({"out_of_order": 2}, "2 messages came out of order"),
        ({"stray": 2}, "2 messages came to a reader that can't have them"),
        ({"refused": 2}, "2 messages were refused"),
        ({"returned": 2}, "2 private messages were reported as undelivered"),
        ({"disconnected": 1234}, "1,234 clients were disconnected"),
    ],
)
def test_whatever_is_wrong_is_trouble(tally: dict[str, int], trouble: str) -> None:
    it = outcome(tally)
    assert it.trouble == [trouble]
    assert table(it).splitlines()[-1] == f"result       {trouble}"


def test_another_order_in_another_process_is_trouble() -> None:
    rounds = Rounds(Plan(targets=(HERE,)))
    rounds.joined([Joined(0, {}, 0, 0, 0)], 0, 0, 0)
    rounds.sent(0, [Stopped({}, {}, 0, 0, 1)])
    tallies = [(7, 100), (8, 100), (9, 60)]  # the last has not all, which is counted as lost
    rounds.settled(
        0,
        [Settled(Tally(), {}, Latency().encode(), 0, 0, {0: it}, 0.0) for it in tallies],
    )
    assert rounds.outcome(interrupted=False).trouble == [
        "the processes read the messages in 2 different orders"
    ]


def test_who_did_not_come_is_trouble_and_so_are_notices() -> None:
    rounds = Rounds(Plan(targets=(HERE,), clients=3))
    rounds.joined([Joined(3, {}, 0, 0, 1000)], 2, 1000, 3)
    rounds.joined([Joined(2, {"202 in use": 1}, 5, 0, 1000)], 0, 1000, 1)
    assert rounds.outcome(interrupted=True).trouble == [
        "1 notices of who came were lost",
        "1 clients could not enter: 202 in use",
    ]


def test_the_table_says_it_all() -> None:
    told = table(outcome(plan={"rate": 100.0}))
    assert "4 in 2 processes: chatte localhost:1234 (4)" in told
    assert "1 senders, open loop, 100/s, public, 64 bytes, 10 s" in told
    assert "4 in 0.50 s, 8/s; 6 of 6 notices in 0.60 s" in told
    assert "lost 0  duplicated 0  out of order 0" in told
    assert re.search(r"p50 10\.9\d  p90 .*  p99 .*  p99\.9 20\.90  max 20\.90  ms", told)
    assert "coordinated omission corrected; 400 recorded" in told
    assert "numbers and order of every sender at each of 4 readers" in told
    assert "100 messages taken apart, 300 equal" in told
    assert told.splitlines()[-1].endswith("all that was sent arrived, once and in order")


def test_the_table_warns_of_what_spoils_the_figures() -> None:
    told = table(outcome(held_back=5, late=80_000))
    assert "use more --processes" in told
    assert "up to 80 ms late" in told
    assert "5 messages were due and not sent" in told


def test_the_table_of_a_run_without_messages() -> None:
    rounds = Rounds(Plan(targets=(HERE,), senders=0))
    rounds.joined([Joined(100, {}, 0, 0, 1000)], 4950, 1000, 4950)
    told = table(rounds.outcome(interrupted=True))
    assert "nobody sends" in told
    assert "nothing was delivered" in told
    assert told.splitlines()[-1] == "result       nothing was sent; interrupted"


def test_the_live_line() -> None:
    before = Progress(100, 4950, 0, 1000, 10_000, 0)
    now = Progress(100, 4950, 0, 1500, 60_000, 12_340)
    assert line("sending", 3.4, now, before, 0.5) == (
        "sending 3 s  100 clients  sent 1,500 1,000/s  delivered 60,000 100,000/s  slowest 12.3 ms"
    )
    joining = Progress(60, 1770, 0, 0, 0, 0)
    assert line("joining", 1.0, joining, Progress(10, 45, 0, 0, 0, 0), 0.5) == (
        "joining 1 s  60 clients 100/s  notices 1,770 3,450/s"
    )


# --- The command -----------------------------------------------------------------------------------


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(cli.main, ["load", *arguments])


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[Plan]:
    """Put something in place of the run, and return the plans it was given."""
    plans: list[Plan] = []

    async def run(plan: Plan, show: object) -> Outcome:
        plans.append(plan)
        if plan.prefix == "stuck":
            raise RunError("something is stuck")
        return outcome({"lost": int(plan.prefix == "lossy")})

    monkeypatch.setattr(load_run, "run", run)
    return plans


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Missing argument"),
        (("chatte",), "DIALECT=HOST:PORT"),
        (("chatte=192.0.2.1:1234",), "--yes-this-is-my-service 192.0.2.1"),
        (("chatte=127.0.0.1:1", "--clients", "many"), "--clients"),
        (("chatte=127.0.0.1:1", "--clients", "200000"), "--clients is 200,000"),
        (("chatte=127.0.0.1:1", "--duration", "1e9"), "--duration"),
        (("chatte=127.0.0.1:1", "--rate", "5", "--in-flight", "2"), "choose one"),
        (("chatte=127.0.0.1:1", "--size", "64-"), "FROM-TO"),
        (("chatte=127.0.0.1:1", "--size", "64-32"), "--size"),
        (("chatte=127.0.0.1:1", "--what"), "--what"),
    ],
)
def test_wrong_options_end_with_2_and_nothing_runs(
    ran: list[Plan], arguments: tuple[str, ...], said: str
) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert (result.stdout, ran) == ("", [])


def test_options_make_a_plan(ran: list[Plan]) -> None:
    result = invoke(
        *("chatte=127.0.0.1:1", "browser=192.0.2.1:2", "--yes-this-is-my-service", "192.0.2.1"),
        *("--clients", "50", "--senders", "5", "--processes", "2", "--rate", "12.5"),
        *("--private", "0.5", "--size", "64-128", "--duration", "3", "--messages", "1000"),
        *("--ramp", "20", "--ack", "--storm", "1", "--jitter", "2", "--settle", "1"),
        *("--prefix", "me"),
    )
    assert result.exit_code == 0
    (plan,) = ran
    assert msgspec.structs.replace(plan, tag="") == Plan(
        targets=(
            Target("chatte", "127.0.0.1", "127.0.0.1", 1),
            Target("browser", "192.0.2.1", "192.0.2.1", 2),
        ),
        clients=50,
        senders=5,
        processes=2,
        rate=12.5,
        private=0.5,
        sizes=(64, 128),
        seconds=3.0,
        messages=1000,
        ramp=20.0,
        acknowledge=True,
        storm=1.0,
        jitter=2.0,
        settle=1.0,
        prefix="me",
        tag="",
    )


def test_two_runs_do_not_share_nicknames(ran: list[Plan]) -> None:
    for _ in range(2):
        assert invoke("chatte=127.0.0.1:1").exit_code == 0
    assert ran[0].prefix != ran[1].prefix
    assert ran[0].tag != ran[1].tag


def test_the_status_tells_whether_all_was_well(ran: list[Plan]) -> None:
    assert invoke("chatte=127.0.0.1:1").exit_code == 0
    assert invoke("chatte=127.0.0.1:1", "--prefix", "lossy").exit_code == 1
    stuck = invoke("chatte=127.0.0.1:1", "--prefix", "stuck")
    assert (stuck.exit_code, stuck.stdout) == (1, "")
    assert stuck.stderr == "tertulia load: something is stuck\n"


def test_json_holds_what_the_table_does(ran: list[Plan]) -> None:
    told = json.loads(invoke("chatte=127.0.0.1:1", "--json").stdout)
    assert told["latency"]["p99.9"] == 20.9
    assert told["delivered"]["lost"] == 0
    assert told["plan"]["targets"][0]["address"] == "127.0.0.1"
    assert told["trouble"] == []
