"""One person's way through the chat, without a socket, a terminal or a clock."""

import pytest

from fakes.talk_service import TalkService, said
from tertulia.clients.chat import changes
from tertulia.clients.chat.known_room import KnownRoom
from tertulia.clients.chat.room_log import Fate, Kind
from tertulia.clients.chat.talk import NotWritten
from tertulia.clients.chat.way import NEXT, TalkState
from tertulia.clients.chat.words import ENDED, LOST
from tertulia.domain.disconnects import Disconnect


@pytest.fixture
def service() -> TalkService:
    return TalkService()


def texts(room: KnownRoom, *kinds: Kind) -> list[str]:
    return [it.text for it in room.log if not kinds or it.kind in kinds]


def test_every_state_can_be_left() -> None:
    assert set(NEXT) == set(TalkState)
    assert all(NEXT.values())


def test_who_enters_reads_the_welcome_and_the_past(service: TalkService) -> None:
    service.talk.enter("anna", "secret", 0)
    service.open()
    assert service.take_sent() == [{"type": "enter", "nickname": "anna", "password": "secret"}]
    service.welcome("bruno", "anna", history=50)
    message = {"offset": 3, "index": 0, "at": 5, "nickname": "luisa", "text": "before"}
    service.deliver("past", epoch="e", before=3, index=0, messages=[message], more=True)
    service.happen(11, said("bruno", "Ciao"))
    lobby = service.talk.chat.lobby
    assert [(it.kind, it.text, it.is_past) for it in lobby.log] == [
        (Kind.SAID, "before", True),
        (Kind.NOTICE, "You are in, as anna.", False),
        (Kind.SAID, "Ciao", False),
    ]
    assert list(lobby.people.values()) == ["bruno", "anna"]


def test_a_message_is_said_once_though_the_connection_breaks_before_its_answer(
    service: TalkService,
) -> None:
    """`done` of the next welcome says what was carried out: only what was not is sent again."""
    service.enter()
    service.talk.write("", "one", 0)
    service.talk.write("", "two", 0)
    assert [it["id"] for it in service.take_sent()] == [1, 2]
    service.happen(11, said("anna", "one", "a1:1", 1))
    entering = service.lose_and_open()
    assert entering["resume"] == {"token": "t1", "epoch": "e", "offset": 11}
    service.welcome(session="a1:2", resumed=True, done=1, offset=12)
    service.happen(12, said("bruno", "meanwhile"))
    assert service.take_sent() == [{"type": "say", "id": 2, "text": "two"}]
    service.happen(13, said("anna", "two", "a1:2", 2))
    service.deliver("sent", id=2)
    assert texts(service.talk.chat.lobby, Kind.SAID) == ["one", "meanwhile", "two"]
    assert service.talk.chat.waiting == 0


def test_what_is_carried_out_without_its_own_copy_is_shown_after_a_while(
    service: TalkService,
) -> None:
    service.enter()
    service.talk.write("", "one", 0)
    service.lose_and_open()
    service.welcome(resumed=True, done=1)
    assert texts(service.talk.chat.lobby, Kind.SAID) == []
    service.wait(3)
    assert texts(service.talk.chat.lobby, Kind.SAID) == ["one"]
    assert service.take_sent() == []


def test_after_a_resumed_welcome_the_place_is_the_old_one_until_events_come(
    service: TalkService,
) -> None:
    service.enter()
    service.happen(11, said("bruno", "one"))
    service.lose_and_open()
    service.welcome(resumed=True, offset=20)
    assert service.lose_and_open()["resume"] == {"token": "t1", "epoch": "e", "offset": 11}
    service.welcome(resumed=True, offset=20, missed="some")
    assert service.lose_and_open()["resume"] == {"token": "t1", "epoch": "e", "offset": 20}


def test_what_was_read_as_past_is_not_read_again_as_an_event(service: TalkService) -> None:
    """browser.md, "What comes twice": the entry of the own `joined` is read as a whole."""
    service.talk.enter("anna", "", 0)
    service.open()
    service.welcome("anna", history=50)
    known = {"offset": 10, "index": 0, "at": 5, "nickname": "bruno", "text": "one"}
    service.deliver("past", epoch="e", before=10, index=0, messages=[known], more=True)
    service.lose_and_open()
    service.welcome("anna", resumed=True, offset=12)
    service.happen(10, said("bruno", "one"), said("bruno", "two"))
    service.happen(11, said("bruno", "three"))
    assert texts(service.talk.chat.lobby, Kind.SAID) == ["one", "two", "three"]


