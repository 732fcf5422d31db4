"""The dialect ``irc``, what many read: each event, for each way of being told."""

import re
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from harness.cases import each
from harness.several import several
from tertulia.dialects.contract import Encoder
from tertulia.dialects.irc.capabilities import NO_CAPABILITY, VOICE, Capability
from tertulia.dialects.irc.client import IrcServer
from tertulia.dialects.irc.encoder import IrcEncoder, voice
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
    Registered,
    Said,
    SlowMode,
    Tagged,
    Topic,
    Unmuted,
    WentAway,
    Withdrawn,
)
from tertulia.domain.past import PastMessage, Place
from tertulia.domain.position import Position
from tertulia.domain.text import LINE_END, clean

SERVER = IrcServer()
AT = 1_700_000_000.123
TIME = "time=2023-11-14T22:13:20.123Z"
HERE = Position("abc", 7, AT)
ANNA, SESSION = "Anna", "n~5:1"
BY = ":Anna!Anna@tertulia"

IDS, TIMES, ACCOUNTS = Capability.MESSAGE_TAGS, Capability.SERVER_TIME, Capability.ACCOUNT_TAG
BATCHES, LINES = Capability.BATCH, Capability.MULTILINE
NONE = NO_CAPABILITY

PLAIN: Encoder = IrcEncoder(SERVER)
OPS: Encoder = IrcEncoder(SERVER, room="ops")


def encoder(capabilities: Capability, room: str = "") -> IrcEncoder:
    return voice(SERVER, capabilities, room, True)


def read(event: PublicEvent, capabilities: Capability = NONE, room: str = "") -> list[str]:
    """The lines that an event is."""
    it = encoder(capabilities, room)
    return lines(it.batch(it.pieces([event], HERE), HERE))


def lines(text: bytes) -> list[str]:
    assert text == b"" or text.endswith(b"\r\n")
    return text.decode().split("\r\n")[:-1]


def person(nickname: str) -> str:
    return f":{nickname}!{nickname}@tertulia"


def test_what_a_listener_promises() -> None:
    assert (PLAIN.name, PLAIN.default_port) == ("irc", 6667)
    assert PLAIN.rooms and PLAIN.retries and PLAIN.keeps
    assert not (PLAIN.echoes or PLAIN.resumes or PLAIN.acknowledges_all or PLAIN.suggests)
    assert PLAIN.acknowledgement is None
    assert PLAIN.greeting() == PLAIN.promoted() == PLAIN.mutes({"bruno": 0}) == b""
    assert PLAIN.found("x", [b"y"], "abc", Place(1), more=False) == b""


def test_equal_voices_are_one() -> None:
    assert encoder(IDS, "ops") == encoder(IDS).in_room("ops") == IrcEncoder(SERVER, IDS, "ops")
    assert encoder(IDS, "ops") is encoder(IDS).in_room("ops")
    assert len({encoder(IDS), encoder(TIMES), encoder(IDS, "ops"), IrcEncoder(SERVER, IDS)}) == 3
    assert IrcEncoder(SERVER) != IrcEncoder(IrcServer(history=0))


def test_who_can_ask_for_the_past_is_not_given_it() -> None:
    assert PLAIN.history == 50
    assert PLAIN.looks_back
    assert encoder(Capability.CHATHISTORY).history == 0
    assert encoder(Capability.CHATHISTORY).looks_back
    assert not IrcEncoder(IrcServer(history=0)).looks_back


