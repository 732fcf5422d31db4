"""The fixed set: what is measured, and against whom."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Final

from speed.bench.peers import INSPIRCD, JETSTREAM, LIMIT, NATS, NGIRCD
from speed.bench.results import Figure
from speed.bench.servers import Running, Server, tertulia

CLIENTS: Final = (100, 1000, 5000)
MAIN: Final = 1000
"""The number of clients that is measured more than once."""
_SOME: Final = 3
"""Rounds of what varies little."""
SENDERS: Final = 10
RATE: Final = 100.0
PRIVATE_CLIENTS: Final = 1000
STORM: Final = 10_000
"""Clients of the join storm of the service itself."""
STORM_OF_ALL: Final = 1000
"""Clients of the one in which the peers take part: some need minutes for ten thousand."""
MOST_OF_NGIRCD: Final = 1000
"""Clients of ngIRCd at most: with more, it needs minutes to let them join one channel."""
IDLE: Final = 5000


@dataclass(frozen=True, slots=True)
class Load:
    """What the load tool is told."""

    clients: int
    senders: int = SENDERS
    in_flight: int | None = None
    rate: float | None = None
    private: float = 0.0
    share: float = 1.0
    """Of the time that a measurement takes."""
    least: float = 0.0
    """Seconds that it takes at least."""
    at_once: int = 1000
    """Clients on their way in at the same time: a server that lets them in but once a second would keep
    everybody waiting."""

    def options(self, seconds: float) -> list[str]:
        """Return it as the tool's options."""
        pace = [] if self.in_flight is None else ["--in-flight", f"{self.in_flight}"]
        pace = pace if self.rate is None else ["--rate", f"{self.rate:g}"]
        return [
            *("--clients", f"{self.clients}", "--senders", f"{self.senders}", *pace),
            *("--private", f"{self.private:g}", "--at-once", f"{self.at_once}"),
            *("--duration", f"{max(self.least, seconds * self.share):g}"),
        ]


@dataclass(frozen=True, slots=True)
class Side:
    """One of those that are compared."""

    server: Server
    dialects: tuple[str, ...] = ()
    """The dialects that its clients speak, in turn; the server's only one, if there are none."""
    acknowledges: bool = False
    note: str = ""
    """What tells it from another side with the same server."""

    @property
    def name(self) -> str:
        """What it is called in tables."""
        return f"{self.server.name}, {self.note}" if self.note else self.server.name


