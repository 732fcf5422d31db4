"""A room as the store's follower: whom it lets in when, and what becomes of what the store tells."""

import pytest

from fakes.encoder import SilentEncoder
from fakes.house import House
from tertulia.chat.ports import Entry, Member, PresenceOp
from tertulia.chat.session import State
from tertulia.domain import commands
from tertulia.domain.commands import Fault
from tertulia.domain.disconnects import Disconnect
from tertulia.domain.events import Joined, Left, Present, PublicEvent, Registered, WentAway
from tertulia.domain.position import Position
from unit.chat.conftest import Connect, Enter

# Joins by groups


def test_joins_gather_while_the_room_is_slow_to_tell(
    enter: Enter, connect: Connect, house: House
) -> None:
    watcher = enter("watcher")
    first = connect()
    first.enter("first")
    house.clock.turn()  # committed
    house.clock.turn()  # told: what follows in this turn is the telling
    house.clock.pass_by(0.1)
    assert first.read() == ["welcome first watcher"]
    waiting = [connect() for _ in range(3)]
    for i, client in enumerate(waiting):
        client.enter(f"guest-{i}")
    waiting[1].lose()
    watcher.say("messages are not held up")
    assert watcher.read() == ["joined first", "said watcher messages are not held up", "sent"]
    house.clock.advance(0.39)
    assert watcher.read() == []
    writes = watcher.outbox.writes
    house.clock.advance(0.02)
    assert watcher.read() == ["joined guest-0", "joined guest-2"]
    assert watcher.outbox.writes == writes + 1
    assert waiting[0].read() == ["welcome guest-0 watcher first", "joined guest-2"]


# What the store tells


def test_a_room_that_is_fenced_closes_everything(
    enter: Enter, connect: Connect, house: House
) -> None:
    other = enter("other", room=house.room("other"))
    andy, betty, waits = enter("andy"), enter("betty"), connect()
    other.read()
    waits.enter("carl")
    before = house.stores[andy.room].node
    house.chat.condemn(before)
    andy.say("zombie")
    assert other.read() == ["left andy", "left betty"]
    assert {c.closed for c in (andy, betty, waits)} == {Disconnect.FENCED}
    assert "sent" not in andy.outbox.read()
    assert house.stores[andy.room].node != before
    again = enter("andy")
    assert other.read() == ["joined andy"]
    assert len(again.room) == 1


def test_who_is_not_among_the_seated_has_lost_its_nickname(enter: Enter, house: House) -> None:
    andy, betty = enter("andy"), enter("betty")
    andy.read()
    andy.room.seated([Member("andy", andy.session.name, "plain")])
    assert andy.read() == ["left betty"]
    assert betty.closed is Disconnect.DISPLACED
    assert [m.nickname for m in andy.room.roster] == ["andy"]


def test_who_is_seated_and_was_not_known_is_told_to_be_present(enter: Enter) -> None:
    andy = enter("andy")
    members = [
        Member("elder", "x:1", "plain"),
        Member("andy", andy.session.name, "plain"),
        Member("junior", "x:2", "plain"),
    ]
    andy.room.seated(members)
    assert andy.read() == ["present elder", "present junior"]
    assert list(andy.room.roster) == members
    andy.room.seated(members)
    assert andy.read() == []


def test_who_is_away_and_who_is_an_account_is_told(enter: Enter, house: House) -> None:
    andy, betty = enter("andy"), enter("betty")
    there = house.room("there")
    andy.read()
    op = PresenceOp(betty.session.name, "betty", "betty", "lunch", account=True)
    betty.session.submitted(op)
    house.stores[betty.room].submit(op)
    assert andy.read() == ["away betty lunch", "account betty"]
    assert betty.read() == ["away betty lunch", "account betty"]
    betty.say("hi")
    assert betty.read() == ["said betty hi", "sent"], "nothing else waits for an answer"
    for room in (andy.room, there, house.room("late")):
        member = room.roster.holder("betty")
        assert member is not None
        assert (member.away, member.is_account) == ("lunch", True)


def test_of_whom_it_is_known_already_nothing_is_told(enter: Enter) -> None:
    andy = enter("andy")
    room, name = andy.room, andy.session.name
    nothing: list[PublicEvent] = [
        *(WentAway("andy", name), Registered("andy", name)),
        *(WentAway("andy", "x:1", "tea"), WentAway("nobody", "x:2", "tea")),
    ]
    room.entry(Entry(Position("memory", 99, 0.0), nothing))
    assert andy.read() == []
    room.entry(Entry(Position("memory", 100, 0.0), [Present("andy", name, "plain", away="tea")]))
    assert andy.read() == []
    room.entry(Entry(Position("memory", 101, 0.0), [WentAway("andy", name, "tea")]))
    assert andy.read() == []
    room.entry(Entry(Position("memory", 102, 0.0), [WentAway("andy", name)]))
    assert andy.read() == ["away andy"]


