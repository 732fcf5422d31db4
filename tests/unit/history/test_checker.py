"""Every rule of the checker fires on a history that breaks it, and is silent on a good one."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from history.checker import Rule, Violation, check, explain
from history.order import Order
from history.record import (
    Acked,
    AckedPrivate,
    Connected,
    Disconnected,
    EnterSent,
    GivenUp,
    History,
    InRoom,
    NodeLost,
    Parted,
    ReceivedPrivate,
    ReceivedPublic,
    Record,
    Refused,
    RefusedPrivate,
    RefusedPublic,
    Reported,
    Resumed,
    SawJoined,
    SawLeft,
    SentPrivate,
    SentPublic,
    Unexpected,
    Welcomed,
)

SEAT_SECONDS = 30.0


@dataclass
class Away:
    """Somebody whose connection is lost, and what it will read when it is back."""

    history: History
    missed: list[Record] = field(default_factory=list)
    undone: list[tuple[int, str]] = field(default_factory=list)
    done: int = 0
    is_gone: bool = False


@dataclass
class Chat:
    """A chat that works, played on an invented clock: what every client records of it.

    Also one further room of it, ``lobby`` being the chat: there its people join, talk and part.
    """

    room: str = ""
    lobby: "Chat | None" = None
    rooms: dict[str, "Chat"] = field(default_factory=dict)
    time: float = 0.0
    histories: list[History] = field(default_factory=list)
    here: dict[str, History] = field(default_factory=dict)
    away: dict[str, "Away"] = field(default_factory=dict)
    numbers: Counter[str] = field(default_factory=Counter)
    last: Counter[str] = field(default_factory=Counter)
    """The last number of everybody's that was used here."""
    connections: int = 0

    def make(self, room: str) -> "Chat":
        self.rooms[room] = Chat(room, self, numbers=self.numbers)
        return self.rooms[room]

    def tick(self) -> float:
        if self.lobby:
            return self.lobby.tick()
        self.time += 1.0
        return self.time

    def number(self, nickname: str) -> int:
        self.numbers[nickname] += 1
        self.last[nickname] = self.numbers[nickname]
        return self.last[nickname]

    def join(self, nickname: str, client: str | None = None, *, echoes: bool = True) -> History:
        if self.lobby:
            history = self.lobby.here[nickname]
            self.last[nickname] = 0
        else:
            self.numbers[nickname] = self.last[nickname] = 0
            history = History(client or nickname, echoes)
            self.histories.append(history)
            history.add(Connected(self.tick()))
        history.add(EnterSent(self.tick(), nickname, room=self.room))
        self.tell(SawJoined(self.tick(), nickname, room=self.room))
        history.add(Welcomed(self.tick(), nickname, room=self.room))
        self.here[nickname] = history
        return history

    def say(self, nickname: str, text: str, *, acked: bool = True) -> None:
        author = self.here[nickname]
        author.add(SentPublic(self.tick(), text, self.number(nickname), room=self.room))
        self.tell(ReceivedPublic(self.tick(), nickname, text, room=self.room), author)
        if acked:
            author.add(Acked(self.tick(), text, room=self.room))

    def whisper(self, nickname: str, recipient: str, text: str) -> None:
        number = self.number(nickname)
        self.here[nickname].add(SentPrivate(self.tick(), recipient, text, number))
        self.here[recipient].add(ReceivedPrivate(self.tick(), nickname, text))
        self.here[nickname].add(AckedPrivate(self.tick(), recipient, text))

    def leave(self, nickname: str) -> None:
        history = self.here.pop(nickname)
        history.add(
            Parted(self.tick(), room=self.room)
            if self.lobby
            else Disconnected(self.tick(), "client")
        )
        self.went(nickname)

    def lose(self, nickname: str) -> History:
        """Freeze the session's node: it learns nothing of what follows."""
        history = self.here.pop(nickname)
        history.add(NodeLost(self.tick()))
        self.went(nickname)
        return history

    def went(self, nickname: str) -> None:
        """Let everybody read that somebody went, in every room that it was in."""
        self.tell(SawLeft(self.tick(), nickname, room=self.room))
        for room in self.rooms.values():
            if room.here.pop(nickname, None):
                room.went(nickname)

    def tell(self, record: Record, author: History | None = None) -> None:
        """Let everybody read what happened: who is away reads it when it is back."""
        for other in self.here.values():
            if other is not author or author.echoes:
                other.add(replace(record, at=self.tick()))
        for away in self.away.values():
            away.missed.append(record)

    def cut(self, nickname: str) -> History:
        """Break a connection; the seat is kept, in every room."""
        history = self.here.pop(nickname)
        self.away[nickname] = Away(history, done=self.last[nickname])
        if not self.lobby:
            history.add(Disconnected(self.tick(), "client"))
            history.add(GivenUp(self.time))
        for room in self.rooms.values():
            if nickname in room.here:
                room.cut(nickname)
        return history

    def mean(self, nickname: str, text: str, *, done: bool) -> None:
        """Let somebody whose connection breaks say something: it is carried out or not, and not answered."""
        away = self.away[nickname]
        number = self.number(nickname)
        away.history.add(SentPublic(self.tick(), text, number, room=self.room))
        if done:
            away.done = number
            self.tell(ReceivedPublic(self.tick(), nickname, text, room=self.room))
        else:
            away.undone.append((number, text))

    def give_seat_up(self, nickname: str) -> None:
        self.tell(SawLeft(self.tick(), nickname, room=self.room))
        self.away[nickname].is_gone = True
        for room in self.rooms.values():
            if nickname in room.away:
                room.give_seat_up(nickname)

    def resume(self, nickname: str, onto: History | None = None) -> History:
        """Let somebody go on at another connection, and send again what was not done."""
        away = self.away.pop(nickname)
        history = onto
        if history is None:
            self.connections += 1
            history = History(f"{nickname}+{self.connections}")
            self.histories.append(history)
            history.add(Connected(self.tick()))
        history.add(EnterSent(self.tick(), nickname, away.history.client, room=self.room))
        if away.is_gone:
            self.tell(SawJoined(self.tick(), nickname, room=self.room))
        history.add(Resumed(self.tick(), nickname, None, away.done, room=self.room))
        for record in away.missed:
            history.add(replace(record, at=self.tick()))
        history.add(
            SawJoined(self.tick(), nickname, room=self.room)
        )  # its own, as only it reads it
        self.here[nickname] = history
        for room in self.rooms.values():
            if nickname in room.away:
                room.resume(nickname, history)
        for number, text in away.undone:
            history.add(SentPublic(self.tick(), text, number, room=self.room))
            self.tell(ReceivedPublic(self.tick(), nickname, text, room=self.room))
            history.add(Acked(self.tick(), text, room=self.room))
        return history

    def violations(self) -> list[Violation]:
        seat_seconds = SEAT_SECONDS if self.away or self.connections else 0.0
        return check(self.histories, seat_seconds=seat_seconds)

    def rules(self) -> set[Rule]:
        """Return the rules that are broken: the same ones if all this happened in a further room."""
        public = [
            of_kind(it, lambda record: not isinstance(record, ASIDE)) for it in self.histories
        ]
        moved = replace(self, histories=[in_room(it, "ops") for it in public])
        here = replace(self, histories=public).violations()
        assert moved.violations() == [replace(it, room="ops") for it in here]
        return {violation.rule for violation in self.violations()}


