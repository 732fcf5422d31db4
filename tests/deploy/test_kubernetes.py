"""The chart, by Helm and Kubernetes' own schemas. There is no cluster here: checked, not run."""

import json
import re
import textwrap
import tomllib
from pathlib import Path
from typing import Any

import pytest

from deploy.tools import DEPLOY, ROOT, installed, packaged, run

CHART = DEPLOY / "kubernetes" / "tertulia"
OLDEST, NEWEST = "1.29", "1.37"
Values = dict[str, Any]
LEAST: Values = {"redis": {"url": "redis://tertulia@redis:6379/0"}}
WATCHED: Values = {
    **LEAST,
    "probe": {"enabled": True},
    "serviceMonitor": {
        "enabled": True,
        "labels": {"release": "prometheus"},
        "redisExporter": {"matchLabels": {"app": "exporter"}, "port": "http", "namespace": "data"},
    },
    "prometheusRule": {
        "enabled": True,
        "runbookUrl": "https://wiki.example.org/runbook",
        "jobs": {"nodes": "chat", "redis": "chat-redis", "probe": "chat-probe"},
    },
}
MOST: Values = {
    "probe": {"enabled": True, "address": "chatte+tls=chat.example.org:11230"},
    "redis": {"url": "rediss://tertulia@redis:6379/0", "passwordSecret": "redis"},
    "trustedProxies": ["10.0.0.0/8"],
    "autoscaling": {"enabled": True},
    "podAnnotations": {"example.org/x": "y"},
    "settings": {"LIMITS__CONNECTIONS": "1000"},
    "networkPolicy": {"redis": [{"ipBlock": {"cidr": "192.0.2.1/32"}}]},
    "nodeSelector": {"disk": "fast"},
    "tolerations": [{"key": "chat", "operator": "Exists"}],
    "imagePullSecrets": [{"name": "registry"}],
}


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
    assert kinds == needed | ({"horizontalpodautoscaler"} if values == MOST else set())


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
    assert 'redis_up{job="chat-redis"} == 0' in spec
    assert not re.search(r'job="tertulia', spec)
    assert "runbook_url: https://wiki.example.org/runbook#tertulianodedown" in spec
    assert "{{ $labels.instance }}" in spec, "for Prometheus to fill in, not for Helm"


def test_the_alerts_ask_for_what_the_monitors_call_it() -> None:
    monitors = of_kind("ServiceMonitor", WATCHED)
    assert len(monitors) == 3
    for monitor, job, port in zip(
        monitors, ("chat", "chat-redis", "chat-probe"), ("ops", "http", "metrics"), strict=True
    ):
        assert re.search(rf'targetLabel: job\s+replacement: "{job}"$', monitor, re.MULTILINE)
        assert re.search(rf'- port: "?{port}"?$', monitor, re.MULTILINE)
        assert "release: prometheus" in monitor
    for jobs in (["tertulia", "tertulia-probe"],):
        by_default = {**LEAST, "probe": {"enabled": True}, "serviceMonitor": {"enabled": True}}
        told = "".join(of_kind("ServiceMonitor", by_default))
        assert re.findall(r'replacement: "(.*)"', told) == jobs


def test_the_probe_is_no_node_and_comes_into_a_chat_of_its_own() -> None:
    made = helm("template", "chat", CHART, values=WATCHED)
    assert '"chat":"probe","dialect":"chatte","host":"0.0.0.0","port":1230' in made
    node, probe = sorted(of_kind("Deployment", WATCHED), key=lambda it: "name: probe\n" in it)
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


@pytest.mark.parametrize(
    "wrong",
    [
        {"redis": {"url": ""}},
        {"redis": {"url": "redis://user:password@redis/0"}},
        {**LEAST, "drainSecond": 1},
        {**LEAST, "listeners": {"telnet": 2323}},
        {**LEAST, "probe": {"enabled": True, "address": "chat.example.org"}},
        {**LEAST, "prometheusRule": {"enabled": True, "runbookUrl": "a runbook"}},
        {**LEAST, "serviceMonitor": {"redisExporter": {"port": "http"}}},
        {**LEAST, "settings": {"LIMITS__CONNECTIONS": 1000}},
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


def test_the_chart_is_of_the_service_s_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    told = (CHART / "Chart.yaml").read_text()
    assert re.findall(r"^(?:appVersion|version): (.*)$", told, re.MULTILINE) == [version, version]
