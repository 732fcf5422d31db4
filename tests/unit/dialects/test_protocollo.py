"""The dialect ``protocollo``, sentence by sentence of docs/protocols/protocollo.md, in both wordings."""

import re
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cases import each
from harness.several import several
from harness.splits import Split, every_end, every_split, split_by_byte, split_whole
from tertulia.dialects.contract import (
    AccountAction,
    AccountAnswer,
    AccountOutcome,
    Decoder,
    Encoder,
    Refusal,
    Welcome,
)
from tertulia.dialects.protocollo import ProtocolloDecoder, ProtocolloEncoder
from tertulia.domain.commands import (
    ChangePassword,
    CloseChat,
    Command,
    DeleteAccount,
    Enter,
    ExplainAccounts,
    Fault,
    Faulty,
    Leave,
    LogOutEverywhere,
    Ready,
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
TOO_LONG = Faulty(Fault.TOO_LONG)
PLACE = Position("e", 1, 0.0)


def read(decoder: Decoder, chunks: Iterable[bytes]) -> list[Command]:
    """All commands of some chunks; whoever asks to enter is let in if the name is valid."""
    commands: list[Command] = []
    for chunk in chunks:
        decoder.feed(chunk)
        while (command := decoder.next_command()) is not None:
            commands.append(command)
            if isinstance(command, Enter):
                if is_valid(command.nickname):
                    decoder.entered()
                else:
                    decoder.refused()
    return commands


def member() -> ProtocolloDecoder:
    decoder = ProtocolloDecoder()
    assert read(decoder, [b"anna\n"]) == [Enter("anna")]
    return decoder


# Entering, 1: "The client's first line is its name"


@every_split
@every_end
@each(
    ("more", "after"),
    [
        (b"", []),
        (b"G\nciao", []),
        # "Its name line and what follows may arrive in one packet."
        (b"null\n\n", [Ready()]),
        (b"null\r\n\r\nG\r\nciao\r\n", [Ready(), Say("ciao")]),
        (b"fine\n", [Leave()]),
    ],
)
@each(
    ("line", "nickname", "password"),
    [
        (b"anna", "anna", None),
        (b"a", "a", None),
        (b"x" * 32, "x" * 32, None),
        (b"Anna.b_c+d-e", "Anna.b_c+d-e", None),
        (b"finestra", "finestra", None),
        (b"anna:segreto", "anna", "segreto"),
        (b"anna:", "anna", ""),
        (b"anna:a:b ", "anna", "a:b "),
        (b"anna:citt\xc3\xa0", "anna", "città"),
        (b"anna:citt\xe0", "anna", "città"),
    ],
)
def test_the_first_line_is_the_name(
    line: bytes,
    nickname: str,
    password: str | None,
    more: bytes,
    after: list[Command],
    end: bytes,
    split: Split,
) -> None:
    assert read(ProtocolloDecoder(), split(line + end + more)) == [
        Enter(nickname, password),
        *after,
    ]


# 2: "Invalid: … waits for another name on the same connection"

INVALID_NAMES = [
    *(b"close", b"fine", b"stop", b"null", b"G", b"g", b"FINE", b"Stop", b"cLOSE", b"nUll:x"),
    *(b"", b" ", b"an na", b"anna ", b" anna", b":segreto", b"x" * 33, b"anna.@", b"anna>"),
    *(b"nicol\xc3\xb2", b"nicol\xf2", b"an\x00na", b"an\x1bna", b"\ranna", b"\xff\xfd\x03anna"),
    *(b"anna@#ops", b"anna@.ops", b"anna@o ps", b"anna@ops@ops", b"anna@" + b"x" * 33, b"@ops"),
    b"GET / HTTP/1.1",
]


@every_split
@every_end
@each("line", INVALID_NAMES)
def test_after_an_invalid_name_another_one_is_awaited(
    line: bytes, end: bytes, split: Split
) -> None:
    refused, accepted = read(ProtocolloDecoder(), split(line + end + b"anna" + end))
    assert isinstance(refused, Enter)
    assert not is_valid(refused.nickname)
    assert accepted == Enter("anna")


@every_split
@every_end
@each(
    ("line", "enter"),
    [
        (b"anna@ops", Enter("anna", room="ops")),
        (b"Anna@Ops:segreto", Enter("Anna", "segreto", room="ops")),
        (b"anna:a@ops", Enter("anna", "a@ops")),
    ],
)
def test_behind_the_name_is_the_room_that_is_shown(
    line: bytes, enter: Enter, end: bytes, split: Split
) -> None:
    words = b"G", b"ciao", b"#dev", b"ciao", b"bruno", b"ciao", b"G", b"register secret"
    told = read(ProtocolloDecoder(), split(b"".join(it + end for it in (line, *words))))
    assert told == [
        enter,
        Say("ciao", 0, enter.room),
        Say("ciao", 0, "dev"),
        Whisper("bruno", "ciao"),
        Register("secret"),
    ]


def test_the_room_is_that_of_the_name_that_was_accepted() -> None:
    decoder = ProtocolloDecoder()
    decoder.feed(b"anna@ops\nbruno\nG\nciao\n")
    assert decoder.next_command() == Enter("anna", room="ops")
    decoder.refused()
    assert decoder.next_command() == Enter("bruno")
    decoder.entered()
    assert decoder.next_command() == Say("ciao")


def test_after_a_valid_name_that_is_taken_another_one_is_awaited() -> None:
    decoder = ProtocolloDecoder()
    decoder.feed(b"anna\nbruno\nG\nciao\n")
    assert decoder.next_command() == Enter("anna")
    decoder.refused()
    assert decoder.next_command() == Enter("bruno")
    decoder.entered()
    assert decoder.next_command() == Say("ciao")


def test_after_many_refused_names_a_name_is_still_awaited() -> None:
    commands = read(ProtocolloDecoder(), [b"fine\n" * 100 + b"anna\nfine\n"])
    assert commands == [*[Enter("fine")] * 100, Enter("anna"), Leave()]


@every_split
@every_end
def test_a_line_too_long_is_no_name_and_another_one_is_awaited(end: bytes, split: Split) -> None:
    refused, accepted = read(ProtocolloDecoder(), split(b"x" * (BOUND + 1) + end + b"anna" + end))
    assert isinstance(refused, Enter)
    assert not is_valid(refused.nickname)
    assert accepted == Enter("anna")


@every_split
def test_the_words_of_a_member_are_names_before_entering(split: Split) -> None:
    for line in (b"G", b"fine", b"stop", b"null"):
        (command,) = read(ProtocolloDecoder(), split(line + b"\n"))
        assert isinstance(command, Enter)
        assert not is_valid(command.nickname)


# Sending

OF_NAMES = (
    Refusal.INVALID_NICKNAME,
    Refusal.NICKNAME_TAKEN,
    Refusal.NOT_SIGNED_IN,
    Refusal.NO_ACCOUNT,
    Refusal.BANNED,
)
MESSAGES: list[tuple[bytes, bytes, list[Command]]] = [
    # To everybody.
    (b"G", b"ciao a tutti", [Say("ciao a tutti")]),
    (b"G", b"", [Say("")]),
    (b"G", b"  due spazi  ", [Say("  due spazi  ")]),
    (b"G", b"a\tb", [Say("a\tb")]),
    (b"G", b"citt\xc3\xa0", [Say("città")]),
    (b"G", b"citt\xe0", [Say("città")]),
    (b"G", b"5 \x80", [Say("5 €")]),
    (b"G", b"\x1b[2Ja\x00b\rc\x7f", [Say("[2Jabc")]),
    # A text is a text, whatever it says.
    (b"G", b"fine", [Say("fine")]),
    (b"G", b"stop", [Say("stop")]),
    (b"G", b"G", [Say("G")]),
    (b"G", b"null", [Say("null")]),
    (b"G", b"help me", [Say("help me")]),
    (b"G", b"Help", [Say("Help")]),
    (b"G", b"register", [Say("register")]),
    (b"G", b"register is a word", [Say("register is a word")]),
    # But an account command, word for word, is for the server alone: the old client has no other G.
    (b"G", b"register secret", [Register("secret")]),
    (b"G", b"register secret ab-12", [Register("secret", "ab-12")]),
    (b"G", b"password old new", [ChangePassword("old", "new")]),
    (b"G", b"logout", [LogOutEverywhere()]),
    (b"G", b"unregister secret", [DeleteAccount("secret")]),
    (b"G", b"help", [ExplainAccounts()]),
    (b"g", b"register", [ExplainAccounts()]),
    (b"g", b"register secret", [Register("secret")]),
    # Any other recipient: private.
    (b"bruno", b"ciao", [Whisper("bruno", "ciao")]),
    (b"bruno", b"fine", [Whisper("bruno", "fine")]),
    # "An empty text to a known recipient is a message."
    (b"bruno", b"", [Whisper("bruno", "")]),
    (b"Bruno.b_c+d-e", b"x", [Whisper("Bruno.b_c+d-e", "x")]),
    (b"bruno", b"citt\xe0", [Whisper("bruno", "città")]),
    # Recipients who are nobody: to be answered by whoever knows the chat.
    (b"", b"ciao", [Whisper("", "ciao")]),
    (b"", b"", [Whisper("", "")]),
    (b"g", b"ciao", [Whisper("g", "ciao")]),
    (b" G", b"ciao", [Whisper(" G", "ciao")]),
    (b"G ", b"ciao", [Whisper("G ", "ciao")]),
    (b"fine ", b"ciao", [Whisper("fine ", "ciao")]),
    (b"Fine", b"ciao", [Whisper("Fine", "ciao")]),
    (b"close", b"ciao", [Whisper("close", "ciao")]),
    (b"nicol\xf2", b"ciao", [Whisper("nicolò", "ciao")]),
    (b"null", b"ciao", [Whisper("null", "ciao")]),
    (b"NULL", b"", [Whisper("NULL", "")]),
    (b"x" * BOUND, b"ciao", [Whisper("x" * BOUND, "ciao")]),
    # A room, and what only looks like one.
    (b"#ops", b"ciao", [Say("ciao", 0, "ops")]),
    (b"#OPS", b"", [Say("", 0, "ops")]),
    (b"#", b"ciao", [Whisper("#", "ciao")]),
    (b"##ops", b"ciao", [Whisper("##ops", "ciao")]),
    (b"#ops ", b"ciao", [Whisper("#ops ", "ciao")]),
    (b"anna@ops", b"ciao", [Whisper("anna@ops", "ciao")]),
    (b"G", b"#ops", [Say("#ops")]),
    # What the old client sends right after entering is ignored silently: it can read from then on.
    (b"null", b"", [Ready()]),
    (b"null", b" ", [Whisper("null", " ")]),
    # "A line longer than 4096 bytes is refused whole, its rest skipped": one for each such line.
    (b"G", b"x" * BOUND, [Say("x" * BOUND)]),
    (b"G", b"x" * (BOUND + 1), [TOO_LONG]),
    (b"bruno", b"x" * (BOUND + 1), [TOO_LONG]),
    (b"null", b"x" * (BOUND + 1), [TOO_LONG]),
    # The line that follows a recipient too long is still its text: never somebody else's recipient.
    (b"x" * (BOUND + 1), b"ciao", [TOO_LONG]),
    (b"x" * (BOUND + 1), b"", [TOO_LONG]),
    (b"x" * (BOUND + 1), b"G", [TOO_LONG]),
    (b"x" * (BOUND + 1), b"fine", [TOO_LONG]),
    (b"x" * (BOUND + 2), b"stop", [TOO_LONG]),
    (b"G" + b" " * BOUND, b"ciao", [TOO_LONG]),
    (b"x" * (BOUND + 1), b"x" * (BOUND + 1), [TOO_LONG, TOO_LONG]),
]


@every_split
@every_end
@each(
    ("more", "after"),
    [
        (b"", []),
        (b"G\n", []),
        (b"G\r\nancora\r\n", [Say("ancora")]),
    ],
)
@each(("recipient", "text", "commands"), MESSAGES)
def test_a_message_is_two_lines(
    recipient: bytes,
    text: bytes,
    commands: list[Command],
    more: bytes,
    after: list[Command],
    end: bytes,
    split: Split,
) -> None:
    assert read(member(), split(recipient + end + text + end + more)) == [*commands, *after]


@every_split
@every_end
@pytest.mark.parametrize("more", [b"", b"G", b"G\nciao"])
@pytest.mark.parametrize(("line", "command"), [(b"fine", Leave()), (b"stop", CloseChat())])
def test_fine_and_stop_stand_alone(
    line: bytes, command: Command, more: bytes, end: bytes, split: Split
) -> None:
    assert read(member(), split(line + end + more)) == [command]


@every_split
def test_after_stop_comes_a_recipient(split: Split) -> None:
    # Who is not the administrator goes on.
    assert read(member(), split(b"stop\nG\nciao\nstop\nfine\n")) == [
        CloseChat(),
        Say("ciao"),
        CloseChat(),
        Leave(),
    ]


@every_split
@every_end
@pytest.mark.parametrize("sent", [b"", b"G", b"bruno", b"fine", b"stop"])
def test_a_recipient_without_its_line_end_is_nothing(sent: bytes, end: bytes, split: Split) -> None:
    assert read(member(), split(b"G" + end + b"ciao" + end + sent)) == [Say("ciao")]


@every_split
@every_end
@pytest.mark.parametrize("sent", [b"G", b"bruno"])
@pytest.mark.parametrize("half", [b"", b"ci"])
def test_a_client_that_dies_between_the_two_lines_sends_nothing(
    sent: bytes, half: bytes, end: bytes, split: Split
) -> None:
    decoder = member()
    assert read(decoder, split(sent + end + half)) == []
    assert decoder.buffered == len(half)


def test_the_whole_conversation_in_one_read() -> None:
    lines = b"".join(b"%s\r\n%s\r\n" % (recipient, text) for recipient, text, _ in MESSAGES)
    expected = [Enter("anna"), *(command for _, _, given in MESSAGES for command in given), Leave()]
    for split in (split_whole, split_by_byte):
        assert read(ProtocolloDecoder(), split(b"anna\r\n" + lines + b"fine\r\n")) == expected


def test_a_line_too_long_is_refused_before_it_ends() -> None:
    assert read(member(), [b"G\n" + b"x" * (BOUND + 2)]) == [TOO_LONG]
    assert read(member(), [b"x" * (BOUND + 2)]) == [TOO_LONG]


@every_split
def test_the_rest_of_a_long_line_is_no_line(split: Split) -> None:
    smuggled = b"x" * (2 * BOUND) + b"\rG\rciao\rfine"
    assert read(member(), split(b"G\n" + smuggled + b"\nG\nok\n")) == [TOO_LONG, Say("ok")]
    assert read(member(), split(smuggled + b"\nciao\nG\nok\n")) == [TOO_LONG, Say("ok")]


def test_commands_come_one_at_a_time_and_the_rest_stays() -> None:
    decoder = member()
    decoder.feed(b"G\nuno\nG\ndue\nG")
    assert decoder.next_command() == Say("uno")
    assert decoder.buffered == 7
    decoder.feed(b"\ntre\n")
    assert decoder.next_command() == Say("due")
    assert decoder.next_command() == Say("tre")
    assert decoder.next_command() is None
    assert decoder.buffered == 0


PIECES = st.one_of(
    st.binary(max_size=12),
    st.sampled_from(
        [
            b"\n",
            b"\r\n",
            b"\r",
            b"G\n",
            b"fine\n",
            b"stop\n",
            b"null\n\n",
            b"anna\n",
            b"anna@ops:x\n",
        ]
    ),
    st.sampled_from([b"G\nciao\n", b"bruno\r\nciao\r\n", b"fine", b"\xe0", b"\xc3\xa0"]),
    st.integers(BOUND - 2, BOUND + 3).map(lambda length: b"x" * length),
)


@given(st.lists(PIECES, max_size=12), st.data(), st.booleans())
def test_any_bytes_in_any_split_give_the_same_commands(
    pieces: list[bytes], data: st.DataObject, entered: bool
) -> None:
    sent = b"".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=12)))
    decoder = member() if entered else ProtocolloDecoder()
    commands: list[Command] = []
    for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True):
        commands += read(decoder, [sent[start:end]])
        assert decoder.buffered <= BOUND + 1
    assert commands == read(member() if entered else ProtocolloDecoder(), [sent])


