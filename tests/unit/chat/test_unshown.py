"""A dialect that fails on something costs what it is about: an event, a letter, one session. Never a node."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from fakes.encoder import FramedEncoder, PlainEncoder
from fakes.house import LIMITS, House
from tertulia.chat.fanout import Audience, Cut, News
from tertulia.chat.room import Room
from tertulia.dialects.browser import BrowserEncoder
from tertulia.dialects.chatte import ChatteEncoder
from tertulia.dialects.contract import AccountAnswer, Refusal, Welcome
from tertulia.dialects.protocollo import ProtocolloEncoder
from tertulia.domain import commands
from tertulia.domain.disconnects import Disconnect
from tertulia.domain.events import PrivateEvent, PublicEvent, Said
from tertulia.domain.past import PastMessage
from tertulia.domain.position import Position
from unit.chat.conftest import Connect, Enter
from unit.chat.test_fanout import PLACE, cut, listener
from unit.chat.test_fanout import audience as audience
from unit.chat.test_fanout import registry as registry

POISON = "poison"


class Defect(Exception):
    """What code of ours may come to raise."""


@dataclass(frozen=True)
class FailingEncoder(PlainEncoder):
    """Fails on whatever has a certain word in it."""

    def welcome(self, welcome: Welcome) -> bytes:
        if POISON in (welcome.nickname, *welcome.others):
            raise Defect
        return super().welcome(welcome)

    def public(self, event: PublicEvent) -> bytes:
        if isinstance(event, Said) and POISON in event.text:
            raise Defect
        return super().public(event)

    def private(self, event: PrivateEvent, at: float) -> bytes:
        if POISON in event.text:
            raise Defect
        return super().private(event, at)

    def past_message(self, message: PastMessage) -> bytes:
        if POISON in message.said.text:
            raise Defect
        return super().past_message(message)


@dataclass(frozen=True)
class FailingFramedEncoder(FailingEncoder):
    """The same, with sessions that can be resumed."""

    name: ClassVar[str] = "framed"
    resumes: ClassVar[bool] = True
    acknowledges_all: ClassVar[bool] = False
    batch = FramedEncoder.batch


@dataclass(frozen=True)
class HopelessEncoder(FailingEncoder):
    """Can't say that something is missing, nor farewell."""

    def missed(self, position: Position) -> bytes:
        raise Defect

    def farewell(self, reason: Disconnect, words: str = "", until: int = 0) -> bytes:
        raise Defect


@dataclass(frozen=True)
class AnswerlessEncoder(PlainEncoder):
    """Has no answers."""

    def sent(self, tag: int) -> bytes:
        raise Defect

    def promoted(self) -> bytes:
        raise Defect

    def account(self, answer: AccountAnswer) -> Sequence[bytes]:
        raise Defect

    def refusal(self, refusal: Refusal, subject: str = "", tag: int = 0, until: int = 0) -> bytes:
        raise Defect


@pytest.fixture
def house() -> House:
    return House(replace(LIMITS, history=9, outbox_bytes=1_000_000))


# --- An entry of the log --------------------------------------------------------------------------


def test_the_people_of_a_voice_read_that_something_is_missing_and_everybody_goes_on(
    house: House, room: Room, enter: Enter
) -> None:
    speaker, well, ill = enter("andy"), enter("bea"), enter("carl", FailingEncoder())
    elsewhere = enter("dora", FailingEncoder(), room=house.room("m"))
    for each in (speaker, well, ill):
        each.read()
    speaker.say(POISON)
    speaker.say("tea")
    assert well.read() == ["said andy poison", "said andy tea"]
    for each in (ill, elsewhere):
        assert each.read() == [f"missed {room.roster.position.offset}", "said andy tea"]
    ill.say("coffee")
    assert well.read() == elsewhere.read() == ["said carl coffee"]
    assert house.counted("unshown_total", dialect="plain") == 2


ENTRY: list[PublicEvent] = [Said("andy", "n:1", text) for text in ("a", POISON, "c", "d")]


@pytest.mark.parametrize(
    ("own", "read"),
    [
        (None, ["missed 7", "7 [said andy a]", "7 behind 2 [said andy c, said andy d]"]),
        (cut(start=1), ["missed 7", "7 behind 2 [said andy c, said andy d]"]),
        (cut(prefix=b"welcome\n", start=2), ["welcome", "7 behind 2 [said andy c, said andy d]"]),
        (cut(start=3), ["7 behind 3 [said andy d]"]),
        (cut(end=1), ["7 [said andy a]"]),
        (cut(end=2), ["missed 7", "7 [said andy a]"]),
        (cut(end=0), []),
        (cut(skips={1}), ["7 [said andy a]", "7 behind 2 [said andy c, said andy d]"]),
        (
            cut(inserts={1: b"promoted\n"}),
            ["missed 7", "7 [said andy a]", "7 behind 2 [promoted, said andy c, said andy d]"],
        ),
    ],
)
def test_the_rest_of_the_entry_is_read_and_keeps_its_places(
    audience: Audience, own: Cut | None, read: list[str]
) -> None:
    session, outbox = listener(audience, FailingFramedEncoder())
    _, well = listener(audience, PlainEncoder())
    audience.tell([News(PLACE, ENTRY, {} if own is None else {session: own})], {})
    assert outbox.read() == read
    assert well.read() == ["said andy a", "said andy poison", "said andy c", "said andy d"]


