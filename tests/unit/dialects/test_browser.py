"""The dialect ``browser``: every frame of its description, in and out, and everything that is none."""

import json
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Frame as WebSocketFrame
from websockets.frames import Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from harness import browser_frames as frames
from harness.cases import each
from harness.several import several
from tertulia.dialects.browser import PING, BrowserDecoder, BrowserEncoder
from tertulia.dialects.contract import (
    Decoder,
    Encoder,
    ModerationFault,
    Refusal,
    Restraint,
    RoomFault,
    Welcome,
    Why,
)
from tertulia.domain.commands import (
    Acknowledge,
    CloseChat,
    Command,
    Enter,
    Fault,
    Faulty,
    JoinRoom,
    Leave,
    ListRooms,
    LookBack,
    Moderate,
    PartRoom,
    Ping,
    Resume,
    Say,
    Search,
    Whisper,
)
from tertulia.domain.disconnects import Disconnect
from tertulia.domain.events import (
    AccountsOnly,
    Appointed,
    Closed,
    Joined,
    Kicked,
    Left,
    Muted,
    Outsiders,
    Owned,
    Present,
    PublicEvent,
    Redacted,
    Said,
    SlowMode,
    Topic,
    Undelivered,
    Unmuted,
    Whispered,
    Withdrawn,
)
from tertulia.domain.moderation import Moderation, Standing
from tertulia.domain.operator_commands import Action
from tertulia.domain.past import PastMessage, Place
from tertulia.domain.position import Position
from tertulia.domain.rooms import RoomInfo, RoomPlace
from tertulia.domain.text import with_line_feeds

BOUND = 4096
MOST = 16_384
PLACE = Position("5f0a", 18, 1795221185.0)


def read(decoder: Decoder, messages: Iterable[bytes]) -> list[Command]:
    """All commands of some messages; whoever asks to enter is let in."""
    commands: list[Command] = []
    for message in messages:
        decoder.feed(message)
        while (command := decoder.next_command()) is not None:
            commands.append(command)
            if isinstance(command, Enter):
                decoder.entered()
    return commands


def member() -> BrowserDecoder:
    decoder = BrowserDecoder()
    assert read(decoder, [b'{"type":"enter","nickname":"anna"}']) == [Enter("anna")]
    return decoder


# Entering

_THERE = {"epoch": "9c", "offset": 0}


@each(
    ("frame", "command"),
    [
        ({"nickname": "anna"}, Enter("anna")),
        ({"nickname": "Anna", "password": "segreto"}, Enter("Anna", "segreto")),
        ({"nickname": "anna", "password": None}, Enter("anna")),
        ({"nickname": "anna", "password": ""}, Enter("anna")),  # the field of the form, left empty
        (
            {"nickname": "anna", "resume": {"token": "t", "epoch": "5f", "offset": 17}},
            Enter("anna", None, Resume("t", "5f", 17)),
        ),
        (
            {"nickname": "anna", "resume": {"token": "t", "epoch": "5f", "offset": 0}},
            Enter("anna", None, Resume("t", "5f", 0)),
        ),
        (
            {"nickname": "a", "resume": {"token": "t", "epoch": "5f", "offset": 1, "more": []}},
            Enter("a", None, Resume("t", "5f", 1)),
        ),
        ({"nickname": "anna", "resume": None}, Enter("anna")),
        ({"nickname": "anna", "rooms": {}}, Enter("anna")),
        (
            {"nickname": "anna", "rooms": {"#Ops": {"epoch": "5f", "offset": 3}, "x y": _THERE}},
            Enter("anna", rooms={"ops": RoomPlace("5f", 3), "x y": RoomPlace("9c", 0)}),
        ),
        ({"nickname": ""}, Enter("")),
        ({"nickname": "nicolò"}, Enter("nicolò")),
        ({"nickname": "a\x00b"}, Enter("a\x00b")),
    ],
)
def test_enter(frame: dict[str, Any], command: Command) -> None:
    message = json.dumps({"type": "enter", **frame}).encode()
    assert read(BrowserDecoder(), [message]) == [command]


def test_after_a_refused_nickname_comes_another_one() -> None:
    decoder = BrowserDecoder()
    for nickname in ("G", "taken", "anna"):
        decoder.feed(frames.encode(type="enter", nickname=nickname))
        assert decoder.next_command() == Enter(nickname)
        decoder.refused()
    decoder.feed(frames.encode(type="enter", nickname="bruno"))
    assert decoder.next_command() == Enter("bruno")
    decoder.entered()
    decoder.feed(b'{"type":"leave"}')
    assert decoder.next_command() == Leave()


