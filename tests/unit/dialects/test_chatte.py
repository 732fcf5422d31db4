"""The dialect ``chatte``, sentence by sentence of docs/protocols/chatte.md."""

import time
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cases import each
from harness.several import several
from harness.splits import Split, every_end, every_split, split_by_byte
from tertulia.dialects.chatte import ChatteDecoder, ChatteEncoder
from tertulia.dialects.contract import (
    AccountAction,
    AccountAnswer,
    AccountOutcome,
    Decoder,
    Encoder,
    Refusal,
    RoomFault,
    Welcome,
)
from tertulia.domain.commands import (
    Acknowledge,
    ChangePassword,
    Command,
    DeleteAccount,
    Enter,
    ExplainAccounts,
    Fault,
    Faulty,
    LogOutEverywhere,
    Register,
    Say,
    Whisper,
)
from tertulia.domain.disconnects import Disconnect
from tertulia.domain.events import Closed, Joined, Left, Present, Said, Undelivered, Whispered
from tertulia.domain.nicknames import is_valid
from tertulia.domain.past import PastMessage, Place
from tertulia.domain.position import Position

BOUND = 4096
MALFORMED = Faulty(Fault.MALFORMED)
TOO_LONG = Faulty(Fault.TOO_LONG)


def read(decoder: Decoder, chunks: Iterable[bytes]) -> list[Command]:
    """All commands of some chunks; whoever asks to enter is let in if the nickname is valid."""
    commands: list[Command] = []
    for chunk in chunks:
        decoder.feed(chunk)
        while (command := decoder.next_command()) is not None:
            commands.append(command)
            if isinstance(command, Enter) and is_valid(command.nickname):
                decoder.entered()
    return commands


def active() -> ChatteDecoder:
    decoder = ChatteDecoder()
    assert read(decoder, [b"andy\n"]) == [Enter("andy")]
    return decoder


# Entering


@every_split
@every_end
@each("more", [b"", b"100 x\n", b"10"])
@each(
    ("line", "nickname", "password"),
    [
        (b"Achury", "Achury", None),
        (b"a", "a", None),
        (b"x" * 32, "x" * 32, None),
        (b"andy.b_c+d-e", "andy.b_c+d-e", None),
        (b"andy:secret", "andy", "secret"),
        (b"andy:", "andy", ""),
        (b"andy:a:b ", "andy", "a:b "),
        (b"andy:contrase\xc3\xb1a", "andy", "contraseña"),
        (b"andy:contrase\xf1a", "andy", "contraseña"),
    ],
)
def test_the_first_line_is_the_nickname(
    line: bytes, nickname: str, password: str | None, more: bytes, end: bytes, split: Split
) -> None:
    after: list[Command] = [Say("x")] if more.endswith(b"\n") else []
    had = read(ChatteDecoder(), split(line + end + more))
    assert had == [Enter(nickname, password), *after]


@every_split
@every_end
@each(
    ("line", "enter"),
    [
        (b"andy@ops", Enter("andy", room="ops")),
        (b"Andy@OPS", Enter("Andy", room="ops")),
        (b"andy.b_c+d-e@0.b_c+d-e", Enter("andy.b_c+d-e", room="0.b_c+d-e")),
        (b"andy@ops:secret", Enter("andy", "secret", room="ops")),
        (b"andy@ops:", Enter("andy", "", room="ops")),
        (b"andy@ops:a@b:c", Enter("andy", "a@b:c", room="ops")),
        (b"andy:a@ops", Enter("andy", "a@ops")),
        (b"andy@" + b"o" * 32, Enter("andy", room="o" * 32)),
    ],
)
def test_behind_the_nickname_is_the_room_that_is_shown(
    line: bytes, enter: Enter, end: bytes, split: Split
) -> None:
    words = b"100 hola", b"102 #dev hola", b"102 #ops hola", b"102 bea hola"
    told = read(ChatteDecoder(), split(b"".join(it + end for it in (line, *words))))
    assert told == [
        enter,
        Say("hola", 0, enter.room),
        Say("hola", 0, "dev"),
        Say("hola", 0, "ops"),
        Whisper("bea", "hola"),
    ]


