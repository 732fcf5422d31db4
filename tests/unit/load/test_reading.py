"""Reading: whoever reads what, in whatever pieces, the account is exact."""

import random
from collections import Counter
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tertulia_load import dialects, texts
from tertulia_load.client import Client, Sockets, State
from tertulia_load.latency import Latency
from tertulia_load.reading import Reading, Tally
from tertulia_load.targets import Target
from tertulia_load.texts import Kind

TAG = b"test0"
SENDERS = 3
KINDS = (("chatte", 6), ("protocollo", 5), ("browser", 3))
"""Dialects, and how many clients speak each: in turn, so that all have senders and others."""

Message = tuple[int, int]
"""Sender and number."""


class Written(Client):
    """A client without a socket, which notes what is written."""

    __slots__ = ("written",)

    written: bytes

    def write(self, data: bytes) -> None:
        self.written += data


class Room:
    """Clients of one process in a round."""

    def __init__(
        self, names: Sequence[str], *, senders: int = SENDERS, acknowledge: bool = False
    ) -> None:
        sockets = Sockets()
        self.clients: list[Written] = []
        for id_, name in enumerate(names):
            target = Target(name, "host", "127.0.0.1", 1)
            client = Written(id_, target, dialects.by_name(name, "host"), sockets)
            client.begin(f"c-{id_}")
            client.written = b""
            client.state = State.IN
            client.is_sender = id_ < senders
            client.watches = id_ - 1 if 0 < id_ <= senders else -1
            self.clients.append(client)
        self.landed: Counter[int] = Counter()
        self.reading = Reading(
            tag=TAG,
            senders=senders,
            acknowledge=acknowledge,
            clients=self.clients,
            latency=Latency(),
            landed=self._landed,
        )

    def _landed(self, sender: int, count: int) -> None:
        self.landed[sender] += count

    def read(self, client: int, data: bytes, now: int = 1_000_000) -> None:
        """Let a client read."""
        if data:
            self.reading.take(self.clients[client], bytearray(data), len(data), now)

    def hears(self, client: int, message: Message) -> bool:
        """Say whether a public message is for a client."""
        return self.clients[client].dialect.echoes or message[0] != client

    def account(self, sent: Iterable[Message], private: dict[int, int] | None = None) -> Tally:
        """Return the account, when all these were sent."""
        counts = Counter(sender for sender, _ in sent)
        return self.reading.account(dict(counts), private or {})


def public(sender: int, number: int, tag: bytes = TAG) -> bytes:
    return texts.text(texts.token(tag, Kind.PUBLIC, sender, number, 1000), 60)


def private(sender: int, number: int) -> bytes:
    return texts.text(texts.token(TAG, Kind.PRIVATE, sender, number, 1000), 60)


def rendered(dialect: str, sender: int, text: bytes) -> bytes:
    """Return a public message as a service writes it."""
    if dialect == "browser":
        event = b'{"type":"events","events":[{"type":"said","nickname":"c-%d","text":"%s"}]}'
        return frame(event % (sender, text.replace(b"\t", b"\\t")))
    if dialect == "chatte":
        return b"100 c-%d %s\n" % (sender, text)
    return b"c-%d.@g> %s\n" % (sender, text)


def frame(payload: bytes, first: int = 0x81) -> bytes:
    """Return a service's frame."""
    if len(payload) < 126:
        return bytes((first, len(payload))) + payload
    return bytes((first, 126)) + len(payload).to_bytes(2, "big") + payload


def faults(tally: Tally) -> dict[str, int]:
    return {
        name: count
        for name in ("lost", "doubled", "out_of_order", "stray")
        if (count := getattr(tally, name))
    }


def numbered(senders: Iterable[int]) -> list[Message]:
    """Number messages, each sender's from 0."""
    heads: Counter[int] = Counter()
    messages = []
    for sender in senders:
        messages.append((sender, heads[sender]))
        heads[sender] += 1
    return messages


