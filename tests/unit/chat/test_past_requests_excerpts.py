"""Reading a part of what was said: between two places or times, or around one; one after the other."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.encoder import FramedEncoder, PlainEncoder
from fakes.house import LIMITS, Client, House
from tertulia.chat import past_requests
from tertulia.chat.ports import Entry
from tertulia.domain import commands
from tertulia.domain.commands import Excerpt
from tertulia.domain.disconnects import Disconnect
from tertulia.domain.events import Joined, PublicEvent, Said
from tertulia.domain.past import PastMessage, Place
from tertulia.domain.position import Position
from unit.chat.conftest import Enter

READER = PlainEncoder(history=3)
AT = 1000.0
"""When the first entry was committed; each later one is a second later."""
EVERYTHING = "2.0a 3.0b 4.0c 5.0d 5.1e 6.0f"


def told(messages: Sequence[PastMessage]) -> bytes:
    places = [
        f"{it.position.offset}.{it.index}{'-' if it.is_redacted else it.said.text}"
        for it in messages
    ]
    return ("excerpt " + " ".join(places)).strip().encode() + b"\n"


def asking(most: int = 100, **more: object) -> Excerpt:
    return Excerpt(told, most, **more)  # type: ignore[arg-type]


@pytest.fixture
def house() -> House:
    return House(replace(LIMITS, history=3, outbox_bytes=1_000_000))


@pytest.fixture
def andy(enter: Enter, house: House) -> Client:
    """Somebody who has said a, b, c and d, e in one entry and f, from offset 2 on, one each second."""
    client = enter("andy", READER)
    for texts in ("a", "b", "c", "de", "f"):
        house.clock.advance(1.0)
        for text in texts:
            client.say(text)
        client.read()
    return client


def ask(client: Client, command: Excerpt) -> None:
    room = client.room
    requests = room._asked._past_requests
    requests.excerpt(client.session, command, room, client.house.stores[room])


def read(client: Client, **more: object) -> str:
    ask(client, asking(**more))  # type: ignore[arg-type]
    (line,) = client.read()
    assert client.session.takes_commands
    client.house.clock.advance(1.0)
    return line.removeprefix("excerpt").strip()


# What is in it


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, EVERYTHING),
        ({"most": 2}, "5.1e 6.0f"),
        ({"most": 2, "from_start": True}, "2.0a 3.0b"),
        ({"before": Place(5)}, "2.0a 3.0b 4.0c"),
        ({"before": Place(5, 1), "most": 2}, "4.0c 5.0d"),
        ({"before": Place(2)}, ""),
        ({"before": Place(0)}, ""),
        ({"before": Place(999)}, EVERYTHING),
        ({"before": Place(4), "from_start": True, "most": 1}, "2.0a"),
        ({"after": Place(4)}, "5.0d 5.1e 6.0f"),
        ({"after": Place(5), "from_start": True}, "5.1e 6.0f"),
        ({"after": Place(5, 1), "from_start": True, "most": 1}, "6.0f"),
        ({"after": Place(2), "from_start": True, "most": 2}, "3.0b 4.0c"),
        ({"after": Place(2), "most": 2}, "5.1e 6.0f"),
        ({"after": Place(0), "from_start": True}, EVERYTHING),
        ({"after": Place(6), "from_start": True}, ""),
        ({"after": Place(999), "from_start": True}, ""),
        ({"after": Place(999)}, ""),
        ({"after": Place(2), "before": Place(5, 1), "from_start": True}, "3.0b 4.0c 5.0d"),
        ({"after": Place(2), "before": Place(5, 1)}, "3.0b 4.0c 5.0d"),
        ({"after": Place(2), "before": Place(5, 1), "most": 1}, "5.0d"),
        ({"after": Place(5), "before": Place(3), "from_start": True}, ""),
        ({"after": Place(5), "before": Place(3)}, ""),
        ({"around": Place(4), "most": 1}, "4.0c"),
        ({"around": Place(4), "most": 2}, "3.0b 4.0c"),
        ({"around": Place(5), "most": 3}, "4.0c 5.0d 5.1e"),
        ({"around": Place(5, 1), "most": 4}, "4.0c 5.0d 5.1e 6.0f"),
        ({"around": Place(2), "most": 4}, "2.0a 3.0b 4.0c 5.0d"),
        ({"around": Place(999), "most": 4}, "5.1e 6.0f"),
        ({"before": AT + 3}, "2.0a 3.0b"),
        ({"before": AT + 3.5, "most": 2}, "3.0b 4.0c"),
        ({"before": AT}, ""),
        ({"before": AT + 99}, EVERYTHING),
        ({"after": AT + 3, "from_start": True, "most": 2}, "5.0d 5.1e"),
        ({"after": AT + 2.999999, "from_start": True, "most": 1}, "4.0c"),
        ({"after": AT + 3}, "5.0d 5.1e 6.0f"),
        ({"after": AT + 99, "from_start": True}, ""),
        ({"after": AT + 1, "before": AT + 4}, "3.0b 4.0c"),
        ({"after": AT + 1, "before": AT + 4, "from_start": True}, "3.0b 4.0c"),
        ({"after": AT + 1, "before": Place(5), "from_start": True}, "3.0b 4.0c"),
        ({"after": Place(2), "before": AT + 4}, "3.0b 4.0c"),
        ({"around": AT + 3, "most": 1}, "4.0c"),
        ({"around": AT + 3, "most": 3}, "3.0b 4.0c 5.0d"),
        ({"around": AT + 3.5, "most": 2}, "4.0c 5.0d"),
        ({"around": AT + 99, "most": 4}, "5.1e 6.0f"),
        ({"around": AT - 99, "most": 4}, "2.0a 3.0b 4.0c 5.0d"),
        ({"epoch": "memory"}, EVERYTHING),
        ({"epoch": "another"}, ""),
    ],
)
def test_what_is_read(andy: Client, asked: dict[str, object], expected: str) -> None:
    assert read(andy, **asked) == expected


@given(
    st.lists(st.integers(0, 3), max_size=12),
    st.integers(1, 12),
    st.none() | st.tuples(st.integers(0, 14), st.integers(0, 3)) | st.floats(995, 1015),
    st.none() | st.tuples(st.integers(0, 14), st.integers(0, 3)) | st.floats(995, 1015),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_it_is_what_a_plain_list_gives(
    sizes: list[int],
    most: int,
    after: tuple[int, int] | float | None,
    before: tuple[int, int] | float | None,
    from_start: bool,
) -> None:
    house = House(replace(LIMITS, history=3))
    room = house.room()
    client = Client(house, room, READER)
    client.enter("andy")
    client.read()
    for size in sizes:
        house.clock.advance(1.0)
        for _ in range(size):
            client.say("x")
        client.read()
    everything = [
        (entry.position.offset, index, entry.position.at)
        for entry in house.chat.log
        for index, _ in enumerate(it for it in entry.events if isinstance(it, Said))
    ]
    asked = {
        name: Place(*it) if isinstance(it, tuple) else it
        for name, it in (("after", after), ("before", before))
    }
    expected = [
        it
        for it in everything
        if (after is None or (it[:2] > after if isinstance(after, tuple) else it[2] > after))
        and (before is None or (it[:2] < before if isinstance(before, tuple) else it[2] < before))
    ]
    expected = expected[:most] if from_start else expected[-most:]
    line = read(client, most=most, from_start=from_start, **asked)
    assert line == " ".join(f"{offset}.{index}x" for offset, index, _ in expected)


def test_what_was_redacted_is_marked(andy: Client, house: House) -> None:
    house.chat.redact(3, 0)
    andy.read()
    assert read(andy) == "2.0a 3.0- 4.0c 5.0d 5.1e 6.0f"
    assert read(andy, from_start=True, most=2) == "2.0a 3.0-"


@pytest.mark.parametrize("most", [0, -5])
def test_one_at_the_least(andy: Client, most: int) -> None:
    assert read(andy, most=most) == "6.0f"


def test_a_hundred_at_most(enter: Enter) -> None:
    andy = enter("andy", READER)
    for _ in range(120):
        andy.say("x")
    andy.read()
    for asked in ({}, {"from_start": True}, {"around": Place(2, 60)}):
        assert len(read(andy, most=2**40, **asked).split()) == 100


@pytest.mark.parametrize(
    ("bound", "last", "first"),
    [
        ("MOST_BYTES", "6.0f", "2.0a"),
        ("MOST_ENTRIES", "6.0f", ""),
        ("MOST_MESSAGES", "6.0f", "2.0a"),
    ],
)
def test_the_work_is_bounded(
    andy: Client, bound: str, last: str, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first entry has a join, and nothing that was said."""
    monkeypatch.setattr(past_requests, bound, 1)
    assert read(andy) == last
    assert read(andy, from_start=True) == first