@every_split
@every_end
@each("more", [b"", b"100"])
@each(
    "line",
    [
        b"",
        b" ",
        b"an dy",
        b"andy ",
        b" andy",
        b":secret",
        b" :secret",
        b"jos\xc3\xa9",
        b"jos\xe9",
        b"an\x00dy",
        b"an\x1bdy",
        b"\randy",
        b"\xff\xfd\x03andy",  # a telnet client's negotiation
        b"x" * 33,
        b"x" * BOUND,
        b"GET / HTTP/1.1",
        b"G",
        b"g",
        b"FINE",
        b"Stop",
        b"close",
        b"null",
        b"null:secret",
        *(b"andy@", b"andy@:secret", b"andy@#ops", b"andy@.ops", b"andy@o ps", b"andy@ops@ops"),
        *(b"andy@\xe9", b"andy@" + b"o" * 33, b"@ops", b"G@ops", b"an dy@ops"),
    ],
)
def test_a_nickname_that_is_malformed_or_reserved_is_nobodys(
    line: bytes, more: bytes, end: bytes, split: Split
) -> None:
    (command,) = read(ChatteDecoder(), split(line + end + more))
    assert isinstance(command, Enter)
    assert not is_valid(command.nickname)


@every_split
@every_end
@pytest.mark.parametrize("password", [b"", b":x"])
def test_a_line_too_long_is_no_nickname(password: bytes, end: bytes, split: Split) -> None:
    line = b"andy" + password + b"x" * BOUND
    commands = read(ChatteDecoder(), split(line + end))
    assert len(commands) == 1
    assert isinstance(commands[0], Enter)
    assert not is_valid(commands[0].nickname)


def test_a_line_too_long_is_refused_before_it_ends() -> None:
    (command,) = read(ChatteDecoder(), [b"x" * (BOUND + 2)])
    assert isinstance(command, Enter)
    assert not is_valid(command.nickname)


@every_split
def test_words_of_a_member_are_read_as_nicknames_before_entering(split: Split) -> None:
    for line in (b"100 hola", b"102 bea hola", b"101 Message received."):
        (command,) = read(ChatteDecoder(), split(line + b"\n"))
        assert isinstance(command, Enter)
        assert not is_valid(command.nickname)


def test_a_number_is_a_nickname_like_any_other() -> None:
    assert read(ChatteDecoder(), [b"100\n"]) == [Enter("100")]


# Sending