def streams(
    room: Room, messages: Sequence[Message], at: int, given_to_it: Sequence[Message]
) -> list[bytes]:
    """Return what each client is to read: all the same, but for one."""
    found = []
    for client in room.clients:
        heard = given_to_it if client.id == at else messages
        found.append(
            b"".join(
                rendered(client.dialect.name, sender, public(sender, number))
                for sender, number in heard
                if room.hears(client.id, (sender, number))
            )
        )
    return found


def read_in_pieces(room: Room, parts: Sequence[bytes], seed: int) -> None:
    """Let all read their parts in random pieces, in random turns."""
    rng = random.Random(seed)
    waiting = {id_: part for id_, part in enumerate(parts) if part}
    sizes = rng.choice([(1, 40), (60, 200), (500, 5000)])
    whole = rng.random() < 0.3
    while waiting:
        id_ = rng.choice(list(waiting))
        count = len(waiting[id_]) if whole else rng.randint(*sizes)
        room.read(id_, waiting[id_][:count])
        waiting[id_] = waiting[id_][count:]
        if not waiting[id_]:
            del waiting[id_]
        if rng.random() < 0.05:
            room.reading.tidy()


def names() -> list[str]:
    most = max(count for _, count in KINDS)
    return [name for turn in range(most) for name, count in KINDS if turn < count]


spoken = st.lists(st.integers(0, SENDERS - 1), min_size=1, max_size=30).map(numbered)
seeds = st.integers(0, 2**32)


@given(spoken, seeds)
def test_what_all_read_is_fine_however_it_comes(messages: list[Message], seed: int) -> None:
    room = Room(names())
    read_in_pieces(room, streams(room, messages, -1, []), seed)
    tally = room.account(messages)
    assert faults(tally) == {}
    heard = sum(room.hears(c.id, m) for c in room.clients for m in messages)
    assert tally.delivered == tally.public == heard
    assert heard == room.reading.expected(dict(Counter(s for s, _ in messages)), {})
    assert room.reading.orders[0].end == len(messages)
    assert tally.readers == len(room.clients)
    assert room.landed == Counter(s for s, _ in messages)


@given(spoken, seeds, st.data())
def test_what_one_reader_misses_or_gets_twice_is_counted(
    messages: list[Message], seed: int, data: st.DataObject
) -> None:
    room = Room(names())
    at = data.draw(st.integers(0, len(room.clients) - 1), label="reader")
    times = data.draw(
        st.lists(
            st.sampled_from([1, 1, 1, 0, 2, 3]), min_size=len(messages), max_size=len(messages)
        )
    )
    heard = [m for m, count in zip(messages, times, strict=True) for _ in range(count)]
    read_in_pieces(room, streams(room, messages, at, heard), seed)
    counts = [count for m, count in zip(messages, times, strict=True) if room.hears(at, m)]
    expected = {
        "lost": sum(count == 0 for count in counts),
        "doubled": sum(max(0, count - 1) for count in counts),
    }
    assert faults(room.account(messages)) == {k: v for k, v in expected.items() if v}


@given(spoken, seeds, st.data())
def test_a_swap_at_one_reader_is_out_of_order(
    messages: list[Message], seed: int, data: st.DataObject
) -> None:
    room = Room(names())
    at = data.draw(st.integers(0, len(room.clients) - 1), label="reader")
    heard = [m for m in messages if room.hears(at, m)]
    if len(heard) < 2:
        return
    index = data.draw(st.integers(0, len(heard) - 2), label="first")
    heard[index : index + 2] = reversed(heard[index : index + 2])
    read_in_pieces(room, streams(room, messages, at, heard), seed)
    tally = room.account(messages)
    assert faults(tally) == {"out_of_order": 1}
    assert tally.unordered == 0


