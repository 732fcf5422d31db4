"""Further rooms as a dimension of the load: who is in which, and that each has an account of its own."""

import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tertulia_load import dialects, texts
from tertulia_load.client import Client, Sockets, State
from tertulia_load.latency import Latency
from tertulia_load.plan import Plan, PlanError
from tertulia_load.reading import Reading, Tally
from tertulia_load.rooms import take_seats
from tertulia_load.sending import Sender
from tertulia_load.targets import Target
from tertulia_load.texts import Kind

TAG = b"test0"
BROWSER = Target("browser", "host", "127.0.0.1", 1)
CHATTE = Target("chatte", "host", "127.0.0.1", 2)
PROTOCOLLO = Target("protocollo", "host", "127.0.0.1", 3)


def plan(**given: Any) -> Plan:
    given = {"targets": (BROWSER,), "clients": 12, "senders": 12, "rooms": 4, **given}
    return Plan(**given)


@given(st.integers(1, 40), st.integers(1, 12), st.integers(1, 12))
def test_rooms_are_equally_full_and_nobody_is_twice_in_one(
    clients: int, each: int, times: int
) -> None:
    it = plan(clients=clients, senders=0, rooms=each * times, rooms_per_client=each)
    seats = [it.rooms_of(client) for client in range(clients)]
    assert all(len(set(rooms)) == each for rooms in seats)
    full = Counter(room for rooms in seats for room in rooms)
    assert set(full) <= set(range(it.rooms))
    sizes = [full[room] for room in range(it.rooms)]
    assert max(sizes) - min(sizes) <= 1


def test_members_of_a_room_are_everywhere_and_others_in_each() -> None:
    it = plan(targets=(BROWSER,) * 3, clients=60, rooms=30, rooms_per_client=5, processes=2)
    members: dict[int, set[int]] = {}
    for client in range(60):
        for room in it.rooms_of(client):
            members.setdefault(room, set()).add(client)
    for there in members.values():
        assert {client % 2 for client in there} == {0, 1}
        assert {client // 2 % 3 for client in there} == {0, 1, 2}
    mates = [members[room] for room in it.rooms_of(7)]
    assert len({frozenset(it) for it in mates}) == 5


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"rooms_per_client": 0}, "--rooms-per-client is 0"),
        ({"targets": (CHATTE,), "rooms_per_client": 2}, "a client of chatte is in 1 to 1 rooms"),
        (
            {"targets": (Target("nats", "h", "127.0.0.1", 1),)},
            "a client of nats is in no rooms",
        ),
        ({"rooms": 5, "rooms_per_client": 2}, "a multiple of --rooms-per-client"),
        ({"private": 0.5}, "--private is for the lobby"),
        ({"rooms": 10}, "1.2 members of a room are too few for 1 processes"),
    ],
)
def test_what_can_not_be_is_refused(given: dict[str, Any], why: str) -> None:
    with pytest.raises(PlanError, match=why):
        plan(**given).check()


def test_notices_are_those_of_each_room_and_of_the_lobby_where_it_is_shown() -> None:
    assert plan().notices(12) == 12 * 11 // 2 + 4 * 3
    assert plan(targets=(CHATTE,)).notices(12) == 4 * 3
    assert plan(targets=(CHATTE, PROTOCOLLO)).notices(12) == 4 * 3
    assert plan(targets=(CHATTE, BROWSER)).notices(12) is None
    assert plan(rooms=0).notices(12) == 12 * 11 // 2


class Written(Client):
    """A client without a socket, which notes what is written."""

    __slots__ = ("written",)

    written: bytes

    def write(self, data: bytes) -> None:
        self.written += data


class House:
    """Clients of one process in rooms."""

    def __init__(self, **given: Any) -> None:
        self.plan = plan(**given)
        sockets = Sockets()
        self.clients: list[Written] = []
        for id_ in range(self.plan.clients):
            target = self.plan.target(id_)
            client = Written(id_, target, dialects.by_name(target.dialect, "host"), sockets)
            client.is_sender = id_ < self.plan.senders
            client.begin(f"c-{id_}")
            client.written = b""
            client.state = State.IN
            self.clients.append(client)
        take_seats(self.plan, self.clients)
        self.landed: Counter[int] = Counter()
        self.reading = Reading(
            tag=TAG,
            senders=self.plan.senders,
            acknowledge=False,
            clients=self.clients,
            latency=Latency(),
            landed=self._landed,
        )
        self.sent: Counter[int] = Counter()

    def _landed(self, sender: int, count: int) -> None:
        self.landed[sender] += count

    def said(self, sender: int, room: int) -> bytes:
        """Return the next message of a sender in a room, as it is read."""
        voice = texts.voice(sender, room)
        token = texts.token(TAG, Kind.PUBLIC, voice, self.sent[voice], 1000)
        self.sent[voice] += 1
        return texts.text(token, 60)

    def hears(self, client: int, text: bytes) -> None:
        """Let a client read a message."""
        if self.clients[client].dialect.name == "browser":
            payload = text.replace(b"\t", b"\\t")
            data = bytes((0x81, len(payload))) + payload
        else:
            data = text + b"\n"
        self.reading.take(self.clients[client], bytearray(data), len(data), 2000)

    def members(self, room: int) -> list[int]:
        return [client.id for client in self.clients if room in client.seats]

    def tally(self) -> Tally:
        return self.reading.account(self.sent, {})