ASIDE = (SentPrivate, AckedPrivate, RefusedPrivate, ReceivedPrivate, Reported, Unexpected)
"""What belongs to no room."""


def of_kind(history: History, test: Callable[[Record], bool]) -> History:
    return replace(history, records=[record for record in history.records if test(record)])


def in_room(history: History, room: str) -> History:
    """Let all that happened in the lobby have happened in a further room."""
    return replace(
        history,
        records=[
            replace(record, room=room) if isinstance(record, InRoom) else record
            for record in history.records
        ],
    )


def without(history: History, kind: type[Record], which: int = 0) -> Record:
    """Take the so-manieth record of a kind out of a history."""
    record = [record for record in history.records if isinstance(record, kind)][which]
    history.records.remove(record)
    return record


def swapped(history: History, first: Record, second: Record) -> None:
    """Exchange two records' places, keeping the times in order."""
    i, j = history.records.index(first), history.records.index(second)
    history.records[i], history.records[j] = history.records[j], history.records[i]


@pytest.fixture
def chat() -> Chat:
    """Three who come, talk, go and come again."""
    chat = Chat()
    chat.join("ana")
    chat.join("bea")
    chat.say("ana", "a1")
    chat.join("Carl")
    chat.say("bea", "b1")
    chat.say("Carl", "c1")
    chat.whisper("ana", "bea", "psst")
    chat.leave("bea")
    chat.say("ana", "a2")
    chat.join("bea", "bea again")
    chat.say("Carl", "c2")
    chat.say("bea", "b2")
    return chat


def test_a_good_history_is_silent(chat: Chat) -> None:
    assert check(chat.histories) == []


def test_clients_without_echo_and_with_a_roster_are_judged_by_what_their_dialect_says() -> None:
    chat = Chat()
    chat.join("ana")
    quiet = chat.join("bea", echoes=False)
    quiet.records[-1] = Welcomed(chat.time, "bea", others=("Ana",))
    chat.say("bea", "b1")
    chat.say("ana", "a1")
    chat.say("bea", "b2")
    chat.say("ana", "a2")
    assert chat.rules() == set()
    quiet.add(SawJoined(chat.tick(), "ana"))
    assert Rule.ALTERNATION in chat.rules()


def test_an_acknowledged_message_that_a_reader_missed_is_lost(chat: Chat) -> None:
    without(chat.here["Carl"], ReceivedPublic, -1)
    assert chat.rules() == {Rule.LOST}


def test_the_sender_misses_its_own_message(chat: Chat) -> None:
    without(chat.here["bea"], ReceivedPublic, -1)
    assert chat.rules() == {Rule.LOST}


def test_a_message_that_was_not_acknowledged_may_be_lost(chat: Chat) -> None:
    chat.here["ana"].add(SentPublic(chat.tick(), "into the void"))
    assert chat.rules() == set()


def test_who_closed_long_after_the_acknowledgement_must_have_got_the_message() -> None:
    chat = Chat()
    chat.join("ana")
    bea = chat.join("bea")
    chat.say("ana", "a1")
    without(bea, ReceivedPublic)
    chat.time += 10
    chat.leave("bea")
    chat.say("ana", "a2")
    assert chat.rules() == {Rule.LOST}


@pytest.mark.parametrize("by", ["client", "server"])
def test_who_was_disconnected_at_about_that_time_may_have_missed_it(by: str) -> None:
    chat = Chat()
    chat.join("ana")
    bea = chat.join("bea")
    chat.say("ana", "a1")
    without(bea, ReceivedPublic)
    chat.leave("bea")
    bea.records[-1] = Disconnected(bea.records[-1].at, "client" if by == "client" else "server")
    assert chat.rules() == set()


def test_a_message_that_came_twice(chat: Chat) -> None:
    chat.here["Carl"].add(ReceivedPublic(chat.tick(), "bea", "b2"))
    assert chat.rules() == {Rule.TWICE}


def test_a_message_that_nobody_sent(chat: Chat) -> None:
    chat.here["Carl"].add(ReceivedPublic(chat.tick(), "ana", "never said"))
    assert chat.rules() == {Rule.INVENTED}


def test_two_readers_who_saw_two_messages_in_different_orders(chat: Chat) -> None:
    carl = chat.here["Carl"]
    c2, b2 = list(carl.of(ReceivedPublic))[-2:]
    swapped(carl, c2, b2)
    assert chat.rules() == {Rule.ORDER}


def test_a_join_that_one_reader_saw_in_another_place(chat: Chat) -> None:
    ana = chat.here["ana"]
    joined = next(record for record in ana.of(SawJoined) if record.nickname == "Carl")
    a1 = next(iter(ana.of(ReceivedPublic)))
    swapped(ana, joined, a1)
    assert Rule.ORDER in chat.rules()
    assert "ana" in explain(check(chat.histories))


