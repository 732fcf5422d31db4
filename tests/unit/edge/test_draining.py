"""Clients are sent away at a pace, each once what it sent is answered."""

import asyncio
import socket
from collections.abc import Iterator

import pytest

from harness.waiting import until
from tertulia.edge.draining import AT_ONCE, DrainSchedule, send_away
from tertulia.edge.serving import Connections, OpenConnection


class Client:
    """A connection that becomes quiet when it is told to, or at once."""

    def __init__(self, log: list[str], name: str, *, quiet: bool = True) -> None:
        self.is_quiet = quiet
        self._log = log
        self._name = name

    def stop_reading(self) -> None:
        self._log.append(f"{self._name} unread")

    def close_unless_closing(self) -> None:
        assert self.is_quiet
        self._log.append(f"{self._name} closed")

    def abort(self) -> None:
        raise AssertionError("nobody is cut off")


class InOrder(Connections):
    """Connections that are told of in the order in which they came."""

    def __init__(self) -> None:
        super().__init__()
        self._came: list[OpenConnection] = []

    def __iter__(self) -> Iterator[OpenConnection]:
        return iter(self._came)

    def add(self, connection: OpenConnection) -> None:
        super().add(connection)
        self._came.append(connection)


def clients(log: list[str], count: int, *, quiet: bool = True) -> tuple[Connections, list[Client]]:
    connections = InOrder()
    made = [Client(log, str(number), quiet=quiet) for number in range(count)]
    for client in made:
        connections.add(client)
    return connections, made


def test_clients_go_evenly_within_the_set_time() -> None:
    spread = DrainSchedule(10.0, 5.0)
    assert [spread.due(1000, elapsed) for elapsed in (0.0, 1.0, 5.0)] == [1, 101, 501]
    assert spread.due(1000, 10.0) == 1000


def test_few_clients_do_not_take_the_whole_time() -> None:
    spread = DrainSchedule(60.0, 100.0)
    assert spread.due(50, 0.25) == 26
    assert spread.due(50, 0.5) == 50


def test_without_a_time_all_go_at_once() -> None:
    assert AT_ONCE.due(7, 0.0) == 7
    assert DrainSchedule(0.0, 1.0).due(0, 0.0) == 0


async def test_each_is_closed_once_after_its_last_words() -> None:
    log: list[str] = []
    connections, made = clients(log, 20, quiet=False)
    going = asyncio.create_task(send_away(connections, AT_ONCE, asyncio.Event()))
    await until(lambda: len(log) == 20, 10, "all to be read no more", every=0)
    assert not any("closed" in line for line in log)
    for client in made:
        client.is_quiet = True
    await asyncio.wait_for(going, 10)
    assert sorted(log) == sorted(f"{n} {what}" for n in range(20) for what in ("unread", "closed"))


async def test_the_order_is_not_that_of_their_coming() -> None:
    log: list[str] = []
    connections, _ = clients(log, 200)
    await send_away(connections, AT_ONCE, asyncio.Event())
    closed = [int(line.split()[0]) for line in log if line.endswith("closed")]
    assert sorted(closed) == list(range(200)) != closed


async def test_a_hurry_ends_the_spreading() -> None:
    log: list[str] = []
    connections, _ = clients(log, 100)
    hurry = asyncio.Event()
    going = asyncio.create_task(send_away(connections, DrainSchedule(3600.0, 0.001), hurry))
    await until(lambda: log, 10, "the first to go", every=0)
    assert len(log) == 2, "one of a hundred, read no more and closed"
    hurry.set()
    await asyncio.wait_for(going, 10)
    assert len(log) == 200


async def test_who_does_not_fall_quiet_is_waited_for_by_whoever_called() -> None:
    log: list[str] = []
    connections, made = clients(log, 2)
    made[1].is_quiet = False
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(send_away(connections, AT_ONCE, asyncio.Event()), 0.05)
    assert "0 closed" in log and "1 closed" not in log


async def test_what_the_system_has_of_a_client_is_read_first() -> None:
    """The signal to shut down and a client's last words may come to the loop in one turn."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    loop, log = asyncio.get_running_loop(), list[str]()
    loop.add_reader(ours, lambda: log.append(ours.recv(100).decode()))
    connections, _ = clients(log, 1)
    with ours, theirs:
        theirs.sendall(b"last words")
        await send_away(connections, AT_ONCE, asyncio.Event())
        loop.remove_reader(ours)
    assert log == ["last words", "0 unread", "0 closed"]
