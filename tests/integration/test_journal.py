"""A node whose log journald reads: a stream socket as systemd gives one, and its name in the environment."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from harness import log_schema, processes
from harness.redis_server import RedisServer

pytestmark = [pytest.mark.slow, pytest.mark.server]

PRIORITIES = {"debug": "<7>", "info": "<6>", "warning": "<4>", "error": "<3>"}


@contextmanager
def node(redis_url: str, *options: str) -> Iterator[tuple[subprocess.Popen[bytes], Iterator[str]]]:
    """Start a node under a service manager, and give what it writes, line by line."""
    ours, theirs = socket.socketpair()
    found = os.fstat(theirs.fileno())
    with theirs.makefile("wb") as output:
        theirs.close()
        process = processes.start(
            [sys.executable, "-m", "tertulia", "serve", *options],
            output=output,
            environment={
                **{name: it for name, it in os.environ.items() if not name.startswith("TERTULIA_")},
                "JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}",
                "TERTULIA_REDIS_URL": redis_url,
                "TERTULIA_OPS": '{"port": 0}',
                "TERTULIA_LISTENERS": '[{"dialect": "chatte", "port": 0}]',
                "TERTULIA_DRAIN_NOTICE_SECONDS": "0",
            },
        )
    try:
        with ours, ours.makefile(encoding="utf-8") as lines:
            yield process, iter(lines)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(30)


def told(line: str) -> dict[str, object]:
    """Read a line as journald does, and compare the level that it was told with the one within."""
    found: dict[str, object] = json.loads(line[3:])
    assert line[:3] == PRIORITIES[str(found["level"])], line
    return found


def test_journald_is_told_the_level_of_every_line(redis_server: RedisServer) -> None:
    seen = []
    # On a busy machine Redis may seem to be away, and to answer again, more often than it is stopped.
    awaited = ["ready", "redis-away", "redis-answers", ""]
    with node(redis_server.url) as (process, lines):
        for line in lines:
            seen.append(told(line))
            if seen[-1]["code"] == awaited[0]:
                match awaited.pop(0):
                    case "ready":
                        redis_server.stop()
                    case "redis-away":
                        redis_server.start()
                    case "redis-answers":
                        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert [problem for line in seen for problem in log_schema.problems(line)] == []
    assert {"info", "warning"} <= {it["level"] for it in seen}


def test_lines_for_people_have_their_level_as_well(redis_server: RedisServer) -> None:
    with node(redis_server.url, "--log-format", "console") as (process, lines):
        for line in lines:
            assert re.match(r"<6>.*\[info |<4>.*\[warning ", line), line
            if "code=ready" in line:
                process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


@pytest.mark.parametrize(
    ("options", "status"),
    [(["--node-id", "no good"], 2), (["--redis-url", "redis://127.0.0.1:1"], 1)],
)
def test_why_a_node_does_not_start_is_an_error(options: list[str], status: int) -> None:
    with node("redis://127.0.0.1:1", *options) as (process, lines):
        seen = list(lines)
        assert process.wait(30) == status
    assert seen[-1].startswith("<3>tertulia: "), seen
    for line in seen[:-1]:
        told(line)