@given(st.binary(max_size=200))
def test_a_member_never_enters_again(sent: bytes) -> None:
    for command in read(member(), [sent, b"\n"]):
        assert isinstance(command, Say | Whisper | Ready | Leave | CloseChat | Faulty)


@given(st.binary(max_size=40).filter(lambda raw: b"\n" not in raw), st.binary(max_size=40))
def test_two_lines_are_at_most_one_message_to_who_the_first_one_names(
    recipient: bytes, text: bytes
) -> None:
    commands = read(member(), [recipient + b"\n" + text.replace(b"\n", b"") + b"\n"])
    name = recipient.removesuffix(b"\r").decode("latin-1")
    match commands:
        case [Say(room="")]:
            assert name == "G"
        case [Say(room=room)]:
            assert name.lower() == f"#{room}"
        case [Whisper(recipient=named)]:
            assert named == name != "G"
        case [Leave() | CloseChat(), *rest]:
            assert name in ("fine", "stop")
            assert len(rest) <= 1  # a stand-alone line, and then perhaps another one
        case _:
            assert commands == [Ready()]
            assert name == "null"


# Receiving

PAGE = ProtocolloEncoder()
CLASSIC = ProtocolloEncoder("classic")
LATIN_PAGE = ProtocolloEncoder(encoding="latin-1")
ENCODERS = [PAGE, CLASSIC, LATIN_PAGE]


