"""The chart, by Helm and Kubernetes' own schemas. There is no cluster here: checked, not run."""

import re
import subprocess
from pathlib import Path

import pytest

from deploy.tools import DEPLOY, installed, run

CHART = DEPLOY / "kubernetes" / "tertulia"
OLDEST, NEWEST = "1.29", "1.37"
LEAST = ("redis.url=redis://tertulia@redis:6379/0",)
MOST = (
    *LEAST,
    "redis.passwordSecret=redis",
    "trustedProxies={10.0.0.0/8}",
    "autoscaling.enabled=true",
    "podAnnotations.x=y",
    "settings.LIMITS__CONNECTIONS=1000",
    "networkPolicy.redis[0].ipBlock.cidr=192.0.2.1/32",
    "nodeSelector.disk=fast",
    "imagePullSecrets[0].name=registry",
)


def helm(*arguments: str | Path, values: tuple[str, ...], version: str = NEWEST) -> str:
    given = [word for it in values for word in ("--set", it)]
    return run([installed("helm"), *arguments, "--kube-version", f"{version}.0", *given])


@pytest.mark.parametrize("values", [LEAST, MOST])
def test_the_chart_is_clean(values: tuple[str, ...]) -> None:
    helm("lint", "--strict", CHART, values=values)


@pytest.mark.parametrize("values", [LEAST, MOST])
@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_what_it_makes_is_what_kubernetes_takes(
    tmp_path: Path, values: tuple[str, ...], version: str
) -> None:
    made = tmp_path / "made.yaml"
    made.write_text(helm("template", "chat", CHART, values=values, version=version))
    told = run(
        [installed("kubernetes-validate"), "--strict", "--kubernetes-version", version, made]
    )
    kinds = set(re.findall(r"passed for resource (\w+)/", told))
    needed = {"deployment", "service", "poddisruptionbudget", "networkpolicy"}
    assert kinds == needed | ({"horizontalpodautoscaler"} if values == MOST else set())


def test_a_chart_without_redis_or_with_a_typo_is_refused() -> None:
    for wrong in (
        "redis.url=",
        "redis.url=redis://u:password@h/0",
        "drainSecond=1",
        "listeners.x=1",
    ):
        with pytest.raises(AssertionError, match=r"don't meet|not allowed|pattern"):
            helm("template", CHART, values=(*LEAST, wrong))


def test_a_node_that_goes_has_the_time_that_it_needs() -> None:
    made = helm("template", CHART, values=(*LEAST, "drainSeconds=300", "preStopSeconds=10"))
    grace = re.search(r"terminationGracePeriodSeconds: (\d+)", made)
    assert grace
    assert int(grace[1]) > 300 + 10 + 5
    assert "time.sleep(10)" in made
    assert re.search(r'TERTULIA_DRAIN_SECONDS\s+value: "300"', made)


def test_its_schema_names_every_value() -> None:
    """A value that the schema does not know could not be set at all."""
    helm("lint", CHART, values=(*LEAST, "global.any=1"))
    told = subprocess.run(
        [installed("helm"), "show", "values", str(CHART)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    top = set(re.findall(r"^(\w+):", told, re.MULTILINE))
    known = set(
        re.findall(r'^    "(\w+)":', (CHART / "values.schema.json").read_text(), re.MULTILINE)
    )
    assert top == known - {"global"}
