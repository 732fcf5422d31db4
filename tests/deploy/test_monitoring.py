"""Rules and dashboard: sound, explained, and asking for what real nodes tell."""

import asyncio
import json
import math
import re
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from deploy.balancer import Balancer, where
from deploy.prometheus_server import SHIPPED, Prometheus, Rule
from deploy.tools import ROOT, packaged, run
from deploy.watching import Probe, RedisExporter
from harness.api_process import ApiProcess
from harness.browser_client import BrowserClient
from harness.certificates import make
from harness.chatte_client import ChatteClient
from harness.dialects import launch, listener
from harness.load import connect_many, under_load
from harness.node import QUICK, Node, NodeFactory
from harness.protocollo_client import ProtocolloClient
from harness.redis_server import RedisServer
from harness.waiting import elapse, until

GRAFANA = ROOT / "grafana"
CASES = Path(__file__).parent / "prometheus" / "alerts.test.yml"
RUNBOOK = ROOT / "docs" / "runbook.md"
VARIABLES = {"$chat": ".*", "$node": ".*", "$__rate_interval": "20s", "$__range": "1m"}
"""What Grafana puts in for a person who chose nothing."""

BUSY = {"TertuliaEventLoopLag", "TertuliaCommitSlow", "TertuliaDeliverySlow"}
"""Alerts that are right on a machine where other tests run beside."""


def promtool(*arguments: str | Path, directory: Path = SHIPPED) -> str:
    # The rules' cases are minutes of work for a busy machine.
    return run([packaged("promtool", "prometheus"), *arguments], directory=directory, seconds=850)


# --- The files -----------------------------------------------------------------------------------


def test_prometheus_takes_configuration_and_rules() -> None:
    assert "WARNING" not in promtool("check", "config", "prometheus.yml")
    promtool("check", "rules", "recording.rules.yml", "alerts.rules.yml")


@pytest.mark.timeout(900)
def test_every_alert_fires_when_it_should() -> None:
    promtool("test", "rules", CASES)


def test_every_alert_has_a_case_that_fires_and_one_that_does_not() -> None:
    cases = re.findall(
        r"alertname: (\w+)\s+eval_time: [^\n]*\s+exp_alerts:( \[\])?", CASES.read_text()
    )
    for name in alerts():
        kinds = {bool(quiet) for alert, quiet in cases if alert == name}
        # Where all cases fire, what must not fire stands among their series.
        assert False in kinds, f"no case in which {name} fires"
        assert True in kinds or name == "TertuliaCertificateNearEnd", (
            f"none in which {name} is quiet"
        )


def test_every_alert_says_how_bad_it_is_and_leads_to_its_section() -> None:
    text = (SHIPPED / "alerts.rules.yml").read_text()
    sections = re.findall(r"^## (Tertulia\w+)$", RUNBOOK.read_text(), re.MULTILINE)
    for name, body in re.findall(r"- alert: (\w+)\n(.*?)(?=\n\n|\Z)", text, re.DOTALL):
        assert re.search(r"severity: (critical|warning)$", body, re.MULTILINE), name
        assert re.search(r"summary: \S", body), name
        assert f"runbook_url: docs/runbook.md#{name.lower()}" in body, name
        assert name in sections, f"docs/runbook.md has no section {name}"
    assert sections == sorted(sections, key=alerts().index), "the runbook is in the rules' order"
    assert len(sections) == len(set(sections)) == len(alerts())


def test_alerts_link_to_where_the_operator_has_the_runbook(tmp_path: Path) -> None:
    url = "https://wiki.example.org/a%20b?page=1&x=|2"
    made = tmp_path / "alerts.rules.yml"
    made.write_text(run([SHIPPED / "with-runbook", url]))
    promtool("check", "rules", made)
    links = re.findall(r"runbook_url: (.*)", made.read_text())
    count = (SHIPPED / "alerts.rules.yml").read_text().count("- alert:")
    assert len(links) == count
    assert {it.partition("#")[0] for it in links} == {url}
    assert (
        made.read_text().replace(url, "docs/runbook.md")
        == (SHIPPED / "alerts.rules.yml").read_text()
    )


@pytest.mark.parametrize("wrong", [[], [""], ["a", "b"], ["a b"], ["a#b"], ['a"b']])
def test_what_is_no_address_of_a_runbook(wrong: list[str]) -> None:
    with pytest.raises(AssertionError, match="ended with 2:\nusage"):
        run([SHIPPED / "with-runbook", *wrong])


def test_the_dashboard_is_what_its_source_says() -> None:
    run([sys.executable, GRAFANA / "build.py", "--check"])


def test_no_panel_lies_on_another_and_each_says_what_it_shows() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert all(x < 24 for x, _ in cells), panel["title"]
        taken |= cells
        assert panel["title"]
        assert panel["type"] == "row" or panel["description"]


# --- With real nodes -----------------------------------------------------------------------------


@pytest.fixture
async def nodes(node_factory: NodeFactory, tmp_path: Path) -> list[Node]:
    """Start two nodes that bury quickly, and speak TLS on one listener."""
    made = make(tmp_path, ends=timedelta(days=90))
    listeners = [
        *(listener(dialect) for dialect in (ChatteClient, ProtocolloClient, BrowserClient)),
        listener(ChatteClient, "private", certificate=str(made.both)),
    ]
    started = [launch(node_factory, listeners, **QUICK) for _ in range(2)]
    for node in started:
        await node.ready()
    return started


