"""One client: its socket, and what has been read from it."""

import contextlib
import errno
import os
import select
import socket
from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import Final, Protocol

from tertulia.clients.dialects.contract import Dialect, Handshake
from tertulia_load.sequences import Sequences
from tertulia_load.targets import Target

_READ: Final = select.EPOLLIN
_READ_AND_WRITE: Final = select.EPOLLIN | select.EPOLLOUT
# From <linux/in.h>: the kernel chooses the port when it knows whereto, so that many may share one.
_BIND_ADDRESS_NO_PORT: Final = 24

Known = dict[tuple[int, int], tuple[bytes, int]]
"""What readers have read and had checked: by place in the order and length, the bytes and how many
messages they are."""
NOTHING_KNOWN: Final[Known] = {}
"""Of readers that read something of their own. It stays empty."""


class State(Enum):
    """How far a connection has come."""

    APART = auto()
    CONNECTING = auto()
    ENTERING = auto()
    IN = auto()


class Sockets:
    """The sockets of a process, and whose they are."""

    def __init__(self) -> None:
        self.poll = select.epoll()
        self.owners: dict[int, Client] = {}

    def add(self, sock: socket.socket, owner: "Client") -> None:
        """Wait for a new socket to be connected."""
        self.poll.register(sock, _READ_AND_WRITE)
        self.owners[sock.fileno()] = owner

    def watch(self, sock: socket.socket, *, writing: bool) -> None:
        """Wait until there is something to read, or until the kernel takes something to write."""
        self.poll.modify(sock, _READ_AND_WRITE if writing else _READ)

    def discard(self, sock: socket.socket) -> None:
        """Close a socket."""
        del self.owners[sock.fileno()]
        sock.close()  # and so the kernel waits for it no more


class Reader(Protocol):
    """Who reads what is said in one room: a client in the lobby, or its seat in a further room."""

    at: int
    """The place in the order up to which it has read."""
    in_step: bool
    """Whether all that it read was as in the order. If not, ``public`` is its own account."""
    known: Known
    public: Sequences
    last_place: int
    """Out of step, the highest place of a message that was read."""
    fell_at: int
    """Out of step, the place at which it fell out, and in ``since`` what it has read from there."""
    since: list[bytes]
    is_ordered: bool
    """Whether the order of messages from different senders is verified."""
    watches: int
    """The sender whose messages here are under way until this one reads them; -1: nobody."""

    @property
    def id(self) -> int: ...
    @property
    def dialect(self) -> Dialect: ...
    @property
    def is_sender(self) -> bool: ...
    @property
    def state(self) -> State: ...


class Client:
    """One nickname, and the connection that it has, if any."""

    __slots__ = (
        "_sockets",
        "at",
        "carry",
        "dialect",
        "entering",
        "fell_at",
        "id",
        "in_step",
        "is_ordered",
        "is_sender",
        "known",
        "last_place",
        "nickname",
        "out",
        "private",
        "public",
        "recv_into",
        "rooms",
        "seats",
        "since",
        "sock",
        "state",
        "target",
        "tries",
        "watches",
    )

    def __init__(self, id_: int, target: Target, dialect: Dialect, sockets: Sockets) -> None:
        self.id = id_
        self.target = target
        self.dialect = dialect
        self._sockets = sockets
        self.state = State.APART
        self.is_sender = False
        self.watches = -1
        self.rooms: Sequence[str] = ()
        """The names of the further rooms that it goes into."""
        self.seats: Mapping[int, Reader] = {0: self}
        """What it reads, by the rooms' numbers."""
        self.begin("")

    def begin(self, nickname: str) -> None:
        """Forget everything of an earlier connection; the next will have that nickname."""
        self.nickname = nickname
        self.tries = 0
        self.carry = b""
        """The beginning of a line or frame whose end has not come."""
        self.out = bytearray()
        """What the kernel did not take yet."""
        # What has been read: see Reader, reading.py and agreement.py.
        self.at = 0
        self.in_step = True
        self.known: Known = NOTHING_KNOWN
        self.public = Sequences()
        self.private = Sequences()
        self.last_place = -1
        self.fell_at = 0
        self.since: list[bytes] = []
        self.is_ordered = True

    def connect(self) -> None:
        """Begin to connect. Raises OSError where that fails at once."""
        self.entering: Handshake = self.dialect.entering(self.nickname, self.rooms)
        sock = socket.socket(self.target.family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if source := self.target.source(self.id):
                sock.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
                sock.bind((source, 0))
            problem = sock.connect_ex((self.target.address, self.target.port))
            if problem not in (0, errno.EINPROGRESS):
                raise OSError(problem, os.strerror(problem))
            self._sockets.add(sock, self)
        except OSError:
            sock.close()
            raise
        self.sock = sock
        self.recv_into = sock.recv_into
        self.state = State.CONNECTING

    def connected(self) -> None:
        """Note that the connection is made. Raises OSError where it was not."""
        problem = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if problem:
            raise OSError(problem, os.strerror(problem))
        self.state = State.ENTERING
        self._sockets.watch(self.sock, writing=False)
        self.write(self.entering.feed(b""))

    def write(self, data: bytes) -> None:
        """Write, or keep what the kernel does not take."""
        if self.out or not data:
            self.out += data
            return
        try:
            count = self.sock.send(data)
        except BlockingIOError:
            count = 0
        except OSError:
            return  # reading will tell
        if count < len(data):
            self.out += data[count:]
            self._sockets.watch(self.sock, writing=True)

    def flush(self) -> None:
        """Write what was kept, now that the kernel takes something again."""
        with contextlib.suppress(OSError):  # not now, or never again: reading will tell
            del self.out[: self.sock.send(self.out)]
        if not self.out:
            self._sockets.watch(self.sock, writing=False)

    def drop(self) -> None:
        """Close the connection, if there is one."""
        if self.state is State.APART:
            return
        self.state = State.APART
        self._sockets.discard(self.sock)
