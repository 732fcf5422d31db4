"""A room's private messages: written, acknowledged, waited for, or returned to who sent them."""

import pytest

from fakes.encoder import FramedEncoder
from fakes.house import LIMITS, Client, House
from tertulia.chat.ports import Delivery, Entry, Outcome, WhisperOp
from tertulia.chat.room import Room
from tertulia.dialects.chatte import ChatteEncoder
from tertulia.domain import commands
from tertulia.domain.disconnects import Disconnect
from tertulia.domain.events import Said, Undelivered, Whispered
from tertulia.domain.position import Position
from unit.chat.conftest import Connect, Enter


@pytest.fixture
def andy(enter: Enter) -> Client:
    return enter("andy")


@pytest.fixture
def betty(enter: Enter, house: House, andy: Client) -> Client:
    """On another node; both have read everything."""
    client = enter("betty", room=house.room("other"))
    andy.read()
    return client


def whisper(andy: Client, *texts: str) -> None:
    """Let andy whisper to betty, and be answered."""
    for text in texts:
        andy.whisper("betty", text)
    assert andy.read() == ["sent"] * len(texts)


def test_a_letter_is_done_with_when_the_kernel_has_it(andy: Client, betty: Client) -> None:
    betty.outbox.taken = False
    whisper(andy, "one", "two")
    assert betty.read() == ["whispered andy one", "whispered andy two"]
    assert betty.room.confirmed() == 0
    betty.outbox.taken = True
    assert betty.room.confirmed() == 2


def test_that_is_looked_at_before_more_is_written(
    andy: Client, betty: Client, house: House
) -> None:
    """What is written right afterwards, and stays in the buffer, does not count against it."""
    whisper(andy, "one")
    house.clock.run()
    betty.outbox.taken = False
    assert betty.room.confirmed() == 1


def test_a_client_that_acknowledges_has_some_time_to(
    andy: Client, betty: Client, house: House
) -> None:
    whisper(andy, "one")
    betty.do(commands.Acknowledge(1))
    whisper(andy, "two")
    assert betty.room.confirmed() == 1
    house.clock.advance(LIMITS.confirm_seconds - 1)
    assert betty.room.confirmed() == 1
    house.clock.advance(1)
    assert betty.room.confirmed() == 2


def test_its_acknowledgement_is_what_counts(andy: Client, betty: Client) -> None:
    whisper(andy, "one")
    betty.do(commands.Acknowledge(1))
    whisper(andy, "two", "three")
    betty.do(commands.Acknowledge(1))
    assert betty.room.confirmed() == 2
    betty.do(commands.Acknowledge(1))
    assert betty.room.confirmed() == 3


def test_an_answer_is_no_private_message_to_who_acknowledges_only_those(
    andy: Client, enter: Enter, house: House
) -> None:
    betty = enter("betty", FramedEncoder(), room=house.room("other"))
    andy.read()
    whisper(andy, "one")
    betty.do(commands.Acknowledge(1))
    betty.do(commands.ExplainAccounts())
    whisper(andy, "two")
    betty.do(commands.Acknowledge(1))
    assert betty.room.confirmed() == 2


def test_public_messages_are_acknowledged_as_well(andy: Client, betty: Client) -> None:
    """They are counted in the order in which they were written."""
    andy.say("public")
    andy.read()
    betty.do(commands.Acknowledge(1))
    whisper(andy, "private")
    assert betty.room.confirmed() == 0
    betty.do(commands.Acknowledge(1))
    assert betty.room.confirmed() == 1


def test_where_a_dialect_acknowledges_private_ones_only_public_ones_do_not_count(
    andy: Client, enter: Enter, house: House
) -> None:
    betty = enter("betty", FramedEncoder(), room=house.room("other"))
    for _ in range(10):
        andy.say("public")
    andy.read()
    betty.do(commands.Acknowledge(0))
    whisper(andy, "one")
    betty.do(commands.Acknowledge(1))
    whisper(andy, "two")
    assert betty.room.confirmed() == 1


def test_what_was_not_written_is_reported(andy: Client, betty: Client, house: House) -> None:
    betty.outbox.taken = False
    whisper(andy, "one", "two")
    betty.lose()
    assert andy.read() == ["left betty", "undelivered betty one", "undelivered betty two"]
    assert house.counted("undelivered_total") == 2


def test_it_is_confirmed_once_the_report_is_with_the_store(andy: Client, betty: Client) -> None:
    betty.outbox.taken = False
    whisper(andy, "one")
    betty.lose()
    assert betty.room.confirmed() == 0
    andy.read()
    assert betty.room.confirmed() == 1


def test_what_was_written_is_not_reported(andy: Client, betty: Client) -> None:
    whisper(andy, "one")
    betty.lose()
    assert andy.read() == ["left betty"]
    assert betty.room.confirmed() == 1


def test_what_was_written_and_not_acknowledged_is_reported(andy: Client, betty: Client) -> None:
    whisper(andy, "one")
    betty.do(commands.Acknowledge(1))
    whisper(andy, "two")
    betty.room.lost(betty.session, Disconnect.GONE)
    assert andy.read() == ["left betty", "undelivered betty two"]


@pytest.mark.parametrize(
    "reason", [Disconnect.SLOW_READER, Disconnect.DRAINED, Disconnect.INTERNAL]
)
def test_it_is_the_same_why_ever_a_session_ends(
    andy: Client, betty: Client, reason: Disconnect
) -> None:
    betty.outbox.taken = False
    whisper(andy, "one")
    betty.room.lost(betty.session, reason)
    assert andy.read() == ["left betty", "undelivered betty one"]


