"""Every rule of the checker fires on a history that breaks it, and is silent on a good one."""

import random
from dataclasses import dataclass, field

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
    History,
    NodeLost,
    ReceivedPrivate,
    ReceivedPublic,
    Record,
    Refused,
    RefusedPrivate,
    Reported,
    SawJoined,
    SawLeft,
    SentPrivate,
    SentPublic,
    Unexpected,
    Welcomed,
)


@dataclass
class Chat:
    """A chat that works, played on an invented clock: what every client records of it."""

    time: float = 0.0
    histories: list[History] = field(default_factory=list)
    here: dict[str, History] = field(default_factory=dict)

    def tick(self) -> float:
        self.time += 1.0
        return self.time

    def join(self, nickname: str, client: str | None = None, *, echoes: bool = True) -> History:
        history = History(client or nickname, echoes)
        self.histories.append(history)
        history.add(Connected(self.tick()))
        history.add(EnterSent(self.tick(), nickname))
        for other in self.here.values():
            other.add(SawJoined(self.tick(), nickname))
        history.add(Welcomed(self.tick(), nickname))
        self.here[nickname] = history
        return history

    def say(self, nickname: str, text: str, *, acked: bool = True) -> None:
        author = self.here[nickname]
        author.add(SentPublic(self.tick(), text))
        for other in self.here.values():
            if other is not author or author.echoes:
                other.add(ReceivedPublic(self.tick(), nickname, text))
        if acked:
            author.add(Acked(self.tick(), text))

    def whisper(self, nickname: str, recipient: str, text: str) -> None:
        self.here[nickname].add(SentPrivate(self.tick(), recipient, text))
        self.here[recipient].add(ReceivedPrivate(self.tick(), nickname, text))
        self.here[nickname].add(AckedPrivate(self.tick(), recipient, text))

    def leave(self, nickname: str) -> None:
        history = self.here.pop(nickname)
        history.add(Disconnected(self.tick(), "client"))
        for other in self.here.values():
            other.add(SawLeft(self.tick(), nickname))

    def lose(self, nickname: str) -> History:
        """Freeze the session's node: it learns nothing of what follows."""
        history = self.here.pop(nickname)
        history.add(NodeLost(self.tick()))
        for other in self.here.values():
            other.add(SawLeft(self.tick(), nickname))
        return history

    def rules(self) -> set[Rule]:
        return {violation.rule for violation in check(self.histories)}


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
    """A chat in which three stay throughout and others come and go, some under one nickname."""
    rng = random.Random(draw(st.integers(0, 2**32)))
    chat = Chat()
    for nickname in ("ana", "bea", "carl"):
        chat.join(nickname)
    for step in range(draw(st.integers(5, 40))):
        guests = [n for n in chat.here if n.startswith("guest")]
        match rng.choice(["say", "say", "whisper", "come", "go"]):
            case "say":
                chat.say(rng.choice(list(chat.here)), f"m{step}", acked=rng.random() < 0.8)
            case "whisper":
                chat.whisper(rng.choice(list(chat.here)), rng.choice(list(chat.here)), f"p{step}")
            case "come":
                nickname = f"guest{rng.randrange(3)}"
                if nickname not in chat.here:
                    chat.join(nickname, f"{nickname} {step}")
            case "go" if guests:
                chat.leave(rng.choice(guests))
    chat.say("ana", "the end")
    return chat


@given(chats())
def test_whatever_happens_in_a_chat_that_works_is_silent(chat: Chat) -> None:
    assert check(chat.histories) == []


@given(chats(), st.data())
def test_no_mutation_of_what_somebody_saw_goes_unnoticed(chat: Chat, data: st.DataObject) -> None:
    staying = [history for history in chat.here.values() if len(history.records) > 5]
    history = data.draw(st.sampled_from(staying))
    public = [
        i
        for i, record in enumerate(history.records)
        if isinstance(record, ReceivedPublic | SawJoined | SawLeft)
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
    assert check(chat.histories)
