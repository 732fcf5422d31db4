"""A real Prometheus with the configuration as shipped."""

import json
import re
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.tools import DEPLOY, packaged
from harness.redis_server import free_port
from harness.waiting import until_sync

SHIPPED = DEPLOY / "prometheus"
START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as Prometheus has read it."""

    name: str
    expression: str
    alerts: bool
    health: str
    labels: dict[str, str]


class Prometheus:
    """One process on a free port of 127.0.0.1, scraping the nodes that it is given."""

    def __init__(
        self, directory: Path, *, in_haste: bool = False, **scraped: Iterable[int]
    ) -> None:
        """Prepare one; ``scraped`` are ports on this machine, by the file in targets/ that names them.

        It looks more often than as shipped. ``in_haste``: alerts fire without waiting to last.
        """
        self._program = packaged("prometheus")
        self._configuration = directory / "prometheus"
        shutil.copytree(SHIPPED, self._configuration)
        for file in (self._configuration / "targets").iterdir():
            self.scrape(file.stem, scraped.get(file.stem, ()))
        for file in self._configuration.glob("*.yml"):
            text = re.sub(r"(_interval|_timeout): \S+", r"\1: 2s", file.read_text())
            file.write_text(re.sub(r"\bfor: \S+", "for: 0s", text) if in_haste else text)
        self._log = directory / "prometheus.log"
        self._data = directory / "data"
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def scrape(self, name: str, ports: Iterable[int]) -> None:
        """Have it scrape ports of this machine, in place of those that a file in targets/ named."""
        addresses = [f"127.0.0.1:{port}" for port in ports]
        # JSON is YAML.
        file = self._configuration / "targets" / f"{name}.yml"
        file.write_text(json.dumps([{"targets": addresses}]))

    def start(self) -> None:
        """Start it and wait until it answers."""
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    self._program,
                    f"--config.file={self._configuration / 'prometheus.yml'}",
                    f"--storage.tsdb.path={self._data}",
                    f"--web.listen-address=127.0.0.1:{self._port}",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        until_sync(
            self._answers, START_SECONDS, lambda: f"Prometheus to start:\n{self._log.read_text()}"
        )

    def end(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)

    def ask(self, expression: str) -> list[float]:
        """Evaluate an expression now, and return its values. Raises AssertionError on an error."""
        return [float(it["value"][1]) for it in self._ask(expression)]

    def alerts(self) -> list[dict[str, str]]:
        """Return the labels of all alerts whose expressions hold now, however long they have."""
        return [
            {**it["metric"], **rule.labels, "alertname": rule.name}
            for rule in self.rules()
            if rule.alerts
            for it in self._ask(rule.expression)
        ]

    def _ask(self, expression: str) -> list[Any]:
        answer = self._get("/api/v1/query?" + urllib.parse.urlencode({"query": expression}))
        assert answer["data"]["resultType"] == "vector", answer
        return list(answer["data"]["result"])

    def rules(self) -> list[Rule]:
        """Return all rules that it has read."""
        groups = self._get("/api/v1/rules")["data"]["groups"]
        return [
            Rule(
                it["name"],
                it["query"],
                it["type"] == "alerting",
                it["health"],
                it.get("labels", {}),
            )
            for group in groups
            for it in group["rules"]
        ]

    def firing(self, name: str) -> list[dict[str, str]]:
        """Return the labels of each alert of a name that fires now."""
        alerts = self._get("/api/v1/alerts")["data"]["alerts"]
        return [
            it["labels"]
            for it in alerts
            if it["labels"]["alertname"] == name and it["state"] == "firing"
        ]

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()
        try:
            self._get("/api/v1/status/runtimeinfo")
        except OSError:
            return False
        return True

    def _get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=30) as page:
            return json.load(page)