def test_who_is_seated_another_way_is_told_to_be_so(enter: Enter) -> None:
    andy = enter("andy")
    name = andy.session.name
    newcomer = Member("betty", "x:1", "plain", is_account=True, away="tea", about="b Betty")
    members = [Member("andy", name, "plain", is_account=True, away="lunch"), newcomer]
    andy.room.seated(members)
    assert andy.read() == ["away andy lunch", "account andy", "present betty b Betty"]
    assert list(andy.room.roster) == members
    andy.room.seated([Member("andy", name, "plain"), newcomer])
    assert andy.read() == ["away andy", "guest andy"]


def test_who_joins_as_an_account_is_known_as_one(enter: Enter) -> None:
    andy = enter("andy")
    andy.room.entry(Entry(Position("memory", 99, 0.0), [Joined("carl", "x:1", is_account=True)]))
    assert [it.is_account for it in andy.room.roster] == [False, True]


def test_of_an_order_nobody_hears(enter: Enter) -> None:
    """Redis came back older, with people who are long gone; all others are told in the log."""
    andy, betty, carl = enter("andy"), enter("betty"), enter("carl")
    andy.read()
    room = andy.room
    of = {member.nickname: member for member in room.roster}
    stale = [Member("ghost", "x:1", "plain"), Member("andy", "x:2", "plain")]
    room.reordered([*stale, of["carl"], of["andy"]])
    assert [m.session for m in room.roster] == [c.session.name for c in (betty, carl, andy)]
    assert andy.read() == []
    room.entry(Entry(Position("memory", 99, 0.0), [Left("ghost", "x:1"), Left("andy", "x:2")]))
    assert andy.read() == []
    betty.lose()
    assert carl.read() == ["left betty", "promoted"]


@pytest.mark.parametrize("came", [Joined, Present])
def test_who_comes_under_a_nickname_was_preceded_by_the_leaving_of_who_had_it(
    enter: Enter, came: type[Joined | Present]
) -> None:
    """Redis lost it with its data before this node had read it."""
    andy, betty = enter("andy"), enter("betty")
    betty.read()
    betty.room.entry(Entry(Position("memory", 99, 0.0), [came("Andy", "x:1", "plain")]))
    assert andy.closed is Disconnect.DISPLACED
    word = "joined" if came is Joined else "present"
    assert betty.read() == ["left andy", "promoted", f"{word} Andy"]
    assert [m.session for m in betty.room.roster] == [betty.session.name, "x:1"]


def test_sessions_are_those_that_may_hold_a_nickname(
    enter: Enter, connect: Connect, house: House
) -> None:
    """From before a join is asked for, lest the store take it for that of nobody."""
    andy, betty, late = enter("Andy"), enter("betty"), connect()
    connect()
    room = andy.room
    late.enter("carl")
    assert room.sessions() == {
        andy.session.name: "andy", betty.session.name: "betty", late.session.name: "carl"
    }  # fmt: skip
    betty.lose()
    refused = connect()
    refused.enter("andy")
    refused.read()
    assert room.sessions() == {andy.session.name: "andy", late.session.name: "carl"}


def test_a_join_that_is_learned_of_by_the_seat_is_a_join(
    enter: Enter, connect: Connect, house: House
) -> None:
    andy = enter("andy")
    newcomer = connect()
    newcomer.enter("betty")
    andy.room.seated(
        [
            Member("andy", andy.session.name, "plain"),
            Member("betty", newcomer.session.name, "plain"),
        ]
    )
    assert newcomer.outbox.read() == ["welcome betty andy"]
    assert newcomer.session.state is State.ACTIVE
    assert andy.outbox.read() == ["present betty"]
    house.clock.run()  # its own join comes by in the log as well, and is old news
    assert newcomer.outbox.read() == []
    assert andy.outbox.read() == []


def test_what_is_present_is_the_roster(enter: Enter) -> None:
    andy, betty = enter("andy"), enter("betty")
    assert list(andy.room.present()) == [
        Member("andy", andy.session.name, "plain"),
        Member("betty", betty.session.name, "plain"),
    ]


def test_figures_tell_what_happened(enter: Enter, connect: Connect, house: House) -> None:
    andy, betty = enter("andy"), enter("betty", SilentEncoder())
    assert house.counted("sessions", chat="main", dialect="plain") == 1
    assert house.counted("joins_total", dialect="silent") == 1
    andy.say("x")
    andy.read()
    assert house.counted("deliveries_total", dialect="silent") == 2
    betty.lose()
    betty.read()
    assert house.counted("sessions", chat="main", dialect="silent") == 0
    assert house.counted("leaves_total", reason="gone") == 1
    assert house.counted("disconnects_total", reason="gone") == 1
    refused = connect()
    refused.enter("andy")
    refused.read()
    assert house.counted("disconnects_total", reason="refused_taken") == 1
    andy.do(commands.Faulty(Fault.MALFORMED))
    assert house.counted("refused_commands_total", kind="malformed") == 1