MEMBERS_FRAMES: list[tuple[dict[str, Any], Command]] = [
    ({"type": "say", "id": 1, "text": "Ciao"}, Say("Ciao", 1)),
    ({"type": "say", "id": 2**53 - 1, "text": ""}, Say("", 2**53 - 1)),
    ({"type": "say", "id": 2, "text": "città 日本 🎉"}, Say("città 日本 🎉", 2)),
    # "control characters other than TAB are removed"; "line ends stay"
    ({"type": "say", "id": 3, "text": "\x1b[2Ja\x00b\u2028c\x7f\x9bd\te"}, Say("[2Jabcd\te", 3)),
    ({"type": "say", "id": 3, "text": "\r\na\r\n\x1bb\rc\n\nd\n"}, Say(several("a", "b", "c", "", "d"), 3)),
    ({"type": "whisper", "id": 3, "to": "b", "text": "a\nb"}, Whisper("b", several("a", "b"), 3)),
    ({"type": "say", "id": 3, "text": "a\r\n" * 49 + "a"}, Say(several(*"a" * 50), 3)),
    ({"type": "say", "id": 4, "text": "<script>alert(1)</script>"}, Say("<script>alert(1)</script>", 4)),
    ({"type": "say", "id": 5, "text": "x" * BOUND}, Say("x" * BOUND, 5)),
    ({"type": "whisper", "id": 6, "to": "bruno", "text": "Ciao"}, Whisper("bruno", "Ciao", 6)),
    ({"type": "whisper", "id": 7, "to": "", "text": ""}, Whisper("", "", 7)),
    ({"type": "whisper", "id": 8, "to": "G", "text": "x"}, Whisper("G", "x", 8)),
    ({"type": "received", "count": 1}, Acknowledge(1)),
    ({"type": "received", "count": 1000}, Acknowledge(1000)),
    ({"type": "history", "before": 11}, LookBack(11)),
    ({"type": "history", "before": 11, "index": 3}, LookBack(11, 3)),
    ({"type": "search", "text": "Ciao"}, Search("Ciao")),
    ({"type": "search", "text": "x" * 256, "before": 0, "index": 1}, Search("x" * 256, 0, 1)),
    ({"type": "leave"}, Leave()),
    ({"type": "close"}, CloseChat()),
    # "say, history, search and moderate with room are meant for that room"
    ({"type": "say", "id": 1, "text": "Ciao", "room": "ops"}, Say("Ciao", 1, "ops")),
    ({"type": "say", "id": 1, "text": "Ciao", "room": ""}, Say("Ciao", 1)),
    ({"type": "say", "text": "Ciao", "room": "#Ops"}, Say("Ciao", 0, "ops")),
    ({"type": "say", "id": 1, "text": "Ciao", "room": "##ops"}, Say("Ciao", 1, "#ops")),
    ({"type": "history", "before": 11, "index": 3, "room": "Ops"}, LookBack(11, 3, "ops")),
    ({"type": "search", "text": "Ciao", "room": "ops"}, Search("Ciao", room="ops")),
    ({"type": "join", "room": "ops"}, JoinRoom("ops")),
    ({"type": "join", "room": "#OPS", "resume": None}, JoinRoom("ops")),
    ({"type": "join", "room": "ops", "resume": _THERE}, JoinRoom("ops", RoomPlace("9c", 0))),
    ({"type": "join", "room": "no room"}, JoinRoom("no room")),
    ({"type": "part", "room": "Ops"}, PartRoom("ops")),
    ({"type": "rooms"}, ListRooms()),
    # "Unknown fields are ignored"
    ({"type": "leave", "why": {"a": [1, None, 1.5, "x", True]}}, Leave()),
    ({"type": "say", "id": 9, "text": "x", "to": 5, "later": "y"}, Say("x", 9)),
]  # fmt: skip


@each(("frame", "command"), MEMBERS_FRAMES)
def test_a_members_frames(frame: dict[str, Any], command: Command) -> None:
    for message in (
        json.dumps(frame).encode(),
        json.dumps(frame, ensure_ascii=False, indent=1).encode(),
        json.dumps(dict(reversed(frame.items()))).encode(),
        b" \n" + json.dumps(frame).encode() + b"\n",
    ):
        assert read(member(), [message]) == [command]
        assert read(member(), [message, b'{"type":"leave"}']) == [command, Leave()]


def test_messages_wait_until_they_are_asked_for() -> None:
    decoder = member()
    messages = [frames.encode(type="say", id=i, text="x") for i in range(1, 4)]
    for message in messages:
        decoder.feed(message)
    assert decoder.buffered == sum(map(len, messages))
    assert decoder.next_command() == Say("x", 1)
    assert decoder.buffered == sum(map(len, messages[1:]))
    assert [decoder.next_command() for _ in range(3)] == [Say("x", 2), Say("x", 3), None]
    assert decoder.buffered == 0
    decoder.feed(b'{"type":"close"}')
    assert decoder.next_command() == CloseChat()


