"""What was said before one came: newcomers read the last of it, between their welcome and the present."""

from dataclasses import replace

import pytest

from fakes.encoder import DeafEncoder, FramedEncoder, PlainEncoder
from fakes.house import LIMITS, House
from tertulia.chat.ports import Entry
from tertulia.chat.room import Room
from tertulia.domain import commands
from tertulia.domain.commands import Resume
from tertulia.domain.events import Joined, Left, Said
from tertulia.domain.operator_commands import Action, OperatorCommand
from tertulia.domain.position import Position
from unit.chat.conftest import Connect, Enter

READER = PlainEncoder(history=3)


@pytest.fixture
def house() -> House:
    return House(replace(LIMITS, history=10, outbox_bytes=100_000))


def test_a_newcomer_reads_what_was_said_before_anything_live(
    enter: Enter, connect: Connect
) -> None:
    andy = enter("andy")
    for text in ("one", "two", "three", "four"):
        andy.say(text)
        andy.read()
    betty = connect(READER)
    betty.enter("betty")
    andy.say("live")
    assert betty.read() == [
        *("welcome betty andy", "past 3.0 andy two", "past 4.0 andy three", "past 5.0 andy four"),
        *("before 3.0 more", "said andy live"),
    ]
    assert enter("carl").read() == [], "where newcomers read nothing"


def test_what_was_said_in_the_entry_in_which_it_comes_is_read_once(
    enter: Enter, connect: Connect
) -> None:
    andy = enter("andy")
    newcomers = {name: connect(PlainEncoder(history=9)) for name in ("b", "c")}
    andy.say("one")
    newcomers["b"].enter("b")
    andy.say("two")
    newcomers["c"].enter("c")
    andy.say("three")
    assert newcomers["b"].read() == [
        *("welcome b andy", "past 2.0 andy one", "before 2.0"),
        *("said andy two", "joined c", "said andy three"),
    ]
    assert newcomers["c"].read() == [
        *("welcome c andy b", "past 2.0 andy one", "past 2.1 andy two", "before 2.0"),
        "said andy three",
    ]


def test_nothing_from_before_the_chat_was_closed(enter: Enter, connect: Connect) -> None:
    andy = enter("andy")
    andy.say("before")
    andy.do(commands.CloseChat())
    andy.read()
    betty = connect(READER)
    betty.enter("betty")
    assert betty.read() == ["welcome betty", "before 4.0"]
    betty.say("after")
    betty.read()
    carl = connect(READER)
    carl.enter("carl")
    assert carl.read()[1:] == ["past 4.0 betty after", "before 4.0"]


def test_nothing_from_another_epoch(enter: Enter, room: Room) -> None:
    andy = enter("andy", READER)
    andy.say("before")
    andy.read()
    name = andy.session.name
    room.entry(Entry(Position("new", 1, 5.0), [Joined("dora", "x:1", "plain")]))
    told, _ = room._recent.as_read(READER, Position("new", 1, 5.0))
    assert told == b"before 2.0\n"
    room.entry(Entry(Position("new", 2, 5.0), [Said("andy", name, "a"), Left("dora", "x:1")]))
    told, _ = room._recent.as_read(READER, Position("new", 2, 5.0))
    assert told == b"past 2.0 andy a\nbefore 2.0\n"
    room.flush()


def test_nothing_from_before_a_part_that_is_missing(enter: Enter, room: Room) -> None:
    andy = enter("andy")
    andy.say("before")
    andy.read()
    room.missed(Position("memory", 40))
    told, _ = room._recent.as_read(READER, Position("memory", 40))
    assert told == b"before 41.0 more\n"


def test_nothing_from_before_somebody_was_erased(
    house: House, enter: Enter, connect: Connect
) -> None:
    andy = enter("andy")
    andy.say("a secret")
    connect(READER).enter("betty")
    andy.read()
    house.chat.order(OperatorCommand("1", "carla", Action.ERASE, ""))
    andy.say("after")
    andy.read()
    carl = connect(READER)
    carl.enter("carl")
    assert carl.read()[1:] == ["past 4.0 andy after", "before 4.0 more"]


def test_a_node_that_starts_knows_what_was_said(house: House, enter: Enter) -> None:
    andy = enter("andy")
    andy.say("one")
    andy.read()
    other = house.room("other")
    betty = enter("betty", room=other)
    assert betty.read() == []
    andy.say("two")
    andy.read()
    carl = enter("carl", PlainEncoder(history=5), room=other)
    told, count = other._recent.as_read(carl.session.encoder, Position("memory", 9))
    assert (told.splitlines()[:2], count) == ([b"past 2.0 andy one", b"past 4.0 andy two"], 2)


def test_who_comes_back_reads_what_it_missed_and_no_history(enter: Enter, connect: Connect) -> None:
    andy, betty = enter("andy"), enter("betty", FramedEncoder(history=5))
    andy.say("read")
    betty.read()
    token = betty.session.token
    betty.lose()
    again = connect(FramedEncoder(history=5))
    again.do(commands.Enter("betty", resume=Resume(token, "memory", 3)))
    assert again.read() == ["welcome betty andy", "4 [left betty]", "5 [joined betty]"]
    stranger = connect(FramedEncoder(history=5))
    stranger.do(commands.Enter("carl", resume=Resume("unknown", "memory", 3)))
    assert stranger.read()[:2] == ["welcome carl andy betty missed", "past 3.0 andy read"]


def test_a_client_that_is_deaf_after_its_welcome_reads_it_when_it_hears(
    enter: Enter, connect: Connect
) -> None:
    andy = enter("andy")
    andy.say("one")
    andy.read()
    carl = connect(DeafEncoder(history=5))
    carl.enter("carl")
    andy.say("live")
    assert carl.read() == ["welcome carl andy"]
    carl.do(commands.Ready())
    assert carl.read() == ["past 2.0 andy one", "before 2.0", "said andy live"]


def test_a_client_that_acknowledges_all_may_acknowledge_what_is_past(
    enter: Enter, connect: Connect, room: Room
) -> None:
    """Else its acknowledgements of the past would stand for a private message that it did not read."""
    andy = enter("andy")
    for text in ("one", "two"):
        andy.say(text)
        andy.read()
    betty = connect(READER)
    betty.enter("betty")
    betty.read()
    betty.do(commands.Acknowledge(2))
    andy.whisper("betty", "psst")
    betty.read()
    assert room.confirmed() == 0
    betty.do(commands.Acknowledge(1))
    assert room.confirmed() == 1


def test_what_was_redacted_is_a_mark_for_newcomers_and_whoever_looks_back(
    house: House, enter: Enter, connect: Connect
) -> None:
    """On a node that starts later as well."""
    andy = enter("andy", READER)
    for text in ("one", "secret", "three"):
        andy.say(text)
        andy.read()
    house.chat.redact(3, 0)
    andy.read()
    for room in (None, house.room("m")):
        betty = connect(READER, room=room)
        betty.enter("betty")
        assert betty.read()[1:4] == [
            "past 2.0 andy one",
            "past 3.0 andy redacted",
            "past 4.0 andy three",
        ]
        betty.do(commands.LookBack(4))
        assert "past 3.0 andy redacted" in betty.read()
        house.clock.advance(1.0)
        betty.do(commands.Search("secret"))
        assert not [line for line in betty.read() if "secret" in line and line.startswith("past")]
        betty.leave()
        betty.read()
