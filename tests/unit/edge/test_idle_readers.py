"""Clients that only acknowledge are read less often, and nothing that they say is lost or late by much."""

import asyncio
import fcntl
import os
import socket
import termios
from collections.abc import AsyncIterator

import pytest
from prometheus_client import CollectorRegistry

from harness.cases import each
from harness.waiting import until
from tertulia.chat.receipts import Receipts
from tertulia.domain.disconnects import Disconnect
from tertulia.edge import idle_readers, tcp
from tertulia.edge.binding import bind
from tertulia.edge.connection import Connection
from tertulia.edge.draining import AT_ONCE, send_away
from tertulia.edge.idle_readers import IdleReaders
from tertulia.edge.limits import ConnectionCounts
from tertulia.edge.serving import Connections, Listener, Patience
from tertulia.settings.sections import LimitSettings
from tertulia.telemetry.metrics import Limit, Metrics

WITHIN = 60.0
ACKNOWLEDGEMENT = b"101 Message received.\n"
ENDING_IN_CRLF = b"101 Message received.\r\n"

each_end = pytest.mark.parametrize("line", [ACKNOWLEDGEMENT, ENDING_IN_CRLF])


class Lines:
    """A decoder that gives lines."""

    def __init__(self) -> None:
        self._bytes = b""

    @property
    def buffered(self) -> int:
        return len(self._bytes)

    def feed(self, data: bytes) -> None:
        self._bytes += data

    def next_command(self) -> bytes | None:
        line, end, rest = self._bytes.partition(b"\n")
        if not end:
            return None
        self._bytes = rest
        return line


class Session:
    """A session that is in the room from the start."""

    takes_commands = True
    awaiting = 0
    is_active = True
    is_held = False
    is_in_hurry = False
    awaits_end = False

    def __init__(self, outbox: Connection) -> None:
        self.outbox = outbox
        self.decoder = Lines()
        self.receipts = Receipts(acknowledges_all=True)

    @property
    def acknowledged(self) -> int:
        return self.receipts.acknowledged


class Chat:
    """Whoever serves the sessions: it notes what they say."""

    def __init__(self) -> None:
        self.session: Session
        self.said: list[bytes] = []
        self.ends: list[Disconnect] = []

    def connect(self, outbox: Connection, address: str, port: int) -> Session:
        self.session = Session(outbox)
        return self.session

    def command(self, session: Session, command: bytes) -> None:
        self.said.append(command)

    def lost(self, session: Session, reason: Disconnect) -> None:
        self.ends.append(reason)
        session.outbox.close(reason)

    def ended(self, session: Session) -> bool:
        return False

    def slowed(self, session: Session) -> None:
        pass

    def lags(self, session: Session) -> None:
        pass

    def caught_up(self, session: Session) -> None:
        pass


class Service:
    """A listener, and one client of it."""

    def __init__(self, limits: LimitSettings) -> None:
        loop = asyncio.get_running_loop()
        self.chat = Chat()
        self.idle_readers = IdleReaders(loop)
        self.connections = Connections()
        self.metrics = Metrics(
            CollectorRegistry(), dialects=["chatte"], chats=["main"], version="x"
        )
        self.listener = Listener(
            self.chat, "chatte", ACKNOWLEDGEMENT, Patience(600.0, False, Disconnect.ENTER_TIMEOUT),
            limits, ConnectionCounts(10, 10), self.metrics, loop, self.connections, self.idle_readers,
            has_ring=False,
        )  # fmt: skip

    async def start(self) -> None:
        listening = bind("127.0.0.1", 0)
        self._server = await tcp.serve(self.listener, listening)
        self.client = socket.create_connection(listening.getsockname())
        await until(lambda: list(self.connections), WITHIN, "the client")

    async def stop(self) -> None:
        self.client.close()
        self._server.close()
        for connection in self.connections:
            connection.abort()
        await asyncio.wait_for(self.connections.wait_for_none(), WITHIN)
        assert len(self.idle_readers) == 0
        self.idle_readers.close()

    @property
    def times_paused(self) -> int:
        return sum(int(self.metrics.reads_paused(it)._value.get()) for it in Limit)

    async def send(self, data: bytes) -> None:
        self.client.sendall(data)

    def has_read(self) -> bool:
        """Say whether nothing that was sent is left to be read."""
        left = bytearray(4)
        fd = self.chat.session.outbox.plain_socket()
        assert fd is not None
        fcntl.ioctl(fd, termios.FIONREAD, left)
        return not any(left)

    async def acknowledge(self, count: int, line: bytes = ACKNOWLEDGEMENT) -> None:
        """Acknowledge one by one, each read before the next."""
        for _ in range(count):
            before = self.chat.session.acknowledged
            self.client.sendall(line)
            await until(
                lambda before=before: self.chat.session.acknowledged > before,  # type: ignore[misc]
                WITHIN, "an acknowledgement", every=0,
            )  # fmt: skip

    async def bring_to_rest(self, line: bytes = ACKNOWLEDGEMENT) -> None:
        await self.send(b"first\n")
        await until(lambda: self.chat.said == [b"first"], WITHIN, "the first words")
        await self.acknowledge(100, line)
        assert len(self.idle_readers) == 1