@each("escaped", [True, False])
@each("letter", ["x", "é", "€", "🎉"])
def test_a_text_of_4096_bytes_is_a_text_and_a_longer_one_is_none(
    letter: str, escaped: bool
) -> None:
    most = letter * (BOUND // len(letter.encode()))
    for fields in ({"type": "say"}, {"type": "whisper", "to": "bruno"}):
        fit, long = (
            json.dumps({**fields, "id": 1, "text": text}, ensure_ascii=escaped).encode()
            for text in (most, most + letter)
        )
        (command,) = read(member(), [fit])
        assert isinstance(command, Say | Whisper)
        assert command.text == most
        (command,) = read(member(), [long])
        assert isinstance(command, Faulty)
        assert command.fault is Fault.TOO_LONG
        assert str(BOUND) in command.explanation


def test_a_text_of_more_than_50_lines_is_none() -> None:
    for end in ("\n", "\r\n", "\r"):
        frame = {"type": "say", "id": 7, "text": end.join("a" * 51)}
        (command,) = read(member(), [json.dumps(frame).encode()])
        assert command == Faulty(Fault.TOO_LONG, "text has more than 50 lines", 7)


def test_a_text_of_several_lines_has_line_feeds() -> None:
    text = several("one", "", "two")
    said = Said("andy", "n:1", text)
    assert json.loads(VOICE.public(said))["text"] == "one\n\ntwo"
    past = VOICE.past_message(PastMessage(Position("e", 7, 0.0), 0, said))
    assert json.loads(past)["text"] == "one\n\ntwo"
    for letter in (Whispered("andy", "n:1", "b", text), Undelivered("andy", "n:1", "b", text)):
        assert b'"text":"one\\n\\ntwo"' in VOICE.private(letter, 0.0)


# "a frame was none of the above; reason says what was wrong with it"

DEEP = 6000
WRONG: list[bytes] = [
    # No JSON, or more than one.
    *(b"", b" ", b"{", b"}", b"ciao", b"{}{}", b"\x00", b"\xff", b"{'type':'leave'}"),
    b'{"type":"leave"',
    b'{"type":"leave"}{"type":"leave"}',
    b'{"type":"leave",}',
    b'\xef\xbb\xbf{"type":"leave"}',
    b'{"type":"say","id":1,"text":"a\x00b"}',
    b'{"type":"say","id":1,"text":"\\x"}',
    b'{"type":"say","id":1,"text":"unended',
    # No object.
    *(b"[]", b'["leave"]', b"null", b"true", b"5", b'"leave"', b'[{"type":"leave"}]', b"NaN"),
    # No type, or none of ours.
    *(b"{}", b'{"text":"x"}', b'{"type":null}', b'{"type":5}', b'{"type":""}', b'{"type":["say"]}'),
    *(b'{"type":"SAY","id":1,"text":"x"}', b'{"type":"welcome"}', b'{"Type":"leave"}'),
    b'{"type":"\\u0000"}',
    b'{"type":"' + b"x" * 16_000 + b'"}',
    # Missing fields.
    *(b'{"type":"say","id":1}', b'{"type":"whisper","id":1,"text":"x"}', b'{"type":"received"}'),
    b'{"type":"whisper","id":1,"to":"bruno"}',
    # Wrong types.
    *(b'{"type":"say","id":1,"text":%s}' % it for it in (b"null", b"5", b"true", b"[]", b"{}")),
    *(b'{"type":"say","id":%s,"text":"x"}' % it for it in (b"null", b'"1"', b"1.5", b"true", b"[]")),
    *(b'{"type":"whisper","id":1,"to":%s,"text":"x"}' % it for it in (b"null", b"5", b"[]")),
    *(b'{"type":"received","count":%s}' % it for it in (b"null", b'"1"', b"0.5", b"[]", b"{}")),
    # Huge numbers, and numbers out of range.
    *(b'{"type":"say","id":%s,"text":"x"}' % it for it in (b"-1", b"1e400", b"-1e400", b"1e9")),
    *(b'{"type":"say","id":%d,"text":"x"}' % it for it in (2**53, 2**63, 2**64, 10**400)),
    *(b'{"type":"received","count":%d}' % it for it in (0, -1, 10**9, 10**400)),
    # Nesting.
    b"[" * DEEP,
    b"[" * DEEP + b"]" * DEEP,
    b'{"type":"say","id":1,"text":' + b"[" * DEEP + b"]" * DEEP + b"}",
    # Halves of surrogate pairs, which no encoding can hold.
    *(b'{"type":"say","id":1,"text":"%s"}' % it for it in (rb"\ud800", rb"\udfff", rb"\udc00\ud800")),
    b'{"type":"whisper","id":1,"to":"\\ud800","text":"x"}',
    b'{"type":"\\ud800"}',
    # Rooms.
    *(b'{"type":"join"%s}' % it for it in (b"", b',"room":null', b',"room":5', b',"room":["ops"]')),
    *(b'{"type":"join","room":"ops","resume":%s}' % it for it in (b"5", b"{}", b'{"epoch":"e"}')),
    b'{"type":"join","room":"ops","resume":{"epoch":"e","offset":-1}}',
    b'{"type":"part"}',
    b'{"type":"say","text":"x","room":null}',
    b'{"type":"history","before":1,"room":1}',
    b'{"type":"join","room":"' + b"x" * 257 + b'"}',
    # Names past all measure.
    b'{"type":"whisper","id":1,"to":"' + b"x" * 5000 + b'","text":"x"}',
    # Not in this state.
    b'{"type":"enter","nickname":"anna"}',
]  # fmt: skip

WRONG_ENTERING: list[bytes] = [
    b'{"type":"enter"}',
    *(b'{"type":"enter","nickname":%s}' % it for it in (b"null", b"5", b"[]", b'"%s"' % (b"x" * 999))),
    b'{"type":"enter","nickname":"anna","password":5}',
    b'{"type":"enter","nickname":"\\ud800"}',
    b'{"type":"enter","nickname":"anna","password":"\\ud800"}',
    *(b'{"type":"enter","nickname":"anna","resume":%s}' % it for it in (b"5", b"[]", b"{}", b'"t"')),
    *(
        b'{"type":"enter","nickname":"anna","resume":{"token":%s,"epoch":%s,"offset":%s}}' % it
        for it in [
            (b"null", b'"e"', b"1"),
            (b"5", b'"e"', b"1"),
            (b'"t"', b"5", b"1"),
            (b'"t"', b'"e"', b"null"),
            (b'"t"', b'"e"', b"-1"),
            (b'"t"', b'"e"', b"1.5"),
            (b'"t"', b'"e"', b"9" * 400),
            (b'"\\ud800"', b'"e"', b"1"),
            (b'"t"', b'"\\udc00"', b"1"),
            (b'"%s"' % (b"t" * 5000), b'"e"', b"1"),
        ]
    ),
    b'{"type":"enter","nickname":"anna","resume":{"token":"t","epoch":"e"}}',
    *(b'{"type":"enter","nickname":"a","rooms":%s}' % it for it in (b"null", b'["ops"]', b'{"ops":1}')),
    b'{"type":"enter","nickname":"a","rooms":{"ops":{"epoch":"e"}}}',
    # Not in this state: "enter: the first frame".
    *(b'{"type":"say","id":1,"text":"x"}', b'{"type":"leave"}', b'{"type":"close"}'),
    *(b'{"type":"received","count":1}', b'{"type":"whisper","id":1,"to":"a","text":"x"}'),
    *(b'{"type":"join","room":"ops"}', b'{"type":"part","room":"ops"}', b'{"type":"rooms"}'),
]  # fmt: skip


def assert_refused_with_a_reason(decoder: BrowserDecoder, message: bytes) -> None:
    (command,) = read(decoder, [message])
    assert isinstance(command, Faulty), command
    (frame,) = received(BrowserEncoder().fault(command))
    assert isinstance(frame, frames.ErrorFrame)


@each("message", WRONG)
def test_a_wrong_frame_is_answered_and_the_session_goes_on(message: bytes) -> None:
    decoder = member()
    assert_refused_with_a_reason(decoder, message)
    assert read(decoder, [b'{"type":"leave"}']) == [Leave()]


@each(
    "message",
    [*WRONG_ENTERING, *(it for it in WRONG if b'"enter"' not in it)],
)
def test_a_wrong_frame_instead_of_enter_is_answered_and_enter_may_follow(message: bytes) -> None:
    decoder = BrowserDecoder()
    assert_refused_with_a_reason(decoder, message)
    assert read(decoder, [b'{"type":"enter","nickname":"anna"}']) == [Enter("anna")]


@pytest.mark.parametrize("entered", [True, False])
@pytest.mark.parametrize(
    "value", [b"[" * DEEP + b"]" * DEEP, b'{"a":' * 2500 + b"1" + b"}" * 2500, b"[" * 16_000]
)
def test_an_unknown_field_nested_without_end_harms_nobody(value: bytes, entered: bool) -> None:
    """Ignored as any unknown field, or refused: but never more than one frame's affair."""
    message = b'{"type":"leave","later":%s}' % value
    assert len(message) <= MOST
    decoder = member() if entered else BrowserDecoder()
    (command,) = read(decoder, [message])
    assert isinstance(command, Leave | Faulty)
    assert len(read(decoder, [b'{"type":"close"}'])) == 1


def test_what_was_wrong_is_said() -> None:
    for message, word in [
        (b'{"type":"say","id":1}', "text"),
        (b'{"type":"say","id":"1","text":"x"}', "id"),
        (b'{"type":"received","count":0}', "count"),
        (b'{"text":"x"}', "type"),
        (b"[]", "object"),
        (b"ciao", "JSON"),
        (b'{"type":"enter","nickname":"x"}', "entered"),
    ]:
        (command,) = read(member(), [message])
        assert isinstance(command, Faulty)
        assert word in command.explanation


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
FRAMES = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["enter", "say", "whisper", "received", "leave", "close"]) | JSON,
        "id": st.integers(-1, 2**54) | JSON,
        "text": st.text(max_size=30) | JSON,
        "to": st.text(max_size=30) | JSON,
        "nickname": st.text(max_size=30) | JSON,
        "password": st.text(max_size=30) | JSON,
        "count": st.integers(0, 2_000_000) | JSON,
        "resume": st.fixed_dictionaries(
            {}, optional={"token": st.text() | JSON, "epoch": st.text(), "offset": st.integers()}
        )
        | JSON,
    },
)


