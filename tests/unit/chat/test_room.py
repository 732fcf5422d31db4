"""A room: what its clients do, and what they read, without a socket, a store or a clock of their own."""

from dataclasses import replace

import pytest

from fakes.encoder import PatientEncoder, PlainEncoder, SilentEncoder
from fakes.house import LIMITS, Client, House
from fakes.outbox import RecordingOutbox
from harness.waiting import until
from tertulia.chat.room import Room
from tertulia.chat.session import State
from tertulia.domain import commands
from tertulia.domain.commands import Fault
from tertulia.domain.disconnects import Disconnect
from unit.chat.conftest import Connect, Enter

# Entering


def test_a_new_connection_reads_the_greeting(house: House, room: Room) -> None:
    outbox = RecordingOutbox()
    session = room.connect(PlainEncoder(), outbox, "192.0.2.1", 1)
    assert outbox.read() == ["hello"]
    assert session.state is State.CONNECTED
    assert len(room) == 0


def test_who_enters_is_welcomed_and_the_others_are_told(enter: Enter, connect: Connect) -> None:
    andy = enter("andy")
    betty = connect()
    betty.enter("Betty")
    assert not betty.session.takes_commands
    assert betty.outbox.read() == []
    assert betty.read() == ["welcome Betty andy"]
    assert andy.read() == ["joined Betty"]
    assert betty.session.state is State.ACTIVE
    assert betty.decoder.told == ["entered"]
    assert betty.outbox.proceeds == 1


def test_the_welcome_tells_who_is_there_oldest_first(enter: Enter, house: House) -> None:
    for nickname in ("c", "a", "b"):
        enter(nickname)
    newcomer = enter("last", room=house.room("other"))
    assert newcomer.room.roster.administrator is not None
    assert [m.nickname for m in newcomer.room.roster] == ["c", "a", "b", "last"]


def test_a_newcomer_reads_what_comes_after_its_own_join_only(
    enter: Enter, connect: Connect, house: House
) -> None:
    """Also in one entry: two joins, and what is said before, between and after them."""
    andy = enter("andy")
    betty, carl = connect(), connect()
    andy.say("before")
    betty.enter("betty")
    andy.say("between")
    carl.enter("carl")
    andy.say("after")
    assert carl.read() == ["welcome carl andy betty", "said andy after"]
    assert betty.read() == [
        "welcome betty andy",
        "said andy between",
        "joined carl",
        "said andy after",
    ]
    assert andy.read() == [
        "said andy before",
        "joined betty",
        "said andy between",
        "joined carl",
        "said andy after",
        "sent",
        "sent",
        "sent",
    ]
    assert betty.outbox.writes == 1 + 1  # the greeting, and one for the whole entry


def test_what_was_said_before_is_not_to_be_acknowledged(enter: Enter, connect: Connect) -> None:
    andy = enter("andy")
    andy.say("long before")
    andy.read()
    betty = connect()
    andy.say("before")
    betty.enter("betty")
    andy.say("after")
    betty.read()
    assert betty.session.receipts.received() == 1
    assert andy.session.receipts.received() == 3


@pytest.mark.parametrize("nickname", ["", "two words", "a:b", "x" * 33, "G", "g", "fine", "Ñandú"])
def test_a_nickname_that_is_not_valid_is_refused(connect: Connect, nickname: str) -> None:
    client = connect()
    client.enter(nickname)
    assert client.outbox.read() == [f"refused invalid_nickname {nickname}".strip()]
    assert client.closed is Disconnect.REFUSED_INVALID
    assert len(client.room) == 0


async def test_a_password_for_no_account_is_refused(connect: Connect) -> None:
    client = connect()
    client.do(commands.Enter("andy", "secret"))
    assert not client.session.takes_commands  # until it is known whose password it is
    await until(lambda: client.closed, 30, "the answer")
    assert client.outbox.read() == ["refused no_account andy"]


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_nickname_that_is_taken_is_refused(
    enter: Enter, connect: Connect, house: House, elsewhere: bool
) -> None:
    holder = enter("andy")
    client = connect(room=house.room("other")) if elsewhere else connect()
    client.enter("ANDY")
    assert client.read() == ["refused nickname_taken ANDY"]
    assert client.closed is Disconnect.REFUSED_TAKEN
    assert holder.read() == []
    assert house.nicknames() == ["andy"]
    assert len(client.room) == (0 if elsewhere else 1)


