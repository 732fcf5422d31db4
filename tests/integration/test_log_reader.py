"""Whoever reads a node's log stops reading: the node goes on, and says later what is missing."""

import asyncio
import fcntl
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from harness import processes
from harness.chatte_client import ChatteClient
from harness.node import samples
from harness.redis_server import RedisServer, free_port
from harness.waiting import until

MOST_WAITING = 4000
"""Characters that may wait here to be written, so that a test need not say so much."""
PATIENT = {
    f"TERTULIA_CLUSTER__{name}_SECONDS": seconds
    for name, seconds in {
        "HEARTBEAT": "20", "SILENCE": "60", "LEASE": "90", "REDIS_TIMEOUT": "60",
    }.items()
}  # fmt: skip
START = f"""
from tertulia.telemetry.log_writer import LogWriter
LogWriter.most_waiting = {MOST_WAITING}
from tertulia.node import node
node._HURRY_SECONDS = 60  # it waits for the third signal
from tertulia.cli import main
main()
"""


class Pipe:
    """A pipe with room for one page, and the log of a node in it."""

    def __init__(self) -> None:
        self._end, self.inlet = os.pipe()
        fcntl.fcntl(self.inlet, fcntl.F_SETPIPE_SZ, 4096)
        os.set_blocking(self._end, False)
        self._rest = b""
        self.lines: list[dict[str, Any]] = []

    def read(self) -> list[dict[str, Any]]:
        """Take what is in it, and return all lines so far."""
        try:
            while data := os.read(self._end, 65_536):
                *lines, self._rest = (self._rest + data).split(b"\n")
                self.lines += [json.loads(line.lstrip(b"x")) for line in lines]
        except BlockingIOError:
            pass
        return self.lines

    def told(self, event: str) -> list[dict[str, Any]]:
        return [it for it in self.read() if it["event"] == event]

    def fill(self) -> None:
        """Leave no room for a single byte."""
        # Opened anew: what doesn't block is this way in, and not the node's.
        inlet = os.open(f"/proc/self/fd/{self.inlet}", os.O_WRONLY | os.O_NONBLOCK)
        try:
            while True:
                os.write(inlet, b"x")
        except BlockingIOError:
            os.close(inlet)

    def close(self) -> None:
        os.close(self._end)
        os.close(self.inlet)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close()


@pytest.fixture
def ports() -> tuple[int, int]:
    """For chatte and for operators."""
    return free_port(), free_port()


@pytest.fixture
def node(
    tmp_path: Path, redis_server: RedisServer, pipe: Pipe, ports: tuple[int, int]
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a node that writes its log into the pipe."""
    with os.fdopen(os.dup(pipe.inlet), "wb") as output:
        node = processes.start(
            [sys.executable, "-c", START, "serve"],
            output=output,
            environment={
                **{name: it for name, it in os.environ.items() if not name.startswith("TERTULIA_")},
                "TERTULIA_REDIS_URL": redis_server.url,
                "TERTULIA_OPS": json.dumps({"port": ports[1]}),
                "TERTULIA_LISTENERS": json.dumps([{"dialect": "chatte", "port": ports[0]}]),
                # What is lost is counted: on however busy a machine, no word of Redis is among it.
                **PATIENT,
            },
        )
    yield node
    if node.poll() is None:
        node.kill()
    node.wait(30)


async def metric(ports: tuple[int, int], name: str) -> float:
    def ask() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{ports[1]}/metrics", timeout=30) as answer:
            return str(answer.read().decode())

    return sum(it.value for it in samples(await asyncio.to_thread(ask)) if it.name == name)


def is_told(pipe: Pipe, event: str, times: int) -> bool:
    return len(pipe.told(event)) == times


async def hang_up(node: subprocess.Popen[bytes], member: ChatteClient, times: int) -> None:
    """Have a node log that so many signals came: one after the other, as several are as good as one."""
    for _ in range(times):
        node.send_signal(signal.SIGHUP)
        member.say()
        await member.answered()


def test_a_node_that_fails_has_said_everything_before(redis_server: RedisServer) -> None:
    code = """
from tertulia.node import node
node.Node.reload = lambda self: node._log.info("still here")
async def fail(self):
    self.reload()
    raise ValueError("a defect")
node.Node.run = fail
from tertulia.cli import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", code, "serve"],
        env={
            **os.environ,
            "TERTULIA_REDIS_URL": redis_server.url,
            "TERTULIA_OPS": '{"port": 0}',
            "TERTULIA_LISTENERS": '[{"dialect": "chatte", "port": 0}]',
        },
        capture_output=True,
        timeout=200,
    )
    assert done.returncode == 1
    told = [json.loads(line) for line in done.stderr.splitlines()]
    events = [it["event"] for it in told]
    assert events[events.index("still here") :] == ["still here", "the node failed"]
    assert "ValueError: a defect" in told[-1]["exception"]