def welcome(*others: str) -> Welcome:
    return Welcome("carla", iter(others), PLACE, "n1:7", "")


def test_it_is_a_encoder() -> None:
    encoder: Encoder = PAGE
    decoder: Decoder = encoder.decoder()
    assert decoder.buffered == 0
    assert decoder is not encoder.decoder()
    assert (encoder.name, encoder.default_port) == ("protocollo", 6789)
    assert not encoder.echoes  # "Neither goes back to its sender"
    assert encoder.retries  # "waits for another name on the same connection"
    assert not encoder.resumes
    assert encoder.acknowledgement is None


def test_equal_voices_are_one_group_and_the_wordings_are_two() -> None:
    assert len({ProtocolloEncoder(), ProtocolloEncoder(), ProtocolloEncoder("classic"), PAGE}) == 2


def test_the_server_writes_nothing_before_the_name_unless_a_prompt_is_set() -> None:
    assert PAGE.greeting() == b""
    assert CLASSIC.greeting() == b""
    assert ProtocolloEncoder(prompt="Come ti chiami?").greeting() == b"Come ti chiami?\n"
    assert ProtocolloEncoder("classic", prompt="Qual è?").greeting() == b"Qual \xe8?\n"


def test_a_refused_name_is_answered_word_for_word() -> None:
    """And then the rule, in a line of the server's: but for the old client, which reads one line."""
    for refusal in OF_NAMES:
        sentence, rule, end = PAGE.refusal(refusal, "anna").decode().split("\n")
        assert (sentence, end) == ("il nome già utilizzato", "")
        assert rule.startswith("G> ")
        assert LATIN_PAGE.refusal(refusal, "anna").startswith(b"il nome gi\xe0 utilizzato\nG> ")
        assert CLASSIC.refusal(refusal, "anna") == b"nome gi\xe0 utilizzato\n"
    assert b"senza accenti" in PAGE.refusal(Refusal.INVALID_NICKNAME, "nicolò")
    assert CLASSIC.taken(["anna2", "anna3"]) == b"nome gi\xe0 utilizzato\n"
    assert PAGE.taken(["anna2", "anna3"]).decode() == (
        "il nome già utilizzato\nG> qualcuno è qui con questo nome, o è di un account: se è tuo, "
        "nome:password; sono liberi: anna2, anna3\n"
    )
    assert PAGE.taken([]) == PAGE.refusal(Refusal.NICKNAME_TAKEN, "anna")


