"""How many deliveries a second a node makes to browsers, against chatte clients, in the same run.

    python tests/speed/browser_fanout.py [--sessions 1000] [--seconds 4] [--rounds 2]

One node, one room of each dialect, ten senders in a closed loop: each has so many messages unanswered
(the window) and sends the next when one is answered. The others only read: a process of its own takes
what comes into one buffer and counts bytes, so that it is not what is measured. The last columns tell
whether it was: a node that is the bottleneck is busy all the time. Where others use the machine as well,
deliveries by the node's own CPU time are the steadier figure.
"""

import argparse
import multiprocessing
import select
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final, cast

import psutil
from websockets.frames import Frame, Opcode

sys.path.insert(0, str(Path(__file__).parents[1]))

from harness import browser_frames as frames
from harness.browser_client import BrowserClient
from harness.chatte_client import ChatteClient
from harness.dialects import launch, listener, port
from harness.node import Node, NodeFactory
from harness.redis_server import running_redis
from harness.waiting import until_sync

SENDERS: Final = 10
WINDOWS: Final = (1, 16)
GOAL: Final = 0.6
WARM_UP_SECONDS: Final = 0.7
SETTLE_SECONDS: Final = 20.0
WITNESSES: Final = 5
"""Readers of which every byte is looked at: each has to have read every message."""
TEXT: Final = "x" * 32
UNLIMITED: Final = {
    "LIMITS__COMMANDS_PER_SECOND": "1000000",
    "LIMITS__COMMANDS_BURST": "1000000",
    "LIMITS__MESSAGES_PER_SECOND": "1000000",
    "LIMITS__MESSAGES_BURST": "1000000",
    "LIMITS__BYTES_PER_SECOND": "1000000000",
    "LIMITS__BYTES_BURST": "1000000000",
}


class Chatte:
    """What is written and counted in chatte."""

    client: type[ChatteClient] = ChatteClient
    answer = b"101 Message sent.\n"
    life = b"101 Message received.\n"
    message = TEXT.encode() + b"\n"

    def entrance(self, nickname: str) -> bytes:
        return nickname.encode() + b"\n"

    def say(self, number: int) -> bytes:
        return f"100 {TEXT}\n".encode()


class Browser:
    """What is written and counted in browser."""

    client: type[ChatteClient] = BrowserClient
    answer = b'{"type":"sent",'
    life = Frame(Opcode.PONG, b"").serialize(mask=True)
    message = b'"text":"%s"}' % TEXT.encode()

    def entrance(self, nickname: str) -> bytes:
        request = (
            "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: c2l4dGVlbiBieXRlcyBvaw==\r\n\r\n"
        )
        return request.encode() + self._text(frames.encode(type="enter", nickname=nickname))

    def say(self, number: int) -> bytes:
        return self._text(frames.encode(type="say", id=number, text=TEXT))

    def _text(self, data: bytes) -> bytes:
        return Frame(Opcode.TEXT, data).serialize(mask=True)


Dialect = Chatte | Browser


@dataclass(slots=True, eq=False)
class Counter:
    """Counts a word in a stream, wherever the stream is cut."""

    word: bytes
    count: int = 0
    _tail: bytes = b""

    def feed(self, data: bytes) -> int:
        """Take what came, and return how often the word was completed in it."""
        data = self._tail + data
        found = data.count(self.word)
        self.count += found
        # What is kept is shorter than the word, so nothing is counted twice.
        self._tail = data[-(len(self.word) - 1) :]
        return found


@dataclass(slots=True, eq=False)
class Sender:
    """One of those who talk: it reads its own copies as everybody does, and the answers."""

    socket: socket.socket
    answers: Counter
    sent: int = 0

    def say(self, dialect: Dialect, count: int) -> None:
        self.socket.sendall(b"".join(dialect.say(self.sent + i + 1) for i in range(count)))
        self.sent += count