def test_where_the_dialect_allows_it_another_one_may_be_tried(
    enter: Enter, connect: Connect
) -> None:
    enter("andy")
    client = connect(PatientEncoder())
    client.enter("andy")
    assert client.read() == ["refused nickname_taken andy"]
    assert client.session.state is State.CONNECTED
    assert client.decoder.told == ["refused"]
    assert client.outbox.proceeds == 1
    client.enter("not valid")
    assert client.read() == ["refused invalid_nickname not valid"]
    client.enter("betty")
    assert client.read() == ["welcome betty andy"]
    assert client.decoder.told == ["refused", "refused", "entered"]


def test_not_for_ever(enter: Enter, connect: Connect) -> None:
    enter("andy")
    client = connect(PatientEncoder())
    for _ in range(LIMITS.enter_tries):
        assert client.closed is None
        client.enter("andy")
        assert client.read() == ["refused nickname_taken andy"]
    assert client.closed is Disconnect.ENTER_TRIES


def test_other_commands_before_a_nickname_end_it(connect: Connect) -> None:
    client = connect()
    client.leave()
    assert client.closed is Disconnect.LEFT


def test_who_goes_while_it_enters_leaves_no_trace(
    enter: Enter, connect: Connect, house: House
) -> None:
    andy = enter("andy")
    client = connect()
    client.enter("betty")
    client.lose()
    assert andy.read() == ["joined betty", "left betty"]
    assert house.nicknames() == ["andy"]
    assert len(client.room) == 1


def test_who_is_refused_a_nickname_while_it_goes_takes_it_from_nobody(
    enter: Enter, connect: Connect, house: House
) -> None:
    andy = enter("andy")
    client = connect()
    client.enter("andy")
    client.lose()
    assert andy.read() == []
    assert house.nicknames() == ["andy"]


# Sending


def test_a_message_is_read_by_everybody_and_then_answered(enter: Enter, house: House) -> None:
    andy, betty = enter("andy"), enter("betty", room=house.room("other"))
    andy.read()
    andy.say("hello")
    assert andy.outbox.read() == []
    assert andy.read() == ["said andy hello", "sent"]
    assert betty.read() == ["said andy hello"]
    assert house.counted("messages_total", kind="public", dialect="plain") == 1


def test_a_sender_whose_dialect_does_not_echo_reads_only_the_answer(
    enter: Enter, house: House
) -> None:
    silent, other = enter("silent", SilentEncoder()), enter("other", SilentEncoder())
    silent.read()
    silent.say("one", 1)
    other.say("two")
    silent.say("three", 3)
    assert silent.read() == ["said other two", "sent #1", "sent #3"]
    assert other.read() == ["said silent one", "said silent three", "sent"]


def test_answers_come_in_the_order_of_the_commands(enter: Enter) -> None:
    """Some need the store, others are known at once."""
    andy = enter("andy")
    andy.do(commands.Faulty(Fault.MALFORMED))
    assert andy.outbox.read() == ["fault malformed"]
    andy.say("one", 1)
    andy.do(commands.Faulty(Fault.MALFORMED))
    andy.whisper("not valid", "x", 2)
    andy.whisper("nobody", "x", 3)
    andy.whisper("andy", "psst", 4)
    andy.do(commands.Faulty(Fault.TOO_LONG))
    andy.say("two", 5)
    assert andy.outbox.read() == []
    assert andy.read() == [
        "said andy one",
        "said andy two",
        "whispered andy psst",
        "sent #1",
        "fault malformed",
        "refused unknown_recipient not valid #2",
        "refused unknown_recipient nobody #3",
        "sent #4",
        "fault too_long",
        "sent #5",
    ]


