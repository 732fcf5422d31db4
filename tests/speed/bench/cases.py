"""The fixed set: what is measured, and against whom."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Final

from speed.bench.peers import ERGO, INSPIRCD, JETSTREAM, LIMIT, NATS, NGIRCD, centrifugo
from speed.bench.results import Figure, Tool
from speed.bench.servers import PAST, Running, Server, tertulia

CLIENTS: Final = (100, 1000, 5000)
MAIN: Final = 1000
"""The number of clients that is measured more than once."""
_SOME: Final = 3
"""Rounds of what varies little."""
SENDERS: Final = 10
RATE: Final = 100.0
PRIVATE_CLIENTS: Final = 1000
PRIVATE_SENDERS: Final = 200
"""Of these, where not everybody sends."""
STORM: Final = 10_000
"""Clients of the join storm of the service itself."""
STORM_OF_ALL: Final = 1000
"""Clients of the one in which the peers take part: some need minutes for ten thousand."""
MOST_OF_NGIRCD: Final = 1000
"""Clients of ngIRCd at most: with more, it needs minutes to let them join one channel."""
IDLE: Final = 5000
NEWCOMERS: Final = 1000
SMALL: Final = (10, 100)
"""Clients of a small room."""
ROOMS: Final = 10_000
ROOMS_CLIENTS: Final = 2_000
ROOMS_EACH: Final = 50
"""Rooms that each of these clients is in: so many as a session may be in unless told otherwise."""
ROOMS_RATE: Final = 1000.0
ROOMS_AT_ONCE: Final = 100
"""Clients on their way into their rooms at the same time: each asks for all of them at once."""
ROOMS_FAULT_EVERY: Final = 10.0


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
    rooms: int = 0
    """Further rooms over which clients and messages are spread."""
    rooms_each: int = 1
    """In how many of them each client is."""
    past: int = 0
    """Messages that are said before the others come, and that each of them reads. The load tool can't."""

    def lasts(self, seconds: float) -> float:
        """Return for how many seconds it sends, where a measurement takes so many."""
        return max(self.least, seconds * self.share)

    def options(self, seconds: float) -> list[str]:
        """Return it as the tool's options."""
        pace = [] if self.in_flight is None else ["--in-flight", f"{self.in_flight}"]
        pace = pace if self.rate is None else ["--rate", f"{self.rate:g}"]
        return [
            *("--clients", f"{self.clients}", "--senders", f"{self.senders}", *pace),
            *("--private", f"{self.private:g}", "--at-once", f"{self.at_once}"),
            *("--rooms", f"{self.rooms}", "--rooms-per-client", f"{self.rooms_each}"),
            *("--duration", f"{self.lasts(seconds):g}"),
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
    """What is done to the first side every so often."""
    fault_every: float = 1.0
    """Seconds from one fault to the next."""
    most_rounds: int = 99
    """How often it is measured at most, for what takes long or is not compared with others."""
    tool: Tool = "load"
    """What loads; the generator takes over where the load tool turns out to be busy, if it can."""


def _rounds(load: Load) -> int:
    # CPU time of a machine that mostly waits varies the most.
    return 99 if load.rate else _SOME


def _fan_out() -> Iterator[Case]:
    ours, limit = Side(tertulia(), ("chatte",)), Side(LIMIT, ("chatte",))
    without = Side(tertulia(io_uring=False), ("chatte",), note="without io_uring")
    for clients in CLIENTS:
        some = (Side(NGIRCD), Side(ERGO), Side(centrifugo())) if clients <= MOST_OF_NGIRCD else ()
        paces: tuple[tuple[str, str, Figure, Load], ...] = (
            ("w1", "1 in flight", "deliveries", Load(clients, in_flight=1)),
            ("w16", "16 in flight", "deliveries", Load(clients, in_flight=16)),
            ("r100", "100 messages/s", "cpu", Load(clients, rate=RATE)),
            ("r1000", "1,000 messages/s", "p99", Load(clients, rate=10 * RATE)),
        )
        for short, words, figure, load in paces if clients == MAIN else paces[:-1]:
            most_rounds = _rounds(load) if clients == MAIN else 1
            yield Case(
                name=f"fanout-{clients}-{short}",
                group="Fan-out",
                title=f"{clients:,} clients, {SENDERS} senders, {words}",
                figure=figure,
                load=load,
                sides=(
                    ours,
                    *((without,) if clients == MAIN else ()),
                    *(limit, Side(INSPIRCD), *some, Side(NATS)),
                ),
                most_rounds=most_rounds,
                tool="generator",
            )
            if figure == "p99":
                continue  # at that pace it is about who keeps up
            yield Case(
                name=f"fanout-{clients}-{short}-ack",
                group="Fan-out, acknowledged",
                title=f"{clients:,} clients, {SENDERS} senders, {words}, each message acknowledged",
                figure=figure,
                load=load,
                sides=(replace(ours, acknowledges=True), replace(limit, acknowledges=True)),
                most_rounds=most_rounds,
                tool="generator",
            )


def _irc() -> Iterator[Case]:
    ours, inspircd, ergo = Side(tertulia(), ("irc",)), Side(INSPIRCD), Side(ERGO)
    for short, words, in_flight in (("w1", "1 in flight", 1), ("w16", "16 in flight", 16)):
        yield Case(
            name=f"irc-fanout-{MAIN}-{short}",
            group="IRC",
            title=f"{MAIN:,} clients of IRC, {SENDERS} senders, {words}",
            figure="deliveries",
            load=Load(MAIN, in_flight=in_flight),
            sides=(ours, inspircd, Side(NGIRCD), ergo),
            most_rounds=_SOME,
            tool="generator",
        )
    for clients, sides in ((STORM_OF_ALL, (ours, inspircd, ergo)), (STORM, (ours, inspircd))):
        yield Case(
            name=f"irc-join-{clients}",
            group="IRC",
            title=f"{clients:,} clients of IRC into one channel, everybody told of everybody",
            figure="join",
            load=Load(clients, senders=0, share=0, least=0.1),
            sides=sides,
            most_rounds=1,
            tool="generator",
        )


def _private() -> Iterator[Case]:
    everysec = Side(tertulia(fsync="everysec"), ("chatte",), note="on disk within 1 s")
    without = Side(tertulia(io_uring=False), ("chatte",), note="without io_uring")
    peers = (Side(NATS), Side(INSPIRCD), Side(ERGO), Side(centrifugo()))
    for senders, who, sides in (
        (PRIVATE_CLIENTS, "all of whom send", (everysec, Side(JETSTREAM))),
        (PRIVATE_SENDERS, f"{PRIVATE_SENDERS} of whom send", (without,)),
    ):
        for short, words, in_flight in (("w1", "1 in flight", 1), ("w16", "16 in flight", 16)):
            yield Case(
                name=f"private-{senders}-{short}",
                group="Private messages",
                title=f"{PRIVATE_CLIENTS:,} clients in pairs, {who}, {words}",
                figure="messages",
                load=Load(PRIVATE_CLIENTS, senders, in_flight=in_flight, private=1),
                sides=(Side(tertulia(), ("chatte",)), *sides, *peers),
                most_rounds=_SOME,
                tool="generator",
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
            tool="generator",
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
    # All on one core, however many there are: what a further node costs is the question.
    sides = tuple(
        Side(
            tertulia(nodes, is_apart=False),
            ("chatte",),
            note="1 node" if nodes == 1 else f"{nodes} nodes",
        )
        for nodes in (3, 2, 1)
    )
    paces: tuple[tuple[str, str, Figure, Load], ...] = (
        ("w1", "1 in flight", "deliveries", Load(1000, in_flight=1)),
        ("w16", "16 in flight", "deliveries", Load(1000, in_flight=16)),
        ("r100", "100 messages/s", "cpu", Load(1000, rate=RATE)),
        ("r1000", "1,000 messages/s", "cpu", Load(1000, rate=10 * RATE)),
    )
    for short, words, figure, load in paces:
        yield Case(
            name=f"nodes-{short}",
            group="Several nodes on one Redis",
            title=f"1,000 clients, {SENDERS} senders, {words}, all nodes on one core",
            figure=figure,
            load=load,
            sides=sides,
            most_rounds=_rounds(load),
            tool="generator",
        )


def _small() -> Iterator[Case]:
    for clients in SMALL:
        yield Case(
            name=f"small-{clients}",
            group="Small rooms",
            title=f"{clients} clients, one of whom sends one message at a time",
            figure="p50",
            load=Load(clients, senders=1, in_flight=1),
            sides=(
                Side(tertulia(), ("chatte",), note="chatte"),
                Side(tertulia(), ("irc",), note="IRC"),
                Side(tertulia(), ("browser",), note="browser"),
                Side(ERGO),
                Side(centrifugo()),
            ),
            most_rounds=_SOME,
            tool="generator",
        )


def _past() -> Iterator[Case]:
    ours = tertulia(past=PAST)
    yield Case(
        name=f"history-{NEWCOMERS}",
        group="History",
        title=f"{NEWCOMERS:,} newcomers, each of whom reads the last {PAST} messages",
        figure="past",
        load=Load(NEWCOMERS, senders=0, share=0, past=PAST),
        sides=(
            Side(ours, ("chatte",), note="chatte"),
            Side(ours, ("irc",), note="IRC"),
            Side(ours, ("browser",), note="browser"),
            Side(centrifugo()),
        ),
        most_rounds=_SOME,
        tool="generator",
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


def _rooms() -> Iterator[Case]:
    three = (Side(tertulia(3), ("browser",)), Side(centrifugo(3)))
    one = (Side(tertulia(), ("browser",)), Side(centrifugo()))
    everybody = Load(
        ROOMS_CLIENTS, 0, rooms=ROOMS, rooms_each=ROOMS_EACH, least=10, at_once=ROOMS_AT_ONCE
    )
    members = ROOMS_CLIENTS * ROOMS_EACH // ROOMS
    words = f"{ROOMS:,} rooms of {members} members, 3 nodes"
    talk = replace(everybody, senders=ROOMS_CLIENTS, rate=ROOMS_RATE)
    yield Case(
        name="rooms-idle",
        group="Further rooms",
        title=f"{words}: nobody talks",
        figure="idle",
        load=everybody,
        sides=three,
        most_rounds=1,
    )
    yield Case(
        name=f"rooms-r{ROOMS_RATE:.0f}",
        group="Further rooms",
        title=f"{words}: {ROOMS_RATE:,.0f} messages/s, spread over all",
        figure="cpu",
        load=talk,
        sides=three,
        most_rounds=_SOME,
    )
    yield Case(
        name="rooms-join",
        group="Further rooms",
        title=f"{ROOMS_CLIENTS // 10:,} clients go into {ROOMS_EACH} of {ROOMS // 10:,} rooms each, 1 node",
        figure="seats",
        load=replace(everybody, clients=ROOMS_CLIENTS // 10, rooms=ROOMS // 10, least=0.1, share=0),
        sides=one,
        most_rounds=_SOME,
    )
    on_three = Side(tertulia(3, is_sharded=True), ("browser",), note="3 masters")
    yield Case(
        name="rooms-masters",
        group="Further rooms",
        title=f"{ROOMS // 10:,} rooms of {members} members, 3 nodes, everybody has 1 in flight",
        figure="messages",
        load=replace(
            talk,
            clients=ROOMS_CLIENTS // 10,
            senders=ROOMS_CLIENTS // 10,
            rooms=ROOMS // 10,
            rate=None,
            in_flight=1,
            least=5,
        ),
        sides=(on_three, Side(tertulia(3), ("browser",), note="1 master")),
        most_rounds=_SOME,
    )
    ours = Side(tertulia(), ("browser",))
    yield Case(
        name="rooms-recovery",
        group="Further rooms",
        title=f"{ROOMS:,} rooms of {members} members, {ROOMS_RATE:,.0f} messages/s, 1 node; "
        f"the bus connection is killed each {ROOMS_FAULT_EVERY:g} s",
        figure="latency",
        load=replace(talk, least=2.5 * ROOMS_FAULT_EVERY),
        sides=(replace(ours, note="bus killed"), replace(ours, note="undisturbed")),
        fault=_kill_bus,
        fault_every=ROOMS_FAULT_EVERY,
        most_rounds=1,
    )


def _kill_bus(running: Running) -> int:
    return sum(int(server.control.client_kill_filter(_type="pubsub")) for server in running.redis)


def everything() -> list[Case]:
    """Return the whole set, in the order in which it is measured."""
    return [
        *_fan_out(),
        *_irc(),
        *_private(),
        *_small(),
        *_past(),
        *_mixed(),
        *_nodes(),
        *_balanced(),
        *_standing(),
        *_recovery(),
        *_rooms(),
    ]


QUICK: Final = (
    "fanout-1000-w1",
    "private-1000-w1",
    "small-10",
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
