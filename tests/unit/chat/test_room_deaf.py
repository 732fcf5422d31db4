"""Clients that can read nothing for a moment after the welcome: what there is for them is held so long.

Source: docs/protocols/protocollo.md, "Wordings": until it said so, or 2 s have passed.
"""

from collections.abc import Callable, Sequence

import pytest

from fakes.encoder import DeafEncoder, FramedEncoder, PlainEncoder
from fakes.house import LIMITS, Client, House
from tertulia.chat.ports import Replay
from tertulia.chat.room import Room
from tertulia.domain import commands
from tertulia.domain.commands import Fault, Resume
from tertulia.domain.disconnects import Disconnect
from tertulia.domain.position import Position
from unit.chat.conftest import Connect, Enter


def hears(client: Client) -> None:
    """Say that it can read now."""
    client.do(commands.Ready())


def two_seconds_pass(client: Client) -> None:
    client.house.clock.advance(2.0)


every_way = pytest.mark.parametrize("way", [hears, two_seconds_pass])
Way = Callable[[Client], None]


@every_way
def test_everything_after_the_welcome_is_held_and_then_read_in_order(way: Way) -> None:
    """It reads what somebody else reads in its place."""
    told = {}
    for encoder in (PlainEncoder(), DeafEncoder()):
        house = House()
        room = house.room()
        andy, betty, dora = (Client(house, room, PlainEncoder()) for _ in range(3))
        carl = Client(house, room, encoder)
        andy.enter("andy")
        betty.enter("betty")
        andy.read()
        carl.enter("carl")
        andy.say("in the same entry")
        dora.enter("dora")
        told[encoder] = carl.read()
        writes = carl.outbox.writes
        andy.say("one")
        told[encoder] += carl.read()
        andy.whisper("carl", "psst")
        told[encoder] += carl.read()
        carl.whisper("nobody", "x")
        carl.do(commands.Faulty(Fault.MALFORMED))
        carl.say("mine")
        betty.leave()
        told[encoder] += carl.read()
        if encoder.deaf_seconds:
            assert told[encoder] == ["welcome carl andy betty"]
            assert carl.outbox.writes == writes
            way(carl)
            told[encoder] += carl.read()
            assert carl.outbox.writes == writes + 1
        andy.say("at once")
        told[encoder] += carl.read()
    plain, deaf = told.values()
    assert plain == deaf
    assert {line.split()[0] for line in deaf} == {
        *("welcome", "said", "joined", "whispered", "refused", "fault", "left", "sent")
    }


def test_the_time_is_up_after_two_seconds_not_before(enter: Enter) -> None:
    andy, betty = enter("andy"), enter("betty", DeafEncoder())
    andy.say("one")
    betty.house.clock.advance(1.9)
    assert betty.read() == []
    betty.house.clock.advance(0.1)
    assert betty.read() == ["said andy one"]


def test_only_the_first_word_of_it_counts(enter: Enter) -> None:
    andy, betty = enter("andy"), enter("betty", DeafEncoder())
    hears(betty)
    hears(betty)
    andy.say("one")
    hears(betty)
    assert betty.read() == ["said andy one"]
    betty.house.clock.advance(10.0)
    assert betty.read() == []


def test_who_is_not_deaf_may_say_so_too(enter: Enter) -> None:
    andy = enter("andy")
    hears(andy)
    andy.say("one")
    assert andy.read() == ["said andy one", "sent"]


def test_it_is_administrator_in_the_order_of_things(enter: Enter) -> None:
    andy, betty = enter("andy"), enter("betty", DeafEncoder())
    andy.leave()
    assert betty.read() == []
    hears(betty)
    assert betty.read() == ["left andy", "promoted"]


# Private messages


def test_a_letter_that_is_held_is_not_written(enter: Enter) -> None:
    andy, betty = enter("andy"), enter("betty", DeafEncoder())
    andy.whisper("betty", "psst")
    andy.read()
    betty.house.clock.advance(1.0)
    assert betty.room.confirmed() == 0
    hears(betty)
    assert betty.room.confirmed() == 1
    assert betty.read() == ["whispered andy psst"]


@pytest.mark.parametrize("reason", [Disconnect.GONE, Disconnect.BROKEN])
def test_who_dies_while_deaf_has_read_no_letter(
    enter: Enter, house: House, reason: Disconnect
) -> None:
    andy, betty = enter("andy"), enter("betty", DeafEncoder(), room=house.room("other"))
    andy.whisper("betty", "psst")
    assert andy.read() == ["joined betty", "sent"]
    betty.room.lost(betty.session, reason)  # all that was written is with its system
    assert andy.read() == ["left betty", "undelivered betty psst"]
    betty.house.clock.advance(10.0)
    assert betty.read() == []
    assert betty.closed is reason