@each(
    ("said", "capabilities", "line"),
    [
        (Said(ANNA, SESSION, "Ciao è"), NONE, f"{BY} PRIVMSG #lobby :Ciao è"),
        (Said(ANNA, SESSION, ""), NONE, f"{BY} PRIVMSG #lobby :"),
        (Said(ANNA, SESSION, ":-) a"), NONE, f"{BY} PRIVMSG #lobby ::-) a"),
        (Said(ANNA, SESSION, "x"), IDS, f"@msgid=abc-7-0 {BY} PRIVMSG #lobby :x"),
        (Said(ANNA, SESSION, "x"), TIMES, f"@{TIME} {BY} PRIVMSG #lobby :x"),
        (Said(ANNA, SESSION, "x"), ACCOUNTS, f"{BY} PRIVMSG #lobby :x"),
        (Said(ANNA, SESSION, "x", 0, True), NONE, f"{BY} PRIVMSG #lobby :x"),
        (Said(ANNA, SESSION, "x", 0, True), ACCOUNTS, f"@account=Anna {BY} PRIVMSG #lobby :x"),
        (
            Said(ANNA, SESSION, "x", 4, True),
            VOICE,
            f"@{TIME};msgid=abc-7-0;account=Anna {BY} PRIVMSG #lobby :x",
        ),
        (Said(ANNA, SESSION, "x", is_notice=True), NONE, f"{BY} NOTICE #lobby :x"),
        (Said(ANNA, SESSION, "x", is_notice=True), IDS, f"@msgid=abc-7-0 {BY} NOTICE #lobby :x"),
        (Said("G", SESSION, "x"), NONE, ":tertulia NOTICE #lobby :x"),
        (Said("G", SESSION, "x"), IDS, "@msgid=abc-7-0 :tertulia NOTICE #lobby :x"),
    ],
)
def test_a_message(said: Said, capabilities: Capability, line: str) -> None:
    assert read(said, capabilities) == [line]
    assert read(said, capabilities, "ops") == [line.replace("#lobby", "#ops")]


@each("capabilities", [NONE, TIMES | ACCOUNTS | BATCHES, IDS, VOICE])
def test_the_tags_of_clients(capabilities: Capability) -> None:
    """They come to who has asked for tags, unchanged, behind the service's own."""
    has_tags = IDS in capabilities
    said = Said(ANNA, SESSION, "x", 4, True, tags="+draft/reply=a-1-0;+b")
    bare = read(Said(ANNA, SESSION, "x", 4, True), capabilities)
    at = ";+draft/reply=a-1-0;+b" if has_tags else ""
    assert read(said, capabilities) == [it.replace(f" {BY}", f"{at} {BY}") for it in bare]
    tagged = Tagged(ANNA, SESSION, "+typing=active", 7, True)
    account = f"@{TIME};msgid=5:1-7;account=Anna;" if capabilities == VOICE else "@msgid=5:1-7;"
    line = f"{account}+typing=active {BY} TAGMSG #lobby"
    assert read(tagged, capabilities) == ([line] if has_tags else [])


def test_each_line_of_a_message_has_the_tags_of_its_client() -> None:
    said = Said(ANNA, SESSION, several("one", "two"), tags="+a=b")
    assert read(said, IDS) == [
        f"@msgid=abc-7-0;+a=b {BY} PRIVMSG #lobby :one",
        f"@+a=b {BY} PRIVMSG #lobby :two",
    ]
    first, *others = read(said, IDS | BATCHES | LINES)
    assert first == f"@msgid=abc-7-0;+a=b {BY} BATCH +lines draft/multiline #lobby"
    assert not any("+a" in it for it in others)


def test_what_is_tags_alone_is_no_message_of_its_entry() -> None:
    events: list[PublicEvent] = [Tagged(ANNA, SESSION, "+a", 1), Said(ANNA, SESSION, "x")]
    told = b"".join(encoder(IDS).pieces(events, HERE))
    assert lines(told) == [
        f"@msgid=5:1-1;+a {BY} TAGMSG #lobby",
        f"@msgid=abc-7-0 {BY} PRIVMSG #lobby :x",
    ]


def test_a_notice_of_several_lines() -> None:
    said = Said(ANNA, SESSION, several("one", "two"), is_notice=True)
    assert read(said) == [f"{BY} NOTICE #lobby :one", f"{BY} NOTICE #lobby :two"]
    assert [it.split()[-3:-1] for it in read(said, BATCHES | LINES)[1:-1]] == [
        ["NOTICE", "#lobby"],
        ["NOTICE", "#lobby"],
    ]


