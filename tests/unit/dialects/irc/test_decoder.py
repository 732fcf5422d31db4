"""IRC on its way in: registration, messages, channels, moderation. Sources: docs/protocols/irc.md; RFC 2812;
modern.ircdocs.horse."""

from collections import deque
from collections.abc import Callable, Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from harness.cases import each
from harness.irc_talk import LABELS, IrcTalk, member, take
from harness.splits import Split, every_end, every_split
from tertulia.dialects.contract import Known, Registration
from tertulia.dialects.irc.capabilities import Capability
from tertulia.dialects.irc.client import IrcServer, PendingAnswer, PendingJoin, SharedAnswer
from tertulia.dialects.irc.decoder import IrcDecoder
from tertulia.domain.commands import (
    Acknowledge,
    Command,
    Enter,
    ExplainAccounts,
    Fault,
    Faulty,
    HideLobby,
    JoinRoom,
    Leave,
    ListRooms,
    Moderate,
    PartRoom,
    ReadReply,
    Register,
    RegisterEarly,
    Say,
    SetAway,
    ShowLobby,
    Whisper,
)
from tertulia.domain.moderation import Moderation, Standing
from tertulia.domain.operator_commands import Action
from tertulia.domain.rooms import is_room
from tertulia.domain.text import LINE_END, clean

TOO_LONG = Faulty(Fault.TOO_LONG)
NEED_MORE = ":tertulia 461 {} {} :Not enough parameters"
NO_CHANNEL = ":tertulia 403 anna {} :No such channel"
NOT_THERE = ":tertulia 442 anna {} :You're not on that channel"


def talking() -> IrcTalk:
    return member(rooms=["ops"])


def pending(talk: IrcTalk) -> PendingAnswer:
    """Return what is pending last."""
    return talk.decoder.client.pending[talk.decoder.client.last_tag]


# --- Lines ----------------------------------------------------------------------------------------


@every_split
@every_end
@each(
    ("line", "expected"),
    [
        (b"PRIVMSG #ops :ciao a tutti", [Say("ciao a tutti", 0, "ops")]),
        ("PRIVMSG #lobby città".encode(), [Say("città")]),
        (b"", []),
        (b"  ", []),
        (b"@label=x", []),
        (b"PING x", [":tertulia PONG tertulia :x"]),
        (b"PING " + b"x" * 505, [(":tertulia PONG tertulia :" + "x" * 505)[:510]]),
        (b"PING " + b"x" * 506, [TOO_LONG]),
        (b"PRIVMSG #ops :" + b"x" * 496, [Say("x" * 496, 0, "ops")]),
        (b"PRIVMSG #ops :" + b"x" * 497, [TOO_LONG]),
        (b"@a=" + b"x" * 4092 + b" QUIT", [Leave()]),
        (b"@a=" + b"x" * 4093 + b" QUIT", [TOO_LONG]),
        (b"x" * 5000, [TOO_LONG]),
        (
            b"PRIVMSG #ops :citt\xe0",
            [
                ":tertulia FAIL PRIVMSG INVALID_UTF8 :Message rejected: this server takes UTF-8 alone"
            ],
        ),
        (
            b"\xe0 x",
            [":tertulia FAIL * INVALID_UTF8 :Message rejected: this server takes UTF-8 alone"],
        ),
        (b"FOO\x1b x", [":tertulia 421 anna FOO :Unknown command"]),
    ],
)
def test_lines_come_in_any_split(
    line: bytes, expected: list[str | Command], end: bytes, split: Split
) -> None:
    assert talking().read(line + end + b"QUIT" + end, split) == [*expected, Leave()]


def test_a_line_that_is_not_whole_waits() -> None:
    talk = talking()
    assert talk.read(b"PING x") == []
    assert talk.decoder.buffered == 6
    assert talk.read(b"y\r") == []
    assert talk.read(b"\n") == [":tertulia PONG tertulia :xy"]
    assert talk.decoder.buffered == 0


def test_commands_of_one_line_wait_to_be_taken() -> None:
    decoder = talking().decoder
    decoder.feed(b"JOIN #a,#b,#c\n")
    assert take(decoder) == JoinRoom("a")
    assert decoder.buffered == 2
    decoder.feed(b"QUIT\n")
    assert [take(decoder) for _ in range(4)] == [
        JoinRoom("b"),
        JoinRoom("c"),
        Leave(),
        None,
    ]
    assert decoder.buffered == 0


@each("line", [b"\n", b"\r\n", b"PONG x\n", b":a\n", b"NOTICE #\n"])
@each("make", [IrcTalk, member])
def test_a_line_that_asks_for_nothing_is_a_command_that_does_nothing(
    line: bytes, make: Callable[[], IrcTalk]
) -> None:
    """Else thousands of them would be read in one go, and be counted by nobody."""
    decoder = make().decoder
    if line.startswith(b"NOTICE") and not decoder.client.is_registered:
        return  # it is told
    decoder.feed(line * 3)
    assert [decoder.next_command() for _ in range(4)] == [*[Acknowledge(0)] * 3, None]


# --- Registration ---------------------------------------------------------------------------------


