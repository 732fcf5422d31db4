"""One rendering for all who read the same, and a cut for each who does not."""

from collections.abc import Mapping
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from fakes.encoder import FramedEncoder, PlainEncoder, SilentEncoder
from fakes.outbox import RecordingOutbox
from harness.several import several
from tertulia.chat.fanout import Audience, Cut, News
from tertulia.chat.reader import Reader
from tertulia.chat.session import Session
from tertulia.dialects.contract import Encoder
from tertulia.domain.events import Joined, PublicEvent, Registered, Said, SlowMode, WentAway
from tertulia.domain.position import Position
from tertulia.telemetry.metrics import Metrics

PLACE = Position("e", 7, 0.0)
EVENTS: list[PublicEvent] = [Said("andy", "n:1", text) for text in "abcd"]
ALL = ["said andy a", "said andy b", "said andy c", "said andy d"]


class CountingEncoder(PlainEncoder):
    """Counts how often it is asked to render."""

    rendered: ClassVar[int] = 0
    batched: ClassVar[int] = 0

    def public(self, event: PublicEvent) -> bytes:
        CountingEncoder.rendered += 1
        return super().public(event)

    def batch(self, pieces: object, position: Position, first: int = 0) -> bytes:
        CountingEncoder.batched += 1
        return super().batch(pieces, position)  # type: ignore[arg-type]


class MuteEncoder(PlainEncoder):
    """Has no word for anything."""

    def public(self, event: PublicEvent) -> bytes:
        return b""


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def audience(registry: CollectorRegistry) -> Audience:
    dialects = ["plain", "silent", "framed"]
    return Audience(Metrics(registry, dialects=dialects, chats=["main"], version="test"))


def listener(audience: Audience, encoder: Encoder) -> tuple[Session, RecordingOutbox]:
    outbox = RecordingOutbox()
    session = Session(encoder, outbox, "192.0.2.1", 1)
    audience.add(session)
    return session, outbox


def tell(audience: Audience, cuts: dict[Reader, Cut] | None = None) -> None:
    audience.tell([News(PLACE, EVENTS, cuts or {})], {})


def test_everybody_reads_everything_in_one_write(audience: Audience) -> None:
    outboxes = [listener(audience, PlainEncoder())[1] for _ in range(3)]
    tell(audience)
    assert [outbox.read() for outbox in outboxes] == [ALL] * 3
    assert [outbox.writes for outbox in outboxes] == [1] * 3


def test_an_event_is_rendered_once_for_all_who_listen_to_equal_encoders(audience: Audience) -> None:
    for _ in range(100):
        listener(audience, CountingEncoder())
    CountingEncoder.rendered = CountingEncoder.batched = 0
    tell(audience)
    assert (CountingEncoder.rendered, CountingEncoder.batched) == (4, 1)


def test_all_get_the_very_same_bytes(audience: Audience) -> None:
    written: list[bytes] = []
    for _ in range(3):
        outbox = RecordingOutbox()
        outbox._write = written.append  # type: ignore[method-assign,assignment] # it keeps no identities
        audience.add(Session(PlainEncoder(), outbox, "", 0))
    tell(audience)
    assert len({id(each) for each in written}) == 1


def test_each_voice_has_its_own_words(audience: Audience) -> None:
    plain, framed = (
        listener(audience, encoder)[1] for encoder in (PlainEncoder(), FramedEncoder())
    )
    tell(audience)
    assert plain.read() == ALL
    assert framed.read() == [f"7 [{', '.join(ALL)}]"]


def test_who_is_let_go_reads_nothing_more(audience: Audience) -> None:
    (session, gone), (_, stays) = (listener(audience, PlainEncoder()) for _ in range(2))
    audience.remove(session)
    audience.remove(session)
    tell(audience)
    assert gone.read() == []
    assert stays.read() == ALL


def test_nothing_is_written_where_a_voice_has_no_word(audience: Audience) -> None:
    (session, mute), (_, other) = (listener(audience, MuteEncoder()) for _ in range(2))
    tell(audience)
    tell(audience, {session: Cut()})
    assert (mute.writes, other.writes) == (0, 0)


def cut(
    *,
    prefix: bytes = b"",
    start: int = 0,
    end: int | None = None,
    skips: set[int] | None = None,
    inserts: Mapping[int, bytes] | None = None,
) -> Cut:
    made = Cut()
    made.prefix, made.start, made.end = prefix, start, end
    made.skips = skips or set()
    made.inserts = list((inserts or {}).items())
    return made


