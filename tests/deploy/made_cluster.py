"""``make cluster`` as a test's own, on ports and in a folder of its own."""

import csv
import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import psutil

from deploy.tools import ROOT, packaged, run
from harness import processes
from harness.engines import needs_one_on_path
from harness.redis_server import reserved_port
from harness.waiting import until, until_sync

START_SECONDS = 120.0
STOP_SECONDS = 60.0
CTL = ROOT / "deploy" / "cluster" / "ctl"


def needs_programs() -> None:
    """Leave the test out where a part's program is missing."""
    for name in ("haproxy", "prometheus", "prometheus-redis-exporter"):
        packaged(name)
    needs_one_on_path()


def _names_of_ports() -> list[str]:
    code = "import layout; print(*layout.fixed_ports())"
    return run([sys.executable, "-Bc", code], directory=CTL.parent).split()


class MadeCluster:
    """Runs until ``end``."""

    def __init__(self, folder: Path, **environment: str) -> None:
        needs_programs()
        self.folder = folder
        # Kept while it lives: nobody else is given them, however long the parts take to start.
        self._reserved = {name: reserved_port() for name in _names_of_ports()}
        ports = ((name, it.getsockname()[1]) for name, it in self._reserved.items())
        self.environment = {
            **os.environ,
            "CLUSTER_FOLDER": str(folder),
            "CLUSTER_PORTS": ",".join(f"{name}={port}" for name, port in ports),
            **environment,
        }
        self._output = folder.with_suffix(".out")
        self._starts = 0
        self._process = self._start()

    @property
    def output(self) -> str:
        """What it has printed."""
        return self._output.read_text()

    @property
    def ports(self) -> dict[str, int]:
        """Where everything is."""
        ports: dict[str, int] = json.loads((self.folder / "ports.json").read_text())
        return ports

    @property
    def redis_url(self) -> str:
        """Where its Redis is, for somebody who may do everything."""
        password = (self.folder / "passwords" / "admin").read_text().strip()
        return f"redis://admin:{password}@127.0.0.1:{self.ports['redis']}/0"

    async def up(self) -> None:
        """Wait until everything runs."""
        await until(self._is_up, START_SECONDS, lambda: f"the cluster:\n{self.output}", every=0.1)

    def up_sync(self) -> None:
        """Do as ``up`` does, where there is no event loop."""
        until_sync(self._is_up, START_SECONDS, lambda: f"the cluster:\n{self.output}", every=0.1)

    def ctl(self, *words: str) -> str:
        """Tell it what to do, and return what it says. Raises AssertionError where it fails."""
        done = subprocess.run(
            [CTL, *words], env=self.environment, capture_output=True, text=True, timeout=200
        )
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}\n{self.output}"
        return done.stdout

    def how_is(self, name: str) -> str:
        """Return what it says of a part."""
        (line,) = [it for it in self.ctl("status").splitlines() if it.startswith(f"{name} ")]
        return " ".join(line.split()[2:])

    def balancer_sees(self, node: str) -> str:
        """Return what the balancer makes of a node: ``UP``, ``NOLB``, ``DOWN``."""
        url = f"http://127.0.0.1:{self.ports['balancer']}/;csv"
        with urllib.request.urlopen(url, timeout=30) as page:
            rows = csv.DictReader(page.read().decode().splitlines())
        return next(
            it["status"] for it in rows if (it["# pxname"], it["svname"]) == ("health", node)
        )

    def children(self) -> list[psutil.Process]:
        """Return everything that runs for it, itself included."""
        own = psutil.Process(self._process.pid)
        return [own, *own.children(recursive=True)]

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Stop it as somebody at the terminal does, and return the exit status."""
        # Ctrl-C goes to make and to all that it runs.
        os.killpg(self._process.pid, how)
        return self._process.wait(STOP_SECONDS)

    def end(self) -> None:
        """End it whatever it does: its children go with it."""
        if self._process.poll() is None:
            for process in self.children():
                if process.name() != "make":
                    process.kill()
            self._process.wait(STOP_SECONDS)
        for reserved in self._reserved.values():
            reserved.close()

    def _start(self) -> subprocess.Popen[bytes]:
        self._starts += 1
        with self._output.open("wb") as output:
            return processes.start(
                ["make", "--no-print-directory", "cluster"],
                output=output,
                environment=self.environment,
                directory=ROOT,
            )

    def _is_up(self) -> bool:
        if self._process.poll() is not None:
            # Another test may take a port between the look at it and its use: then others are chosen.
            is_taken = "address already in use" in self.output.lower()
            assert is_taken and self._starts < 3, self.output
            self._process = self._start()
        return "Stop with Ctrl-C" in self.output
