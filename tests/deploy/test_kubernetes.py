"""The chart, by Helm and Kubernetes' own schemas. What a server says of it: tests/kubernetes."""

import json
import re
import textwrap
from pathlib import Path

import pytest

from deploy.chart import CHART, LEAST, MOST, NEWEST, OLDEST, WATCHED, Values
from deploy.tools import DEPLOY, installed, packaged, run


def helm(*arguments: str | Path, values: Values, version: str = NEWEST) -> str:
    """Run Helm with values beyond the chart's own."""
    command = [installed("helm"), *arguments, "--kube-version", f"{version}.0", "--values", "-"]
    told = run(command, text=json.dumps(values))
    # rules/ leads to the rules that all ways of deploying share.
    return re.sub(r"^.* found symbolic link in path: .*\n", "", told, flags=re.MULTILINE)


@pytest.mark.parametrize("values", [LEAST, WATCHED, MOST])
def test_the_chart_is_clean(values: Values) -> None:
    helm("lint", "--strict", CHART, values=values)


@pytest.mark.parametrize("values", [LEAST, MOST])
@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_what_it_makes_is_what_kubernetes_takes(
    tmp_path: Path, values: Values, version: str
) -> None:
    made = tmp_path / "made.yaml"
    made.write_text(helm("template", "chat", CHART, values=values, version=version))
    told = run(
        [installed("kubernetes-validate"), "--strict", "--kubernetes-version", version, made]
    )
    kinds = set(re.findall(r"passed for resource (\w+)/", told))
    assert "monitoring.coreos.com" not in made.read_text(), "only where it is asked for"
    needed = {"deployment", "service", "poddisruptionbudget", "networkpolicy"}
    assert kinds == needed | ({"horizontalpodautoscaler", "ingress"} if values == MOST else set())


def documents(values: Values) -> list[str]:
    """Return what the chart makes, each by itself."""
    return helm("template", "chat", CHART, values=values).split("\n---\n")


def of_kind(kind: str, values: Values) -> list[str]:
    return [it for it in documents(values) if re.search(rf"^kind: {kind}$", it, re.MULTILINE)]


def test_what_is_made_for_monitoring_is_sound(tmp_path: Path) -> None:
    """What is the operator's own, Kubernetes' schemas do not know: rules are read by Prometheus' tool."""
    theirs = ("ServiceMonitor", "PrometheusRule")
    made = tmp_path / "made.yaml"
    ours = [
        it for it in documents(WATCHED) if not re.search(rf"^kind: ({'|'.join(theirs)})$", it, re.M)
    ]
    made.write_text("\n---\n".join(ours))
    run([installed("kubernetes-validate"), "--strict", "--kubernetes-version", NEWEST, made])

    (rule,) = of_kind("PrometheusRule", WATCHED)
    spec = textwrap.dedent(rule.partition("\nspec:\n")[2])
    rules = tmp_path / "rules.yaml"
    rules.write_text(spec)
    told = run([packaged("promtool", "prometheus"), "check", "rules", rules])
    shipped = [DEPLOY / "prometheus" / f"{it}.rules.yml" for it in ("recording", "alerts")]
    count = sum(len(re.findall(r"- (?:alert|record): ", it.read_text())) for it in shipped)
    assert f"SUCCESS: {count} rules found" in told
    assert 'up{job="chat"} == 0' in spec
    assert 'up{job="chat-probe"} == 0' in spec
    assert 'up{job="chat-api"} == 0' in spec
    assert 'redis_up{job="chat-redis"} == 0' in spec
    assert not re.search(r'job="tertulia', spec)
    assert "runbook_url: https://wiki.example.org/runbook#tertulianodedown" in spec
    assert "{{ $labels.instance }}" in spec, "for Prometheus to fill in, not for Helm"


def test_the_alerts_ask_for_what_the_monitors_call_it() -> None:
    monitors = of_kind("ServiceMonitor", WATCHED)
    assert len(monitors) == 4
    for monitor, job, port in zip(
        monitors,
        ("chat", "chat-redis", "chat-probe", "chat-api"),
        ("ops", "http", "metrics", "ops"),
        strict=True,
    ):
        assert re.search(rf'targetLabel: job\s+replacement: "{job}"$', monitor, re.MULTILINE)
        assert re.search(rf'- port: "?{port}"?$', monitor, re.MULTILINE)
        assert "release: prometheus" in monitor
    for jobs in (["tertulia", "tertulia-probe"],):
        by_default = {**LEAST, "probe": {"enabled": True}, "serviceMonitor": {"enabled": True}}
        told = "".join(of_kind("ServiceMonitor", by_default))
        assert re.findall(r'replacement: "(.*)"', told) == jobs