@given(st.lists(FRAMES.map(json.dumps) | JSON.map(json.dumps), max_size=8), st.booleans())
def test_any_json_gives_one_command_a_frame(messages: list[str], entered: bool) -> None:
    decoder = member() if entered else BrowserDecoder()
    for message in messages:
        (command,) = read(decoder, [message.encode()])
        if isinstance(command, Faulty):
            assert command.explanation
            received(BrowserEncoder().fault(command))
        else:
            assert isinstance(command, Enter) is not entered
            entered = True


@given(st.lists(st.binary(max_size=60), max_size=8), st.booleans())
def test_any_bytes_give_one_command_a_frame(messages: list[bytes], entered: bool) -> None:
    commands = read(member() if entered else BrowserDecoder(), messages)
    assert len(commands) == len(messages)


@given(st.text(alphabet=st.characters(codec=None, categories=None), max_size=60))
def test_any_text_can_be_said_or_is_refused_and_what_is_said_can_be_read(text: str) -> None:
    message = json.dumps({"type": "say", "id": 1, "text": text}).encode()
    (command,) = read(member(), [message])
    if isinstance(command, Say):
        (frame,) = received(VOICE.batch([VOICE.public(Said("anna", "n1:7", command.text))], PLACE))
        assert isinstance(frame, frames.EventsFrame)
        assert frame.events == (frames.SaidEvent("anna", with_line_feeds(command.text), "n1:7"),)
    else:
        assert isinstance(command, Faulty)
        assert any("\ud800" <= letter <= "\udfff" for letter in text)


# From the service

VOICE = BrowserEncoder()


def received(data: bytes) -> list[frames.Frame]:
    """What a browser reads of some bytes: whole text frames, each an object as described."""
    browser = ClientProtocol(parse_uri("ws://127.0.0.1/ws"), state=State.OPEN)
    browser.receive_data(data)
    events = browser.events_received()
    assert browser.state is State.OPEN, browser.close_exc
    assert not browser.data_to_send()
    found = []
    for event in events:
        assert isinstance(event, WebSocketFrame)
        assert event.opcode is Opcode.TEXT
        assert event.fin
        text = bytes(event.data)
        found.append(frames.decode(text))
        assert json.loads(text) == json.loads(msgspec.json.encode(found[-1]))
    return found