@every_split
@every_end
@each(
    ("lines", "entered"),
    [
        ([b"NICK anna", b"USER anna 0 * :Anna"], Enter("anna", about="anna Anna")),
        ([b"USER anna 0 * :Anna", b"NICK anna"], Enter("anna", about="anna Anna")),
        ([b"NICK carla", b"NICK anna", b"USER anna 0 * Anna"], Enter("anna", about="anna Anna")),
        (
            [b"PASS secret", b"NICK anna", b"USER anna 0 * :Anna"],
            Enter("anna", "secret", about="anna Anna"),
        ),
        (
            [b"PASS :a b\x02", b"NICK anna", b"USER anna 0 * :Anna"],
            Enter("anna", "a b", about="anna Anna"),
        ),
        (
            [b"PASS old", b"PASS new", b"NICK anna", b"USER anna 0 * :Anna"],
            Enter("anna", "new", about="anna Anna"),
        ),
        ([b"PASS :", b"NICK anna", b"USER anna 0 * :Anna"], Enter("anna", "", about="anna Anna")),
        (
            [b"NICK anna", b"PASS secret", b"USER anna 0 * :Anna"],
            Enter("anna", "secret", about="anna Anna"),
        ),
    ],
)
def test_who_has_said_everything_enters(
    lines: Sequence[bytes], entered: Enter, end: bytes, split: Split
) -> None:
    assert IrcTalk().read(end.join((*lines, b"")), split) == [entered]


def test_who_enters_is_shown_the_lobby_or_not() -> None:
    member(server=IrcServer(joins_lobby=False))  # it looks at the command
    talk = IrcTalk(IrcServer(joins_lobby=False))
    assert talk.say("NICK a", "USER a 0 * :A") == [Enter("a", shows_lobby=False, about="a A")]


@each(
    ("line", "about"),
    [
        ("USER a 0 * :Anna B.", "a Anna B."),
        ("USER a 0 * Anna", "a Anna"),
        ("USER a@b! 0 * : \x0304An\x1bna ", "a@b! Anna"),
        ("USER a 0 * :\x02", "a"),
        (f"USER {'è' * 40} 0 * :{'x' * 200}", f"{'è' * 16} {'x' * 117}"),
        (f"USER a 0 * :{'è' * 200}", f"a {'è' * 74}"),
    ],
)
def test_who_enters_says_who_they_are(line: str, about: str) -> None:
    assert IrcTalk().say("NICK a", line) == [Enter("a", about=about)]


def test_nothing_is_read_until_the_chat_has_decided() -> None:
    decoder = IrcDecoder(IrcServer())
    decoder.feed(b"NICK anna\nUSER anna 0 * :Anna\nPRIVMSG #ops :ciao\n")
    assert take(decoder) == Enter("anna", about="anna Anna")
    assert decoder.buffered == len(b"PRIVMSG #ops :ciao\n")
    decoder.entered()
    assert take(decoder) == Say("ciao", 0, "ops")


def test_who_is_refused_may_choose_another_nickname() -> None:
    decoder = IrcDecoder(IrcServer())
    decoder.feed(b"NICK anna\nUSER anna 0 * :Anna\n")
    assert take(decoder) == Enter("anna", about="anna Anna")
    decoder.refused()
    assert take(decoder) is None
    decoder.feed(b"PING x\nPRIVMSG #ops :ciao\nUSER a 0 * :A\nNICK carla\n")
    replies = [take(decoder), take(decoder)]
    assert replies == [
        ReadReply(b":tertulia PONG tertulia :x\r\n"),
        ReadReply(b":tertulia 451 * :You have not registered\r\n"),
    ]
    assert take(decoder) == Enter("carla", about="a A")


def test_a_password_is_given_with_the_first_nickname_alone() -> None:
    """Clients try other nicknames by themselves; with a password these would be refused as no accounts."""
    decoder = IrcDecoder(IrcServer())
    decoder.feed(
        b"PASS secret\nNICK anna\nUSER anna 0 * :Anna\nNICK anna_\nNICK ANNA\nPASS x\nNICK b\n"
    )
    tries = []
    for _ in range(4):
        tries.append(take(decoder))
        decoder.refused()
    assert tries == [
        Enter("anna", "secret", about="anna Anna"),
        Enter("anna_", about="anna Anna"),
        Enter("ANNA", "secret", about="anna Anna"),
        Enter("b", "x", about="anna Anna"),
    ]


@each(
    ("line", "told"),
    [
        ("NICK", ":tertulia 431 * :No nickname given"),
        ("NICK :", ":tertulia 431 * :No nickname given"),
        ("NICK a!b", ":tertulia 432 * a!b :Erroneous nickname"),
        ("NICK G", ":tertulia 432 * G :Erroneous nickname"),
        ("NICK :a b", ":tertulia 432 * * :Erroneous nickname"),
        ("NICK " + "x" * 33, f":tertulia 432 * {'x' * 33} :Erroneous nickname"),
        ("NICK Işıl", ":tertulia 432 * Işıl :Erroneous nickname"),
        ("USER anna 0 *", NEED_MORE.format("*", "USER")),
        ("USER anna 0 * :", NEED_MORE.format("*", "USER")),
        ("PASS", NEED_MORE.format("*", "PASS")),
        ("PING", ":tertulia 409 * :No origin specified"),
        ("PING :", ":tertulia 409 * :No origin specified"),
        ("PING a b", ":tertulia PONG tertulia :a"),
        ("JOIN #ops", ":tertulia 451 * :You have not registered"),
        ("FOO", ":tertulia 451 * :You have not registered"),
        ("WHOIS anna", ":tertulia 451 * :You have not registered"),
        (
            "REGISTER * * secret",
            ":tertulia FAIL REGISTER COMPLETE_CONNECTION_REQUIRED * :Enter the chat first",
        ),
        (
            "VERIFY anna x",
            ":tertulia FAIL VERIFY COMPLETE_CONNECTION_REQUIRED anna :Enter the chat first",
        ),
    ],
)
def test_what_is_wrong_before_registration_is_told(line: str, told: str) -> None:
    talk = IrcTalk()
    assert talk.say(line) == [told]
    assert talk.say("NICK anna", "USER anna 0 * :Anna") == [Enter("anna", about="anna Anna")]


