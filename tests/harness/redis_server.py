"""A real Redis of the test's own: started, stopped, killed, frozen and emptied at will."""

import contextlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, cast

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from harness import engines, processes
from harness.waiting import until_sync

START_SECONDS = 60.0
ONCE = Retry(NoBackoff(), 0)
"""No second try behind a test's back."""
_MOST_GIVEN = 400
_given: deque[socket.socket] = deque()
"""What holds the ports that were last given as free."""


class RedisServer:
    """One redis-server process with a folder of its own, which outlives the process.

    Listens on a free port of 127.0.0.1, or on a Unix socket. Restarted, it has the same data and
    the same address.
    """

    def __init__(
        self,
        *,
        unix: bool = False,
        fsync: Literal["always", "everysec", "no"] = "always",
        options: tuple[str, ...] = (),
        program: str = "",
    ) -> None:
        """Prepare one. ``program``: another server than the one that tests run on."""
        # Not pytest's folder: a Unix socket's path may have no more than 107 bytes.
        self.directory = Path(tempfile.mkdtemp(prefix="tertulia-redis-"))
        self.socket = self.directory / "redis.sock" if unix else None
        # Kept while it lives, also while its process does not: nobody else's server is there then.
        self._reserved = [] if unix else [reserved_port()]
        self.port = 0 if unix else int(self._reserved[0].getsockname()[1])
        self._fsync = fsync
        self.engine = engines.engine(program or redis_binary())
        self.options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._control: redis.Redis | None = None
        self._is_frozen = False

    @property
    def url(self) -> str:
        """Where it is, as the service's setting wants it."""
        return f"unix://{self.socket}" if self.socket else f"redis://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The running process. Raises AssertionError where none runs."""
        assert self._process is not None, "this Redis is not running"
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process runs, frozen or not."""
        return self._process is not None and self._process.poll() is None

    @property
    def answers(self) -> bool:
        """Whether the process runs, and is not frozen."""
        return self.running and not self._is_frozen

    @property
    def control(self) -> redis.Redis:
        """A client for the test itself, told apart from the nodes' connections by its name."""
        if self._control is None:
            self._control = self._client("harness", timeout=30.0)
        return self._control

    def do(self, *command: str | int) -> Any:
        """Have a command done that the library has no method for."""
        return self.control.execute_command(*command)

    def start(self) -> Self:
        """Start the process and wait until it answers."""
        assert not self.running, "this Redis is running already"
        self._is_frozen = False
        address = ["--port", str(self.port), "--bind", "127.0.0.1"]
        if self.socket:
            address = ["--port", "0", "--unixsocket", str(self.socket)]
        with (self.directory / "redis.log").open("ab") as log:
            self._process = processes.start(
                [
                    self.engine.program,
                    *address,
                    *("--dir", str(self.directory)),
                    *("--appendonly", "yes", "--appendfsync", self._fsync, "--save", ""),
                    *("--daemonize", "no", "--protected-mode", "no"),
                    *self.options,
                ],
                output=log,
            )
        try:
            until_sync(self._answers, START_SECONDS, lambda: f"Redis to start:\n{self.log()}")
        except AssertionError:
            self.kill()
            raise
        return self

    def stop(self) -> None:
        """End the process in order; what it holds is on disk."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the process at once, as a crash or the machine's death would."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop where it runs, and start on the same data."""
        if self.running:
            self.stop()
        self.start()

    def freeze(self) -> None:
        """Stop it in its tracks: connections stay open and nothing answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        self._is_frozen = True

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)
        self._is_frozen = False

    def empty(self) -> None:
        """Throw away what is on disk. Only while it does not run."""
        assert not self.running, "stop this Redis before you empty it"
        shutil.rmtree(self.directory / "appendonlydir", ignore_errors=True)
        for file in self.directory.glob("*.[ar][od][fb]"):  # .aof, .rdb
            file.unlink()

    def reserves(self, port: int) -> bool:
        """Keep one more port for it until it is closed; return whether that was free."""
        if (reserved := _bound(port)) is None:
            return False
        self._reserved.append(reserved)
        return True

    def close(self) -> None:
        """End the process if it runs, and remove its folder."""
        if self.running:
            self.kill()
        self._forget_control()
        for reserved in self._reserved:
            reserved.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def connections(self) -> list["Connection"]:
        """Return the connections of others, the oldest first."""
        own = self.control.client_id()
        listed = cast(list[dict[str, Any]], self.control.client_list())
        return [
            Connection(
                id=int(client["id"]),
                address=client["addr"],
                name=client["name"],
                channels=sum(int(client.get(kind, 0)) for kind in ("sub", "psub", "ssub")),
                command=client["cmd"],
            )
            for client in listed
            if int(client["id"]) != own
        ]

    def cut(self, connection: "Connection") -> None:
        """Close a connection from the server's side; it may be gone already."""
        with contextlib.suppress(redis.ResponseError):
            self.control.client_kill_filter(_id=str(connection.id))

    def log(self, most: int = 20) -> str:
        """Return the last lines of its own log."""
        lines = (self.directory / "redis.log").read_text(errors="replace").splitlines()
        return "\n".join(lines[-most:])

    def _end(self, how: signal.Signals) -> None:
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(how)
            if how is signal.SIGKILL:
                self._process.wait(30)
            else:
                try:
                    self._process.wait(30)
                except subprocess.TimeoutExpired:
                    self._process.kill()
                    self._process.wait(30)
                    raise
        self._forget_control()

    def _forget_control(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(f"Redis ended with {self._process.returncode}:\n{self.log()}")
        try:
            with contextlib.closing(self._client("harness-start", timeout=1.0)) as client:
                return bool(client.ping())
        except redis.RedisError:  # not listening yet, or still loading
            return False

    def _client(self, name: str, *, timeout: float) -> redis.Redis:
        return redis.Redis.from_url(
            self.url,
            client_name=name,
            decode_responses=True,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            retry=ONCE,
            driver_info=None,
        )


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection as Redis lists it."""

    id: int
    address: str
    name: str
    channels: int
    """How many channels it subscribes to."""
    command: str
    """What it last asked for."""

    @property
    def is_bus(self) -> bool:
        """Whether it is a subscriber's; all others carry commands."""
        return self.channels > 0


@contextlib.contextmanager
def running_redis(**options: Any) -> Iterator[RedisServer]:
    """Run a Redis as long as the block lasts."""
    server = RedisServer(**options)
    try:
        yield server.start()
    finally:
        server.close()


def redis_binary() -> str:
    """Return the path of the server that tests run on."""
    return engines.at_hand()[0].program


def free_port() -> int:
    """Return a port that nobody listens on, and that nobody else is given until many more were asked for.

    So it is still free when whoever it is for has started, however long that takes.
    """
    if len(_given) == _MOST_GIVEN:
        _given.popleft().close()
    _given.append(reserved_port())
    return int(_given[-1].getsockname()[1])


def reserved_port() -> socket.socket:
    """Return a socket with a port that nobody else is given as free until it is closed.

    As it does not listen, whoever says that it reuses addresses can: asyncio does, and so do nodes and most
    servers of others. It is below the range from which the system takes outgoing ports: a node that calls a
    server which is down, again and again, could be given the port it calls, and so be connected to itself.
    """
    for port in random.sample(range(20_000, 30_000), 200):
        if (reserved := _bound(port)) is not None:
            return reserved
    raise RuntimeError("no free port between 20000 and 30000")


def _bound(port: int) -> socket.socket | None:
    reserved = socket.socket()
    try:
        reserved.bind(("127.0.0.1", port))
    except OSError:
        reserved.close()
        return None
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return reserved