SENTENCES: list[tuple[bytes, Command]] = [
    # `100 TEXT`
    (b"100 Hola, acabo de llegar.", Say("Hola, acabo de llegar.")),
    (b"100 \xc2\xbfHay alguien aqu\xc3\xad?", Say("¿Hay alguien aquí?")),
    (b"100 \xbfHay alguien aqu\xed?", Say("¿Hay alguien aquí?")),
    (b"100   two more spaces ", Say("  two more spaces ")),
    (b"100 100 100", Say("100 100")),
    (b"100 101 Message received.", Say("101 Message received.")),
    (b"100 a\tb", Say("a\tb")),
    (b"100 \x1b[2Ja\x00b\rc\x7f", Say("[2Jabc")),
    # "`100 ` with an empty text is valid"
    (b"100 ", Say("")),
    # `102 NICK TEXT`
    (b"102 Andy Andy, \xc2\xbfya?", Whisper("Andy", "Andy, ¿ya?")),
    (b"102 Andy  x", Whisper("Andy", " x")),
    (b"102 andy.b_c+d-e x", Whisper("andy.b_c+d-e", "x")),
    (b"102 Andy \xbfya?", Whisper("Andy", "¿ya?")),
    (b"102 Andy 102 Bea x", Whisper("Andy", "102 Bea x")),
    # "when NICK is not connected": nobody's, to be answered 203 by whoever knows the chat
    (b"102 G hola", Whisper("G", "hola")),
    # Messages to ``G``: what is no account command is for nobody.
    (b"102 G register secret", Register("secret")),
    (b"102 g REGISTER secret ab-12", Register("secret", "ab-12")),
    (b"102 G password old new", ChangePassword("old", "new")),
    (b"102 G  logout ", LogOutEverywhere()),
    (b"102 G unregister secret", DeleteAccount("secret")),
    (b"102 G help", ExplainAccounts()),
    (b"102 G register", ExplainAccounts()),
    (b"102 G register my long secret", ExplainAccounts()),
    (b"102 jos\xe9 hola", Whisper("josé", "hola")),
    # `102 #ROOM TEXT`, and what only looks like it
    (b"102 #ops hola", Say("hola", 0, "ops")),
    (b"102 #OPS  hola", Say(" hola", 0, "ops")),
    (b"102 #ops", MALFORMED),
    (b"102 #ops ", MALFORMED),
    (b"102 # hola", Whisper("#", "hola")),
    (b"102 ##ops hola", Whisper("##ops", "hola")),
    (b"102 #o/s hola", Whisper("#o/s", "hola")),
    (b"102 #\xe9 hola", Whisper("#é", "hola")),
    (b"102 andy@ops hola", Whisper("andy@ops", "hola")),
    (b"100 #ops hola", Say("#ops hola")),
    (b"100 andy@ops", Say("andy@ops")),
    # "Any line that begins with `101` is an acknowledgement"
    (b"101 Message received.", Acknowledge(1)),
    (b"101", Acknowledge(1)),
    (b"101 ", Acknowledge(1)),
    (b"101x", Acknowledge(1)),
    (b"1010 x", Acknowledge(1)),
    (b"101\xff\x00", Acknowledge(1)),
    # Anything else: "empty line, unknown code, 100 without a space, 102 NICK without text"
    (b"", MALFORMED),
    (b" ", MALFORMED),
    (b"100", MALFORMED),
    (b"100\thola", MALFORMED),
    (b"100hola", MALFORMED),
    (b"1000 hola", MALFORMED),
    (b" 100 hola", MALFORMED),
    (b"102", MALFORMED),
    (b"102 ", MALFORMED),
    (b"102 Andy", MALFORMED),
    (b"102 Andy ", MALFORMED),
    (b"102\tAndy hola", MALFORMED),
    (b"102  hola", MALFORMED),
    (b"10", MALFORMED),
    (b"0 Hello, nickname please.", MALFORMED),
    (b"103 x", MALFORMED),
    (b"150 Andy just join to the chat", MALFORMED),
    (b"151 Andy just left the chat", MALFORMED),
    (b"200 Welcome to the chatte.", MALFORMED),
    (b"666 Invalid command. Ignoring.", MALFORMED),
    (b"hola", MALFORMED),
    (b"\xff\xff\xff\xff", MALFORMED),
    (b"\x00", MALFORMED),
]


@every_split
@every_end
@each(
    ("more", "after"),
    [
        (b"", []),
        (b"10", []),
        (b"101 Message received.\n", [Acknowledge(1)]),
        (b"\n100 x\r\n", [MALFORMED, Say("x")]),
    ],
)
@each(("line", "command"), SENTENCES)
def test_a_members_words(
    line: bytes, command: Command, more: bytes, after: list[Command], end: bytes, split: Split
) -> None:
    assert read(active(), split(line + end + more)) == [command, *after]


def test_the_whole_conversation_in_one_read() -> None:
    lines = b"".join(line + b"\r\n" for line, _ in SENTENCES)
    assert read(active(), [lines]) == [command for _, command in SENTENCES]
    assert read(ChatteDecoder(), split_by_byte(b"andy\r\n" + lines)) == [
        Enter("andy"),
        *(command for _, command in SENTENCES),
    ]


def test_a_whisper_of_nothing_but_controls_is_without_text() -> None:
    # They are removed "before anything else sees the text".
    assert read(active(), [b"102 Andy \x07\x1b\n"]) == [MALFORMED]


@every_split
@every_end
@each("more", [b"", b"100 x\n"])
@each(
    ("length", "kept"), [(BOUND - 1, True), (BOUND, True), (BOUND + 1, False), (2 * BOUND, False)]
)
def test_a_long_line_exactly(
    length: int, kept: bool, more: bytes, end: bytes, split: Split
) -> None:
    text = b"x" * (length - 4)
    command = Say(text.decode()) if kept else TOO_LONG
    after: list[Command] = [Say("x")] if more else []
    assert read(active(), split(b"100 " + text + end + more)) == [command, *after]


@every_split
def test_the_rest_of_a_long_line_is_no_command(split: Split) -> None:
    line = b"x" * (2 * BOUND) + b"100 smuggled\r100 smuggled"
    assert read(active(), split(line + b"\n100 ok\n")) == [TOO_LONG, Say("ok")]