def test_a_message_of_several_lines() -> None:
    """ "Multiline", Fallback: no blank lines, and one identifier."""
    said = Said(ANNA, SESSION, several("one", "", "two"), 0, True)
    assert read(said) == [f"{BY} PRIVMSG #lobby :one", f"{BY} PRIVMSG #lobby :two"]
    assert read(said, IDS | TIMES | ACCOUNTS) == [
        f"@{TIME};msgid=abc-7-0;account=Anna {BY} PRIVMSG #lobby :one",
        f"@{TIME};account=Anna {BY} PRIVMSG #lobby :two",
    ]
    assert read(said, VOICE) == [
        f"@{TIME};msgid=abc-7-0;account=Anna {BY} BATCH +lines draft/multiline #lobby",
        f"@batch=lines {BY} PRIVMSG #lobby :one",
        f"@batch=lines {BY} PRIVMSG #lobby :",
        f"@batch=lines {BY} PRIVMSG #lobby :two",
        ":tertulia BATCH -lines",
    ]
    assert read(said, LINES) == read(said)  # without batches there is none of these either
    blank = Said(ANNA, SESSION, several("", ""))
    assert read(blank) == read(blank, LINES | BATCHES) == [f"{BY} PRIVMSG #lobby :"]


def test_a_message_longer_than_a_line() -> None:
    said = Said(ANNA, SESSION, several("x" * 1200, "y"))
    head = f"{BY} PRIVMSG #lobby :"
    most = 510 - len(head)
    first, second, third, last = read(said)
    assert (first, second) == (head + "x" * most, head + "x" * most)
    assert (third, last) == (head + "x" * (1200 - 2 * most), f"{head}y")
    tags = [line.split(" ")[0] for line in read(said, LINES | BATCHES)]
    concat = "@batch=lines;draft/multiline-concat"
    assert tags == [BY, "@batch=lines", concat, concat, "@batch=lines", ":tertulia"]


def test_a_message_is_divided_as_its_sender_did() -> None:
    """ "Multiline", Fallback: the line composition is maintained."""
    said = Said(ANNA, SESSION, several("how is everyone?", "yes"), splits=(0, 7))
    assert read(said, IDS) == [
        f"@msgid=abc-7-0 {BY} PRIVMSG #lobby :how is ",
        f"{BY} PRIVMSG #lobby :everyone?",
        f"{BY} PRIVMSG #lobby :yes",
    ]
    assert read(said, LINES | BATCHES)[1:-1] == [
        f"@batch=lines {BY} PRIVMSG #lobby :",
        f"@batch=lines {BY} PRIVMSG #lobby :how is ",
        f"@batch=lines;draft/multiline-concat {BY} PRIVMSG #lobby :everyone?",
        f"@batch=lines {BY} PRIVMSG #lobby :yes",
    ]
    short = Said(ANNA, SESSION, "ab", splits=(1,))
    assert read(short) == [f"{BY} PRIVMSG #lobby :a", f"{BY} PRIVMSG #lobby :b"]
    blank = Said(ANNA, SESSION, "a", splits=(0,))
    assert read(blank) == [f"{BY} PRIVMSG #lobby :a"]
    assert len(read(blank, LINES | BATCHES)) == 4


def test_the_longest_line_is_one() -> None:
    """RFC 2812, 2.3: 512 bytes with the end; the tags do not count."""
    head = f"{BY} PRIVMSG #lobby :"
    for capabilities in (NONE, IDS | TIMES):
        for most in (510 - len(head), 511 - len(head)):
            assert len(read(Said(ANNA, SESSION, "x" * most), capabilities)) == 1 + (
                most + len(head) > 510
            )


def test_messages_of_an_entry_have_each_their_place() -> None:
    events: list[PublicEvent] = [
        Said(ANNA, "s", "a"),
        Left("bruno", "t"),
        Said(ANNA, "s", "b"),
        Withdrawn(ANNA, "s"),
    ]
    events += [Said(ANNA, "s", "c")]
    found = b"".join(encoder(IDS).pieces(events, HERE))
    assert re.findall(rb"msgid=(\S+)", found) == [b"abc-7-0", b"abc-7-1", b"abc-7-3"]
    found = b"".join(encoder(IDS).pieces(events[2:], HERE, 1))
    assert re.findall(rb"msgid=(\S+)", found) == [b"abc-7-1", b"abc-7-3"]
    assert len(PLAIN.pieces(events, HERE)) == len(events)


BRUNO = person("bruno")
AWAY = Capability.AWAY_NOTIFY
EXTENDED = Capability.EXTENDED_JOIN