Fault = Callable[[Running], int]
"""Disturbs a server, and says how often."""


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that is measured, of several sides in turn. The first is ours."""

    name: str
    group: str
    title: str
    figure: Figure
    """What it is about."""
    load: Load
    sides: tuple[Side, ...]
    fault: Fault | None = None
    """What is done to the first side each second."""
    most_rounds: int = 99
    """How often it is measured at most, for what takes long or is not compared with others."""


def _rounds(load: Load) -> int:
    # CPU time of a machine that mostly waits varies the most.
    return 99 if load.rate else _SOME


def _fan_out() -> Iterator[Case]:
    ours, limit = Side(tertulia(), ("chatte",)), Side(LIMIT, ("chatte",))
    for clients in CLIENTS:
        ngircd = (Side(NGIRCD),) if clients <= MOST_OF_NGIRCD else ()
        paces: tuple[tuple[str, str, Figure, Load], ...] = (
            ("w1", "1 in flight", "deliveries", Load(clients, in_flight=1)),
            ("w16", "16 in flight", "deliveries", Load(clients, in_flight=16)),
            ("r100", "100 messages/s", "cpu", Load(clients, rate=RATE)),
        )
        for short, words, figure, load in paces:
            most_rounds = _rounds(load) if clients == MAIN else 1
            yield Case(
                name=f"fanout-{clients}-{short}",
                group="Fan-out",
                title=f"{clients:,} clients, {SENDERS} senders, {words}",
                figure=figure,
                load=load,
                sides=(ours, limit, Side(INSPIRCD), *ngircd, Side(NATS)),
                most_rounds=most_rounds,
            )
            yield Case(
                name=f"fanout-{clients}-{short}-ack",
                group="Fan-out, acknowledged",
                title=f"{clients:,} clients, {SENDERS} senders, {words}, each message acknowledged",
                figure=figure,
                load=load,
                sides=(replace(ours, acknowledges=True), replace(limit, acknowledges=True)),
                most_rounds=most_rounds,
            )


def _private() -> Iterator[Case]:
    everysec = Side(tertulia(fsync="everysec"), ("chatte",), note="on disk within 1 s")
    for short, words, in_flight in (("w1", "1 in flight", 1), ("w16", "16 in flight", 16)):
        yield Case(
            name=f"private-{short}",
            group="Private messages",
            title=f"{PRIVATE_CLIENTS:,} clients in pairs, all send, {words}",
            figure="messages",
            load=Load(PRIVATE_CLIENTS, PRIVATE_CLIENTS, in_flight=in_flight, private=1),
            sides=(
                Side(tertulia(), ("chatte",)),
                everysec,
                Side(JETSTREAM),
                Side(NATS),
                Side(INSPIRCD),
            ),
            most_rounds=_SOME if in_flight == 1 else 1,
        )


def _mixed() -> Iterator[Case]:
    ours = tertulia()
    paces: tuple[tuple[str, str, Figure, Load], ...] = (
        ("w16", "16 in flight", "deliveries", Load(1000, in_flight=16)),
        ("r100", "100 messages/s", "cpu", Load(1000, rate=RATE)),
    )
    for short, words, figure, load in paces:
        yield Case(
            name=f"mixed-{short}",
            group="Mixed dialects",
            title=f"1,000 clients, {SENDERS} senders, {words}",
            figure=figure,
            load=load,
            sides=(
                Side(ours, ("chatte", "protocollo", "browser"), note="all three"),
                Side(ours, ("chatte",), note="chatte"),
                Side(ours, ("protocollo",), note="protocollo"),
                Side(ours, ("browser",), note="browser"),
            ),
            most_rounds=1,
        )


def _standing() -> Iterator[Case]:
    ours, limit = Side(tertulia(), ("chatte",)), Side(LIMIT, ("chatte",))
    all_ = (ours, limit, Side(INSPIRCD))
    for clients, sides in ((STORM_OF_ALL, (*all_, Side(NGIRCD))), (STORM, (ours, limit))):
        yield Case(
            name=f"join-{clients}",
            group="Join storm",
            title=f"{clients:,} clients into one room, everybody told of everybody",
            figure="join",
            load=Load(clients, senders=0, share=0, least=0.1),
            sides=sides,
            most_rounds=1,
        )
    yield Case(
        name=f"idle-{IDLE}",
        group="Idle connections",
        title=f"{IDLE:,} clients in one room that say nothing",
        figure="memory",
        load=Load(IDLE, senders=0, least=3),
        sides=(*all_, Side(NATS)),
        most_rounds=1,
    )


def _nodes() -> Iterator[Case]:
    sides = tuple(
        Side(tertulia(nodes), ("chatte",), note="1 node" if nodes == 1 else f"{nodes} nodes")
        for nodes in (3, 2, 1)
    )
    paces: tuple[tuple[str, str, Figure, Load], ...] = (
        ("w1", "1 in flight", "deliveries", Load(1000, in_flight=1)),
        ("w16", "16 in flight", "deliveries", Load(1000, in_flight=16)),
        ("r100", "100 messages/s", "cpu", Load(1000, rate=RATE)),
    )
    for short, words, figure, load in paces:
        yield Case(
            name=f"nodes-{short}",
            group="Several nodes on one Redis",
            title=f"1,000 clients, {SENDERS} senders, {words}",
            figure=figure,
            load=load,
            sides=sides,
            most_rounds=_rounds(load),
        )


def _balanced() -> Iterator[Case]:
    sides = (
        Side(tertulia(3, is_balanced=True), ("chatte",), note="3 nodes and HAProxy"),
        Side(tertulia(3), ("chatte",), note="3 nodes"),
    )
    loads: tuple[tuple[str, str, Figure, Load], ...] = (
        (
            "w1",
            f"1,000 clients, {SENDERS} senders, 1 in flight",
            "deliveries",
            Load(1000, in_flight=1),
        ),
        ("r100", f"1,000 clients, {SENDERS} senders, 100 messages/s", "cpu", Load(1000, rate=RATE)),
        ("idle", "1,000 clients that say nothing", "memory", Load(1000, senders=0, least=3)),
    )
    for short, words, figure, load in loads:
        yield Case(
            name=f"balanced-{short}",
            group="What the balancer costs",
            title=words,
            figure=figure,
            load=load,
            sides=sides,
            most_rounds=_rounds(load),
        )


def _recovery() -> Iterator[Case]:
    ours = Side(tertulia(), ("chatte",))
    yield Case(
        name="recovery",
        group="Recovery",
        title=f"1,000 clients, {SENDERS} senders, 100 messages/s; the bus connection is killed each second",
        figure="latency",
        load=Load(1000, rate=RATE, least=5),
        sides=(replace(ours, note="bus killed"), replace(ours, note="undisturbed")),
        fault=_kill_bus,
        most_rounds=1,
    )


def _kill_bus(running: Running) -> int:
    assert running.redis is not None
    return int(running.redis.control.client_kill_filter(_type="pubsub"))


def everything() -> list[Case]:
    """Return the whole set, in the order in which it is measured."""
    return [
        *_fan_out(),
        *_private(),
        *_mixed(),
        *_nodes(),
        *_balanced(),
        *_standing(),
        *_recovery(),
    ]


QUICK: Final = (
    "fanout-1000-w1",
    "fanout-1000-w16",
    "fanout-1000-r100",
    "private-w1",
    "join-1000",
)
"""What is measured when there is little time."""


def chosen(only: str) -> list[Case]:
    """Return the cases that match one of several patterns, like ``fanout-1000-* private-*``.

    Raises ValueError where a pattern matches none.
    """
    cases = everything()
    found: dict[str, Case] = {}
    for pattern in only.replace(",", " ").split():
        matching = {case.name: case for case in cases if fnmatchcase(case.name, pattern)}
        if not matching:
            known = ", ".join(case.name for case in cases)
            raise ValueError(f"no case is called {pattern!r}; there are {known}")
        found |= matching
    return [case for case in cases if case.name in found]