@pytest.mark.parametrize(
    ("own", "read"),
    [
        (cut(prefix=b"welcome\n", start=2), ["welcome", *ALL[2:]]),
        (cut(prefix=b"welcome\n", start=4), ["welcome"]),
        (cut(end=1), ALL[:1]),
        (cut(end=0), []),
        (cut(start=1, end=3), ALL[1:3]),
        (cut(skips={0, 2}), [ALL[1], ALL[3]]),
        (cut(inserts={1: b"promoted\n"}), [*ALL[:2], "promoted", *ALL[2:]]),
        (cut(inserts={3: b"promoted\n"}), [*ALL, "promoted"]),
        (cut(skips={1}, inserts={1: b"promoted\n"}), [ALL[0], "promoted", *ALL[2:]]),
        (cut(start=2, skips={1, 2}, inserts={3: b"promoted\n"}), [ALL[3], "promoted"]),
        (cut(end=2, inserts={2: b"promoted\n"}), ALL[:2]),
        (cut(start=2, inserts={1: b"promoted\n"}), ALL[2:]),
    ],
)
def test_a_cut_is_read_by_its_session_alone(audience: Audience, own: Cut, read: list[str]) -> None:
    (session, outbox), (_, other) = (listener(audience, PlainEncoder()) for _ in range(2))
    tell(audience, {session: own})
    assert outbox.read() == read
    assert other.read() == ALL
    assert outbox.writes == (1 if read else 0)


def test_who_reads_something_else_reads_it_first(audience: Audience) -> None:
    order: list[str] = []
    speaker, other = RecordingOutbox(), RecordingOutbox()
    for name, outbox in (("other", other), ("speaker", speaker)):
        outbox._write = lambda _, name=name: order.append(name)  # type: ignore[method-assign,misc]
    audience.add(Session(PlainEncoder(), other, "", 0))
    session = Session(PlainEncoder(), speaker, "", 0)
    audience.add(session)
    tell(audience, {session: cut(skips={0})})
    assert order == ["speaker", "other"]


def test_a_cut_is_framed_like_the_whole(audience: Audience) -> None:
    session, outbox = listener(audience, FramedEncoder())
    tell(audience, {session: cut(prefix=b"welcome\n", start=3)})
    assert outbox.read() == ["welcome", f"7 behind 3 [{ALL[3]}]"]


def test_a_cut_s_frame_says_how_many_messages_came_before_it(audience: Audience) -> None:
    session, outbox = listener(audience, FramedEncoder())
    came = Joined("betty", "n:2", "framed")
    for start in (1, 2, 3):
        own: dict[Reader, Cut] = {session: cut(start=start)}
        audience.tell([News(PLACE, [came, EVENTS[0], EVENTS[1], came], own)], {})
    assert [line.partition(" [")[0] for line in outbox.read()] == ["7", "7 behind 1", "7 behind 2"]


@given(
    start=st.integers(0, 4),
    end=st.none() | st.integers(0, 4),
    skips=st.sets(st.integers(0, 3)),
    insert=st.none() | st.integers(0, 3),
)
def test_a_cut_is_what_it_says(
    start: int, end: int | None, skips: set[int], insert: int | None
) -> None:
    pieces = [event.text.encode() for event in EVENTS if isinstance(event, Said)]
    own = cut(start=start, end=end, skips=skips, inserts={} if insert is None else {insert: b"+"})
    expected = []
    for index, piece in enumerate(pieces):
        if start <= index and (end is None or index < end):
            expected += [piece] * (index not in skips) + [b"+"] * (index == insert)
    assert b"".join(own.apply(pieces)) == b"".join(expected)
    assert pieces == [b"a", b"b", b"c", b"d"]


@pytest.mark.parametrize("more", [[], [Joined("bea", "n:2"), SlowMode("G", "-", 3)]])
def test_each_line_is_acknowledged(audience: Audience, more: list[PublicEvent]) -> None:
    more = [*more, WentAway("bea", "n:2", "lunch"), Registered("bea", "n:2", True)] if more else []
    session, _ = listener(audience, PlainEncoder())
    talk = [Said("andy", "n:1", several("a", "b", "c")), Said("andy", "n:1", "d")]
    audience.tell([News(PLACE, [*talk, *more])], {})
    assert session.receipts.received() == 4 + bool(more)


def test_messages_are_counted_for_who_acknowledges_them(
    audience: Audience, registry: CollectorRegistry
) -> None:
    (session, _), _ = listener(audience, PlainEncoder()), listener(audience, SilentEncoder())
    tell(audience)
    tell(audience)
    assert session.receipts.received() == 8
    for dialect, count in (("plain", 8), ("silent", 8), ("framed", 0)):
        found = registry.get_sample_value("tertulia_deliveries_total", {"dialect": dialect})
        assert found == count


def test_who_acknowledges_messages_may_come_where_nobody_did(audience: Audience) -> None:
    listener(audience, FramedEncoder())
    tell(audience)
    session, _ = listener(audience, PlainEncoder())
    tell(audience)
    assert session.receipts.received() == 4


def test_what_is_held_for_somebody_is_in_the_words_of_its_dialect(audience: Audience) -> None:
    (held, outbox), (_, other) = (
        listener(audience, it) for it in (PlainEncoder(), FramedEncoder())
    )
    audience.remove(held)
    held.hold()
    audience.add(held)
    tell(audience)
    assert outbox.read() == []
    held.release()
    assert outbox.read() == ALL
    assert other.read() == [f"7 [{', '.join(ALL)}]"]


def test_those_are_known_for_whom_everything_is_held(audience: Audience) -> None:
    (held, _), _ = (listener(audience, PlainEncoder()) for _ in range(2))
    assert audience.held == set()
    audience.remove(held)
    held.hold()
    audience.add(held)
    assert audience.held == {held}
    held.release()
    audience.release(held)
    assert audience.held == set()
