"""What newcomers read: the last messages, each once and in order, made once for all who read the same."""

from collections.abc import Sequence
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from fakes.encoder import PlainEncoder
from tertulia.chat.ports import Entry
from tertulia.chat.recent_talk import MOST_SIZE, RecentTalk
from tertulia.chat.unshown import Unshown
from tertulia.domain.events import Closed, Joined, PublicEvent, Said
from tertulia.domain.past import PastMessage, Place
from tertulia.domain.position import Position
from tertulia.telemetry.metrics import Metrics

DAY = 86_400.0
UNSHOWN = Unshown(Metrics(CollectorRegistry(), dialects=["plain"], chats=["main"], version="test"))
"""Which has nothing to note here."""


def ring(most: int, seconds: float) -> RecentTalk:
    return RecentTalk(most, seconds, UNSHOWN)


class Reader(PlainEncoder):
    """Counts what it is asked to render."""

    messages: ClassVar[int] = 0
    pages: ClassVar[int] = 0

    def past_message(self, message: PastMessage) -> bytes:
        Reader.messages += 1
        return super().past_message(message)

    def past(self, pieces: Sequence[bytes], epoch: str, before: Place, *, more: bool) -> bytes:
        Reader.pages += 1
        return super().past(pieces, epoch, before, more=more)


def at(offset: int, epoch: str = "e", time: float = 0.0) -> Position:
    return Position(epoch, offset, time)


def said(*texts: str) -> list[Said]:
    return [Said("andy", "n:1", text) for text in texts]


def read(talk: RecentTalk, history: int = 5, here: Position | None = None) -> list[str]:
    told, count = talk.as_read(PlainEncoder(history=history), here or at(99))
    lines = told.decode().splitlines()
    assert count == sum(line.startswith("past") for line in lines)
    return [line.removeprefix("past ") for line in lines]


def test_a_newcomer_reads_the_last_messages_with_their_places() -> None:
    talk = ring(10, DAY)
    talk.add(at(3), said("a", "b"))
    talk.add(at(5), said("c"), 2)
    assert read(talk) == ["3.0 andy a", "3.1 andy b", "5.2 andy c", "before 3.0"]
    assert read(talk, 2) == ["3.1 andy b", "5.2 andy c", "before 3.1 more"]
    talk.add(at(6), said("d"))
    assert read(talk, 2) == ["5.2 andy c", "6.0 andy d", "before 5.2 more"]


def test_an_empty_room_says_so() -> None:
    assert read(ring(10, DAY), here=at(7)) == ["before 8.0"]


def test_where_newcomers_read_nothing_nothing_is_made() -> None:
    talk = ring(10, DAY)
    talk.add(at(1), said("a"))
    assert talk.as_read(PlainEncoder(), at(9)) == (b"", 0)


def test_a_storm_of_newcomers_is_rendered_once() -> None:
    talk = ring(100, DAY)
    talk.add(at(1), said(*"abcdefgh"))
    Reader.messages = Reader.pages = 0
    for _ in range(100):
        talk.as_read(Reader(history=5), at(9))
    assert (Reader.messages, Reader.pages) == (5, 1)
    talk.add(at(2), said("i"))
    for _ in range(100):
        talk.as_read(Reader(history=5), at(9))
    assert (Reader.messages, Reader.pages) == (6, 2), "only what is new"


def test_nothing_is_rendered_before_somebody_comes() -> None:
    Reader.messages = 0
    talk = ring(3, DAY)
    talk.as_read(Reader(history=3), at(9))
    for offset in range(50):
        talk.add(at(offset), said("a", "b"))
    talk.as_read(Reader(history=3), at(99))
    assert Reader.messages == 3


def test_what_is_kept_is_bounded_in_messages() -> None:
    talk = ring(3, DAY)
    for offset in range(1000):
        talk.add(at(offset), said("a", "b"))
    assert len(talk._ring) == 2
    assert read(talk, 3) == ["998.1 andy b", "999.0 andy a", "999.1 andy b", "before 998.1 more"]