@each("line", ["QUIT", "QUIT :", "QUIT :\x02 \x02"])
def test_who_is_not_registered_may_leave(line: str) -> None:
    assert IrcTalk().say(line) == [Leave()]
    assert talking().say(line) == [Leave()]


@each(
    ("line", "words"),
    [
        ("QUIT bye", "bye"),
        ("QUIT :bye all", "bye all"),
        ("QUIT :\x0304 bye\x1b ", "bye"),
        (f"QUIT :{'è' * 200}", "è" * 195),
    ],
)
def test_a_client_leaves_with_its_words(line: str, words: str) -> None:
    assert IrcTalk().say(line) == [Leave(words)]
    assert talking().say(line) == [Leave(words)]


@each(
    ("line", "told"),
    [
        ("USER a 0 * :A", [":tertulia 462 anna :You may not reregister"]),
        ("PASS x", [":tertulia 462 anna :You may not reregister"]),
        (
            "NICK carla",
            [":tertulia 447 anna :Nicknames can't be changed here: quit, and come again"],
        ),
        ("NICK anna", []),
        ("PONG x", []),
        ("ERROR x", []),
        ("TAGMSG #ops", []),
        ("FOO", [":tertulia 421 anna FOO :Unknown command"]),
        ("OPER a b", [":tertulia 491 anna :Operators of this network do not work over IRC"]),
        ("KILL bruno :x", [":tertulia 481 anna :Permission Denied- You're not an IRC operator"]),
        ("JOIN", [NEED_MORE.format("anna", "JOIN")]),
        ("KICK #ops", [NEED_MORE.format("anna", "KICK")]),
    ],
)
def test_what_is_told_afterwards(line: str, told: list[str]) -> None:
    assert talking().say(line) == told


# --- Messages -------------------------------------------------------------------------------------


def tagging() -> IrcTalk:
    return member(Capability.MESSAGE_TAGS | LABELS, rooms=["ops"])


@each(
    ("line", "expected"),
    [
        ("@+draft/reply=a-1-0 PRIVMSG #ops :si", [Say("si", 0, "ops", tags="+draft/reply=a-1-0")]),
        ("@time=x;+a=b\\:\\sc;+d NOTICE #ops si", [Say("si", 1, "ops", True, "+a=b\\:\\sc;+d")]),
        ("@+a=b PRIVMSG bruno :si", [Whisper("bruno", "si", 1, tags="+a=b")]),
        ("@+typing=active TAGMSG #ops", [Say("", 1, "ops", tags="+typing=active")]),
        ("@+typing=active TAGMSG #lobby", [Say("", 1, tags="+typing=active")]),
        ("@label=L;+typing=active TAGMSG bruno", [Whisper("bruno", "", 1, tags="+typing=active")]),
        ("@+a=\\r\\nx TAGMSG #ops", [Say("", 1, "ops", tags="+a=" + clean("\r\n") + "x")]),
        ("@time=x;a=b TAGMSG #ops", []),
        ("@+=b;+è=a;+a_b=c TAGMSG #ops", []),
        ("@+a=b TAGMSG #ops,bruno", []),
        ("@+a=b TAGMSG #à", []),
        ("@+a=b TAGMSG G", []),
        ("@+a=b TAGMSG", []),
    ],
)
def test_tags_that_are_for_other_clients(line: str, expected: list[Say | Whisper]) -> None:
    assert [it for it in tagging().say(line) if not isinstance(it, str)] == expected
    without = [it for it in talking().say(line) if not isinstance(it, str)]
    assert without == [structs.replace(it, tags="") for it in expected if it.text]


def test_a_message_of_several_lines_has_the_tags_of_its_batch() -> None:
    talk = member(Capability.MESSAGE_TAGS | Capability.MULTILINE | LABELS, rooms=["ops"])
    assert talk.say(
        "@+a=b BATCH +1 draft/multiline #ops", "@batch=1;+c=d PRIVMSG #ops :one", "BATCH -1"
    ) == [Say("one", 0, "ops", tags="+a=b")]


@each("command", ["PRIVMSG", "privmsg"])
@each(
    ("rest", "expected"),
    [
        ("#ops :ciao", [Say("ciao", 0, "ops")]),
        ("#OPS ciao", [Say("ciao", 0, "ops")]),
        ("#lobby :ciao", [Say("ciao")]),
        ("#dev :ciao", [Say("ciao", 0, "dev")]),  # the chat knows if outsiders may speak there
        ("#ops :\x02ciao\x0f\x1b", [Say("ciao", 0, "ops")]),
        ("#ops :\x01ACTION waves\x01", [Say("* waves", 0, "ops")]),
        ("#ops :\x01VERSION\x01", []),
        ("bruno :\x01PING 1\x01", []),
        ("bruno :ciao", [Whisper("bruno", "ciao", 1)]),
        ("a!b :ciao", [Whisper("a!b", "ciao", 1)]),
        ("#ops :", [":tertulia 412 anna :No text to send"]),
        ("#ops", [":tertulia 412 anna :No text to send"]),
        ("#ops :\x02\x1b", [":tertulia 412 anna :No text to send"]),
        ("", [":tertulia 411 anna :No recipient given (PRIVMSG)"]),
        (": :ciao", [":tertulia 412 anna :No text to send"]),
        ("#à :ciao", [NO_CHANNEL.format("#à")]),
        ("# :ciao", [NO_CHANNEL.format("#")]),
        ("bruno,carla :ciao", [":tertulia 407 anna bruno,carla :Too many targets"]),
        ("#ops,#dev :ciao", [":tertulia 407 anna #ops,#dev :Too many targets"]),
        ("G :help", [ExplainAccounts()]),
        ("g :REGISTER secret", [Register("secret")]),
        ("G :ciao", [Whisper("G", "ciao", 1)]),
    ],
)
def test_a_message_goes_to_a_room_or_a_person(
    rest: str, expected: list[str | Command], command: str
) -> None:
    assert talking().say(f"{command} {rest}") == expected


