"""CHATHISTORY. Source: ircv3.net, "chathistory"."""

from collections.abc import Sequence

import pytest

from harness.cases import each
from harness.irc_talk import LABELS, IrcTalk, member
from tertulia.dialects.irc.capabilities import NO_CAPABILITY, Capability
from tertulia.dialects.irc.client import IrcServer
from tertulia.dialects.irc.history import message_place
from tertulia.domain.commands import Excerpt
from tertulia.domain.events import Said
from tertulia.domain.past import PastMessage, Place
from tertulia.domain.position import Position

BATCH = Capability.BATCH
WITH_TAGS = BATCH | Capability.MESSAGE_TAGS | Capability.SERVER_TIME
EARLY, LATE = "timestamp=2026-11-30T10:20:30.123Z", "timestamp=2026-11-30T10:20:31.000Z"
EARLY_AT, LATE_AT = 1796034030.123, 1796034031.0
LAST_MICROSECOND = 0.000999
PAST = PastMessage(Position("e-1", 7, EARLY_AT + 0.0005), 2, Said("bruno", "n:1", "ciao"))
REDACTED = PastMessage(PAST.position, 3, PAST.said, is_redacted=True)


def nothing(messages: Sequence[PastMessage]) -> bytes:
    return b""


def talking(capabilities: Capability = NO_CAPABILITY) -> IrcTalk:
    return member(capabilities, rooms=["ops"])


def asked(line: str) -> Excerpt:
    command = talking().say(f"CHATHISTORY {line}")[0]
    assert isinstance(command, Excerpt), command
    return command


@each(
    ("msgid", "place"),
    [
        ("e-7-0", ("e", Place(7, 0))),
        ("a-b-7-12", ("a-b", Place(7, 12))),
        ("e-7", None),
        ("n:1-7", None),
        ("e-7-x", None),
        ("e-7--1", None),
        ("e-²-1", None),
        ("-7-1", None),
        ("e-7-1 ", None),
        ("e-7-1\n", None),
        ("e-" + "7" * 17 + "-1", None),
        ("x" * 65 + "-7-1", None),
        ("", None),
    ],
)
def test_a_msgid_is_a_place(msgid: str, place: tuple[str, Place] | None) -> None:
    assert message_place(msgid) == place


@each(
    ("line", "expected"),
    [
        ("LATEST #ops * 10", Excerpt(nothing, 10, "ops")),
        ("latest #OPS * 10", Excerpt(nothing, 10, "ops")),
        ("LATEST #lobby * 10", Excerpt(nothing, 10)),
        ("LATEST #ops * 101", Excerpt(nothing, 100, "ops")),
        (
            "LATEST #ops msgid=e-1-7-2 10",
            Excerpt(nothing, 10, "ops", after=Place(7, 2), epoch="e-1"),
        ),
        (
            f"LATEST #ops {EARLY} 10",
            Excerpt(nothing, 10, "ops", after=EARLY_AT + LAST_MICROSECOND),
        ),
        (
            "BEFORE #ops msgid=e-7-2 10",
            Excerpt(nothing, 10, "ops", before=Place(7, 2), epoch="e"),
        ),
        (
            f"BEFORE #ops {EARLY} 10",
            Excerpt(nothing, 10, "ops", before=EARLY_AT),
        ),
        (
            "AFTER #ops msgid=e-7-2 10",
            Excerpt(nothing, 10, "ops", after=Place(7, 2), from_start=True, epoch="e"),
        ),
        (
            f"AFTER #ops {LATE} 10",
            Excerpt(nothing, 10, "ops", after=LATE_AT + LAST_MICROSECOND, from_start=True),
        ),
        (
            "AROUND #ops msgid=e-7-2 10",
            Excerpt(nothing, 10, "ops", around=Place(7, 2), epoch="e"),
        ),
        (
            f"AROUND #ops {EARLY} 10",
            Excerpt(nothing, 10, "ops", around=EARLY_AT),
        ),
        (
            "BETWEEN #ops msgid=e-7-2 msgid=e-9-0 10",
            Excerpt(
                nothing, 10, "ops",
                after=Place(7, 2), before=Place(9), from_start=True, epoch="e",
            ),
        ),
        (
            "BETWEEN #ops msgid=e-9-1 msgid=e-9-0 10",  # backwards: the last ones first
            Excerpt(nothing, 10, "ops", after=Place(9), before=Place(9, 1), epoch="e"),
        ),
        (
            f"BETWEEN #ops {EARLY} {LATE} 10",
            Excerpt(
                nothing, 10, "ops",
                after=EARLY_AT + LAST_MICROSECOND, before=LATE_AT, from_start=True,
            ),
        ),
        (
            f"BETWEEN #ops {LATE} {EARLY} 10",
            Excerpt(
                nothing, 10, "ops",
                after=EARLY_AT + LAST_MICROSECOND, before=LATE_AT,
            ),
        ),
        (
            f"BETWEEN #ops msgid=e-7-2 {LATE} 10",
            Excerpt(
                nothing, 10, "ops",
                after=Place(7, 2), before=LATE_AT, from_start=True, epoch="e",
            ),
        ),
    ],
)  # fmt: skip
def test_a_request_names_messages_or_times(line: str, expected: Excerpt) -> None:
    command = asked(line)
    for name in ("after", "before", "around"):
        got, wanted = getattr(command, name), getattr(expected, name)
        assert got == (pytest.approx(wanted, abs=5e-7) if isinstance(wanted, float) else wanted)
    others = [
        it for it in Excerpt.__struct_fields__ if it not in ("told", "after", "before", "around")
    ]
    assert [getattr(command, it) for it in others] == [getattr(expected, it) for it in others]