@each(
    ("event", "capabilities", "room", "told"),
    [
        (Joined("bruno", "s"), NONE, "", [f"{BRUNO} JOIN #lobby"]),
        (Joined("bruno", "s"), TIMES, "ops", [f"@{TIME} {BRUNO} JOIN #ops"]),
        (Joined("bruno", "s"), EXTENDED, "", [f"{BRUNO} JOIN #lobby * :bruno"]),
        (
            Joined("bruno", "s", is_account=True),
            EXTENDED | ACCOUNTS,
            "",
            [f"@account=bruno {BRUNO} JOIN #lobby bruno :bruno"],
        ),
        (Joined("bruno", "s", about="b Bruno B."), NONE, "", [f"{BRUNO} JOIN #lobby"]),
        (
            Joined("bruno", "s", about="b Bruno B."),
            EXTENDED,
            "ops",
            [f"{BRUNO} JOIN #ops * :Bruno B."],
        ),
        (Joined("bruno", "s", about="b"), EXTENDED, "", [f"{BRUNO} JOIN #lobby * :bruno"]),
        (
            Present("bruno", "s", is_account=True, about="b Bruno B."),
            EXTENDED,
            "",
            [f"{BRUNO} JOIN #lobby bruno :Bruno B."],
        ),
        (Present("bruno", "s"), NONE, "", [f"{BRUNO} JOIN #lobby"]),
        (Present("bruno", "s", away="tea"), NONE, "", [f"{BRUNO} JOIN #lobby"]),
        (
            Present("bruno", "s", away="tea", is_account=True),
            AWAY | EXTENDED,
            "ops",
            [f"{BRUNO} JOIN #ops bruno :bruno", f"{BRUNO} AWAY :tea"],
        ),
        (Left("bruno", "s"), NONE, "", [f"{BRUNO} QUIT :Quit"]),
        (Left("bruno", "s", text="see you"), NONE, "", [f"{BRUNO} QUIT :Quit: see you"]),
        (Left("bruno", "s", text="one\u2028two"), NONE, "", [f"{BRUNO} QUIT :Quit: one⏎two"]),
        (Left("bruno", "s"), TIMES, "ops", [f"@{TIME} {BRUNO} PART #ops"]),
        (Left("bruno", "s", text="see you"), NONE, "ops", [f"{BRUNO} PART #ops :see you"]),
        (Left("bruno", "s", text="one\u2028two"), NONE, "ops", [f"{BRUNO} PART #ops :one⏎two"]),
        (WentAway("bruno", "s", "for tea"), NONE, "", []),
        (WentAway("bruno", "s", "for tea"), AWAY, "", [f"{BRUNO} AWAY :for tea"]),
        (WentAway("bruno", "s"), AWAY | TIMES, "", [f"@{TIME} {BRUNO} AWAY"]),
        (Registered("bruno", "s", True), NONE, "", []),
        (Registered("bruno", "s", True), Capability.ACCOUNT_NOTIFY, "", [f"{BRUNO} ACCOUNT bruno"]),
        (Registered("bruno", "s"), Capability.ACCOUNT_NOTIFY, "", [f"{BRUNO} ACCOUNT *"]),
        (Withdrawn("bruno", "s"), VOICE, "", []),
        (
            Closed("", ""),
            NONE,
            "",
            ["ERROR :Closing link (The chat was closed by its administrator)"],
        ),
    ],
)
def test_who_comes_and_goes(
    event: PublicEvent, capabilities: Capability, room: str, told: list[str]
) -> None:
    assert read(event, capabilities, room) == told