def test_a_notice_counts_for_those_who_acknowledge_messages(audience: Audience) -> None:
    (ill, _), (late, _) = (listener(audience, FailingEncoder()) for _ in range(2))
    audience.tell([News(PLACE, ENTRY, {late: cut(start=2)})], {})
    late.receipts.skip(2)  # as the room does for what came before it
    assert (ill.receipts.received(), late.receipts.received()) == (4, 2)
    audience.announce(lambda encoder: encoder.missed(PLACE))
    assert (ill.receipts.received(), late.receipts.received()) == (5, 3)


class Whimsical(PlainEncoder):
    """Fails on each message but the first in an entry, where they come together."""

    def batch(self, pieces: object, position: Position, first: int = 0) -> bytes:
        if b"said andy d\n" in pieces:  # type: ignore[operator]
            raise Defect
        return super().batch(pieces, position)  # type: ignore[arg-type]


def test_what_can_t_be_put_together_is_left_out_as_well(audience: Audience) -> None:
    _, outbox = listener(audience, Whimsical())
    audience.tell([News(PLACE, ENTRY)], {})
    assert outbox.read() == ["missed 7", "said andy a", "said andy poison", "said andy c"]


def test_who_can_t_even_be_told_is_disconnected_and_that_is_announced(
    house: House, enter: Enter
) -> None:
    well, ill = enter("bea"), enter("carl", HopelessEncoder())
    well.read()
    well.say(POISON)
    well.say("tea")
    assert well.read() == ["said bea poison", "said bea tea", "sent", "sent", "left carl"]
    assert ill.read() == []
    assert ill.closed is Disconnect.INTERNAL
    assert house.nicknames() == ["bea"]
    assert house.counted("sessions", chat="main", dialect="plain") == 1


def test_a_gap_that_can_t_be_told_ends_those_of_that_voice(enter: Enter, room: Room) -> None:
    well, ill = enter("bea"), enter("carl", HopelessEncoder())
    well.read()
    room.missed(Position("memory", 40))
    room.flush()
    assert well.read()[:1] == ["missed 40"]
    assert ill.closed is Disconnect.INTERNAL


