"""What somebody has written, done."""

import pytest

from fakes.talk_service import TalkService, said
from tertulia.clients.chat.writing import NotDone, Writing, as_said


class Deeds:
    """Notes what is to be shown."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def show_help(self) -> None:
        self.shown.append("help")

    def show_rooms(self) -> None:
        self.shown.append("rooms")

    def show_people(self) -> None:
        self.shown.append("people")

    def show_account(self) -> None:
        self.shown.append("account")

    def show_search(self, text: str) -> None:
        self.shown.append(f"search {text}")


@pytest.fixture
def service() -> TalkService:
    service = TalkService()
    service.enter("anna", "bruno", moderator=True)
    return service


@pytest.fixture
def deeds() -> Deeds:
    return Deeds()


@pytest.fixture
def writing(service: TalkService, deeds: Deeds) -> Writing:
    return Writing(service.talk, deeds)


@pytest.mark.parametrize(
    ("written", "frame"),
    [
        ("Ciao", {"type": "say", "id": 1, "text": "Ciao"}),
        ("//part is a word", {"type": "say", "id": 1, "text": "/part is a word"}),
        ("/ alone", {"type": "say", "id": 1, "text": "/ alone"}),
        ("one\r\ntwo", {"type": "say", "id": 1, "text": "one\ntwo"}),
        ("/me waves", {"type": "say", "id": 1, "text": "* anna waves"}),
        ("/msg bruno psst", {"type": "whisper", "id": 1, "to": "bruno", "text": "psst"}),
        ("/w @bruno: psst", {"type": "whisper", "id": 1, "to": "bruno", "text": "psst"}),
        ("/MSG G hi", {"type": "say", "id": 1, "text": "hi"}),
        ("/join #Ops", {"type": "join", "room": "ops"}),
        ("/leave", {"type": "leave"}),
        ("/close yes", {"type": "close"}),
        ("/topic  a  b ", {"type": "moderate", "action": "topic", "text": "a b"}),
        (
            "/mute bruno 10m too loud",
            {
                "type": "moderate",
                "action": "mute",
                "nickname": "bruno",
                "seconds": 600,
                "reason": "too loud",
            },
        ),
        (
            "/mute bruno too loud",
            {
                "type": "moderate",
                "action": "mute",
                "nickname": "bruno",
                "seconds": 0,
                "reason": "too loud",
            },
        ),
        ("/unmute bruno", {"type": "moderate", "action": "unmute", "nickname": "bruno"}),
        (
            "/kick bruno flood",
            {"type": "moderate", "action": "kick", "nickname": "bruno", "reason": "flood"},
        ),
        ("/slow 30", {"type": "moderate", "action": "slow", "seconds": 30}),
        ("/accounts-only on", {"type": "moderate", "action": "accounts_only", "on": True}),
        ("/appoint bruno", {"type": "moderate", "action": "appoint", "nickname": "bruno"}),
        ("/outsiders off", {"type": "moderate", "action": "outsiders", "on": False}),
    ],
)
def test_what_is_written_is_sent(
    service: TalkService, writing: Writing, written: str, frame: dict[str, object]
) -> None:
    writing.do(written, 0)
    assert service.take_sent() == [frame]


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("/nosuch secret for bruno", "“/nosuch” is no command"),
        ("\u200b /msgg bruno secret", "“/msgg” is no command"),
        ("/msg", "Like this: /msg NAME TEXT"),
        ("/me ", "Like this: /me TEXT"),
        ("/join a b", "Like this: /join #ROOM"),
        ("/part #nowhere", "You are not in #nowhere"),
        ("/close", "Like this: /close yes"),
        ("/slow fast", "Like this: /slow SECONDS"),
        ("/accounts-only", "Like this: /accounts-only on|off"),
        ("/kick", "Like this: /kick NAME"),
        ("/redact bruno", "No message of “bruno” is here"),
        ("/msg G register s3cret", "Here, G is everybody"),
        ("/w g password old new", "Here, G is everybody"),
        ("hello\n/msg bruno secret", "Line 2 begins with “/msg” like a command"),
        ("/msg bruno a\n/part", "Line 2 begins with “/part” like a command"),
        (" \u2800 ", "nothing to see"),
    ],
)
def test_what_is_not_meant_so_is_never_said(
    service: TalkService, writing: Writing, written: str, why: str
) -> None:
    with pytest.raises(NotDone) as refused:
        writing.do(written, 0)
    assert why in str(refused.value)
    assert service.take_sent() == []


def test_without_a_text_one_goes_on_writing_to_somebody(
    service: TalkService, writing: Writing
) -> None:
    writing.do("/msg bruno", 0)
    writing.do("psst", 0)
    writing.do("/msg G", 0)
    writing.do("hello", 0)
    assert [it["type"] for it in service.take_sent()] == ["whisper", "say"]


def test_the_last_message_of_somebody_is_withdrawn(service: TalkService, writing: Writing) -> None:
    service.happen(11, said("bruno", "one"), said("bruno", "two"))
    service.happen(12, {"type": "redacted", "offset": 11, "index": 1, "by": "anna"})
    writing.do("/redact bruno", 0)
    (frame,) = service.take_sent()
    assert frame == {"type": "moderate", "action": "redact", "offset": 11, "index": 0}


def test_in_a_room_parting_leaves_it_and_in_the_lobby_the_chat(
    service: TalkService, writing: Writing
) -> None:
    writing.do("/join ops", 0)
    writing.do("/part", 0)
    writing.do("/part", 0)
    assert [it["type"] for it in service.take_sent()] == ["join", "part", "leave"]


def test_what_the_program_shows_is_shown(writing: Writing, deeds: Deeds) -> None:
    for written in ("/?", "/list", "/people", "/account", "/find  ciao "):
        writing.do(written, 0)
    assert deeds.shown == ["help", "rooms", "people", "account", "search ciao"]


def test_commands_in_code_are_code(service: TalkService, writing: Writing) -> None:
    code = "```\n/msg bruno x\n//two\n```"
    writing.do(f"look:\n{code}", 0)
    assert service.take_sent()[0]["text"] == f"look:\n{code}"


@pytest.mark.parametrize(
    ("text", "said_as"),
    [
        ("\n\n a \n\n b  \n\n", " a\n\n b"),
        ("a\u2028b\x0bc", "a\nb\nc"),
        ("e\u0301", "é"),
        ("a\x1b[0m", "a[0m"),
        ("one\n//two", "one\n/two"),
    ],
)
def test_a_text_is_made_ready(text: str, said_as: str) -> None:
    assert as_said(text) == said_as
