"""Clients are sent away at a pace, each once what it sent is answered."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

from fakes.encoder import PlainEncoder
from fakes.house import Client as Neighbour
from fakes.house import House
from harness.cases import each
from harness.waiting import elapse, until
from tertulia.chat.door import Door
from tertulia.dialects.contract import Encoder
from tertulia.dialects.protocollo import ProtocolloEncoder
from tertulia.domain.disconnects import Disconnect
from tertulia.edge import tcp
from tertulia.edge.draining import AT_ONCE, DrainSchedule, send_away
from tertulia.edge.limits import ConnectionCounts
from tertulia.edge.serving import Connections, Listener, OpenConnection, Patience
from tertulia.settings.sections import LimitSettings

RESTARTS = "G> il server si riavvia: rientrate tra poco"
LONG = 60.0
"""Within which all has to happen, on however slow a machine."""


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
    await until(lambda: len(log) == 20, LONG, "all to be read no more", every=0)
    assert not any("closed" in line for line in log)
    for client in made:
        client.is_quiet = True
    await asyncio.wait_for(going, LONG)
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
    await until(lambda: log, LONG, "the first to go", every=0)
    assert len(log) == 2, "one of a hundred, read no more and closed"
    hurry.set()
    await asyncio.wait_for(going, LONG)
    assert len(log) == 200


async def test_who_does_not_fall_quiet_is_waited_for_by_whoever_called() -> None:
    log: list[str] = []
    connections, made = clients(log, 2)
    made[1].is_quiet = False
    going = asyncio.create_task(send_away(connections, AT_ONCE, asyncio.Event()))
    await until(lambda: "0 closed" in log, 30, "the quiet one to go", every=0)
    await elapse(0.05)
    assert "1 closed" not in log and not going.done()
    made[1].is_quiet = True
    await asyncio.wait_for(going, 30)
    assert "1 closed" in log


async def test_who_was_let_in_at_the_last_moment_is_sent_away_like_the_others() -> None:
    log: list[str] = []
    connections, made = clients(log, 1, quiet=False)
    going = asyncio.create_task(send_away(connections, AT_ONCE, asyncio.Event()))
    await until(lambda: log, LONG, "the first one's turn", every=0)
    late = Client(log, "late", quiet=False)
    connections.add(late)
    made[0].is_quiet = True
    await until(lambda: log[-1] == "late unread", LONG, "the late one's turn", every=0)
    assert not going.done()
    late.is_quiet = True
    await asyncio.wait_for(going, LONG)
    assert log == ["0 unread", "0 closed", "late unread", "late closed"]


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


class Entering:
    """A client of a real socket in a room whose store does what it does when it is told to."""

    def __init__(self, encoder: Encoder, limits: LimitSettings) -> None:
        loop = asyncio.get_running_loop()
        self.house = House()
        self.room = self.house.room()
        self.neighbour = Neighbour(self.house, self.room, PlainEncoder())
        self.neighbour.enter("bruno")
        self.neighbour.read()
        self.connections = Connections()
        shared: Any = (
            Door(self.room, encoder), "protocollo", None,
            Patience(60.0, False, Disconnect.ENTER_TIMEOUT), limits, ConnectionCounts(9, 9),
            self.house.metrics, loop, self.connections, None, False,
        )  # fmt: skip
        self._listener = Listener(*shared)

    async def connect(self) -> None:
        ours, self.socket = socket.socketpair()
        self.socket.settimeout(LONG)
        await asyncio.get_running_loop().connect_accepted_socket(
            lambda: tcp.connect(self._listener), ours
        )

    async def turns(self) -> None:
        """Let so many turns of the loop pass that all is read which would ever be."""
        for _ in range(20):
            await asyncio.sleep(0)

    def send_away(self) -> "asyncio.Task[None]":
        """Have everybody sent away at once."""
        return asyncio.create_task(send_away(self.connections, AT_ONCE, asyncio.Event()))

    async def until_gone(self, going: "asyncio.Task[None]") -> None:
        """Wait until all are sent away, while the store goes on."""

        def are_gone() -> bool:
            self.house.clock.run()
            return going.done()

        await until(are_gone, LONG, "all to go", every=0)
        await going

    def read(self) -> list[str]:
        data = bytearray()
        while piece := self.socket.recv(65_536):
            data += piece
        return data.decode("latin-1").splitlines()


@each("wording", ["page", "classic"])
async def test_what_who_was_just_welcomed_has_said_is_read_though_its_join_is_not_settled(
    wording: Any,
) -> None:
    """The bus has brought the join, and until Redis' own answer is here as well, nothing more is read."""
    place = Entering(ProtocolloEncoder(wording), LimitSettings())
    settled, late = place.room.settled, list[Any]()
    await place.connect()
    place.room.settled = late.append  # type: ignore[method-assign,assignment]
    place.socket.sendall(b"anna\n")
    await place.turns()
    place.house.clock.run()
    await place.turns()
    assert place.socket.recv(100).startswith(b"Utenti collegati: bruno"), "it is welcomed"
    place.socket.sendall(b"null\n\nG\nlast words\n")
    going = place.send_away()
    await place.turns()
    place.room.settled = settled  # type: ignore[method-assign]
    settled(late.pop())
    await place.until_gone(going)
    assert "said anna last words" in place.neighbour.read()
    assert place.read()[-1] == ("close" if wording == "classic" else RESTARTS)


@each(
    "limits",
    [
        LimitSettings(uncommitted_commands=1),
        LimitSettings(messages_per_second=0.001, messages_burst=1),
    ],
)
async def test_what_a_client_said_that_was_not_read_for_a_while_is_read(
    limits: LimitSettings,
) -> None:
    place = Entering(ProtocolloEncoder(), limits)
    await place.connect()
    place.socket.sendall(b"anna\n")
    await place.turns()
    place.house.clock.run()
    place.socket.sendall(b"G\none\nG\ntwo\nG\nthree\n")
    await place.turns()
    (connection,) = place.connections
    assert not connection.pump.reading  # type: ignore[attr-defined]
    place.socket.sendall(b"G\nlast words\n")
    going = place.send_away()
    await place.turns()
    await place.until_gone(going)
    said = [line for line in place.neighbour.read() if line.startswith("said")]
    assert said == [f"said anna {text}" for text in ("one", "two", "three", "last words")]
    assert place.read()[-1] == RESTARTS


async def test_who_never_stops_talking_is_not_read_for_ever() -> None:
    """What comes after its turn may stay unread: nobody was told that it was taken."""
    place = Entering(ProtocolloEncoder(), LimitSettings(uncommitted_commands=1))
    await place.connect()
    place.socket.sendall(b"anna\n")
    await place.turns()
    place.house.clock.run()
    place.socket.sendall(b"G\none\nG\ntwo\n")
    await place.turns()
    going = place.send_away()
    place.socket.setblocking(False)

    def talks_on() -> bool:
        with contextlib.suppress(BlockingIOError):
            place.socket.send(b"G\nmore\n")
        place.house.clock.run()
        return going.done()

    await until(talks_on, LONG, "it to go", every=0)
    await going
