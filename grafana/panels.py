"""What the dashboard shows: every panel, every query, by row."""

from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True)
class Query:
    """What Prometheus is asked; ``legend`` names each series."""

    expression: str
    legend: str = ""


@dataclass(frozen=True)
class Panel:
    """One panel. ``unit`` is Grafana's name of it; ``about`` says how to read it."""

    title: str
    about: str
    queries: tuple[Query, ...]
    kind: str = "timeseries"
    unit: str = "short"
    width: int = 8
    height: int = 7
    bad_below: float | None = None
    """Red under this value, green from it on."""
    bad_from: float | None = None
    """Red from this value on, green under it."""
    stacked: bool = False
    states: tuple[str, ...] = ()
    """Words for 0 and 1."""


@dataclass(frozen=True)
class Row:
    """Panels under one heading."""

    title: str
    panels: tuple[Panel, ...] = field(default=())


NODE: Final = 'instance=~"$node"'
CHAT: Final = 'chat=~"$chat"'


def metric(name: str, *labels: str) -> str:
    """Return a selector of one of the service's metrics, on the nodes that were chosen."""
    return f"tertulia_{name}{{{', '.join((*labels, NODE))}}}"


def rate(name: str, *labels: str) -> str:
    """Return how often something happens in a second."""
    return f"rate({metric(name, *labels)}[$__rate_interval])"


def total(expression: str, by: str = "") -> str:
    """Return a sum, by labels."""
    return f"sum by ({by}) ({expression})" if by else f"sum({expression})"


def process(name: str) -> str:
    """Return a selector of what every process tells of itself."""
    return f'process_{name}{{job="tertulia", {NODE}}}'


def recorded(name: str) -> str:
    """Return the p99 of each node over five minutes, which Prometheus records."""
    return f"instance:tertulia_{name}:p99_5m{{{NODE}}}"


def quantile(share: float, name: str) -> str:
    """Return a quantile of a histogram, of all nodes together."""
    return f"histogram_quantile({share:g}, {total(rate(f'{name}_bucket'), 'le')})"


def quantiles(name: str) -> tuple[Query, ...]:
    """Return the usual quantiles of a histogram."""
    return tuple(Query(quantile(share, name), f"p{share * 100:g}") for share in (0.5, 0.9, 0.99))


def heat(name: str) -> tuple[Query, ...]:
    """Return the buckets of a histogram, for a heat map."""
    return (
        Query(total(f"increase({metric(f'{name}_bucket')}[$__rate_interval])", "le"), "{{le}}"),
    )


OVERVIEW: Final = Row(
    "Overview",
    (
        Panel(
            "Sessions",
            "People in the chats, on all chosen nodes.",
            (Query(total(metric("sessions", CHAT))),),
            "stat", width=4, height=4,
        ),
        Panel(
            "Nodes ready",
            "Nodes that take new clients.",
            (Query(total(metric("ready"))),),
            "stat", width=4, height=4, bad_below=1,
        ),
        Panel(
            "Messages",
            "Messages from clients that were committed.",
            (Query(total(rate("messages_total"))),),
            "stat", "mps", width=4, height=4,
        ),
        Panel(
            "Deliveries",
            "Messages written to clients: each message as many times as there are readers.",
            (Query(total(rate("deliveries_total"))),),
            "stat", "mps", width=4, height=4,
        ),
        Panel(
            "Delivered within (p99)",
            "From the commit of a message to its last write to a client, for 99 of 100.",
            (Query(quantile(0.99, "publish_to_delivery_seconds")),),
            "stat", "s", width=4, height=4, bad_from=0.5,
        ),
        Panel(
            "Alerts",
            "Alerts that fire now; each has its section in docs/runbook.md.",
            (Query('count(ALERTS{alertname=~"Tertulia.*", alertstate="firing"}) or vector(0)'),),
            "stat", width=4, height=4, bad_from=1,
        ),
        Panel(
            "Sessions by chat",
            "People in each chat.",
            (Query(total(metric("sessions", CHAT), "chat"), "{{chat}}"),),
            stacked=True, width=12,
        ),
        Panel(
            "Joins and leaves",
            "People who come and go. Both high at once: clients that lose their connection and return.",
            (
                Query(total(rate("joins_total")), "joins"),
                Query(total(rate("leaves_total")), "leaves"),
            ),
            unit="ops", width=12,
        ),
    ),
)  # fmt: skip

