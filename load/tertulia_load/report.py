"""What a person reads at the end."""

from collections import Counter
from collections.abc import Iterator

from tertulia_load.outcome import Joins, Outcome
from tertulia_load.plan import Plan

_BUSY = 0.85
"""The share of a core from which on a process of the tool may be what limits the figures."""
_LATE_MS = 50.0
"""The same for how late the tool was with what it sent."""


def table(outcome: Outcome) -> str:
    """Return the figures, one line for each thing, and the verdict last."""
    width = 13
    return "".join(f"{name:<{width}}{text}\n" for name, text in _lines(outcome))


def _lines(outcome: Outcome) -> Iterator[tuple[str, str]]:
    plan, sent, delivered = outcome.plan, outcome.sent, outcome.delivered
    yield "clients", _clients(plan)
    yield "load", _load(plan)
    for number, joins in enumerate(outcome.joins):
        yield "came back" if number else "joined", _joins(joins)
    total = sent.public + sent.private
    yield (
        "sent",
        f"{total:,}  {sent.per_second:,.0f}/s  in {sent.seconds:.2f} s"
        + (f"; {sent.answered:,} answered" if sent.answered else ""),
    )
    yield (
        "delivered",
        f"{delivered.public + delivered.private:,}  {delivered.per_second:,.0f}/s  "
        f"in {delivered.seconds:.2f} s",
    )
    yield (
        "",
        f"lost {delivered.lost:,}  duplicated {delivered.duplicated:,}  "
        f"out of order {delivered.out_of_order:,}",
    )
    yield "latency", _latency(outcome)
    yield "verified", _verified(outcome)
    yield "tool", f"{outcome.tool.busiest:.0%} of a core, the busiest of {_processes(plan)}"
    yield from _warnings(outcome)
    fine = "all that was sent arrived, once and in order" if total else "nothing was sent"
    verdict = "; ".join(outcome.trouble) or fine
    yield "result", verdict + ("; interrupted" if outcome.interrupted else "")


def _clients(plan: Plan) -> str:
    where = Counter(str(plan.target(client)) for client in range(plan.clients))
    listed = ", ".join(f"{name} ({count:,})" for name, count in where.items())
    rooms = (
        f"; {plan.rooms:,} rooms of {plan.members:g}, each client in {plan.rooms_per_client:,}"
        if plan.rooms
        else ""
    )
    return f"{plan.clients:,} in {_processes(plan)}: {listed}{rooms}"


def _processes(plan: Plan) -> str:
    return "1 process" if plan.processes == 1 else f"{plan.processes} processes"


def _load(plan: Plan) -> str:
    if not plan.senders:
        return f"nobody sends, {plan.seconds:g} s"
    kind = {0.0: "public", 1.0: "private"}.get(plan.private, f"{plan.private:.0%} private")
    if plan.is_of_devices:
        kind = "left by one device and shown by the next"
    low, high = plan.sizes
    pace = (
        f"closed loop, {plan.in_flight:,} in flight each"
        if plan.rate is None
        else f"open loop, {plan.rate:,g}/s"
    )
    return ", ".join(
        [
            f"{plan.senders:,} senders",
            pace,
            kind,
            f"{low}{f'-{high}' if high > low else ''} bytes",
            f"{plan.seconds:g} s",
            *(["acknowledged"] if plan.acknowledge else []),
            *([f"storm after {plan.storm:g} s, jitter {plan.jitter:g} s"] if plan.storm else []),
        ]
    )


def _joins(joins: Joins) -> str:
    told = f"{joins.clients:,} in {joins.seconds:.2f} s, {joins.per_second:,.0f}/s"
    if joins.seats:
        told += f"; {joins.seats:,} seats in rooms, {joins.seats_per_second:,.0f}/s"
    if joins.retries:
        told += f", {joins.retries:,} tried again"
    if not joins.notices_expected:
        return told
    return (
        f"{told}; {joins.notices:,} of {joins.notices_expected:,} notices in "
        f"{joins.notices_seconds:.2f} s"
    )


def _latency(outcome: Outcome) -> str:
    latency = outcome.latency
    if latency.p50 is None:
        return "nothing was delivered"
    figures = (
        ("p50", latency.p50),
        ("p90", latency.p90),
        ("p99", latency.p99),
        ("p99.9", latency.p99_9),
        ("max", latency.max),
    )
    shown = "  ".join(f"{name} {value:,.2f}" for name, value in figures if value is not None)
    since = "due: coordinated omission corrected" if latency.corrected else "sent: closed loop"
    return f"{shown}  ms  (from when {since}; {latency.recorded:,} recorded)"


def _verified(outcome: Outcome) -> str:
    verified, delivered = outcome.verified, outcome.delivered
    if not verified.taken_apart:
        return "nothing: no message came"
    private = f", {delivered.private:,} private" if delivered.private else ""
    unordered = f" ({verified.unordered:,} numbers only)" if verified.unordered else ""
    return (
        f"numbers and order of every sender at each of {verified.readers:,} readers"
        f"{unordered}{private}: {verified.taken_apart:,} messages taken apart, {verified.compared:,} equal "
        "to those byte by byte"
    )


def _warnings(outcome: Outcome) -> Iterator[tuple[str, str]]:
    if outcome.tool.busiest > _BUSY:
        yield "warning", "the tool itself may have been the limit: use more --processes"
    if outcome.sent.latest_ms > _LATE_MS:
        yield (
            "warning",
            f"the tool sent up to {outcome.sent.latest_ms:,.0f} ms late, which counts as latency",
        )
    if outcome.sent.held_back:
        yield (
            "warning",
            f"{outcome.sent.held_back:,} messages were due and not sent: what was before them took too long",
        )
    if outcome.sent.slowed:
        yield (
            "warning",
            "the service slowed senders, so this is what its limits.messages_per_second lets through: "
            "lift it to learn more",
        )
    for why, count in outcome.delivered.farewells.items():
        yield "disconnected", f"{count:,}: {why}"
