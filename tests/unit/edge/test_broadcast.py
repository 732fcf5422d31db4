"""Broadcasts: real sockets, and members as transports are that keep what the kernel does not take."""

import contextlib
import errno
import gc
import socket
import struct
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from tertulia.chat.fanout import Broadcast, OneByOne
from tertulia.domain.disconnects import Disconnect
from tertulia.edge import io_uring as ring_module
from tertulia.edge.broadcast import UringBroadcast
from tertulia.edge.io_uring import IoUring

_SMALL = 4096


class Client:
    """One connection: what the service holds of it, and the far end."""

    def __init__(
        self, listening: socket.socket, *, is_plain: bool = True, small: bool = False
    ) -> None:
        self.far = socket.socket()
        if small:
            self.far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL)
        self.far.connect(listening.getsockname())
        self.far.setblocking(False)
        self.near, _ = listening.accept()
        if small:
            self.near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SMALL)
        self.near.setblocking(False)
        self.broadcast: UringBroadcast | None = None
        self.broken = False
        self.writes = 0
        self._is_plain = is_plain
        self._waiting = bytearray()

    def plain_socket(self) -> int | None:
        return self.near.fileno() if self._is_plain else None

    @property
    def write(self) -> Callable[[bytes], None]:
        return self._write

    def _write(self, data: bytes) -> None:
        self.writes += 1
        self._waiting += data
        if len(self._waiting) == len(data):
            self.flush()

    def flush(self) -> None:
        """Do what a transport does when its socket can be written to."""
        with contextlib.suppress(BlockingIOError):
            try:
                while self._waiting:
                    del self._waiting[: self.near.send(self._waiting)]
            except (BrokenPipeError, ConnectionResetError):
                self.broken = True
                self._waiting.clear()
        if self.broadcast is not None:
            if self._waiting:
                self.broadcast.set_aside(self)
            else:
                self.broadcast.take_back(self)

    def read(self) -> bytes:
        """Return what has come."""
        got = bytearray()
        with contextlib.suppress(BlockingIOError, ConnectionResetError):
            while data := self.far.recv(65536):
                got += data
        return bytes(got)

    def has_ended(self) -> bool:
        with contextlib.suppress(BlockingIOError):
            return self.far.recv(1) == b""
        return False

    def is_flushed(self) -> bool:
        return not self._waiting

    def backlog(self) -> int:
        return len(self._waiting)

    async def is_delivered(self) -> bool:
        return not self._waiting

    def close(self, reason: Disconnect) -> None:
        self.near.close()

    def proceed(self) -> None:
        pass


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@pytest.fixture
def connect(listening: socket.socket) -> Iterator[Callable[..., Client]]:
    clients: list[Client] = []

    def connect(**kind: bool) -> Client:
        clients.append(Client(listening, **kind))
        return clients[-1]

    yield connect
    for client in clients:
        client.near.close()
        client.far.close()


@pytest.fixture
def ring() -> Iterator[IoUring]:
    """One that often comes round, and has to be asked several times for a dozen clients."""
    try:
        ring = IoUring(sockets=20, at_once=4)
    except OSError as error:
        pytest.skip(f"this system has no io_uring, so nodes do not use it: {error}")
    yield ring
    ring.close()


@pytest.fixture(params=["one by one", "ring"])
def broadcast(request: pytest.FixtureRequest) -> Broadcast:
    if request.param == "one by one":
        return OneByOne()
    return UringBroadcast(request.getfixturevalue("ring"))


def test_everybody_reads_the_same_but_for_some(
    broadcast: Broadcast, connect: Callable[..., Client]
) -> None:
    clients = [connect() for _ in range(11)]
    for client in clients:
        broadcast.add(client)
    apart = {clients[0], clients[5], clients[10]}
    for i in range(50):
        broadcast.write(b"%d" % i * i + b" ", apart if i % 3 == 0 else ())
    everything = b"".join(b"%d" % i * i + b" " for i in range(50))
    without = b"".join(b"%d" % i * i + b" " for i in range(50) if i % 3)
    assert [client.read() for client in clients] == [
        without if client in apart else everything for client in clients
    ]


def test_who_has_gone_reads_nothing_more_and_the_others_do(
    broadcast: Broadcast, connect: Callable[..., Client]
) -> None:
    clients = [connect() for _ in range(7)]
    for client in clients:
        broadcast.add(client)
    expected = dict.fromkeys(clients, b"")
    there = list(clients)
    for who in (0, 5, 2, 0, 2, 1, 0):  # the first, the last, one in the middle …
        gone = there.pop(who)
        broadcast.discard(gone)
        broadcast.discard(gone)
        text = f"without {who} ".encode()
        broadcast.write(text, [gone])
        for client in there:
            expected[client] += text
    broadcast.add(clients[3])
    broadcast.write(b"back", ())
    expected[clients[3]] += b"back"
    assert {client: client.read() for client in clients} == expected


@pytest.mark.parametrize("is_plain", [True, False])
def test_what_the_kernel_does_not_take_keeps_its_place(
    broadcast: Broadcast, connect: Callable[..., Client], is_plain: bool
) -> None:
    slow, quick = connect(small=True, is_plain=is_plain), connect()
    for client in (slow, quick):
        broadcast.add(client)
    got, everything, was_full = b"", b"", 0
    for i in range(400):
        text = b"%d " % i * 40
        everything += text
        if i % 7 == 3:
            slow.write(text)  # an answer of its own
            quick.write(text)
        else:
            broadcast.write(text, ())
        was_full += bool(slow.backlog())
        if i % 60 == 59:  # it reads what there is, and its socket can be written to again
            while slow.backlog():
                got += slow.read()
                slow.flush()
    while slow.backlog():
        got += slow.read()
        slow.flush()
    assert 0 < was_full < 400
    assert got + slow.read() == everything
    assert quick.read() == everything


