"""A session's own bookkeeping: its answers' order, and what it has read and acknowledged."""

import pytest

from fakes.encoder import FramedEncoder, PlainEncoder
from fakes.outbox import RecordingOutbox
from tertulia.chat.fanout import Group, OneByOne
from tertulia.chat.ports import SayOp
from tertulia.chat.session import Session, State
from tertulia.dialects.contract import Encoder
from tertulia.domain.events import Joined, PublicEvent, Said


def say(text: str) -> SayOp:
    return SayOp("n:1", "andy", "andy", text)


@pytest.fixture
def outbox() -> RecordingOutbox:
    return RecordingOutbox()


@pytest.fixture
def session(outbox: RecordingOutbox) -> Session:
    return Session(PlainEncoder(), outbox, "192.0.2.1", 4000)


@pytest.mark.parametrize(
    ("state", "takes"),
    [
        (State.CONNECTED, True),
        (State.JOINING, False),
        (State.ACTIVE, True),
        (State.LEAVING, False),
        (State.ENDED, False),
    ],
)
def test_commands_are_taken_where_they_make_sense(
    session: Session, state: State, takes: bool
) -> None:
    session.state = state
    assert session.takes_commands is takes


def test_an_answer_comes_at_once_where_nothing_is_waited_for(
    session: Session, outbox: RecordingOutbox
) -> None:
    session.answer(b"one\n")
    assert outbox.read() == ["one"]


def test_an_answer_waits_for_the_ops_before_it(session: Session, outbox: RecordingOutbox) -> None:
    first, second = say("1"), say("2")
    session.submitted(first)
    session.answer(b"after the first\n")
    session.answer(b"and this\n")
    session.submitted(second)
    session.answer(b"after the second\n")
    assert outbox.read() == []
    assert session.awaiting == 2
    assert session.settled(first) == b"after the first\nand this\n"
    assert session.awaiting == 1
    assert session.settled(second) == b"after the second\n"
    assert session.awaiting == 0
    session.answer(b"at once again\n")
    assert outbox.read() == ["at once again"]


def test_an_op_without_answers_behind_it_has_none(session: Session) -> None:
    first, second = say("1"), say("2")
    session.submitted(first)
    session.submitted(second)
    session.answer(b"after the second\n")
    assert session.settled(first) == b""
    assert session.settled(second) == b"after the second\n"


def in_group(encoder: Encoder, said: int) -> Session:
    session = Session(encoder, RecordingOutbox(), "192.0.2.1", 4000)
    session.group = Group(encoder, OneByOne(), set())
    session.group.said = said
    session.said_before = said
    return session


def test_received_are_public_messages_since_the_join_and_private_ones() -> None:
    session = in_group(PlainEncoder(), said=100)
    assert session.received() == 0
    assert session.group is not None
    session.group.said += 3
    session.whispers += 2
    assert session.received() == 5


def test_messages_of_the_joins_own_entry_that_came_before_it_are_not_received() -> None:
    session = in_group(PlainEncoder(), said=0)
    assert session.group is not None
    events: list[PublicEvent] = [Said("a", "n:2", "x"), Joined("b", "n:1"), Said("a", "n:2", "y")]
    session.group.said = 2
    session.begins_after(events[:2])
    assert session.received() == 1


def test_where_only_private_messages_are_acknowledged_only_those_count() -> None:
    session = in_group(FramedEncoder(), said=0)
    assert session.group is not None
    session.group.said += 100
    session.whispers = 3
    assert session.received() == 3


def test_before_the_join_only_private_messages_count(session: Session) -> None:
    session.whispers = 1
    assert session.received() == 1


@pytest.mark.parametrize(
    ("received", "acknowledged", "is_acknowledging"),
    [(0, 0, True), (1, 0, False), (1, 1, True), (10, 4, False), (10, 5, True), (10, 11, True)],
)
def test_a_client_acknowledges_if_it_does_so_for_half(
    session: Session, received: int, acknowledged: int, is_acknowledging: bool
) -> None:
    session.whispers, session.acknowledged = received, acknowledged
    assert session.is_acknowledging is is_acknowledging