@each(
    ("rest", "expected"),
    [
        ("#ops :ciao", [Say("ciao", 1, "ops", is_notice=True)]),
        ("bruno :ciao", [Whisper("bruno", "ciao", 1, is_notice=True)]),
        ("#ops :", []),
        ("", []),
        ("#à :ciao", []),
        ("bruno,carla :ciao", []),
        ("#ops :\x01VERSION x\x01", []),
    ],
)
def test_a_notice_is_a_message_that_is_never_answered(
    rest: str, expected: list[str | Command]
) -> None:
    talk = talking()
    assert talk.say(f"NOTICE {rest}") == expected
    assert all(it.is_notice for it in talk.decoder.client.pending.values())
    labelled = member(LABELS, rooms=["ops"])
    assert labelled.say(f"@label=x NOTICE {rest}") == (expected or ["@label=x :tertulia ACK"])


def test_who_is_away_and_the_time_are_told_with_the_answer() -> None:
    away = [":tertulia 301 anna Bruno :at lunch"]
    for line, words, told in (
        ("PRIVMSG bruno :ciao", "", []),
        ("PRIVMSG bruno :ciao", "at lunch", away),
        ("NOTICE bruno :ciao", "at lunch", ()),
    ):
        talk = talking()
        talk.knowledge.time = 7.5
        talk.knowledge.rooms = {"": [Known("Bruno", "irc", away=words)]}
        is_notice = line.startswith("NOTICE")
        assert talk.say(line) == [Whisper("bruno", "ciao", 1, is_notice)]
        assert (pending(talk).away, pending(talk).at) == (told, 7.5)


def test_what_is_pending_has_what_its_answer_needs() -> None:
    talk = member(LABELS, rooms=["ops"])
    assert talk.say("@label=a PRIVMSG #ops :ciao") == [Say("ciao", 1, "ops")]
    assert pending(talk) == PendingAnswer("a")
    assert talk.say("@label=b PRIVMSG bruno :psst") == [Whisper("bruno", "psst", 2)]
    assert pending(talk) == PendingAnswer("b", "bruno", "psst", away=[])
    assert talk.say("PRIVMSG bruno :psst") == [Whisper("bruno", "psst", 3)]
    assert pending(talk) == PendingAnswer("", "bruno", "psst", away=[])
    assert talk.say("PRIVMSG #ops :ciao") == [Say("ciao", 0, "ops")]
    assert talk.say("@label=c PRIVMSG G :register x") == [Register("x")]
    assert talk.say("@label=d REGISTER * * x") == [Register("x")]
    assert talk.decoder.client.accounts == [PendingAnswer("c", "G"), PendingAnswer("d")]


# --- Labels ---------------------------------------------------------------------------------------


@each(
    ("capabilities", "label", "answer"),
    [
        (LABELS, "@label=x ", "@label=x :tertulia ACK"),
        (LABELS, "@label=a\\sb;+c=d ", "@label=a\\sb :tertulia ACK"),
        (LABELS, f"@label={'x' * 64} ", f"@label={'x' * 64} :tertulia ACK"),
        (LABELS, f"@label={'x' * 65} ", None),
        (LABELS, f"@label={'à' * 33} ", None),
        (LABELS, "@label ", None),
        (LABELS, "@+label=x ", None),
        (Capability.LABELED_RESPONSE, "@label=x ", None),
        (Capability.BATCH, "@label=x ", None),
    ],
)
def test_what_has_no_answer_is_acknowledged(
    capabilities: Capability, label: str, answer: str | None
) -> None:
    talk = member(capabilities)
    assert talk.say(f"{label}PONG x") == ([answer] if answer else [])
    assert talk.say("PONG x") == []


@each(
    "line",
    [
        "FOO", "JOIN", "PING x", "PING", "NICK x", "PASS x", "CAP LIST", "MODE bruno", "MODE #ops x",
        "MODE #dev", "TOPIC #à", "KICK #dev x", "PART #à", "JOIN #à", "PRIVMSG", "PRIVMSG #ops :", "OPER x x",
        "PRIVMSG a,b :x", "AUTHENTICATE x", "REGISTER x * y", "VERIFY x y", "REDACT #dev x", "HELP x",
        "REDACT #ops x", "CHATHISTORY FOO", "AWAY x", "AWAY", "WHOWAS x", "VERSION", "BATCH +1 x", "INFO",
        "TAGMSG #ops", "JOIN #lobby", "NAMES", "MODE #ops +t", "PRIVMSG #ops :\x01VERSION\x01",
    ],
)  # fmt: skip
def test_every_answer_is_labelled_once(line: str) -> None:
    found = member(LABELS, rooms=["ops"]).say(f"@label=x {line}")
    told = [it for it in found if isinstance(it, str)]
    assert told
    assert told[0].startswith("@label=x ")
    assert not any("label=" in it for it in told[1:])


