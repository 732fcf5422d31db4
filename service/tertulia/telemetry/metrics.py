"""Every metric, once.

No label can be grown by a client: the values of ``dialect`` and ``chat`` are those of the
configuration, the others come from enums, and all of them exist from the start. So every series is
there at zero before it first counts, and asking for another one is an error.

What is counted with every message is a counter or a histogram of ``counters``, which cost next to nothing;
fan-out counts once for a batch, never once for a recipient.
"""

import math
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from typing import Any, Final, Generic, Literal, Self, TypeVar, cast, overload

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

from tertulia.dialects.contract import RoomFault
from tertulia.domain.commands import Fault
from tertulia.domain.disconnects import Disconnect
from tertulia.telemetry import counters

Kind = Literal["public", "private"]
KINDS: Final[tuple[Kind, ...]] = ("public", "private")


class RetryCause(StrEnum):
    """Why a commit was sent to Redis again."""

    TIMEOUT = "timeout"
    """No reply in time: it may or may not have been applied."""
    CONNECTION = "connection"
    """The connection broke, or there was none to be had."""
    LOADING = "loading"
    """Redis reads its data from disk."""
    READ_ONLY = "read_only"
    """Redis is a replica, or has become one."""
    OUT_OF_MEMORY = "out_of_memory"
    """Redis has reached its memory limit."""
    MISCONFIGURED = "misconfigured"
    """Redis can't write to its disk."""
    NO_REPLICAS = "no_replicas"
    """Redis wants more healthy replicas than it has."""
    BUSY = "busy"
    """Redis is held up by somebody's script."""
    CLUSTER = "cluster"
    """The slot moved, or the cluster is down."""
    NO_PERMISSION = "no_permission"
    """Redis does not let this user do it."""
    OTHER = "other"
    """Another error, to be found in the log."""


class SignUpOutcome(StrEnum):
    """What came of somebody's wish for an account."""

    MADE = "made"
    TOO_MANY = "too_many"
    """From its network, in an hour."""
    CLOSED = "closed"
    """Registration is."""

    @classmethod
    def of(cls, wait: float) -> Self:
        """Return that of who is told to ask again in so many seconds; infinity: never."""
        return cls.CLOSED if math.isinf(wait) else cls.TOO_MANY


class Limit(StrEnum):
    """What a client sent more of than it may go on sending."""

    BYTES = "bytes"
    COMMANDS = "commands"
    MESSAGES = "messages"
    """What it said to others: public and private messages."""


_LATENCIES: Final = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
_OPS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)

_A = TypeVar("_A")
_B = TypeVar("_B")
_Metric = TypeVar("_Metric")


class By(Generic[_A, _Metric]):
    """A metric with a label: called with a value, it gives its child, or raises KeyError."""

    def __init__(self, children: Mapping[_A, _Metric]) -> None:
        self._children = children

    def __call__(self, value: _A) -> _Metric:
        return self._children[value]


class ByTwo(Generic[_A, _B, _Metric]):
    """A metric with two labels, as ``By``."""

    def __init__(self, children: Mapping[tuple[_A, _B], _Metric]) -> None:
        self._children = children

    def __call__(self, first: _A, second: _B) -> _Metric:
        return self._children[first, second]


@dataclass(frozen=True)
class Label(Generic[_A]):
    """A label and its values; without any, those of the configuration."""

    name: str
    values: tuple[_A, ...] = ()


@dataclass(frozen=True)
class _Declared:
    """A line of the table, and how it becomes a metric."""

    kind: type
    name: str
    meaning: str
    labels: tuple[Label[Any], ...] = ()
    bounds: Sequence[float] = ()

    def made(self, registry: CollectorRegistry, configured: Mapping[str, Sequence[str]]) -> Any:
        """Make the metric, and all children that it will ever have."""
        name, labels = f"tertulia_{self.name}", [label.name for label in self.labels]
        if self.kind is counters.Histogram:
            return counters.Histogram(name, self.meaning, self.bounds, registry)
        if self.kind is Histogram:
            return Histogram(name, self.meaning, buckets=self.bounds, registry=registry)
        values = [label.values or configured[label.name] for label in self.labels]
        if self.kind is counters.Counter:
            children = {keys: counters.Counter() for keys in product(*values)}
            counters.Counters(name, self.meaning, labels, children.items(), registry)
        else:
            family = self.kind(name, self.meaning, labels, registry=registry)
            if not labels:
                return family
            children = {keys: family.labels(*map(_shown, keys)) for keys in product(*values)}
        if len(labels) == 1:
            return By({key: child for (key,), child in children.items()})
        return ByTwo(cast("Mapping[tuple[Any, Any], Any]", children))


def _shown(value: str | Disconnect) -> str:
    return value.label if isinstance(value, Disconnect) else str(value)


