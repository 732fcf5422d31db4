"""What looks at the service beside Prometheus: the probe, what exports Redis, and Alertmanager."""

import asyncio
import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deploy.tools import DEPLOY, packaged
from harness import processes
from harness.redis_server import free_port
from harness.waiting import until_sync

START_SECONDS = 60.0


class Watcher:
    """A process that answers HTTP on a free port of 127.0.0.1, ended by ``end``."""

    def __init__(self, directory: Path, name: str, path: str) -> None:
        """Prepare one; ``path`` is what it answers when it is well."""
        self.port = free_port()
        self._log = directory / f"{name}.log"
        self._name = name
        self._path = path
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """Start it and wait until it answers."""
        with self._log.open("wb") as log:
            self._process = processes.start(command, output=log, environment=environment)
        until_sync(
            self._answers,
            START_SECONDS,
            lambda: f"{self._name} to start:\n{self._log.read_text()}",
        )

    def end(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)

    def get(self, path: str) -> str:
        """Ask it for a page, whatever its status is."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as page:
                return str(page.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return error.read().decode()

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()
        try:
            self.get(self._path)
        except OSError:
            return False
        return True


class Probe(Watcher):
    """``tertulia probe``, every second."""

    def __init__(self, directory: Path, *addresses: str) -> None:
        """Start one."""
        super().__init__(directory, "probe", "/livez")
        self.start(
            [
                *(sys.executable, "-m", "tertulia", "probe", *addresses, "--every", "1"),
                *("--timeout", "5", "--listen", f"127.0.0.1:{self.port}"),
            ]
        )

    async def says(self) -> list[str]:
        """Return what is wrong."""
        told = json.loads(await asyncio.to_thread(self.get, "/readyz"))
        return list(told["reasons"])


class RedisExporter(Watcher):
    """What tells Prometheus of a Redis, or the test is skipped."""

    def __init__(self, directory: Path, redis: int, user: str = "", password: str = "") -> None:
        """Start one for the Redis on a port."""
        super().__init__(directory, "redis-exporter", "/metrics")
        program = packaged("prometheus-redis-exporter")
        self.start(
            [
                *(program, "--redis.addr", f"redis://127.0.0.1:{redis}", "--config-command", "-"),
                *("--web.listen-address", f"127.0.0.1:{self.port}"),
            ],
            {"REDIS_USER": user, "REDIS_PASSWORD": password},
        )


class Alertmanager(Watcher):
    """Alertmanager with the example's file, or the test is skipped."""

    def __init__(
        self, directory: Path, receiver: int, api: int | None = None, token: Path | None = None
    ) -> None:
        """Start one that tells a port of this machine, at once.

        ``api``: the port of an API that it tells as well, with the token in a file; else it does not.
        """
        super().__init__(directory, "alertmanager", "/-/ready")
        program = packaged("prometheus-alertmanager")
        told = (DEPLOY / "alertmanager" / "alertmanager.yml").read_text()
        for shipped, here in (
            ("http://127.0.0.1:9095/", f"http://127.0.0.1:{receiver}/"),
            ("group_wait: 30s", "group_wait: 1s"),
            ("http://api:8088/", f"http://127.0.0.1:{api or 9}/"),  # 9: nobody is there
            ("credentials_file: /run/secrets/alertmanager", f"credentials_file: {token}"),
            ("repeat_interval: 4h", "repeat_interval: 1s"),
            ("group_interval: 5m", "group_interval: 1s"),
        )[: 4 if api is None else 6]:
            assert shipped in told
            told = told.replace(shipped, here)
        file = directory / "alertmanager.yml"
        file.write_text(told)
        self.start(
            [
                *(program, f"--config.file={file}", "--cluster.listen-address="),
                *(f"--storage.path={directory / 'alertmanager'}",),
                f"--web.listen-address=127.0.0.1:{self.port}",
            ]
        )

    def take(self, alerts: Sequence[Mapping[str, str]]) -> None:
        """Give it alerts, by their labels, as Prometheus does."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/v2/alerts",
            data=json.dumps([{"labels": dict(it)} for it in alerts]).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30):
            pass

    def alerts(self) -> list[Any]:
        """Return the alerts that it has, each with its state."""
        return list(json.loads(self.get("/api/v2/alerts")))