PEOPLE: Final = Row(
    "What people see",
    (
        Panel(
            "The probe",
            "Whether somebody who comes in through the balancer is let in and reads what is said.",
            (Query("tertulia_probe_success", "{{instance}}"),),
            "state-timeline", states=("fails", "works"),
        ),
        Panel(
            "To come in",
            "To connect, and from there into the chat, by the last visit on each way.",
            tuple(
                Query(f"tertulia_probe_{stage}_seconds", f"{stage} {{{{way}}}} {{{{instance}}}}")
                for stage in ("connect", "enter")
            ),
            unit="s",
        ),
        Panel(
            "From saying to reading",
            "How long what the probe says takes to be read: through the balancer, a node, Redis, and back.",
            (Query("tertulia_probe_read_seconds", "{{way}} {{instance}}"),),
            unit="s", bad_from=1.0,
        ),
    ),
)  # fmt: skip

TRAFFIC: Final = Row(
    "Traffic by dialect",
    (
        Panel(
            "Sessions",
            "People by the protocol that they speak.",
            (Query(total(metric("sessions", CHAT), "dialect"), "{{dialect}}"),),
            stacked=True,
        ),
        Panel(
            "Messages committed",
            "What people wrote, public and private.",
            (Query(total(rate("messages_total"), "dialect, kind"), "{{dialect}} {{kind}}"),),
            unit="mps",
        ),
        Panel(
            "Deliveries",
            "What was written to people.",
            (Query(total(rate("deliveries_total"), "dialect"), "{{dialect}}"),),
            unit="mps",
        ),
        Panel(
            "Joins",
            "People who entered.",
            (Query(total(rate("joins_total"), "dialect"), "{{dialect}}"),),
            unit="ops",
        ),
        Panel(
            "Further rooms",
            "Rooms in which people are, beside the lobby, and their seats: three for who is in three rooms.",
            (
                Query(total(metric("rooms"), "instance"), "rooms on {{instance}}"),
                Query(total(metric("room_seats"), "instance"), "seats on {{instance}}"),
            ),
        ),
        Panel(
            "Into rooms and out",
            "Seats taken and given back, and who came into none as something was full.",
            (
                Query(total(rate("room_joins_total")), "joins"),
                Query(total(rate("room_parts_total")), "parts"),
                Query(total(rate("room_refusals_total"), "reason"), "{{reason}}"),
            ),
            unit="ops",
        ),
        Panel(
            "Rooms behind",
            "Rooms in which nobody of the node reads or speaks: it lost Redis, or their shard is away.",
            (Query(total(metric("rooms_behind"), "instance"), "{{instance}}"),),
        ),
        Panel(
            "Not delivered",
            "Private messages whose sender was told that they did not arrive.",
            (Query(total(rate("undelivered_total"), "instance"), "{{instance}}"),),
            unit="mps",
        ),
        Panel(
            "Not shown",
            "What a dialect failed to show; its readers were told so. Always a defect.",
            (Query(total(rate("unshown_total"), "dialect"), "{{dialect}}"),),
            unit="mps",
        ),
        Panel(
            "Pending",
            "Messages that wait for people to come back.",
            (Query(f"max by (chat) ({metric('pending_messages', CHAT)})", "{{chat}}"),),
        ),
    ),
)

LATENCY: Final = Row(
    "Latency",
    (
        Panel(
            "From commit to the last client",
            "How long a message took from Redis to its last reader; the darker, the more.",
            heat("publish_to_delivery_seconds"),
            "heatmap", "s", width=12, height=9,
        ),
        Panel(
            "Commit",
            "How long a batch took: sending, Redis' work, its disk, the answer; with retries.",
            heat("commit_duration_seconds"),
            "heatmap", "s", width=12, height=9,
        ),
        Panel(
            "From commit to the last client",
            "The same as quantiles.",
            quantiles("publish_to_delivery_seconds"),
            unit="s",
        ),
        Panel(
            "From commit to the last client, by node (p99)",
            "One node more than 20 ms above the others: look at its event-loop lag.",
            (Query(recorded("publish_to_delivery_seconds"), "{{instance}}"),),
            unit="s",
        ),
        Panel(
            "Commit by node (p99)",
            "One node higher than the others: look at that node or its way to Redis.",
            (Query(recorded("commit_duration_seconds"), "{{instance}}"),),
            unit="s",
        ),
    ),
)  # fmt: skip