def test_a_line_that_is_not_utf_8_has_its_label() -> None:
    (told,) = member(LABELS).read(b"@label=x PRIVMSG #ops :\xe0\n")
    assert str(told).startswith("@label=x :tertulia FAIL PRIVMSG INVALID_UTF8 :")


# --- Channels -------------------------------------------------------------------------------------


@each(
    ("line", "expected"),
    [
        ("JOIN #dev", [JoinRoom("dev")]),
        ("JOIN #DEV", [JoinRoom("dev")]),
        ("JOIN #dev key", [JoinRoom("dev")]),
        ("JOIN #dev,#ops a,b", [JoinRoom("dev"), JoinRoom("ops")]),
        ("JOIN #lobby", []),
        ("JOIN #dev,#lobby,#x", [JoinRoom("dev"), JoinRoom("x")]),
        ("JOIN dev", [NO_CHANNEL.format("dev")]),
        ("JOIN #d!ev,#x", [NO_CHANNEL.format("#d!ev"), JoinRoom("x")]),
        ("JOIN :", [NO_CHANNEL.format("*")]),
        ("PART #ops", [PartRoom("ops")]),
        ("PART #OPS,#dev :bye all", [PartRoom("ops", "bye all"), PartRoom("dev", "bye all")]),
        ("PART #ops :\x0304 bye\x1b ", [PartRoom("ops", "bye")]),
        (f"PART #ops :{'è' * 200}", [PartRoom("ops", "è" * 195)]),
        ("PART #lobby", [HideLobby()]),
        ("PART #lobby :bye", [HideLobby("bye")]),
        ("PART #lobby,#LOBBY", [HideLobby()]),
        ("PART #lobby,#à", [HideLobby(), NO_CHANNEL.format("#à")]),
        ("PART ops", [NO_CHANNEL.format("ops")]),
        ("JOIN 0", [HideLobby(), PartRoom("ops")]),
    ],
)
def test_channels_are_joined_and_parted(line: str, expected: list[str | Command]) -> None:
    assert talking().say(line) == expected


def test_who_leaves_all_channels_leaves_those_that_he_is_on_his_way_to() -> None:
    assert talking().say("JOIN #dev,#x", "PART #x", "JOIN 0", "JOIN 0") == [
        JoinRoom("dev"), JoinRoom("x"), PartRoom("x"), HideLobby(), PartRoom("dev"), PartRoom("ops"),
    ]  # fmt: skip


def test_the_lobby_is_shown_and_hidden() -> None:
    talk = member(server=IrcServer(lobby="Main", joins_lobby=False))
    assert talk.say("PART #main", "JOIN #MAIN,#main", "PART #main", "JOIN #main", "JOIN #lobby") == [
        NOT_THERE.format("#main"), ShowLobby(), HideLobby(), ShowLobby(), JoinRoom("lobby"),
    ]  # fmt: skip


def test_a_line_has_so_many_channels_and_people() -> None:
    people = ",".join(f"n{it}" for it in range(20))
    *kicks, last = talking().say(f"KICK #ops {people}")
    assert len(kicks) == 16
    assert last == ":tertulia 407 anna n16 :Too many targets"
    channels = ",".join(f"#r{it}" for it in range(20))
    *joins, last = talking().say(f"JOIN {channels}")
    assert joins == [JoinRoom(f"r{it}") for it in range(16)]
    assert last == ":tertulia 407 anna #r16 :Too many targets"


def test_every_channel_gives_a_part_of_the_answer() -> None:
    talk = member(LABELS)
    client = talk.decoder.client
    assert talk.say("@label=x JOIN #lobby,#a,#b,#A") == [JoinRoom("a"), JoinRoom("b")]
    assert client.joins == {"a": deque([PendingJoin("x")]), "b": deque([PendingJoin("x")])}
    assert client.shared == {"x": SharedAnswer(2)}  # the lobby's has no line
    assert talk.say("@label=y PART #à,#a") == [PartRoom("a")]
    assert client.joins["a"] == deque([PendingJoin("x"), PendingJoin("y", is_part=True)])
    assert client.shared["y"] == SharedAnswer(1, lines=[NO_CHANNEL.format("#à")])
    assert talk.say("@label=z PART #lobby") == [HideLobby()]
    assert client.joins[""] == deque([PendingJoin("z", is_part=True)])
    assert "z" not in client.shared


def test_channels_that_are_none_are_one_answer() -> None:
    talk = member(LABELS)
    assert talk.say("@label=x JOIN #à,a,#lobby") == [
        "@label=x :tertulia BATCH +answer labeled-response",
        "@batch=answer " + NO_CHANNEL.format("#à"),
        "@batch=answer " + NO_CHANNEL.format("a"),
        ":tertulia BATCH -answer",
    ]
    assert talk.say("@label=x JOIN #à,#lobby") == ["@label=x " + NO_CHANNEL.format("#à")]
    assert talk.decoder.client.shared == {}


def test_what_is_too_much_is_in_the_answer() -> None:
    talk = member(LABELS, rooms=["ops"])
    client = talk.decoder.client
    names = [f"#r{it}" for it in range(20)]
    for line in (f"JOIN {','.join(names)}", f"KICK #ops {','.join(names)}"):
        assert len(talk.say(f"@label=x {line}")) == 16
        last = ":tertulia 407 anna #r16 :Too many targets"
        assert client.shared.pop("x") == SharedAnswer(16, lines=[last])


