"""The image, built and run without a container engine: as shipped, in a network of its own."""

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import TypeVar
from urllib.error import HTTPError

import psutil
import pytest

from deploy.tools import DEPLOY, packaged, run
from harness import processes
from harness.redis_server import redis_binary
from harness.requirements import lack
from harness.waiting import until_sync

IMAGE = DEPLOY / "docker" / "image.py"
OPS = "http://127.0.0.1:9464"
_CAP_SYS_ADMIN = 21
_CLONE_NEWNET = 0x40000000
VERSION = "7.6.5"
NOTHING = "0000000000000000"
_WITH_RING = """
import ctypes, threading, urllib.request
from tertulia.edge.io_uring import IoUring
IoUring(8)
threading.Thread(target=urllib.request.urlopen, args=("http://127.0.0.1:9464/livez",)).start()
assert urllib.request.urlopen("http://127.0.0.1:9464/livez").read() == b"ok"
system = ctypes.CDLL(None)
assert [system.ptrace(0, 0, 0, 0), system.unshare(0x10000000), system.socket(38, 5, 0)] == [-1, -1, -1]
"""
"""A ring, threads and loopback it may have; no debugger, namespace, or socket of the kernel's ciphers."""
_T = TypeVar("_T")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def built() -> str:
    """Build the image; what could be kept of the last time is."""
    for program in ("buildah", "runc", "mmdebstrap", "ip"):
        packaged(program, "iproute2" if program == "ip" else program)
    if not int(status_of(os.getpid())["CapEff"], 16) >> _CAP_SYS_ADMIN & 1:
        lack("root that may mount", "sudo -E make test")
    done = subprocess.run(
        [IMAGE, "build"],
        env={**os.environ, "VERSION": VERSION},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=800,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Network:
    """A network of its own, with nothing but loopback, in which things are started and done."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._started: list[subprocess.Popen[bytes]] = []
        # It lives as long as this process does, which has Redis in it.
        script = 'ip link set lo up && exec "$0" --port 6379 --bind 127.0.0.1 --save "" --dir "$1"'
        redis = ["sh", "-c", script, redis_binary(), str(directory)]
        self._holder = self._start(["unshare", "--net", *redis], "redis")
        until_sync(self._is_apart, 60, lambda: f"Redis:\n{self.log('redis')}")
        self._within = ThreadPoolExecutor(1, initializer=self._enter)

    def _is_apart(self) -> bool:
        own = Path("/proc/self/ns/net").readlink()
        return Path(
            f"/proc/{self._holder.pid}/ns/net"
        ).readlink() != own and "eady to accept connections" in self.log("redis")

    def _enter(self) -> None:
        """Move the one thread of the pool there; its sockets are of that network."""
        with Path(f"/proc/{self._holder.pid}/ns/net").open() as network:
            libc = ctypes.CDLL(None, use_errno=True)
            assert libc.setns(network.fileno(), _CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())

    def do(self, what: Callable[[], _T]) -> _T:
        """Do something there."""
        return self._within.submit(what).result(60)

    def _start(self, command: list[str], name: str) -> subprocess.Popen[bytes]:
        with (self.directory / name).open("wb") as log:
            process = processes.start(command, output=log)
        self._started.append(process)
        return process

    def start(self, *command: str | Path, name: str) -> subprocess.Popen[bytes]:
        """Start a process there, which writes to the log of that name."""
        there = ["nsenter", f"--net=/proc/{self._holder.pid}/ns/net"]
        return self._start([*there, *map(str, command)], name)

    def log(self, name: str) -> str:
        return (self.directory / name).read_text()

    def get(self, url: str) -> tuple[int, str]:
        """Ask for a page there; returns status and text. Raises OSError where nothing answers."""

        def ask() -> tuple[int, str]:
            try:
                with urllib.request.urlopen(url, timeout=30) as page:
                    return page.status, page.read().decode()
            except HTTPError as error:
                return error.code, error.read().decode()

        return self.do(ask)

    def end(self) -> None:
        # The image first: it is told to end, and lets go of all that it holds.
        for process in reversed(self._started):
            process.terminate()
            process.wait(60)
        self._within.shutdown()


@contextmanager
def collector(network: Network) -> Iterator[set[str]]:
    """Take spans there, as a collector does; the paths that were asked for."""
    asked: set[str] = set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.add(self.path)
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = network.do(lambda: HTTPServer(("127.0.0.1", 4318), Handler))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield asked
    finally:
        server.shutdown()
        server.server_close()


def node_of(process: subprocess.Popen[bytes]) -> psutil.Process:
    """Return the node's own process, the last one under the script and runc."""
    (node,) = (
        it for it in psutil.Process(process.pid).children(recursive=True) if it.uids().real == 10001
    )
    return node


def status_of(pid: int) -> dict[str, str]:
    """Return what the kernel says of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (it.partition(":") for it in lines)}


def listening_beside(process: psutil.Process) -> set[int]:
    """Return the ports on which anybody listens in a process' network, by IPv4 or IPv6."""
    rows = [
        row.split()
        for kind in ("tcp", "tcp6")
        for row in Path(f"/proc/{process.pid}/net/{kind}").read_text().splitlines()[1:]
    ]
    return {int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == "0A"}


def test_the_image_serves_a_chat_with_nothing_but_what_an_orchestrator_gives_it(
    built: str, tmp_path: Path
) -> None:
    network = Network(tmp_path)
    try:
        with collector(network) as exported:
            _serve_a_chat(network, exported)
    finally:
        network.end()
    # Nothing is left behind.
    assert "tertulia-image" not in Path("/proc/self/mountinfo").read_text()
    kept = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tertulia-image"
    assert list((kept / "runc").iterdir()) == []
    assert len(list(kept.iterdir())) == 2, "runc's, and this week's"


def _serve_a_chat(network: Network, exported: set[str]) -> None:
    given = {
        "TERTULIA_REDIS_URL": "redis://127.0.0.1:6379/0",
        "TERTULIA_TRACING": "otlp",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }
    variables = [it for name, value in given.items() for it in ("--env", f"{name}={value}")]
    image = network.start(IMAGE, "run", *variables, name="node")

    def is_ready() -> bool:
        assert image.poll() is None, network.log("node")
        try:
            return network.get(f"{OPS}/readyz")[0] == 200
        except OSError:
            return False

    until_sync(is_ready, 60, lambda: f"the node to be ready:\n{network.log('node')}")
    assert network.get(f"{OPS}/livez") == (200, "ok")

    # What the kernel says of it, whatever the script says.
    node = node_of(image)
    told = status_of(node.pid)
    assert set(told["Uid"].split() + told["Gid"].split()) == {"10001"}
    assert told["Groups"] in ("", "10001")
    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert told[kind] == NOTHING, kind
    assert told["NoNewPrivs"] == "1"
    assert told["Seccomp"] == "2", "a filter"
    root = Path(f"/proc/{node.pid}/root")
    with pytest.raises(OSError, match="Read-only file system"):
        (root / "etc" / "new").touch()
    (root / "tmp" / "new").touch()

    # It listens where its file says, and nowhere else.
    assert listening_beside(node) - {6379, 4318} == {1234, 6789, 8080, 6667, 9464}

    # The image's own look at whether it is well, in a container beside it.
    dockerfile = (DEPLOY / "docker" / "Dockerfile").read_text()
    program, *arguments = json.loads(dockerfile.partition("\n    CMD ")[2].partition("\n")[0])
    check = network.start(IMAGE, "run", "--entrypoint", program, "--", *arguments, name="check")
    assert check.wait(60) == 0, network.log("check")

    # What may use io_uring, and so must not be able to do much else.
    seccomp = DEPLOY / "docker" / "seccomp.json"
    python = ("--entrypoint", "/opt/tertulia/bin/python", "--", "-c", _WITH_RING)
    ring = network.start(IMAGE, "run", "--seccomp", seccomp, *python, name="ring")
    assert ring.wait(60) == 0, network.log("ring")

    # Two people, and the restart of which they are told.
    anna, bert = (Chatter(network, name) for name in ("anna", "bert"))
    anna.say("hello from a container")
    bert.hears("hello from a container")
    until_sync(lambda: "/v1/traces" in exported, 60, "spans")
    image.send_signal(signal.SIGTERM)
    until_sync(lambda: network.get(f"{OPS}/readyz")[0] == 503, 30, "the node to drain")
    assert network.get(f"{OPS}/livez")[0] == 200
    anna.say("still here")
    bert.hears("still here")
    for person in (anna, bert):
        person.hears("restart")
    assert image.wait(90) == 0, network.log("node")
    assert '"code": "stopped"' in network.log("node")


class Chatter:
    """Somebody in the chat, by the dialect chatte."""

    def __init__(self, network: Network, name: str) -> None:
        self._socket = network.do(lambda: socket.create_connection(("127.0.0.1", 1234), 60))
        self._lines = self._socket.makefile("r", encoding="utf-8", newline="\n")
        self._socket.sendall(f"{name}\n".encode())
        self.hears("200 ")

    def say(self, text: str) -> None:
        self._socket.sendall(f"100 {text}\n".encode())

    def hears(self, what: str) -> None:
        """Wait for a line; raises AssertionError where the connection ends before it."""
        heard = ""
        for line in self._lines:
            heard += line
            if what in line:
                return
        raise AssertionError(f"{what!r} did not come: {heard}")


def test_the_caller_gives_it_files_and_variables(built: str, tmp_path: Path) -> None:
    """A variable without its value is the caller's own: a secret is in no command."""
    file = tmp_path / "node.toml"
    file.write_text('lasting_chats = ["library"]\n[[listeners]]\ndialect = "chatte"\n')
    place = "/etc/tertulia/node.toml"
    command: list[str | Path] = [
        IMAGE,
        "run",
        "--env",
        "TERTULIA_NODE_ID",
        "--volume",
        f"{file}:{place}",
    ]
    told = run(
        [*command, "check", "--config", place], environment={"TERTULIA_NODE_ID": "of-the-caller"}
    )
    assert 'lasting_chats = ["library"]' in told
    assert 'node_id = "of-the-caller"' in told
    assert VERSION in run([IMAGE, "run", "--", "--version"])
    for wrong, advice in (
        ("--env", "export it, or write"),
        ("--volume", "write a file that is here"),
    ):
        with pytest.raises(AssertionError, match=advice):
            run([IMAGE, "run", wrong, "NOWHERE"])


@pytest.mark.parametrize("path", ["", "/nowhere"])
def test_who_lacks_something_reads_what_to_install(path: str) -> None:
    command = [sys.executable, str(IMAGE), "build"]
    with pytest.raises(AssertionError, match=r"this needs buildah and .*: apt-get install buildah"):
        run(command, environment={"PATH": path})