def test_a_time_is_before_and_after_what_is_tagged_with_it() -> None:
    """A tag has milliseconds, the log microseconds: all of one millisecond has the same tag."""
    after, before = asked(f"AFTER #ops {EARLY} 10").after, asked(f"BEFORE #ops {EARLY} 10").before
    assert isinstance(after, float)
    assert isinstance(before, float)
    for microseconds in (0, 1, 499, 500, 998, 999):
        assert before <= (1796034030_123000 + microseconds) / 1e6 <= after
    assert after < 1796034030_124000 / 1e6
    assert before > 1796034030_122999 / 1e6


@each(
    ("line", "told"),
    [
        ("", "461 anna CHATHISTORY :Not enough parameters"),
        ("FOO", "FAIL CHATHISTORY INVALID_PARAMS FOO :Unknown command"),
        ("a\x1bb :x y", "FAIL CHATHISTORY INVALID_PARAMS AB :Unknown command"),
        ("LATEST", "FAIL CHATHISTORY INVALID_PARAMS LATEST :Insufficient parameters"),
        ("LATEST #ops *", "FAIL CHATHISTORY INVALID_PARAMS LATEST :Insufficient parameters"),
        ("LATEST #ops * * 10", "FAIL CHATHISTORY INVALID_PARAMS LATEST :Too many parameters"),
        ("BETWEEN #ops * 10", "FAIL CHATHISTORY INVALID_PARAMS BETWEEN :Insufficient parameters"),
        ("LATEST #ops * 0", "FAIL CHATHISTORY INVALID_PARAMS LATEST 0 :Invalid limit"),
        ("LATEST #ops * -1", "FAIL CHATHISTORY INVALID_PARAMS LATEST -1 :Invalid limit"),
        ("LATEST #ops * x", "FAIL CHATHISTORY INVALID_PARAMS LATEST x :Invalid limit"),
        ("LATEST #ops * :", "FAIL CHATHISTORY INVALID_PARAMS LATEST * :Invalid limit"),
        (
            "LATEST #ops timestamp=2026-11-30T10:20:30Z 10",
            "FAIL CHATHISTORY INVALID_PARAMS LATEST 2026-11-30T10:20:30Z :Invalid timestamp",
        ),
        (
            "BEFORE #ops timestamp=2026-13-30T10:20:30.000Z 10",
            "FAIL CHATHISTORY INVALID_PARAMS BEFORE 2026-13-30T10:20:30.000Z :Invalid timestamp",
        ),
        (
            "BEFORE #ops timestamp=٢٠٢٦-11-30T10:20:30.000Z 10",
            "FAIL CHATHISTORY INVALID_PARAMS BEFORE ٢٠٢٦-11-30T10:20:30.000Z :Invalid timestamp",
        ),
        (
            "AFTER #ops id=1 10",
            "FAIL CHATHISTORY INVALID_MSGREFTYPE AFTER #ops :Only timestamp= and msgid= are supported",
        ),
        (
            "AFTER #ops * 10",
            "FAIL CHATHISTORY INVALID_MSGREFTYPE AFTER #ops :Only timestamp= and msgid= are supported",
        ),
        (
            "AFTER #ops msgid=n:1-7 10",
            "FAIL CHATHISTORY MESSAGE_ERROR AFTER #ops :Messages could not be retrieved",
        ),
        (
            "LATEST #dev * 10",
            "FAIL CHATHISTORY INVALID_TARGET LATEST #dev :Messages could not be retrieved",
        ),
        (
            "LATEST #à * 10",
            "FAIL CHATHISTORY INVALID_TARGET LATEST #à :Messages could not be retrieved",
        ),
        (
            "LATEST : * 10",
            "FAIL CHATHISTORY INVALID_PARAMS LATEST :Insufficient parameters",
        ),
        (
            f"TARGETS {EARLY} 10",
            "FAIL CHATHISTORY INVALID_PARAMS TARGETS :Insufficient parameters",
        ),
        (
            f"TARGETS {EARLY} msgid=e-1-1 10",
            "FAIL CHATHISTORY INVALID_MSGREFTYPE TARGETS msgid=e-1-1 :Only timestamp= is supported",
        ),
        (
            f"TARGETS timestamp=x {EARLY} 10",
            "FAIL CHATHISTORY INVALID_PARAMS TARGETS x :Invalid timestamp",
        ),
    ],
)
def test_a_request_that_is_wrong_is_told_why(line: str, told: str) -> None:
    assert talking().say(f"CHATHISTORY {line}") == [f":tertulia {told}"]
    labelled = talking(LABELS).say(f"@label=x CHATHISTORY {line}")
    assert labelled == [f"@label=x :tertulia {told}"]


