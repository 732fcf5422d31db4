"""The image's files and the Compose file, by what reads them; test_image runs the image."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from deploy.inhabited_redis import BOTH, NEW
from deploy.shipped_redis import ShippedRedis, engines
from deploy.test_systemd import FILES
from deploy.tools import DEPLOY, ROOT, installed, packaged, run
from harness import processes
from harness.redis_server import free_port
from harness.waiting import until_sync
from tertulia.settings.listener import ListenerSettings
from tertulia.settings.model import Settings
from tertulia.settings.sources import leaves, variable

DOCKER = DEPLOY / "docker"
COMPOSE = DOCKER / "compose.yaml"
DOCKER_THAT_KNOWS = """\
#!/bin/sh
test "$1 $2 $3 $5 $6" = 'buildx imagetools inspect --format {{json .Manifest}}' || exit 2
digit() { printf "$1%.0s" $(seq 64); }
cat << END
{
  "schemaVersion": 2,
  "mediaType": "application/vnd.docker.distribution.manifest.list.v2+json",
  "digest": "sha256:$(digit 1)",
  "size": 1638,
  "manifests": [
    {"digest": "sha256:$(digit 2)", "size": 528, "platform": {"architecture": "amd64", "os": "linux"}}
  ]
}
END
"""
YAMLLINT = """\
extends: default
rules:
  braces: {max-spaces-inside: 0}
  comments: {min-spaces-from-content: 1}
  document-start: disable
  line-length: {max: 130}
"""


def test_the_dockerfile_is_clean() -> None:
    run([installed("hadolint"), "--failure-threshold", "style", DOCKER / "Dockerfile"])


def test_the_image_is_small_and_not_root() -> None:
    build, last = (DOCKER / "Dockerfile").read_text().split("\nFROM ")[-2:]
    assert build.startswith("FROM") or " AS build" in build
    assert re.search(r"^USER \d+:\d+$", last, re.MULTILINE)
    assert re.search(r"^HEALTHCHECK ", last, re.MULTILINE)
    assert "pip install" not in last


def test_the_image_is_made_of_files_that_are_there_and_are_let_in() -> None:
    let_in = {
        line.removeprefix("!")
        for line in (DOCKER / "Dockerfile.dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    copied: set[str] = set()
    for line in re.findall(r"^COPY (?!--from)(.*)$", (DOCKER / "Dockerfile").read_text(), re.M):
        copied |= set(line.split()[:-1])
    assert copied == let_in
    assert all((ROOT / it).exists() for it in copied)


def test_the_node_s_settings_are_right() -> None:
    run([sys.executable, "-m", "tertulia", "check", "--config", DOCKER / "node.toml"])
    settings = tomllib.loads((DOCKER / "node.toml").read_text())
    listening = {ListenerSettings(**it).port for it in settings["listeners"]}
    exposed = re.search(r"^EXPOSE (.*)$", (DOCKER / "Dockerfile").read_text(), re.MULTILINE)
    assert exposed
    assert {*map(int, exposed[1].split())} == listening == {1234, 6789, 8080, 6667}


def test_only_settings_that_there_are_stand_in_the_environment() -> None:
    """A node refuses a TERTULIA_ variable that it does not know."""
    known = {variable(Settings, key) for key, _ in leaves(Settings)}
    for file in DEPLOY.rglob("*"):
        if file.is_file() and file.suffix != ".pyc":
            used = set(re.findall(r"TERTULIA_[A-Z][A-Z_]+[A-Z]", file.read_text()))
            assert used <= known, file


def test_compose_takes_the_file() -> None:
    run([installed("compose-load"), COMPOSE.name], directory=DOCKER)
    docker = shutil.which("docker")
    if (
        docker
        and not subprocess.run([docker, "compose", "version"], capture_output=True).returncode
    ):
        run([docker, "compose", "config", "--quiet"], directory=DOCKER)


def test_every_service_is_hardened_and_none_is_without_a_fixed_version() -> None:
    services = compose()["services"]
    watching = {"probe", "redis-exporter", "prometheus", "alertmanager", "grafana"}
    assert set(services) >= {"redis", "node1", "node2", "node3", "haproxy", *watching}
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        tag = service["image"].rpartition(":")[2]
        assert re.search(r"\d", tag) or tag == "local", name
        for volume in service.get("volumes", []):
            if volume["type"] == "bind":
                assert volume["read_only"] is True
                assert Path(volume["source"]).exists(), volume


def test_the_docs_say_until_when_each_version_gets_corrections() -> None:
    told = (ROOT / "docs" / "operations.md").read_text()
    rows = re.findall(r"^\| (\w+) \| (\d+\.\d+)[^|]*\|", told, re.MULTILINE)
    versions = {
        re.sub(r".*/", "", name): re.match(r"v?(\d+\.\d+)", tag)
        for name, tag in (it["image"].split(":") for it in compose()["services"].values())
        if name != "tertulia"
    }
    named = {name: found[1] for name, found in versions.items() if found}
    assert named.keys() == versions.keys()
    assert {name.lower(): version for name, version in rows}.items() >= named.items()


def test_every_image_can_be_one_by_its_digest(tmp_path: Path) -> None:
    """With a docker that answers as its documentation shows; what it says of real ones was not seen."""
    docker = tmp_path / "docker"
    docker.write_text(DOCKER_THAT_KNOWS)
    docker.chmod(0o755)
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    told = run([DOCKER / "with-digests"], environment=path)
    pinned = dict(line.split("=", 1) for line in told.splitlines())
    dockerfile = re.search(r"^ARG (PYTHON_IMAGE)=(.*)$", (DOCKER / "Dockerfile").read_text(), re.M)
    assert dockerfile
    tag, of_its_own = dockerfile[2].split("@")
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", of_its_own)
    assert pinned[dockerfile[1]] == f"{tag}@sha256:{'1' * 64}"
    assert compose()["services"]["node1"]["build"]["args"]["PYTHON_IMAGE"] == dockerfile[2]
    services = compose(tmp_path, **pinned)["services"]
    images = {it["image"] for it in services.values()} - {"tertulia:local"}
    assert images | {pinned["PYTHON_IMAGE"]} == {*pinned.values()}
    assert all(re.search(r":[^:@]+@sha256:1{64}$", it) for it in pinned.values())
    assert services["node1"]["build"]["args"]["PYTHON_IMAGE"] == pinned["PYTHON_IMAGE"]

    docker.write_text("#!/bin/sh\necho no such host >&2\nexit 1\n")
    with pytest.raises(AssertionError, match=r"no digest of .* was found: can docker reach"):
        run([DOCKER / "with-digests"], environment=path)


@pytest.mark.slow
def test_prometheus_is_told_where_the_runbook_is(tmp_path: Path) -> None:
    """What Compose has run in the container, with the container's folders elsewhere."""
    url = "https://wiki.example.org/chat?page=runbook"
    prometheus = compose(tmp_path, RUNBOOK_URL=url)["services"]["prometheus"]
    (script,) = prometheus["command"]
    port = free_port()
    for there, here in (
        ("/etc/prometheus", str(DEPLOY / "prometheus")),
        ("/tmp/prometheus", str(tmp_path / "made")),
        ("exec prometheus", f"exec {packaged('prometheus')} --web.listen-address=127.0.0.1:{port}"),
        ("path=/prometheus", f"path={tmp_path / 'data'}"),
    ):
        assert there in script
        script = script.replace(there, here)
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = processes.start(
            [*prometheus["entrypoint"], script],
            output=output,
            environment={**os.environ, **prometheus["environment"]},
        )
    try:

        def links() -> list[str]:
            assert process.poll() is None, log.read_text()
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/rules") as page:
                    groups = json.load(page)["data"]["groups"]
            except OSError:
                return []
            rules = [rule for group in groups for rule in group["rules"]]
            return [it["annotations"]["runbook_url"] for it in rules if "annotations" in it]

        until_sync(links, 60, lambda: f"Prometheus to start:\n{log.read_text()}")
        assert f"{url}#tertulianodedown" in links()
        assert all(it.startswith(f"{url}#") for it in links())
    finally:
        process.kill()
        process.wait(30)