@dataclass(slots=True)
class Broadcast:
    """A room full of sessions of one dialect."""

    dialect: Dialect
    readers: multiprocessing.Process
    orders: Connection
    senders: list[Sender] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Measured:
    """What a round gave."""

    deliveries_per_second: float
    deliveries_per_cpu_second: float
    node_busy: float
    readers_busy: float


def connect(dialect: Dialect, port: int, nickname: str) -> socket.socket:
    """Connect and enter, without waiting for an answer."""
    sock = socket.create_connection(("127.0.0.1", port), 10)
    sock.sendall(dialect.entrance(nickname))
    return sock


def read_all(dialect: Dialect, port: int, count: int, orders: Connection) -> None:
    """Be so many readers, until told to stop; answer each order with what was read so far."""
    sockets = {it.fileno(): it for it in (connect(dialect, port, f"r{i}") for i in range(count))}
    poll = select.epoll()
    for number, sock in sockets.items():
        sock.setblocking(False)
        poll.register(number, select.EPOLLIN)
    poll.register(orders.fileno(), select.EPOLLIN)
    witnesses = {it: Counter(dialect.message) for it in list(sockets)[:WITNESSES]}
    receive = {number: sock.recv_into for number, sock in sockets.items()}
    buffer = memoryview(bytearray(1 << 20))
    total = lost = 0
    orders.send(None)
    while True:
        for number, _ in poll.poll():
            if number not in receive:
                if not orders.poll():
                    continue
                order = orders.recv()
                if order == "stop":
                    return
                if order == "live":
                    for sock in sockets.values():
                        sock.send(dialect.life)
                orders.send((total, lost, [it.count for it in witnesses.values()]))
                continue
            try:
                size = receive[number](buffer)
            except OSError:
                size = 0
            total += size
            if not size:
                lost += 1
                poll.unregister(number)
            elif number in witnesses:
                witnesses[number].feed(bytes(buffer[:size]))


@contextmanager
def crowd(dialect: Dialect, node: Node, sessions: int) -> Iterator[Broadcast]:
    """Fill a room."""
    at = port(node, dialect.client, type(dialect).__name__.lower())
    orders, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(
        target=read_all, args=(dialect, at, sessions - SENDERS, theirs), daemon=True
    )
    process.start()
    filled = Broadcast(dialect, process, orders)
    try:
        orders.recv()
        for i in range(SENDERS):
            sock = connect(dialect, at, f"s{i}")
            filled.senders.append(Sender(sock, Counter(dialect.answer)))
        until_sync(lambda: present(node, dialect) == sessions, SETTLE_SECONDS, "all to be in")
        yield filled
    finally:
        for sender in filled.senders:
            sender.socket.close()
        if process.is_alive():
            orders.send("stop")
            process.join(5)
            process.kill()


def present(node: Node, dialect: Dialect) -> int:
    """How many sessions of a dialect the node has."""
    name = 'tertulia_sessions{chat="%s"' % type(dialect).__name__.lower()  # noqa: UP031 - braces
    page = node.get_sync("/metrics").body
    return round(
        sum(float(line.split()[-1]) for line in page.splitlines() if line.startswith(name))
    )


def talk(room: Broadcast, window: int, seconds: float) -> tuple[int, float]:
    """Let the senders talk in a closed loop; return how many messages were answered, in what time."""
    poll = select.epoll()
    by_number = {sender.socket.fileno(): sender for sender in room.senders}
    for number in by_number:
        poll.register(number, select.EPOLLIN)
    for sender in room.senders:
        sender.say(room.dialect, window)
    started, answered = time.perf_counter(), 0
    while (now := time.perf_counter()) < started + WARM_UP_SECONDS + seconds:
        warm = now >= started + WARM_UP_SECONDS
        for number, _ in poll.poll(0.5):
            sender = by_number[number]
            found = sender.answers.feed(sender.socket.recv(1 << 20))
            if found:
                sender.say(room.dialect, found)
                answered += found if warm else 0
    took = time.perf_counter() - started - WARM_UP_SECONDS
    for sender in room.senders:
        while sender.answers.count < sender.sent:
            sender.answers.feed(sender.socket.recv(1 << 20))
    poll.close()
    return answered, took