def test_the_newcomer_gets_one_line_with_all_the_other_users() -> None:
    assert PAGE.welcome(welcome("anna", "bruno")) == b"Utenti collegati: anna, bruno\n"
    assert PAGE.welcome(welcome("anna")) == b"Utenti collegati: anna\n"
    # Classic: "trailing comma and space".
    assert CLASSIC.welcome(welcome("anna", "bruno")) == b"Utenti collegati: anna, bruno, \n"
    assert CLASSIC.welcome(welcome("anna")) == b"Utenti collegati: anna, \n"


def test_the_first_user_is_told_to_be_the_administrator() -> None:
    line = b"Utenti collegati: Sei il primo utente ad accedere, sei amministratore del gruppo\n"
    assert PAGE.welcome(welcome()) == CLASSIC.welcome(welcome()) == line


def test_a_list_of_very_many_users_is_still_one_line() -> None:
    line = PAGE.welcome(welcome(*(f"utente-{i}" for i in range(20_000))))
    assert line.count(b"\n") == 1
    assert line.count(b", ") == 19_999


def test_the_old_client_is_deaf_for_a_moment() -> None:
    """ "until its `null` line came, or 2 s have passed": in `classic` only."""
    assert [encoder.deaf_seconds for encoder in ENCODERS] == [0.0, 2.0, 0.0]