def test_the_coming_of_a_nickname_that_comes_often_is_in_one_place_too() -> None:
    chat = Chat()
    chat.join("ana")
    chat.join("dan")
    for turn in range(4):
        chat.join("bea", f"bea {turn}")
        chat.say("ana", f"a{turn}")
        chat.leave("bea")
        chat.say("dan", f"d{turn}")
    late = chat.join("eve")
    chat.join("bea", "bea last")
    chat.say("ana", "after")
    assert chat.rules() == set()
    dan = chat.histories[1]
    swapped(dan, list(dan.of(SawLeft))[2], list(dan.of(ReceivedPublic))[4])
    assert chat.rules() & {Rule.ORDER, Rule.HOLE}
    assert late.records


def test_nobody_who_stays_throughout_is_needed_to_tell_comings_of_one_nickname_apart() -> None:
    """As when one node after another is replaced, and everybody comes back."""
    chat = Chat()
    names = ["ana", "bea", "carl", "dora"]
    for name in names:
        chat.join(name)
    chat.say("ana", "a1")
    for half in (names[:2], names[2:]):
        for name in half:
            chat.leave(name)
        for name in half:
            chat.join(name, f"{name} again")
        chat.say("ana", f"after {half}")
    assert chat.rules() == set()
    without(chat.here["ana"], SawLeft, -1)
    assert Rule.HOLE in chat.rules()


def test_one_session_s_messages_are_in_the_order_in_which_it_sent_them(chat: Chat) -> None:
    carl = chat.here["Carl"]
    for history in chat.histories:
        c1 = [r for r in history.of(ReceivedPublic) if r.text == "c1"]
        c2 = [r for r in history.of(ReceivedPublic) if r.text == "c2"]
        if c1 and c2:
            swapped(history, c1[0], c2[0])
        elif c1:
            history.records.remove(c1[0])
        elif c2:
            history.records.remove(c2[0])
    assert carl.records
    assert Rule.ORDER in chat.rules()


def test_a_hole_in_the_middle_shows_also_for_messages_that_were_not_acknowledged() -> None:
    chat = Chat()
    chat.join("ana")
    bea = chat.join("bea")
    chat.say("ana", "a1")
    chat.say("ana", "a2", acked=False)
    chat.say("ana", "a3")
    assert chat.rules() == set()
    without(bea, ReceivedPublic, 1)
    assert chat.rules() == {Rule.HOLE}


def test_a_hole_right_after_the_own_join() -> None:
    chat = Chat()
    chat.join("ana")
    bea = chat.join("bea")
    chat.say("ana", "a1", acked=False)
    chat.say("ana", "a2")
    without(bea, ReceivedPublic, 0)
    assert chat.rules() == {Rule.HOLE}


def test_a_pair_of_leave_and_join_that_one_observer_missed(chat: Chat) -> None:
    carl = chat.here["Carl"]
    without(carl, SawLeft)
    without(carl, SawJoined)
    assert Rule.HOLE in chat.rules()


def test_an_event_before_the_own_join() -> None:
    chat = Chat()
    chat.join("ana")
    bea = chat.join("bea")
    chat.say("ana", "a1")
    swapped(bea, next(iter(bea.of(Welcomed))), next(iter(bea.of(ReceivedPublic))))
    assert Rule.EARLY in chat.rules()


def test_an_event_after_the_own_leaving() -> None:
    chat = Chat()
    chat.join("ana")
    chat.join("bea")
    zombie = chat.lose("bea")
    chat.say("ana", "not for bea")
    assert chat.rules() == set()
    zombie.add(ReceivedPublic(chat.tick(), "ana", "not for bea"))
    zombie.add(Disconnected(chat.tick(), "server"))
    assert chat.rules() == {Rule.AFTER_LEFT, Rule.HOLE}


def test_an_event_after_the_own_leaving_of_a_nickname_that_came_again() -> None:
    chat = Chat()
    chat.join("ana")
    chat.join("bea")
    zombie = chat.lose("bea")
    chat.join("bea", "bea again")
    chat.say("ana", "for the new bea")
    zombie.add(Disconnected(chat.tick(), "server"))
    assert chat.rules() == set()
    zombie.records.insert(-1, ReceivedPublic(chat.tick(), "ana", "for the new bea"))
    assert Rule.AFTER_LEFT in chat.rules()


def test_two_holders_at_once(chat: Chat) -> None:
    second = History("thief")
    chat.histories.append(second)
    second.add(EnterSent(chat.tick(), "CARL"))
    second.add(Welcomed(chat.tick(), "CARL"))
    assert Rule.TWO_HOLDERS in chat.rules()


def test_two_holders_while_the_first_still_gets_acknowledgements() -> None:
    chat = Chat()
    chat.join("ana")
    first = chat.join("bea")
    second = History("thief")
    chat.histories.append(second)
    second.add(EnterSent(chat.tick(), "bea"))
    second.add(Welcomed(chat.tick(), "bea"))
    chat.say("bea", "still mine")
    first.add(Disconnected(chat.tick(), "server"))
    assert Rule.TWO_HOLDERS in chat.rules()


def test_a_holder_whose_node_is_lost_holds_nothing_for_certain() -> None:
    chat = Chat()
    chat.join("ana")
    zombie = chat.lose("bea") if chat.join("bea") else History("")
    chat.join("bea", "bea again")
    zombie.add(Disconnected(chat.tick(), "server"))
    assert chat.rules() == set()


def test_a_nickname_that_was_refused_is_nobody_s(chat: Chat) -> None:
    refused = History("late")
    chat.histories.append(refused)
    refused.add(EnterSent(chat.tick(), "ana"))
    refused.add(Refused(chat.tick(), "ana", "taken"))
    refused.add(Disconnected(chat.tick(), "server"))
    assert chat.rules() == set()