def test_it_is_a_encoder() -> None:
    encoder: Encoder = VOICE
    decoder: Decoder = encoder.decoder()
    assert decoder.buffered == 0
    assert decoder is not encoder.decoder()
    assert (encoder.name, encoder.default_port) == ("browser", 8080)
    assert encoder.echoes  # "one's own as well, before its sent"
    assert encoder.retries
    assert encoder.resumes
    assert encoder.acknowledgement is None
    assert not encoder.acknowledges_all  # "so many whispered frames arrived"
    assert len({BrowserEncoder(), VOICE}) == 1
    assert encoder.greeting() == b""
    assert encoder.deaf_seconds == 0.0


@each("reason", Disconnect)
def test_only_an_operator_s_words_go_before_the_close(reason: Disconnect) -> None:
    """ "answered by the close of the connection": with the reason's name."""
    said = VOICE.farewell(reason, "enough")
    if reason in (Disconnect.KICKED, Disconnect.BANNED):
        kind = frames.KickedFrame if reason is Disconnect.KICKED else frames.BannedFrame
        assert received(said) == [kind("enough")]
    else:
        assert said == b""


def test_a_ban_that_ends_says_when() -> None:
    assert received(VOICE.farewell(Disconnect.BANNED, "enough", 1_795_000_000_000)) == [
        frames.BannedFrame("enough", 1_795_000_000_000)
    ]
    assert received(VOICE.refusal(Refusal.BANNED, "anna", until=1_795_000_000_000)) == [
        frames.RefusedFrame("banned", 1_795_000_000_000)
    ]


def test_a_part_of_the_log_that_was_lost_is_marked() -> None:
    """What the client resumes from is the place up to which it is lost."""
    assert received(VOICE.missed(PLACE)) == [frames.MissedFrame(PLACE.epoch, PLACE.offset)]


@pytest.mark.parametrize(("missed_some", "missed"), [(False, "nothing"), (True, "some")])
@pytest.mark.parametrize("others", [[], ["bruno"], ["bruno", "carla"]])
def test_welcome(others: list[str], missed_some: bool, missed: Any) -> None:
    token = "a" * 24
    data = VOICE.welcome(
        Welcome(
            "Anna",
            iter(others),
            PLACE,
            "node-1~a1b2:7",
            token,
            7,
            missed_some=missed_some,
            resumed=missed_some,
            is_account=missed_some,
            registration="invited",
        )
    )
    assert received(data) == [
        frames.WelcomeFrame(
            "Anna",
            token,
            missed_some,
            7,
            (*others, "Anna"),
            "5f0a",
            18,
            "a1b2:7",
            missed_some,
            0,
            missed,
            "invited",
            12,
            moderator=False,
            topic="",
            slow=0,
            accounts_only=False,
            muted=False,
        )
    ]


def test_a_welcome_says_what_holds() -> None:
    mute = Muted("anna", "n:1", "bruno", 1_795_000_000_000, "too loud")
    standing = Standing(True, "coffee", 5, True, mute, ("anna",), {"Bruno": 0})
    (told,) = received(
        VOICE.welcome(Welcome("bruno", (), PLACE, "n~1:7", "a" * 24, standing=standing))
    )
    assert isinstance(told, frames.WelcomeFrame)
    assert (told.moderator, told.topic, told.slow, told.accounts_only) == (True, "coffee", 5, True)
    assert (told.muted, told.muted_until, told.muted_why) == (True, mute.until, mute.reason)
    assert (told.moderators, told.mutes) == (("anna",), {"Bruno": 0})


def test_a_welcome_says_what_was_refused() -> None:
    welcome = Welcome("anna", (), PLACE, "n~1:7", "a" * 24, done=9, refused=[3, 9])
    (told,) = received(VOICE.welcome(welcome))
    assert isinstance(told, frames.WelcomeFrame)
    assert (told.done, told.refused) == (9, (3, 9))


def test_a_new_moderator_learns_who_is_muted() -> None:
    (told,) = received(VOICE.batch([VOICE.mutes({"Bruno": 0})], PLACE))
    assert isinstance(told, frames.EventsFrame)
    assert told.events == (frames.MutesEvent({"Bruno": 0}),)


def test_what_moderators_do() -> None:
    anna, until = ("anna", "n~1:1"), 1_795_000_000_000
    told: list[tuple[PublicEvent, frames.Event]] = [
        (Muted(*anna, "b", until, "loud"), frames.MutedEvent("b", "anna", until, "loud")),
        (Muted(*anna, "b"), frames.MutedEvent("b", "anna", 0, "")),
        (Unmuted(*anna, "b"), frames.UnmutedEvent("b", "anna")),
        (Kicked(*anna, "b", "enough"), frames.KickedEvent("b", "anna", "enough")),
        (SlowMode(*anna, 5), frames.SlowEvent(5, "anna")),
        (AccountsOnly(*anna, True), frames.AccountsOnlyEvent(True, "anna")),
        (Topic(*anna, "coffee"), frames.TopicEvent("coffee", "anna")),
        (Redacted(*anna, 7, 1), frames.RedactedEvent(7, 1, "anna")),
        (Appointed("G", "-", "anna", True), frames.ModeratorEvent("anna", True, "G")),
        (Owned(*anna, "anna"), frames.OwnerEvent("anna")),
        (Outsiders(*anna, True), frames.OutsidersEvent(True, "anna")),
        (Withdrawn("b", "n~1:2"), frames.SaidEvent("b", session="1:2", redacted=True)),
    ]
    pieces = [VOICE.public(event) for event, _ in told]
    (frame,) = received(VOICE.batch(pieces, PLACE))
    assert isinstance(frame, frames.EventsFrame)
    assert frame.events == tuple(wanted for _, wanted in told)