@pytest.fixture(autouse=True)
def _silent_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "SILENT_SECONDS", 0.0)


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    service = Service(LimitSettings())
    await service.start()
    yield service
    await service.stop()


@each_end
async def test_who_only_acknowledges_comes_to_rest_and_every_one_is_counted(
    service: Service, line: bytes
) -> None:
    await service.bring_to_rest(line)
    await service.send(line * 1000)
    await until(lambda: service.chat.session.acknowledged == 1100, WITHIN, "all of them")
    assert len(service.idle_readers) == 1
    assert service.chat.said == [b"first"]


@each_end
async def test_many_acknowledgements_at_once_do_not_end_the_rest(
    service: Service, monkeypatch: pytest.MonkeyPatch, line: bytes
) -> None:
    await service.bring_to_rest(line)
    monkeypatch.setattr(tcp, "_READS_UNTIL_REST", 1_000_000)  # so that it would not come back
    await service.send(line * 1000)
    await until(lambda: service.chat.session.acknowledged == 1100, WITHIN, "all of them")
    assert len(service.idle_readers) == 1


async def test_who_ends_lines_now_so_now_so_acknowledges_as_well(service: Service) -> None:
    await service.bring_to_rest()
    mixed = (ACKNOWLEDGEMENT + ENDING_IN_CRLF * 2) * 100
    await service.send(mixed)
    await until(lambda: service.chat.session.acknowledged == 400, WITHIN, "all of them")
    await service.send(b"x\n" + mixed)
    await until(lambda: service.chat.said[-1:] != [b"first"], WITHIN, "the words")
    assert service.chat.said[:2] == [b"first", b"x"]


async def test_who_talks_now_and_then_does_not_rest(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tcp, "SILENT_SECONDS", 60.0)
    await service.send(b"first\n")
    await until(lambda: service.chat.said == [b"first"], WITHIN, "the first words")
    await service.acknowledge(200)
    assert len(service.idle_readers) == 0


async def test_who_says_something_is_heard_whole_and_in_order(service: Service) -> None:
    await service.bring_to_rest()
    await service.send(ACKNOWLEDGEMENT * 2 + b"se")
    await until(lambda: len(service.idle_readers) == 0, WITHIN, "the end of the rest")
    await service.send(b"cond\n" + ACKNOWLEDGEMENT + b"x" * 1000 + b"\n")
    await until(lambda: len(service.chat.said) == 4, WITHIN, "all lines")
    # Behind something else acknowledgements are commands like others.
    assert service.chat.said == [b"first", b"second", ACKNOWLEDGEMENT.rstrip(), b"x" * 1000]
    assert service.chat.session.acknowledged == 102
    await service.acknowledge(100)
    assert len(service.idle_readers) == 1


@each("line", [ACKNOWLEDGEMENT, ENDING_IN_CRLF])
@each("split", range(1, 2 * len(ENDING_IN_CRLF) + 6))
@pytest.mark.slow
async def test_acknowledgements_before_other_words_are_counted(line: bytes, split: int) -> None:
    """Wherever a read ends, none of them is a command."""
    service = Service(LimitSettings())
    await service.start()
    await service.send(b"first\n")
    await until(lambda: service.chat.said == [b"first"], WITHIN, "the first words", every=0)
    data = line * 2 + b"then\n"
    await service.send(data[:split])
    # Which is one read, so that the rest is another: nothing tells when half a line was read.
    await until(service.has_read, WITHIN, "the first part", every=0)
    await service.send(data[split:])
    await until(lambda: service.chat.said[-1] == b"then", WITHIN, "the last words", every=0)
    assert service.chat.session.acknowledged == 2
    assert service.chat.said == [b"first", b"then"]
    await service.stop()