@pytest.mark.parametrize("text", ["ciao", "", " ", "città", "> x", "日本"])
def test_messages(text: str) -> None:
    said, letter = Said("anna", "n1:7", text), Whispered("anna", "n1:7", "bruno", text)
    assert PAGE.public(said) == f"anna.@g> {text}\n".encode()
    assert PAGE.private(letter, 0.0) == f"anna> {text}\n".encode()
    assert CLASSIC.public(said) == f"anna.@G> {text}\n".encode("latin-1", "replace")
    assert CLASSIC.private(letter, 0.0) == f"anna> {text}\n".encode("latin-1", "replace")
    assert PAGE.sent(0) == CLASSIC.sent(0) == b""  # the client shows it itself


def test_each_line_of_a_text_is_a_line_of_its_author() -> None:
    text = several("uno", "", f"bruno{' ha abbandonato il gruppo'}", "G> tre")
    said, letter = Said("anna", "n1:7", text), Whispered("anna", "n1:7", "bruno", text)
    classic = [b"uno", b"", b"bruno ha abbandonato il gruppo.", b"G> tre"]
    assert CLASSIC.public(said) == b"".join(b"anna.@G> %s\n" % line for line in classic)
    assert CLASSIC.private(letter, 0.0) == b"".join(b"anna> %s\n" % line for line in classic)
    assert PAGE.public(said).count(b"anna.@g> ") == PAGE.public(said).count(b"\n") == 4
    report = PAGE.private(Undelivered("anna", "n1:7", "bruno", several("uno", "due")), 0.0)
    assert report == b"G> messaggio non recapitato a bruno: uno\nG> due\n"


