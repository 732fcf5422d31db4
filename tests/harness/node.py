"""A node of the service as a process of its own: its log, its ports and its signals."""

import asyncio
import collections
import json
import os
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from harness import forking, processes
from harness.waiting import until, until_sync

READY_SECONDS = 60.0
START_SECONDS = 2.0
"""Within which a node that starts alone has Redis."""
LEASE_SECONDS = 10.0
"""How long a node's lease holds, and how long a node must have had Redis to bury another."""
QUICK = {"CLUSTER__LEASE_SECONDS": "4"}
"""Settings for tests in which a node is to be buried, and not how long that takes by default."""
TALKATIVE = {"LIMITS__MESSAGES_PER_SECOND": "1000000", "LIMITS__MESSAGES_BURST": "1000000"}
"""Settings of every node here, unless a test sets its own: a client of a test says what many people say."""
NOBODY_AWAY = {"CLUSTER__AWAY_SECONDS": "0"}
"""Of every node here, unless a test sets it: a browser that is gone leaves at once."""
OPS_SECONDS = 30.0
KEPT_LINES = 2000


@dataclass(frozen=True, slots=True)
class Listener:
    """What a node should listen on: a free port of 127.0.0.1 for a dialect and a chat."""

    dialect: str = "chatte"
    chat: str = "main"