def test_the_probe_has_a_chat_of_its_own_that_nobody_else_reaches() -> None:
    services = compose()["services"]
    for number in (1, 2, 3):
        own = [it for it in listeners(f"node{number}") if it.get("chat") == "probe"]
        assert [it["port"] for it in own] == [1230]
    way = "chatte=haproxy:1230"
    assert services["haproxy"]["environment"]["BIND_PROBE"] == ":1230"
    assert services["probe"]["command"][:3] == ["probe", way, way]
    published = {it["published"] for it in services["haproxy"]["ports"]}
    assert "1230" not in published


def listeners(node: str, *files: str) -> list[dict[str, Any]]:
    """Return where a node of Compose's files listens."""
    told = run(
        [installed("compose-load"), "-format", "json", COMPOSE.name, *files], directory=DOCKER
    )
    environment = json.loads(told)["services"][node]["environment"]
    if isinstance(environment, list):  # as of more than one file
        environment = dict(it.split("=", 1) for it in environment)
    found: list[dict[str, Any]] = json.loads(environment["TERTULIA_LISTENERS"])
    return found


def test_only_what_was_named_is_served() -> None:
    """Devices only by the file of theirs: whoever has a device's address is taken for it."""
    haproxy = compose()["services"]["haproxy"]
    assert "BIND_DEVICE" not in haproxy["environment"]
    for number in (1, 2, 3):
        without, with_them = listeners(f"node{number}"), listeners(f"node{number}", "devices.yaml")
        assert {"dialect": "device", "host": "0.0.0.0"} not in without
        assert [it for it in with_them if it["dialect"] != "device"] == without
        assert {"dialect": "device", "host": "0.0.0.0"} in with_them
    published = {it["published"] for it in haproxy["ports"]}
    assert published == {"1234", "6789", "8080", "6667", "8088"}


