"""A node under a service manager, as systemd's units have it: what it is told, over a real socket."""

import itertools
import secrets
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from harness.node import NodeFactory
from harness.redis_server import RedisServer
from harness.waiting import until

pytestmark = pytest.mark.slow

WATCHDOG_SECONDS = 1.5


class Manager:
    """Listens as systemd does."""

    def __init__(self) -> None:
        name = f"tertulia-test-{secrets.token_hex(8)}"
        self.address = f"@{name}"
        self.told: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{name}")
        self._socket.setblocking(False)

    def listen(self) -> list[str]:
        """Take what came, and return all lines so far."""
        while True:
            try:
                self.told += self._socket.recv(4096).decode().split("\n")
            except BlockingIOError:
                return self.told

    def heard(self, line: str) -> int:
        return sum(line in it for it in self.listen())

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    manager = Manager()
    monkeypatch.setenv("NOTIFY_SOCKET", manager.address)
    monkeypatch.setenv("WATCHDOG_USEC", str(round(WATCHDOG_SECONDS * 1e6)))
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    try:
        yield manager
    finally:
        manager.close()


async def test_the_manager_hears_of_a_node_from_start_to_end(
    manager: Manager, node_factory: NodeFactory, redis_server: RedisServer
) -> None:
    redis_server.stop()
    node = node_factory.launch()
    await until(lambda: node.ops_port, 60, "the node to start")
    assert not manager.heard("READY=1"), "without Redis it does not serve"
    redis_server.start()
    await node.ready()
    await until(lambda: manager.heard("READY=1"), 30, "the node to say that it serves")
    with socket.create_connection(("127.0.0.1", node.port()), timeout=30):
        pass  # and then it listens
    heard: list[float] = []

    def lives() -> bool:
        heard.extend([time.monotonic()] * (manager.heard("WATCHDOG=1") - len(heard)))
        return len(heard) >= 4

    await until(lives, 60, "signs of life")
    # Once it has to be in time: the machine may stand still.
    assert min(two - one for one, two in itertools.pairwise(heard)) < WATCHDOG_SECONDS

    node.process.send_signal(signal.SIGHUP)
    await until(lambda: manager.heard("RELOADING=1"), 30, "the node to take new certificates")
    await until(lambda: manager.heard("READY=1") == 2, 30, "the node to have taken them")

    node.freeze()
    before = manager.heard("WATCHDOG=1")
    await until_quiet(manager, before)
    node.thaw()
    await until(lambda: manager.heard("WATCHDOG=1") > before, 30, "signs of life again")

    redis_server.stop()
    await until(lambda: manager.heard("STATUS=redis is away"), 30, "what the matter is")
    assert node.running
    redis_server.start()
    await node.becomes_ready(30)
    node.terminate()
    assert await node.exit_status(30) == 0
    assert manager.heard("STOPPING=1") == 1
    assert manager.heard("STATUS=draining")  # again where its pulse came meanwhile
    assert manager.heard("READY=1") == 2


async def until_quiet(manager: Manager, before: int) -> None:
    """A frozen loop tells nothing for a whole watchdog time, so that the manager would end it."""
    with pytest.raises(AssertionError, match="not within"):
        await until(lambda: manager.heard("WATCHDOG=1") > before, WATCHDOG_SECONDS, "nothing")


async def test_the_embedded_redis_does_not_speak_for_the_node(
    manager: Manager, tmp_path: Path
) -> None:
    alone = NodeFactory(tmp_path, None)
    try:
        node = await alone.start()
        children = psutil.Process(node.pid).children()
        assert children
        assert not any("NOTIFY_SOCKET" in child.environ() for child in children)
        node.terminate()
        assert await node.exit_status(30) == 0
    finally:
        alone.end()