def test_a_channel_on_the_way_to_it_is_one() -> None:
    talk = talking()
    assert len(talk.say("JOIN #dev", "CHATHISTORY LATEST #dev * 10")) >= 2
    assert isinstance(talk.say("CHATHISTORY LATEST #dev * 10")[0], Excerpt)
    assert isinstance(talk.say("CHATHISTORY LATEST #lobby * 10")[0], Excerpt)
    (_, told) = talk.say("PART #lobby", "CHATHISTORY LATEST #lobby * 10")
    assert "INVALID_TARGET" in str(told)


def test_what_was_said_stands_in_a_batch() -> None:
    talk = talking(WITH_TAGS | LABELS)
    talk.past = [PAST, REDACTED]
    _, *lines = talk.say("@label=x CHATHISTORY LATEST #ops * 10")
    begin, line, end = map(str, lines)
    name = begin.partition("BATCH +")[2].partition(" ")[0]
    assert begin == f"@label=x :tertulia BATCH +{name} chathistory #ops"
    assert line == (
        f"@batch={name};time=2026-11-30T10:20:30.123Z;msgid=e-1-7-2 "
        ":bruno!bruno@tertulia PRIVMSG #ops :ciao"
    )
    assert end == f":tertulia BATCH -{name}"


def test_without_batches_it_is_lines() -> None:
    talk = talking()
    talk.past = [PAST]
    _, *lines = talk.say("CHATHISTORY LATEST #ops * 10")
    assert lines == [":bruno!bruno@tertulia PRIVMSG #ops :ciao"]


def test_places_of_two_logs_have_nothing_between_them() -> None:
    begin, end = talking(BATCH).say("CHATHISTORY BETWEEN #ops msgid=e-1-0 msgid=f-1-0 10")
    assert "BATCH +" in str(begin)
    assert "BATCH -" in str(end)


def test_private_messages_are_not_kept() -> None:
    assert talking(BATCH).say("CHATHISTORY LATEST bruno * 10") == [
        ":tertulia BATCH +history chathistory bruno",
        ":tertulia BATCH -history",
    ]
    assert talking().say("CHATHISTORY LATEST bruno * 10") == []
    (told,) = talking().say("CHATHISTORY LATEST a!b * 10")
    assert "INVALID_TARGET" in str(told)


def test_a_listener_without_history_has_no_such_command() -> None:
    talk = member(server=IrcServer(history=0))
    assert talk.say("CHATHISTORY LATEST #lobby * 10") == [
        ":tertulia 421 anna CHATHISTORY :Unknown command"
    ]


def targets(talk: IrcTalk, line: str) -> tuple[list[Excerpt], list[str]]:
    """Return what is asked for, and what is told."""
    found = talk.say(f"CHATHISTORY TARGETS {line}")
    return [it for it in found if isinstance(it, Excerpt)], [
        it for it in found if isinstance(it, str)
    ]


@each(
    ("times", "limit", "told"),
    [
        (
            "timestamp=2026-11-30T10:20:30.122Z timestamp=2026-11-30T10:20:30.124Z",
            10,
            ["#lobby", "#ops"],
        ),
        (
            "timestamp=2026-11-30T10:20:30.124Z timestamp=2026-11-30T10:20:30.122Z",
            10,
            ["#lobby", "#ops"],
        ),
        ("timestamp=2026-11-30T10:20:30.122Z timestamp=2026-11-30T10:20:30.124Z", 1, ["#lobby"]),
        ("timestamp=2026-11-30T10:20:30.124Z timestamp=2026-11-30T10:20:30.122Z", 1, ["#ops"]),
        (f"{EARLY} timestamp=2026-11-30T10:20:30.124Z", 10, []),
        (f"timestamp=2026-11-30T10:20:30.122Z {EARLY}", 10, []),
    ],
)
def test_targets_are_channels_with_the_time_of_their_last_message(
    times: str, limit: int, told: list[str]
) -> None:
    talk = talking(BATCH)
    talk.past = [PAST]
    commands, lines = targets(talk, f"{times} {limit}")
    assert [(it.room, it.most) for it in commands] == [("", 1), ("ops", 1)]
    begin, *lines, end = lines
    assert begin == ":tertulia BATCH +history draft/chathistory-targets"
    assert end == ":tertulia BATCH -history"
    assert lines == [
        f"@batch=history :tertulia CHATHISTORY TARGETS {it} 2026-11-30T10:20:30.123Z" for it in told
    ]


def test_targets_of_nobody_are_none() -> None:
    talk = member(BATCH, IrcServer(joins_lobby=False))
    commands, lines = targets(talk, f"{EARLY} {LATE} 10")
    assert not commands
    assert len(lines) == 2
    talk = talking(BATCH)
    commands, lines = targets(talk, f"{EARLY} {LATE} 10")
    assert len(commands) == 2
    assert len(lines) == 2