@pytest.mark.parametrize(("name", "disorder"), [("nats", 0), ("chatte", 2)])
def test_only_who_promises_one_order_is_held_to_it(name: str, disorder: int) -> None:
    room = Room([name] * 6)
    for client in room.clients:
        heard = [(0, 0), (1, 0)] if client.id < 4 else [(1, 0), (0, 0)]
        room.read(client.id, b"".join(rendered("chatte", 0, public(*it)) for it in heard))
    assert faults(room.account([(0, 0), (1, 0)])) == (
        {"out_of_order": disorder} if disorder else {}
    )
    room.read(5, rendered("chatte", 0, public(1, 0)))
    assert faults(room.account([(0, 0), (1, 0)]))["doubled"] == 1


def test_without_one_order_whole_reads_are_checked_by_number() -> None:
    room = Room(["nats"] * 50)
    heard = [(0, 0), (1, 0), (0, 1), (2, 0)]
    blob = b"".join(rendered("chatte", 0, public(*it)) for it in heard)
    for client in room.clients:
        room.read(client.id, blob)
    tally = room.account(heard)
    assert faults(tally) == {}
    assert (tally.delivered, tally.apart, tally.unordered) == (200, 4, 50)
    assert room.landed == {0: 2, 1: 1, 2: 1}
    # The same bytes once more are the same messages twice; a number that is missing is lost.
    room.read(4, blob)
    gap = b"".join(rendered("chatte", 0, public(0, number)) for number in (2, 4))
    for client in room.clients:
        room.read(client.id, gap)
    private_ = rendered("chatte", 0, private(6, 0)) + rendered("chatte", 0, public(0, 5))
    room.read(7, private_)
    tally = room.account([*heard, *((0, n) for n in range(2, 6))], {6: 1})
    assert faults(tally) == {"doubled": 4, "lost": 50 + 49}
    assert tally.private == 1


def test_most_messages_are_compared_and_few_taken_apart() -> None:
    room = Room(["chatte"] * 50)
    for turn in range(10):
        messages = numbered([0] * 10)
        blob = b"".join(rendered("chatte", 0, public(0, turn * 10 + n)) for _, n in messages)
        for client in reversed(room.clients):
            room.read(client.id, blob)
    tally = room.account([(0, n) for n in range(100)])
    assert faults(tally) == {}
    assert tally.delivered == 50 * 100
    # The first reader's, and the senders', who may read answers in between.
    assert tally.apart == (1 + SENDERS) * 100


def test_a_ping_is_answered_by_everybody() -> None:
    room = Room(["browser"] * 6)
    blob = frame(b"?", 0x89) + rendered("browser", 0, public(0, 0))
    for client in room.clients:
        room.read(client.id, blob)
        assert client.written == b"\x8a\x81\0\0\0\0?"


def test_a_close_frame_ends_the_connection_and_tells_why() -> None:
    room = Room(["browser"] * 6)
    client = room.clients[5]
    client.state = State.APART  # it has no socket to close
    room.read(5, rendered("browser", 0, public(0, 0)) + frame(b"\x0f\xa0drained", 0x88))
    assert room.reading.tally.disconnected == 1
    assert room.reading.tally.public == 1
    assert room.reading.farewells == {"closed with 4000 drained": 1}


@pytest.mark.parametrize("name", ["chatte", "protocollo", "browser"])
def test_private_messages_are_for_the_next_client(name: str) -> None:
    room = Room([name] * 4, senders=4)
    sent: Counter[int] = Counter()
    for number in range(3):
        for client in room.clients:
            reader = (client.id + 1) % 4
            room.read(reader, whispered(name, client.id, private(client.id, number)))
            sent[client.id] += 1
    assert faults(room.account([], dict(sent))) == {}
    assert room.landed == sent
    assert room.reading.tally.private == 12
    # Again, ahead, late, to somebody else, and back to the sender.
    room.read(1, whispered(name, 0, private(0, 2)))
    room.read(1, whispered(name, 0, private(0, 4)))
    room.read(1, whispered(name, 0, private(0, 3)))
    room.read(3, whispered(name, 0, private(0, 5)))
    room.read(0, whispered(name, 0, private(0, 6)))
    sent[0] = 7
    tally = room.account([], dict(sent))
    assert faults(tally) == {"doubled": 1, "out_of_order": 1, "stray": 1, "lost": 2}
    assert tally.returned == 1