@each_end
async def test_acknowledgements_that_come_byte_by_byte_are_no_commands(
    monkeypatch: pytest.MonkeyPatch, line: bytes
) -> None:
    """They cost nothing, so what is said behind them does not wait."""
    monkeypatch.setattr(tcp, "SILENT_SECONDS", 60.0)  # it is read as it comes
    service = Service(LimitSettings(commands_per_second=0.001, commands_burst=3))
    await service.start()
    await service.send(b"first\n")
    await until(lambda: service.chat.said == [b"first"], WITHIN, "the first words")
    connection = service.chat.session.outbox
    for byte in line * 3 + line[:-1]:
        connection.data_received(bytes([byte]))
        connection.proceed()  # as when something was answered meanwhile
    assert service.chat.session.acknowledged == 3
    connection.data_received(line[-1:] + line * 2 + b"second\n" + b"101 something else\n")
    assert service.chat.session.acknowledged == 6
    assert service.chat.said == [b"first", b"second", b"101 something else"]
    assert service.times_paused == 0
    await service.stop()


@pytest.mark.parametrize("said", [b"1\n", b"10\n", b"101\n", b"101 Message received.x\n", b"\n"])
async def test_what_only_begins_like_one_is_read_whole(
    service: Service, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr(tcp, "SILENT_SECONDS", 60.0)
    await service.send(b"first\n")
    await until(lambda: service.chat.said == [b"first"], WITHIN, "the first words")
    connection = service.chat.session.outbox
    for byte in ACKNOWLEDGEMENT + said:
        connection.data_received(bytes([byte]))
    assert service.chat.said == [b"first", said.removesuffix(b"\n")]
    connection.data_received(ACKNOWLEDGEMENT[:7])
    connection.data_received(ACKNOWLEDGEMENT)  # one line of both
    assert service.chat.said[2:] == [b"101 Mes101 Message received."]
    assert service.chat.session.acknowledged == 1


async def test_half_an_acknowledgement_at_the_end_is_nothing(service: Service) -> None:
    await service.bring_to_rest()
    await service.send(ACKNOWLEDGEMENT[:9])
    service.client.shutdown(socket.SHUT_WR)
    await until(lambda: service.chat.ends, WITHIN, "the end")
    assert service.chat.ends[0] is Disconnect.GONE
    assert service.chat.said == [b"first"]


@pytest.mark.parametrize("last", [b"", b"last\n"])
async def test_who_leaves_is_noticed(service: Service, last: bytes) -> None:
    await service.bring_to_rest()
    await service.send(last)
    service.client.shutdown(socket.SHUT_WR)
    await until(lambda: service.chat.ends, WITHIN, "the end")
    assert service.chat.ends[0] is Disconnect.GONE
    assert service.chat.said[1:] == [line for line in last.split(b"\n") if line]


async def test_who_resets_the_connection_is_noticed(service: Service) -> None:
    await service.bring_to_rest()
    service.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    service.client.close()
    await until(lambda: bool(service.chat.ends), WITHIN, "the end")
    assert service.chat.ends[0] is Disconnect.BROKEN


async def test_what_who_is_at_rest_has_said_when_its_node_goes_is_read(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await service.bring_to_rest()
    monkeypatch.setattr(idle_readers, "_PAUSE_FACTOR", 1e9)
    monkeypatch.setattr(idle_readers, "_LONGEST_PAUSE", 60.0)
    await service.acknowledge(1)  # those at rest were looked at just now
    await service.send(ACKNOWLEDGEMENT + b"last words\n")
    await send_away(service.connections, AT_ONCE, asyncio.Event())
    assert service.chat.ends == [Disconnect.DRAINED]
    assert service.chat.said == [b"first", b"last words"]


async def test_who_is_sent_away_while_at_rest_reads_its_last_words(service: Service) -> None:
    await service.bring_to_rest()
    service.chat.session.outbox.write(b"farewell\n")
    await service.send(
        ACKNOWLEDGEMENT
    )  # nobody reads this: the connection must not be reset for it
    service.chat.session.outbox.close(Disconnect.LEFT)
    assert len(service.idle_readers) == 0
    service.client.settimeout(WITHIN)
    received = await asyncio.to_thread(lambda: service.client.recv(100) + service.client.recv(100))
    assert received == b"farewell\n"


async def test_who_does_not_read_is_not_read_either(service: Service) -> None:
    await service.bring_to_rest()
    service.chat.session.outbox.write(b"x" * 50_000_000)
    assert len(service.idle_readers) == 0
    await service.send(ACKNOWLEDGEMENT * 10)
    await service.send(b"after\n")
    assert service.chat.session.acknowledged == 100
    service.client.settimeout(WITHIN)

    def read() -> None:
        left = 50_000_000
        while left:
            left -= len(service.client.recv(1 << 20))

    await asyncio.to_thread(read)
    await until(lambda: service.chat.said[-1] == b"after", WITHIN, "what was said meanwhile")


async def test_a_draining_node_reads_nobody_at_rest(service: Service) -> None:
    await service.bring_to_rest()
    service.chat.session.outbox.stop_reading()
    assert len(service.idle_readers) == 0


async def test_a_flood_of_acknowledgements_is_slowed_down() -> None:
    service = Service(LimitSettings(bytes_per_second=1000, bytes_burst=10_000))
    await service.start()
    await service.bring_to_rest()
    await service.send(ACKNOWLEDGEMENT * 20_000)
    await until(lambda: service.times_paused >= 1, WITHIN, "the brake")
    assert len(service.idle_readers) == 0
    assert service.chat.session.acknowledged < 20_000
    await service.stop()


@pytest.mark.slow
async def test_words_at_the_end_of_a_flood_wait_until_it_is_paid_for() -> None:
    service = Service(LimitSettings(bytes_per_second=20_000, bytes_burst=10_000))
    await service.start()
    await service.bring_to_rest()
    await service.send(ACKNOWLEDGEMENT * 3900)
    await until(lambda: service.chat.session.acknowledged == 4000, WITHIN, "most of the flood")
    await service.send(ACKNOWLEDGEMENT * 500 + b"then\n")  # lone ones are not charged for
    await until(lambda: service.times_paused >= 1, WITHIN, "the brake")
    assert not service.chat.session.outbox.transport.is_reading()
    assert service.chat.said == [b"first"]
    await until(lambda: service.chat.said == [b"first", b"then"], WITHIN, "the words")
    assert service.chat.session.acknowledged == 4500
    await until(service.chat.session.outbox.transport.is_reading, WITHIN, "it to be read again")
    await service.stop()


async def test_a_number_that_belongs_to_another_socket_now_is_left_alone() -> None:
    """The system gives a closed socket's number away before its owner hears of the end."""
    resting = IdleReaders(asyncio.get_running_loop())
    heard: list[bytes] = []

    def old(data: bytes) -> None:
        raise AssertionError

    def new(data: bytes) -> None:
        heard.append(data)

    first, far = socket.socketpair()
    number = first.fileno()
    resting.add(number, old, 1)
    second, other_far = socket.socketpair()
    os.dup2(second.fileno(), number)
    resting.add(number, new, 1)
    resting.discard(number, old)
    other_far.sendall(b"for the new one")
    await until(lambda: heard, WITHIN, "what came")
    assert heard == [b"for the new one"]
    resting.discard(number, new)
    assert len(resting) == 0
    resting.close()
    for it in (first, far, second, other_far):
        it.close()


async def test_many_are_read_in_turns() -> None:
    resting = IdleReaders(asyncio.get_running_loop())
    pairs = [socket.socketpair() for _ in range(1200)]
    heard: dict[int, bytes] = {}
    for i, (near, far) in enumerate(pairs):
        resting.add(near.fileno(), lambda data, i=i: heard.update({i: data}), 9)  # type: ignore[misc]
        far.sendall(b"x")
    await until(lambda: len(heard) == len(pairs), WITHIN, lambda: f"all: {len(heard)}")
    resting.close()
    for pair in pairs:
        for end in pair:
            end.close()


async def test_one_who_fails_to_hear_keeps_nobody_else_from_it() -> None:
    loop = asyncio.get_running_loop()
    failed: list[object] = []
    loop.set_exception_handler(lambda _, context: failed.append(context["exception"]))
    readers = IdleReaders(loop)
    heard: list[bytes] = []

    def fail(data: bytes) -> None:
        raise ValueError

    pairs = [socket.socketpair() for _ in range(3)]
    for (_, here), hear in zip(pairs, (heard.append, fail, heard.append), strict=True):
        readers.add(here.fileno(), hear, 1)
    for count in (1, 2):
        for there, _ in pairs:
            there.sendall(b"x" * count)
        await until(lambda: sum(map(len, heard)) == 2 * count * (count + 1) // 2, WITHIN, "both")  # noqa: B023
    await until(lambda: failed, WITHIN, "the failure")
    readers.close()
    for each_side in pairs:
        for end in each_side:
            end.close()
