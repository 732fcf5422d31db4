"""The dialect ``device``: each operation of docs/protocols/device.md, in both framings, in every split."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cases import each
from harness.device_client import BINARY, BOTH, TEXT, Framing
from harness.several import several
from harness.splits import Split, every_split, split_by_byte
from tertulia.dialects.device import MAX_MESSAGE, OPERATIONS, DeviceDecoder, Hangup, Reply
from tertulia.dialects.device_framing import MAX_STRING
from tertulia.domain import requests as ask
from tertulia.domain.requests import MAX_PORT, MIN_PORT, Request

WHEN = datetime(2026, 11, 20, 23, 11, 5)  # noqa: DTZ001 (the page's dates have no zone)
PORT = 5001

Happening = bytes | Request | Hangup


@dataclass(frozen=True, slots=True)
class Device:
    """What the device sends."""

    value: int | str


@dataclass(frozen=True, slots=True)
class Service:
    """What the service tells."""

    value: int | str


@dataclass(frozen=True, slots=True)
class Asked:
    """What the dialogue asks of the service, and the answer."""

    request: Request
    answer: object


@dataclass(frozen=True, slots=True)
class Closes:
    """The service hangs up."""


Step = Device | Service | Asked | Closes


@dataclass(frozen=True, slots=True)
class Conversation:
    """An operation as it is to be, step by step."""

    name: str
    steps: tuple[Step, ...]
    framings: tuple[Framing, ...] = BOTH

    def sent(self, framing: Framing) -> list[bytes]:
        """What the device sends, a frame each."""
        return [framing.write(it.value) for it in self.steps if isinstance(it, Device)]

    def happenings(self, framing: Framing, frames: int) -> list[Happening]:
        """What is to have happened when so many frames have come."""
        expected: list[Happening] = []
        for step in self.steps:
            match step:
                case Device():
                    frames -= 1
                    if frames < 0:
                        break
                case Service(value):
                    expected.append(framing.write(value))
                case Asked(request):
                    expected.append(request)
                case Closes():
                    expected.append(Hangup())
        return expected

    def answers(self) -> list[object]:
        return [it.answer for it in self.steps if isinstance(it, Asked)]


def conversation(name: str, *steps: Step, framings: tuple[Framing, ...] = BOTH) -> Conversation:
    return Conversation(name, steps, framings)


def coming_in(code: int) -> tuple[Step, ...]:
    return Device(code), Service(1), Device("anna")


def chatting(answer: int | None) -> tuple[Step, ...]:
    return (
        *coming_in(10),
        Asked(ask.IsHere("anna"), True),
        Service(1),
        Device("bruno"),
        Asked(ask.OpenChat("anna", "bruno"), answer),
        *(() if answer is None else (Service(answer),)),
    )


def showing(told: str, *texts: str) -> tuple[Step, ...]:
    return (
        *coming_in(200),
        Service(1),
        Device("bruno"),
        Asked(ask.Show("anna", "bruno"), list(texts)),
        Service(told),
    )


NOW = Asked(ask.SignUpWait(), 0.0)
FREE = Asked(ask.IsFree("anna"), True)
KNOWN = Asked(ask.IsAccount("anna"), True)
RIGHT = Asked(ask.Prove("anna", "s3cret"), True)
WAITING = [("alice", 2, WHEN), ("bob", 1, WHEN)]

CONVERSATIONS = (
    conversation(
        "signup",
        *(*coming_in(1), NOW, FREE, Service(0), Device("s3cret"), Service(0), Device(PORT)),
        *(Asked(ask.SignUp("anna", "s3cret", PORT), True), Service(0), Closes()),
    ),
    conversation(
        "signup, taken",
        *(*coming_in(1), NOW, Asked(ask.IsFree("anna"), False), Service(1), Closes()),
    ),
    conversation(
        "signup, too many from here",
        *(*coming_in(1), Asked(ask.SignUpWait(), 61.0), Service(1)),
        *(Service("troppe iscrizioni dalla tua rete: riprova tra 2 minuti"), Closes()),
        framings=(TEXT,),
    ),
    conversation(
        "signup, too many from here, a little",
        *(*coming_in(1), Asked(ask.SignUpWait(), 0.5), Service(1)),
        *(Service("troppe iscrizioni dalla tua rete: riprova tra 1 minuto"), Closes()),
        framings=(TEXT,),
    ),
    conversation(
        "signup, closed",
        *(*coming_in(1), Asked(ask.SignUpWait(), float("inf")), Service(1)),
        *(Service("le iscrizioni sono chiuse"), Closes()),
        framings=(TEXT,),
    ),
    conversation(  # a program would take a string for an answer
        "signup, too many from here",
        *(*coming_in(1), Asked(ask.SignUpWait(), 61.0), Service(1), Closes()),
        framings=(BINARY,),
    ),
    conversation(
        "signup, taken meanwhile",
        *(*coming_in(1), NOW, FREE, Service(0), Device("s3cret"), Service(0), Device(PORT)),
        *(Asked(ask.SignUp("anna", "s3cret", PORT), False), Service(1), Closes()),
    ),
    conversation(
        "signup, password too short",
        *(*coming_in(1), NOW, FREE, Service(0), Device("ab"), Service(1), Closes()),
    ),
    conversation(
        "in",
        *(*coming_in(2), KNOWN, Service(0), Device("s3cret"), RIGHT, Service(0), Device(PORT)),
        *(Asked(ask.LogIn("anna", PORT), True), Service(0), Closes()),
    ),
    conversation(
        "in, no such account",
        *coming_in(2),
        Asked(ask.IsAccount("anna"), False),
        Service(1),
        Closes(),
    ),
    conversation(
        "in, wrong password",
        *(*coming_in(2), KNOWN, Service(0), Device("s3cret")),
        *(Asked(ask.Prove("anna", "s3cret"), False), Service(1), Closes()),
    ),
    conversation("out", *coming_in(3), Asked(ask.LogOut("anna"), True), Service(0), Closes()),
    conversation(
        "out, not logged in", *coming_in(3), Asked(ask.LogOut("anna"), False), Service(1), Closes()
    ),
    conversation("out, from elsewhere", *coming_in(3), Asked(ask.LogOut("anna"), None), Closes()),
    conversation("chat, onchat", *chatting(6002), Closes(), framings=(TEXT,)),
    conversation("chat, onchat", *chatting(6002), framings=(BINARY,)),
    conversation(
        "chat, onchat, show",
        *(*chatting(6002), *showing("uno\ndue\n", "uno", "due")),
        framings=(BINARY,),
    ),
    conversation(
        "chat, onchat, show, nothing", *chatting(6002), *showing("null"), framings=(BINARY,)
    ),
    conversation(
        "chat, onchat, show, not here",
        *(*chatting(6002), *coming_in(200), Service(1), Device("bruno")),
        *(Asked(ask.Show("anna", "bruno"), None), Closes()),
        framings=(BINARY,),
    ),
    conversation("chat, nobody", *chatting(0), Closes()),
    conversation("chat, logged out meanwhile", *chatting(None), Closes()),
    conversation("chat, not here", *coming_in(10), Asked(ask.IsHere("anna"), None), Closes()),
    conversation(
        "chat, messages",
        *(*chatting(1), Device("ciao"), Asked(ask.Message("anna", "bruno", "ciao"), True)),
        *(Device(""), Asked(ask.Message("anna", "bruno", ""), True)),
        *(Device("\\Q"), Asked(ask.Message("anna", "bruno", "\\Q"), True)),
        *(Device("\\q"), Asked(ask.LeaveChat("anna", only_here=True), True)),
    ),
    conversation(
        "chat, message refused",
        *(*chatting(1), Device("ciao"), Asked(ask.Message("anna", "bruno", "ciao"), None)),
        Closes(),
    ),
    conversation(
        "chat, show before the messages",
        *(*chatting(1), *showing("uno\ndue\n", "uno", "due")),
        *(Device("ciao"), Asked(ask.Message("anna", "bruno", "ciao"), True)),
        *(*showing("null"), Device("\\q"), Asked(ask.LeaveChat("anna", only_here=True), True)),
        framings=(BINARY,),
    ),
    conversation(
        "chat, 200 is a message in text",
        *(*chatting(1), Device("200"), Asked(ask.Message("anna", "bruno", "200"), True)),
        *(Device("anna"), Asked(ask.Message("anna", "bruno", "anna"), True)),
        framings=(TEXT,),
    ),
    conversation(
        "chat, the string 200 is a message",
        *(*chatting(1), Device("200"), Asked(ask.Message("anna", "bruno", "200"), True)),
    ),
    conversation(
        "chat, a string of 200 bytes is a message",
        *(*chatting(1), Device("x" * 200), Asked(ask.Message("anna", "bruno", "x" * 200), True)),
    ),
    conversation(
        "address",
        *(*coming_in(12), Service(1), Device("bruno")),
        *(Asked(ask.AddressOf("anna", "bruno"), "10.0.0.9"), Service("10.0.0.9"), Closes()),
    ),
    conversation(
        "address, not together",
        *(*coming_in(12), Service(1), Device("bruno")),
        *(Asked(ask.AddressOf("anna", "bruno"), ""), Service(""), Closes()),
    ),
    conversation(
        "address, not here",
        *(*coming_in(12), Service(1), Device("bruno")),
        *(Asked(ask.AddressOf("anna", "bruno"), None), Closes()),
    ),
    conversation(
        "add",
        *(Device(20), Asked(ask.Online(), ["bruno", "carla"]), Service("bruno,carla,")),
        *(Device("carla"), Asked(ask.PortOf("carla"), 7003), Service(7003), Device("anna")),
        *(Asked(ask.JoinUp("anna", "carla"), True), Closes()),
    ),
    conversation(
        "add, nobody online",
        *(Device(20), Asked(ask.Online(), []), Service("nessun utente online")),
        *(Device("carla"), Asked(ask.PortOf("carla"), 0), Service(0), Device("anna"), Closes()),
    ),
    conversation("leave", *coming_in(30), Asked(ask.LeaveChat("anna"), True), Closes()),
    conversation(
        "hanging",
        *(*coming_in(100), Asked(ask.Hanging("anna"), WAITING)),
        Service("alice: 2 messaggi, 20-11-2026 23:11:05\nbob: 1 messaggi, 20-11-2026 23:11:05\n"),
        Closes(),
    ),
    conversation(
        "hanging, nothing", *coming_in(100), Asked(ask.Hanging("anna"), []), Service(""), Closes()
    ),
    conversation("hanging, not here", *coming_in(100), Asked(ask.Hanging("anna"), None), Closes()),
    conversation("show", *showing("uno\ndue\n", "uno", "due")),
    conversation("show, nothing", *showing("null")),
    conversation(
        "show, not here",
        *(*coming_in(200), Service(1), Device("bruno")),
        *(Asked(ask.Show("anna", "bruno"), None), Closes()),
    ),
    conversation("an unknown code", Device(4), Closes()),
)
EACH = [(it, framing) for it in CONVERSATIONS for framing in it.framings]
each_conversation = each(("it", "framing"), EACH)
both_framings = each("framing", BOTH)


@dataclass
class Told:
    """A decoder, fed; each request is answered with the next answer, or the last one again."""

    answers: list[object] = field(default_factory=list)
    decoder: DeviceDecoder = field(default_factory=DeviceDecoder)
    happened: list[Happening] = field(default_factory=list)

    def feed(self, *chunks: bytes) -> list[Happening]:
        for chunk in chunks:
            self.decoder.feed(chunk)
            while (command := self.decoder.next_command()) is not None:
                self.take(command)
        return self.happened

    def take(self, command: Reply | Hangup | Request) -> None:
        if isinstance(command, Reply):
            self.happened.append(command.data)
            return
        self.happened.append(command)
        if not isinstance(command, Hangup):
            more = len(self.answers) > 1
            self.decoder.answer(self.answers.pop(0) if more else self.answers[0])


def test_every_operation_is_in_the_conversations() -> None:
    begun = {it.steps[0].value for it in CONVERSATIONS if isinstance(it.steps[0], Device)}
    assert set(OPERATIONS) <= begun
    assert set(OPERATIONS) == {1, 2, 3, 10, 12, 20, 30, 100, 200}


# Each operation


@each_conversation
@every_split
def test_an_operation_is_as_written_in_any_split(
    it: Conversation, framing: Framing, split: Split
) -> None:
    sent = it.sent(framing)
    told = Told(it.answers())
    assert told.feed(*split(b"".join(sent))) == it.happenings(framing, len(sent))


@each_conversation
def test_each_frame_is_answered_when_it_is_whole_and_not_before(
    it: Conversation, framing: Framing
) -> None:
    told = Told(it.answers())
    assert told.feed() == []
    for count, frame in enumerate(it.sent(framing), 1):
        before = it.happenings(framing, count - 1)
        for byte in split_by_byte(frame[:-1]):
            assert told.feed(byte) == before
        assert told.feed(frame[-1:]) == it.happenings(framing, count)


@each_conversation
@each("garbage", [b"\0", b"\xff" * 9, b"\n\n", b"200\n", b"\0\0\0\xc8", b"x" * 5000])
def test_what_follows_an_operation_changes_nothing_of_it(
    it: Conversation, framing: Framing, garbage: bytes
) -> None:
    sent = b"".join(it.sent(framing))
    expected = it.happenings(framing, len(it.sent(framing)))
    told = Told([*it.answers(), None])
    got = told.feed(sent + garbage)
    assert got[: len(expected)] == expected
    ended = isinstance(it.steps[-1], Closes)
    behind = got[len(expected) :]
    if ended:
        assert behind == []
    else:
        assert all(isinstance(step, ask.Message | Hangup | bytes) for step in behind)
    assert told.feed(garbage) == got if Hangup() in got else True


def test_the_bytes_of_a_string_and_an_integer_are_these() -> None:
    told = Told([[]])
    told.feed(b"\0\0\0\xc8", b"\0\4\0\0anna", b"\0\5\0\0bruno")
    assert told.happened == [
        b"\0\0\0\1",
        b"\0\0\0\1",
        ask.Show("anna", "bruno"),
        b"\x00\x04\x00\x00\x6e\x75\x6c\x6c",
    ]


@pytest.mark.parametrize(
    ("framing", "shown"),
    [(BINARY, BINARY.write("uno\n\n \n  x\n")), (TEXT, b"uno\n \n  \n  x\n\n")],
    ids=["binary", "text"],
)
def test_an_empty_message_is_not_the_end_of_those_shown(framing: Framing, shown: bytes) -> None:
    """In text a message of nothing but spaces is shown with one more, so that none is empty."""
    told = Told([["uno", "", " ", "  x"]])
    assert told.feed(framing.write(200, "anna", "bruno"))[-1] == shown


def test_each_message_shown_is_one_line() -> None:
    told = Told([[several("uno", "due"), "tre"]])
    assert told.feed(BINARY.write(200, "anna", "bruno"))[-1] == BINARY.write("uno⏎due\ntre\n")


def test_a_string_of_lines_ends_with_an_empty_line_in_text() -> None:
    told = Told([["uno", "due"]])
    told.feed(b"200\nanna\nbruno\n")
    assert b"".join(step for step in told.happened if isinstance(step, bytes)) == (
        b"1\n1\nuno\ndue\n\n"
    )


@both_framings
def test_after_show_or_q_the_device_is_to_close_and_anything_else_is_a_hangup(
    framing: Framing,
) -> None:
    ends = ("show", "show, nothing", "chat, messages", "chat, onchat, show")
    for it in CONVERSATIONS:
        if it.name not in ends or framing not in it.framings:
            continue
        told = Told(it.answers())
        told.feed(*it.sent(framing))
        assert Hangup() not in told.happened
        assert not told.decoder.is_waiting  # it has its 30 s
        assert told.feed(b"\0")[-1] == Hangup()


@pytest.mark.parametrize("said", ["ciao", "200", "", 20, 0, 200 << 16], ids=str)
def test_after_a_port_a_device_may_run_200_and_nothing_else(said: int | str) -> None:
    told = Told([True, 6002])
    told.feed(BINARY.write(10, "anna", "bruno"))
    assert told.happened[-1] == BINARY.write(6002)
    assert told.decoder.is_done
    assert told.feed(BINARY.write(said))[-1] == Hangup()


def test_after_a_port_200_is_run_once() -> None:
    told = Told([True, 6002, ["uno"]])
    told.feed(BINARY.write(10, "anna", "bruno", 200))
    assert not told.decoder.is_done
    told.feed(BINARY.write("anna", "bruno"))
    assert told.happened[-1] == BINARY.write("uno\n")
    assert told.decoder.is_done
    assert told.feed(BINARY.write(200))[-1] == Hangup()


def test_in_text_a_port_is_the_end() -> None:
    told = Told([True, 6002])
    assert told.feed(b"10\nanna\nbruno\n200\n")[-2:] == [b"6002\n", Hangup()]


# Bounds


def bounded(answer_bytes: int, answer: object, *sent: int | str, framing: Framing) -> Happening:
    told = Told([answer], DeviceDecoder(answer_bytes))
    return told.feed(framing.write(*sent))[-2 if sent[0] == 100 else -1]


@both_framings
@pytest.mark.parametrize("answer_bytes", [100, 199])
def test_an_answer_of_lines_or_names_ends_before_its_bound_with_a_whole_one(
    framing: Framing, answer_bytes: int
) -> None:
    lines = [f"user{i}: {i} messaggi, 20-11-2026 23:11:05\n" for i in range(9)]
    senders = [(f"user{i}", i, WHEN) for i in range(9)]
    told = bounded(answer_bytes, senders, 100, "anna", framing=framing)
    whole = "".join(lines[: answer_bytes // len(lines[0])])
    assert len(whole) <= answer_bytes < len(whole) + len(lines[0])
    assert told == framing.write(whole)
    names = [f"è-{i:02}" for i in range(99)]
    shown = bounded(answer_bytes, names, 20, framing=framing)
    room = answer_bytes // len("è-00,".encode())
    assert shown == framing.write("".join(f"{name}," for name in names[:room]))
    assert len("".join(f"{name}," for name in names[:room]).encode()) <= answer_bytes
    fits = "x" * (answer_bytes - 1)
    assert bounded(answer_bytes, [fits, "y"], 20, framing=framing) == framing.write(f"{fits},")


def signed_up(framing: Framing, port: int) -> list[Happening]:
    told = Told([0.0, True])
    told.feed(framing.write(1, "anna", "s3cret", port))
    return told.happened[-3:]


@both_framings
@pytest.mark.parametrize("port", [MIN_PORT, MAX_PORT])
def test_a_device_may_listen_on_1024_to_65535(framing: Framing, port: int) -> None:
    asked = ask.SignUp("anna", "s3cret", port)
    assert (MIN_PORT, MAX_PORT) == (1024, 65_535)
    assert signed_up(framing, port) == [asked, framing.write(0), Hangup()]


@both_framings
@each("port", [0, 1, 80, 1023, 65_536, 2**31, 2**32 - 1])
@each("code", [1, 2])
def test_any_other_port_is_answered_1_and_nothing_is_asked(
    framing: Framing, port: int, code: int
) -> None:
    told = Told([0.0, True] if code == 1 else [True])
    told.feed(framing.write(code, "anna", "s3cret", port))
    assert told.happened[-2:] == [framing.write(1), Hangup()]
    assert not any(isinstance(step, ask.SignUp | ask.LogIn) for step in told.happened)


@both_framings
@each(
    ("password", "good"),
    [
        ("", False),
        ("ab", False),
        ("abc", True),
        ("x" * 72, True),
        ("x" * 73, False),
        ("è" * 72, True),
        ("è" * 73, False),
        ("p:q r", True),
    ],
)
def test_a_password_has_3_to_72_characters(framing: Framing, password: str, good: bool) -> None:
    told = Told([0.0, True])
    told.feed(framing.write(1, "anna"))
    answer = framing.write(0 if good else 1)
    assert told.feed(framing.write(password))[4:] == ([answer] if good else [answer, Hangup()])


@every_split
@each("length", [0, 1, 199, 200, 201, 255, 256, 4096, 4097, MAX_MESSAGE])
def test_a_message_may_have_any_length_that_can_be_shown(length: int, split: Split) -> None:
    told = Told([True, 1, True])
    told.feed(BINARY.write(10, "anna", "bruno"))
    text = "x" * length
    assert told.feed(*split(BINARY.write(text)))[-1] == ask.Message("anna", "bruno", text)


@pytest.mark.parametrize(("length", "good"), [(0, True), (4096, True), (4097, False)])
def test_a_line_may_have_4096_bytes(length: int, good: bool) -> None:
    told = Told([True, 1, True])
    told.feed(TEXT.write(10, "anna", "bruno"))
    text = "x" * length
    expected = ask.Message("anna", "bruno", text) if good else Hangup()
    assert told.feed(TEXT.write(text))[-1] == expected


@each(
    "head",
    [b"\0\4\0\1", b"\0\4\1\0", b"\0\4\xff\xff", b"\0\0\0\xc9", b"\0\0\1\0", b"\xff\xff\xff\xff"],
)
@each("before", [(30,), (10, "anna", "bruno")])
def test_a_string_whose_third_or_fourth_byte_is_not_zero_ends_the_exchange(
    head: bytes, before: tuple[int | str, ...]
) -> None:
    told = Told([True, 1])
    got = list(told.feed(BINARY.write(*before)))
    assert told.feed(*split_by_byte(head[:3])) == got
    assert told.feed(head[3:]) == [*got, Hangup()]


@pytest.mark.parametrize(
    "head",
    [b"\0\0\0\xc8", b"\x00\xc8\x00\xc8"],
)
def test_where_a_name_is_due_the_integer_200_is_none(head: bytes) -> None:
    told = Told([True])
    assert told.feed(BINARY.write(30), head)[-1] == Hangup()


@each("code", [0, 4, 11, 21, 99, 199, 201, 2**16, 2**32 - 1])
def test_an_unknown_code_is_hung_up_on(code: int) -> None:
    assert Told().feed(code.to_bytes(4, "big")) == [Hangup()]


@each("line", [b"4", b"1x", b"1 ", b"10 anna", b"9" * 10, b"1" * 11, b"1.0", b"1-"])
def test_a_line_that_is_no_known_code_is_hung_up_on(line: bytes) -> None:
    assert Told().feed(line + b"\n") == [Hangup()]


@pytest.mark.parametrize(
    "line", [b"", b"port", b"-5001", b"+5001", b"50 01", b"5001 ", b"\xd9\xa1"]
)
def test_a_line_that_is_no_integer_where_one_is_due_is_hung_up_on(line: bytes) -> None:
    told = Told([True])
    told.feed(b"1\nanna\ns3cret\n")
    assert told.feed(line + b"\n")[-1] == Hangup()


def test_lines_may_end_with_cr_and_lf() -> None:
    told = Told([True])
    told.feed(b"30\r\nanna\r\n")
    assert told.happened == [b"1\n", ask.LeaveChat("anna"), Hangup()]


@each("first", [*b"\0\1/:;A\n\r \xff"])
def test_a_first_byte_that_is_no_digit_means_binary(first: int) -> None:
    told = Told()
    assert told.feed(bytes([first]), b"\n\n") == []
    assert told.feed(b"\n") == [Hangup()]


@both_framings
def test_text_is_cleaned_and_read_as_windows_1252_where_it_is_not_utf8(framing: Framing) -> None:
    told = Told([True, 1, True])
    told.feed(framing.write(10, "anna", "bruno"))
    for raw, text in ((b"caff\xe8 \x80", "caffè €"), (b"a\0\x1b[2Jb\tc", "a[2Jb\tc")):
        assert told.feed(framing.write(raw))[-1] == ask.Message("anna", "bruno", text)


def test_what_is_shown_in_binary_is_never_cut_within_a_message() -> None:
    told = Told([["x" * 40_000, "y" * 40_000]])
    shown = told.feed(BINARY.write(200, "anna", "bruno"))[-1]
    assert shown == BINARY.write("x" * 40_000 + "\n")


def test_the_longest_message_can_be_shown_in_binary() -> None:
    """What may be sent has to be shown: it is removed afterwards."""
    told = Told([True, 1, True])
    told.feed(BINARY.write(10, "anna", "bruno"), BINARY.write("x" * MAX_STRING))
    taken = told.happened[-1]
    if not isinstance(taken, ask.Message):
        return  # refused: nothing was promised
    showing = Told([[taken.text]])
    shown = showing.feed(BINARY.write(200, "anna", "bruno"))[-1]
    assert isinstance(shown, bytes)
    assert shown.count(b"x") == len(taken.text)


def test_a_long_list_of_online_users_is_cut_after_a_name() -> None:
    names = [f"user-{i:027d}" for i in range(2500)]
    told = Told([names])
    shown = told.feed(BINARY.write(20))[-1]
    assert isinstance(shown, bytes)
    listed = shown[4:].decode()
    assert listed.endswith(",")
    assert len(listed) > 60_000
    assert listed.rstrip(",").split(",") == names[: listed.count(",")]


# Waiting, and being told


@both_framings
def test_a_waiting_device_is_told_the_port_and_no_more(framing: Framing) -> None:
    told = Told([True, 1])
    told.feed(framing.write(10, "anna", "bruno"))
    assert told.decoder.is_waiting
    assert told.decoder.summon(6002) == framing.write(6002)
    got = list(told.happened)
    assert told.feed(framing.write("ciao", "\\q")) == got


def test_a_device_is_not_told_within_an_exchange_nor_just_before_its_first() -> None:
    """It would take the port for the service's answer to its 200."""
    told = Told([True, 1, []])
    told.feed(BINARY.write(10, "anna", "bruno"))
    assert told.decoder.is_about_to_ask
    for part, may_be_told in ((200, False), ("anna", False), ("bruno", True), ("ciao", True)):
        told.feed(BINARY.write(part))
        assert told.decoder.may_be_told is may_be_told, part
        assert not told.decoder.is_about_to_ask
    in_text = Told([True, 1, True])
    in_text.feed(TEXT.write(10, "anna", "bruno"))
    assert in_text.decoder.may_be_told and not in_text.decoder.is_about_to_ask