def whispered(dialect: str, sender: int, text: bytes) -> bytes:
    if dialect == "browser":
        event = b'{"type":"whispered","from":"c-%d","text":"%s"}'
        return frame(event % (sender, text.replace(b"\t", b"\\t")))
    return (b"102 c-%d %s\n" if dialect == "chatte" else b"c-%d> %s\n") % (sender, text)


def test_each_message_is_acknowledged_where_the_dialect_has_it() -> None:
    room = Room(["chatte", "protocollo", "browser"] * 2, acknowledge=True, senders=0)
    assert not room.clients[0].is_sender
    room = Room(["chatte", "protocollo", "browser"] * 2, acknowledge=True)
    for client in room.clients:
        name = client.dialect.name
        blob = b"".join(
            rendered(name, 0, public(0, n)) for n in range(5) if room.hears(client.id, (0, n))
        )
        before = (client.id - 1) % 6
        room.read(client.id, blob + whispered(name, before, private(before, 0)))
    for client in room.clients:
        expected = {
            "chatte": b"101 Message received.\n" * 6,
            "protocollo": b"",
            "browser": client.dialect.received(1),
        }
        assert client.written == expected[client.dialect.name]


def test_answers_and_refusals_are_counted_and_a_refusal_is_not_under_way() -> None:
    room = Room(["chatte", "chatte", "browser", "protocollo"], senders=4)
    room.read(0, b"101 Message sent.\n" * 3 + b"203 Invalid destinatary. Verify the nickname.\n")
    room.read(1, b"666 Invalid command. Ignoring.\n101 Mess")
    room.read(1, b"age sent.\n")
    room.read(2, frame(b'{"type":"sent","id":1}') + frame(b'{"type":"failed","id":2}'))
    room.read(3, b"G> destinatario sconosciuto: c-0\n")
    tally = room.account([])
    assert (tally.answered, tally.refused) == (5, 4)
    assert room.landed == {0: 1, 1: 1, 2: 1, 3: 1}


def test_who_is_slowed_is_counted_however_he_is_told() -> None:
    room = Room(["chatte", "browser", "protocollo"], senders=3)
    room.read(0, b"102 G You write too fast: what you write is passed on more slowly, all of it.\n")
    room.read(1, frame(b'{"type":"slowed"}'))
    room.read(
        2, b"G> scrivi troppo in fretta: quello che scrivi passa pi\xc3\xb9 lentamente, ma tutto\n"
    )
    tally = room.account([])
    assert (tally.slowed, tally.refused, tally.stray, room.landed) == (3, 0, 0, {})


def test_others_in_the_room_do_not_count_and_do_no_harm() -> None:
    room = Room(["chatte"] * 5)
    other = b"100 anna one\ttab\n100 anna \t\t\t\n" + rendered("chatte", 7, public(0, 0, b"othr0"))
    for client in room.clients:
        room.read(client.id, other + rendered("chatte", 0, public(0, 0)) + other)
    tally = room.account([(0, 0)])
    assert faults(tally) == {}
    assert tally.delivered == 5


def test_a_message_of_an_earlier_round_or_of_nobody_is_a_stray() -> None:
    room = Room(["chatte"] * 5)
    room.read(4, rendered("chatte", 0, public(0, 0, b"test1")))
    room.read(4, rendered("chatte", 9, public(9, 0)))
    assert faults(room.account([])) == {"stray": 2}


def test_the_latency_is_recorded_from_when_a_message_was_due() -> None:
    room = Room(["chatte"] * 5)
    for client in room.clients:
        room.read(client.id, rendered("chatte", 0, public(0, 0)), now=1000 + 250 * (client.id + 1))
    latency = room.reading._latency
    assert (latency.recorded, latency.longest) == (5, 1250)
    assert latency.at(50) == 750


def test_where_nobody_reads_all_the_numbers_are_checked_and_that_is_said() -> None:
    room = Room(["protocollo"] * 3)
    messages = numbered([0, 1, 2, 0, 1, 2])
    parts = streams(room, messages, 2, messages[1:])
    read_in_pieces(room, parts, 1)
    tally = room.account(messages)
    assert faults(tally) == {"lost": 1}
    assert tally.unordered == 3