def test_why_a_message_was_not_passed_on() -> None:
    until = 1_795_000_000_000
    for restraint, wanted in (
        (Restraint(Why.MUTED, until, "loud"), frames.FailedFrame(3, "muted", until, "loud")),
        (Restraint(Why.MUTED), frames.FailedFrame(3, "muted")),
        (Restraint(Why.SLOW, until), frames.FailedFrame(3, "slow", until)),
        (Restraint(Why.ACCOUNTS_ONLY), frames.FailedFrame(3, "accounts_only")),
        (Restraint(Why.FILTERED), frames.FailedFrame(3, "filtered")),
    ):
        assert received(VOICE.restrained(restraint, 3)) == [wanted]


def test_an_act_of_moderation_that_was_not_carried_out() -> None:
    for fault in ModerationFault:
        (told,) = received(VOICE.not_moderated(Action.ACCOUNTS_ONLY, fault))
        if fault is ModerationFault.FORBIDDEN:
            assert told == frames.ForbiddenFrame("accounts_only")
        else:
            assert isinstance(told, frames.FailedFrame)
            assert (told.action, told.reason) == ("accounts_only", fault.value)


@pytest.mark.parametrize(
    ("fields", "act"),
    [
        (
            {"action": "mute", "nickname": "b", "seconds": 60, "reason": " loud\n"},
            Moderation(Action.MUTE, "b", 60, text="loud"),
        ),
        ({"action": "unmute", "nickname": "b"}, Moderation(Action.UNMUTE, "b")),
        ({"action": "kick", "nickname": "b"}, Moderation(Action.KICK, "b")),
        ({"action": "slow", "seconds": 5}, Moderation(Action.SLOW, value=5)),
        ({"action": "accounts_only", "on": True}, Moderation(Action.ACCOUNTS_ONLY, value=1)),
        ({"action": "topic", "text": "coffee"}, Moderation(Action.TOPIC, text="coffee")),
        (
            {"action": "redact", "offset": 7, "index": 1, "nickname": "b"},
            Moderation(Action.REDACT, value=7, index=1),
        ),
    ],
)
def test_what_a_moderator_asks_for(fields: dict[str, Any], act: Moderation) -> None:
    assert understood(frames.encode(type="moderate", **fields)) == Moderate(act)


@pytest.mark.parametrize(
    "fields",
    [
        {"action": "ban", "nickname": "b"},
        {"action": "slow", "seconds": 3601},
        {"action": "mute", "nickname": "b", "seconds": -1},
        {"action": "topic", "text": "x" * 501},
        {"action": "topic", "text": "é" * 251},
    ],
)
def test_what_no_moderator_may_ask_for(fields: dict[str, Any]) -> None:
    assert isinstance(understood(frames.encode(type="moderate", **fields)), Faulty)


def understood(frame: bytes) -> Command | None:
    """Return what a frame of somebody who has entered asks for."""
    decoder = VOICE.decoder()
    decoder.entered()
    decoder.feed(frame)
    return decoder.next_command()


def test_a_ping_is_taken_before_and_after_entering() -> None:
    decoder = VOICE.decoder()
    for _ in range(2):
        decoder.feed(b'{"type":"ping"}')
        assert decoder.next_command() == Ping()
        decoder.entered()
    assert received(PING) == [frames.PingFrame()]
    assert received(VOICE.pong()) == [frames.PongFrame()]


def test_refused_failed_and_forbidden() -> None:
    assert received(VOICE.refusal(Refusal.INVALID_NICKNAME, "G")) == [
        frames.RefusedFrame("invalid_nickname")
    ]
    assert received(VOICE.refusal(Refusal.NICKNAME_TAKEN, "anna")) == [
        frames.RefusedFrame("nickname_taken")
    ]
    assert received(VOICE.refusal(Refusal.UNKNOWN_RECIPIENT, "dora", 5)) == [
        frames.FailedFrame(5, "unknown_recipient")
    ]
    assert received(VOICE.refusal(Refusal.FORBIDDEN)) == [frames.ForbiddenFrame()]


def test_every_refusal_has_a_frame() -> None:
    for refusal in Refusal:
        assert len(received(VOICE.refusal(refusal, "x", 1))) == 1


def test_sent() -> None:
    assert received(VOICE.sent(1)) == [frames.SentFrame(1)]
    assert received(VOICE.sent(2**53 - 1)) == [frames.SentFrame(2**53 - 1)]


def test_private_messages() -> None:
    letter = Whispered("bruno", "n1~a:7", "Anna", "Ciao, città", 3)
    assert received(VOICE.private(letter, 1795221185.25)) == [
        frames.WhisperedFrame("bruno", "Ciao, città", 1795221185250, "a:7", 3)
    ]
    report = Undelivered("anna", "n1:7", "bruno", "Ciao", 2)
    assert received(VOICE.private(report, 1795221185.25)) == [
        frames.UndeliveredFrame("bruno", "Ciao", 2)
    ]


def test_what_waited_for_its_reader_and_an_old_client_s_message_have_no_id() -> None:
    letter = Whispered("bruno", "", "Anna", "Ciao")
    assert received(VOICE.private(letter, 1795221185.0)) == [
        frames.WhisperedFrame("bruno", "Ciao", 1795221185000)
    ]
    report = Undelivered("anna", "n1:7", "bruno", "Ciao")
    assert received(VOICE.private(report, 0.0)) == [frames.UndeliveredFrame("bruno", "Ciao")]


def past(message: PastMessage) -> frames.PastMessage:
    pieces = [VOICE.past_message(message)]
    (frame,) = received(VOICE.past(pieces, "5f0a", Place(11, 2), more=True))
    assert isinstance(frame, frames.PastFrame)
    assert (frame.epoch, frame.before, frame.index, frame.more) == ("5f0a", 11, 2, True)
    return frame.messages[0]