def test_rooms_are_resumed_with_the_session(service: TalkService) -> None:
    service.enter()
    service.talk.join("ops")
    assert service.take_sent() == [{"type": "join", "room": "ops"}]
    service.room("ops", "bruno", "anna", epoch="o", offset=4)
    service.deliver(
        "events", room="ops", epoch="o", offset=5, at=1, events=[said("bruno", "in ops")]
    )
    service.talk.write("", "to ops", service.now)
    assert service.take_sent() == [{"type": "say", "id": 1, "text": "to ops", "room": "ops"}]
    entering = service.lose_and_open()
    assert entering["rooms"] == {"ops": {"epoch": "o", "offset": 5}}
    service.welcome(resumed=True)
    assert service.take_sent() == []
    service.room("ops", "bruno", "anna", epoch="o", offset=6, resumed=True, done=0)
    assert service.take_sent() == [{"type": "say", "id": 1, "text": "to ops", "room": "ops"}]
    ops = service.talk.chat.room("ops")
    assert ops is not None
    assert texts(ops, Kind.SAID) == ["in ops"]


def test_a_room_that_was_left_without_a_connection_is_left_when_there_is_one(
    service: TalkService,
) -> None:
    service.enter()
    service.talk.join("ops")
    service.room("ops")
    service.close()
    service.talk.part("ops", service.now)
    service.wait(1)
    service.open()
    service.welcome(resumed=True)
    assert {"type": "part", "room": "ops"} in service.take_sent()


def test_a_private_message_that_comes_again_on_another_connection_is_shown_once(
    service: TalkService,
) -> None:
    service.enter("bruno", "anna")
    again = {"from": "bruno", "text": "psst", "at": 5, "session": "b2:1", "id": 4}
    service.deliver("whispered", **again)
    service.lose_and_open()
    service.welcome(resumed=True)
    service.deliver("whispered", **again)
    service.deliver("whispered", **{**again, "id": 5})
    assert texts(service.talk.chat.lobby, Kind.WHISPERED) == ["psst", "psst"]
    service.wait(1)
    assert {"type": "received", "count": 2} in service.take_sent()


def test_a_dead_connection_is_noticed_and_replaced(service: TalkService) -> None:
    service.enter()
    service.wait(15.9)
    assert service.take_sent() == []
    service.wait(0.2)
    assert service.take_sent() == [{"type": "ping"}]
    service.wait(6)
    assert service.is_dropped
    assert service.talk.state is TalkState.WAITING
    assert "not heard" in service.talk.status


def test_pauses_double_until_one_is_inside_for_a_while(service: TalkService) -> None:
    service.enter()
    pauses = []
    for _ in range(7):
        service.close()
        assert service.talk.deadline is not None
        pauses.append(service.talk.deadline - service.now)
        service.wait(pauses[-1])
    assert pauses[:1] == [0.5]
    assert pauses == sorted(pauses)
    assert max(pauses) == 15


@pytest.mark.parametrize(
    "reason",
    [it.label for it in Disconnect if it is not Disconnect.MAILBOX_FULL],  # a device's
)
def test_every_reason_of_a_close_is_told_in_a_sentence(service: TalkService, reason: str) -> None:
    """Source: docs/disconnects.md; 1000 and 4001 mean to stay away."""
    service.enter()
    disconnect = next(it for it in Disconnect if it.label == reason)
    stays_away = reason in ("left", "chat_closed") or not disconnect.may_retry
    if not stays_away:
        service.close(4000, reason)
        assert service.talk.state is TalkState.WAITING
        assert service.talk.status == f"{LOST.get(reason, 'Connection lost.')} Connecting again…"
        return
    service.deliver("kicked" if reason == "kicked" else "banned", reason="too loud", until=0)
    service.close(1000 if reason in ("left", "chat_closed") else 4001, reason)
    assert service.talk.state is TalkState.OUTSIDE
    assert reason in ENDED
    assert service.talk.explanation.endswith((".", "!", ": too loud"))
    assert "{" not in service.talk.explanation
    assert ("too loud" in service.talk.explanation) is (reason in ("kicked", "banned"))


@pytest.mark.parametrize("code", [4001, 4000, None])
def test_a_reason_that_no_service_of_ours_gives_can_do_nothing_to_a_terminal(
    service: TalkService, code: int | None
) -> None:
    service.enter()
    service.close(code, "\x1b]0;x\x07\x9b31m\u202e\x85\n[#ops] bruno: psst")
    shown = [service.talk.explanation, service.talk.status, *texts(service.talk.chat.lobby)]
    assert all(it.isprintable() for it in shown), shown


