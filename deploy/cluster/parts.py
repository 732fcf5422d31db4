"""What runs in the cluster: each part's program, settings from the files of the deployment, health."""

import csv
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from layout import DEPLOY, DIALECTS, HOST, LISTENERS, ROOT, ClusterError, Layout

from tertulia.api.tokens import Scope, digest, new_secret

_ASK_SECONDS = 5.0
_PACKAGES = {"redis-server": "redis-server", "haproxy": "haproxy", "prometheus": "prometheus"}
"""Programs, and the packages of Debian that bring them."""
_EXPORTERS = ("prometheus-redis-exporter", "redis_exporter")
"""What the program that exports Redis may be called, by Debian and by its author. Without it, Redis is
not measured."""
_DRAIN = {
    "TERTULIA_DRAIN_NOTICE_SECONDS": "3",
    "TERTULIA_DRAIN_SPREAD_SECONDS": "5",
    "TERTULIA_DRAIN_SECONDS": "20",
}
"""As in a deployment, but for somebody who watches."""


@dataclass(frozen=True, slots=True)
class Part:
    """One process."""

    name: str
    command: tuple[str, ...]
    is_well: Callable[[], bool]
    environment: Mapping[str, str] = field(default_factory=dict)


def programs() -> dict[str, str]:
    """Find the programs of others. Raises ClusterError with the packages that are missing."""
    # /usr/sbin is not in everybody's PATH.
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    found = {name: shutil.which(name, path=path) for name in _PACKAGES}
    found["redis-server"] = found["redis-server"] or shutil.which("valkey-server", path=path)
    missing = [name for name, program in found.items() if program is None]
    if missing:
        packages = " ".join(_PACKAGES[name] for name in missing)
        raise ClusterError(f"{', '.join(missing)} not found: apt-get install {packages}")
    exporters = (shutil.which(name, path=path) for name in _EXPORTERS)
    found["redis-exporter"] = next(filter(None, exporters), None)
    return {name: program for name, program in found.items() if program}


def prepare(layout: Layout) -> None:
    """Put the files of the deployment, and what they leave open, into the cluster's folder."""
    for log in layout.folder.glob("*.log"):
        log.unlink()  # of an earlier run
    passwords = layout.folder / "passwords"
    passwords.mkdir(mode=0o700, exist_ok=True)
    for user in ("tertulia", "exporter", "admin"):
        file = layout.password_file(user)
        if not file.exists():
            file.touch(mode=0o600)
            file.write_text(secrets.token_hex(16) + "\n")
    _make_token(layout)
    (layout.folder / "redis").mkdir(mode=0o700, exist_ok=True)
    users = subprocess.run(
        [DEPLOY / "redis" / "with-passwords", passwords], check=True, capture_output=True
    )
    (layout.folder / "redis" / "users.acl").write_bytes(users.stdout)
    balancing = subprocess.run(
        [DEPLOY / "haproxy" / "with-nodes", str(len(layout.nodes))], check=True, capture_output=True
    )
    (layout.folder / "haproxy.cfg").write_bytes(balancing.stdout)
    shutil.copytree(DEPLOY / "prometheus", layout.folder / "prometheus", dirs_exist_ok=True)
    runbook = os.environ.get("CLUSTER_RUNBOOK_URL") or (ROOT / "docs" / "runbook.md").as_uri()
    alerts = subprocess.run(
        [DEPLOY / "prometheus" / "with-runbook", runbook], check=True, capture_output=True
    )
    (layout.folder / "prometheus" / "alerts.rules.yml").write_bytes(alerts.stdout)
    (layout.folder / "env").write_text(
        "# For tertulia admin and tertulia account, from a shell: . " + layout.shown_folder + "/env\n"
        + "".join(f"export {name}={value}\n" for name, value in _redis_settings(layout).items())
    )  # fmt: skip
    watch(layout, layout.first_nodes)


def _make_token(layout: Layout) -> None:
    """Let one who may do everything use the API, with the token of an earlier run, or a new one."""
    if not layout.api_token.exists():
        layout.api_token.touch(mode=0o600)
        layout.api_token.write_text(new_secret() + "\n")
    token = digest(layout.api_token.read_text().strip())
    scopes = json.dumps([it.value for it in Scope])
    (layout.folder / "api-tokens.toml").write_text(
        f'[[tokens]]\nname = "operator"\nsha256 = "{token}"\nscopes = {scopes}\n'
    )


