"""What comes together is one write to everybody, in the order in which it came."""

import pytest

from fakes.encoder import FramedEncoder, SilentEncoder
from fakes.house import Client
from harness.calls import calls_of
from tertulia.chat.ports import Delivery, Entry, Outcome, SayOp
from tertulia.chat.room import Room
from tertulia.dialects.chatte import ChatteEncoder
from tertulia.domain.events import (
    Joined,
    Left,
    PublicEvent,
    Said,
    Whispered,
    decode_public,
    encode,
)
from tertulia.domain.position import Position
from unit.chat.conftest import Connect, Enter


@pytest.fixture
def andy(enter: Enter) -> Client:
    client = enter("andy")
    client.read()
    return client


def bring(room: Room, offset: int, *events: PublicEvent) -> None:
    is_talk = all(isinstance(event, Said) for event in events)
    room.entry(Entry(Position("e", offset, 0.0), events, is_talk=is_talk))


def said(text: str) -> Said:
    return Said("betty", "other:1", text)


def test_what_was_said_in_several_entries_is_one_write(andy: Client, room: Room) -> None:
    writes = andy.outbox.writes
    bring(room, 10, said("one"), said("two"))
    bring(room, 11, said("three"))
    assert andy.outbox.read() == []
    room.flush()
    assert andy.outbox.read() == ["said betty one", "said betty two", "said betty three"]
    assert andy.outbox.writes == writes + 1
    room.flush()
    assert andy.outbox.writes == writes + 1


def test_each_entry_keeps_its_place(enter: Enter, room: Room) -> None:
    framed = enter("francis", FramedEncoder())
    framed.read()
    writes = framed.outbox.writes
    bring(room, 10, said("one"), said("two"))
    bring(room, 11, said("three"))
    room.flush()
    assert framed.outbox.read() == ["10 [said betty one, said betty two]", "11 [said betty three]"]
    assert framed.outbox.writes == writes + 1


def test_who_does_not_echo_reads_the_others(enter: Enter, andy: Client, room: Room) -> None:
    silent = enter("sarah", SilentEncoder())
    for client in (silent, andy):
        client.read()
    bring(room, 10, said("one"))
    bring(room, 11, said("two"), Said("sarah", silent.session.name, "mine"), said("three"))
    bring(room, 12, said("four"))
    bring(room, 13, Said("sarah", silent.session.name, "mine"))
    room.flush()
    told = [f"said betty {text}" for text in ("one", "two", "three", "four")]
    assert silent.outbox.read() == told
    mine = "said sarah mine"
    assert andy.outbox.read() == [*told[:2], mine, *told[2:], mine]


def test_ones_own_copy_comes_before_the_answer(andy: Client, room: Room) -> None:
    op = SayOp(andy.session.name, "andy", "andy", "mine")
    andy.session.submitted(op)
    bring(room, 10, said("one"))
    bring(room, 11, Said("andy", andy.session.name, "mine"))
    op.outcome = Outcome.DONE
    room.settled([op])
    assert andy.outbox.read() == ["said betty one", "said andy mine", "sent"]


def test_who_comes_and_goes_does_so_in_its_place(andy: Client, room: Room) -> None:
    bring(room, 10, said("one"))
    bring(room, 11, Joined("carla", "other:2", "plain"))
    bring(room, 12, said("two"))
    bring(room, 13, Left("carla", "other:2"))
    bring(room, 14, said("three"))
    room.flush()
    assert andy.outbox.read() == [
        "said betty one", "joined carla", "said betty two", "left carla", "said betty three",
    ]  # fmt: skip


def test_who_is_sent_away_reads_what_came_before(andy: Client, room: Room) -> None:
    bring(room, 10, said("one"))
    room.drain()
    assert andy.outbox.read()[:1] == ["said betty one"]


def test_a_letter_is_read_where_it_came(andy: Client, room: Room) -> None:
    """Acknowledgements are counted: what is read out of order would be taken for something else."""
    name = andy.session.name
    bring(room, 10, said("one"))
    room.deliveries([Delivery(1, name, Whispered("betty", "other:1", "andy", "psst"), 0.0)])
    bring(room, 11, said("two"))
    room.flush()
    assert andy.outbox.read() == ["said betty one", "whispered betty psst", "said betty two"]


def test_each_of_many_who_come_in_together_costs_the_same(connect: Connect, room: Room) -> None:
    def cost_of_each(count: int, offset: int) -> float:
        clients = [connect(ChatteEncoder()) for _ in range(count)]  # its welcome names nobody
        for number, client in enumerate(clients):
            client.enter(f"guest{offset}-{number}")
        joins = [Joined(it.session.nickname, it.session.name) for it in clients]
        calls = calls_of(lambda: bring(room, offset, *joins))
        assert all(client.session.is_active for client in clients)
        return calls / count

    few = cost_of_each(20, 10)
    assert cost_of_each(400, 11) < few * 1.5


def test_what_is_kept_of_members_is_kept_once(connect: Connect, room: Room) -> None:
    """As it is read from the log, each event has texts of its own, which thousands of members would keep."""
    client = connect()
    client.enter("Andy")
    session = client.session
    for event in (Joined("Andy", session.name, "plain"), Joined("betty", "other:1", "plain")):
        bring(room, 10, decode_public(encode(event)))
    andy, betty = room.roster
    assert andy.nickname is session.nickname
    assert andy.session is session.name
    assert andy.dialect is betty.dialect
