"""What is measured: the service as it is deployed, with Redis beside it, and how a server is started here."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

from harness import processes
from harness.node import Listener, Node
from harness.redis_groups import ClusterRedis
from harness.redis_server import RedisServer, free_port, redis_binary
from harness.waiting import until_sync
from speed.bench.cores import Cores, pinned

START_SECONDS: Final = 20.0
_SHIPPED: Final = Path(__file__).parents[3] / "deploy" / "haproxy"
_SBIN: Final = "/usr/sbin:/usr/local/sbin"
_BUILT: Final = Path(__file__).parents[3] / "build" / "tools" / "bin"
_DIALECTS: Final = ("chatte", "protocollo", "browser", "irc")
PAST: Final = 50
"""Messages that newcomers read, in the cases that are about them; with the peers as well."""
WITHOUT_LIMITS: Final = {
    "LIMITS__COMMANDS_PER_SECOND": "1000000",
    "LIMITS__COMMANDS_BURST": "1000000",
    "LIMITS__MESSAGES_PER_SECOND": "1000000",
    "LIMITS__MESSAGES_BURST": "1000000",
    "LIMITS__BYTES_PER_SECOND": "1000000000",
    "LIMITS__BYTES_BURST": "1000000000",
    "LIMITS__CONNECTIONS_PER_ADDRESS": "100000",
    "LIMITS__CONNECTIONS": "100000",
}
"""What one client may do is not what is measured, here as with the peers."""
REDIS_OPTIONS: Final = ("--client-output-buffer-limit", "pubsub", "256mb", "64mb", "60")
"""As in deploy/redis/redis.conf."""

Fsync = Literal["always", "everysec", "no"]


@dataclass(frozen=True, slots=True)
class Running:
    """A server that runs."""

    ports: Mapping[str, Sequence[int]]
    """Where it listens, by the dialect's name in the load tool."""
    processes: Mapping[str, Sequence[int]]
    """The ids of its processes, by what they do."""
    redis: Sequence[RedisServer] = ()


Start = Callable[[Path, Cores], AbstractContextManager[Running]]
"""Runs a server in an empty folder, on cores, as long as the block lasts."""


@dataclass(frozen=True, slots=True)
class Server:
    """One that can be measured."""

    name: str
    start: Start
    missing: Callable[[], str | None] = field(default=lambda: None)
    """Says what is not there, if it can't be measured here."""
    version: Callable[[], str] = field(default=lambda: "")
    processes: int = 1
    """How many processes it has, for their cores."""
    apart: bool = False
    """Whether each of them should have a core of its own, if there are enough."""


def tertulia(
    nodes: int = 1,
    fsync: Fsync = "always",
    *,
    is_balanced: bool = False,
    is_sharded: bool = False,
    is_apart: bool = True,
    io_uring: bool = True,
    past: int | None = None,
) -> Server:
    """Return so many nodes and a Redis, which writes to disk before each answer unless told otherwise.

    Behind the shipped HAProxy, or with clients that connect to the nodes themselves. ``is_sharded``: on a
    Redis Cluster of three masters. ``is_apart``: each on a core of its own, if there are enough. ``past``:
    messages that newcomers of every dialect read, where it is not what is usual there.
    """
    settings = {**WITHOUT_LIMITS, "IO_URING": f"{io_uring}".lower()}
    if past is not None:
        at = {"host": "127.0.0.1", "port": 0, "history": past}
        settings["LISTENERS"] = json.dumps([{"dialect": it, **at} for it in _DIALECTS])
    if is_balanced:
        settings["TRUSTED_PROXIES"] = '["127.0.0.1"]'

    @contextlib.contextmanager
    def start(directory: Path, cores: Cores) -> Iterator[Running]:
        redis: RedisServer | ClusterRedis = (
            ClusterRedis(options=REDIS_OPTIONS)
            if is_sharded
            else RedisServer(fsync=fsync, options=REDIS_OPTIONS)
        )
        servers = redis.servers if isinstance(redis, ClusterRedis) else [redis]
        started: list[Node] = []
        try:
            with pinned(cores.servers[0]):
                redis.start()
            for number in range(nodes):
                with pinned(cores.servers[1 + number]):
                    started.append(_node(directory, redis.url, number, settings))
            for node in started:
                node.ready_sync()
            direct = Running(
                ports={dialect: [node.port(dialect) for node in started] for dialect in _DIALECTS},
                processes={
                    "node": [node.pid for node in started],
                    "redis": [server.pid for server in servers],
                },
                redis=servers,
            )
            with (
                _balanced(direct, started, directory, cores)
                if is_balanced
                else contextlib.nullcontext(direct)
            ) as entered:
                yield entered
        finally:
            for node in started:
                node.end()
            redis.close()

    return Server(
        name="tertulia",
        start=start,
        missing=missing_program("haproxy", "apt-get install haproxy")
        if is_balanced
        else lambda: None,
        version=_versions,
        processes=1 + nodes + is_balanced,
        apart=nodes > 1 and is_apart,
    )