def test_a_zombie_that_speaks_after_it_left() -> None:
    chat = Chat()
    chat.join("ana")
    chat.join("bea")
    zombie = chat.lose("bea")
    chat.say("ana", "a1")
    zombie.add(SentPublic(chat.tick(), "boo"))
    chat.here["ana"].add(ReceivedPublic(chat.tick(), "bea", "boo"))
    assert chat.rules() == {Rule.ABSENT_SPEAKER}


def test_a_zombie_that_speaks_under_the_new_holder_s_nickname() -> None:
    chat = Chat()
    chat.join("ana")
    chat.join("bea")
    chat.say("bea", "b1")
    zombie = chat.lose("bea")
    chat.join("bea", "bea again")
    zombie.add(SentPublic(chat.tick(), "boo"))
    for history in chat.here.values():
        history.add(ReceivedPublic(chat.tick(), "bea", "boo"))
    assert Rule.ABSENT_SPEAKER in chat.rules()


@pytest.mark.parametrize("kind", [SawJoined, SawLeft])
def test_a_change_that_was_told_twice(chat: Chat, kind: type[SawJoined] | type[SawLeft]) -> None:
    ana = chat.here["ana"]
    record = next(record for record in ana.of(kind) if record.nickname == "bea")
    ana.records.insert(ana.records.index(record), record)
    assert Rule.ALTERNATION in chat.rules()


def test_the_leaving_of_somebody_who_never_was_here(chat: Chat) -> None:
    chat.here["ana"].add(SawLeft(chat.tick(), "zoe"))
    assert Rule.ALTERNATION in chat.rules()


def test_who_left_is_still_joined_at_the_end(chat: Chat) -> None:
    chat.leave("Carl")
    assert chat.rules() == set()
    without(chat.here["ana"], SawLeft, -1)
    assert Rule.ROSTER in chat.rules()


def test_who_was_here_first_and_left_unannounced() -> None:
    chat = Chat()
    chat.join("ana")
    bea = chat.join("bea")
    chat.leave("ana")
    assert chat.rules() == set()
    without(bea, SawLeft)
    assert chat.rules() == {Rule.ROSTER}


def test_who_is_connected_was_announced_as_gone(chat: Chat) -> None:
    chat.here["ana"].add(SawLeft(chat.tick(), "Carl"))
    assert Rule.ROSTER in chat.rules()


def test_a_join_that_was_not_announced() -> None:
    chat = Chat()
    ana = chat.join("ana")
    chat.join("bea")
    without(ana, SawJoined)
    assert chat.rules() == {Rule.ROSTER}


def test_who_asked_and_was_not_answered_may_be_in(chat: Chat) -> None:
    waiting = History("dan")
    chat.histories.append(waiting)
    waiting.add(EnterSent(chat.tick(), "dan"))
    assert chat.rules() == set()
    chat.here["ana"].add(SawJoined(chat.tick(), "dan"))
    assert chat.rules() == set()


def test_an_acknowledged_private_message_that_was_lost(chat: Chat) -> None:
    chat.whisper("ana", "Carl", "hush")
    without(chat.here["Carl"], ReceivedPrivate)
    assert chat.rules() == {Rule.PRIVATE_LOST}


def test_a_private_message_that_was_reported_or_came_twice_is_fine(chat: Chat) -> None:
    chat.whisper("ana", "Carl", "hush")
    carl = chat.here["Carl"]
    record = without(carl, ReceivedPrivate)
    chat.here["ana"].add(Reported(chat.tick(), "Your message to Carl was not delivered: hush"))
    assert chat.rules() == set()
    carl.add(record)
    carl.add(record)
    assert chat.rules() == set()


def test_a_private_message_to_who_closed_around_then_may_be_unread() -> None:
    chat = Chat()
    chat.join("ana")
    bea = chat.join("bea")
    chat.whisper("ana", "bea", "hush")
    without(bea, ReceivedPrivate)
    chat.leave("bea")
    assert chat.rules() == set()
    bea.records[-1] = Disconnected(bea.records[-1].at, "server")
    assert chat.rules() == {Rule.PRIVATE_LOST}


def test_a_private_message_to_a_lost_node_is_delivered_or_reported() -> None:
    chat = Chat()
    ana = chat.join("ana")
    bea = chat.join("bea")
    chat.whisper("ana", "bea", "hush")
    without(bea, ReceivedPrivate)
    chat.lose("bea")
    assert chat.rules() == {Rule.PRIVATE_LOST}
    ana.add(Reported(chat.tick(), "not delivered: hush"))
    assert chat.rules() == set()


# Who loses its connection and goes on at another one


@pytest.fixture
def broken() -> Chat:
    """Bea's connection breaks while she talks, and so did Carl's, whose seat is given up."""
    chat = Chat()
    for nickname in ("ana", "bea", "carl"):
        chat.join(nickname)
    chat.say("bea", "b1")
    chat.cut("carl")
    chat.time += SEAT_SECONDS
    chat.cut("bea")
    chat.mean("bea", "b2", done=True)
    chat.mean("bea", "b3", done=False)
    chat.mean("bea", "b3 too", done=False)
    chat.give_seat_up("carl")
    chat.say("ana", "a1")
    chat.resume("bea")
    chat.say("ana", "a2")
    chat.resume("carl")
    chat.say("carl", "c1")
    chat.say("bea", "b4")
    chat.say("ana", "a3")
    return chat


def records(history: History, text: str) -> list[ReceivedPublic]:
    return [record for record in history.of(ReceivedPublic) if record.text == text]


def test_who_went_on_at_another_connection_and_read_everything_is_silent(broken: Chat) -> None:
    assert check(broken.histories, seat_seconds=SEAT_SECONDS) == []


@pytest.mark.parametrize(("nickname", "text"), [("bea", "a1"), ("carl", "a1"), ("carl", "a2")])
def test_a_message_that_was_missed_and_never_read_is_lost(
    broken: Chat, nickname: str, text: str
) -> None:
    history = broken.here[nickname]
    history.records.remove(records(history, text)[0])
    assert broken.rules() == {Rule.LOST, Rule.HOLE}


