"""The example for Alertmanager: one trouble is one page, whatever else fires for it."""

import asyncio
import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest

from deploy.prometheus_server import SHIPPED, Prometheus
from deploy.tools import DEPLOY, packaged, run
from deploy.watching import Alertmanager, Probe, RedisExporter
from harness.admin import Admin
from harness.api_process import ApiProcess
from harness.chatte_client import ChatteClient
from harness.node import Node, NodeFactory
from harness.redis_server import RedisServer
from harness.waiting import until, until_sync
from tertulia.api.tokens import digest

FILE = DEPLOY / "alertmanager" / "alertmanager.yml"
WITHIN = 60.0
"""Seconds, on a machine that is busy."""
NODES = ("node1:9464", "node2:9464", "node3:9464")


class Receiver:
    """Who is told, on a free port of 127.0.0.1."""

    def __init__(self) -> None:
        self.told: list[tuple[str, list[str]]] = []
        """Where a notification came, and the names of its alerts."""

        class Handler(BaseHTTPRequestHandler):
            def do_POST(handler) -> None:  # noqa: N805 - `self` is the receiver
                told: Any = msgspec.json.decode(
                    handler.rfile.read(int(handler.headers["Content-Length"]))
                )
                names = [it["labels"]["alertname"] for it in told["alerts"]]
                self.told.append((handler.path.removeprefix("/"), names))
                handler.send_response(200)
                handler.end_headers()

            def log_message(handler, *_: object) -> None:  # noqa: N805
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def end(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.end()


@pytest.fixture
def alertmanager(tmp_path: Path, receiver: Receiver) -> Iterator[Alertmanager]:
    with ExitStack() as ending:
        started = Alertmanager(tmp_path, receiver.port)
        ending.callback(started.end)
        yield started


def notified(
    alertmanager: Alertmanager, receiver: Receiver, alerts: list[dict[str, str]], count: int = 1
) -> list[tuple[str, list[str]]]:
    """Let alerts fire together, and return all notifications that come of them, so many or more."""
    alertmanager.take(alerts)
    until_sync(lambda: len(receiver.told) >= count, WITHIN, lambda: f"more than {receiver.told}")
    # What comes after it has waited as long as they have: whatever was to be told of them is.
    alertmanager.take([{"alertname": "TheLast", "severity": "warning"}])
    last = ("tickets", ["TheLast"])
    until_sync(lambda: last in receiver.told, WITHIN, "the last one to be told")
    receiver.told.remove(last)
    return receiver.told


def each(name: str, severity: str, **labels: str) -> list[dict[str, str]]:
    """Return an alert for each of three nodes."""
    return [
        {"alertname": name, "severity": severity, "job": "tertulia", "instance": it, **labels}
        for it in NODES
    ]


def test_the_file_is_sound_and_who_is_told_goes_by_how_bad_it_is() -> None:
    amtool = packaged("amtool", "prometheus-alertmanager")
    assert "FAILED" not in run([amtool, "check-config", FILE])
    for severity, whom in (("critical", "room,pager"), ("warning", "room,tickets")):
        words = ["config", "routes", "test", f"--config.file={FILE}", f"severity={severity}"]
        assert run([amtool, *words]).split()[-1] == whom


def test_it_knows_only_alerts_that_there_are() -> None:
    named = set(re.findall(r"Tertulia\w+", FILE.read_text()))
    there = set(re.findall(r"- alert: (\w+)", (SHIPPED / "alerts.rules.yml").read_text()))
    assert named <= there


@pytest.mark.slow
async def test_who_is_in_ops_reads_an_alert_once_though_it_is_repeated(
    tmp_path: Path, redis_server: RedisServer, node_factory: NodeFactory, receiver: Receiver
) -> None:
    amtool = packaged("amtool", "prometheus-alertmanager")
    node = node_factory.launch()
    await node.ready()
    reader = await ChatteClient.enter_chat(node.port(), "andy@ops")
    added = await Admin(redis_server.url).account("add", "alertmanager", password="a password")
    assert added.status == 0, added
    token = tmp_path / "token"
    token.write_text("tertulia_alertmanagers")
    tokens = f"""
        [[tokens]]
        name = "alertmanager"
        sha256 = "{digest("tertulia_alertmanagers")}"
        scopes = ["say"]
        rooms = ["ops"]
    """
    with ExitStack() as ending:
        api = ApiProcess(tmp_path / "api", redis_server.url, tokens=tokens)
        ending.callback(api.end)
        await api.ready()
        started = Alertmanager(tmp_path, receiver.port, api.ports["api"], token)
        ending.callback(started.end)
        there = f"--alertmanager.url=http://127.0.0.1:{started.port}"
        alert = ["TertuliaNodeDown", "severity=critical", "instance=node1:9464"]
        summary = "--annotation=summary=Node node1\u202e does\nnot answer"
        await asyncio.to_thread(run, [amtool, "alert", "add", *alert, summary, there])
        what = "critical TertuliaNodeDown on node1:9464: Node node1 does not answer"

        def read(status: str) -> int:
            return sum(line.endswith(f"alertmanager {status} {what}") for line in reader.lines)

        async def told() -> float:
            return sum(
                it.value
                for it in await api.metrics()
                if it.name == "tertulia_api_requests_total" and it.labels["status"] == "2xx"
                and it.labels["route"].endswith("/alerts")
            )  # fmt: skip

        async def has_repeated() -> bool:
            return await told() >= 2

        await until(lambda: read("FIRING"), WITHIN, lambda: f"the alert: {reader.lines}")
        await until(has_repeated, WITHIN, "Alertmanager to say it again")
        over = [*alert, summary, "--end=2026-01-01T00:00:00Z", "--start=2025-12-31T00:00:00Z"]
        await asyncio.to_thread(run, [amtool, "alert", "add", *over, there])
        await until(lambda: read("RESOLVED"), WITHIN, lambda: f"the end: {reader.lines}")
        assert (read("FIRING"), read("RESOLVED")) == (1, 1)


@pytest.mark.slow
def test_a_node_that_dies_is_one_page(alertmanager: Alertmanager, receiver: Receiver) -> None:
    down = each("TertuliaNodeDown", "critical")[0]
    buried = {"alertname": "TertuliaNodeBuried", "severity": "warning", "job": "tertulia"}
    assert notified(alertmanager, receiver, [down, buried]) == [("pager", ["TertuliaNodeDown"])]


@pytest.mark.slow
def test_a_cause_is_told_and_what_comes_of_it_is_not(
    alertmanager: Alertmanager, receiver: Receiver
) -> None:
    probe = {"job": "tertulia-probe", "instance": "probe:9465"}
    balancer = {"severity": "critical", "job": "haproxy", "instance": "balancer:8404"}
    alerts = [
        {"alertname": "TertuliaBalancerDown", **balancer},
        {"alertname": "TertuliaProbeFailing", "severity": "critical", **probe},
        each("TertuliaRedisRefuses", "critical")[0],
        each("TertuliaRedisUnreachable", "critical")[0],
        each("TertuliaBusSilent", "critical")[0],
        each("TertuliaNotReady", "warning")[0],
        each("TertuliaEventLoopLag", "warning")[1],
        each("TertuliaDeliverySlow", "warning")[1],
    ]
    told = notified(alertmanager, receiver, alerts, 3)
    assert sorted(told) == [
        ("pager", ["TertuliaBalancerDown"]),
        ("pager", ["TertuliaRedisRefuses"]),
        ("tickets", ["TertuliaEventLoopLag"]),
    ]


@pytest.mark.slow
def test_what_gets_worse_is_told_once(alertmanager: Alertmanager, receiver: Receiver) -> None:
    alerts = [*each("TertuliaFull", "warning")[:2], each("TertuliaFull", "critical")[0]]
    told = notified(alertmanager, receiver, alerts, 2)
    assert sorted(told) == [("pager", ["TertuliaFull"]), ("tickets", ["TertuliaFull"])]


@pytest.mark.slow
def test_one_node_without_redis_hides_nothing_of_another(
    alertmanager: Alertmanager, receiver: Receiver
) -> None:
    away = each("TertuliaRedisUnreachable", "critical")[0]
    red = each("TertuliaNotReady", "warning")[:2]
    told = notified(alertmanager, receiver, [away, *red], 2)
    assert sorted(told) == [
        ("pager", ["TertuliaRedisUnreachable"]),
        ("tickets", ["TertuliaNotReady"]),
    ]


# --- The real fault ------------------------------------------------------------------------------


@pytest.fixture
async def nodes(node_factory: NodeFactory) -> list[Node]:
    nodes = [node_factory.launch() for _ in NODES]
    for node in nodes:
        await node.ready()
    return nodes


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_a_frozen_redis_is_one_page(
    tmp_path: Path,
    nodes: list[Node],
    redis_server: RedisServer,
    alertmanager: Alertmanager,
    receiver: Receiver,
) -> None:
    expected = {
        **dict.fromkeys(("TertuliaRedisUnreachable", "TertuliaNotReady"), len(NODES)),
        **dict.fromkeys(("TertuliaNobodyReady", "TertuliaProbeFailing", "TertuliaRedisUnseen"), 1),
    }
    with ExitStack() as ending:
        exporter = RedisExporter(tmp_path, redis_server.port)
        ending.callback(exporter.end)
        probe = Probe(tmp_path, f"chatte=127.0.0.1:{nodes[0].port()}")
        ending.callback(probe.end)
        prometheus = Prometheus(
            tmp_path,
            nodes=[it.ops_port for it in nodes],
            probes=[probe.port],
            redis=[exporter.port],
        )
        ending.callback(prometheus.end)
        prometheus.start()

        async def seen(expression: str) -> None:
            async def asked() -> bool:
                return bool(await asyncio.to_thread(prometheus.ask, expression))

            await until(asked, WITHIN, f"Prometheus to see {expression}", every=0.5)

        await seen("sum(tertulia_ready) == 3 and on () tertulia_probe_success == 1")
        await seen('redis_up{job="tertulia-redis"} == 1')
        redis_server.freeze()
        fired: list[dict[str, str]] = []

        async def all_fire() -> bool:
            fired[:] = await asyncio.to_thread(prometheus.alerts)
            names = [it["alertname"] for it in fired]
            return all(names.count(name) >= count for name, count in expected.items())

        await until(all_fire, WITHIN, lambda: f"the alerts: {fired}", every=0.5)

    assert len(fired) >= 7, "pages, if each were one"
    told = await asyncio.to_thread(notified, alertmanager, receiver, fired)
    pages = [it for it in told if it[0] == "pager"]  # a busy machine may be a ticket, beside
    assert pages == [("pager", ["TertuliaRedisUnreachable"] * len(NODES))]