def test_a_refused_name_may_be_followed_by_another(service: TalkService) -> None:
    service.talk.enter("anna", "", 0)
    service.open()
    service.deliver("refused", reason="nickname_taken", suggestions=["anna2"])
    assert service.talk.state is TalkState.REFUSED
    assert "“anna” is in use" in service.talk.explanation
    assert service.talk.suggestions == ["anna2"]
    service.take_sent()
    service.talk.enter("anna2", "", 0)
    assert service.take_sent() == [{"type": "enter", "nickname": "anna2"}]


def test_the_password_is_sent_once_and_not_kept(service: TalkService) -> None:
    service.talk.enter("anna", "secret", 0)
    service.open()
    service.take_sent()
    service.welcome()
    assert "secret" not in str(service.lose_and_open())


def test_a_gap_is_told_where_it_is(service: TalkService) -> None:
    service.enter()
    service.happen(11, said("bruno", "one"))
    service.deliver("missed", epoch="e", offset=40)
    service.happen(41, said("bruno", "two"))
    assert texts(service.talk.chat.lobby)[1:] == [
        "one",
        "A part of what was said is missing here.",
        "two",
    ]


def test_what_is_unread_is_counted_where_the_reader_does_not_look(service: TalkService) -> None:
    service.enter("bruno", "anna")
    service.talk.chat.attend(True)
    service.talk.chat.have(["ops"])
    service.room("ops", "bruno", "anna")
    service.happen(11, said("bruno", "seen"))
    service.happen(11, said("bruno", "hello"), said("bruno", "anna: look"), room="ops")
    lobby, ops = service.talk.chat.rooms
    assert (lobby.unread, ops.unread, ops.calls) == (0, 2, 1)
    calls = [it for it in service.changes() if isinstance(it, changes.SummonedBy)]
    assert [it.room for it in calls] == ["ops"]
    marked = ops.mark
    assert marked is not None
    line = ops.log.line(marked)
    assert line is not None
    assert line.text == "hello"
    service.talk.chat.show(ops)
    service.talk.chat.attend(True)
    assert (ops.unread, ops.calls, ops.mark) == (0, 0, marked)
    service.talk.write("", "an answer", 0)
    assert ops.mark is None


def test_what_came_while_the_connection_was_lost_is_marked_as_new(service: TalkService) -> None:
    service.enter("bruno", "anna")
    service.talk.chat.attend(True)
    service.lose_and_open()
    service.welcome(resumed=True, offset=14)
    service.happen(12, said("bruno", "missed"))
    service.happen(15, said("bruno", "live"))
    lobby = service.talk.chat.lobby
    assert lobby.mark is not None
    line = lobby.log.line(lobby.mark)
    assert line is not None
    assert line.text == "missed"


def test_members_are_as_the_welcome_tells_and_events_behind_it_change_them(
    service: TalkService,
) -> None:
    """browser.md, "Resuming": `events` of lower offsets are history and do not change `members`."""
    service.enter()
    service.lose_and_open()
    service.welcome("anna", "carla", resumed=True, offset=14)
    service.happen(12, {"type": "left", "nickname": "carla"})
    service.happen(14, {"type": "joined", "nickname": "carla"})
    service.happen(15, {"type": "joined", "nickname": "dino"})
    assert list(service.talk.chat.lobby.people.values()) == ["anna", "carla", "dino"]


def test_history_is_asked_one_page_at_a_time_down_to_the_beginning(service: TalkService) -> None:
    service.enter(history=50)
    old = {"offset": 9, "index": 1, "at": 9, "nickname": "bruno", "text": "second"}
    service.deliver("past", epoch="e", before=9, index=1, messages=[old], more=True)
    assert service.talk.look_back()
    assert service.talk.look_back()
    assert service.take_sent() == [{"type": "history", "before": 9, "index": 1}]
    older = {**old, "index": 0, "text": "first"}
    service.deliver("past", epoch="e", before=9, index=0, messages=[older], more=False)
    assert texts(service.talk.chat.lobby)[:3] == ["The log begins here.", "first", "second"]
    assert not service.talk.look_back()