def test_what_was_missed_is_read_once(broken: Chat) -> None:
    bea = broken.here["bea"]
    bea.records.append(records(bea, "a1")[0])
    assert Rule.TWICE in broken.rules()


def test_what_was_read_before_the_break_is_not_read_again(broken: Chat) -> None:
    bea = broken.here["bea"]
    place = bea.records.index(next(bea.of(Resumed))) + 1
    bea.records.insert(place, ReceivedPublic(broken.time, "bea", "b1"))
    assert broken.rules() & {Rule.TWICE}


def test_what_was_missed_is_read_in_order(broken: Chat) -> None:
    bea = broken.here["bea"]
    swapped(bea, records(bea, "b2")[0], records(bea, "a1")[0])
    assert Rule.ORDER in broken.rules()


def test_a_coming_that_was_missed_and_never_read_is_a_hole(broken: Chat) -> None:
    bea = broken.here["bea"]
    bea.records.remove(next(it for it in bea.of(SawJoined) if it.nickname == "carl"))
    assert broken.rules() & {Rule.HOLE, Rule.ROSTER}


def test_where_something_is_said_to_be_missing_nothing_is_asked_of_what_is_not_there(
    broken: Chat,
) -> None:
    bea = broken.here["bea"]
    welcome = next(bea.of(Resumed))
    bea.records[bea.records.index(welcome)] = replace(welcome, whole=False)
    own = next(it for it in bea.of(SawJoined) if it.nickname == "bea")
    start, end = bea.records.index(welcome) if welcome in bea.records else 2, bea.records.index(own)
    del bea.records[start + 1 : end + 1]
    assert broken.rules() == set()
    bea.records.remove(records(bea, "a2")[0])
    assert Rule.LOST in broken.rules()


def test_a_message_that_was_said_to_be_done_and_is_not_there(broken: Chat) -> None:
    for history in broken.histories:
        for record in records(history, "b2"):
            history.records.remove(record)
    assert broken.rules() == {Rule.LOST}
    bea = next(history for history in broken.histories if history.client == "bea")
    bea.add(RefusedPublic(broken.time, "b2"))
    assert broken.rules() == set(), "it was refused: that is done as well"


def test_a_message_that_was_done_and_said_not_to_be(broken: Chat) -> None:
    bea = broken.here["bea"]
    welcome = next(bea.of(Resumed))
    bea.records[bea.records.index(welcome)] = replace(welcome, done=1)
    assert broken.rules() == {Rule.DONE}


def test_a_message_that_was_not_done_is_so_once_it_is_sent_again_and_not_before(
    broken: Chat,
) -> None:
    ana = broken.here["ana"]
    early, late = records(ana, "a1")[0], records(ana, "b3")[0]
    ana.records.remove(late)
    ana.records.insert(ana.records.index(early), replace(late, at=early.at))
    assert Rule.DONE in broken.rules()


def test_a_message_that_was_sent_again_and_stands_twice(broken: Chat) -> None:
    for history in broken.here.values():
        history.add(ReceivedPublic(broken.tick(), "bea", "b3"))
    assert broken.rules() == {Rule.TWICE}


@pytest.mark.parametrize("done", [0, 99])
def test_what_was_answered_is_done_and_what_was_never_sent_is_not(broken: Chat, done: int) -> None:
    bea = broken.here["bea"]
    welcome = next(bea.of(Resumed))
    bea.records[bea.records.index(welcome)] = replace(welcome, done=done)
    assert Rule.DONE in broken.rules()


def test_a_private_message_that_was_not_done_and_was_received() -> None:
    chat = Chat()
    chat.join("ana")
    bea = chat.join("bea")
    bea.add(SentPrivate(chat.tick(), "ana", "hush", chat.number("bea")))
    chat.here["ana"].add(ReceivedPrivate(chat.tick(), "bea", "hush"))
    chat.cut("bea")
    back = chat.resume("bea")
    chat.say("ana", "a1")
    assert chat.rules() == set()
    welcome = next(back.of(Resumed))
    back.records[back.records.index(welcome)] = replace(welcome, done=0)
    assert chat.rules() == {Rule.DONE}


def test_others_are_told_that_somebody_went_and_came_who_was_back_in_its_seat(broken: Chat) -> None:
    ana = broken.here["ana"]
    place = ana.records.index(records(ana, "a2")[0])
    ana.records[place:place] = [SawLeft(broken.time, "bea"), SawJoined(broken.time, "bea")]
    assert Rule.SEAT in broken.rules()


def test_a_seat_that_was_given_up_too_soon() -> None:
    chat = Chat()
    chat.join("ana")
    chat.join("bea")
    chat.cut("bea")
    chat.give_seat_up("bea")
    bea = chat.resume("bea")
    chat.say("ana", "a1")
    assert chat.rules() == {Rule.SEAT}
    chat.histories[1].add(NodeLost(chat.time))
    assert chat.rules() == set(), "its node died: nobody keeps the seat"
    without(chat.histories[1], NodeLost)
    bea.records[:] = [replace(record, at=record.at + SEAT_SECONDS) for record in bea.records]
    assert chat.rules() == set(), "it was away for longer"


def test_a_coming_that_is_read_long_after_it_was_is_not_taken_for_the_next_change() -> None:
    chat = Chat()
    chat.join("ana")
    chat.join("carl")
    chat.cut("carl")
    chat.join("bea")
    chat.time += SEAT_SECONDS
    chat.give_seat_up("carl")
    carl = chat.resume("carl")
    chat.leave("bea")
    chat.join("bea", "bea again")
    assert chat.rules() == set()
    without(carl, SawJoined)
    assert Rule.HOLE in chat.rules()


def test_a_coming_before_what_the_others_saw_is_none_of_theirs() -> None:
    chat = Chat()
    everybody = ("ana", "bea", "carl")
    for nickname in everybody:
        chat.join(nickname)
    for nickname in everybody:
        chat.leave(nickname)
        chat.join(nickname, f"{nickname} again")
    assert chat.rules() == set()


