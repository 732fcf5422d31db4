"""A command that is started without standard input, output or error."""

import itertools
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness import processes
from harness.redis_server import RedisServer, free_port
from harness.waiting import until_sync

CLOSED = [numbers for count in (1, 2, 3) for numbers in itertools.combinations(range(3), count)]


def without(numbers: Sequence[int], *words: str) -> list[str]:
    """Return a command that runs ``tertulia`` with some of the standard files closed."""
    closing = " ".join(f"{number}>&-" for number in numbers)
    return ["sh", "-c", f'exec "$@" {closing}', "sh", sys.executable, "-m", "tertulia", *words]


def clean() -> dict[str, str]:
    return {name: it for name, it in os.environ.items() if not name.startswith("TERTULIA_")}


class Lacking:
    """A node without some of the standard files."""

    def __init__(self, closed: Sequence[int], folder: Path, redis_url: str) -> None:
        """Start it; it writes to a file in ``folder``."""
        self.closed = closed
        self._output = folder / f"output-{closed}"
        self._port = free_port()
        with self._output.open("wb") as output:
            self.process = processes.start(
                without(closed, "serve"),
                output=output,
                environment={
                    **clean(),
                    "TERTULIA_REDIS_URL": redis_url,
                    "TERTULIA_OPS": json.dumps({"port": self._port}),
                    "TERTULIA_LISTENERS": '[{"dialect": "chatte", "port": 0}]',
                },
            )

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self._output.read_text()
        try:
            url = f"http://127.0.0.1:{self._port}/readyz"
            with urllib.request.urlopen(url, timeout=30) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def said(self) -> list[str]:
        return [json.loads(line)["event"] for line in self._output.read_text().splitlines()]


@pytest.mark.slow
def test_a_node_runs_without_its_standard_files(tmp_path: Path, redis_server: RedisServer) -> None:
    nodes = [Lacking(closed, tmp_path, redis_server.url) for closed in CLOSED]
    try:
        for node in nodes:
            until_sync(node.is_ready, 200, f"the node without {node.closed} to be ready")
            files = Path(f"/proc/{node.process.pid}/fd")
            leads_to = {str((files / str(number)).readlink()) for number in node.closed}
            assert leads_to == {"/dev/null"}, node.closed
        for node in nodes:
            node.process.send_signal(signal.SIGTERM)
        for node in nodes:
            assert node.process.wait(120) == 0
            assert ("stopped" in node.said()) == (2 not in node.closed)
    finally:
        for node in nodes:
            node.process.kill()
            node.process.wait(30)


ALL = (0, 1, 2)


@pytest.mark.parametrize(
    ("words", "closed"),
    [
        *((("check",), closed) for closed in [(0,), (1,), (2,), ALL]),
        (("settings",), ALL),
        (("account", "add", "andy"), ALL),
        (("admin", "nodes"), ALL),
        (("load", "chatte=127.0.0.1:1"), ALL),
        *((("device",), closed) for closed in [(0,), ALL]),
    ],
    ids=lambda it: str(it[0]) if isinstance(it[0], str) else str(it),
)
def test_no_command_is_a_traceback_without_them(
    tmp_path: Path, words: tuple[str, ...], closed: tuple[int, ...]
) -> None:
    port = [str(free_port())] if words == ("device",) else []
    done = subprocess.run(
        without(closed, *words, *port),
        env={**clean(), "TERTULIA_DATA_DIR": str(tmp_path), "HOME": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == (0 if words[0] in ("check", "settings", "device") else 1), done