@both_framings
def test_who_waits_may_be_silent_but_not_within_a_message(framing: Framing) -> None:
    told = Told([True, 1, True])
    told.feed(framing.write(10, "anna"))
    assert not told.decoder.is_waiting
    told.feed(framing.write("bruno"))
    assert told.decoder.is_waiting
    frame = framing.write("ciao")
    told.feed(frame[:2])
    assert not told.decoder.is_waiting
    told.feed(frame[2:])
    assert told.decoder.is_waiting


@both_framings
def test_a_device_is_summoned_within_a_message_too(framing: Framing) -> None:
    told = Told([True, 1, True])
    told.feed(framing.write(10, "anna", "bruno"), framing.write("ciao")[:-1])
    assert told.decoder.summon(1024) == framing.write(1024)
    got = list(told.happened)
    assert told.feed(framing.write("ciao")[-1:]) == got


@both_framings
def test_nothing_is_read_before_a_request_is_answered(framing: Framing) -> None:
    decoder = DeviceDecoder()
    decoder.feed(framing.write(30, "anna", "more"))
    assert decoder.next_command() == Reply(framing.write(1))
    assert decoder.next_command() == ask.LeaveChat("anna")
    assert decoder.next_command() is None
    decoder.answer(True)
    assert decoder.next_command() == Hangup()
    assert decoder.next_command() is None