async def test_a_node_whose_log_nobody_reads_goes_on(
    node: subprocess.Popen[bytes], pipe: Pipe, ports: tuple[int, int]
) -> None:
    await until(lambda: pipe.told("ready"), 60, "the node to be ready")
    member = await ChatteClient.enter_chat(ports[0], "member")
    pipe.fill()
    await hang_up(node, member, 100)
    dropped = await metric(ports, "tertulia_log_lines_dropped_total")
    assert 0 < dropped < 100

    def gone_on() -> bool:
        return bool(pipe.told("lines of the log are missing"))

    await until(gone_on, 30, "the node to say what is missing")
    before = pipe.told("signalled")
    (missing,) = pipe.told("lines of the log are missing")
    assert missing["lines"] == dropped == 100 - len(before)
    assert missing["level"] == "error"
    assert pipe.lines[-1] == missing
    await hang_up(node, member, 1)
    await until(lambda: len(pipe.told("signalled")) == len(before) + 1, 30, "it to go on")
    assert [it["timestamp"] for it in pipe.lines] == sorted(it["timestamp"] for it in pipe.lines)


async def test_a_node_whose_log_nobody_reads_ends_in_order(
    node: subprocess.Popen[bytes], pipe: Pipe, ports: tuple[int, int]
) -> None:
    await until(lambda: pipe.told("ready"), 60, "the node to be ready")
    pipe.fill()
    node.terminate()
    await until(lambda: node.poll() is not None, 30, "the node to end")
    assert node.returncode == 0


async def test_everything_is_said_by_the_end(
    node: subprocess.Popen[bytes], pipe: Pipe, ports: tuple[int, int]
) -> None:
    await until(lambda: pipe.told("ready"), 60, "the node to be ready")
    member = await ChatteClient.enter_chat(ports[0], "member")
    pipe.fill()
    await hang_up(node, member, 3)
    node.terminate()
    await until(lambda: pipe.told("stopped") or node.poll() is not None, 30, "the node's last word")
    assert [it["event"] for it in pipe.read()][-6:] == [
        *["signalled"] * 4,
        "draining",
        "stopped",
    ]
    await until(lambda: node.poll() is not None, 30, "the node to end")


async def test_the_third_signal_is_told_as_well(
    node: subprocess.Popen[bytes], pipe: Pipe, redis_server: RedisServer, ports: tuple[int, int]
) -> None:
    await until(lambda: pipe.told("ready"), 60, "the node to be ready")
    member = await ChatteClient.enter_chat(ports[0], "member")
    redis_server.freeze()  # so that nothing is done with
    member.say()
    for count in range(1, 4):
        node.send_signal(signal.SIGTERM)
        await until(partial(is_told, pipe, "signalled", count), 30, "the signal to be told")
    await until(lambda: node.poll() is not None, 30, "the node to end")
    assert node.returncode == -signal.SIGTERM