def test_a_long_acknowledgement_is_a_long_line() -> None:
    assert read(active(), [b"101" + b" " * BOUND + b"\n101\n"]) == [TOO_LONG, Acknowledge(1)]


def test_commands_come_one_at_a_time_and_the_rest_stays() -> None:
    decoder = active()
    decoder.feed(b"100 a\n100 b\n10")
    assert decoder.next_command() == Say("a")
    assert decoder.buffered == 8
    decoder.feed(b"0 c\n")
    assert decoder.next_command() == Say("b")
    assert decoder.next_command() == Say("c")
    assert decoder.next_command() is None
    assert decoder.buffered == 0


PIECES = st.one_of(
    st.binary(max_size=12),
    st.sampled_from(
        [b"\n", b"\r\n", b"\r", b"100 ", b"101", b"102 ", b"andy", b" ", b"andy:pw\n", b"100 a\n"]
    ),
    st.integers(BOUND - 6, BOUND + 3).map(lambda length: b"x" * length),
)


@given(st.lists(PIECES, max_size=12), st.data(), st.booleans())
def test_any_bytes_in_any_split_give_the_same_commands(
    pieces: list[bytes], data: st.DataObject, entered: bool
) -> None:
    sent = b"".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=12)))
    decoder = active() if entered else ChatteDecoder()
    commands: list[Command] = []
    for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True):
        commands += read(decoder, [sent[start:end]])
        assert decoder.buffered <= BOUND + 1
    assert commands == read(active() if entered else ChatteDecoder(), [sent])


@given(st.binary(max_size=200))
def test_a_member_never_enters_again(sent: bytes) -> None:
    for command in read(active(), [sent, b"\n"]):
        assert isinstance(command, Say | Whisper | Acknowledge | Faulty)


# Receiving

VOICE = ChatteEncoder()
LATIN = ChatteEncoder(encoding="latin-1")


def test_it_is_a_encoder() -> None:
    encoder: Encoder = VOICE
    decoder: Decoder = encoder.decoder()
    assert decoder.buffered == 0
    assert decoder is not encoder.decoder()
    assert (encoder.name, encoder.default_port) == ("chatte", 1234)


def test_equal_voices_are_one_group() -> None:
    assert len({ChatteEncoder(), ChatteEncoder(), LATIN}) == 2


def test_entering_is_answered_word_for_word() -> None:
    assert VOICE.greeting() == b"0 Hello, nickname please.\n"
    assert VOICE.refusal(Refusal.INVALID_NICKNAME, "?") == (
        b"201 Invalid nickname. Please try again. Bye.\n"
    )
    assert VOICE.refusal(Refusal.NICKNAME_TAKEN, "andy") == (
        b"202 Nickname already in use. Please try with another one. Bye.\n"
    )
    assert not VOICE.retries  # "and closes"


def test_every_refusal_has_words() -> None:
    for refusal in Refusal:
        assert VOICE.refusal(refusal, "andy").endswith(b"\n")


def test_commands_are_answered_word_for_word() -> None:
    assert VOICE.refusal(Refusal.UNKNOWN_RECIPIENT, "bea") == (
        b"203 Invalid destinatary. Verify the nickname.\n"
    )
    assert VOICE.echoes  # "the sender is one of them"
    assert VOICE.acknowledgement == b"101 Message received.\n"
    for fault in Fault:
        assert VOICE.fault(Faulty(fault)) == b"666 Invalid command. Ignoring.\n"
    assert VOICE.sent(0) == b"101 Message sent.\n"


@pytest.mark.parametrize("text", ["hola", "", " ", "¿Hay alguien aquí?", "100 x", "日本"])
def test_messages(text: str) -> None:
    assert VOICE.public(Said("Andy", "n1:7", text)) == f"100 Andy {text}\n".encode()
    letter = Whispered("Andy", "n1:7", "Bea", text)
    assert VOICE.private(letter, 0.0) == f"102 Andy {text}\n".encode()