@contextlib.contextmanager
def _balanced(
    direct: Running, nodes: Sequence[Node], directory: Path, cores: Cores
) -> Iterator[Running]:
    haproxy = program("haproxy")
    assert haproxy, "it was looked for before"
    ports = {dialect: free_port() for dialect in (*_DIALECTS, "device", "stats")}
    where = {f"BIND_{dialect.upper()}": f"127.0.0.1:{port}" for dialect, port in ports.items()}
    for number, node in enumerate(nodes, 1):
        of_node = {dialect: node.port(dialect) for dialect in _DIALECTS}
        of_node |= {"device": 1, "ops": node.ops_port}  # nobody listens for devices
        for use, port in of_node.items():
            where[f"NODE{number}_{use.upper()}"] = f"127.0.0.1:{port}"
    file = directory / "haproxy.cfg"
    file.write_text(
        subprocess.run(
            [_SHIPPED / "with-nodes", str(len(nodes))], capture_output=True, text=True, check=True
        ).stdout
    )
    its_cores = replace(cores, servers=cores.servers[-1:])
    command = [haproxy, "-db", "-f", str(file)]
    with running(command, directory, its_cores, ports["chatte"], where) as process:
        yield replace(
            direct,
            ports={dialect: [ports[dialect]] for dialect in _DIALECTS},
            processes={**direct.processes, "haproxy": [process.pid]},
        )


def _node(directory: Path, redis_url: str, number: int, settings: dict[str, str]) -> Node:
    return Node(
        directory / f"node-{number}",
        redis_url=redis_url,
        node_id=f"bench-{number}",
        listeners=tuple(map(Listener, _DIALECTS)),
        settings=settings,
    )


def _versions() -> str:
    here = said_by([sys.executable, "-c", "from tertulia.cli import main; main()", "--version"])
    python = ".".join(map(str, sys.version_info[:3]))
    return f"{here}, Python {python}, {said_by([redis_binary(), '--version'])}"


def said_by(command: Sequence[str]) -> str:
    """Return the first line that a program prints."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    return (done.stdout or done.stderr).strip().partition("\n")[0]


def missing_program(name: str, how: str) -> Callable[[], str | None]:
    """Return what says whether a program is not there, and how to get it."""
    return lambda: None if program(name) else f"no {name} here: {how}"


def program(name: str) -> str | None:
    """Return where a program is: one that we built, as the system's is older, or else the system's."""
    return shutil.which(name, path=_BUILT) or shutil.which(name) or shutil.which(name, path=_SBIN)


def missing_compiler() -> str | None:
    """Say that no C compiler is here, and how to get one."""
    return None if shutil.which("gcc") else "no gcc here: apt-get install gcc libc6-dev"


@contextlib.contextmanager
def running(
    command: Sequence[str],
    directory: Path,
    cores: Cores,
    port: int,
    environment: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program that listens on a port, as long as the block lasts."""
    log = directory / "log"
    given = {**os.environ, **(environment or {})}
    with log.open("ab") as output, pinned(cores.servers[0]):
        process = processes.start(command, output=output, directory=directory, environment=given)

    def listens() -> bool:
        if process.poll() is not None:
            raise AssertionError(f"{command[0]} ended with {process.returncode}:\n{_tail(log)}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        return False

    try:
        until_sync(listens, START_SECONDS, lambda: f"{command[0]} to listen\n{_tail(log)}")
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-20:])