def test_answers_come_in_the_order_of_the_commands_over_several_batches(
    house: House, connect: Connect
) -> None:
    andy = connect(room=house.room("small", batch_ops=1))
    andy.enter("andy")
    andy.read()
    for tag in range(1, 4):
        andy.say("x", tag)
        andy.do(commands.Faulty(Fault.MALFORMED))
    answers = [line for line in andy.read() if not line.startswith("said")]
    assert answers == [line for tag in range(1, 4) for line in (f"sent #{tag}", "fault malformed")]


def test_the_answers_of_a_batch_come_in_one_write_and_ask_for_more(enter: Enter) -> None:
    andy, betty = enter("andy"), enter("betty")
    andy.read()
    betty.read()
    proceeds, writes, hers = andy.outbox.proceeds, andy.outbox.writes, betty.outbox.writes
    for _ in range(5):
        andy.whisper("betty", "x")
    assert andy.session.awaiting == 5
    assert len(betty.read()) == len(andy.read()) == 5
    assert andy.session.awaiting == 0
    assert (andy.outbox.proceeds, andy.outbox.writes) == (proceeds + 1, writes + 1)
    assert betty.outbox.writes == hers + 1


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_whisper_is_read_by_its_recipient_alone(
    enter: Enter, house: House, elsewhere: bool
) -> None:
    andy = enter("andy")
    betty = enter("Betty", room=house.room("other")) if elsewhere else enter("Betty")
    carl = enter("carl")
    andy.read()
    betty.read()
    andy.whisper("BETTY", "psst")
    assert andy.read() == ["sent"]
    assert betty.read() == ["whispered andy psst"]
    assert carl.read() == []
    assert house.counted("messages_total", kind="private", dialect="plain") == 1


def test_acknowledgements_are_counted_and_not_answered(enter: Enter) -> None:
    andy = enter("andy")
    andy.do(commands.Acknowledge(3))
    andy.do(commands.Acknowledge(2))
    assert andy.read() == []
    assert andy.session.receipts.acknowledged == 5


# Leaving


def test_who_leaves_is_told_goodbye_and_the_others_are_told(enter: Enter, house: House) -> None:
    andy, betty = enter("andy"), enter("betty")
    andy.read()
    betty.say("bye")
    betty.leave()
    assert betty.session.state is State.LEAVING
    andy.say("goodbye")
    assert betty.read() == ["said betty bye", "sent", "farewell"]
    assert betty.closed is Disconnect.LEFT
    assert andy.read() == ["said betty bye", "left betty", "said andy goodbye", "sent"]
    assert house.counted("leaves_total", reason="left") == 1


def test_who_loses_its_connection_is_announced_as_gone(enter: Enter, house: House) -> None:
    andy, betty = enter("andy"), enter("betty")
    andy.read()
    betty.say("last words")
    betty.lose()
    assert betty.closed is Disconnect.GONE
    assert andy.read() == ["said betty last words", "left betty"]
    assert house.nicknames() == ["andy"]
    betty.room.lost(betty.session, Disconnect.GONE)
    assert andy.read() == []


def test_who_leaves_and_loses_its_connection_leaves_once(enter: Enter) -> None:
    andy, betty = enter("andy"), enter("betty")
    andy.read()
    betty.leave()
    betty.lose()
    assert andy.read() == ["left betty"]
    assert betty.closed is Disconnect.GONE


def test_who_left_reads_nothing_of_what_comes_after(enter: Enter) -> None:
    andy, betty = enter("andy"), enter("betty")
    andy.read()
    betty.leave()
    betty.house.clock.turn()  # committed
    andy.say("anybody?")
    assert betty.read() == ["farewell"]


