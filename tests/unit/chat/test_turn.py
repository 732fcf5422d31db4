"""What comes together is written in the order in which it came."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from fakes.encoder import PlainEncoder
from fakes.outbox import RecordingOutbox
from tertulia.chat.fanout import Audience, News
from tertulia.chat.session import Session
from tertulia.chat.turn import Turn
from tertulia.domain.events import Said
from tertulia.domain.position import Position
from tertulia.telemetry.metrics import Metrics


class House:
    """A turn, and two who read."""

    def __init__(self) -> None:
        metrics = Metrics(CollectorRegistry(), dialects=["plain"], chats=["main"], version="test")
        audience = Audience(metrics)
        self.turn = Turn(audience)
        self.boxes = [RecordingOutbox(), RecordingOutbox()]
        self.sessions = [Session(PlainEncoder(), box, "", 1) for box in self.boxes]
        for session in self.sessions:
            audience.add(session)

    def say(self, text: str) -> None:
        self.turn.events(News(Position("e", 1), [Said("andy", "n:9", text)]))


@pytest.fixture
def house() -> House:
    return House()


def test_nothing_is_written_before_it_is_flushed(house: House) -> None:
    house.say("one")
    assert house.boxes[0].read() == []
    house.turn.flush()
    assert house.boxes[0].read() == ["said andy one"]
    house.turn.flush()
    assert house.boxes[0].writes == 1


@pytest.mark.parametrize("own", ["letter", "answer"])
def test_what_was_said_is_written_before_what_is_for_one(house: House, own: str) -> None:
    """And counted: a letter is acknowledged behind it."""
    house.say("one")
    getattr(house.turn, own)(house.sessions[0], b"psst\n")
    assert house.sessions[0].receipts.received() == 1
    house.turn.flush()
    assert house.boxes[0].read() == ["said andy one", "psst"]
    assert house.boxes[1].read() == ["said andy one"]


def test_letters_and_answers_are_one_write(house: House) -> None:
    house.turn.letter(house.sessions[0], b"one\n")
    house.turn.letter(house.sessions[0], b"two\n")
    house.turn.answer(house.sessions[0], b"sent\n")
    house.turn.answer(house.sessions[1], b"")
    house.turn.flush()
    assert house.boxes[0].read() == ["one", "two", "sent"]
    assert [box.writes for box in house.boxes] == [1, 0]


def test_an_answer_may_be_one_write_with_what_was_said(house: House) -> None:
    house.say("one")
    house.turn.answer_together(house.sessions[0], b"sent\n")
    house.turn.flush()
    assert [box.read() for box in house.boxes] == [["said andy one", "sent"], ["said andy one"]]
    assert [box.writes for box in house.boxes] == [1, 1]


def test_what_is_said_after_an_answer_is_written_after_it(house: House) -> None:
    house.say("one")
    house.turn.answer_together(house.sessions[0], b"sent\n")
    house.say("two")
    house.turn.flush()
    assert house.boxes[0].read() == ["said andy one", "sent", "said andy two"]


@given(st.lists(st.sampled_from(["events", "letter", "answer", "answer_together", "flush"])))
def test_everybody_reads_in_the_order_in_which_it_came(steps: list[str]) -> None:
    house, expected = House(), []
    for number, step in enumerate(steps):
        if step == "events":
            house.say(str(number))
            expected.append(f"said andy {number}")
        elif step == "flush":
            house.turn.flush()
            continue
        else:
            getattr(house.turn, step)(house.sessions[0], b"%d\n" % number)
            expected.append(str(number))
    house.turn.flush()
    assert house.boxes[0].read() == expected
    assert house.boxes[1].read() == [line for line in expected if line.startswith("said")]
