"""The chart, taken by a real API server: installed as the docs say, changed, rolled back, removed."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.chart import CHART, LEAST, MOST, WATCHED, Values
from deploy.tools import DEPLOY, ROOT
from harness.waiting import until_sync
from kubernetes.control_plane import NAMESPACE, ControlPlane

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

PAGE = (ROOT / "docs" / "operations.md").read_text()
MADE = (
    "deployments,services,poddisruptionbudgets,networkpolicies,horizontalpodautoscalers,ingresses,"
    "servicemonitors.monitoring.coreos.com,prometheusrules.monitoring.coreos.com"
)
MACHINE = "machine"
SECONDS = 60.0


def kind_of_the_prometheus_operator(name: str) -> dict[str, Any]:
    """Return what makes the server know a kind of object, whatever stands in it."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"kind": name, "plural": f"{name.lower()}s", "singular": name.lower()}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{name.lower()}s.monitoring.coreos.com"},
        "spec": {
            "group": "monitoring.coreos.com",
            "scope": "Namespaced",
            "names": names,
            "versions": [version],
        },
    }


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    server = ControlPlane(tmp_path_factory.mktemp("kubernetes"))
    try:
        server.start()
        kinds = ("ServiceMonitor", "PrometheusRule")
        server.make(*map(kind_of_the_prometheus_operator, kinds))
        for it in kinds:
            name = f"crd/{it.lower()}s.monitoring.coreos.com"
            server.shell(f"kubectl wait --for=condition=established {name} --timeout={SECONDS}s")
        yield server
    finally:
        server.end()


@pytest.fixture
def empty(server: ControlPlane) -> Iterator[ControlPlane]:
    """The server, with nothing of the chart's before and after."""
    yield server
    for release in server.shell("helm list --short").split():
        server.shell(f"helm uninstall {release} --wait")
    # No kubelet says of one that it has ended.
    server.shell("kubectl delete pods --all --force --grace-period=0 2> /dev/null")
    assert server.get(MADE) == []


def apply(server: ControlPlane, do: str, values: Values, release: str = "chat") -> str:
    """Have Helm install or upgrade the chart with these values alone; returns what it said."""
    command = f"helm {do} {release} {CHART} --values -"
    return server.shell(command, text=json.dumps(values))


def nodes(server: ControlPlane) -> dict[str, Any]:
    """Return the Deployment of the nodes."""
    (found,) = (
        it for it in server.get("deployments") if not it["metadata"]["name"].endswith("-probe")
    )
    return found


def pods(server: ControlPlane) -> list[dict[str, Any]]:
    return [
        it
        for it in server.get("pods")
        if it["metadata"]["labels"]["app.kubernetes.io/name"] == "tertulia"
    ]


def commands_of_the_docs() -> list[str]:
    """Return the commands of the chapter on Kubernetes that ask the server for something."""
    chapter = PAGE.partition("\n### Kubernetes:")[2].partition("\n## ")[0]
    lines = re.sub(r" *\\\n *", " ", chapter).splitlines()
    return [it.strip() for it in lines if it.startswith(("    kubectl ", "    helm "))]


def test_the_commands_of_the_docs_install_and_change_it(
    empty: ControlPlane, tmp_path: Path
) -> None:
    (tmp_path / "deploy").symlink_to(DEPLOY)
    (tmp_path / "passwords").mkdir()
    (tmp_path / "passwords" / "tertulia").write_text("s3cret\n")
    secret, install, upgrade = commands_of_the_docs()
    try:
        empty.shell(secret, directory=tmp_path)
        told = empty.shell(install, directory=tmp_path)
        assert "warning" not in told.lower(), told
        ask = re.search(r"^ +(kubectl .*)$", told, re.MULTILINE)
        assert ask, told
        assert "LoadBalancer" in empty.shell(ask[1])
        # Pods are made where the namespace's rule for them, restricted, lets them be.
        until_sync(lambda: len(pods(empty)) == 3, SECONDS, "three pods")
        (volume,) = (
            it for it in pods(empty)[0]["spec"]["volumes"] if it["name"] == "redis-password"
        )
        assert volume["secret"]["secretName"] == shlex.split(secret)[4] == "tertulia-redis"

        before = nodes(empty)["spec"]["template"]["spec"]["containers"][0]["env"]
        told = empty.shell(upgrade, directory=tmp_path)
        assert "warning" not in told.lower(), told
        after = nodes(empty)["spec"]["template"]["spec"]["containers"][0]["env"]
        assert [it for it in before if it not in after] == [
            it for it in before if it["name"] == "TERTULIA_LISTENERS"
        ], "what was set before stays set"
        assert {it["kind"] for it in empty.get(MADE)} >= {"ServiceMonitor", "PrometheusRule"}
        until_sync(lambda: len(empty.get("pods")) > len(pods(empty)), SECONDS, "the probe's pod")
    finally:
        empty.shell("kubectl delete secret tertulia-redis --ignore-not-found")