def test_each_line_of_a_text_is_a_line_of_its_author() -> None:
    text = several("one", "", "102 G two")
    expected = b"100 Andy one\n100 Andy \n100 Andy 102 G two\n"
    assert VOICE.public(Said("Andy", "n1:7", text)) == expected
    letter = VOICE.private(Whispered("Andy", "n1:7", "Bea", text), 0.0)
    assert letter == b"102 Andy one\n102 Andy \n102 Andy 102 G two\n"
    report = VOICE.private(Undelivered("Andy", "n1:7", "Bea", several("one", "two")), 0.0)
    assert report == b"102 G Your message to Bea was not delivered: one\n102 G two\n"
    past = VOICE.past_message(PastMessage(Position("e", 7, 0.0), 0, Said("Andy", "n1:7", text)))
    assert [line[12:] for line in past.splitlines()] == [
        b"Andy: one",
        b"Andy: ",
        b"Andy: 102 G two",
    ]


def test_comings_and_goings() -> None:
    assert VOICE.public(Joined("Andy", "n1:7", "chatte")) == b"150 Andy just join to the chat\n"
    assert VOICE.public(Present("Andy", "n1:7", "chatte")) == b"150 Andy just join to the chat\n"
    assert VOICE.public(Left("Andy", "n1:7")) == b"151 Andy just left the chat\n"


def test_notices_are_private_messages_of_the_server() -> None:
    closing = VOICE.public(Closed("Andy", "n1:7"))
    report = VOICE.private(Undelivered("Andy", "n1:7", "Bea", "¿ya?"), 0.0)
    for notice in (closing, report):
        assert notice.startswith(b"102 G ")
        assert notice.count(b"\n") == 1
        assert notice.endswith(b"\n")
    assert b"Bea" in report
    assert "¿ya?".encode() in report


def test_what_was_said_before_is_told_by_the_server_with_its_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", "UTC-1")
    time.tzset()
    at = Position("e", 7, 1795221185.0)
    said, gone = Said("luisa", "n1:7", "¿ya?"), Said("luisa", "n1:7", "psst")
    pieces = [
        VOICE.past_message(PastMessage(at, 0, said)),
        VOICE.past_message(PastMessage(at, 1, gone, is_redacted=True)),
    ]
    told = VOICE.past(pieces, "e", Place(7), more=True)
    monkeypatch.undo()
    time.tzset()
    assert told == "102 G 01:33 luisa: ¿ya?\n".encode()


def test_no_quit_command_and_no_administrator() -> None:
    assert VOICE.farewell(Disconnect.LEFT) == b""
    assert VOICE.promoted() == b""


def test_a_listener_can_be_set_to_write_latin_1() -> None:
    assert LATIN.public(Said("Andy", "n1:7", "aquí")) == b"100 Andy aqu\xed\n"
    assert LATIN.private(Whispered("Andy", "n1:7", "Bea", "¿ya?"), 0.0) == b"102 Andy \xbfya?\n"
    assert LATIN.public(Said("Andy", "n1:7", "日 ok")) == b"100 Andy ? ok\n"
    # Transliterated; what Windows-1252 has and Latin-1 has not must not become a control character.
    assert LATIN.public(Said("Andy", "n1:7", "5 €")) == b"100 Andy 5 EUR\n"
    assert LATIN.public(Said("Andy", "n1:7", "“¿ya?” … –")) == b'100 Andy "\xbfya?" ... -\n'


PLACE = Position("e", 7, 0.0)
CLASSIC = ChatteEncoder(wording="classic")


def test_classic_tells_the_newcomer_too_that_it_came() -> None:
    """ "sends `150` to the newcomer as well, and its client shows nothing for `200`"."""
    welcome = Welcome("Andy", iter(["bea"]), PLACE, "n1:7", "")
    assert VOICE.welcome(welcome) == b"200 Welcome to the chatte.\n"
    assert CLASSIC.welcome(welcome) == (
        b"200 Welcome to the chatte.\n150 Andy just join to the chat\n"
    )


def test_classic_says_in_words_that_a_line_is_too_long() -> None:
    """ "answers a line that is too long with `102 G …` beside the 666"."""
    invalid = b"666 Invalid command. Ignoring.\n"
    assert CLASSIC.fault(TOO_LONG) == invalid + b"102 G Your line was too long.\n"
    assert CLASSIC.fault(MALFORMED) == VOICE.fault(TOO_LONG) == invalid