# Whatever comes

CODES = st.sampled_from([*OPERATIONS, 4])
VALUES = st.one_of(
    CODES,
    st.integers(0, 2**32 - 1),
    st.sampled_from(["anna", "bruno", "\\q", "200", "s3cret", ""]),
    st.text(max_size=20),
    st.binary(max_size=12),
)
STREAMS = st.one_of(
    st.binary(max_size=60),
    st.builds(
        lambda framing, code, values, tail: framing.write(code, *values) + tail,
        st.sampled_from(BOTH),
        CODES,
        st.lists(VALUES, max_size=8),
        st.binary(max_size=8),
    ),
)
ANSWERS: dict[type, object] = {
    ask.OpenChat: 1,
    ask.Online: ["bruno"],
    ask.PortOf: 6002,
    ask.Hanging: WAITING,
    ask.Show: ["uno"],
    ask.AddressOf: "10.0.0.9",
}


def all_that_happens(chunks: Iterable[bytes]) -> list[Happening]:
    decoder = DeviceDecoder()
    happened: list[Happening] = []
    for chunk in chunks:
        decoder.feed(chunk)
        while (command := decoder.next_command()) is not None:
            happened.append(command.data if isinstance(command, Reply) else command)
            if not isinstance(command, Reply | Hangup):
                decoder.answer(ANSWERS.get(type(command), True))
        assert decoder.buffered >= 0
    return happened


@given(data=STREAMS, cuts=st.lists(st.integers(0, 200), max_size=6))
def test_any_bytes_in_any_split_give_the_same(data: bytes, cuts: list[int]) -> None:
    bounds = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [data[a:b] for a, b in itertools.pairwise(bounds)]
    expected = all_that_happens([data])
    assert all_that_happens(pieces) == expected
    assert all_that_happens(split_by_byte(data)) == expected
    assert expected.count(Hangup()) <= 1
    assert Hangup() not in expected[:-1]


@given(data=STREAMS)
def test_a_truncated_exchange_is_the_beginning_of_the_whole_one(data: bytes) -> None:
    expected = all_that_happens([data])
    for end in range(len(data)):
        got = all_that_happens([data[:end]])
        assert got == expected[: len(got)]