def measure(room: Broadcast, node: Node, sessions: int, window: int, seconds: float) -> Measured:
    """Talk for a while, and see to it that all was delivered."""
    count_read(room, "live")  # a browser that is silent for two pings is disconnected
    processes = psutil.Process(node.pid), psutil.Process(room.readers.pid)
    before = [sum(it.cpu_times()[:2]) for it in processes]
    started = time.perf_counter()
    sent_before = sum(sender.sent for sender in room.senders)
    answered, took = talk(room, window, seconds)
    wall = time.perf_counter() - started
    busy = [
        (sum(it.cpu_times()[:2]) - was) / wall for it, was in zip(processes, before, strict=True)
    ]
    said = sum(sender.sent for sender in room.senders)
    in_all = said - sent_before
    until_sync(
        lambda: all(it == said for it in count_read(room)),
        SETTLE_SECONDS,
        "everybody to read everything",
    )
    # The node's CPU time is that of warming up as well: so are the messages that it is for.
    return Measured(answered * sessions / took, in_all * sessions / wall / busy[0], *busy)


def count_read(room: Broadcast, order: str = "count") -> list[int]:
    """Return how many messages each witness has read. Raises AssertionError where readers were lost."""
    room.orders.send(order)
    _, lost, counts = cast(tuple[int, int, list[int]], room.orders.recv())
    assert not lost, f"{lost} readers were disconnected"
    return counts


def run(sessions: int, seconds: float, rounds: int) -> dict[int, float]:
    """Measure both dialects in turns, and return the ratio for each window."""
    dialects: Sequence[Dialect] = (Chatte(), Browser())
    with running_redis(fsync="no") as server, tempfile.TemporaryDirectory() as directory:
        factory = NodeFactory(Path(directory), server.url)
        try:
            chats = [listener(it.client, type(it).__name__.lower()) for it in dialects]
            node = launch(factory, chats, **UNLIMITED)
            node.ready_sync()
            with (
                crowd(dialects[0], node, sessions) as one,
                crowd(dialects[1], node, sessions) as two,
            ):
                return compare((one, two), node, sessions, seconds, rounds)
        finally:
            factory.end()


def compare(
    rooms: Sequence[Broadcast], node: Node, sessions: int, seconds: float, rounds: int
) -> dict[int, float]:
    """Measure the rooms in turns, for each window; return the second one's rate by the first one's."""
    ratios: dict[int, float] = {}
    say("window dialect  deliveries/s  by node CPU s  node busy  readers busy")
    for window in WINDOWS:
        rates = [[0.0, 0.0] for _ in rooms]
        for _ in range(rounds):
            for room, rate in zip(rooms, rates, strict=True):
                got = measure(room, node, sessions, window, seconds)
                rate[0] += got.deliveries_per_second
                rate[1] += got.deliveries_per_cpu_second
                say(
                    f"{window:>6} {type(room.dialect).__name__:<7} "
                    f"{got.deliveries_per_second:>13,.0f} {got.deliveries_per_cpu_second:>14,.0f} "
                    f"{got.node_busy:>10.0%} {got.readers_busy:>13.0%}"
                )
        one, two = rates
        ratios[window] = two[0] / one[0]
        say(
            f"{window:>6} ratio   {ratios[window]:>13.2f} {two[1] / one[1]:>14.2f}"
            f"   (goal: at least {GOAL})"
        )
    return ratios


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sessions", type=int, default=1000, help="in each room")
    parser.add_argument("--seconds", type=float, default=4.0, help="of measuring, each time")
    parser.add_argument("--rounds", type=int, default=2, help="for each window and dialect")
    given = parser.parse_args()
    ratios = run(given.sessions, given.seconds, given.rounds)
    return 0 if min(ratios.values()) >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