@each(
    ("event", "told"),
    [
        (Muted(ANNA, "s", "bruno"), [f"{BY} MODE #ops +q bruno!*@*"]),
        (
            Muted(ANNA, "s", "bruno", 0, "spam"),
            [
                f"{BY} MODE #ops +q bruno!*@*",
                ":tertulia NOTICE #ops :bruno was muted by Anna: spam",
            ],
        ),
        (Unmuted(ANNA, "s", "bruno"), [f"{BY} MODE #ops -q bruno!*@*"]),
        (Kicked(ANNA, "s", "bruno"), [f"{BY} KICK #ops bruno :Anna"]),
        (Kicked(ANNA, "s", "bruno", "enough"), [f"{BY} KICK #ops bruno :enough"]),
        (Kicked("G", "", "bruno", "enough"), [":tertulia KICK #ops bruno :enough"]),
        (Kicked("G", "", "bruno"), [":tertulia KICK #ops bruno :Removed"]),
        (
            SlowMode(ANNA, "s", 5),
            [":tertulia NOTICE #ops :Slow mode, set by Anna: one message each in 5 seconds"],
        ),
        (SlowMode("G", ""), [":tertulia NOTICE #ops :Slow mode was ended by an operator"]),
        (AccountsOnly(ANNA, "s", True), [f"{BY} MODE #ops +m"]),
        (AccountsOnly("G", "", False), [":tertulia MODE #ops -m"]),
        (Topic(ANNA, "s", "Tea at 5"), [f"{BY} TOPIC #ops :Tea at 5"]),
        (Topic(ANNA, "s"), [f"{BY} TOPIC #ops :"]),
        (Redacted(ANNA, "s", 3, 1), [":tertulia NOTICE #ops :Anna withdrew a message"]),
        (
            Redacted(ANNA, "s", 3, 1, text="an address"),
            [":tertulia NOTICE #ops :Anna withdrew a message: an address"],
        ),
        (Appointed(ANNA, "s", "bruno", True), [f"{BY} MODE #ops +o bruno"]),
        (Appointed("G", "", "bruno"), [":tertulia MODE #ops -o bruno"]),
        (Owned("bruno", "s", "bruno"), [":tertulia MODE #ops +o bruno"]),
        (Outsiders(ANNA, "s", True), [f"{BY} MODE #ops -n"]),
        (Outsiders(ANNA, "s", False), [f"{BY} MODE #ops +n"]),
    ],
)
def test_what_moderators_do(event: PublicEvent, told: list[str]) -> None:
    assert read(event, NONE, "ops") == told
    by = "account=Anna;" if event.nickname == ANNA else ""
    with_tags = [f"@{TIME}{f';{by}'[:-1] if line.startswith(BY) else ''} {line}" for line in told]
    assert read(event, TIMES | ACCOUNTS, "ops") == with_tags


def test_the_end_of_a_mute_is_told() -> None:
    mode, notice = read(Muted(ANNA, "s", "bruno", 1_700_000_000_000))
    assert mode == f"{BY} MODE #lobby +q bruno!*@*"
    assert notice.startswith(":tertulia NOTICE #lobby :bruno was muted by Anna until 2023-11-1")


def test_a_message_is_redacted_by_its_identifier() -> None:
    redacted = Redacted(ANNA, "s", 3, 1)
    assert read(redacted, Capability.MESSAGE_REDACTION) == [f"{BY} REDACT #lobby abc-3-1"]
    tagged = read(redacted, Capability.MESSAGE_REDACTION | TIMES | ACCOUNTS)
    assert tagged == [f"@{TIME};account=Anna {BY} REDACT #lobby abc-3-1"]


def test_why_a_message_is_redacted_stands_behind_its_identifier() -> None:
    redacted = Redacted(ANNA, "s", 3, 1, text="an address")
    told = read(redacted, Capability.MESSAGE_REDACTION)
    assert told == [f"{BY} REDACT #lobby abc-3-1 :an address"]
    by_operator = read(Redacted("G", "", 3, 1, text="an address"), Capability.MESSAGE_REDACTION)
    assert by_operator == [":tertulia REDACT #lobby abc-3-1 :an address"]
    long = Redacted(ANNA, "s", 3, 1, text="x" * 500)
    line, rest = read(long, Capability.MESSAGE_REDACTION)
    assert len(line) == 510
    assert (line + rest).count("x") == 500


def test_who_was_kicked_out_of_a_room_does_not_part_as_well() -> None:
    events: list[PublicEvent] = [Kicked(ANNA, "s", "bruno"), Left("bruno", "t"), Left("carla", "u")]
    kick, none, part = OPS.pieces(events, HERE)
    assert (lines(kick), none) == ([f"{BY} KICK #ops bruno :Anna"], b"")
    assert lines(part) == [f"{person('carla')} PART #ops"]
    # Who is removed from the lobby is not in the chat any more.
    assert lines(PLAIN.pieces(events, HERE)[1]) == [f"{BRUNO} QUIT :Quit"]