def test_what_comes_for_who_has_gone_is_reported(andy: Client, betty: Client) -> None:
    """The store had not heard of the leave when it took the message."""
    andy.whisper("betty", "too late")
    andy.house.clock.turn()
    betty.lose()
    assert andy.read() == ["sent", "left betty", "undelivered betty too late"]


def test_it_stays_in_the_inbox_until_it_is_reported(room: Room, andy: Client) -> None:
    event = Whispered("andy", andy.session.name, "nobody", "psst")
    room.deliveries([Delivery(1, "n:99", event, 0.0)])
    room.flush()
    assert room.confirmed() == 0
    assert andy.read() == ["undelivered nobody psst"]
    assert room.confirmed() == 1


def test_a_report_tells_the_sender_s_own_number(andy: Client, betty: Client) -> None:
    betty.outbox.taken = False
    andy.whisper("betty", "one", 7)
    andy.read()
    betty.lose()
    assert andy.read() == ["left betty", "undelivered betty one #7"]


def test_a_report_to_who_has_gone_as_well_is_dropped(
    andy: Client, betty: Client, house: House
) -> None:
    betty.outbox.taken = False
    whisper(andy, "one")
    andy.lose()
    house.clock.run()
    betty.lose()
    house.clock.run()
    assert betty.room.confirmed() == 1
    assert house.nicknames() == []


def test_a_report_that_cannot_be_written_is_not_reported(andy: Client, betty: Client) -> None:
    betty.outbox.taken = False
    whisper(andy, "one")
    andy.outbox.taken = False
    betty.lose()
    andy.read()
    andy.lose()
    andy.read()
    assert andy.room.confirmed() == 1


def test_who_is_leaving_still_reads(andy: Client, betty: Client) -> None:
    andy.whisper("betty", "wait")
    andy.house.clock.turn()
    betty.leave()
    assert betty.read() == ["whispered andy wait", "farewell"]


def test_a_letter_for_who_is_not_in_yet_is_reported(
    connect: Connect, andy: Client, room: Room
) -> None:
    """Nobody may read what was said before its own join."""
    newcomer = connect()
    newcomer.enter("newcomer")
    name, event = newcomer.session.name, Whispered("andy", andy.session.name, "newcomer", "psst")
    room.deliveries([Delivery(1, name, event, 0.0)])
    assert newcomer.outbox.read() == []
    assert "undelivered newcomer psst" in andy.read()


def test_letters_and_answers_of_one_turn_are_one_write(andy: Client, room: Room) -> None:
    andy.read()
    writes, name = andy.outbox.writes, andy.session.name
    letters = [Whispered("betty", "n:2", "andy", text) for text in ("one", "two")]
    room.deliveries([Delivery(i, name, letter, 0.0) for i, letter in enumerate(letters, 1)])
    assert andy.outbox.read() == [], "something may be settled that belongs to it"
    op = WhisperOp(name, "andy", "andy", "betty", "psst")
    andy.session.submitted(op)
    op.outcome = Outcome.DONE
    room.settled([op])
    room.flush()
    assert andy.outbox.read() == ["whispered betty one", "whispered betty two", "sent"]
    assert andy.outbox.writes == writes + 1


def test_a_letter_of_a_later_version_is_done_with(andy: Client, room: Room) -> None:
    room.deliveries([Delivery(1, andy.session.name, None, 0.0)])
    assert andy.read() == []
    assert room.confirmed() == 1


def test_a_report_for_nobody_is_done_with(room: Room) -> None:
    room.deliveries([Delivery(1, "n:1", Undelivered("andy", "n:1", "betty", "x"), 0.0)])
    assert room.confirmed() == 1


def test_a_fenced_room_reports_nothing(andy: Client, betty: Client, house: House) -> None:
    """Whoever buried it does."""
    betty.outbox.taken = False
    whisper(andy, "one")
    house.chat.condemn(house.stores[betty.room].node)
    assert andy.read() == ["left betty", "undelivered betty one"]
    assert betty.closed is Disconnect.FENCED
    assert house.counted("undelivered_total") == 0
    assert betty.room.confirmed() == 0


def test_a_fenced_room_counts_its_letters_anew(
    andy: Client, betty: Client, enter: Enter, house: House
) -> None:
    whisper(andy, "one", "two")
    house.chat.condemn(house.stores[betty.room].node)
    andy.read()
    again = enter("betty", room=betty.room)
    andy.read()
    whisper(andy, "three")
    assert again.read() == ["whispered andy three"]
    assert again.room.confirmed() == 1


def test_letters_are_counted_anew_when_the_store_lost_its_data(andy: Client, betty: Client) -> None:
    betty.outbox.taken = False
    whisper(andy, "one", "two")
    betty.room.renumbered()
    assert betty.room.confirmed() == 0
    assert betty.closed is None
    betty.lose()
    assert andy.read() == ["left betty"]


def test_what_was_said_before_a_letter_is_acknowledged_before_it(
    connect: Connect, room: Room, house: House
) -> None:
    andy = connect(ChatteEncoder())
    andy.enter("andy")
    house.clock.run()
    name, here, before = andy.session.name, room.roster.position, room.confirmed()
    said = [Said("betty", "other:1", "aloud")]
    room.entry(Entry(Position(here.epoch, here.offset + 1, 0.0), said, is_talk=True))
    room.flush()
    andy.do(commands.Acknowledge(1))
    room.entry(Entry(Position(here.epoch, here.offset + 2, 0.0), said, is_talk=True))
    room.deliveries([Delivery(before + 1, name, Whispered("betty", "other:1", "andy", "x"), 0.0)])
    room.flush()
    house.clock.run()
    for done in (before, before + 1):
        andy.do(commands.Acknowledge(1))
        assert room.confirmed() == done
