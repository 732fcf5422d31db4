"""A real HAProxy with the configuration as shipped."""

import asyncio
import csv
import os
import signal
import subprocess
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.tools import DEPLOY, packaged, run
from harness.node import Node
from harness.redis_server import free_port
from harness.waiting import until

CONFIGURATION = DEPLOY / "haproxy" / "haproxy.cfg"
WITH_NODES = DEPLOY / "haproxy" / "with-nodes"
START_SECONDS = 60.0


def haproxy() -> str:
    """Return the program's path, or skip the test."""
    return packaged("haproxy")


def configuration_for(nodes: int, directory: Path) -> Path:
    """Make the configuration for so many nodes, as an operator does, and return where it is."""
    made = directory / "haproxy.cfg"
    made.write_text(run([WITH_NODES, str(nodes)]))
    return made


def where(nodes: Sequence[Node]) -> dict[str, str]:
    """Return what the environment has to say of nodes on this machine; those up to the third are away."""
    away = f"127.0.0.1:{free_port()}"
    told = {}
    for number in (1, 2, 3):
        node = nodes[number - 1] if number <= len(nodes) else None
        for name in ("chatte", "protocollo", "device", "browser", "irc"):
            port = node and node.ports.get((name, "main"))
            told[f"NODE{number}_{name.upper()}"] = f"127.0.0.1:{port}" if port else away
        told[f"NODE{number}_OPS"] = f"127.0.0.1:{node.ops_port}" if node else away
    return told


class Balancer:
    """One HAProxy process on free ports of 127.0.0.1."""

    def __init__(
        self,
        directory: Path,
        environment: Mapping[str, str],
        configuration: Path = CONFIGURATION,
        *,
        connections: int | None = None,
    ) -> None:
        """Prepare one; ``environment`` says where the nodes are.

        ``connections``: how many it takes, where that is not to go by the system's limits.
        """
        self._configuration = configuration
        self._bounds = [] if connections is None else ["-n", str(connections)]
        names = ("CHATTE", "PROTOCOLLO", "DEVICE", "BROWSER", "IRC")
        self.ports = {name.lower(): free_port() for name in names}
        self.tls_ports = {name.lower(): free_port() for name in names}
        self.stats_port = free_port()
        self._log = directory / "haproxy.log"
        self._environment = {
            **os.environ,
            **{f"BIND_{name.upper()}": f"127.0.0.1:{port}" for name, port in self.ports.items()},
            **{
                f"BIND_{name.upper()}_TLS": f"127.0.0.1:{port}"
                for name, port in self.tls_ports.items()
            },
            "BIND_STATS": f"127.0.0.1:{self.stats_port}",
            **environment,
        }
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start the process and wait until it has looked at the nodes."""
        self._launch()
        await until(self._has_checked, START_SECONDS, lambda: f"HAProxy:\n{self._log.read_text()}")

    def _launch(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [haproxy(), "-db", *self._bounds, "-f", self._configuration],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process."""
        assert self._process is not None
        self._process.send_signal(number)

    def end(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)

    @property
    def pid(self) -> int:
        """The running process."""
        assert self._process is not None, "this HAProxy was not started"
        return self._process.pid

    async def state(self, server: str, backend: str = "health") -> str:
        """Return what it makes of a server: ``UP``, ``NOLB``, ``DOWN``; with progress, ``UP 1/3``."""
        return (await self._row(server, backend))["status"]

    async def connections(self, server: str, backend: str) -> int:
        """Return how many it has to a server."""
        return int((await self._row(server, backend))["scur"])

    async def is_left(self) -> bool:
        """Say whether nobody is connected but who looks at it."""
        rows = await asyncio.to_thread(self._rows)
        return not any(
            int(row["scur"])
            for row in rows
            if row["svname"] == "FRONTEND" and row["# pxname"] != "stats"
        )

    async def metrics(self) -> str:
        """Return the page for Prometheus."""
        return await asyncio.to_thread(self._get, "/metrics")

    def _has_checked(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"HAProxy ended:\n{self._log.read_text()}"
        try:
            rows = self._rows()
        except OSError:  # not listening yet
            return False
        servers = [r for r in rows if r["# pxname"] == "health" and r["svname"].startswith("node")]
        return all(row["check_status"] not in ("", "INI") for row in servers)

    async def _row(self, server: str, backend: str) -> dict[str, str]:
        rows = await asyncio.to_thread(self._rows)
        return next(it for it in rows if (it["# pxname"], it["svname"]) == (backend, server))

    def _rows(self) -> list[dict[str, str]]:
        return list(csv.DictReader(self._get("/;csv").splitlines()))

    def _get(self, path: str) -> str:
        with urllib.request.urlopen(
            f"http://127.0.0.1:{self.stats_port}{path}", timeout=30
        ) as page:
            return str(page.read().decode())