def test_who_leaves_the_chat_quits_once() -> None:
    """In the lobby it is told to who is shown it, else in each room that the reader shares."""
    gone = Left("bruno", "s", True)
    assert read(gone, NONE, "ops") == []
    alone = voice(SERVER, NONE, "ops", False)
    assert alone != voice(SERVER, NONE, "ops", True)
    assert alone.in_room("tea").shows_lobby is False
    assert lines(b"".join(alone.pieces([gone], HERE))) == [f"{BRUNO} QUIT :Quit"]
    assert lines(b"".join(alone.pieces([Left("bruno", "s")], HERE))) == [f"{BRUNO} PART #ops"]
    said = Left("bruno", "s", True, "see you")
    assert lines(b"".join(alone.pieces([said], HERE))) == [f"{BRUNO} QUIT :Quit: see you"]


@each("room", ["", "o" * 32])
def test_the_longest_words_of_who_leaves_fit_in_a_line(room: str) -> None:
    text = "x" * 390
    (line,) = read(Left("b" * 32, "s", text=text), NONE, room)
    assert line.endswith(text)
    assert len(line) <= 510


def test_a_topic_that_is_too_long_goes_on_in_a_notice() -> None:
    text = "x" * 500
    first, *rest = read(Topic(ANNA, "s", text), TIMES, "ops")
    head = f"@{TIME} {BY} TOPIC #ops :"
    assert first.startswith(head)
    notice = f"@{TIME} :tertulia NOTICE #ops :… "
    assert [line.startswith(notice) for line in rest] == [True]
    assert first.removeprefix(head) + rest[0].removeprefix(notice) == text
    assert len(first.removeprefix(f"@{TIME} ")) == 510


def test_something_was_missed() -> None:
    assert lines(OPS.missed(HERE)) == [
        ":tertulia NOTICE #ops :Some of what was said is missing here."
    ]


# --- What was said before ----------------------------------------------------------------------


def past(capabilities: Capability, *messages: PastMessage) -> list[str]:
    it = encoder(capabilities)
    pieces = list(map(it.past_message, messages))
    return lines(it.past(list(filter(None, pieces)), "abc", Place(7), more=True))


OLD = PastMessage(HERE, 2, Said(ANNA, SESSION, "x"))


def test_newcomers_read_what_was_said_before() -> None:
    redacted = PastMessage(HERE, 3, Said(ANNA, SESSION, "y"), is_redacted=True)
    several_lines = PastMessage(HERE, 4, Said(ANNA, SESSION, several("a", "b")))
    assert past(TIMES, OLD, redacted) == [f"@{TIME} {BY} PRIVMSG #lobby :x"]
    assert past(TIMES | IDS, OLD) == [f"@{TIME};msgid=abc-7-2 {BY} PRIVMSG #lobby :x"]
    assert past(BATCHES | TIMES, OLD, redacted) == [
        ":tertulia BATCH +past chathistory #lobby",
        f"@batch=past;{TIME} {BY} PRIVMSG #lobby :x",
        ":tertulia BATCH -past",
    ]
    assert past(BATCHES, several_lines) == [
        ":tertulia BATCH +past chathistory #lobby",
        f"@batch=past {BY} PRIVMSG #lobby :a",
        f"@batch=past {BY} PRIVMSG #lobby :b",
        ":tertulia BATCH -past",
    ]
    assert past(BATCHES | LINES, several_lines) == [
        ":tertulia BATCH +past chathistory #lobby",
        f"@batch=past {BY} BATCH +lines draft/multiline #lobby",
        f"@batch=lines {BY} PRIVMSG #lobby :a",
        f"@batch=lines {BY} PRIVMSG #lobby :b",
        "@batch=past :tertulia BATCH -lines",
        ":tertulia BATCH -past",
    ]
    assert past(BATCHES) == past(NONE) == past(BATCHES, redacted) == []


def test_what_was_said_before_is_not_taken_for_what_is_said_now() -> None:
    """Who knows neither times nor batches reads notices: no program answers these (RFC 2812, 3.3.2)."""
    first, second = past(NONE, PastMessage(HERE, 4, Said(ANNA, SESSION, several("a", "", "b"))))
    shown = ":tertulia NOTICE #lobby :{:%H:%M} Anna: "
    head = shown.format(datetime.fromtimestamp(AT, UTC).astimezone())
    assert (first, second) == (f"{head}a", f"{head}b")