def watch(layout: Layout, nodes: Iterable[str]) -> None:
    """Tell Prometheus whom to scrape; it looks at these files by itself."""
    scraped = {
        "nodes": [f"{node}.ops" for node in nodes],
        "balancers": ["balancer"],
        "probes": ["probe-metrics"],
        "apis": ["api-metrics"],
        "redis": ["redis-exporter"] if "redis-exporter" in programs() else [],
    }
    for kind, names in scraped.items():
        # JSON is YAML. As a whole: Prometheus may be reading it.
        file = layout.folder / "prometheus" / "targets" / f"{kind}.yml"
        new = file.with_suffix(".new")
        new.write_text(json.dumps([{"targets": [layout.address(it) for it in names]}]))
        new.replace(file)


def redis(layout: Layout, program: str) -> Part:
    """Return Redis with the settings and users of the deployment."""
    folder = layout.folder / "redis"
    command = (
        *(program, str(DEPLOY / "redis" / "redis.conf")),
        *("--port", str(layout.ports["redis"]), "--bind", HOST),
        *("--dir", str(folder), "--aclfile", str(folder / "users.acl")),
    )
    return Part("redis", command, lambda: _answers_ping(layout.ports["redis"]))


def node(layout: Layout, name: str) -> Part:
    """Return a node, as behind a balancer."""
    listeners = [
        {"dialect": dialect, "host": HOST, "port": layout.ports[f"{name}.{dialect}"]}
        for dialect in DIALECTS
    ]
    listeners.append(
        {"dialect": "chatte", "host": HOST, "port": layout.ports[f"{name}.probe"], "chat": "probe"}
    )
    environment = {
        **_redis_settings(layout),
        **_DRAIN,
        "TERTULIA_NODE_ID": name,
        "TERTULIA_DATA_DIR": str(layout.folder / name),
        "TERTULIA_LISTENERS": json.dumps(listeners),
        "TERTULIA_OPS__PORT": str(layout.ports[f"{name}.ops"]),
        "TERTULIA_TRUSTED_PROXIES": '["127.0.0.0/8"]',
        "TERTULIA_LASTING_CHATS": '["main"]',
        "TERTULIA_ACCOUNTS__DEVICE_ADDRESSES": "answered",
        "TERTULIA_LIMITS__MESSAGES_PER_SECOND": "10",
        "TERTULIA_LIMITS__MESSAGES_BURST": "50",
        "TERTULIA_LOG__FORMAT": "json",
    }
    command = (sys.executable, "-m", "tertulia", "serve")
    return Part(name, command, lambda: answers(layout, f"{name}.ops", "/readyz"), environment)


def balancer(layout: Layout, program: str) -> Part:
    """Return HAProxy with the configuration of the deployment; it is well when it has seen who is ready."""
    environment = {f"BIND_{it.upper()}": layout.address(it) for it in LISTENERS}
    environment["BIND_STATS"] = layout.address("balancer")
    environment |= {
        "BIND_API": layout.address("api"),
        "API1_API": layout.address("api-server"),
        "API1_OPS": layout.address("api-metrics"),
    }
    for name in layout.nodes:
        environment[name.upper()] = HOST
        for dialect in (*LISTENERS, "ops"):
            place = f"{name}.{dialect}"
            environment[f"{name.upper()}_{dialect.upper()}"] = layout.address(place)
    command = (program, "-db", "-f", str(layout.folder / "haproxy.cfg"))
    return Part(
        "haproxy",
        command,
        lambda: (
            _has_checked_all(layout)
            and all(
                takes_newcomers(layout, it)
                for it in layout.nodes
                if answers(layout, f"{it}.ops", "/readyz")
            )
        ),
        environment,
    )


def prometheus(layout: Layout, program: str) -> Part:
    """Return Prometheus with the rules of the deployment."""
    command = (
        program,
        f"--config.file={layout.folder / 'prometheus' / 'prometheus.yml'}",
        f"--storage.tsdb.path={layout.folder / 'prometheus-data'}",
        f"--web.listen-address={layout.address('prometheus')}",
    )
    return Part("prometheus", command, lambda: answers(layout, "prometheus", "/-/ready"))