def test_messages_that_all_have_read_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tertulia_load.reading._MOST_IN_ORDER", 10)
    room = Room(["chatte", "protocollo", "chatte", "chatte"])
    messages = numbered([0, 1, 2] * 20)
    for sender, number in messages:
        for client in room.clients:
            if room.hears(client.id, (sender, number)):
                room.read(client.id, rendered(client.dialect.name, sender, public(sender, number)))
        room.reading.tidy()
        assert len(room.reading.orders[0].tokens) <= 12
    assert faults(room.account(messages)) == {}
    assert room.reading.orders[0].end == 60


def test_what_a_witness_misses_is_no_longer_under_way() -> None:
    room = Room(["chatte", "chatte"], senders=2)
    for number in (0, 3, 2, 3):
        room.read(1, rendered("chatte", 0, public(0, number)))
        room.read(1, whispered("chatte", 0, private(0, number)))
    assert room.landed == {0: 4 + 4}


@given(spoken, seeds, st.data())
def test_faults_at_several_readers_are_told_apart(
    messages: list[Message], seed: int, data: st.DataObject
) -> None:
    room = Room(names())
    parts = streams(room, messages, -1, [])
    expected: Counter[str] = Counter()
    for at in data.draw(st.sets(st.integers(0, len(room.clients) - 1), max_size=4), label="at"):
        heard = [m for m in messages if room.hears(at, m)]
        for fault in data.draw(st.permutations(["lost", "doubled", "out_of_order"])):
            free = range(2, len(heard) - 2)
            if not free:
                break
            index = data.draw(st.sampled_from(free), label=fault)
            # Three of their own: a fault beside another could be taken for something else.
            if len(set(heard[index - 2 : index + 3])) < 5 or fault in expected:
                continue
            if fault == "lost":
                del heard[index]
            elif fault == "doubled":
                heard.insert(index, heard[index])
            else:
                heard[index : index + 2] = reversed(heard[index : index + 2])
            expected[fault] += 1
            break
        parts[at] = streams(room, messages, at, heard)[at]
    read_in_pieces(room, parts, seed)
    tally = room.account(messages)
    assert faults(tally) == dict(expected)
    assert tally.unordered == 0


def test_who_missed_something_and_was_first_does_not_make_the_order() -> None:
    room = Room(["chatte"] * 6, senders=2)
    messages = numbered([0, 1, 0, 1, 0, 1])
    blobs = [rendered("chatte", sender, public(sender, number)) for sender, number in messages]
    room.read(5, b"".join(blobs[1:]))
    for client in range(4):
        room.read(client, b"".join(blobs[:4]))
    room.reading.tidy()
    assert [client.in_step for client in room.clients] == [True] * 5 + [False]
    # Swapped at one that has not read yet: compared with the order of the others.
    room.read(4, b"".join([blobs[1], blobs[0], *blobs[2:]]))
    for client in range(4):
        room.read(client, b"".join(blobs[4:]))
    tally = room.account(messages)
    assert faults(tally) == {"lost": 1, "out_of_order": 1}
    assert room.reading.orders[0].end == 6


def test_the_order_is_that_of_the_most_readers_whoever_else_differs() -> None:
    room = Room(["chatte"] * 6, senders=2)
    messages = numbered([0, 0, 1, 0, 0])
    blobs = [rendered("chatte", sender, public(sender, number)) for sender, number in messages]
    room.read(1, b"".join(blobs[:2] + blobs[3:]))  # it was first, and missed one
    room.read(0, b"".join([*blobs[:2], blobs[3], blobs[2], blobs[4]]))
    for client in range(2, 6):
        room.read(client, b"".join(blobs))
    assert faults(room.account(messages)) == {"lost": 1, "out_of_order": 1}
    assert [client.in_step for client in room.clients] == [False, False, True, True, True, True]