def test_what_is_kept_is_bounded_in_size() -> None:
    talk = ring(500, DAY)
    for offset in range(500):
        talk.add(at(offset), said("x" * 4096))
        read(talk, 500)
    kept = MOST_SIZE // (4096 + 128)
    assert len(talk._ring) == kept
    assert read(talk, 500)[0].startswith(f"{500 - kept}.0")
    assert read(talk, 500)[-1] == f"before {500 - kept}.0 more"


def test_the_closing_and_another_epoch_empty_it() -> None:
    talk = ring(10, DAY)
    talk.add(at(1), said("a"))
    talk.clear("e")
    assert read(talk, here=at(2)) == ["before 3.0"]
    talk.add(at(3), said("b"))
    assert read(talk, here=at(1, "f")) == ["before 2.0"], "nothing was said in the new epoch yet"
    talk.add(at(4), said("c"))
    talk.add(at(2, "f"), said("d"))
    assert read(talk, here=at(3, "f")) == ["2.0 andy d", "before 2.0"]


def test_what_the_log_keeps_no_longer_is_not_read_either() -> None:
    talk = ring(10, 60.0)
    talk.add(at(1, time=100.0), said("a"))
    talk.add(at(2, time=130.0), said("b"))
    assert len(read(talk, here=at(3, time=160.0))) == 3
    assert read(talk, here=at(3, time=161.0)) == ["2.0 andy b", "before 2.0 more"]
    assert read(talk, here=at(3, time=999.0)) == ["before 4.0 more"]


def test_it_begins_with_what_the_log_has_since_the_chat_was_closed() -> None:
    events: list[PublicEvent] = [
        *said("a"),
        Closed("andy", "n:1"),
        Joined("andy", "n:2", "x"),
        *said("b"),
    ]
    entries = [Entry(at(1), said("0")), Entry(at(2), events), Entry(at(4), said("c"))]
    talk = ring(10, DAY)
    talk.fill(entries, "e", is_whole=False)
    assert read(talk) == ["2.1 andy b", "4.0 andy c", "before 2.1"]
    talk.fill(entries[2:], "e", is_whole=False)
    assert read(talk) == ["4.0 andy c", "before 4.0 more"]
    talk.fill([], "e", is_whole=False)
    assert read(talk) == ["before 100.0 more"]


def test_what_was_redacted_is_not_read() -> None:
    talk = ring(10, DAY)
    talk.add(at(1), said("a", "b"))
    read(talk)
    talk.redact(1, 0)
    assert read(talk) == ["1.0 andy redacted", "1.1 andy b", "before 1.0"]
    talk.add(at(2), said("c"))
    assert read(talk)[0] == "1.0 andy redacted"


def test_what_is_redacted_and_not_in_the_ring_costs_nothing() -> None:
    talk = ring(10, DAY)
    reader = Reader(history=5)
    talk.redact(1, 0)
    talk.add(at(5), said("a"))
    text, _ = talk.as_read(reader, at(99))
    talk.redact(4, 0)
    assert talk.as_read(reader, at(99))[0] is text, "it is not rendered anew"


@given(
    entries=st.lists(st.integers(1, 7), max_size=30),
    most=st.integers(1, 12),
    wanted=st.integers(1, 12),
    asked=st.sets(st.integers(0, 30)),
)
def test_it_is_always_the_last_messages(
    entries: list[int], most: int, wanted: int, asked: set[int]
) -> None:
    wanted = min(wanted, most)
    talk = ring(most, DAY)
    places: list[str] = []
    for offset, count in enumerate(entries, 1):
        talk.add(at(offset), said(*"x" * count))
        places += [f"{offset}.{i}" for i in range(count)]
        if offset in asked:
            read(talk, wanted)
    told = read(talk, wanted)
    assert [line.partition(" ")[0] for line in told[:-1]] == places[-wanted:]
    assert told[-1].endswith("more") == (len(places) > wanted)


@pytest.mark.parametrize("encoder", [PlainEncoder(history=3), PlainEncoder(history=4)])
def test_each_encoder_reads_its_own_share(encoder: PlainEncoder) -> None:
    talk = ring(10, DAY)
    talk.add(at(1), said(*"abcdef"))
    for each in (PlainEncoder(history=2), encoder):
        assert talk.as_read(each, at(9))[1] == each.history