def probe(layout: Layout) -> Part:
    """Return what comes in through the balancer as people do, twice: so it mostly meets two nodes."""
    way = f"chatte={layout.address('probe')}"
    place = layout.address("probe-metrics")
    command = (
        *(sys.executable, "-m", "tertulia", "probe", way, way),
        *("--every", "15", "--listen", place),
    )
    return Part("probe", command, lambda: answers(layout, "probe-metrics", "/livez"))


def api(layout: Layout) -> Part:
    """Return the HTTP API, as behind a balancer."""
    environment = {
        **_redis_settings(layout),
        "TERTULIA_API__PORT": str(layout.ports["api-server"]),
        "TERTULIA_API__TOKENS": str(layout.folder / "api-tokens.toml"),
        "TERTULIA_OPS__PORT": str(layout.ports["api-metrics"]),
        "TERTULIA_LASTING_CHATS": '["main"]',
        "TERTULIA_LOG__FORMAT": "json",
    }
    command = (sys.executable, "-m", "tertulia", "api")
    return Part("api", command, lambda: answers(layout, "api-metrics", "/readyz"), environment)


def redis_exporter(layout: Layout, program: str) -> Part:
    """Return what tells Prometheus of Redis."""
    command = (
        *(program, "--redis.addr", f"redis://{layout.address('redis')}", "--config-command", "-"),
        *("--web.listen-address", layout.address("redis-exporter")),
    )
    password = layout.password_file("exporter").read_text().strip()
    environment = {"REDIS_USER": "exporter", "REDIS_PASSWORD": password}
    return Part(
        "redis-exporter", command, lambda: answers(layout, "redis-exporter", "/health"), environment
    )


# --- Asking them ---------------------------------------------------------------------------------


def answers(layout: Layout, place: str, path: str) -> bool:
    """Say whether a part answers 200."""
    try:
        with urllib.request.urlopen(
            f"http://{layout.address(place)}{path}", timeout=_ASK_SECONDS
        ) as page:
            return bool(page.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def reasons(layout: Layout, name: str) -> str:
    """Say in a line how a node is, by its /readyz."""
    try:
        with urllib.request.urlopen(
            f"http://{layout.address(f'{name}.ops')}/readyz", timeout=_ASK_SECONDS
        ) as page:
            return "ready" if page.status == 200 else "not ready"
    except urllib.error.HTTPError as error:
        with error:
            told = json.load(error).get("reasons", [])
            return ", ".join(told) or "not ready"
    except (OSError, ValueError):
        return "does not answer"


def takes_newcomers(layout: Layout, name: str) -> bool:
    """Say whether the balancer sends newcomers to a node."""
    return _checked(layout).get(name) == "UP"


def _has_checked_all(layout: Layout) -> bool:
    """Say whether the balancer knows of every node how it is.

    Until then it takes one that does not run for a good one; and whom it had first sent there, and then
    to another, it throws out at the moment when it notices.
    """
    return _checked(layout).keys() == set(layout.nodes)


def _checked(layout: Layout) -> dict[str, str]:
    """Return what the balancer makes of each node that it has checked."""
    try:
        with urllib.request.urlopen(
            f"http://{layout.address('balancer')}/;csv", timeout=_ASK_SECONDS
        ) as page:
            rows = csv.DictReader(page.read().decode().splitlines())
    except OSError:
        return {}
    return {
        row["svname"]: row["status"]
        for row in rows
        if row["# pxname"] == "health"
        and row["svname"] in layout.nodes
        and row["check_status"] not in ("", "INI")
    }


def _answers_ping(port: int) -> bool:
    """Ask Redis as its health checks do."""
    try:
        with socket.create_connection((HOST, port), timeout=_ASK_SECONDS) as connection:
            connection.sendall(b'AUTH health ""\r\nPING\r\n')
            told = b""
            while told.count(b"\r\n") < 2 and (more := connection.recv(1024)):
                told += more
            return told.endswith(b"+PONG\r\n")
    except OSError:
        return False


def _redis_settings(layout: Layout) -> dict[str, str]:
    return {
        "TERTULIA_REDIS_URL": f"redis://tertulia@{layout.address('redis')}/0",
        "TERTULIA_REDIS_PASSWORD_FILE": str(layout.password_file("tertulia")),
    }


def read_tail(file: Path, lines: int = 5) -> str:
    """Return the end of a log."""
    return "\n".join(file.read_text(errors="replace").splitlines()[-lines:])