@pytest.mark.parametrize("values", [LEAST, WATCHED, MOST])
def test_the_server_takes_every_object(empty: ControlPlane, values: Values) -> None:
    """By server-side apply, which refuses what an older way of applying lets pass; and no field unknown."""
    told = empty.shell(
        f"helm template chat {CHART} --kube-version 1.37.0 --namespace {NAMESPACE} --values - 2> /dev/null"
        " | kubectl apply --server-side --validate=strict --dry-run=server --filename -",
        text=json.dumps(values),
    )
    assert "Warning" not in told
    assert len(re.findall(r" serverside-applied \(server dry run\)$", told, re.MULTILINE)) >= 5


def test_from_few_values_to_all_of_them_and_back(empty: ControlPlane) -> None:
    apply(empty, "install", LEAST)
    least = sorted(it["kind"] + it["metadata"]["name"] for it in empty.get(MADE))
    few = nodes(empty)["spec"]["template"]
    told = apply(empty, "upgrade", {**WATCHED, **MOST})
    assert "warning" not in told.lower(), told
    made = [it["kind"] for it in empty.get(MADE)]
    assert made.count("ServiceMonitor") == 3
    assert {"Ingress", "HorizontalPodAutoscaler", "PrometheusRule"} <= {*made}
    empty.shell("helm rollback chat 1 --wait=false")
    assert sorted(it["kind"] + it["metadata"]["name"] for it in empty.get(MADE)) == least
    assert nodes(empty)["spec"]["template"] == few


def test_no_node_goes_where_it_is_scaled_by_sessions_from_now_on(empty: ControlPlane) -> None:
    """Neither at once, nor with the next change, which knows nothing of what the autoscaler did."""
    apply(empty, "install", {**LEAST, "replicas": 4})
    scaled = {**LEAST, "autoscaling": {"enabled": True}}
    apply(empty, "upgrade", scaled)
    assert nodes(empty)["spec"]["replicas"] == 4
    empty.shell("kubectl scale deployment chat-tertulia --replicas 7")
    apply(empty, "upgrade", {**scaled, "drainSeconds": 30})
    assert nodes(empty)["spec"]["replicas"] == 7


def test_a_release_may_have_the_longest_name(empty: ControlPlane) -> None:
    apply(empty, "install", {**WATCHED, **MOST}, release="a" * 53)
    longest = max(len(it["metadata"]["name"]) for it in empty.get(MADE))
    assert longest == 63


def test_the_page_has_nodes_while_none_is_ready(empty: ControlPlane) -> None:
    apply(empty, "install", LEAST)
    until_sync(lambda: len(pods(empty)) == 3, SECONDS, "three pods")
    empty.make({"apiVersion": "v1", "kind": "Node", "metadata": {"name": MACHINE}})
    # What a scheduler and a kubelet would say of nodes that wait for Redis.
    for number, pod in enumerate(pods(empty), 1):
        name = pod["metadata"]["name"]
        place = {"apiVersion": "v1", "kind": "Node", "name": MACHINE}
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": name},
            "target": place,
        }
        way = f"/api/v1/namespaces/{NAMESPACE}/pods/{name}/binding"
        empty.shell(f"kubectl create --raw {way} --filename -", text=json.dumps(binding))
        address = f"203.0.113.{number}"
        status = {
            "phase": "Running",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "conditions": [{"type": "Ready", "status": "False"}],
        }
        patch = shlex.quote(json.dumps({"status": status}))
        empty.shell(f"kubectl patch pod {name} --subresource status --patch {patch}")

    def ready(service: str) -> list[bool]:
        """Tell of each address that a Service has whether it may be sent somebody."""
        found = json.loads(
            empty.shell(
                f"kubectl get endpointslices -o json -l kubernetes.io/service-name={service}"
            )
        )
        return [
            end["conditions"]["ready"] for it in found["items"] for end in it["endpoints"] or []
        ]

    until_sync(lambda: ready("chat-tertulia") == [False] * 3, SECONDS, "the Service's addresses")
    until_sync(lambda: ready("chat-tertulia-page") == [True] * 3, SECONDS, "those of the page's")