def test_who_has_read_a_letter_and_dies_then_has_read_it(enter: Enter) -> None:
    andy, betty = enter("andy"), enter("betty", DeafEncoder())
    andy.whisper("betty", "psst")
    andy.read()
    hears(betty)
    betty.outbox.taken = False  # of what comes later, nothing
    betty.lose()
    assert andy.read() == ["left betty"]


def test_who_is_buried_while_deaf_has_read_no_letter(enter: Enter, house: House) -> None:
    andy, betty = enter("andy"), enter("betty", DeafEncoder())
    andy.whisper("betty", "psst")
    andy.read()
    betty.room.fenced()
    assert betty.closed is None
    two_seconds_pass(betty)
    assert betty.read() == ["whispered andy psst", "fenced"]
    assert betty.closed is Disconnect.FENCED


# Its end


@pytest.mark.parametrize("reason", [Disconnect.DRAINED, Disconnect.LONG_LINES, Disconnect.INTERNAL])
def test_who_has_to_go_reads_what_is_held_first(
    enter: Enter, room: Room, reason: Disconnect
) -> None:
    andy, betty = enter("andy"), enter("betty", DeafEncoder())
    andy.say("one")
    andy.whisper("betty", "psst")
    andy.read()
    room.lost(betty.session, reason)
    assert andy.read() == ["left betty"], "for the others it has gone"
    assert betty.read() == []
    assert betty.closed is None
    andy.say("it is not there any more")
    room.lost(betty.session, reason)  # nothing new
    two_seconds_pass(betty)
    assert betty.read() == ["said andy one", "whispered andy psst", reason.label]
    assert betty.closed is reason
    assert "undelivered betty psst" not in andy.read()


def test_who_leaves_while_deaf_reads_its_farewell_then(enter: Enter) -> None:
    andy, betty = enter("andy"), enter("betty", DeafEncoder())
    betty.leave()
    assert betty.read() == []
    assert andy.read() == ["joined betty", "left betty"]
    two_seconds_pass(betty)
    assert betty.read() == ["farewell"]
    assert betty.closed is Disconnect.LEFT


def test_a_chat_that_is_closed_is_closed_for_who_is_deaf_then(enter: Enter) -> None:
    andy, betty = enter("andy"), enter("betty", DeafEncoder())
    andy.do(commands.CloseChat())
    assert andy.read()[-1] == "closed"
    assert betty.read() == []
    two_seconds_pass(betty)
    assert betty.read() == ["closed"]
    assert betty.closed is Disconnect.CHAT_CLOSED


def test_who_can_read_before_its_time_is_up_reads_its_last_words_then(enter: Enter) -> None:
    """What else it says is not heard any more, nor does it read anything behind its last words."""
    andy, betty = enter("andy"), enter("betty", DeafEncoder())
    betty.leave()
    andy.read()
    assert betty.read() == []
    assert betty.session.takes_commands
    assert betty.outbox.proceeds > 0
    for command in (
        *(commands.Say("more"), commands.Whisper("andy", "more"), commands.CloseChat()),
        *(commands.Faulty(Fault.MALFORMED), commands.Enter("carl"), commands.Leave()),
    ):
        betty.do(command)
    assert andy.read() == []
    assert betty.read() == []
    hears(betty)
    assert betty.read() == ["farewell"]
    assert betty.closed is Disconnect.LEFT
    two_seconds_pass(betty)
    betty.room.lost(betty.session, Disconnect.GONE)
    assert betty.read() == []


def test_whose_connection_breaks_before_it_could_read_its_last_words_is_gone(enter: Enter) -> None:
    andy, betty = enter("andy"), enter("betty", DeafEncoder())
    andy.whisper("betty", "psst")
    andy.read()
    betty.room.lost(betty.session, Disconnect.DRAINED)
    assert andy.read() == ["left betty"]
    betty.room.lost(betty.session, Disconnect.BROKEN)
    assert andy.read() == ["undelivered betty psst"]
    two_seconds_pass(betty)
    assert betty.read() == []
    assert betty.closed is Disconnect.BROKEN


def test_it_counts_as_one_who_is_still_to_read(enter: Enter) -> None:
    """A node that drains waits for it."""
    betty = enter("betty", DeafEncoder())
    assert betty.session.is_held
    assert betty.session.takes_commands
    hears(betty)
    assert not betty.session.is_held


def test_who_can_read_again_is_written_to_as_the_others(enter: Enter) -> None:
    """And not looked at one by one, as those are for whom something may wait."""
    andy, betty = enter("andy"), enter("betty", DeafEncoder())
    hears(betty)
    betty.outbox.unsent = LIMITS.outbox_bytes + 1
    andy.say("one")
    andy.read()
    assert betty.read() == ["said andy one"]
    assert betty.closed is None


# Its bound


