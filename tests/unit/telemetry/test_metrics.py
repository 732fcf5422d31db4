"""Every metric: named as Prometheus wants, there from the start, not to be grown by a client."""

import re
from collections.abc import Iterator

import pytest
from prometheus_client import REGISTRY, CollectorRegistry, Metric, exposition
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tertulia.domain.commands import Fault
from tertulia.domain.disconnects import Disconnect
from tertulia.telemetry.metrics import KINDS, Metrics, RetryCause, SignUpOutcome

DIALECTS = ("chatte", "browser")
CHATS = ("main", "side")
LABELS = {
    "limit": {"bytes", "commands", "messages"},
    "chat": set(CHATS),
    "dialect": set(DIALECTS),
    "kind": {*KINDS, *(fault.value for fault in Fault)},
    "reason": {
        *(reason.label for reason in Disconnect),
        *("full", "no_room_left", "too_many_rooms"),
    },
    "listener": {"chatte:1234"},
    "cause": {cause.value for cause in RetryCause},
    "outcome": {outcome.value for outcome in SignUpOutcome},
}


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry) -> Metrics:
    return Metrics(
        registry,
        dialects=DIALECTS,
        chats=CHATS,
        version="1.2.3",
        certificates=LABELS["listener"],
    )


def families(registry: CollectorRegistry) -> Iterator[Metric]:
    # Read back from what Prometheus reads, by a parser that insists on the format.
    encode, _ = exposition.choose_encoder("application/openmetrics-text")
    text = encode(registry).decode()
    yield from text_string_to_metric_families(text)  # type: ignore[no-untyped-call]


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_nothing_is_registered_where_nobody_asked(metrics: Metrics) -> None:
    assert not [family for family in REGISTRY.collect() if family.name.startswith("tertulia")]


def test_two_nodes_in_one_process_count_apart(metrics: Metrics) -> None:
    other = Metrics(CollectorRegistry(), dialects=DIALECTS, chats=CHATS, version="1.2.3")
    other.deliveries("chatte").count += 1
    assert value(metrics, "tertulia_deliveries_total", dialect="chatte") == 0


def test_names_and_units(metrics: Metrics, registry: CollectorRegistry) -> None:
    for family in families(registry):
        assert re.fullmatch(r"tertulia(_[a-z]+)+", family.name)
        assert not re.search(r"_(ms|millis|milliseconds|minutes|kb|mb|count)\b", family.name)
        assert family.documentation.endswith(".")
        if re.search(r"duration|lag|publish", family.name):
            assert family.name.endswith("_seconds")


def test_every_metric_is_there(metrics: Metrics, registry: CollectorRegistry) -> None:
    assert {
        (family.name.removeprefix("tertulia_"), family.type) for family in families(registry)
    } == {
        ("batch_ops", "histogram"),
        ("build", "info"),
        ("burials", "counter"),
        ("bus_gaps", "counter"),
        ("bus_lost_entries", "counter"),
        ("bus_reconnects", "counter"),
        ("bus_recovered_entries", "counter"),
        ("bus_recoveries", "counter"),
        ("bus_unknown", "counter"),
        ("bus_up", "gauge"),
        ("certificate_expiry_timestamp_seconds", "gauge"),
        ("certificate_refused", "gauge"),
        ("certificate_reload_failures", "counter"),
        ("clock_offset_seconds", "gauge"),
        ("commit_duration_seconds", "histogram"),
        ("commit_queue_length", "gauge"),
        ("commit_retries", "counter"),
        ("connections", "gauge"),
        ("connections_limit", "gauge"),
        ("deliveries", "counter"),
        ("disconnects", "counter"),
        ("draining", "gauge"),
        ("epoch_changes", "counter"),
        ("event_loop_lag_last_seconds", "gauge"),
        ("event_loop_lag_seconds", "histogram"),
        ("fencings", "counter"),
        ("joins", "counter"),
        ("rooms", "gauge"),
        ("room_seats", "gauge"),
        ("room_joins", "counter"),
        ("room_parts", "counter"),
        ("room_refusals", "counter"),
        ("rooms_behind", "gauge"),
        ("leaves", "counter"),
        ("log_lines_dropped", "counter"),
        ("messages", "counter"),
        ("messages_filtered", "counter"),
        ("ops_evictions", "counter"),
        ("passwords_limit", "gauge"),
        ("passwords_refused", "counter"),
        ("passwords_waiting", "gauge"),
        ("pending_messages", "gauge"),
        ("publish_to_delivery_seconds", "histogram"),
        ("reads_paused", "counter"),
        ("ready", "gauge"),
        ("redis_refusals", "gauge"),
        ("redis_up", "gauge"),
        ("refused_commands", "counter"),
        ("roster_size", "gauge"),
        ("sessions", "gauge"),
        ("sign_ups", "counter"),
        ("slow_readers", "gauge"),
        ("undelivered", "counter"),
        ("unshown", "counter"),
        ("untrusted_proxy_headers", "counter"),
        ("uptime_seconds", "gauge"),
    }