def test_past_messages() -> None:
    said = Said("anna", "n1~a:7", 'a"b', 12, is_account=True)
    assert past(PastMessage(PLACE, 2, said)) == frames.PastMessage(
        PLACE.offset, 2, 1795221185000, "anna", "a:7", 12, account=True, text='a"b'
    )
    assert past(PastMessage(PLACE, 0, Said("G", "", ""))) == frames.PastMessage(
        PLACE.offset, 0, 1795221185000, "G", text=""
    )
    assert received(VOICE.past([], "5f0a", Place(1), more=False)) == [
        frames.PastFrame("5f0a", 1, 0, (), more=False)
    ]


def test_what_was_redacted_has_no_text() -> None:
    message = past(PastMessage(PLACE, 0, Said("anna", "a:7", "secret", 3), is_redacted=True))
    assert (message.text, message.redacted, message.session) == (None, True, "a:7")


def test_found_messages() -> None:
    pieces = [VOICE.past_message(PastMessage(PLACE, i, Said("a", "s", "x"))) for i in (0, 1)]
    (frame,) = received(VOICE.found('"x', pieces, "5f0a", Place(3, 1), more=False))
    assert isinstance(frame, frames.FoundFrame)
    assert (frame.text, frame.before, frame.index, frame.more) == ('"x', 3, 1, False)
    assert [it.index for it in frame.messages] == [0, 1]


def test_a_message_tells_its_session_its_sender_s_id_and_an_account() -> None:
    """Not the name of the node, which is in a session's name in the log."""
    said = Said("anna", "node-1~a1b2:7", "Ciao", 12, is_account=True)
    notice = Said("G", "", "Ciao")
    (frame,) = received(VOICE.batch([VOICE.public(said), VOICE.public(notice)], PLACE, 3))
    assert isinstance(frame, frames.EventsFrame)
    assert frame.first == 3
    assert frame.events == (
        frames.SaidEvent("anna", "Ciao", "a1b2:7", 12, account=True),
        frames.SaidEvent("G", "Ciao"),
    )


def test_events_of_an_entry_are_one_frame_in_their_order() -> None:
    events: list[PublicEvent] = [
        *(Joined("bruno", "n1:7", "chatte"), Present("carla", "n1:8"), Said("bruno", "n1:7", 'a"\\b')),
        *(Said("bruno", "n1:7", ""), Left("bruno", "n1:7"), Closed("anna", "n1:6")),
    ]  # fmt: skip
    pieces = [VOICE.public(event) for event in events]
    assert received(VOICE.batch([*pieces, VOICE.promoted()], PLACE)) == [
        frames.EventsFrame(
            "5f0a",
            18,
            1795221185000,
            (
                frames.JoinedEvent("bruno"),
                frames.JoinedEvent("carla"),
                frames.SaidEvent("bruno", 'a"\\b', "n1:7"),
                frames.SaidEvent("bruno", "", "n1:7"),
                frames.LeftEvent("bruno"),
                frames.ClosedEvent("anna"),
                frames.AdministratorEvent(),
            ),
        )
    ]


def test_nothing_is_no_frame() -> None:
    assert VOICE.batch([], PLACE) == b""


@each("length", [0, 1, 60, 125, 126, 4096, 65_535, 65_536, 300_000])
def test_frames_of_any_length_are_whole(length: int) -> None:
    text = "x" * length
    data = VOICE.batch([VOICE.public(Said("anna", "n1:7", text))], PLACE)
    data += VOICE.sent(1)
    (frame, sent) = received(data)
    assert isinstance(frame, frames.EventsFrame)
    assert frame.events == (frames.SaidEvent("anna", text, "n1:7"),)
    assert sent == frames.SentFrame(1)


@pytest.mark.parametrize(
    "explanation", ["x", 'a "quoted" one\\', "città 🎉", "\x00\x1b", "</script>"]
)
def test_error(explanation: str) -> None:
    assert received(VOICE.fault(Faulty(Fault.MALFORMED, explanation))) == [
        frames.ErrorFrame(explanation)
    ]


def test_an_error_about_a_message_has_its_number() -> None:
    faulty = understood(b'{"type":"say","id":7,"text":"%s"}' % (b"x" * 4097))
    assert isinstance(faulty, Faulty)
    assert received(VOICE.fault(faulty)) == [frames.ErrorFrame(faulty.explanation, 7)]


TEXTS = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40)


@given(st.lists(TEXTS, min_size=1, max_size=5), st.integers(1, 2**53 - 1), st.floats(1.6e9, 4e9))
def test_whatever_is_said_comes_whole(texts: list[str], offset: int, at: float) -> None:
    pieces = [VOICE.public(Said("anna", "n1:7", text)) for text in texts]
    (frame,) = received(VOICE.batch(pieces, Position("5f", offset, at)))
    assert isinstance(frame, frames.EventsFrame)
    read_as = map(with_line_feeds, texts)
    assert frame.events == tuple(frames.SaidEvent("anna", text, "n1:7") for text in read_as)
    assert frame.offset == offset
    assert abs(frame.at - at * 1000) <= 1


# Of a further room

OPS = VOICE.in_room("ops")


def test_a_voice_of_a_room_is_another_one_and_equal_ones_are_one() -> None:
    assert len({VOICE, OPS, BrowserEncoder(50), VOICE.in_room("ops"), OPS.in_room("dev")}) == 4
    assert (VOICE.room, OPS.room, BrowserEncoder(50).in_room("ops").history) == ("", "ops", 50)
    assert VOICE.rooms


