"""What became of a run: the sum over all processes and rounds, and whether that is good."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from tertulia_load.control import Joined, Settled, Stopped
from tertulia_load.latency import PERCENTILES, Latency
from tertulia_load.plan import Plan
from tertulia_load.reading import Tally


class Joins(msgspec.Struct, frozen=True, kw_only=True):
    """How everybody came in one round."""

    clients: int
    failed: dict[str, int]
    """Why how many did not."""
    retries: int
    seconds: float
    """From the first connection to the last welcome."""
    per_second: float
    notices: int
    """How often clients read that one of this tool came."""
    notices_expected: int
    """Each client reads it of everyone who comes later."""
    notices_seconds: float
    """From the first connection to the last of these."""
    seats: int
    """Further rooms that they are in, all together."""
    seats_per_second: float
    busiest: float
    """The share of a core that the tool's busiest process used meanwhile."""


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """What was sent, in all rounds."""

    public: int
    private: int
    seconds: float
    per_second: float
    answered: int
    """How many the service said it took, in dialects that say so."""
    refused: int
    slowed: int
    """How often the service said that a sender is read more slowly."""
    returned: int
    """Private messages that the service reported it could not deliver."""
    held_back: int
    """Messages that were due, in open loop, and not sent as the service took nothing more."""
    latest_ms: float
    """By how much the tool was late at most, in open loop."""