def test_channels_are_listed() -> None:
    talk = member(LABELS, rooms=["ops"])
    client = talk.decoder.client
    talk.knowledge.standings = {"": Standing(topic="a topic")}
    lobby = ":tertulia 322 anna #lobby 2 :a topic"
    for line, rooms, told in (
        ("LIST", None, lobby),
        ("LIST :", None, lobby),
        ("LIST #ops,#LOBBY,x", frozenset(("ops", "")), lobby),
        ("LIST #ops", frozenset(["ops"]), ""),
        ("LIST >3", frozenset[str](), ""),
    ):
        assert talk.say(f"@label=x {line}") == [ListRooms()]
        assert [(it.label, it.rooms, it.lobby) for it in client.lists] == [("x", rooms, told)]
        assert talk.say("LIST") == [":tertulia 263 anna LIST :Please wait a while and try again."]
        client.lists.clear()


# --- Moderation -----------------------------------------------------------------------------------


def acts(*lines: str) -> list[Moderation]:
    """Return what is asked for in #ops by lines that ask for nothing else."""
    talk, found = talking(), []
    for command in talk.say(*lines):
        assert isinstance(command, Moderate), command
        assert command.room == "ops"
        assert not command.epoch
        found.append(command.act)
    return found


@each(
    ("line", "expected"),
    [
        ("TOPIC #ops :a topic", [Moderation(Action.TOPIC, text="a topic")]),
        ("TOPIC #ops :", [Moderation(Action.TOPIC)]),
        ("TOPIC #ops :\x02a\x1b", [Moderation(Action.TOPIC, text="a")]),
        ("TOPIC #ops :" + "à" * 200, [Moderation(Action.TOPIC, text="à" * 195)]),
        ("KICK #OPS bruno", [Moderation(Action.KICK, "bruno")]),
        ("KICK #ops bruno : go away ", [Moderation(Action.KICK, "bruno", text="go away")]),
        ("KICK #ops a,b", [Moderation(Action.KICK, "a"), Moderation(Action.KICK, "b")]),
        ("MODE #ops +o bruno", [Moderation(Action.APPOINT, "bruno")]),
        ("MODE #ops o bruno", [Moderation(Action.APPOINT, "bruno")]),
        ("MODE #ops o !", [Moderation(Action.APPOINT, "")]),
        ("MODE #ops -o bruno", [Moderation(Action.DISMISS, "bruno")]),
        ("MODE #ops +q bruno", [Moderation(Action.MUTE, "bruno")]),
        ("MODE #ops +q bruno!*@*", [Moderation(Action.MUTE, "bruno")]),
        ("MODE #ops -q *!*@*", [Moderation(Action.UNMUTE, "*")]),
        ("MODE #ops +m", [Moderation(Action.ACCOUNTS_ONLY, value=1)]),
        ("MODE #ops -m", [Moderation(Action.ACCOUNTS_ONLY, value=0)]),
        ("MODE #ops +n", [Moderation(Action.OUTSIDERS, value=0)]),
        ("MODE #ops -n", [Moderation(Action.OUTSIDERS, value=1)]),
        (
            "MODE #ops +oq-q+m a b c",
            [
                Moderation(Action.APPOINT, "a"),
                Moderation(Action.MUTE, "b"),
                Moderation(Action.UNMUTE, "c"),
                Moderation(Action.ACCOUNTS_ONLY, value=1),
            ],
        ),
        ("MODE #ops mmmmm", [Moderation(Action.ACCOUNTS_ONLY, value=1)] * 4),
        ("MODE #ops +-+", []),
        ("MODE #ops +t", []),
        ("MODE #ops +tm", [Moderation(Action.ACCOUNTS_ONLY, value=1)]),
    ],
)
def test_what_moderators_do(line: str, expected: list[Moderation]) -> None:
    assert acts(line) == expected


def test_a_message_is_redacted_by_its_msgid() -> None:
    talk = talking()
    assert talk.say("REDACT #ops e-1-7-2", "REDACT #lobby e-7-0 :a reason") == [
        Moderate(Moderation(Action.REDACT, "", 7, 2), "ops", 1, "e-1"),
        Moderate(Moderation(Action.REDACT, "", 7, 0, "a reason"), "", 2, "e"),
    ]
    assert pending(talk) == PendingAnswer("", "", "e-7-0", acts_in="")


def test_the_lobby_is_moderated_as_well() -> None:
    assert talking().say("MODE #lobby +m", "TOPIC #lobby :x", "KICK #lobby bruno") == [
        Moderate(Moderation(Action.ACCOUNTS_ONLY, value=1)),
        Moderate(Moderation(Action.TOPIC, text="x")),
        Moderate(Moderation(Action.KICK, "bruno"), "", 1),
    ]


def test_a_refusal_can_name_what_it_is_about() -> None:
    for line, expected in (
        ("KICK #ops a!b", PendingAnswer("", "a!b")),
        ("MODE #ops +q bruno!*@*", PendingAnswer("", "bruno")),
        ("@label=x MODE #ops -o bruno", PendingAnswer("x", "bruno")),
        ("@label=x MODE #ops +m", PendingAnswer("x")),
        ("@label=x TOPIC #ops y", PendingAnswer("x")),
        ("@label=x REDACT #ops e-7-0", PendingAnswer("x", "", "e-7-0")),
    ):
        talk = member(LABELS, rooms=["ops"])
        (command,) = talk.say(line)
        assert isinstance(command, Moderate)
        assert command.tag == 1
        expected.acts_in = "ops"
        assert pending(talk) == expected