@pytest.mark.parametrize(
    "event",
    [
        Said("Andy", "n1:7", "¿ya? “sí”"),
        Joined("Andy", "n1:7"),
        Left("Andy", "n1:7"),
        Closed("A", ""),
    ],
)
def test_classic_is_otherwise_the_same(event: Said | Joined | Left | Closed) -> None:
    assert CLASSIC.public(event) == VOICE.public(event)
    assert CLASSIC.greeting() == VOICE.greeting()
    for refusal in Refusal:
        assert CLASSIC.refusal(refusal) == VOICE.refusal(refusal)
    assert CLASSIC.deaf_seconds == VOICE.deaf_seconds == 0.0
    assert CLASSIC != VOICE  # so each is rendered for itself


@pytest.mark.parametrize("encoder", [VOICE, LATIN, CLASSIC])
def test_whoever_has_to_go_is_told_by_the_server(encoder: ChatteEncoder) -> None:
    """ "A session that a drain closes reads first"."""
    restarts = b"102 G The server restarts. Please come back in a moment.\n"
    assert encoder.farewell(Disconnect.DRAINED) == encoder.farewell(Disconnect.FENCED) == restarts
    kicked = encoder.farewell(Disconnect.KICKED, "enough")
    assert kicked == b"102 G You were removed from the chat: enough\n"
    assert encoder.farewell(Disconnect.BANNED) == b"102 G You are banned from the chat.\n"
    for reason in (Disconnect.DISPLACED, Disconnect.LONG_LINES, Disconnect.INTERNAL):
        told = encoder.farewell(reason)
        assert told.startswith(b"102 G ")
        assert told.endswith(b".\n")
        assert told.count(b"\n") == 1
    for reason in (Disconnect.GONE, Disconnect.BROKEN, Disconnect.SLOW_READER, Disconnect.LEFT):
        assert encoder.farewell(reason) == b""


def test_what_was_lost_is_told_by_the_server() -> None:
    assert VOICE.missed(PLACE) == b"102 G Some of what was said is missing here.\n"


@given(st.binary(max_size=100))
def test_whatever_one_says_the_other_reads_one_line(sent: bytes) -> None:
    for command in read(active(), [b"100 " + sent.replace(b"\n", b"") + b"\n"]):
        assert isinstance(command, Say)
        for encoder in (VOICE, LATIN):
            line = encoder.public(Said("Andy", "n1:7", command.text))
            assert line.startswith(b"100 Andy ")
            assert line.index(b"\n") == len(line) - 1
            assert b"\r" not in line
            assert b"\x1b" not in line


# In a further room

OPS = ChatteEncoder().in_room("ops")


def test_the_words_of_a_room_are_those_of_the_lobby() -> None:
    encoder: Encoder = OPS
    assert not encoder.rooms
    assert len({OPS, ChatteEncoder().in_room("ops"), ChatteEncoder()}) == 2
    assert OPS.public(Said("bea", "n:1", "hola")) == b"100 bea hola\n"
    assert OPS.public(Joined("bea", "n:1")) == b"150 bea just join to the chat\n"
    assert (
        OPS.welcome(Welcome("andy", (), Position("e", 1), "n:1", ""))
        == b"200 Welcome to the chatte.\n"
    )


def test_who_does_not_come_into_a_room_reads_a_refusal_and_nothing_else() -> None:
    refused = b"201 Invalid nickname. Please try again. Bye.\n"
    assert ChatteEncoder().farewell(Disconnect.ROOM_FULL) == refused
    for fault in RoomFault:
        assert OPS.not_joined(fault) == b""
    assert OPS.parted(Disconnect.KICKED, "enough") == b""
    assert OPS.room_list([]) == b""


def test_who_is_removed_from_a_room_is_told_which() -> None:
    assert OPS.farewell(Disconnect.KICKED) == b"102 G You were removed from the room #ops.\n"
    assert OPS.farewell(Disconnect.KICKED, "enough") == (
        b"102 G You were removed from the room #ops: enough\n"
    )


def test_the_list_of_what_one_can_write_to_g_ends_with_rooms() -> None:
    pieces = ChatteEncoder().account(
        AccountAnswer(AccountAction.EXPLAIN, AccountOutcome.DONE, "anna")
    )
    assert pieces[-1] == (
        b"102 G There are further rooms: enter as anna@ROOM to be shown one; 102 #ROOM TEXT is said there, "
        b"if it lets outsiders speak\n"
    )
    done = ChatteEncoder().account(
        AccountAnswer(AccountAction.REGISTER, AccountOutcome.DONE, "anna")
    )
    assert not any(b"@ROOM" in it for it in done)