@pytest.mark.parametrize("encoder", [ChatteEncoder(), ProtocolloEncoder(), BrowserEncoder()])
def test_each_dialect_has_words_for_what_is_missing_and_goes_on(
    house: House,
    encoder: ChatteEncoder | ProtocolloEncoder | BrowserEncoder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    public: Callable[[Any, PublicEvent], bytes] = type(encoder).public

    def failing(self: object, event: PublicEvent) -> bytes:
        if isinstance(event, Said) and event.text == POISON:
            raise Defect
        return public(self, event)

    monkeypatch.setattr(type(encoder), "public", failing)
    audience = Audience(house.metrics)
    _, outbox = listener(audience, encoder)
    audience.tell([News(PLACE, ENTRY)], {})
    pieces = [b"" if event is ENTRY[1] else public(encoder, event) for event in ENTRY]
    first, second = encoder.batch(pieces[:1], PLACE), encoder.batch(pieces[2:], PLACE, 2)
    assert outbox.take() == encoder.missed(PLACE) + first + second


# --- Letters --------------------------------------------------------------------------------------


def test_a_letter_that_can_t_be_shown_goes_back_to_its_sender(enter: Enter) -> None:
    andy, ill = enter("andy"), enter("carl", FailingEncoder())
    andy.read()
    andy.whisper("carl", POISON)
    andy.whisper("carl", "tea")
    assert ill.read() == ["whispered andy tea"]
    assert andy.read() == ["sent", "sent", "undelivered carl poison"]
    assert ill.closed is None


def test_a_sender_who_can_t_be_told_that_it_failed_is_disconnected(
    enter: Enter, room: Room
) -> None:
    sender, well = enter("andy", FailingEncoder()), enter("bea")
    ill = enter("carl", FailingEncoder())
    for each in (sender, well, ill):
        each.read()
    sender.whisper("carl", POISON)
    assert sender.read() == ["sent", "internal"]
    assert sender.closed is Disconnect.INTERNAL
    assert well.read() == ["left andy", "promoted"]
    assert room.confirmed() == 2, "the letter and the report are done with"


# --- One session ----------------------------------------------------------------------------------


def test_who_can_t_be_welcomed_is_disconnected_and_nobody_else(
    enter: Enter, connect: Connect, house: House
) -> None:
    well = enter("bea")
    ill = connect(FailingEncoder())
    with capture_logs() as logs:
        ill.enter(POISON)
        assert well.read() == ["joined poison", "left poison"]
    assert ill.outbox.read() == ["internal"]
    assert ill.closed is Disconnect.INTERNAL
    assert [line["event"] for line in logs] == ["connection failed"]
    assert house.nicknames() == ["bea"]


def test_whose_answers_fail_is_disconnected_and_what_was_said_is_said(enter: Enter) -> None:
    well, ill = enter("bea"), enter("carl", AnswerlessEncoder())
    well.read()
    ill.say("tea")
    assert well.read() == ["said carl tea", "left carl"]
    assert ill.closed is Disconnect.INTERNAL


def test_who_can_t_be_told_that_it_is_the_administrator_is_disconnected(enter: Enter) -> None:
    first, ill, well = enter("andy"), enter("carl", AnswerlessEncoder()), enter("bea")
    first.leave()
    assert well.read() == ["left andy", "left carl", "promoted"]
    assert ill.read() == ["joined bea", "left andy", "internal"]
    assert ill.closed is Disconnect.INTERNAL


def test_whose_account_command_can_t_be_answered_is_disconnected(enter: Enter) -> None:
    ill = enter("carl", AnswerlessEncoder())
    ill.do(commands.ExplainAccounts())
    ill.read()
    assert ill.closed is Disconnect.INTERNAL


def test_who_comes_back_reads_what_it_missed_but_for_what_can_t_be_shown(
    enter: Enter, connect: Connect
) -> None:
    andy, ill = enter("andy"), enter("carl", FailingFramedEncoder())
    ill.lose()
    for texts in (["a", POISON, "c"], ["d"]):
        for text in texts:
            andy.say(text)
        andy.read()
    again = connect(FailingFramedEncoder())
    resume = commands.Resume(ill.session.token, "memory", 2)
    again.do(commands.Enter("carl", resume=resume))
    assert again.read() == [
        "welcome carl andy",
        *("missed 3", "3 [left carl, said andy a]", "3 behind 2 [said andy c]"),
        *("4 [said andy d]", "5 [joined carl]"),
    ]
    andy.say("e")
    assert "[said andy e]" in again.read()[-1]


# --- The past -------------------------------------------------------------------------------------


def test_a_newcomer_reads_the_past_but_for_what_can_t_be_shown(
    enter: Enter, connect: Connect
) -> None:
    andy = enter("andy")
    for text in ("a", POISON, "c"):
        andy.say(text)
        andy.read()
    for nickname, offset in (("carl", 4), ("dora", 6)):
        ill = connect(FailingEncoder(history=3))
        ill.enter(nickname)
        assert ill.read()[1:] == [
            *("past 2.0 andy a", "past 4.0 andy c", "before 2.0", f"missed {offset}"),
        ]
        ill.leave()
        ill.read()


def test_who_looks_back_reads_that_something_is_missing(enter: Enter) -> None:
    andy, ill = enter("andy"), enter("carl", FailingEncoder(history=3))
    for text in ("a", POISON, "c"):
        andy.say(text)
        andy.read()
    ill.read()
    for asked in (commands.LookBack(9), commands.Search("")):
        ill.do(asked)
        told = [line for line in ill.read() if not line.startswith("found")]
        assert told == ["past 3.0 andy a", "past 5.0 andy c", "before 1.0", "missed 5"]
        ill.house.clock.advance(1.0)


# --- What operators see ---------------------------------------------------------------------------


def test_it_is_logged_with_its_traceback_and_ever_more_seldom(audience: Audience) -> None:
    for _ in range(3):
        listener(audience, FailingEncoder())
    with capture_logs() as logs:
        for _ in range(9):
            audience.tell([News(PLACE, ENTRY)], {})
    assert [line["event"] for line in logs] == ["something could not be shown"] * 4
    assert [line["count"] for line in logs] == [1, 1, 2, 4]
    assert all(line["exc_info"] and line["dialect"] == "plain" for line in logs)


def test_what_was_not_shown_is_not_counted_as_delivered(
    audience: Audience, registry: CollectorRegistry
) -> None:
    for _ in range(3):
        listener(audience, FailingEncoder())
    audience.tell([News(PLACE, ENTRY)], {})
    value = registry.get_sample_value("tertulia_deliveries_total", {"dialect": "plain"})
    assert value == 3 * 3