def faults(tally: Tally) -> dict[str, int]:
    names = ("lost", "doubled", "out_of_order", "stray")
    return {name: count for name in names if (count := getattr(tally, name))}


@given(st.integers(0, 2**32), st.sampled_from([1, 2, 4]), st.booleans())
def test_each_room_has_an_order_of_its_own(seed: int, each: int, mixed: bool) -> None:
    targets = (CHATTE, PROTOCOLLO, BROWSER) if mixed else (BROWSER,)
    house = House(rooms=4, rooms_per_client=1 if mixed else each, targets=targets)
    rng = random.Random(seed)
    queues: dict[tuple[int, int], list[bytes]] = {}
    for _ in range(40):
        sender = rng.randrange(12)
        room = rng.choice(list(house.clients[sender].seats))
        text = house.said(sender, room)
        for member in house.members(room):
            if member != sender or house.clients[member].dialect.echoes:
                queues.setdefault((member, room), []).append(text)
    total = sum(map(len, queues.values()))
    assert house.reading.expected(house.sent, {}) == total
    while queues:  # each reads its rooms' messages in any mixture
        seat = rng.choice(list(queues))
        house.hears(seat[0], queues[seat].pop(0))
        if not queues[seat]:
            del queues[seat]
        if rng.random() < 0.1:
            house.reading.tidy()
    tally = house.tally()
    assert faults(tally) == {}
    assert tally.public == total
    assert house.landed == Counter({s: n for s, n in _by_sender(house.sent).items() if n})
    assert tally.readers == 12


def _by_sender(sent: Counter[int]) -> Counter[int]:
    found: Counter[int] = Counter()
    for voice, count in sent.items():
        found[voice % texts.MAX_CLIENTS] += count
    return found


def test_faults_in_one_room_are_found_there() -> None:
    house = House(clients=4, senders=4, rooms=2, rooms_per_client=2)
    first, second, elsewhere = house.said(0, 0), house.said(1, 0), house.said(0, 1)
    for client in (0, 1, 2):
        for text in (first, second, elsewhere):
            house.hears(client, text)
    for text in (second, first, first):  # swapped, and one twice; nothing of the other room
        house.hears(3, text)
    assert faults(house.tally()) == {"lost": 1, "doubled": 1, "out_of_order": 1}


def test_a_message_of_a_room_in_which_its_reader_is_not_is_a_stray() -> None:
    house = House(clients=4, senders=4, rooms=2)
    text = house.said(0, 0)
    for client in (0, 1, 3):
        house.hears(client, text)
    assert faults(house.tally()) == {"stray": 1}


def test_processes_that_find_another_order_in_a_room_have_another_number() -> None:
    houses = [House(clients=4, senders=4, rooms=2, rooms_per_client=2) for _ in range(2)]
    for house, order in zip(houses, ((0, 1), (1, 0)), strict=True):
        texts_ = [house.said(0, 0), house.said(1, 0)]
        for index in order:
            house.hears(0, texts_[index])
    one, two = (house.reading.orders for house in houses)
    assert one[0].end == two[0].end == 2
    assert one[0].digest() != two[0].digest()
    assert one[1].digest() == two[1].digest()


def test_a_sender_takes_its_rooms_in_turn() -> None:
    house = House(clients=12, rooms=8, rooms_per_client=4)
    client = house.clients[5]
    sender = Sender(client, house.clients[6], house.plan, TAG)
    sender.send(range(8))
    found = texts.find(client.written.replace(b"\\t", b"\t"))
    assert Counter(token.room for token in found) == dict.fromkeys(client.seats, 2)
    assert {token.sender for token in found} == {5}
    assert client.written.count(f'"room":"load-{found[0].room}"'.encode()) == 2