def test_the_api_is_this_machines_and_its_tokens_are_a_secret() -> None:
    services = compose()["services"]
    (published,) = (it for it in services["haproxy"]["ports"] if it["published"] == "8088")
    assert published["host_ip"] == "127.0.0.1", "it is in the clear"
    assert services["haproxy"]["environment"]["BIND_API"] == ":8088"
    api = services["api"]
    assert api["command"][0] == "api"
    assert api["environment"]["TERTULIA_API__TOKENS"] == "/run/secrets/api-tokens"
    assert {it["source"] for it in api["secrets"]} == {"tertulia", "api-tokens"}


def test_who_wants_io_uring_keeps_all_other_hardening() -> None:
    files = ("io-uring.yaml",)
    told = json.loads(
        run([installed("compose-load"), "-format", "json", COMPOSE.name, *files], directory=DOCKER)
    )["services"]
    for name, service in told.items():
        filtered = {"seccomp:seccomp.json"} if name.startswith("node") else set()
        assert set(service["security_opt"]) == {"no-new-privileges:true"} | filtered, name
    profile = json.loads((DOCKER / "seccomp.json").read_text())
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    rules = profile["syscalls"]
    allowed = {
        name for rule in rules if rule["action"] == "SCMP_ACT_ALLOW" for name in rule["names"]
    }
    ring = {"io_uring_setup", "io_uring_enter", "io_uring_register"}
    assert ring <= allowed
    assert not allowed & {"ptrace", "bpf", "mount", "unshare", "setns", "keyctl", "userfaultfd"}
    for name in ("socket", "clone"):
        assert all(rule.get("args") for rule in rules if name in rule["names"]), name


def test_a_node_may_have_as_many_clients_as_it_should() -> None:
    for name in ("node1", "node2", "node3"):
        assert compose()["services"][name]["ulimits"]["nofile"] > FILES


def test_a_node_is_given_the_time_to_drain() -> None:
    settings = tomllib.loads((DOCKER / "node.toml").read_text())
    needed = settings["drain_notice_seconds"] + settings["drain_seconds"]
    grace = re.search(r"stop_grace_period: (\d+)s", COMPOSE.read_text().partition("services:")[0])
    assert grace
    assert int(grace[1]) >= needed + 15


@pytest.mark.slow
@pytest.mark.parametrize("program", list(engines().values()), ids=list(engines()))
def test_redis_keeps_everything_when_it_is_restarted(tmp_path: Path, program: str) -> None:
    """What Compose has run in the container, with the container's folders elsewhere."""
    told = compose()
    redis = told["services"]["redis"]
    kept = [it["source"] for it in redis["volumes"] if it["target"] == "/data"]
    assert len(kept) == 1
    assert kept[0] in told["volumes"], "what is in no volume goes with the container"
    server = ShippedRedis(tmp_path / "redis", program=program)
    (script,) = redis["command"]
    (server.directory / "data").mkdir()
    for there, here in (
        ("exec redis-server /etc/redis", f"exec {program} {DEPLOY}/redis"),
        (
            "/etc/redis/with-passwords /run/secrets",
            f"{DEPLOY}/redis/with-passwords {server.passwords}",
        ),
        ("> /tmp/", f"> {server.directory}/"),
        ("--dir /data", f"--port {server.port} --bind 127.0.0.1 --dir {server.directory}/data"),
        ("--aclfile /tmp/", f"--aclfile {server.directory}/"),
    ):
        assert script.count(there) == 1, there
        script = script.replace(there, here)
    server.run_as([*redis["entrypoint"], script])
    try:
        server.start()
        server.client("tertulia").eval(BOTH, 2, *NEW)
        server.stop()
        server.start()
        assert server.client("admin").dbsize() == len(NEW)
    finally:
        server.kill()


def test_no_secret_is_in_a_file() -> None:
    for secret in compose()["secrets"].values():
        assert Path(secret["file"]).parent == DOCKER / "secrets"
    told = run([packaged("git"), "check-ignore", DOCKER / "secrets" / "tertulia"])
    assert told.strip().endswith("secrets/tertulia")


def test_yaml_files_are_clean(tmp_path: Path) -> None:
    rules = tmp_path / "yamllint.yaml"
    rules.write_text(YAMLLINT)
    files = [
        file
        for folder in (DEPLOY, ROOT / "grafana", ROOT / "tests" / "deploy")
        for file in folder.rglob("*.y*ml")
        if "templates" not in file.parts  # of a chart: not yet YAML
    ]
    run([installed("yamllint"), "--strict", "--config-file", rules, *files])


def compose(folder: Path | None = None, **environment: str) -> Any:
    """Return the file as Compose understands it.

    The loader of the tests knows no environment, so where there is one its values are put in by hand, in
    a copy in ``folder``.
    """
    file = COMPOSE
    if folder is not None:
        text = COMPOSE.read_text()
        for name, value in environment.items():
            text = re.sub(rf"\$\{{{name}:-[^}}]*\}}", value, text)
        file = folder / COMPOSE.name
        file.write_text(text)
    told = run([installed("compose-load"), "-format", "json", file], directory=DOCKER)
    return json.loads(told)