def test_those_with_nothing_waiting_are_sent_to_by_the_ring_alone(
    ring: IoUring, connect: Callable[..., Client]
) -> None:
    broadcast, slow, quick = UringBroadcast(ring), connect(small=True), connect()
    broadcast.add(slow)
    broadcast.add(quick)
    broadcast.write(b"x", ())
    assert (slow.writes, quick.writes) == (0, 0)
    while not slow.backlog():
        broadcast.write(b"x" * 1000, ())
    assert (slow.writes, quick.writes) == (1, 0)
    broadcast.write(b"x", ())
    assert slow.writes == 2
    while slow.backlog():
        slow.read()
        slow.flush()
    broadcast.write(b"x", ())
    assert (slow.writes, quick.writes) == (2, 0)


def test_one_who_comes_with_a_backlog_is_written_to_behind_it(
    ring: IoUring, connect: Callable[..., Client]
) -> None:
    broadcast, slow = UringBroadcast(ring), connect(small=True)
    written = b""
    for i in count():
        if slow.backlog():
            break
        written += b"%d " % i
        slow.write(b"%d " % i)
    broadcast.add(slow)
    broadcast.write(b"end", ())
    got = b""
    while slow.backlog():
        got += slow.read()
        slow.flush()
    assert got + slow.read() == written + b"end"


def test_more_than_the_ring_has_room_for_are_written_to_as_well(
    ring: IoUring, connect: Callable[..., Client]
) -> None:
    broadcast = UringBroadcast(ring)
    clients = [connect() for _ in range(23)]
    for client in clients:
        broadcast.add(client)
    broadcast.write(b"hello", ())
    assert [client.read() for client in clients] == [b"hello"] * 23
    assert [client.writes for client in clients] == [0] * 20 + [1] * 3
    for client in clients[:20]:
        broadcast.discard(client)
    again = connect()
    broadcast.add(again)
    broadcast.write(b"hello", ())
    assert (again.read(), again.writes) == (b"hello", 0)


def test_a_file_number_that_has_gone_to_somebody_else_is_not_written_to(
    ring: IoUring, connect: Callable[..., Client]
) -> None:
    broadcast, old = UringBroadcast(ring), connect()
    broadcast.add(old)
    number = old.near.fileno()
    old.near.close()
    new = connect()
    assert number in (new.near.fileno(), new.far.fileno())
    broadcast.write(b"private", ())
    assert new.read() == b""
    with pytest.raises(BlockingIOError):
        new.near.recv(10)
    assert old.read() == b"private", "whom it was for"
    assert not old.has_ended()
    broadcast.discard(old)
    assert old.has_ended(), "nobody holds it any more"


def test_a_socket_that_is_closed_already_takes_no_room(
    ring: IoUring, connect: Callable[..., Client]
) -> None:
    client = connect()
    gone = client.near.fileno()
    client.near.close()
    assert [ring.hold(gone) for _ in range(30)] == [None] * 30
    assert [ring.hold(connect().near.fileno()) for _ in range(21)] == [*range(20), None]


def test_a_broken_connection_is_left_to_its_transport(
    ring: IoUring, connect: Callable[..., Client]
) -> None:
    broadcast, broken, sound = UringBroadcast(ring), connect(), connect()
    broadcast.add(broken)
    broadcast.add(sound)
    broken.far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    broken.far.close()  # which resets it
    broadcast.write(b"one ", ())
    broadcast.write(b"two ", ())
    assert broken.broken
    assert sound.read() == b"one two "


@pytest.mark.parametrize("taken", [0, 1, 3])
def test_requests_that_the_kernel_does_not_begin_are_written_otherwise(
    ring: IoUring, connect: Callable[..., Client], taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    broadcast = UringBroadcast(ring)
    clients = [connect() for _ in range(6)]
    for client in clients:
        broadcast.add(client)
    real = ring_module._call

    def short_of_memory(number: int, *args: object) -> int:
        if number != ring_module._ENTER:
            return real(number, *args)
        fd, asked, *others = args
        assert isinstance(asked, int)
        if not taken:
            raise OSError(errno.ENOMEM, "as told")
        return real(number, fd, min(asked, taken), 0, *others[1:])

    broadcast.write(b"before ", ())
    with monkeypatch.context() as patch:
        patch.setattr(ring_module, "_call", short_of_memory)
        broadcast.write(b"short ", [clients[1]])
        broadcast.write(b"again ", ())
    broadcast.write(b"after", ())
    texts = [client.read() for client in clients]
    assert texts.pop(1) == b"before again after"
    assert texts == [b"before short again after"] * 5


@pytest.mark.usefixtures("ring")
def test_a_kernel_that_does_not_give_what_is_asked_for_is_an_error() -> None:
    gc.collect()  # so that nothing of other tests is closed meanwhile
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(OSError, match="Invalid argument"):
        IoUring(sockets=1, at_once=1 << 30)
    with pytest.raises(OSError, match="Too many open files"):
        IoUring(sockets=(1 << 20) + 1)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