def test_a_going_after_what_the_others_saw_is_none_of_theirs() -> None:
    chat = Chat()
    chat.join("ana")
    chat.join("bea")
    chat.leave("bea")
    chat.join("bea", "bea again")
    chat.leave("ana")  # who saw most of it
    chat.join("carl")
    chat.leave("bea")
    chat.leave("carl")
    chat.join("carl", "carl again")
    assert chat.rules() == set()


def test_who_is_away_at_the_end_may_be_in_its_seat_still_and_not_for_ever() -> None:
    chat = Chat()
    chat.join("ana")
    chat.join("bea")
    chat.cut("bea")
    chat.say("ana", "a1")
    assert chat.rules() == set()
    chat.time += SEAT_SECONDS + 10
    chat.say("ana", "a2")
    assert chat.rules() == {Rule.ROSTER}


def test_who_had_read_nothing_reads_the_entry_of_its_own_joining_as_a_whole() -> None:
    chat = Chat()
    chat.join("ana")
    chat.say("ana", "a1")
    bea = chat.join("bea")
    chat.cut("bea")
    chat.say("ana", "a2")
    back = chat.resume("bea")
    chat.say("ana", "a3")
    welcome = next(back.of(Resumed))
    place = back.records.index(welcome)
    back.records[place] = replace(welcome, unread=True)
    back.records[place + 1 : place + 1] = [
        ReceivedPublic(welcome.at, "ana", "a1"),
        SawJoined(welcome.at, "bea"),
    ]
    assert chat.rules() == set()
    back.records.remove(records(back, "a2")[0])
    assert chat.rules() == {Rule.LOST, Rule.HOLE}
    assert bea.records


def test_what_comes_on_a_connection_that_was_given_up_is_not_read_there(broken: Chat) -> None:
    broken.histories[1].add(ReceivedPublic(broken.time, "ana", "a1"))
    assert broken.rules() == set()


def test_an_attempt_that_broke_before_its_welcome_changes_nothing(broken: Chat) -> None:
    broken.cut("bea")
    attempt = History("attempt")
    broken.histories.append(attempt)
    attempt.add(EnterSent(broken.tick(), "bea", broken.away["bea"].history.client))
    attempt.add(Disconnected(broken.tick(), "client"))
    attempt.add(GivenUp(broken.time))
    broken.away["bea"].history = attempt
    broken.say("ana", "a4")
    back = broken.resume("bea")
    broken.say("bea", "b5")
    assert broken.rules() == set()
    back.records.remove(records(back, "a4")[0])
    assert Rule.LOST in broken.rules()


def test_who_was_taken_for_a_newcomer_is_one(broken: Chat) -> None:
    broken.cut("bea")
    broken.give_seat_up("bea")
    back = broken.join("bea", "bea as a newcomer")
    back.records[1] = EnterSent(back.records[1].at, "bea", "bea+1")
    broken.say("ana", "a4")
    broken.time += SEAT_SECONDS
    assert broken.rules() == set()


def test_who_goes_on_from_nobody_can_not_be_judged(broken: Chat) -> None:
    stray = History("stray")
    stray.add(EnterSent(broken.tick(), "dan", "nobody"))
    with pytest.raises(ValueError, match="can't go on from nobody"):
        check([*broken.histories, stray])


# Further rooms


@pytest.fixture
def ops(broken: Chat) -> Chat:
    """A further room in which people of the chat come, talk, part and lose their connection."""
    room = broken.make("ops")
    broken.make("dev")
    for nickname in ("ana", "bea", "carl"):
        room.join(nickname)
        room.say(nickname, f"ops-{nickname}")
    broken.rooms["dev"].join("ana")
    room.leave("carl")
    broken.cut("bea")
    room.mean("bea", "ops-b2", done=True)
    room.mean("bea", "ops-b3", done=False)
    broken.mean("bea", "b5", done=False)
    room.say("ana", "ops-a2")
    broken.rooms["dev"].say("ana", "dev-a")
    broken.resume("bea")
    room.join("carl")
    broken.say("ana", "a4")
    room.say("carl", "ops-c2")
    room.say("ana", "ops-a3")
    return room


def broken_in(room: Chat) -> set[tuple[Rule, str]]:
    assert room.lobby
    return {(it.rule, it.room) for it in room.lobby.violations()}


def said_in(history: History, text: str) -> ReceivedPublic:
    return next(it for it in history.of(ReceivedPublic) if it.text == text)


def test_rooms_that_work_are_silent(ops: Chat) -> None:
    assert broken_in(ops) == set()


def test_what_one_missed_in_a_room_is_lost_there(ops: Chat) -> None:
    ops.here["bea"].records.remove(said_in(ops.here["bea"], "ops-a2"))
    assert broken_in(ops) == {(Rule.LOST, "ops"), (Rule.HOLE, "ops")}
    assert ops.lobby
    assert "in #ops: " in str(ops.lobby.violations()[0])


def test_what_was_said_in_one_room_is_shown_in_no_other(ops: Chat) -> None:
    ana = ops.here["ana"]
    record = said_in(ana, "ops-c2")
    ana.records[ana.records.index(record)] = replace(record, room="dev")
    assert broken_in(ops) >= {(Rule.LOST, "ops"), (Rule.INVENTED, "dev")}
    ana.records[ana.records.index(replace(record, room="dev"))] = replace(record, room="")
    assert broken_in(ops) >= {(Rule.LOST, "ops"), (Rule.INVENTED, "")}


def test_each_room_has_an_order_of_its_own(ops: Chat) -> None:
    assert ops.lobby
    ana, bea = ops.here["ana"], ops.here["bea"]
    swapped(bea, said_in(bea, "a4"), said_in(bea, "ops-c2"))
    assert broken_in(ops) == set()
    swapped(bea, said_in(bea, "ops-c2"), said_in(bea, "ops-a3"))
    assert broken_in(ops) == {(Rule.ORDER, "ops")}
    assert said_in(ana, "a4").room == ""


