"""Every metric, once.

No label can be grown by a client: the values of ``dialect`` and ``chat`` are those of the
configuration, the others come from enums, and all of them exist from the start. So every series is
there at zero before it first counts, and asking for another one is an error.

What is counted with every message is a counter or a histogram of ``counters``, which cost next to nothing;
fan-out counts once for a batch, never once for a recipient.
"""

import math
import platform
from collections.abc import Iterable, Sequence
from enum import StrEnum
from itertools import product
from typing import Final, Literal, Self, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.metrics import MetricWrapperBase

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
    NO_SCRIPT = "no_script"
    """Redis did not know the script (it was restarted, or is another one) and was given it."""
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

_Metric = TypeVar("_Metric", bound=MetricWrapperBase)


def _by(metric: _Metric, values: Iterable[str]) -> dict[str, _Metric]:
    return {value: metric.labels(value) for value in values}


def _by_both(
    metric: _Metric, first: Iterable[str], second: Iterable[str]
) -> dict[tuple[str, str], _Metric]:
    return {both: metric.labels(*both) for both in product(first, second)}


class Metrics:
    """All that a node counts and measures, registered in one registry.

    The methods return a child, made beforehand, for a label value; they raise KeyError for a
    dialect or chat that was not named at construction.
    """

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
        dialects = tuple(dialects)
        chats = tuple(chats)
        reasons = tuple(reason.label for reason in Disconnect)

        def counter(name: str, meaning: str, *labels: str) -> Counter:
            return Counter(f"tertulia_{name}", meaning, labels, registry=registry)

        def gauge(name: str, meaning: str, *labels: str) -> Gauge:
            return Gauge(f"tertulia_{name}", meaning, labels, registry=registry)

        def histogram(name: str, meaning: str, buckets: Iterable[float]) -> Histogram:
            return Histogram(f"tertulia_{name}", meaning, buckets=tuple(buckets), registry=registry)

        def spread(name: str, meaning: str, bounds: Sequence[float]) -> counters.Histogram:
            return counters.Histogram(f"tertulia_{name}", meaning, bounds, registry)

        # Sessions and what they do.
        self.connections = gauge("connections", "Open client connections, entered or not.")
        self.connections_limit = gauge(
            "connections_limit",
            "Client connections that the node takes: limits.connections, or what open files allow.",
        )
        self.passwords_waiting = gauge(
            "passwords_waiting", "Passwords that wait to be verified, longest first."
        )
        self.passwords_limit = gauge(
            "passwords_limit", "Passwords that may wait, half of them from one network."
        )
        self.passwords_refused = counter(
            "passwords_refused_total", "Passwords not looked at, as too many waited already."
        )
        self.slow_readers = gauge("slow_readers", "Sessions whose client has unread bytes waiting.")
        self._sessions = _by_both(
            gauge("sessions", "Sessions in a chat on this node.", "chat", "dialect"),
            chats,
            dialects,
        )
        self._roster_size = _by(
            gauge("roster_size", "Nicknames in a chat on all nodes, as this one knows.", "chat"),
            chats,
        )
        self._joins = _by(
            counter("joins_total", "Sessions of this node that joined a chat.", "dialect"),
            dialects,
        )
        self._sign_ups = _by(
            counter(
                "sign_ups_total",
                "Accounts that were asked for: made, or not, as too many came from a network or none may.",
                "outcome",
            ),
            (outcome.value for outcome in SignUpOutcome),
        )
        self._leaves = _by(
            counter("leaves_total", "Sessions of this node that left a chat.", "reason"), reasons
        )
        self._disconnects = _by(
            counter("disconnects_total", "Client connections that ended.", "reason"), reasons
        )
        self._messages = {both: counters.Counter() for both in product(KINDS, dialects)}
        counters.Counters(
            "tertulia_messages",
            "Messages from this node's clients that were committed.",
            ("kind", "dialect"),
            self._messages.items(),
            registry,
        )
        self._deliveries = {dialect: counters.Counter() for dialect in dialects}
        counters.Counters(
            "tertulia_deliveries",
            "Messages written to this node's clients.",
            ("dialect",),
            [((dialect,), tally) for dialect, tally in self._deliveries.items()],
            registry,
        )
        self._pending_messages = _by(
            gauge(
                "pending_messages", "Messages that wait for accounts of a chat, in Redis.", "chat"
            ),
            chats,
        )
        self.undelivered = counter(
            "undelivered_total", "Private messages reported to their sender as not delivered."
        )

        # What clients do wrong.
        self._faults = _by(
            counter("refused_commands_total", "What clients sent that is no command.", "kind"),
            (fault.value for fault in Fault),
        )
        self._reads_paused = _by(
            counter(
                "reads_paused_total",
                "Times that a client sent too much and was not read for a while.",
                "limit",
            ),
            (limit.value for limit in Limit),
        )

        self.untrusted_headers = counter(
            "untrusted_proxy_headers_total",
            "Connections that began with a PROXY header and came from no trusted proxy.",
        )

        # TLS.
        certificates = tuple(certificates)
        self._certificate_expiry = _by(
            gauge(
                "certificate_expiry_timestamp_seconds",
                "When the certificate in use on a listener ends, in Unix time.",
                "listener",
            ),
            certificates,
        )
        self._certificate_reload_failures = _by(
            counter(
                "certificate_reload_failures_total",
                "Times that a new certificate could not be used, and the old one stayed.",
                "listener",
            ),
            certificates,
        )
        self._certificate_refused = _by(
            gauge(
                "certificate_refused",
                "Whether a listener's files can't be used, and what they held before stays (1).",
                "listener",
            ),
            certificates,
        )

        # Group commit.
        self.batch_ops = spread("batch_ops", "Operations in a committed batch.", _OPS)
        self.commit_duration = spread(
            "commit_duration_seconds",
            "From sending a batch to its reply, retries included.",
            _LATENCIES,
        )
        self._commit_retries = _by(
            counter("commit_retries_total", "Batches sent to Redis again.", "cause"),
            (cause.value for cause in RetryCause),
        )
        self._commit_queue_length = _by(
            gauge("commit_queue_length", "Operations that wait for the next batch.", "chat"), chats
        )
        self.fencings = counter(
            "fencings_total", "Times that this node found its lease buried and started over."
        )
        self.burials = counter("burials_total", "Other nodes that this node buried.")

        # The bus.
        self.publish_to_delivery = spread(
            "publish_to_delivery_seconds",
            "From the commit of an entry to its last write to a client here.",
            _LATENCIES,
        )
        self.bus_gaps = counter("bus_gaps_total", "Entries that came with an offset not expected.")
        self.bus_recoveries = counter(
            "bus_recoveries_total", "Times that the log was read on from."
        )
        self.bus_recovered_entries = counter(
            "bus_recovered_entries_total", "Entries that came from the log, not over the bus."
        )
        self.bus_lost_entries = counter(
            "bus_lost_entries_total",
            "Entries that were trimmed from the log before they were read.",
        )
        self.bus_reconnects = counter(
            "bus_reconnects_total", "Times that the bus was lost and subscribed to again."
        )
        self.bus_unknown = counter(
            "bus_unknown_total",
            "Messages, log entries, events and letters of a later version, skipped.",
        )
        self.epoch_changes = counter(
            "epoch_changes_total", "Times that Redis turned out to have lost its data."
        )

        # Redis.
        self._clock_offset = _by(
            gauge(
                "clock_offset_seconds",
                "How far this machine's clock is ahead of that of the chat's Redis.",
                "chat",
            ),
            chats,
        )
        self._redis_refusals = _by(
            gauge("redis_refusals", "Commands that Redis refuses to this node's user.", "chat"),
            chats,
        )

        # The node.
        self.redis_up = gauge("redis_up", "Whether commands to Redis work (1) or not (0).")
        self.bus_up = gauge("bus_up", "Whether the bus brings this node's probes (1) or not (0).")
        self.ready = gauge("ready", "Whether the node asks for new clients (1) or not (0).")
        self.uptime = gauge("uptime_seconds", "Since the node began, by a clock that nobody sets.")
        self.draining = gauge("draining", "Whether the node is shutting down (1) or not (0).")
        self.event_loop_lag = histogram(
            "event_loop_lag_seconds", "How late a timer of the event loop came.", _LATENCIES
        )
        self.event_loop_lag_last = gauge(
            "event_loop_lag_last_seconds", "How late the most recent timer came."
        )
        self.ops_evictions = counter(
            "ops_evictions_total", "Idle connections of the operator's HTTP closed for newcomers."
        )
        counters.Counters(
            "tertulia_log_lines_dropped",
            "Lines of the log that were not written: too many waited, or nobody reads it.",
            (),
            [((), dropped_lines or counters.Counter())],
            registry,
        )
        Info("tertulia_build", "What runs here.", registry=registry).info(
            {"version": version, "python": platform.python_version()}
        )

    def sessions(self, chat: str, dialect: str) -> Gauge:
        """Return the gauge of a chat's sessions in one dialect."""
        return self._sessions[chat, dialect]

    def roster_size(self, chat: str) -> Gauge:
        """Return the gauge of a chat's nicknames."""
        return self._roster_size[chat]

    def pending_messages(self, chat: str) -> Gauge:
        """Return the gauge of messages that wait for a chat's accounts."""
        return self._pending_messages[chat]

    def joins(self, dialect: str) -> Counter:
        """Return the counter of joins in one dialect."""
        return self._joins[dialect]

    def sign_ups(self, outcome: SignUpOutcome) -> Counter:
        """Return the counter of accounts asked for with one outcome."""
        return self._sign_ups[outcome.value]

    def leaves(self, reason: Disconnect) -> Counter:
        """Return the counter of leaves for one reason."""
        return self._leaves[reason.label]

    def disconnects(self, reason: Disconnect) -> Counter:
        """Return the counter of connections that ended for one reason."""
        return self._disconnects[reason.label]

    def messages(self, kind: Kind, dialect: str) -> counters.Counter:
        """Return the counter of one kind of messages that came in one dialect."""
        return self._messages[kind, dialect]

    def deliveries(self, dialect: str) -> counters.Counter:
        """Return the counter of messages that were written in one dialect."""
        return self._deliveries[dialect]

    def faults(self, fault: Fault) -> Counter:
        """Return the counter of one kind of refused commands."""
        return self._faults[fault.value]

    def reads_paused(self, limit: Limit) -> Counter:
        """Return the counter of clients that were not read for a while, for one limit."""
        return self._reads_paused[limit.value]

    def certificate_expiry(self, listener: str) -> Gauge:
        """Return the gauge of when a listener's certificate ends."""
        return self._certificate_expiry[listener]

    def certificate_reload_failures(self, listener: str) -> Counter:
        """Return the counter of a listener's certificates that could not be used."""
        return self._certificate_reload_failures[listener]

    def certificate_refused(self, listener: str) -> Gauge:
        """Return the gauge of whether a listener's files can't be used."""
        return self._certificate_refused[listener]

    def clock_offset(self, chat: str) -> Gauge:
        """Return the gauge of how far this clock is ahead of that of a chat's Redis."""
        return self._clock_offset[chat]

    def redis_refusals(self, chat: str) -> Gauge:
        """Return the gauge of how many commands a chat's Redis refuses."""
        return self._redis_refusals[chat]

    def commit_retries(self, cause: RetryCause) -> Counter:
        """Return the counter of commits sent again for one cause."""
        return self._commit_retries[cause.value]

    def commit_queue_length(self, chat: str) -> Gauge:
        """Return the gauge of a chat's commit queue."""
        return self._commit_queue_length[chat]
