"""The chart, by Helm and Kubernetes' own schemas. There is no cluster here: checked, not run."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from deploy.tools import DEPLOY, ROOT, installed, run

CHART = DEPLOY / "kubernetes" / "tertulia"
OLDEST, NEWEST = "1.29", "1.37"
Values = dict[str, Any]
LEAST: Values = {"redis": {"url": "redis://tertulia@redis:6379/0"}}
MOST: Values = {
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
    return run(command, text=json.dumps(values))


@pytest.mark.parametrize("values", [LEAST, MOST])
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
    needed = {"deployment", "service", "poddisruptionbudget", "networkpolicy"}
    assert kinds == needed | ({"horizontalpodautoscaler"} if values == MOST else set())


@pytest.mark.parametrize(
    "wrong",
    [
        {"redis": {"url": ""}},
        {"redis": {"url": "redis://user:password@redis/0"}},
        {**LEAST, "drainSecond": 1},
        {**LEAST, "listeners": {"telnet": 2323}},
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