# What stands in the table is made for each node: it has then what is said to be returned here.


def _one(kind: type[_Metric], name: str, meaning: str, *, bounds: Sequence[float] = ()) -> _Metric:
    return cast("_Metric", _Declared(kind, name, meaning, bounds=bounds))


@overload
def _each(kind: type[_Metric], name: str, meaning: str, first: Label[_A], /) -> By[_A, _Metric]: ...
@overload
def _each(
    kind: type[_Metric], name: str, meaning: str, first: Label[_A], second: Label[_B], /
) -> ByTwo[_A, _B, _Metric]: ...
def _each(kind: type, name: str, meaning: str, *labels: Label[Any]) -> Any:
    return _Declared(kind, name, meaning, labels)


CHAT: Final = Label[str]("chat")
DIALECT: Final = Label[str]("dialect")
LISTENER: Final = Label[str]("listener")
KIND: Final = Label[Kind]("kind", KINDS)
FAULT: Final = Label("kind", tuple(Fault))
LIMIT: Final = Label("limit", tuple(Limit))
CAUSE: Final = Label("cause", tuple(RetryCause))
OUTCOME: Final = Label("outcome", tuple(SignUpOutcome))
REASON: Final = Label("reason", tuple(Disconnect))
ROOM: Final = Label("reason", (RoomFault.FULL, RoomFault.NO_ROOM_LEFT, RoomFault.TOO_MANY_ROOMS))