def test_people_are_removed_from_a_channel_each() -> None:
    talk = member(LABELS, rooms=["ops", "dev"])
    kicks = [Moderation(Action.KICK, "a", text="x"), Moderation(Action.KICK, "b", text="x")]
    assert talk.say("@label=x KICK #ops,#DEV,#no a,b,c :x") == [
        Moderate(kicks[0], "ops", 1),
        Moderate(kicks[1], "dev", 2),
    ]
    assert talk.decoder.client.shared["x"] == SharedAnswer(2, lines=[NO_CHANNEL.format("#no")])
    for line in ("KICK #ops,#dev a", "KICK #ops,#dev a,b,c"):
        assert talk.say(line) == [NEED_MORE.format("anna", "KICK")]
    assert talk.say("KICK #no a,b") == [NO_CHANNEL.format("#no")]


def test_whether_somebody_is_to_be_named_moderator_who_is_nobody_is_noted() -> None:
    talk = talking()
    talk.say("MODE #ops +oo bruno nobody", "MODE #ops -o nobody")
    assert [it.is_nobody for it in talk.decoder.client.pending.values()] == [False, True, False]


def test_who_is_named_moderator_has_to_be_there() -> None:
    acts = talking().say("MODE #ops +o-o+q bruno bruno bruno", "KICK #ops bruno")
    assert [it.is_of_present for it in acts if isinstance(it, Moderate)] == [
        True,
        False,
        False,
        False,
    ]


def test_every_act_gives_a_part_of_the_answer() -> None:
    talk = member(LABELS, rooms=["ops"])
    client = talk.decoder.client
    assert len(talk.say("@label=x KICK #ops a,b", "@label=y MODE #ops +mq-k+t c")) == 4
    assert [it.label for it in client.pending.values()] == ["x", "x", "y", "y"]
    unknown = ":tertulia 472 anna k :is unknown mode char to me"
    assert client.shared == {"x": SharedAnswer(2), "y": SharedAnswer(2, lines=[unknown])}


@each(
    ("line", "told"),
    [
        ("TOPIC #dev :x", NOT_THERE.format("#dev")),
        ("KICK #dev bruno", NOT_THERE.format("#dev")),
        ("MODE #dev +m", NOT_THERE.format("#dev")),
        ("MODE #dev +o bruno", NOT_THERE.format("#dev")),
        ("TOPIC #no :x", NO_CHANNEL.format("#no")),
        ("KICK #no bruno", NO_CHANNEL.format("#no")),
        ("MODE #no +o bruno", NO_CHANNEL.format("#no")),
        ("TOPIC #à", NO_CHANNEL.format("#à")),
        ("TOPIC dev :x", NO_CHANNEL.format("dev")),
        ("KICK dev bruno", NO_CHANNEL.format("dev")),
        ("MODE #à +m", NO_CHANNEL.format("#à")),
        ("MODE #ops +o", NEED_MORE.format("anna", "MODE")),
        ("MODE #ops -t", ":tertulia 482 anna #ops :Topics are for moderators, always"),
        ("MODE #ops +k key", ":tertulia 472 anna k :is unknown mode char to me"),
        ("MODE #ops +b bruno", ":tertulia 472 anna b :is unknown mode char to me"),
        ("MODE #ops :à", ":tertulia 472 anna à :is unknown mode char to me"),
        ("MODE #ops ::", ":tertulia 472 anna * :is unknown mode char to me"),
        ("MODE anna", ":tertulia 221 anna :+"),
        ("MODE ANNA +i", ":tertulia 221 anna :+"),
        ("MODE bruno +i", ":tertulia 502 anna :Can't change mode for other users"),
        (
            "REDACT #dev e-7-0",
            ":tertulia FAIL REDACT INVALID_TARGET #dev :You cannot delete messages from #dev",
        ),
        (
            "REDACT bruno n:1-7",
            ":tertulia FAIL REDACT INVALID_TARGET bruno :You cannot delete messages from bruno",
        ),
        (
            "REDACT #ops :x y",
            ":tertulia FAIL REDACT UNKNOWN_MSGID #ops * :This message does not exist",
        ),
    ],
)
def test_an_act_that_is_wrong_is_told_why(line: str, told: str) -> None:
    assert talking().say(line) == [told]


# --- Accounts, and being away ---------------------------------------------------------------------


@each(
    ("accounts", "line", "expected"),
    [
        ("open", "REGISTER * * secret", Register("secret")),
        ("open", "REGISTER ANNA a@b :a b", Register("a b")),
        ("closed", "REGISTER * * secret", Register("secret")),  # the chat says that it is closed
        ("invited", "REGISTER * code secret", Register("secret", "code")),
        (
            "invited",
            "REGISTER * * secret",
            ":tertulia FAIL REGISTER INVALID_EMAIL * "
            ":Give an invitation's code in the place of an address",
        ),
        (
            "open",
            "REGISTER carla * secret",
            ":tertulia FAIL REGISTER ACCOUNT_NAME_MUST_BE_NICK carla "
            ":An account has the name of its nickname",
        ),
        ("open", "REGISTER * secret", NEED_MORE.format("anna", "REGISTER")),
        (
            "open",
            "VERIFY anna x",
            ":tertulia FAIL VERIFY INVALID_CODE anna :Nothing has to be verified here",
        ),
    ],
)
def test_accounts_are_registered(
    accounts: Registration, line: str, expected: str | Command
) -> None:
    assert member(server=IrcServer(accounts=accounts)).say(line) == [expected]


ON_THE_WAY_IN = (
    ("open", "REGISTER * * secret", RegisterEarly("anna", "secret")),
    ("open", "REGISTER ANNA a@b secret", RegisterEarly("anna", "secret")),
    ("invited", "REGISTER * code secret", RegisterEarly("anna", "secret", "code")),
    ("invited", "REGISTER * * secret", ":tertulia FAIL REGISTER INVALID_EMAIL * "),
    ("open", "REGISTER carla * secret", ":tertulia FAIL REGISTER ACCOUNT_NAME_MUST_BE_NICK carla "),
    ("open", "VERIFY anna x", ":tertulia FAIL VERIFY INVALID_CODE anna "),
)