# What is not in it


def test_nothing_is_read_across_the_closing(andy: Client, enter: Enter) -> None:
    andy.do(commands.CloseChat())
    andy.read()
    betty = enter("betty", READER)
    betty.say("g")
    betty.read()
    for asked in (
        *({}, {"from_start": True}, {"after": Place(2), "from_start": True}),
        *({"around": Place(4)}, {"around": AT + 2}, {"after": Place(2)}),
    ):
        assert read(betty, **asked) == "9.0g"
    for asked in (
        {"before": Place(5)},
        {"before": AT + 3},
        {"before": Place(5), "from_start": True},
    ):
        assert read(betty, **asked) == ""


def test_what_this_node_has_not_read_yet_is_not_past(andy: Client, house: House) -> None:
    events: list[PublicEvent] = [Joined("x", "x:1"), Said("x", "x:1", "later")]
    house.chat._log.append(Entry(Position("memory", 7, AT + 6), events))
    for asked in (
        *({}, {"from_start": True}, {"before": AT + 99}),
        *({"around": AT + 3}, {"before": Place(9)}, {"after": Place(1), "from_start": True}),
    ):
        assert read(andy, **asked) == EVERYTHING


def test_where_newcomers_read_nothing_there_is_nothing(andy: Client, enter: Enter) -> None:
    carl = enter("carl")
    assert read(carl) == ""