BUS: Final = Row(
    "Bus",
    (
        Panel(
            "Bus",
            "Whether a node hears its own probes.",
            (Query(metric("bus_up"), "{{instance}}"),),
            "state-timeline", states=("silent", "up"),
        ),
        Panel(
            "Gaps and recoveries",
            "Entries that did not come over the bus, and readings of the log that brought them.",
            (
                Query(total(rate("bus_gaps_total"), "instance"), "gaps {{instance}}"),
                Query(total(rate("bus_recoveries_total"), "instance"), "recoveries {{instance}}"),
            ),
            unit="ops",
        ),
        Panel(
            "Entries read from the log",
            "What a recovery brought.",
            (Query(total(rate("bus_recovered_entries_total"), "instance"), "{{instance}}"),),
            unit="ops",
        ),
        Panel(
            "Lost for good",
            "Entries trimmed from the log before they were read. Anything but 0 is messages missed.",
            (Query(f"increase({metric('bus_lost_entries_total')}[$__range])", "{{instance}}"),),
            "stat", bad_from=1,
        ),
        Panel(
            "Subscribed again",
            "Lost connections of the bus, made again. Once or twice is a restart or a failover of Redis.",
            (Query(total(rate("bus_reconnects_total"), "instance"), "{{instance}}"),),
            unit="ops",
        ),
        Panel(
            "Not understood",
            "Messages of a newer version, skipped.",
            (Query(total(rate("bus_unknown_total"), "instance"), "{{instance}}"),),
            unit="ops",
        ),
    ),
)  # fmt: skip

REDIS: Final = Row(
    "Redis",
    (
        Panel(
            "Redis",
            "Whether a node's commits are answered.",
            (Query(metric("redis_up"), "{{instance}}"),),
            "state-timeline", states=("away", "up"),
        ),
        Panel(
            "Batches",
            "Commits a second.",
            (Query(total(rate("commit_duration_seconds_count"), "instance"), "{{instance}}"),),
            unit="ops",
        ),
        Panel(
            "Sent again",
            "Batches that had to be sent again, by cause; none of them is done twice.",
            (Query(total(rate("commit_retries_total"), "cause"), "{{cause}}"),),
            unit="ops",
        ),
        Panel(
            "Operations in a batch",
            "Load makes batches larger, not slower.",
            heat("batch_ops"),
            "heatmap",
        ),
        Panel(
            "Waiting for the next batch",
            "Operations in the queue of each chat.",
            (Query(total(metric("commit_queue_length", CHAT), "chat, instance"), "{{chat}} {{instance}}"),),
        ),
        Panel(
            "People in the room, as each node knows",
            "Lines apart for more than a moment: a node has lost touch.",
            (Query(metric("roster_size", CHAT), "{{chat}} {{instance}}"),),
        ),
        Panel(
            "Refused by Redis",
            "Commands that Redis does not let a node's user run. Anything but 0: deploy/redis/users.acl.",
            (Query(metric("redis_refusals", CHAT), "{{chat}} {{instance}}"),),
            bad_from=1,
        ),
        Panel(
            "Redis lost its data",
            "Times that Redis came back with older data, or none.",
            (Query(f"increase({metric('epoch_changes_total')}[$__range])", "{{instance}}"),),
            "stat", bad_from=1,
        ),
    ),
)  # fmt: skip


def exported(name: str) -> str:
    """Return a selector of what redis_exporter tells."""
    return f'redis_{name}{{job="tertulia-redis"}}'


REDIS_SERVER: Final = Row(
    "Redis itself",
    (
        Panel(
            "Memory",
            "What it uses, of what it may use; at 100 % it takes nothing more, and everybody waits.",
            (
                Query(
                    f"{exported('memory_used_bytes')} / ({exported('memory_max_bytes')} > 0)"
                    f" or 0 * {exported('memory_used_bytes')}",
                    "{{instance}}",
                ),
            ),
            unit="percentunit", bad_from=0.95,
        ),
        Panel(
            "Memory used",
            "In bytes; without maxmemory the machine is the bound, and the share beside is 0.",
            (
                Query(exported("memory_used_bytes"), "used {{instance}}"),
                Query(exported("memory_max_bytes"), "maxmemory {{instance}}"),
            ),
            unit="bytes",
        ),
        Panel(
            "Replicas",
            "Replicas that are connected to each server.",
            (Query(exported("connected_slaves"), "{{instance}}"),),
        ),
        Panel(
            "Persistence",
            "Whether its append-only file is on, and was written and rewritten well.",
            (
                Query(
                    f"min by (instance) ({exported('aof_enabled')} * {exported('aof_last_write_status')}"
                    f" * {exported('aof_last_bgrewrite_status')} * {exported('rdb_last_bgsave_status')})",
                    "{{instance}}",
                ),
            ),
            "state-timeline", states=("fails", "writes"),
        ),
        Panel(
            "Clients",
            "Connections: some six for each chat of a node, and operators.",
            (Query(exported("connected_clients"), "{{instance}}"),),
        ),
        Panel(
            "Time for a command",
            "The mean, by command; EVALSHA is the scripts of the nodes, meant to stay under 20 ms.",
            (
                Query(
                    f"sum by (cmd) (rate({exported('commands_duration_seconds_total')}[$__rate_interval]))"
                    f" / (sum by (cmd) (rate({exported('commands_total')}[$__rate_interval])) > 0)",
                    "{{cmd}}",
                ),
            ),
            unit="s", bad_from=0.02,
        ),
    ),
)  # fmt: skip