def test_who_leaves_the_chat_leaves_its_rooms(ops: Chat) -> None:
    assert ops.lobby
    ops.lobby.leave("bea")
    ops.lobby.time += 2 * SEAT_SECONDS
    ops.lobby.say("ana", "long after")
    assert broken_in(ops) == set()
    history = ops.here["ana"]
    history.records.remove([it for it in history.of(SawLeft) if it.room][-1])
    assert (Rule.ROSTER, "ops") in broken_in(ops)


def test_who_is_told_once_that_somebody_quits_misses_no_comings_and_goings_in_rooms(
    ops: Chat,
) -> None:
    ana = ops.here["ana"]
    ana.records[:] = [
        it for it in ana.records if not (isinstance(it, SawJoined | SawLeft) and it.room)
    ]
    assert (Rule.HOLE, "ops") in broken_in(ops)
    ana.quits_once = True
    assert broken_in(ops) == set()
    ana.records.remove(said_in(ana, "ops-c2"))
    assert broken_in(ops) == {(Rule.LOST, "ops"), (Rule.HOLE, "ops")}


def test_who_comes_again_to_a_room_where_nobody_is_told_of_it_read_nothing_in_between(
    ops: Chat,
) -> None:
    """Its comings are two, though nothing that anybody saw tells them apart."""
    assert ops.lobby
    ops.lobby.leave("carl")
    ops.say("ana", "between")
    ops.lobby.join("carl", "carl again")
    ops.join("carl")
    ops.say("ana", "after")
    for history in ops.lobby.histories:
        history.quits_once = True
        history.records[:] = [
            it for it in history.records if not (isinstance(it, SawJoined | SawLeft) and it.room)
        ]
    assert broken_in(ops) == set()
    carl = ops.here["carl"]
    carl.records.remove(said_in(carl, "after"))
    assert broken_in(ops) == {(Rule.LOST, "ops")}


def test_a_zombie_that_speaks_in_a_room_after_it_left_there(ops: Chat) -> None:
    assert ops.lobby
    zombie = ops.lobby.lose("bea")
    zombie.add(SentPublic(ops.tick(), "boo", room="ops"))
    ops.tell(ReceivedPublic(ops.tick(), "bea", "boo", room="ops"))
    assert broken_in(ops) == {(Rule.ABSENT_SPEAKER, "ops")}


def test_what_is_under_way_when_one_parts_is_read_up_to_the_own_leaving(ops: Chat) -> None:
    """And what was sent before may be acknowledged still."""
    carl = ops.here.pop("carl")
    carl.add(SentPublic(ops.tick(), "last words", room="ops"))
    carl.add(Parted(ops.tick(), room="ops"))
    ops.tell(ReceivedPublic(ops.tick(), "carl", "last words", room="ops"))
    carl.add(Acked(ops.tick(), "last words", room="ops"))
    ops.tell(SawLeft(ops.tick(), "carl", room="ops"))
    ops.say("ana", "ops-a4")
    assert broken_in(ops) == set()
    carl.add(said_in(ops.here["ana"], "ops-a4"))
    assert (Rule.AFTER_LEFT, "ops") in broken_in(ops)


def test_who_was_put_out_of_a_room_holds_no_seat_there(ops: Chat) -> None:
    carl = ops.here.pop("carl")
    ops.went("carl")
    carl.add(Parted(ops.tick(), "server", room="ops"))
    ops.say("ana", "ops-a4")
    assert broken_in(ops) == set()
    ops.join("ana")
    assert (Rule.TWO_HOLDERS, "ops") in broken_in(ops)


def test_what_is_said_from_outside_reaches_everybody_in_the_room(ops: Chat) -> None:
    assert ops.lobby
    dan = ops.lobby.join("dan")
    dan.add(SentPublic(ops.tick(), "hello in there", room="ops"))
    ops.tell(ReceivedPublic(ops.tick(), "dan", "hello in there", room="ops"))
    dan.add(Acked(ops.tick(), "hello in there", room="ops"))
    dan.add(SentPublic(ops.tick(), "may I?", room="ops"))
    dan.add(RefusedPublic(ops.tick(), "may I?", room="ops"))
    assert broken_in(ops) == set()
    ops.here["bea"].records.remove(said_in(ops.here["bea"], "hello in there"))
    assert (Rule.LOST, "ops") in broken_in(ops)
    dan.add(replace(said_in(ops.here["ana"], "ops-a3"), at=ops.tick()))
    assert (Rule.EARLY, "ops") in broken_in(ops)


def test_who_is_shown_one_room_is_asked_nothing_of_the_lobby() -> None:
    chat = Chat()
    chat.join("ana")
    ops = chat.make("ops")
    bea = chat.join("bea")
    bea.reads_lobby = False
    for nickname in ("ana", "bea"):
        ops.join(nickname)
    chat.say("ana", "a1")
    chat.join("carl")
    ops.say("ana", "ops-a1")
    of_lobby = [
        it for it in bea.of(InRoom) if isinstance(it, ReceivedPublic | SawJoined) and not it.room
    ]
    bea.records = [it for it in bea.records if it not in of_lobby]
    assert len(of_lobby) == 2 and chat.violations() == []
    bea.records.remove(said_in(bea, "ops-a1"))
    assert {(it.rule, it.room) for it in chat.violations()} == {(Rule.LOST, "ops")}
    chat.leave("bea")
    ana = chat.here["ana"]
    ana.records.remove(next(it for it in ana.of(SawLeft) if not it.room))
    assert (Rule.ROSTER, "") in {(it.rule, it.room) for it in chat.violations()}


def test_a_private_message_that_somebody_else_read(chat: Chat) -> None:
    chat.whisper("ana", "Carl", "hush")
    chat.here["bea"].add(ReceivedPrivate(chat.tick(), "ana", "hush"))
    assert chat.rules() == {Rule.PRIVATE_LEAK}