@pytest.mark.parametrize("came", [Joined("bruno", "n1:7"), Present("bruno", "n1:7")])
def test_who_came(came: Joined | Present) -> None:
    assert PAGE.public(came) == "G.@g> bruno si è unito\n".encode()
    # "followed by an empty line"
    assert CLASSIC.public(came) == b"G.@G> Membro entrato nella chat: Benvenuto bruno\n\n"


def test_who_went() -> None:
    assert PAGE.public(Left("anna", "n1:7")) == "G.@g> anna si è disconnesso\n".encode()
    assert CLASSIC.public(Left("anna", "n1:7")) == b"G.@G> anna ha abbandonato il gruppo\n\n"


WENT = "bruno ha abbandonato il gruppo"
DEADLY = [
    (WENT, f"{WENT}."),
    (" ha abbandonato il gruppo", " ha abbandonato il gruppo."),
    (f"{WENT}\u200b", f"{WENT}."),  # what Latin-1 writes nothing for does not hide it
    (f"{WENT}.", f"{WENT}."),
    (f"{WENT}!", f"{WENT}!"),
    ("Ha abbandonato il gruppo", "Ha abbandonato il gruppo"),
]


@pytest.mark.parametrize(("text", "written"), DEADLY)
def test_a_text_that_ends_as_the_line_of_who_went_gets_a_full_stop(text: str, written: str) -> None:
    """ "kills its decoder": in `classic`, whoever says it, and to whomever."""
    said, letter = Said("anna", "n1:7", text), Whispered("anna", "n1:7", "bruno", text)
    assert CLASSIC.public(said) == f"anna.@G> {written}\n".encode()
    assert CLASSIC.private(letter, 0.0) == f"anna> {written}\n".encode()
    report = CLASSIC.private(Undelivered("anna", "n1:7", "bruno", text), 0.0)
    assert report == f"G> messaggio non recapitato a bruno: {written}\n".encode()
    assert CLASSIC.refusal(Refusal.UNKNOWN_RECIPIENT, text.encode().decode("latin-1")) == (
        f"G> destinatario sconosciuto: {written}\n".encode()
    )
    kicked = CLASSIC.farewell(Disconnect.KICKED, text)
    assert kicked == f"G> sei stato allontanato dalla chat: {written}\nclose\n".encode()
    assert PAGE.public(said) == f"anna.@g> {text}\n".encode()
    assert PAGE.private(letter, 0.0) == f"anna> {text}\n".encode()


@pytest.mark.parametrize("reason", [Disconnect.DRAINED, Disconnect.FENCED])
def test_when_a_node_goes_its_sessions_are_told(reason: Disconnect) -> None:
    """ "When a node goes": a node that others thought dead goes as well."""
    told = b"G> il server si riavvia: rientrate tra poco\n"
    assert PAGE.farewell(reason) == LATIN_PAGE.farewell(reason) == told
    assert CLASSIC.farewell(reason) == b"close\n"