def test_the_welcome_of_a_room_byte_for_byte() -> None:
    standing = Standing(owner="bruno", outsiders=True)
    welcome = Welcome("anna", ("bruno",), PLACE, "n~1:7", "t" * 24, 9, (3,), standing=standing)
    payload = (
        b'{"type":"room","room":"ops","resumed":false,"done":9,"members":["bruno","anna"],'
        b'"epoch":"5f0a","offset":18,"history":0,"missed":"nothing","refused":[3],"moderator":false,'
        b'"topic":"","slow":0,"accounts_only":false,"muted":false,"owner":"bruno","outsiders":true}'
    )
    assert OPS.welcome(welcome).endswith(payload)
    (told,) = received(OPS.welcome(welcome))
    assert isinstance(told, frames.RoomFrame)


def test_what_happens_in_a_room_has_its_name_byte_for_byte() -> None:
    said = Said("anna", "n~1:7", "Ciao", 3)
    past = OPS.past_message(PastMessage(PLACE, 0, said))
    for told, payload in (
        (
            OPS.batch([OPS.public(said)], PLACE),
            b'{"type":"events","room":"ops","epoch":"5f0a","offset":18,"at":1795221185000,"events":'
            b'[{"type":"said","nickname":"anna","text":"Ciao","session":"1:7","id":3}]}',
        ),
        (OPS.sent(3), b'{"type":"sent","room":"ops","id":3}'),
        (
            OPS.missed(PLACE),
            b'{"type":"missed","room":"ops","epoch":"5f0a","offset":18}',
        ),
        (
            OPS.past([past], "5f0a", Place(18), more=False),
            b'{"type":"past","room":"ops","epoch":"5f0a","before":18,"index":0,"messages":['
            b'{"offset":18,"index":0,"at":1795221185000,"nickname":"anna","session":"1:7","id":3,'
            b'"text":"Ciao"}],"more":false}',
        ),
        (
            OPS.found("x", [], "5f0a", Place(18), more=True),
            b'{"type":"found","room":"ops","text":"x","epoch":"5f0a","before":18,"index":0,'
            b'"messages":[],"more":true}',
        ),
        (
            OPS.refusal(Refusal.UNKNOWN_RECIPIENT, "#ops", 3),
            b'{"type":"failed","room":"ops","id":3,"reason":"unknown_recipient"}',
        ),
        (
            OPS.restrained(Restraint(Why.MUTED), 3),
            b'{"type":"failed","room":"ops","id":3,"reason":"muted"}',
        ),
        (
            OPS.fault(Faulty(Fault.TOO_LONG, "too long", 3, "ops")),
            b'{"type":"error","room":"ops","reason":"too long","id":3}',
        ),
        (
            OPS.not_moderated(Action.APPOINT, ModerationFault.FORBIDDEN),
            b'{"type":"forbidden","room":"ops","action":"appoint"}',
        ),
        (
            OPS.not_moderated(Action.DISMISS, ModerationFault.NO_ACCOUNT),
            b'{"type":"failed","room":"ops","action":"dismiss","reason":"no_account"}',
        ),
        (OPS.parted(Disconnect.LEFT), b'{"type":"parted","room":"ops","reason":"left"}'),
        (
            OPS.parted(Disconnect.KICKED, "enough"),
            b'{"type":"parted","room":"ops","reason":"kicked","words":"enough"}',
        ),
        (
            VOICE.in_room("no room").not_joined(RoomFault.INVALID_ROOM),
            b'{"type":"failed","room":"no room","action":"join","reason":"invalid_room"}',
        ),
        (
            OPS.not_joined(RoomFault.NOT_IN_ROOM),
            b'{"type":"failed","room":"ops","reason":"not_in_room"}',
        ),
    ):
        assert told.endswith(payload), told
        assert len(received(told)) == 1


def test_every_reason_why_somebody_is_not_in_a_room_is_described() -> None:
    for fault in RoomFault:
        (told,) = received(OPS.not_joined(fault))
        assert isinstance(told, frames.FailedFrame)
        assert told.reason == fault.value


def test_the_list_of_rooms_byte_for_byte() -> None:
    told = VOICE.room_list([RoomInfo("ops", 3, "coffee", True), RoomInfo("dev", 0)])
    assert told.endswith(
        b'{"type":"rooms","rooms":[{"room":"ops","members":3,"topic":"coffee","lasting":true},'
        b'{"room":"dev","members":0,"topic":"","lasting":false}]}'
    )
    assert len(received(told)) == 1
    assert received(VOICE.room_list([])) == [frames.RoomsFrame(())]


def test_a_text_too_long_for_a_room_is_of_that_room() -> None:
    (told,) = read(member(), [frames.encode(type="say", id=1, text="x" * 4097, room="Ops")])
    assert isinstance(told, Faulty)
    assert (told.tag, told.room) == (1, "ops")


@each(
    ("fields", "act"),
    [
        ({"action": "appoint", "nickname": "b"}, Moderation(Action.APPOINT, "b")),
        ({"action": "dismiss", "nickname": "b"}, Moderation(Action.DISMISS, "b")),
        ({"action": "outsiders", "on": True}, Moderation(Action.OUTSIDERS, value=1)),
        ({"action": "outsiders"}, Moderation(Action.OUTSIDERS)),
        ({"action": "accounts_only", "on": True}, Moderation(Action.ACCOUNTS_ONLY, value=1)),
    ],
)
def test_what_owners_ask_for(fields: dict[str, Any], act: Moderation) -> None:
    message = frames.encode(type="moderate", room="#Ops", **fields)
    assert read(member(), [message]) == [Moderate(act, "ops")]