class Metrics:
    """All that a node counts and measures, registered in one registry.

    Those with labels are called with values, and give a child, made beforehand; they raise KeyError for a
    dialect, chat or listener that was not named at construction.
    """

    # Sessions and what they do.
    connections = _one(Gauge, "connections", "Open client connections, entered or not.")
    connections_limit = _one(
        Gauge,
        "connections_limit",
        "Client connections that the node takes: limits.connections, or what open files allow.",
    )
    passwords_waiting = _one(
        Gauge, "passwords_waiting", "Passwords that wait to be verified, longest first."
    )
    passwords_limit = _one(
        Gauge, "passwords_limit", "Passwords that may wait, half of them from one network."
    )
    passwords_refused = _one(
        Counter, "passwords_refused_total", "Passwords not looked at, as too many waited already."
    )
    slow_readers = _one(Gauge, "slow_readers", "Sessions whose client has unread bytes waiting.")
    sessions = _each(Gauge, "sessions", "Sessions in a chat on this node.", CHAT, DIALECT)
    roster_size = _each(
        Gauge, "roster_size", "Nicknames in a chat on all nodes, as this one knows.", CHAT
    )
    joins = _each(Counter, "joins_total", "Sessions of this node that joined a chat.", DIALECT)
    rooms = _one(Gauge, "rooms", "Further rooms that this node follows, of all its chats.")
    room_seats = _one(Gauge, "room_seats", "Seats of this node's sessions in further rooms.")
    room_joins = _one(Counter, "room_joins_total", "Seats that this node's sessions took in rooms.")
    room_parts = _one(Counter, "room_parts_total", "Seats in rooms that they gave back, or lost.")
    room_refusals = _each(
        Counter, "room_refusals_total", "Clients that came into no room, by what is full.", ROOM
    )
    rooms_behind = _one(
        Gauge, "rooms_behind", "Rooms that this node can't follow yet, as it lost Redis for them."
    )
    sign_ups = _each(
        Counter,
        "sign_ups_total",
        "Accounts that were asked for: made, or not, as too many came from a network or none may.",
        OUTCOME,
    )
    leaves = _each(Counter, "leaves_total", "Sessions of this node that left a chat.", REASON)
    disconnects = _each(Counter, "disconnects_total", "Client connections that ended.", REASON)
    messages = _each(
        counters.Counter,
        "messages_total",
        "Messages from this node's clients that were committed.",
        KIND,
        DIALECT,
    )
    messages_filtered = _each(
        Counter,
        "messages_filtered_total",
        "Messages not passed on, as they had words that their listener refuses.",
        DIALECT,
    )
    deliveries = _each(
        counters.Counter, "deliveries_total", "Messages written to this node's clients.", DIALECT
    )
    unshown = _each(
        counters.Counter,
        "unshown_total",
        "Events, letters and past messages that could not be shown: a defect of ours.",
        DIALECT,
    )
    pending_messages = _each(
        Gauge, "pending_messages", "Messages that wait for accounts of a chat, in Redis.", CHAT
    )
    undelivered = _one(
        Counter,
        "undelivered_total",
        "Private messages reported to their sender as not delivered.",
    )

    # What clients do wrong.
    faults = _each(
        Counter, "refused_commands_total", "What clients sent that is no command.", FAULT
    )
    reads_paused = _each(
        Counter,
        "reads_paused_total",
        "Times that a client sent too much and was not read for a while.",
        LIMIT,
    )
    untrusted_headers = _one(
        Counter,
        "untrusted_proxy_headers_total",
        "Connections that began with a PROXY header and came from no trusted proxy.",
    )

    # TLS.
    certificate_expiry = _each(
        Gauge,
        "certificate_expiry_timestamp_seconds",
        "When the certificate in use on a listener ends, in Unix time.",
        LISTENER,
    )
    certificate_reload_failures = _each(
        Counter,
        "certificate_reload_failures_total",
        "Times that a new certificate could not be used, and the old one stayed.",
        LISTENER,
    )
    certificate_refused = _each(
        Gauge,
        "certificate_refused",
        "Whether a listener's files can't be used, and what they held before stays (1).",
        LISTENER,
    )

    # Group commit.
    batch_ops = _one(
        counters.Histogram, "batch_ops", "Operations in a committed batch.", bounds=_OPS
    )
    commit_duration = _one(
        counters.Histogram,
        "commit_duration_seconds",
        "From sending a batch to its reply, retries included.",
        bounds=_LATENCIES,
    )
    commit_retries = _each(Counter, "commit_retries_total", "Batches sent to Redis again.", CAUSE)
    commit_queue_length = _each(
        Gauge, "commit_queue_length", "Operations that wait for the next batch.", CHAT
    )
    fencings = _one(
        Counter,
        "fencings_total",
        "Times that this node found its lease buried and started over.",
    )
    burials = _one(Counter, "burials_total", "Other nodes that this node buried.")

    # The bus.
    publish_to_delivery = _one(
        counters.Histogram,
        "publish_to_delivery_seconds",
        "From the commit of an entry to its last write to a client here.",
        bounds=_LATENCIES,
    )
    bus_gaps = _one(Counter, "bus_gaps_total", "Entries that came with an offset not expected.")
    bus_recoveries = _one(Counter, "bus_recoveries_total", "Times that the log was read on from.")
    bus_recovered_entries = _one(
        Counter,
        "bus_recovered_entries_total",
        "Entries that came from the log, not over the bus.",
    )
    bus_lost_entries = _one(
        Counter,
        "bus_lost_entries_total",
        "Entries that were trimmed from the log before they were read.",
    )
    bus_reconnects = _one(
        Counter, "bus_reconnects_total", "Times that the bus was lost and subscribed to again."
    )
    bus_unknown = _one(
        Counter,
        "bus_unknown_total",
        "Messages, log entries, events and letters of a later version, skipped.",
    )
    epoch_changes = _one(
        Counter, "epoch_changes_total", "Times that Redis turned out to have lost its data."
    )

    # Redis.
    clock_offset = _each(
        Gauge,
        "clock_offset_seconds",
        "How far this machine's clock is ahead of that of the chat's Redis.",
        CHAT,
    )
    redis_refusals = _each(
        Gauge, "redis_refusals", "Commands that Redis refuses to this node's user.", CHAT
    )

    # The node.
    redis_up = _one(Gauge, "redis_up", "Whether commands to Redis work (1) or not (0).")
    bus_up = _one(Gauge, "bus_up", "Whether the bus brings this node's probes (1) or not (0).")
    ready = _one(Gauge, "ready", "Whether the node asks for new clients (1) or not (0).")
    uptime = _one(Gauge, "uptime_seconds", "Since the node began, by a clock that nobody sets.")
    draining = _one(Gauge, "draining", "Whether the node is shutting down (1) or not (0).")
    event_loop_lag = _one(
        Histogram,
        "event_loop_lag_seconds",
        "How late a timer of the event loop came.",
        bounds=_LATENCIES,
    )
    event_loop_lag_last = _one(
        Gauge, "event_loop_lag_last_seconds", "How late the most recent timer came."
    )
    ops_evictions = _one(
        Counter,
        "ops_evictions_total",
        "Idle connections of the operator's HTTP closed for newcomers.",
    )

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        dialects: Iterable[str],
        chats: Iterable[str],
        version: str,
        certificates: Iterable[str] = (),
        dropped_lines: counters.Counter | None = None,
    ) -> None:
        self.registry = registry
        configured = {
            CHAT.name: tuple(chats),
            DIALECT.name: tuple(dialects),
            LISTENER.name: tuple(certificates),
        }
        for attribute, declared in vars(Metrics).items():
            if isinstance(declared, _Declared):
                setattr(self, attribute, declared.made(registry, configured))
        counters.Counters(
            "tertulia_log_lines_dropped_total",
            "Lines of the log that were not written: too many waited, or nobody reads it.",
            (),
            [((), dropped_lines or counters.Counter())],
            registry,
        )
        Info("tertulia_build", "What runs here.", registry=registry).info(
            {"version": version, "python": platform.python_version()}
        )