@pytest.mark.parametrize("encoder", ENCODERS)
def test_whoever_has_to_go_is_told_why_and_to_close(encoder: ProtocolloEncoder) -> None:
    for reason in (
        *(Disconnect.KICKED, Disconnect.BANNED, Disconnect.DISPLACED, Disconnect.LONG_LINES),
        Disconnect.INTERNAL,
    ):
        first, last, rest = encoder.farewell(reason).split(b"\n")
        assert first.startswith(b"G> ")
        assert (last, rest) == (b"close", b"")
    assert encoder.farewell(Disconnect.KICKED, "basta") == (
        b"G> sei stato allontanato dalla chat: basta\nclose\n"
    )
    assert encoder.farewell(Disconnect.BANNED) == b"G> sei escluso dalla chat\nclose\n"
    for reason in (Disconnect.GONE, Disconnect.BROKEN, Disconnect.SLOW_READER):
        assert encoder.farewell(reason) == b""


@pytest.mark.parametrize("encoder", ENCODERS)
def test_what_was_lost_is_told_by_the_server(encoder: ProtocolloEncoder) -> None:
    assert encoder.missed(PLACE) == b"G> qui mancano dei messaggi\n"


def test_the_new_administrator() -> None:
    assert PAGE.promoted() == CLASSIC.promoted() == b"G> Ora sei amministratore\n"


def test_leaving_and_closing_are_the_line_close() -> None:
    for encoder in ENCODERS:
        assert encoder.farewell(Disconnect.LEFT) == b"close\n"
        assert encoder.public(Closed("anna", "n1:7")) == b"close\n"


@pytest.mark.parametrize("encoder", ENCODERS)
def test_what_is_refused_is_said_by_the_server(encoder: ProtocolloEncoder) -> None:
    forbidden = encoder.refusal(Refusal.FORBIDDEN)
    assert forbidden == b"G> permesso negato\n"
    unknown = encoder.refusal(Refusal.UNKNOWN_RECIPIENT, "dora")
    assert unknown == b"G> destinatario sconosciuto: dora\n"


@pytest.mark.parametrize("raw", ["nicolò".encode(), "nicolò".encode("latin-1")])
def test_an_unknown_recipient_is_named_as_it_came(raw: bytes) -> None:
    (command,) = read(member(), [raw + b"\nciao\n"])
    assert isinstance(command, Whisper)
    answer = PAGE.refusal(Refusal.UNKNOWN_RECIPIENT, command.recipient)
    assert answer == "G> destinatario sconosciuto: nicolò\n".encode()
    answer = CLASSIC.refusal(Refusal.UNKNOWN_RECIPIENT, command.recipient)
    assert answer == b"G> destinatario sconosciuto: nicol\xf2\n"


@pytest.mark.parametrize("encoder", ENCODERS)
def test_notices_are_one_line_of_the_server(encoder: ProtocolloEncoder) -> None:
    report = encoder.private(Undelivered("anna", "n1:7", "bruno", "ciao"), 0.0)
    assert b"bruno" in report
    assert report.endswith(b"ciao\n")
    faults = [encoder.fault(Faulty(fault)) for fault in Fault]
    refusals = [encoder.refusal(refusal, "x") for refusal in Refusal if refusal not in OF_NAMES]
    for notice in (report, *faults, *refusals):
        assert notice.startswith(b"G> ")
        assert notice.count(b"\n") == 1


def test_classic_is_latin_1_whatever_the_listener_s_encoding() -> None:
    encoder = ProtocolloEncoder("classic", "utf-8")
    assert encoder.public(Said("anna", "n1:7", "città")) == b"anna.@G> citt\xe0\n"
    assert encoder.public(Said("anna", "n1:7", "日 ok")) == b"anna.@G> ? ok\n"
    # "What Latin-1 has no sign for is transliterated": nor may it become a control of Windows-1252.
    assert encoder.public(Said("anna", "n1:7", "5 €")) == b"anna.@G> 5 EUR\n"
    text = "“sì” … – l’œuvre di Dvořák €"
    assert encoder.public(Said("anna", "n1:7", text)) == (
        b'anna.@G> "s\xec" ... - l\'oeuvre di Dvor\xe1k EUR\n'
    )
    letter = Whispered("anna", "n1:7", "bruno", text)
    assert LATIN_PAGE.private(letter, 0.0) == (b'anna> "s\xec" ... - l\'oeuvre di Dvor\xe1k EUR\n')
    assert PAGE.private(letter, 0.0) == f"anna> {text}\n".encode()