@each(("accounts", "line", "expected"), ON_THE_WAY_IN)
def test_accounts_are_registered_before_entering_where_that_is_allowed(
    accounts: Registration, line: str, expected: str | Command
) -> None:
    talk = IrcTalk(IrcServer(accounts=accounts, before_entering=True))
    assert talk.say("CAP LS 302", "NICK anna")[1:] == []
    (told,) = talk.say(line)
    assert str(told).startswith(expected) if isinstance(expected, str) else told == expected


def test_who_has_no_nickname_or_a_proof_registers_none_before_entering() -> None:
    talk = IrcTalk(IrcServer(accounts="open", before_entering=True))
    words = "Give a NICK first: an account has its name"
    assert talk.say("REGISTER * * secret") == [f":tertulia FAIL REGISTER NEED_NICK * :{words}"]
    talk.decoder.client.account = "anna"
    line = ":tertulia FAIL REGISTER ALREADY_AUTHENTICATED * :You are logged in as anna"
    assert talk.say("NICK bruno", "REGISTER * * secret") == [line]
    assert talk.say("USER b 0 * :B") == [Enter("anna", about="b B")]


@each(
    ("line", "text"),
    [
        ("AWAY :at lunch", "at lunch"),
        ("AWAY lunch", "lunch"),
        ("AWAY :\x02lunch\x1b", "lunch"),
        ("AWAY :" + "à" * 200, "à" * 195),
        ("AWAY", ""),
        ("AWAY :", ""),
        ("AWAY :\x02", ""),
    ],
)
def test_people_are_away_and_come_back(line: str, text: str) -> None:
    gone = ":tertulia 306 anna :You have been marked as being away"
    back = ":tertulia 305 anna :You are no longer marked as being away"
    assert talking().say(line) == [SetAway(text), gone if text else back]


# --- Anything -------------------------------------------------------------------------------------

_WORDS = (
    "CAP LS REQ END :batch NICK anna USER 0 * PASS AUTHENTICATE PLAIN + JOIN PART #ops #lobby #dev #ops,#x "
    "PRIVMSG NOTICE bruno :ciao G :register TOPIC KICK MODE +o +q-m -n q REDACT e-7-0 NAMES LIST WHO %na "
    "WHOIS ISON USERHOST AWAY CHATHISTORY LATEST BETWEEN TARGETS timestamp=2026-11-30T10:20:30.123Z "
    "msgid=e-7-0 10 REGISTER VERIFY BATCH +1 -1 draft/multiline @batch=1 @label=x PING QUIT "
    "302 : \x01ACTION \x02 à \x1b"
)
PIECES = st.one_of(
    st.sampled_from(_WORDS.split(" ")),
    st.sampled_from([" ", " ", "\r\n", "\n"]),
    st.text(max_size=5),
).map(lambda it: it.encode(errors="replace")) | st.binary(max_size=4)


@pytest.mark.parametrize("is_registered", [False, True])
@given(st.lists(PIECES, max_size=80))
def test_any_bytes_are_commands_or_answers(is_registered: bool, pieces: list[bytes]) -> None:
    talk = member(LABELS | Capability.MULTILINE, rooms=["ops"]) if is_registered else IrcTalk()
    joined = b"".join(it if it.isspace() else it + b" " for it in pieces)
    whole = talk.read(joined + b"\n")
    for it in whole:
        if isinstance(it, str):
            assert "\r" not in it
            assert clean(it) == it
            assert len(it.partition(" :")[2].encode()) <= 510
        if isinstance(it, Say | Whisper):
            assert it.text
            assert LINE_END.join(map(clean, it.text.split(LINE_END))) == it.text
        if isinstance(it, Say | Moderate | JoinRoom | PartRoom):
            assert not it.room or is_room(it.room)
    assert talk.decoder.buffered == 0


@given(st.lists(PIECES, max_size=60), st.randoms(use_true_random=False))
def test_any_split_gives_the_same(pieces: list[bytes], random: Random) -> None:
    data = b" ".join(pieces) + b"\n"
    cuts = sorted(random.randrange(len(data) + 1) for _ in range(6))
    talks = member(rooms=["ops"]), member(rooms=["ops"])
    parts = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]

    def shown(found: list[str | Command]) -> list[str | Command]:
        return [it for it in found if not hasattr(it, "told")]

    assert shown(talks[0].read(data)) == shown(talks[1].read(data, lambda _: parts))


@pytest.mark.parametrize("is_registered", [False, True])
@given(
    st.sampled_from(["#ops", "#LOBBY", "#ops,#dev", "#à", "#", "#ops x"]),
    st.sampled_from([" :", " ", "  :", " : :"]),
    st.lists(PIECES, max_size=20),
)
def test_the_short_way_of_a_message_leads_where_the_long_one_does(
    is_registered: bool, channel: str, between: str, pieces: list[bytes]
) -> None:
    rest = f" {channel}{between}".encode() + b"".join(pieces) + b"\n"
    found = []
    for command in (b"PRIVMSG", b"Privmsg"):  # the second one never goes the short way
        talk = member(LABELS | Capability.MULTILINE, rooms=["ops"]) if is_registered else IrcTalk()
        told = talk.read(command + rest)
        found.append([it for it in told if not hasattr(it, "told")])
    assert found[0] == found[1]