@dataclass(frozen=True, slots=True)
class Page:
    """An answer of the operator's HTTP. Status 0: nobody answered."""

    status: int
    body: str
    content_type: str = ""

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of the metrics page."""

    name: str
    labels: dict[str, str]
    value: float


class Node:
    """One process. It is started at once, and is to be ended by ``end``."""

    def __init__(
        self,
        directory: Path,
        *,
        redis_url: str | None,
        node_id: str,
        listeners: tuple[Listener, ...] = (Listener(),),
        settings: dict[str, str] | None = None,
        files: int | None = None,
        version: Path | None = None,
        in_earnest: bool = False,
    ) -> None:
        """Start a node; ``settings`` are further environment variables, without ``TERTULIA_``.

        ``files``: how many it may have open. ``version``: the folder that has the package of another version.
        ``in_earnest``: whether it starts by itself, and a hash of a password takes as long as it does.
        """
        self.node_id = node_id
        self.lease_seconds = float((settings or {}).get("CLUSTER__LEASE_SECONDS", LEASE_SECONDS))
        self._lines: collections.deque[str] = collections.deque(maxlen=KEPT_LINES)
        self.ports: dict[tuple[str, str], int] = {}
        """Dialect and chat to port."""
        self.ops_port = 0
        self.urls: list[str] = []
        """Where it says that a browser finds it, operators' first."""
        self.started_at = time.monotonic()
        self._ready = threading.Event()
        directory.mkdir(parents=True, exist_ok=True)
        environment = {k: v for k, v in os.environ.items() if not k.startswith("TERTULIA_")}
        environment |= {
            "TERTULIA_DATA_DIR": str(directory / "data"),
            "TERTULIA_LISTENERS": json.dumps(
                [
                    {"dialect": it.dialect, "host": "127.0.0.1", "port": 0, "chat": it.chat}
                    for it in listeners
                ]
            ),
            "TERTULIA_OPS": json.dumps({"host": "127.0.0.1", "port": 0}),
            "TERTULIA_NODE_ID": node_id,
            # All people of a test come from one network.
            "TERTULIA_ACCOUNTS__SIGN_UPS_PER_HOUR": "1000000",
        }
        if redis_url is not None:
            environment["TERTULIA_REDIS_URL"] = redis_url
        if version is not None:
            environment["PYTHONPATH"] = str(version)
        # An older version does not start with a setting that it does not know.
        known = TALKATIVE if version is not None else TALKATIVE | NOBODY_AWAY
        settings = known | (settings or {})
        environment |= {f"TERTULIA_{name}": value for name, value in settings.items()}
        by_itself = in_earnest or version is not None
        forked = None if by_itself else forking.node(environment, directory, files)
        self.process = forked or processes.start(
            [*processes.TERTULIA, "serve"],
            output=subprocess.PIPE,
            environment=environment,
            directory=directory,
            files=files,
        )
        self._reader = threading.Thread(
            target=self._read_log, name=f"log of {node_id}", daemon=True
        )
        self._reader.start()

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def lines(self) -> list[str]:
        """What it logged up to now, raw, the last of it; without the lines that tell its ports."""
        return list(self._lines)  # which a thread goes on with

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    @property
    def uptime(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started_at

    def port(self, dialect: str = "chatte", chat: str = "main") -> int:
        """Return the port on which it listens. Raises AssertionError where it does not."""
        assert (dialect, chat) in self.ports, f"{self.node_id} does not listen: {self.ports}"
        return self.ports[dialect, chat]

    async def ready(self, within: float = READY_SECONDS) -> None:
        """Wait until the log says that the node is ready."""
        await until(self._is_ready, within, lambda: f"{self.node_id} to be ready\n{self.tail()}")

    def ready_sync(self, within: float = READY_SECONDS) -> None:
        """Do as ``ready`` does, where there is no event loop."""
        until_sync(self._is_ready, within, lambda: f"{self.node_id} to be ready\n{self.tail()}")

    def kill(self) -> float:
        """End it at once, as a crash would, and return when that was."""
        at = time.monotonic()
        self.process.kill()
        self.process.wait(30)
        return at

    def freeze(self) -> float:
        """Stop it in its tracks, and return when that was: its sockets stay open."""
        at = time.monotonic()
        self.process.send_signal(signal.SIGSTOP)
        return at

    def thaw(self) -> None:
        """Let it go on, as if nothing had been."""
        self.process.send_signal(signal.SIGCONT)

    def terminate(self) -> None:
        """Ask it to stop in order."""
        self.process.send_signal(signal.SIGTERM)

    async def drains(self) -> None:
        """Wait until the log says that it has begun to stop, however soon it is through with that."""
        await until(
            lambda: any('"draining"' in line for line in self.lines),
            READY_SECONDS,
            lambda: f"{self.node_id} to drain\n{self.tail()}",
        )

    async def hears(self, order: str) -> None:
        """Wait until it has heard of an operator's order, by its id: whoever gave it knows of Redis only."""
        await until(
            lambda: any(order in line for line in self.lines),
            READY_SECONDS,
            lambda: f"{self.node_id} to hear of {order}\n{self.tail()}",
        )

    async def exit_status(self, within: float) -> int:
        """Wait until it has ended, and its log is read; return its status, negative for a signal."""
        await until(
            lambda: not self.running, within, lambda: f"{self.node_id} to end\n{self.tail()}"
        )
        await asyncio.to_thread(self._reader.join, 30)
        return self.process.wait(30)

    def end(self) -> None:
        """End it whatever it does, and wait for its log."""
        if self.running:
            self.process.kill()
        self.process.wait(30)
        self._reader.join(30)

    async def get(self, path: str) -> Page:
        """Ask the operator's HTTP."""
        return await asyncio.to_thread(self.get_sync, path)

    def get_sync(self, path: str) -> Page:
        """Do as ``get`` does, where there is no event loop."""
        url = f"http://127.0.0.1:{self.ops_port}{path}"
        try:
            with urllib.request.urlopen(url, timeout=OPS_SECONDS) as answer:
                return Page(answer.status, answer.read().decode(), answer.headers["Content-Type"])
        except urllib.error.HTTPError as error:
            with error:
                return Page(error.code, error.read().decode(), error.headers["Content-Type"])
        except OSError as error:
            return Page(0, str(error))

    async def readyz(self) -> Page:
        """Ask whether it wants newcomers."""
        return await self.get("/readyz")

    async def becomes_ready(self, within: float) -> Page:
        """Wait until it wants newcomers."""
        return await self._readiness(200, within)

    async def becomes_unready(self, within: float) -> Page:
        """Wait until it says that it wants none, and return how it says so."""
        return await self._readiness(503, within)

    async def metrics(self) -> list[Sample]:
        """Return every value of the metrics page."""
        page = await self.get("/metrics")
        assert page.status == 200, page
        return samples(page.body)

    async def disconnects(self, reason: str) -> float:
        """Return how many connections ended for a reason, by the metrics page."""
        return sum(
            sample.value
            for sample in await self.metrics()
            if "disconnect" in sample.name
            and not sample.name.endswith("_created")
            and reason in sample.labels.values()
        )

    def tail(self, most: int = 25) -> str:
        """Return the last lines of its log."""
        return "\n".join(self.lines[-most:])

    async def _readiness(self, status: int, within: float) -> Page:
        page = Page(0, "")

        async def asked() -> bool:
            nonlocal page
            page = await self.readyz()
            return page.status == status

        await until(
            asked,
            within,
            lambda: f"{self.node_id}'s /readyz to be {status}: {page}\n{self.tail()}",
            every=0.05,
        )
        return page

    def _is_ready(self) -> bool:
        if self._ready.is_set():
            return True
        if not self.running:
            self._reader.join(30)
            raise AssertionError(
                f"{self.node_id} ended with {self.process.returncode} instead of becoming ready\n"
                f"{self.tail()}"
            )
        return False

    def _read_log(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as log:
            for raw in log:
                line = raw.decode(errors="replace").rstrip("\n")
                if self._ready.is_set() or not self._note(line):
                    self._lines.append(line)

    def _note(self, line: str) -> bool:
        """Take in what a starting node says of its ports; return whether that is all it says."""
        try:
            entry = json.loads(line)
        except ValueError:
            return False
        if isinstance(entry, dict) and entry.get("url") and entry.get("event") == "listening":
            self.urls.append(entry["url"])
        match entry:
            case {"event": "listening", "dialect": "ops", "port": int(port)}:
                self.ops_port = port
            case {"event": "listening", "dialect": str(dialect), "port": int(port)}:
                self.ports[dialect, entry.get("chat", "main")] = port
            case {"event": "ready"}:
                self._ready.set()
                return False
            case _:
                return False
        return True


def samples(page: str) -> list[Sample]:
    """Parse a metrics page. Raises ValueError where it is none."""
    return [
        Sample(sample.name, dict(sample.labels), sample.value)
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    ]


class NodeFactory:
    """Starts nodes on one Redis, and ends them all."""

    def __init__(self, directory: Path, redis_url: str | None) -> None:
        self._directory = directory
        self._redis_url = redis_url
        self.nodes: list[Node] = []

    def launch(
        self,
        *,
        listeners: tuple[Listener, ...] = (Listener(),),
        settings: dict[str, str] | None = None,
        redis_url: str | None = None,
        files: int | None = None,
        version: Path | None = None,
        in_earnest: bool = False,
    ) -> Node:
        """Start a node and don't wait for it; ``redis_url`` is another way to the same Redis.

        ``files``: how many files it may have open. ``version``: the folder of another version's package.
        ``in_earnest``: whether it starts by itself, and a hash of a password takes as long as it does.
        """
        name = f"node-{len(self.nodes) + 1}"
        node = Node(
            self._directory / name,
            redis_url=redis_url or self._redis_url,
            node_id=name,
            listeners=listeners,
            settings=settings,
            files=files,
            version=version,
            in_earnest=in_earnest,
        )
        self.nodes.append(node)
        return node

    async def start(self, **settings: str) -> Node:
        """Start a node, with further settings (``LIMITS__ENTER_SECONDS="1"``), and wait for it."""
        return (await self.start_many(1, **settings))[0]

    async def start_many(self, count: int, **settings: str) -> list[Node]:
        """Start several alike nodes at once and wait for all."""
        nodes = [self.launch(settings=settings) for _ in range(count)]
        for node in nodes:
            await node.ready()
        return nodes

    async def seasoned(self) -> None:
        """Wait until every node has had Redis for a whole lease time, and so may bury others."""
        at = max(node.started_at + node.lease_seconds for node in self.nodes) + START_SECONDS
        await until(
            lambda: time.monotonic() > at, at - time.monotonic() + 5, "a lease time to pass"
        )

    def end(self) -> None:
        """End every node, each by its own process id."""
        for node in self.nodes:
            node.end()

    def report(self) -> list[tuple[str, str]]:
        """Return (title, last log lines) of every node, for a test that failed."""
        return [(f"log of {node.node_id}, pid {node.pid}", node.tail()) for node in self.nodes]