class Delivered(msgspec.Struct, frozen=True, kw_only=True):
    """What was read, in all rounds."""

    public: int
    private: int
    expected: int
    """These, without what came twice and with what was lost."""
    seconds: float
    """From the first message sent to the last read."""
    per_second: float
    lost: int
    duplicated: int
    out_of_order: int
    stray: int
    """Messages that their reader can't have: from before it came, or to somebody else."""
    orders: int
    """How many different orders of public messages the processes found, in one room at the most. More than
    one is wrong."""
    disconnected: int
    farewells: dict[str, int]


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What was verified, and how."""

    readers: int
    """Clients all of whose messages, from every sender, were checked by number and place."""
    unordered: int
    """Of these, who was checked by number only: all in a process send and read nothing of their own,
    so that nobody there knows the place of a message."""
    taken_apart: int
    """Messages that were split from what was read."""
    compared: int
    """Messages that were equal, byte by byte, to what another reader had read at the same place."""


class Latencies(msgspec.Struct, frozen=True, kw_only=True):
    """How long messages took, in milliseconds, from when they were due."""

    p50: float | None
    p90: float | None
    p99: float | None
    p99_9: float | None = msgspec.field(name="p99.9")
    max: float | None
    recorded: int
    """How many deliveries this is from: every n-th of all, but the maximum of all reads."""
    corrected: bool
    """Whether coordinated omission is corrected: in open loop."""


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """What the tool itself needed."""

    processes: int
    busiest: float
    """The share of a core that its busiest process used while sending."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """All there is to say."""

    plan: Plan
    began: float
    """When the first message was sent, seconds since 1970."""
    ended: float
    interrupted: bool
    joins: list[Joins]
    sent: Sent
    delivered: Delivered
    verified: Verified
    latency: Latencies
    tool: Tool
    trouble: list[str]
    """What was not as it should be, in words; nothing where all was well."""


@dataclass(slots=True)
class Rounds:
    """Gathers what the processes report."""

    plan: Plan
    began: float = 0.0
    ended: float = 0.0
    joins: list[Joins] = field(default_factory=list)
    _stopped: list[Stopped] = field(default_factory=list)
    _tallies: list[Tally] = field(default_factory=list)
    _farewells: Counter[str] = field(default_factory=Counter)
    _latency: Latency = field(default_factory=Latency)
    _seconds: float = 1.0
    _sending_seconds: float = 0.0
    _reading_seconds: float = 0.0
    _expected: int = 0
    _orders: int = 1
    _readers: int = 0
    _unordered: int = 0
    _busiest: float = 0.0

    def joined(
        self,
        reports: Sequence[Joined],
        notices: int,
        last_notice: int,
        notices_expected: int,
    ) -> Joins:
        """Add how everybody came, and return it."""
        entered = sum(report.entered for report in reports)
        begun = min(report.begun for report in reports)
        seconds = max(max(r.last_entered for r in reports) - begun, 1) / 1_000_000
        failed: Counter[str] = Counter()
        for report in reports:
            failed.update(report.failed)
        joins = Joins(
            clients=entered,
            failed=dict(failed),
            retries=sum(report.retries for report in reports),
            seconds=seconds,
            per_second=entered / seconds,
            notices=notices,
            notices_expected=notices_expected,
            notices_seconds=max(last_notice - begun, 0) / 1_000_000,
            seats=(seats := entered * self.plan.rooms_per_client if self.plan.rooms else 0),
            seats_per_second=seats / seconds,
            busiest=max(report.cpu_seconds for report in reports) / seconds,
        )
        self.joins.append(joins)
        return joins

    def sent(self, at: int, reports: Sequence[Stopped]) -> None:
        """Add what was sent in a round that began at a time."""
        self._stopped += reports
        seconds = max(max(report.until for report in reports) - at, 1) / 1_000_000
        self._sending_seconds += seconds
        self._seconds = seconds

    def settled(self, at: int, reports: Sequence[Settled]) -> None:
        """Add what was read in it."""
        self._busiest = max(
            self._busiest, *(report.cpu_seconds / self._seconds for report in reports)
        )
        self._tallies += [report.tally for report in reports]
        for report in reports:
            self._farewells.update(report.farewells)
            self._latency.merge(report.histogram, report.recorded, report.longest)
        last = max(report.tally.last for report in reports)
        self._reading_seconds += max(last - at, 1) / 1_000_000
        self._readers = sum(report.tally.readers for report in reports)
        self._unordered = sum(report.tally.unordered for report in reports)
        # A message that not all have in full is lost somewhere, and is counted as lost.
        found: dict[int, list[tuple[int, int]]] = {}
        for report in reports:
            for room, order in report.orders.items():
                found.setdefault(room, []).append(order)
        for orders in found.values():
            longest = max(end for _, end in orders)
            full = {digest for digest, end in orders if end == longest}
            self._orders = max(self._orders, len(full))

    def outcome(self, *, interrupted: bool) -> Outcome:
        """Return the sum."""
        public = sum(sum(report.public.values()) for report in self._stopped)
        private = sum(sum(report.private.values()) for report in self._stopped)
        read_public = self._sum("public")
        read_private = self._sum("private")
        sending = max(self._sending_seconds, 1e-6)
        reading = max(self._reading_seconds, 1e-6)
        outcome = Outcome(
            plan=self.plan,
            began=self.began,
            ended=self.ended,
            interrupted=interrupted,
            joins=self.joins,
            sent=Sent(
                public=public,
                private=private,
                seconds=self._sending_seconds,
                per_second=(public + private) / sending,
                answered=self._sum("answered"),
                refused=self._sum("refused"),
                slowed=self._sum("slowed"),
                returned=self._sum("returned"),
                held_back=sum(report.held_back for report in self._stopped),
                latest_ms=max((report.latest for report in self._stopped), default=0) / 1000,
            ),
            delivered=Delivered(
                public=read_public,
                private=read_private,
                expected=read_public + read_private - self._sum("doubled") + self._sum("lost"),
                seconds=self._reading_seconds,
                per_second=(read_public + read_private) / reading,
                lost=self._sum("lost"),
                duplicated=self._sum("doubled"),
                out_of_order=self._sum("out_of_order"),
                stray=self._sum("stray"),
                orders=self._orders,
                disconnected=self._sum("disconnected"),
                farewells=dict(self._farewells),
            ),
            verified=Verified(
                readers=self._readers,
                unordered=self._unordered,
                taken_apart=self._sum("apart"),
                compared=read_public + read_private - self._sum("apart"),
            ),
            latency=Latencies(
                **{
                    f"p{percentile:g}".replace(".", "_"): _ms(self._latency.at(percentile))
                    for percentile in PERCENTILES
                },
                max=_ms(self._latency.longest) if self._latency.recorded else None,
                recorded=self._latency.recorded,
                corrected=self.plan.rate is not None,
            ),
            tool=Tool(processes=self.plan.processes, busiest=self._busiest),
            trouble=[],
        )
        return msgspec.structs.replace(outcome, trouble=trouble(outcome))

    def _sum(self, name: str) -> int:
        return sum(getattr(tally, name) for tally in self._tallies)


def trouble(outcome: Outcome) -> list[str]:
    """Say what was not as it should be."""
    found = []
    for joins in outcome.joins:
        found += [
            f"{count:,} clients could not enter: {why}" for why, count in joins.failed.items()
        ]
        missing = joins.notices_expected - joins.notices
        if missing and not joins.failed:
            found.append(f"{abs(missing):,} notices of who came {_lost_or_doubled(missing)}")
    sent, delivered = outcome.sent, outcome.delivered
    for count, what in (
        (delivered.lost, "messages were lost"),
        (delivered.duplicated, "messages came twice"),
        (delivered.out_of_order, "messages came out of order"),
        (delivered.stray, "messages came to a reader that can't have them"),
        (sent.refused, "messages were refused"),
        (sent.returned, "private messages were reported as undelivered"),
        (delivered.disconnected, "clients were disconnected"),
    ):
        if count:
            found.append(f"{count:,} {what}")
    if delivered.orders > 1:
        found.append(f"the processes read the messages in {delivered.orders} different orders")
    return found


def _lost_or_doubled(missing: int) -> str:
    return "were lost" if missing > 0 else "came twice"


def _ms(micros: int | None) -> float | None:
    return None if micros is None else micros / 1000