def test_labels_have_no_other_values_than_the_known(
    metrics: Metrics, registry: CollectorRegistry
) -> None:
    for family in families(registry):
        for sample in family.samples:
            for label, value_ in sample.labels.items():
                if label != "le" and family.name != "tertulia_build":
                    assert value_ in LABELS[label]


def test_every_series_is_there_before_it_counts(metrics: Metrics) -> None:
    for chat in CHATS:
        assert value(metrics, "tertulia_roster_size", chat=chat) == 0
        assert value(metrics, "tertulia_commit_queue_length", chat=chat) == 0
        for dialect in DIALECTS:
            assert value(metrics, "tertulia_sessions", chat=chat, dialect=dialect) == 0
    for dialect in DIALECTS:
        assert value(metrics, "tertulia_joins_total", dialect=dialect) == 0
        assert value(metrics, "tertulia_deliveries_total", dialect=dialect) == 0
        for kind in KINDS:
            assert value(metrics, "tertulia_messages_total", kind=kind, dialect=dialect) == 0
    for reason in Disconnect:
        assert value(metrics, "tertulia_leaves_total", reason=reason.label) == 0
        assert value(metrics, "tertulia_disconnects_total", reason=reason.label) == 0
    for fault in Fault:
        assert value(metrics, "tertulia_refused_commands_total", kind=fault.value) == 0
    for cause in RetryCause:
        assert value(metrics, "tertulia_commit_retries_total", cause=cause.value) == 0


def test_what_no_configuration_named_is_no_label(metrics: Metrics) -> None:
    before = metrics.registry.get_sample_value("tertulia_deliveries_total", {"dialect": "irc"})
    assert before is None
    for ask in (
        lambda: metrics.deliveries("irc"),
        lambda: metrics.joins("irc"),
        lambda: metrics.messages("public", "irc"),
        lambda: metrics.sessions("other", "chatte"),
        lambda: metrics.sessions("main", "irc"),
        lambda: metrics.roster_size("other"),
        lambda: metrics.commit_queue_length("other"),
    ):
        with pytest.raises(KeyError):
            ask()
    assert value(metrics, "tertulia_deliveries_total", dialect="irc") is None


def test_a_child_is_made_once_and_counts_a_batch_at_once(metrics: Metrics) -> None:
    child = metrics.deliveries("chatte")
    assert metrics.deliveries("chatte") is child
    child.count += 1000
    assert value(metrics, "tertulia_deliveries_total", dialect="chatte") == 1000
    assert value(metrics, "tertulia_deliveries_total", dialect="browser") == 0


def test_each_method_counts_what_its_name_says(metrics: Metrics) -> None:
    metrics.sessions("side", "browser").inc()
    metrics.roster_size("side").set(2)
    metrics.joins("browser").inc(3)
    metrics.leaves(Disconnect.GONE).inc(4)
    metrics.disconnects(Disconnect.SLOW_READER).inc(5)
    metrics.messages("private", "browser").count += 6
    metrics.faults(Fault.TOO_LONG).inc(7)
    metrics.commit_retries(RetryCause.TIMEOUT).inc(8)
    metrics.commit_queue_length("side").set(9)
    assert value(metrics, "tertulia_sessions", chat="side", dialect="browser") == 1
    assert value(metrics, "tertulia_roster_size", chat="side") == 2
    assert value(metrics, "tertulia_joins_total", dialect="browser") == 3
    assert value(metrics, "tertulia_leaves_total", reason="gone") == 4
    assert value(metrics, "tertulia_disconnects_total", reason="slow_reader") == 5
    assert value(metrics, "tertulia_messages_total", kind="private", dialect="browser") == 6
    assert value(metrics, "tertulia_refused_commands_total", kind="too_long") == 7
    assert value(metrics, "tertulia_commit_retries_total", cause="timeout") == 8
    assert value(metrics, "tertulia_commit_queue_length", chat="side") == 9


def test_times_are_told_from_half_a_millisecond_to_ten_seconds(metrics: Metrics) -> None:
    metrics.publish_to_delivery.observe(0.0004)
    metrics.publish_to_delivery.observe(9.9)
    metrics.publish_to_delivery.observe(11)
    name = "tertulia_publish_to_delivery_seconds_bucket"
    assert value(metrics, name, le="0.0005") == 1
    assert value(metrics, name, le="5.0") == 1
    assert value(metrics, name, le="10.0") == 2
    assert value(metrics, name, le="+Inf") == 3


def test_the_build_is_named(metrics: Metrics, registry: CollectorRegistry) -> None:
    (build,) = [family for family in families(registry) if family.name == "tertulia_build"]
    (sample,) = build.samples
    assert sample.name == "tertulia_build_info"
    assert sample.labels["version"] == "1.2.3"
    assert re.fullmatch(r"3\.\d+\.\d+\S*", sample.labels["python"])


def test_every_disconnect_has_a_label_of_its_own() -> None:
    labels = [reason.label for reason in Disconnect]
    assert len(set(labels)) == len(labels)
    assert all(re.fullmatch(r"[a-z_]+", label) for label in labels)