@pytest.mark.parametrize("encoder", ENCODERS)
def test_an_entry_is_its_events_one_after_the_other(encoder: ProtocolloEncoder) -> None:
    pieces = [
        encoder.public(event)
        for event in (Joined("a", "n1:1"), Said("a", "n1:1", "x"), Left("a", "n1:1"))
    ]
    assert encoder.batch(pieces, PLACE) == b"".join(pieces)
    assert encoder.batch([], PLACE) == b""


@given(st.binary(max_size=100), st.sampled_from(ENCODERS))
def test_whatever_one_says_the_other_reads_one_line(
    sent: bytes, encoder: ProtocolloEncoder
) -> None:
    for command in read(member(), [b"G\n" + sent.replace(b"\n", b"") + b"\n"]):
        assert isinstance(command, Say)
        line = encoder.public(Said("anna", "n1:7", command.text))
        assert line.lower().startswith(b"anna.@g> ")
        assert line.index(b"\n") == len(line) - 1
        assert b"\r" not in line
        assert b"\x1b" not in line


@given(st.binary(min_size=1, max_size=60), st.sampled_from(ENCODERS))
def test_whoever_is_written_to_in_vain_the_answer_is_one_line(
    recipient: bytes, encoder: ProtocolloEncoder
) -> None:
    for command in read(member(), [recipient.replace(b"\n", b"") + b"\nciao\n"]):
        if isinstance(command, Whisper):
            line = encoder.refusal(Refusal.UNKNOWN_RECIPIENT, command.recipient)
            assert line.startswith(b"G> destinatario sconosciuto: ")
            assert line.index(b"\n") == len(line) - 1
            assert b"\r" not in line
            assert b"\x1b" not in line


@pytest.mark.parametrize("encoder", [ProtocolloEncoder(), CLASSIC])
def test_what_was_said_before_is_told_by_the_server_with_its_time(
    encoder: ProtocolloEncoder,
) -> None:
    at = Position("e", 7, 1795221185.0)
    message = PastMessage(at, 0, Said("luisa", "n1:7", "perché?"))
    told = encoder.past([encoder.past_message(message)], "e", Place(7), more=True)
    encoding = "latin-1" if encoder.wording == "classic" else "utf-8"
    assert re.fullmatch(r"G> \d\d:\d\d luisa: perché\?\n", told.decode(encoding))
    assert encoder.past_message(PastMessage(at, 0, message.said, is_redacted=True)) == b""


# In a further room


def test_the_words_of_a_room_are_those_of_the_lobby_but_it_has_no_administrator() -> None:
    for encoder in ENCODERS:
        ops = encoder.in_room("ops")
        assert not ops.rooms
        assert len({ops, encoder.in_room("ops"), encoder}) == 2
        said = Said("bruno", "n:1", "ciao")
        assert ops.public(said) == encoder.public(said)
        assert ops.welcome(welcome()) == b"Utenti collegati: Sei il primo utente ad accedere\n"
        assert ops.welcome(welcome("anna")) == encoder.welcome(welcome("anna"))
        assert ops.parted(Disconnect.KICKED) == ops.room_list([]) == b""


def test_who_does_not_come_into_a_room_reads_a_refusal_and_the_end() -> None:
    assert PAGE.farewell(Disconnect.ROOM_FULL).decode() == (
        "il nome già utilizzato\nG> in quella stanza non c'è posto\nclose\n"
    )
    assert CLASSIC.farewell(Disconnect.ROOM_FULL) == b"nome gi\xe0 utilizzato\nclose\n"


def test_who_is_removed_from_a_room_is_told_which() -> None:
    ops = PAGE.in_room("ops")
    assert ops.farewell(Disconnect.KICKED, "basta").decode() == (
        "G> sei stato allontanato dalla stanza #ops: basta\nclose\n"
    )


def test_the_list_of_what_one_can_write_to_g_ends_with_rooms() -> None:
    pieces = PAGE.account(AccountAnswer(AccountAction.EXPLAIN, AccountOutcome.DONE, "anna"))
    assert pieces[-1].decode() == (
        "G> ci sono altre stanze: entra come anna@STANZA per vederne una; il destinatario #STANZA vi scrive, "
        "se fa scrivere chi non c'è\n"
    )