def test_what_is_held_counts_against_the_bound_of_a_reader(enter: Enter) -> None:
    andy, betty = enter("andy"), enter("betty", DeafEncoder())
    for i in range(3):
        andy.say(f"{i}" * 300)
    andy.read()
    assert betty.closed is None
    andy.say("the last drop" * 10)
    assert andy.read()[-1] == "left betty"
    assert betty.closed is Disconnect.SLOW_READER
    two_seconds_pass(betty)
    assert betty.read() == []


def test_what_the_kernel_has_not_taken_counts_with_what_is_held(enter: Enter) -> None:
    andy, betty = enter("andy"), enter("betty", DeafEncoder())
    betty.outbox.unsent = 600  # of the welcome
    andy.say("x" * 300)
    andy.read()
    assert betty.closed is None
    andy.say("x" * 300)
    andy.read()
    assert betty.closed is Disconnect.SLOW_READER


@pytest.mark.parametrize("lagging", [False, True])
def test_letters_alone_pass_the_bound_too(enter: Enter, lagging: bool) -> None:
    """Also those of a client that is not deaf, and does not read."""
    andy, betty = enter("andy"), enter("betty", None if lagging else DeafEncoder())
    if lagging:
        betty.room.lags(betty.session)
        betty.outbox.taken = False
    for i in range(4):
        andy.whisper("betty", f"{i}" * 300)
    if lagging:
        betty.outbox.unsent = 1300
    told = andy.read()
    assert betty.closed is Disconnect.SLOW_READER
    assert [line.split()[0] for line in told].count("undelivered") == 4


def test_who_resumes_has_the_same_bound(enter: Enter, connect: Connect, house: House) -> None:
    """Its past is read from the store, which may take its time."""
    andy, betty = enter("andy"), enter("betty", FramedEncoder())
    betty.lose()
    andy.read()
    replays: list[Callable[[Replay], None]] = []
    house.stores[andy.room].replay = (  # type: ignore[method-assign]
        lambda after, before, token, done: replays.append(done)
    )
    again = connect(FramedEncoder())
    resume = Resume(betty.session.token, "memory", 2)
    again.do(commands.Enter("betty", resume=resume))
    again.read()
    for i in range(4):
        andy.say(f"{i}" * 300)
        andy.read()
    assert again.closed is Disconnect.SLOW_READER
    replays[0](Replay([], True, 0))
    assert again.read() == []


def test_who_dies_while_its_past_is_read_has_read_no_letter(
    enter: Enter, connect: Connect, house: House
) -> None:
    andy, betty = enter("andy"), enter("betty", FramedEncoder())
    betty.lose()
    andy.read()
    house.stores[andy.room].replay = (  # type: ignore[method-assign]
        lambda after, before, token, done: None
    )
    again = connect(FramedEncoder())
    resume = Resume(betty.session.token, "memory", 2)
    again.do(commands.Enter("betty", resume=resume))
    again.read()
    andy.whisper("betty", "psst")
    andy.read()
    again.room.lost(again.session, Disconnect.GONE)
    assert "undelivered betty psst" in andy.read()


# What was lost


def test_everybody_reads_where_a_part_of_the_log_was_lost(enter: Enter, room: Room) -> None:
    andy, betty, carl = enter("andy"), enter("betty", FramedEncoder()), enter("carl", DeafEncoder())
    andy.say("before")
    assert andy.read()[-2:] == ["said andy before", "sent"]
    room.missed(Position("memory", 40))
    assert andy.read() == ["missed 40"]
    assert betty.read()[-1] == "missed 40"
    assert carl.read() == []
    hears(carl)
    assert carl.read() == ["said andy before", "missed 40"]


def test_what_is_told_then_has_the_time_of_what_came_last(enter: Enter, room: Room) -> None:
    positions: list[Position] = []

    class Dated(FramedEncoder):
        """Notes the positions that it is given."""

        def batch(self, pieces: Sequence[bytes], position: Position, first: int = 0) -> bytes:
            positions.append(position)
            return super().batch(pieces, position)

    enter("betty", Dated())
    andy = enter("andy")
    room.missed(Position("memory", 40))
    room.seated([member for member in room.roster if member.nickname != "andy"])
    assert andy.closed is Disconnect.DISPLACED
    assert positions[-1].offset == 40
    assert positions[-1].at == positions[0].at > 0


def test_who_goes_on_from_there_is_not_told_of_it_again(enter: Enter, room: Room) -> None:
    """What a client that resumes reads next has that place."""
    andy, betty = enter("andy"), enter("betty", FramedEncoder())
    room.missed(Position("memory", 40))
    room.seated([member for member in room.roster if member.nickname != "andy"])
    assert betty.read() == ["missed 40", "40 [left andy, promoted]"]
    assert andy.closed is Disconnect.DISPLACED