@pytest.fixture
async def prometheus(
    tmp_path: Path, nodes: list[Node], redis_server: RedisServer
) -> AsyncIterator[Prometheus]:
    """Run Prometheus on the nodes, a balancer before them, a probe and what exports Redis."""
    with ExitStack() as ending:
        balancer = Balancer(tmp_path, where(nodes))
        ending.callback(balancer.end)
        await balancer.start()
        exporter = RedisExporter(tmp_path, redis_server.port)
        ending.callback(exporter.end)
        ways = [f"chatte=127.0.0.1:{node.port()}" for node in nodes]
        api = ApiProcess(tmp_path / "api", redis_server.url)
        ending.callback(api.end)
        await api.ready()
        probe = Probe(tmp_path, *ways)
        ending.callback(probe.end)
        server = Prometheus(
            tmp_path,
            nodes=[node.ops_port for node in nodes],
            balancers=[balancer.stats_port],
            probes=[probe.port],
            apis=[api.ports["ops"]],
            redis=[exporter.port],
        )
        ending.callback(server.end)
        server.start()
        asking = asyncio.create_task(ask_again_and_again(api))
        ending.callback(asking.cancel)
        yield server


async def ask_again_and_again(api: ApiProcess) -> None:
    """Ask the API for something, so that there is something to measure."""
    while True:
        await api.ask("GET", "/self")
        await elapse(0.5)


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_every_query_of_dashboard_and_rules_answers(
    prometheus: Prometheus, nodes: list[Node], redis_server: RedisServer
) -> None:
    clients = await connect_many([node.port() for node in nodes], 8, "user")
    for client in clients[:2]:
        client.send(b"no command\n")

    async def scraped() -> None:
        await answers(prometheus, "min(count_over_time(up[1m])) >= 3", within=60)
        clients[-1].close()
        await answers(prometheus, "min(count_over_time(up[1m])) >= 5", within=60)

    whom = [client.nickname for client in clients[:6]]
    await under_load(clients[:6], scraped(), per_second=10, whisper_to=whom)

    for query in dashboard_queries():

        async def has_numbers(query: str = query) -> bool:
            values = await asyncio.to_thread(prometheus.ask, query)
            return bool(values) and not all(map(math.isnan, values))

        if not await has_numbers():
            # A scrape was missed, or nobody has said anything for a while: then people talk on.
            seen = until(has_numbers, 60, f"numbers: {query}", every=0.5)
            await under_load(clients[:6], seen, per_second=10, whisper_to=whom)

    rules = {rule.name: rule for rule in await asyncio.to_thread(prometheus.rules)}
    assert set(rules) >= set(alerts())
    for rule in rules.values():
        assert rule.health == "ok", rule

        async def is_so(rule: Rule = rule) -> bool:
            values = await asyncio.to_thread(prometheus.ask, rule.expression)
            return rule.name in BUSY or bool(values) != rule.alerts

        # A machine that stood still for a moment has missed a scrape, and for a moment that is an alert.
        await until(is_so, 60, str(rule), every=0.5)

    redis_server.stop()
    for name in (
        *("TertuliaRedisUnreachable", "TertuliaNotReady", "TertuliaNobodyReady"),
        *("TertuliaProbeFailing", "TertuliaRedisUnseen"),
    ):
        await answers(prometheus, rules[name].expression, within=60)
    redis_server.start()
    for node in nodes:
        await node.becomes_ready(30)
    await answers(prometheus, "sum(tertulia_ready) == 2", within=60)

    nodes[0].kill()
    for name in ("TertuliaNodeDown", "TertuliaNodeBuried"):
        await answers(prometheus, rules[name].expression, within=60)
    await quiet(prometheus, [rules["TertuliaLogTrimmed"], rules["TertuliaRedisLostData"]])


async def answers(prometheus: Prometheus, expression: str, within: float) -> None:
    """Wait until an expression has a result."""

    async def asked() -> bool:
        return bool(await asyncio.to_thread(prometheus.ask, expression))

    await until(asked, within, f"Prometheus to see {expression}", every=0.5)


async def quiet(prometheus: Prometheus, rules: list[Rule]) -> None:
    for rule in rules:
        assert not await asyncio.to_thread(prometheus.ask, rule.expression), rule


def alerts() -> list[str]:
    """Return the names of all alerts, in their order."""
    found = re.findall(r"- alert: (\w+)", (SHIPPED / "alerts.rules.yml").read_text())
    return list(dict.fromkeys(found))


def dashboard() -> Any:
    return json.loads((GRAFANA / "dashboards" / "tertulia.json").read_text())


def dashboard_queries() -> list[str]:
    """Return every query of the dashboard as Grafana sends it."""
    targets = [it for panel in dashboard()["panels"] for it in panel.get("targets", [])]
    queries = [it["expr"] for it in [*targets, *dashboard()["annotations"]["list"]]]
    for name, value in VARIABLES.items():
        queries = [query.replace(name, value) for query in queries]
    assert not any("$" in query for query in queries)
    return list(dict.fromkeys(queries))
