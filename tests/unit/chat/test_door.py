"""The door of a listener: what passes through, and what a filter stops."""

import pytest

from fakes.encoder import FramedEncoder, PlainEncoder
from fakes.house import House
from fakes.outbox import RecordingOutbox
from tertulia.chat.door import Door
from tertulia.chat.room import Room
from tertulia.chat.session import Session
from tertulia.domain.commands import Command, Enter, Resume, Say, Whisper


class Guest:
    """Somebody behind a door."""

    def __init__(self, house: House, door: Door, nickname: str) -> None:
        self.house, self.door = house, door
        self.outbox = RecordingOutbox()
        self.session: Session = door.connect(self.outbox, "192.0.2.1", 50_000)
        self.do(Enter(nickname))
        self.read()

    def do(self, command: Command) -> None:
        self.door.command(self.session, command)

    def read(self) -> list[str]:
        self.house.clock.run()
        return self.outbox.read()


@pytest.fixture
def anna(house: House, room: Room) -> Guest:
    """Somebody who may say anything."""
    return Guest(house, Door(room, PlainEncoder()), "anna")


@pytest.fixture
def bruno(house: House, room: Room, anna: Guest) -> Guest:
    """Somebody who may not say spam."""
    bruno = Guest(house, Door(room, PlainEncoder(), None, lambda text: "spam" in text), "bruno")
    anna.read()
    return bruno


def test_what_is_refused_is_answered_to_its_sender_alone(
    house: House, anna: Guest, bruno: Guest
) -> None:
    count = len(house.chat.log)
    bruno.do(Say("spam", 3))
    bruno.do(Whisper("anna", "spam for you", 4))
    assert bruno.read() == ["filtered #3", "filtered #4"]
    assert anna.read() == []
    assert len(house.chat.log) == count
    assert house.counted("messages_filtered_total", dialect="plain") == 2


def test_the_answer_has_its_turn_and_counts_as_a_message(bruno: Guest) -> None:
    before = bruno.session.receipts.received()
    bruno.do(Say("hello"))
    bruno.do(Say("spam", 3))
    assert bruno.read() == ["said bruno hello", "sent", "filtered #3"]
    assert bruno.session.receipts.received() == before + 2


def test_what_is_refused_is_told_to_who_comes_back(house: House, room: Room) -> None:
    door = Door(room, FramedEncoder(), None, lambda text: "spam" in text)
    bruno = Guest(house, door, "bruno")
    bruno.do(Say("spam", 1))
    bruno.do(Say("hello", 2))
    token = bruno.session.token
    again = door.connect(outbox := RecordingOutbox(), "192.0.2.1", 50_000)
    door.command(again, Enter("bruno", resume=Resume(token, "memory", 1)))
    house.clock.run()
    assert "welcome bruno done=2 refused=1" in outbox.read()


def test_everything_else_passes(anna: Guest, bruno: Guest) -> None:
    bruno.do(Whisper("anna", "hello"))
    assert bruno.read() == ["sent"]
    anna.do(Say("spam"))
    assert "said anna spam" in anna.read()
    assert bruno.read() == ["said anna spam"]


def test_who_is_not_in_the_room_reads_nothing_of_it(house: House, room: Room) -> None:
    door = Door(room, PlainEncoder(), None, lambda text: True)
    outbox = RecordingOutbox()
    session = door.connect(outbox, "192.0.2.1", 50_000)
    outbox.read()
    door.command(session, Say("spam", 3))
    house.clock.run()
    assert outbox.read() == []


def test_without_a_filter_nothing_is_in_between(room: Room) -> None:
    assert Door(room, PlainEncoder()).command == room.command


@pytest.mark.parametrize("tags", ["+react=spam", r"+react=buy\sspam"])
def test_tags_have_no_words_that_are_refused_either(
    house: House, anna: Guest, bruno: Guest, tags: str
) -> None:
    bruno.do(Say("hello", 3, tags=tags))
    bruno.do(Say("", 4, tags=tags))
    bruno.do(Whisper("anna", "", 5, tags=tags))
    assert bruno.read() == ["filtered #3", "filtered #4", "filtered #5"]
    assert anna.read() == []