def test_history_and_search_of_several_rooms_are_asked_one_after_the_other(
    service: TalkService,
) -> None:
    service.enter(history=50)
    service.deliver("past", epoch="e", before=9, index=0, messages=[], more=True)
    service.talk.look_back()
    service.talk.join("ops")
    service.room("ops", history=50)
    service.deliver("past", room="ops", epoch="e", before=9, index=0, messages=[], more=True)
    service.talk.search("ciao")
    assert [it["type"] for it in service.take_sent()] == ["history", "join"]
    service.deliver("past", epoch="e", before=5, index=0, messages=[], more=True)
    assert service.take_sent() == [{"type": "search", "text": "ciao", "room": "ops"}]


def test_a_message_that_is_withdrawn_is_shown_no_more(service: TalkService) -> None:
    service.enter()
    service.happen(11, said("bruno", "one"), said("bruno", "two"))
    service.happen(12, {"type": "redacted", "offset": 11, "index": 1, "by": "anna"})
    lines = [it for it in service.talk.chat.lobby.log if it.kind is Kind.SAID]
    assert [(it.text, it.is_redacted) for it in lines] == [("one", False), ("", True)]


def test_private_messages_have_their_fate(service: TalkService) -> None:
    service.enter("anna")
    service.talk.write("bruno", "one", 0)
    service.talk.write("carla", "two", 0)
    service.talk.write("nobody", "three", 0)
    service.deliver("sent", id=1)
    service.deliver("kept", id=2)
    service.deliver("failed", id=3, reason="unknown_recipient")
    service.deliver("undelivered", to="bruno", text="one", id=1)
    lines = [it for it in service.talk.chat.lobby.log if it.is_own]
    assert [(it.to, it.fate) for it in lines[:2]] == [
        ("bruno", Fate.UNDELIVERED),
        ("carla", Fate.KEPT),
    ]
    assert lines[2].detail == "not sent: nobody called “nobody” is here"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("\u200b \n", "nothing to see"),
        ("x" * 4097, "Too long by 1 byte"),
        ("x\n" * 51, "51 lines are too many"),
    ],
)
def test_what_can_t_be_said_is_not_taken(service: TalkService, text: str, why: str) -> None:
    service.enter()
    with pytest.raises(NotWritten, match=why):
        service.talk.write("", text, 0)
    assert service.take_sent() == []


def test_control_characters_of_others_reach_nobody(service: TalkService) -> None:
    service.enter("br\x1b[31muno", "anna", topic="\x1b]0;owned\x07topic")
    service.happen(11, said("eve\x9b", "a\x1b[2Jb\nc\u202ed\r\x00"))
    lobby = service.talk.chat.lobby
    shown = [lobby.rules.topic, *lobby.people.values()]
    shown += [part for it in lobby.log for part in (it.nickname, *it.text.split("\n"))]
    assert all(it.isprintable() for it in shown), shown
    assert texts(lobby, Kind.SAID) == ["a[2Jb\ncd"]


def test_frames_and_events_of_a_later_version_are_ignored(service: TalkService) -> None:
    service.enter()
    service.deliver("novelty", what=1)
    service.talk.received("no JSON", 0)
    service.deliver("events", epoch="e")
    service.happen(11, {"type": "novelty"}, said("bruno", "read"))
    assert texts(service.talk.chat.lobby, Kind.SAID) == ["read"]


def test_who_takes_another_name_keeps_the_rooms_and_not_the_log(service: TalkService) -> None:
    service.enter()
    service.talk.join("ops")
    service.room("ops")
    service.happen(11, said("bruno", "private things"))
    service.talk.rename("carla", service.now)
    service.take_sent()
    service.close(1000, "left")
    service.open()
    assert service.take_sent() == [{"type": "enter", "nickname": "carla"}]
    service.welcome("carla", nickname="carla")
    assert service.take_sent() == [{"type": "join", "room": "ops"}]
    assert texts(service.talk.chat.lobby, Kind.SAID) == []


def test_a_room_one_is_removed_from_is_gone_and_says_why(service: TalkService) -> None:
    service.enter()
    service.talk.join("ops")
    service.room("ops")
    service.deliver("whispered", **{"from": "bruno", "text": "psst", "at": 5})
    service.deliver("parted", room="ops", reason="kicked", words="too loud")
    chat = service.talk.chat
    assert chat.shown is chat.lobby
    assert texts(chat.lobby)[-2:] == ["psst", "You were removed from #ops: too loud"]


def test_while_nothing_is_answered_one_is_told_that_messages_wait(service: TalkService) -> None:
    service.enter(heartbeat=60)
    service.talk.write("", "one", 0)
    service.act()
    service.wait(4.9)
    assert service.talk.status == ""
    service.wait(0.2)
    assert "can’t keep messages" in service.talk.status
    service.deliver("sent", id=1)
    assert service.talk.status == ""
