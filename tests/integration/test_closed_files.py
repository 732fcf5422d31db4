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


@pytest.mark.slow
@pytest.mark.parametrize("closed", CLOSED, ids=str)
def test_a_node_runs_without_its_standard_files(
    tmp_path: Path, redis_server: RedisServer, closed: tuple[int, ...]
) -> None:
    port = free_port()
    with (tmp_path / "output").open("wb") as output:
        node = processes.start(
            without(closed, "serve"),
            output=output,
            environment={
                **clean(),
                "TERTULIA_REDIS_URL": redis_server.url,
                "TERTULIA_OPS": json.dumps({"port": port}),
                "TERTULIA_LISTENERS": '[{"dialect": "chatte", "port": 0}]',
            },
        )

    def is_ready() -> bool:
        assert node.poll() is None, (tmp_path / "output").read_text()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    try:
        until_sync(is_ready, 20, "the node to be ready")
        files = Path(f"/proc/{node.pid}/fd")
        assert {str((files / str(number)).readlink()) for number in closed} == {"/dev/null"}
        node.send_signal(signal.SIGTERM)
        assert node.wait(10) == 0
    finally:
        if node.poll() is None:
            node.kill()
            node.wait(10)
    told = [json.loads(line)["event"] for line in (tmp_path / "output").read_text().splitlines()]
    assert ("stopped" in told) == (2 not in closed)


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)], ids=str)
@pytest.mark.parametrize(
    "words",
    [
        ("check",),
        ("settings",),
        ("account", "add", "andy"),
        ("admin", "nodes"),
        ("load", "chatte=127.0.0.1:1"),
        ("device", str(free_port())),
    ],
    ids=lambda words: words[0],
)
def test_no_command_is_a_traceback_without_them(
    tmp_path: Path, closed: tuple[int, ...], words: tuple[str, ...]
) -> None:
    done = subprocess.run(
        without(closed, *words),
        env={**clean(), "TERTULIA_DATA_DIR": str(tmp_path), "HOME": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == (0 if words[0] in ("check", "settings", "device") else 1), done