LIMITS: Final = Row(
    "Limits and disconnects",
    (
        Panel(
            "Connections ended",
            "By reason: left, slow_reader, silent, drained and so on.",
            (Query(f"{total(rate('disconnects_total'), 'reason')} > 0", "{{reason}}"),),
            unit="ops", width=12,
        ),
        Panel(
            "Sessions that left",
            "By reason; a session is a connection that has a nickname.",
            (Query(f"{total(rate('leaves_total'), 'reason')} > 0", "{{reason}}"),),
            unit="ops", width=12,
        ),
        Panel(
            "Connections",
            "Open connections, entered or not.",
            (Query(metric("connections"), "{{instance}}"),),
        ),
        Panel(
            "Room for connections",
            "How many of the connections that a node takes are there; at 100 % it turns clients away.",
            (Query(f"{metric('connections')} / {metric('connections_limit')}", "{{instance}}"),),
            unit="percentunit", bad_from=0.9,
        ),
        Panel(
            "Logins",
            "Passwords that wait to be verified, how many may, and those turned away. At the bound of one "
            "network, half of it, that network is turned away.",
            (
                Query(metric("passwords_waiting"), "wait: {{instance}}"),
                Query(metric("passwords_limit"), "may wait: {{instance}}"),
                Query(
                    f"increase({metric('passwords_refused_total')}[1m])",
                    "turned away in a minute: {{instance}}",
                ),
            ),
        ),
        Panel(
            "PROXY headers of nobody trusted",
            "Clients passed on by somebody who is not in trusted_proxies. With a balancer in front: 0.",
            (Query(total(rate("untrusted_proxy_headers_total"), "instance"), "{{instance}}"),),
            unit="ops",
        ),
        Panel(
            "Slow readers",
            "Sessions whose client has unread bytes waiting.",
            (Query(metric("slow_readers"), "{{instance}}"),),
        ),
        Panel(
            "Slowed, refused",
            "Clients that sent too much and were not read for a while; and what was no command.",
            (
                Query(total(rate("reads_paused_total"), "limit"), "not read for a while: {{limit}}"),
                Query(total(rate("refused_commands_total"), "kind"), "refused: {{kind}}"),
            ),
            unit="ops",
        ),
        Panel(
            "Operators' connections closed",
            "Idle ones, closed because a newcomer came: somebody holds more than the 64 there may be.",
            (Query(total(rate("ops_evictions_total"), "instance"), "{{instance}}"),),
            unit="ops",
        ),
        Panel(
            "Log lines missing",
            "Lines that could not be written: whoever reads the log stands still or is gone.",
            (Query(total(rate("log_lines_dropped_total"), "instance"), "{{instance}}"),),
            unit="ops",
        ),
    ),
)  # fmt: skip