def test_the_page_is_there_while_no_node_is_ready() -> None:
    """As in haproxy.cfg: its files follow /livez, its WebSocket follows /readyz."""
    for_files = [it for it in of_kind("Service", LEAST) if "name: chat-tertulia-page\n" in it]
    assert len(for_files) == 1
    assert "publishNotReadyAddresses: true" in for_files[0]
    assert re.findall(r"targetPort: (.*)", for_files[0]) == ["browser"], "for nobody's session"
    (for_sessions,) = (it for it in of_kind("Service", LEAST) if "name: chat-tertulia\n" in it)
    assert "publishNotReadyAddresses" not in for_sessions
    selector = r"selector:\n((?: {4}.*\n)+)"
    assert re.findall(selector, for_files[0]) == re.findall(selector, for_sessions) != []

    (node,) = (it for it in of_kind("Deployment", LEAST) if "name: chat-tertulia\n" in it)
    asks = re.findall(r"(\w+)Probe:\n\s+httpGet: \{path: (\S+), port: ops\}", node)
    assert dict(asks) == {"startup": "/livez", "readiness": "/readyz", "liveness": "/livez"}

    assert of_kind("Ingress", LEAST) == []
    (ingress,) = of_kind("Ingress", MOST)
    ways = re.findall(
        r"path: (\S+)\n\s+pathType: Prefix\n\s+backend:\n\s+service:\n"
        r"\s+name: (\S+)\n\s+port: \{name: browser\}",
        ingress,
    )
    ready, alive = "chat-tertulia", "chat-tertulia-page"
    assert ways == [("/ws", ready), ("/irc", ready), ("/", alive)] * 2
    assert re.findall(r'host: "(.*)"', ingress) == MOST["hosts"]
    assert re.search(r'secretName: "chat"\n\s+hosts:\n\s+- chat.example.org\n', ingress)

    without = {**LEAST, "listeners": {"browser": None}}
    assert not any("tertulia-page" in it for it in documents(without))


def test_only_ports_that_were_named_are_open() -> None:
    """In the nodes' setting, the containers, the Service and the policy of the network."""
    named = {"chatte": 2345, "device": 4242, "protocollo": None, "browser": None, "irc": None}
    made = {
        kind: of_kind(kind, {**LEAST, "listeners": named})
        for kind in ("Service", "NetworkPolicy", "Deployment")
    }
    (service,), (policy,), (node,) = made.values()
    assert re.findall(r"port: (\d+)", service) == ["2345", "4242"]
    assert set(re.findall(r"- port: ([a-z]+)$", policy, re.MULTILINE)) == {
        "chatte",
        "device",
        "ops",
    }
    assert re.findall(r"containerPort: (\d+)", node) == ["2345", "4242", "9464"]
    listeners = re.search(r"TERTULIA_LISTENERS\s+value: '(.*)'", node)
    assert listeners
    assert {it["dialect"]: it["port"] for it in json.loads(listeners[1])} == {
        "chatte": 2345,
        "device": 4242,
    }


def test_the_probe_is_no_node_and_comes_into_a_chat_of_its_own() -> None:
    made = helm("template", "chat", CHART, values=WATCHED)
    assert '"chat":"probe","dialect":"chatte","host":"0.0.0.0","port":1230' in made
    node, probe = (
        it
        for name in ("node", "probe")
        for it in of_kind("Deployment", WATCHED)
        if f"- name: {name}\n          image:" in it
    )
    for deployment, name in ((node, "tertulia"), (probe, "tertulia-probe")):
        names = set(re.findall(r"app.kubernetes.io/name: (.*)", deployment))
        assert names == {name}
    assert (
        'args: [probe, "chatte=chat-tertulia-probed:1230", "chatte=chat-tertulia-probed:1230",'
        in probe
    )
    (through,) = (it for it in of_kind("Deployment", MOST) if "args: [probe," in it)
    assert "chatte+tls=chat.example.org:11230" in through
    assert "1230" not in helm("template", "chat", CHART, values=LEAST)