def test_lines_over_websocket_are_frames() -> None:
    it = IrcEncoder(IrcServer(is_websocket=True), BATCHES)
    line = f"{BY} PRIVMSG #lobby :x".encode()
    said = Said(ANNA, SESSION, "x")
    frame = b"\x81" + bytes([len(line)]) + line
    assert it.pieces([said], HERE) == [frame]
    told = it.past([it.past_message(OLD)], "abc", Place(7), more=False)
    assert told.count(b"\x81") == 3
    assert b"\n" not in told


# --- Any event, any way -------------------------------------------------------------------------

CAPABILITIES = st.sets(st.sampled_from(list(VOICE))).map(
    lambda some: Capability(sum(some)) if some else NONE
)
ROOMS = st.sampled_from(["", "ops", "a" * 32])
WORDS = st.text(max_size=1200).map(clean)
TEXTS = st.lists(WORDS, min_size=1, max_size=4).map(LINE_END.join)
NICKNAMES = st.sampled_from(["a", "Anna", "n" * 32])
BOOLEANS = st.booleans()
SPLITS = st.tuples(
    st.integers(0, 3).map(lambda count: [0] * count),
    st.lists(st.integers(1, 1300), unique=True, max_size=9).map(sorted),
).map(lambda both: (*both[0], *both[1]))
EVENTS = st.one_of(
    st.builds(
        Said,
        st.one_of(NICKNAMES, st.just("G")),
        st.just("n:1"),
        TEXTS,
        st.just(0),
        BOOLEANS,
        splits=SPLITS,
    ),
    st.builds(Joined, NICKNAMES, st.just("n:1"), is_account=BOOLEANS),
    st.builds(Present, NICKNAMES, st.just("n:1"), is_account=BOOLEANS, away=WORDS),
    st.builds(WentAway, NICKNAMES, st.just("n:1"), WORDS),
    st.builds(Topic, NICKNAMES, st.just("n:1"), TEXTS),
    st.builds(Kicked, NICKNAMES, st.just("n:1"), NICKNAMES, TEXTS),
    st.builds(Muted, NICKNAMES, st.just("n:1"), NICKNAMES, st.just(0), TEXTS),
)


@given(event=EVENTS, capabilities=CAPABILITIES, room=ROOMS)
def test_no_line_is_too_long_and_none_is_two(
    event: PublicEvent, capabilities: Capability, room: str
) -> None:
    it = encoder(capabilities, room)
    text = b"".join(it.pieces([event], HERE))
    for line in text.removesuffix(b"\r\n").split(b"\r\n") if text else []:
        assert not set(line) & {0x0A, 0x0D, 0x00}
        line.decode()
        tags, _, rest = line.partition(b" ") if line.startswith(b"@") else (b"", b"", line)
        assert len(rest) + 2 <= 512
        assert len(tags) < 512


@given(text=TEXTS, splits=SPLITS, capabilities=CAPABILITIES, room=ROOMS, nickname=NICKNAMES)
def test_all_of_a_text_is_there(
    text: str, splits: tuple[int, ...], capabilities: Capability, room: str, nickname: str
) -> None:
    told = read(Said(nickname, "n:1", text, splits=splits), capabilities, room)
    whole = "".join(line.partition(f" PRIVMSG #{room or 'lobby'} :")[2] for line in told)
    assert whole == text.replace(LINE_END, "")


@given(text=TEXTS, splits=SPLITS, nickname=NICKNAMES)
def test_lines_are_put_together_again(text: str, splits: tuple[int, ...], nickname: str) -> None:
    """ "Multiline": joined by line ends, but not before a line with ``draft/multiline-concat``."""
    told = read(Said(nickname, "n:1", text, splits=splits), LINES | BATCHES)
    if len(told) == 1:
        return
    joined = ""
    for number, line in enumerate(told[1:-1]):
        tags, _, rest = line.partition(" ")
        is_more = tags.endswith(";draft/multiline-concat")
        joined += ("" if is_more or not number else LINE_END) + rest.partition(" :")[2]
    assert joined == LINE_END * splits.count(0) + text
