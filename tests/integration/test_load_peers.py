"""The load tool and the generator with other servers, as the benchmark starts them.

All that is sent arrives and is counted.
"""

import pytest

from harness.requirements import leave_out
from speed.bench.cases import Case, Load, Side
from speed.bench.measure import measure
from speed.bench.peers import INSPIRCD, JETSTREAM, LIMIT, NATS, NGIRCD, centrifugo
from speed.bench.results import Measured, Tool
from speed.bench.servers import PAST, Server, tertulia

CLIENTS = 30
SECONDS = 0.5


ANNOUNCED = CLIENTS * (CLIENTS - 1) // 2
CENTRIFUGO = centrifugo()
TERTULIA = tertulia(past=PAST)


def measured(
    server: Server, load: Load, tool: Tool = "load", dialects: tuple[str, ...] = ()
) -> Measured:
    """Measure a server for a moment; one that is missing is skipped, or in CI fails."""
    if missing := server.missing():
        leave_out(missing)
    case = Case(
        name="moment",
        group="",
        title="",
        figure="deliveries",
        load=load,
        sides=(Side(server, dialects),),
    )
    return measure(case, case.sides[0], SECONDS, tool=tool)


@pytest.mark.parametrize(
    "server", [LIMIT, INSPIRCD, NGIRCD, NATS, JETSTREAM, CENTRIFUGO], ids=lambda it: it.name
)
def test_what_everybody_is_sent_arrives(server: Server) -> None:
    it = measured(server, Load(CLIENTS, rate=100))
    assert it.trouble == []
    assert (it.lost, it.duplicated, it.out_of_order, it.disconnected) == (0, 0, 0, 0)
    readers = CLIENTS - (server in (INSPIRCD, NGIRCD))  # there the sender reads nothing of its own
    assert 0 < it.deliveries <= 120 * readers  # a second; on a busy machine fewer were sent
    assert it.notices == it.notices_expected
    assert it.notices == (0 if server in (NATS, JETSTREAM, CENTRIFUGO) else ANNOUNCED)
    assert sum(it.cpu.values()) > 0


@pytest.mark.parametrize(
    "server", [INSPIRCD, NGIRCD, NATS, JETSTREAM, CENTRIFUGO], ids=lambda it: it.name
)
def test_what_one_is_sent_arrives(server: Server) -> None:
    it = measured(server, Load(CLIENTS, rate=200, private=1))
    assert it.trouble == []
    assert (it.lost, it.duplicated, it.out_of_order) == (0, 0, 0)
    assert 0 < it.deliveries <= 240  # a second; on a busy machine fewer were sent
    # Each that was sent; how many those are depends on when a round begins.
    answers = server in (JETSTREAM, CENTRIFUGO)
    assert it.answered == (round(it.messages * SECONDS) if answers else 0)


def test_what_a_room_is_sent_arrives_there_alone() -> None:
    it = measured(CENTRIFUGO, Load(CLIENTS, rate=200, rooms=6))
    assert it.trouble == []
    assert (it.lost, it.duplicated, it.out_of_order) == (0, 0, 0)
    assert 0 < it.deliveries <= 240 * CLIENTS / 6
    assert it.connections > 0


@pytest.mark.parametrize(
    ("server", "dialect", "private", "notices"),
    [
        (INSPIRCD, "irc", 0, ANNOUNCED + CLIENTS),  # there each reads of itself, too
        (INSPIRCD, "irc", 1, ANNOUNCED + CLIENTS),
        (JETSTREAM, "jetstream", 1, 0),
        (CENTRIFUGO, "centrifugo", 1, 0),
        (TERTULIA, "irc", 0, ANNOUNCED + CLIENTS),
        (TERTULIA, "browser", 1, ANNOUNCED),
        (TERTULIA, "chatte", 1, ANNOUNCED),
    ],
    ids=lambda it: it.name if isinstance(it, Server) else str(it),
)
def test_the_generator_speaks_with_each(
    server: Server, dialect: str, private: float, notices: int
) -> None:
    load = Load(CLIENTS, in_flight=2, private=private, share=0.4)
    it = measured(server, load, "generator", (dialect,))
    assert it.trouble == []
    assert (it.notices, it.notices_expected) == (notices, notices)
    assert it.deliveries > 0
    assert it.p50 is not None
    assert it.cost is not None
    assert it.by == "generator"


@pytest.mark.parametrize(
    ("server", "dialect"),
    [(TERTULIA, "irc"), (TERTULIA, "browser"), (CENTRIFUGO, "centrifugo")],
    ids=lambda it: it.name if isinstance(it, Server) else str(it),
)
def test_newcomers_read_what_was_said(server: Server, dialect: str) -> None:
    load = Load(CLIENTS, senders=0, past=PAST, share=0)
    it = measured(server, load, "generator", (dialect,))
    assert it.trouble == []
    assert it.deliveries == pytest.approx((CLIENTS - 1) * PAST / it.join_seconds, rel=0.01)
    assert it.cpu