def test_a_private_message_that_was_refused_and_yet_delivered(chat: Chat) -> None:
    chat.here["ana"].add(SentPrivate(chat.tick(), "Carl", "hush"))
    chat.here["ana"].add(RefusedPrivate(chat.tick(), "Carl", "hush"))
    assert chat.rules() == set()
    chat.here["Carl"].add(ReceivedPrivate(chat.tick(), "ana", "hush"))
    assert chat.rules() == {Rule.PRIVATE_LEAK}


def test_a_private_message_that_nobody_sent(chat: Chat) -> None:
    chat.here["Carl"].add(ReceivedPrivate(chat.tick(), "ana", "made up"))
    assert chat.rules() == {Rule.INVENTED}


def test_a_line_that_the_dialect_does_not_allow(chat: Chat) -> None:
    chat.here["Carl"].add(Unexpected(chat.tick(), "999 what?"))
    assert chat.rules() == {Rule.UNEXPECTED}


def test_histories_that_cannot_be_judged_are_an_error(chat: Chat) -> None:
    with pytest.raises(ValueError, match="one client id"):
        check([*chat.histories, History("ana")])
    chat.say("ana", "same")
    chat.say("ana", "same")
    with pytest.raises(ValueError, match="twice"):
        check(chat.histories)


def test_the_explanation_is_by_rule_and_bounded() -> None:
    violations = [Violation(Rule.LOST, f"m{i}") for i in range(30)]
    text = explain(violations, most=3)
    assert text.startswith(f"LOST ({Rule.LOST.value}): 30")
    assert text.endswith("… and 27 more")
    assert explain([]) == ""


def test_an_order_without_a_cycle_places_everything() -> None:
    order: Order[str] = Order()
    order.add("abc", "one")
    order.add("bcd", "two")
    assert order.positions() == {"a": 0, "b": 1, "c": 2, "d": 3}
    assert order.cycle() == []
    assert order.holes("abd", {"a": 0, "b": 1, "c": 2, "d": 3}) == {"c"}


def test_a_cycle_is_named_with_its_witnesses() -> None:
    order: Order[str] = Order()
    order.add("xabcy", "one")
    order.add("cda", "two")
    assert order.positions() is None
    cycle = order.cycle()
    assert {a for a, _, _ in cycle} == {b for _, b, _ in cycle} == set("abcd")
    assert {witness for _, _, witness in cycle} == {"one", "two"}


@st.composite
def chats(draw: st.DrawFn) -> Chat:
    """A chat in which three stay throughout and others come and go, some under one nickname.

    The same happens in two further rooms of it.
    """
    rng = random.Random(draw(st.integers(0, 2**32)))
    chat = Chat()
    for nickname in ("ana", "bea", "carl"):
        chat.join(nickname)
    for name in ("ops", "dev"):
        room = chat.make(name)
        for nickname in ("ana", "bea", "carl"):
            room.join(nickname)
    for step in range(draw(st.integers(5, 60))):
        where = rng.choice([chat, *chat.rooms.values()])
        guests = [n for n in where.here if n.startswith("guest")]
        lost = list(chat.away)
        match rng.choice(["say", "say", "whisper", "come", "come", "go", "cut", "back", "back"]):
            case "say":
                where.say(rng.choice(list(where.here)), f"m{step}", acked=rng.random() < 0.8)
            case "whisper":
                chat.whisper(rng.choice(list(chat.here)), rng.choice(list(chat.here)), f"p{step}")
            case "come" if where.lobby:
                if free := [it for it in chat.here if it not in where.here]:
                    where.join(rng.choice(free))
            case "come":
                nickname = f"guest{rng.randrange(3)}"
                if nickname not in chat.here and nickname not in chat.away:
                    chat.join(nickname, f"{nickname} {step}")
            case "go" if guests:
                where.leave(rng.choice(guests))
            case "cut" if guests:
                nickname = rng.choice(guests)
                chat.cut(nickname)
                for turn in range(rng.randrange(4)):
                    where.mean(nickname, f"m{step}-{turn}", done=turn < 1)
            case "back" if lost:
                nickname = rng.choice(lost)
                if rng.random() < 0.5:
                    chat.time += SEAT_SECONDS
                    chat.give_seat_up(nickname)
                    chat.say("ana", f"gone {step}")
                chat.resume(nickname)
    for nickname in list(chat.away):
        chat.resume(nickname)
    for where in (chat, *chat.rooms.values()):
        where.say("ana", f"the end of {where.room}")
    return chat


@given(chats())
def test_whatever_happens_in_a_chat_that_works_is_silent(chat: Chat) -> None:
    assert check(chat.histories, seat_seconds=SEAT_SECONDS) == []


@given(chats(), st.sampled_from(["", "ops", "dev"]), st.data())
def test_no_mutation_of_what_somebody_saw_goes_unnoticed(
    chat: Chat, room: str, data: st.DataObject
) -> None:
    staying = [history for history in chat.here.values() if len(history.records) > 5]
    # Of who left the room nobody knows which comings and goings they were still to see there.
    histories = [
        it
        for it in staying
        if any(e.room == room for e in it.of(ReceivedPublic))
        and not any(e.room == room for e in it.of(Parted))
    ]
    history = data.draw(st.sampled_from(histories))
    own = next(history.of(EnterSent)).nickname
    public = [
        i
        for i, record in enumerate(history.records)
        if isinstance(record, ReceivedPublic | SawJoined | SawLeft)
        and record.room == room
        # Of its own coming only it reads: nothing is promised.
        and (isinstance(record, ReceivedPublic) or record.nickname != own)
    ]
    mutation = data.draw(st.sampled_from(["drop", "double", "swap"]))
    if mutation == "swap" and len(public) < 2:
        mutation = "double"
    at = data.draw(st.integers(0, len(public) - 1 - (mutation == "swap")))
    i = public[at]
    if mutation == "drop":
        del history.records[i]
    elif mutation == "double":
        history.records.insert(i, history.records[i])
    else:
        j = public[at + 1]
        history.records[i], history.records[j] = history.records[j], history.records[i]
    found = check(chat.histories)
    assert found and {it.room for it in found} == {room}