# When it is read


def test_those_who_ask_for_several_are_answered_one_after_the_other(andy: Client) -> None:
    """Nothing else is taken from them meanwhile."""
    ask(andy, asking(1))
    assert not andy.session.takes_commands
    assert andy.read() == ["excerpt 6.0f"]
    assert andy.session.takes_commands
    ask(andy, asking(1, before=Place(4)))
    assert andy.read() == []
    assert not andy.session.takes_commands
    andy.house.clock.advance(past_requests.REST_SECONDS)
    assert andy.read() == ["excerpt 3.0b"]
    assert andy.session.takes_commands


def test_an_answer_waits_for_those_to_earlier_commands(andy: Client) -> None:
    andy.say("g")
    ask(andy, asking(1))
    assert [it for it in andy.read() if not it.startswith("said")] == ["sent", "excerpt 6.0f"]


def test_it_waits_for_who_looks_back_as_well(andy: Client) -> None:
    andy.do(commands.LookBack(3))
    ask(andy, asking(1))
    assert andy.read() == ["past 2.0 andy a", "before 1.0"]
    andy.house.clock.advance(past_requests.REST_SECONDS)
    assert andy.read() == ["excerpt 6.0f"]


def test_who_goes_meanwhile_costs_nothing_more(andy: Client) -> None:
    read(andy)
    ask(andy, asking(1))
    ask(andy, asking(2))
    andy.lose()
    andy.house.clock.advance(1.0)
    requests = andy.room._asked._past_requests
    assert not (requests._resting or requests._underway or requests._waiting)
    assert andy.outbox.read() == []


def test_an_answer_that_fails_ends_its_session(andy: Client) -> None:
    def fail(messages: Sequence[PastMessage]) -> bytes:
        raise ValueError(messages)

    ask(andy, Excerpt(fail, 3))
    andy.read()
    assert andy.closed is Disconnect.INTERNAL


# In a further room


def test_in_a_room_it_is_for_who_is_in_it(enter: Enter) -> None:
    andy, betty = (enter(it, FramedEncoder(history=3)) for it in ("andy", "betty"))
    andy.join("ops")
    andy.read()
    andy.say("secret", room="ops")
    andy.read()
    betty.read()
    further = andy.room.further
    for client, expected in ((andy, ["excerpt 2.0secret"]), (betty, ["excerpt"])):
        for asked in ({}, {"from_start": True}, {"around": Place(2)}):
            further.excerpt(client.session, asking(room="ops", **asked))
            assert client.read() == expected
            client.house.clock.advance(1.0)
    further.excerpt(andy.session, asking(room="nowhere"))
    assert andy.read() == ["excerpt"]


def test_who_has_left_the_room_meanwhile_reads_nothing_of_it(enter: Enter) -> None:
    andy = enter("andy", FramedEncoder(history=3))
    andy.join("ops")
    andy.read()
    andy.say("secret", room="ops")
    andy.read()
    andy.room.further.part(andy.session, "ops")
    andy.room.further.excerpt(andy.session, asking(room="ops"))
    assert "excerpt" in andy.read()
    andy.join("ops")
    andy.read()
    andy.room.further.excerpt(andy.session, asking(room="ops"))
    andy.room.further.part(andy.session, "ops")
    assert "excerpt" in andy.read()
