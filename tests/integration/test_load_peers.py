"""The load tool with other servers, as the benchmark starts them: all that is sent arrives and is counted."""

import pytest

from harness.requirements import leave_out
from speed.bench.cases import Case, Load, Side
from speed.bench.measure import measure
from speed.bench.peers import INSPIRCD, JETSTREAM, LIMIT, NATS, NGIRCD
from speed.bench.results import Measured
from speed.bench.servers import Server

CLIENTS = 30
SECONDS = 0.5


def measured(server: Server, rate: float, private: float = 0) -> Measured:
    """Measure a server for a moment; one that is missing is skipped, or in CI fails."""
    if missing := server.missing():
        leave_out(missing)
    case = Case(
        name="moment",
        group="",
        title="",
        figure="deliveries",
        load=Load(CLIENTS, rate=rate, private=private),
        sides=(Side(server),),
    )
    return measure(case, case.sides[0], SECONDS)


@pytest.mark.parametrize(
    "server", [LIMIT, INSPIRCD, NGIRCD, NATS, JETSTREAM], ids=lambda it: it.name
)
def test_what_everybody_is_sent_arrives(server: Server) -> None:
    it = measured(server, rate=100)
    assert it.trouble == []
    assert (it.lost, it.duplicated, it.out_of_order, it.disconnected) == (0, 0, 0, 0)
    readers = CLIENTS - (server in (INSPIRCD, NGIRCD))  # there the sender reads nothing of its own
    assert it.deliveries == pytest.approx(100 * readers, rel=0.2)
    assert it.notices == it.notices_expected
    announced = CLIENTS * (CLIENTS - 1) // 2
    assert it.notices == (0 if server in (NATS, JETSTREAM) else announced)
    assert sum(it.cpu.values()) > 0


@pytest.mark.parametrize("server", [INSPIRCD, NGIRCD, NATS, JETSTREAM], ids=lambda it: it.name)
def test_what_one_is_sent_arrives(server: Server) -> None:
    it = measured(server, rate=200, private=1)
    assert it.trouble == []
    assert (it.lost, it.duplicated, it.out_of_order) == (0, 0, 0)
    assert it.deliveries == pytest.approx(200, rel=0.2)
    # Each that was sent; how many those are depends on when a round begins.
    assert it.answered == (round(it.messages * SECONDS) if server is JETSTREAM else 0)