def test_the_api_is_no_node_and_only_where_it_is_asked_for() -> None:
    assert "-api" not in helm("template", "chat", CHART, values=LEAST)
    (api,) = (it for it in of_kind("Deployment", MOST) if "args: [api]" in it)
    assert set(re.findall(r"app.kubernetes.io/name: (.*)", api)) == {"tertulia-api"}
    given = dict(re.findall(r"- name: (TERTULIA_\w+)\s+value: ['\"]?(.*?)['\"]?\n", api))
    assert given["TERTULIA_REDIS_URL"] == "rediss://tertulia@redis:6379/0"
    assert given["TERTULIA_API__REQUESTS_PER_SECOND"] == "20"
    assert re.search(
        r"secretName: tokens\n.*\n\s+items:\n\s+- key: tokens.toml\n\s+path: tokens", api
    )
    assert given["TERTULIA_API__TOKENS"] == "/run/secrets/api/tokens"
    assert "mountPath: /run/secrets/api\n" in api
    assert given["TERTULIA_API__WEBHOOKS"] == "/run/secrets/webhooks/webhooks"
    assert "secretName: hooks\n" in api
    (service,) = (it for it in of_kind("Service", MOST) if re.search(r"name: \S+-api\n", it))
    assert "type: LoadBalancer" in service
    assert re.findall(r"port: (\d+)", service) == ["8088"]
    (policy,) = (it for it in of_kind("NetworkPolicy", MOST) if re.search(r"name: \S+-api\n", it))
    assert "cidr: 192.0.2.2/32" in policy


@pytest.mark.parametrize(
    "wrong",
    [
        {"redis": {"url": ""}},
        {"redis": {"url": "redis://user:password@redis/0"}},
        {**LEAST, "drainSecond": 1},
        {**LEAST, "api": {"enabled": True}},
        {**LEAST, "listeners": {"telnet": 2323}},
        {**LEAST, "probe": {"enabled": True, "address": "chat.example.org"}},
        {**LEAST, "prometheusRule": {"enabled": True, "runbookUrl": "a runbook"}},
        {**LEAST, "serviceMonitor": {"redisExporter": {"port": "http"}}},
        {**LEAST, "settings": {"LIMITS__CONNECTIONS": 1000}},
        {**LEAST, "ingress": {"enabled": True}},
        {**LEAST, "ingress": {"enabled": True}, "hosts": ["192.0.2.1:8080"]},
        {
            **LEAST,
            "ingress": {"enabled": True},
            "hosts": ["a.example"],
            "listeners": {"browser": None},
        },
    ],
)
def test_a_wrong_value_is_refused(wrong: Values) -> None:
    with pytest.raises(AssertionError, match="values don't meet the specifications"):
        helm("template", CHART, values=wrong)


def test_a_node_that_goes_has_the_time_that_it_needs() -> None:
    made = helm("template", CHART, values={**LEAST, "drainSeconds": 300, "preStopSeconds": 10})
    grace = re.search(r"terminationGracePeriodSeconds: (\d+)", made)
    assert grace
    assert int(grace[1]) > 300 + 10 + 5
    assert "time.sleep(10)" in made
    assert re.search(r'TERTULIA_DRAIN_SECONDS\s+value: "300"', made)
    assert re.search(r'TERTULIA_DRAIN_SPREAD_SECONDS\s+value: "225"', made)


def test_the_schema_of_the_values_knows_every_value() -> None:
    """A value that the schema does not know could not be set at all."""
    values = run([installed("helm"), "show", "values", CHART])
    schema = json.loads((CHART / "values.schema.json").read_text())
    assert set(re.findall(r"^(\w+):", values, re.MULTILINE)) == {*schema["properties"]} - {"global"}


def test_the_chart_has_no_version_before_a_release_gives_it_one() -> None:
    told = (CHART / "Chart.yaml").read_text()
    assert re.findall(r"^(?:appVersion|version): (.*)$", told, re.MULTILINE) == ["0.0.0", "0.0.0"]


def test_every_name_is_short_enough_for_kubernetes() -> None:
    """63 signs for a Service, and 53 are what Helm lets a release have."""
    made = helm("template", "a" * 53, CHART, values={**WATCHED, **MOST})
    names = re.findall(r"^  name: (.*)$", made, re.MULTILINE)
    assert max(map(len, names)) == 63
    assert (
        len(set(re.findall(r"^kind: Service\nmetadata:\n  name: (.*)$", made, re.MULTILINE))) == 7
    )