NODES: Final = Row(
    "Nodes",
    (
        Panel(
            "Readiness",
            "Whether a node takes new clients.",
            (Query(metric("ready"), "{{instance}}"),),
            "state-timeline", states=("red", "ready"), width=12,
        ),
        Panel(
            "Draining",
            "Nodes that are on their way out.",
            (Query(metric("draining"), "{{instance}}"),),
            "state-timeline", states=("serves", "drains"), width=12,
        ),
        Panel(
            "Event-loop lag (p99)",
            "How late a node is. Everything that a client waits for is at least as late.",
            (Query(recorded("event_loop_lag_seconds"), "{{instance}}"),),
            unit="s", bad_from=0.1,
        ),
        Panel(
            "CPU",
            "A node uses one core: at 100 % it is full.",
            (Query(f"rate({process('cpu_seconds_total')}[$__rate_interval])", "{{instance}}"),),
            unit="percentunit", bad_from=0.9,
        ),
        Panel(
            "Memory",
            "What a node has in RAM.",
            (Query(process("resident_memory_bytes"), "{{instance}}"),),
            unit="bytes",
        ),
        Panel(
            "Open files",
            "As a share of what the process may have; each connection is one.",
            (
                Query(f"{process('open_fds')} / {process('max_fds')}", "{{instance}}"),
            ),
            unit="percentunit", bad_from=0.9,
        ),
        Panel(
            "Burials and fencings",
            "Nodes that were declared dead, and nodes that came back from it.",
            (
                Query(f"increase({metric('burials_total')}[5m])", "buried others: {{instance}}"),
                Query(f"increase({metric('fencings_total')}[5m])", "was buried: {{instance}}"),
            ),
        ),
        Panel(
            "Up for",
            "Since the start of each process, whatever its machine's clock says.",
            (Query(metric("uptime_seconds"), "{{instance}}"),),
            "stat", "s",
        ),
        Panel(
            "Versions",
            "What runs where; two at once only during an upgrade.",
            (Query(metric("build_info")),),
            "table", width=12,
        ),
        Panel(
            "Certificates",
            "Time left, of nodes' own ones and of what the probe is shown by the balancer.",
            (
                Query(
                    f"{metric('certificate_expiry_timestamp_seconds')} - time()"
                    " or tertulia_probe_certificate_expiry_timestamp_seconds - time()",
                    "{{listener}}{{address}} {{instance}}",
                ),
            ),
            "stat", "s", width=12, bad_below=21 * 86400,
        ),
        Panel(
            "New certificates",
            "Whether what is in a listener's files can be used; where not, the old certificate stays.",
            (Query(metric("certificate_refused"), "{{listener}} {{instance}}"),),
            "state-timeline", states=("good", "can't be used"), width=12,
        ),
        Panel(
            "Clocks",
            "How far each machine's is ahead of Redis'. All off alike: it is Redis' own.",
            (Query(metric("clock_offset_seconds", CHAT), "{{chat}} {{instance}}"),),
            unit="s", width=12,
        ),
    ),
)  # fmt: skip

BALANCER: Final = Row(
    "Balancer",
    (
        Panel(
            "Balancer",
            "Whether HAProxy answers.",
            (Query('up{job="haproxy"}', "{{instance}}"),),
            "state-timeline", states=("silent", "up"),
        ),
        Panel(
            "Nodes that get newcomers",
            "As the balancer sees them, in each dialect.",
            (
                Query(
                    'haproxy_backend_active_servers{job="haproxy", proxy=~".+-nodes"}',
                    "{{proxy}} {{instance}}",
                ),
            ),
        ),
        Panel(
            "Room for connections",
            "How many of the connections that HAProxy takes are there; at 100 % newcomers wait.",
            (
                Query(
                    'haproxy_process_current_connections{job="haproxy"}'
                    ' / haproxy_process_max_connections{job="haproxy"}',
                    "{{instance}}",
                ),
            ),
            unit="percentunit", bad_from=0.9,
        ),
    ),
)  # fmt: skip

API: Final = Row(
    "HTTP API",
    (
        Panel(
            "Processes",
            "Whether each process of the API answers.",
            (Query('up{job="tertulia-api"}', "{{instance}}"),),
            "state-timeline", states=("silent", "up"),
        ),
        Panel(
            "Requests",
            "By what was answered: 4xx is a caller's mistake, 5xx that Redis is away, or a defect.",
            (Query("sum by (status) (rate(tertulia_api_requests_total[$__rate_interval]))", "{{status}}"),),
            unit="reqps", stacked=True,
        ),
        Panel(
            "Time to an answer",
            "From a request's header to the begin of its answer, of all requests together.",
            tuple(
                Query(
                    f"histogram_quantile({share}, sum by (le) "
                    "(rate(tertulia_api_request_duration_seconds_bucket[$__rate_interval])))",
                    f"p{share * 100:g}",
                )
                for share in (0.5, 0.9, 0.99)
            ),
            unit="s",
        ),
        Panel(
            "Streams of events",
            "Programs and consoles that read as it happens.",
            (Query("sum by (instance) (tertulia_api_streams)", "{{instance}}"),),
            width=12,
        ),
        Panel(
            "What programs said",
            "Messages: said; sent again, and so not said; refused; not said, as Redis was away.",
            (Query("sum by (outcome) (rate(tertulia_api_posts_total[$__rate_interval]))", "{{outcome}}"),),
            unit="mps", width=12,
        ),
    ),
)  # fmt: skip

ROWS: Final = (
    OVERVIEW,
    PEOPLE,
    TRAFFIC,
    LATENCY,
    BUS,
    REDIS,
    REDIS_SERVER,
    LIMITS,
    NODES,
    BALANCER,
    API,
)