def test_a_drained_room_is_left_by_everybody(enter: Enter, connect: Connect, house: House) -> None:
    watcher = enter("watcher", room=house.room("other"))
    andy, betty = enter("andy"), enter("betty")
    waits = connect()
    watcher.read()
    waits.enter("carl")
    andy.say("what was read is committed")
    andy.room.drain()
    assert watcher.read() == [
        "joined carl",
        "said andy what was read is committed",
        "left andy",
        "left betty",
        "left carl",
    ]
    assert {c.closed for c in (andy, betty, waits)} == {Disconnect.DRAINED}
    assert len(andy.room) == 0
    assert house.nicknames() == ["watcher"]


# The administrator


def test_the_next_one_is_told_when_the_administrator_goes(enter: Enter, house: House) -> None:
    andy, betty, carl = enter("andy"), enter("betty", room=house.room("other")), enter("carl")
    for client in (andy, betty, carl):
        client.read()
    carl.lose()
    assert betty.read() == ["left carl"]
    andy.say("before")
    andy.leave()
    betty.say("after")
    assert betty.read()[:4] == ["said andy before", "left andy", "promoted", "said betty after"]


def test_only_who_is_first_is_told(enter: Enter) -> None:
    andy, betty, carl = enter("andy"), enter("betty"), enter("carl")
    for client in (andy, betty):
        client.read()
    andy.lose()
    betty.lose()
    assert carl.read() == ["left andy", "left betty", "promoted"]


def test_who_is_leaving_is_not_told_any_more(enter: Enter) -> None:
    andy, betty = enter("andy"), enter("betty")
    andy.leave()
    betty.leave()
    assert betty.read() == ["left andy", "farewell"]


def test_who_enters_an_empty_room_is_first_from_the_start(enter: Enter) -> None:
    andy = enter("andy")
    andy.leave()
    andy.read()
    assert "promoted" not in enter("betty").read()


def test_a_newcomer_may_be_promoted_in_the_entry_of_its_join(
    enter: Enter, connect: Connect
) -> None:
    andy, betty = enter("andy"), connect()
    betty.enter("betty")
    andy.leave()
    assert betty.read() == ["welcome betty andy", "left andy", "promoted"]


def test_the_administrator_may_close_the_chat(enter: Enter, connect: Connect, house: House) -> None:
    andy, betty = enter("andy"), enter("betty", room=house.room("other"))
    andy.read()
    betty.do(commands.CloseChat())
    assert betty.read() == ["refused forbidden"]
    andy.do(commands.CloseChat())
    late = connect()
    late.enter("betty")
    assert andy.read() == ["closed"]
    assert betty.read() == ["closed"]
    assert andy.closed is betty.closed is Disconnect.CHAT_CLOSED
    assert late.read() == ["welcome betty"]
    assert house.nicknames() == ["betty"]


def test_not_where_that_is_not_allowed() -> None:
    house = House(replace(LIMITS, may_be_closed=False))
    andy = Client(house, house.room(), PlainEncoder())
    andy.enter("andy")
    andy.read()
    andy.do(commands.CloseChat())
    assert andy.read() == ["refused forbidden"]


# Slow readers


def test_a_reader_whose_backlog_passes_the_bound_is_let_go(enter: Enter, house: House) -> None:
    andy, slow = enter("andy"), enter("slow")
    andy.read()
    slow.room.lags(slow.session)
    assert slow.room.lagging == 1
    slow.outbox.unsent = LIMITS.outbox_bytes
    andy.say("one")
    assert andy.read() == ["said andy one", "sent"]
    slow.outbox.unsent = LIMITS.outbox_bytes + 1
    andy.say("two")
    assert andy.read() == ["said andy two", "sent", "left slow"]
    assert slow.closed is Disconnect.SLOW_READER
    assert slow.room.lagging == 0
    assert house.counted("disconnects_total", reason="slow_reader") == 1


def test_a_reader_that_has_caught_up_is_not_looked_at(enter: Enter) -> None:
    andy, slow = enter("andy"), enter("slow")
    slow.room.lags(slow.session)
    slow.room.caught_up(slow.session)
    slow.outbox.unsent = LIMITS.outbox_bytes + 1
    andy.say("one")
    andy.read()
    assert slow.closed is None
    assert slow.room.lagging == 0
