"""What the service manager is told: datagrams to a real socket."""

import asyncio
import os
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.loop_time import leaping
from harness.waiting import until
from tertulia.node.sd_notify import Notifier, Pulse


class Manager:
    """The other end."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self._socket.setblocking(False)

    def told(self) -> list[dict[str, str]]:
        """Return what came since, a datagram each."""
        found: list[dict[str, str]] = []
        while True:
            try:
                data = self._socket.recv(4096).decode()
            except BlockingIOError:
                return found
            found.append(dict(line.split("=", 1) for line in data.split("\n")))

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    abstract = f"@tertulia-test-{secrets.token_hex(8)}"
    # pytest's own folder may be too deep for a socket's name.
    path = Path("/tmp") / f"tertulia-{secrets.token_hex(8)}"
    manager = Manager(abstract if request.param == "abstract" else str(path))
    try:
        yield manager
    finally:
        manager.close()
        path.unlink(missing_ok=True)


def test_states_are_told_as_the_protocol_says(manager: Manager) -> None:
    notifier = Notifier(manager.address)
    notifier.ready("ready; 0 connections")
    notifier.status("redis is away")
    notifier.alive()
    notifier.reloading()
    notifier.stopping("draining")
    ready, status, alive, reloading, stopping = manager.told()
    assert ready == {"READY": "1", "STATUS": "ready; 0 connections"}
    assert status == {"STATUS": "redis is away"}
    assert alive == {"WATCHDOG": "1"}
    assert reloading["RELOADING"] == "1" and int(reloading["MONOTONIC_USEC"]) > 0
    assert stopping == {"STOPPING": "1", "STATUS": "draining"}


def test_the_environment_is_taken_and_kept_from_children(manager: Manager) -> None:
    environment = {
        "NOTIFY_SOCKET": manager.address,
        "WATCHDOG_USEC": "3000000",
        "WATCHDOG_PID": str(os.getpid()),
        "HOME": "/",
    }
    notifier = Notifier.from_environment(environment)
    assert notifier.watchdog_seconds == 3.0
    assert environment == {"HOME": "/"}
    notifier.alive()
    assert manager.told() == [{"WATCHDOG": "1"}]


@pytest.mark.parametrize(
    "other",
    [
        *({"WATCHDOG_USEC": it} for it in ("", "0", "x", "-1", "1" * 400, "1" * 5000, "١")),
        {"WATCHDOG_PID": "1"},
    ],
)
def test_a_watchdog_that_is_not_ours_is_none(manager: Manager, other: dict[str, str]) -> None:
    usual = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "3000000"}
    assert Notifier.from_environment({**usual, **other}).watchdog_seconds is None


@pytest.mark.parametrize("address", ["", "vsock:2:1234", "relative"])
async def test_without_a_manager_nothing_is_done(address: str) -> None:
    notifier = Notifier.from_environment({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1000"})
    assert not notifier.is_heard
    notifier.ready("ready")
    asked: list[int] = []
    Pulse(notifier, asyncio.get_running_loop(), lambda: asked.append(1) or "").stop()  # type: ignore[func-returns-value]
    assert not asked


def test_a_manager_that_is_gone_or_full_harms_nobody(manager: Manager) -> None:
    notifier = Notifier(manager.address)
    for _ in range(5000):
        notifier.alive()  # nobody reads: the socket's buffer is full long before
    manager.close()
    notifier.alive()


async def test_the_watchdog_is_told_in_time_and_a_changed_status_once(manager: Manager) -> None:
    status = ["ready"]
    told: list[dict[str, str]] = []
    with leaping():
        loop = asyncio.get_running_loop()
        began = loop.time()
        pulse = Pulse(Notifier(manager.address, 0.3), loop, lambda: status[0])

        def told_four_times() -> bool:
            told.extend(manager.told())
            if told:
                status[0] = "redis is away"
            return sum("WATCHDOG" in it for it in told) >= 4

        await until(told_four_times, 30, "the watchdog to be told")
        assert loop.time() - began < 0.6
        pulse.stop()
    assert [it["STATUS"] for it in told if "STATUS" in it] == ["ready", "redis is away"]


async def test_a_loop_that_stands_still_tells_nothing(manager: Manager) -> None:
    pulse = Pulse(Notifier(manager.address, 0.06), asyncio.get_running_loop(), lambda: "ready")
    manager.told()
    end = asyncio.get_running_loop().time() + 0.2
    while asyncio.get_running_loop().time() < end:
        pass
    assert manager.told() == []
    pulse.stop()
