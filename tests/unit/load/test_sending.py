"""Who sends what, when."""

from collections import Counter
from typing import Any

import pytest

from tertulia_load import dialects, texts
from tertulia_load.client import Client, Sockets, State
from tertulia_load.pacing import Pace
from tertulia_load.plan import Plan
from tertulia_load.sending import Sender, Sending
from tertulia_load.targets import Target
from tertulia_load.texts import Token

HERE = Target("chatte", "localhost", "127.0.0.1", 1234)
TAG = b"test0"
NEVER = 10**9


class Written(Client):
    """A client without a socket, which notes what is written."""

    __slots__ = ("written",)

    written: bytes

    def write(self, data: bytes) -> None:
        self.written += data

    def sent(self) -> list[Token]:
        """Return the messages that were written since the last time."""
        data, self.written = self.written, b""
        return texts.find(data)


class Room:
    """Three senders and a fourth client."""

    def __init__(self, **given: Any) -> None:
        plan = Plan(targets=(HERE,), clients=4, senders=3, **given)
        sockets = Sockets()
        self.clients = []
        for id_ in range(4):
            client = Written(id_, HERE, dialects.by_name("chatte", ""), sockets)
            client.begin(f"c-{id_}")
            client.written = b""
            client.state = State.IN
            self.clients.append(client)
        self.senders = {
            id_: Sender(self.clients[id_], self.clients[id_ + 1], plan, TAG) for id_ in range(3)
        }

    def sent(self) -> list[int]:
        """Return how many messages each has sent since the last time."""
        return [len(client.sent()) for client in self.clients]


def test_in_a_closed_loop_so_many_are_under_way_and_no_more() -> None:
    room = Room()
    sending = Sending(room.senders, None, 4, NEVER)
    sending.send(1000)
    assert room.sent() == [4, 4, 4, 0]
    sending.send(1001)
    assert room.sent() == [0, 0, 0, 0]
    sending.landed(1, 3)
    sending.send(1002)
    assert room.sent() == [0, 3, 0, 0]
    assert sending.next_at is None
    assert sending.sent == 15
    sending.landed(77, 1)  # another process' sender


def test_in_an_open_loop_senders_take_turns_whatever_is_under_way() -> None:
    room = Room()
    sending = Sending(room.senders, Pace(1000, 0, 1_000_000), 1, NEVER)
    sending.send(5_500)
    assert [[it.due for it in client.sent()] for client in room.clients] == [
        [0, 3000],
        [1000, 4000],
        [2000, 5000],
        [],
    ]
    assert sending.latest == 5_500
    assert sending.next_at == 6_000
    sending.send(6_100)
    assert room.sent() == [1, 0, 0, 0]


def test_there_is_an_end_to_the_messages() -> None:
    for pace in (None, Pace(1000, 0, 1_000_000)):
        room = Room()
        sending = Sending(room.senders, pace, 100, 20)
        sending.send(500_000)
        assert sum(room.sent()) == 20
        assert sending.is_through
        assert sending.next_at is None
        sending.send(600_000)
        assert sum(room.sent()) == 0


def test_what_the_service_does_not_take_is_held_back() -> None:
    room = Room()
    room.clients[0].out += b"x" * 2_000_000
    room.clients[1].state = State.APART
    sending = Sending(room.senders, Pace(1000, 0, 1_000_000), 1, NEVER)
    sending.send(29_999)
    assert room.sent() == [0, 0, 10, 0]
    assert (sending.held_back, sending.sent) == (20, 10)
    assert sending.public() == {0: 0, 1: 0, 2: 10}


@pytest.mark.parametrize("private", [0.0, 0.3, 1.0])
def test_numbers_count_by_kind_without_a_gap(private: float) -> None:
    room = Room(private=private)
    sending = Sending(room.senders, None, 100, NEVER)
    sending.send(1)
    for sender, client in zip(room.senders.values(), room.clients, strict=False):
        seen: Counter[bool] = Counter()
        whispers = client.written.count(b"102 c-%d \t" % (client.id + 1))
        for token in client.sent():
            assert token.number == seen[token.is_public]
            seen[token.is_public] += 1
        assert whispers == seen[False] == round(100 * private)
        assert (sender.public, sender.private) == ({0: seen[True]}, seen[False])


def test_texts_are_as_long_as_asked_for() -> None:
    room = Room(sizes=(50, 90))
    Sending(room.senders, None, 300, NEVER).send(1)
    sizes = [len(line) - len(b"100 ") for line in room.clients[0].written.splitlines()]
    assert (min(sizes), max(sizes)) == (50, 90)
    assert len(set(sizes)) == 41
