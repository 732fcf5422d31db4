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
from tertulia.dialects.browser import BrowserDecoder, BrowserEncoder
from tertulia.dialects.contract import Decoder, Encoder, Refusal, Welcome
from tertulia.domain.commands import (
    Acknowledge,
    CloseChat,
    Command,
    Enter,
    Fault,
    Faulty,
    Leave,
    Resume,
    Say,
    Whisper,
)
from tertulia.domain.disconnects import Disconnect
from tertulia.domain.events import (
    Closed,
    Joined,
    Left,
    Present,
    PublicEvent,
    Said,
    Undelivered,
    Whispered,
)
from tertulia.domain.position import Position

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
    # "control characters other than TAB are removed"
    ({"type": "say", "id": 3, "text": "\x1b[2Ja\x00b\rc\nd\x7f\x9be\tf"}, Say("[2Jabcde\tf", 3)),
    ({"type": "say", "id": 4, "text": "<script>alert(1)</script>"}, Say("<script>alert(1)</script>", 4)),
    ({"type": "say", "id": 5, "text": "x" * BOUND}, Say("x" * BOUND, 5)),
    ({"type": "whisper", "id": 6, "to": "bruno", "text": "Ciao"}, Whisper("bruno", "Ciao", 6)),
    ({"type": "whisper", "id": 7, "to": "", "text": ""}, Whisper("", "", 7)),
    ({"type": "whisper", "id": 8, "to": "G", "text": "x"}, Whisper("G", "x", 8)),
    ({"type": "received", "count": 1}, Acknowledge(1)),
    ({"type": "received", "count": 1000}, Acknowledge(1000)),
    ({"type": "leave"}, Leave()),
    ({"type": "close"}, CloseChat()),
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
    # Not in this state: "enter: the first frame".
    *(b'{"type":"say","id":1,"text":"x"}', b'{"type":"leave"}', b'{"type":"close"}'),
    *(b'{"type":"received","count":1}', b'{"type":"whisper","id":1,"to":"a","text":"x"}'),
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
        assert frame.events == (frames.SaidEvent("anna", command.text),)
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


def test_a_part_of_the_log_that_was_lost_is_marked() -> None:
    """What the client resumes from is the place up to which it is lost."""
    assert received(VOICE.missed(PLACE)) == [frames.MissedFrame(PLACE.epoch, PLACE.offset)]


@pytest.mark.parametrize(("missed_some", "missed"), [(False, "nothing"), (True, "some")])
@pytest.mark.parametrize("others", [[], ["bruno"], ["bruno", "carla"]])
def test_welcome(others: list[str], missed_some: bool, missed: Any) -> None:
    token = "a" * 24
    data = VOICE.welcome(
        Welcome("Anna", iter(others), PLACE, token, 7, missed_some=missed_some, resumed=missed_some)
    )
    assert received(data) == [
        frames.WelcomeFrame("Anna", token, missed_some, 7, (*others, "Anna"), "5f0a", 18, missed)
    ]


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
    letter = Whispered("bruno", "n1:7", "Anna", "Ciao, città")
    assert received(VOICE.private(letter, 1795221185.25)) == [
        frames.WhisperedFrame("bruno", "Ciao, città", 1795221185250)
    ]
    report = Undelivered("anna", "n1:7", "bruno", "Ciao")
    assert received(VOICE.private(report, 1795221185.25)) == [
        frames.UndeliveredFrame("bruno", "Ciao")
    ]


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
                frames.SaidEvent("bruno", 'a"\\b'),
                frames.SaidEvent("bruno", ""),
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
    assert frame.events == (frames.SaidEvent("anna", text),)
    assert sent == frames.SentFrame(1)


@pytest.mark.parametrize(
    "explanation", ["x", 'a "quoted" one\\', "città 🎉", "\x00\x1b", "</script>"]
)
def test_error(explanation: str) -> None:
    assert received(VOICE.fault(Faulty(Fault.MALFORMED, explanation))) == [
        frames.ErrorFrame(explanation)
    ]


TEXTS = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40)


@given(st.lists(TEXTS, min_size=1, max_size=5), st.integers(1, 2**53 - 1), st.floats(1.6e9, 4e9))
def test_whatever_is_said_comes_whole(texts: list[str], offset: int, at: float) -> None:
    pieces = [VOICE.public(Said("anna", "n1:7", text)) for text in texts]
    (frame,) = received(VOICE.batch(pieces, Position("5f", offset, at)))
    assert isinstance(frame, frames.EventsFrame)
    assert frame.events == tuple(frames.SaidEvent("anna", text) for text in texts)
    assert frame.offset == offset
    assert abs(frame.at - at * 1000) <= 1
