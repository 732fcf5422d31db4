"""Texts of several lines, as clients send them. Sources: ircv3.net, "Client Batch", "Multiline"."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from harness.cases import each
from harness.irc_talk import LABELS, IrcTalk, member
from tertulia.dialects.irc.capabilities import Capability
from tertulia.domain.commands import Register, Say, Whisper
from tertulia.domain.text import LINE_END

MULTILINE = LABELS | Capability.MULTILINE
BEGIN, END = "BATCH +1 draft/multiline #ops", "BATCH -1"
GO_ON = "draft/multiline-concat"


def batch(*lines: str, begin: str = BEGIN) -> list[str]:
    return [begin, *(f"@batch=1 PRIVMSG #ops :{it}" for it in lines), END]


def talking() -> IrcTalk:
    return member(MULTILINE, rooms=["ops"])


def failed(talk: IrcTalk, *lines: str) -> str:
    """Return the code and what follows it; the lines have one answer."""
    (told,) = talk.say(*lines)
    told = str(told)
    assert told.startswith(":tertulia FAIL BATCH "), told
    return told.removeprefix(":tertulia FAIL BATCH ").partition(" :")[0]


def still_talks(talk: IrcTalk) -> None:
    assert talk.say(*batch("one", "two")) == [Say(f"one{LINE_END}two", 0, "ops")]


@each(
    ("lines", "said"),
    [
        (batch("ciao"), "ciao"),
        (batch("one", "two", "three"), f"one{LINE_END}two{LINE_END}three"),
        (batch("one", "", "two"), f"one{LINE_END}{LINE_END}two"),
        (batch("\x02one\x02", "t\x1bwo"), f"one{LINE_END}two"),
        (batch("\x01ACTION waves\x01", "\x01VERSION\x01"), "* waves"),
    ],
)
def test_lines_of_a_batch_are_one_message(lines: Sequence[str], said: str) -> None:
    talk = talking()
    assert talk.say(*lines) == [Say(said, 0, "ops")]
    still_talks(talk)


def going_on(*lines: str) -> list[str]:
    """A batch in which the lines with a ``+`` go on the one before."""
    tags = [f"@batch=1;{GO_ON}" if it.startswith("+") else "@batch=1" for it in lines]
    told = [
        f"{tag} PRIVMSG #ops :{it.removeprefix('+')}" for tag, it in zip(tags, lines, strict=True)
    ]
    return [BEGIN, *told, END]


@each(
    ("lines", "said", "splits"),
    [
        (["how is ", "+everyone?"], "how is everyone?", (7,)),
        (["à", "+b", "c", "+d", "+e"], f"àb{LINE_END}cde", (1, 4, 5)),
        (["", "", "one", ""], "one", (0, 0)),
        (["", "a", "+b"], "ab", (0, 1)),
        (["a", "", "b", "+c"], f"a{LINE_END}{LINE_END}bc", (4,)),
        # Of what is removed nothing is counted; what goes over a division does away with it.
        (["\x02a\x02b", "+c"], "abc", (2,)),
        (["a", "+\x02", "+b"], "ab", (1,)),
        (["a\x03", "+1b"], "ab", ()),
        (["\x02", "+ab"], "ab", ()),
        (["\x01ACTION a", "+b\x01"], "* ab", (3,)),
        (["\x01ACTION a", "+\x01"], "* a", ()),
        (["\x01VERSION", "+x\x01", "a", "+b"], "ab", (1,)),
    ],
)
def test_where_a_sender_has_divided_it_is_known(
    lines: Sequence[str], said: str, splits: tuple[int, ...]
) -> None:
    assert talking().say(*going_on(*lines)) == [Say(said, 0, "ops", splits=splits)]


def test_a_private_one_is_divided_as_well() -> None:
    talk = talking()
    lines = [it.replace("#ops", "bruno") for it in going_on("a", "+b")]
    assert talk.say(*lines) == [Whisper("bruno", "ab", 1, splits=(1,))]
    assert talk.decoder.client.pending[1].splits == (1,)


def test_what_belongs_to_no_batch_may_come_between() -> None:
    talk = talking()
    assert talk.say(BEGIN, "@batch=1 PRIVMSG #ops one", "PING x", "PRIVMSG #ops two", END) == [
        ":tertulia PONG tertulia :x",
        Say("two", 0, "ops"),
        Say("one", 0, "ops"),
    ]


def test_a_batch_may_be_for_one_person_or_the_service() -> None:
    talk = talking()
    lines = [
        "BATCH +1 draft/multiline bruno",
        "@batch=1 NOTICE bruno one",
        "@batch=1 NOTICE bruno two",
    ]
    assert talk.say(*lines, END) == [Whisper("bruno", f"one{LINE_END}two", 1, is_notice=True)]
    assert talk.decoder.client.pending[1].is_notice
    lines = ["BATCH +1 draft/multiline G", "@batch=1 PRIVMSG G :register secret"]
    assert talk.say(*lines, END) == [Register("secret")]


def test_the_label_is_that_of_its_beginning() -> None:
    talk = talking()
    assert talk.say(*batch("one", "two", begin=f"@label=x {BEGIN}")) == [
        Say(f"one{LINE_END}two", 1, "ops")
    ]
    assert talk.decoder.client.pending[1].label == "x"
    (told,) = talk.say(*batch("", begin=f"@label=y {BEGIN}"))
    assert str(told).startswith("@label=y :tertulia FAIL BATCH MULTILINE_INVALID :")


@each(
    ("lines", "code"),
    [
        (batch(""), "MULTILINE_INVALID"),
        (batch("", ""), "MULTILINE_INVALID"),
        ([BEGIN, END], "MULTILINE_INVALID"),
        ([BEGIN, "@batch=1 PRIVMSG #ops", END], "MULTILINE_INVALID"),
        ([BEGIN, f"@batch=1;{GO_ON} PRIVMSG #ops one", END], "MULTILINE_INVALID"),
        (
            [BEGIN, "@batch=1 PRIVMSG #ops one", f"@batch=1;{GO_ON} PRIVMSG #ops :", END],
            "MULTILINE_INVALID",
        ),
        (
            [BEGIN, "@batch=1 PRIVMSG #ops one", "@batch=1 NOTICE #ops two", END],
            "MULTILINE_INVALID",
        ),
        ([BEGIN, "@batch=1 PRIVMSG #dev one", END], "MULTILINE_INVALID_TARGET #ops #dev"),
        ([BEGIN, "@batch=1 PRIVMSG", END], "MULTILINE_INVALID_TARGET #ops *"),
        ([BEGIN, "@batch=2 PRIVMSG #ops one", END], "MULTILINE_INVALID"),
        ([BEGIN, "BATCH +2 draft/multiline #ops", "BATCH -2"], "MULTILINE_INVALID"),
        (["@batch=1 PRIVMSG #ops one"], "MULTILINE_INVALID"),
        ([END], "MULTILINE_INVALID"),
        (["BATCH 1"], "MULTILINE_INVALID"),
        (["BATCH +1 draft/multiline", END], "MULTILINE_INVALID"),
        (["BATCH +1 netsplit a b", "@batch=1 PRIVMSG #ops x", END], "UNKNOWN_TYPE 1 netsplit"),
        (["BATCH +1", END], "UNKNOWN_TYPE 1 *"),
        (["BATCH +", "BATCH -"], "INVALID_REFTAG *"),
        (["BATCH +a_b draft/multiline #ops", "BATCH -a_b"], "INVALID_REFTAG a_b"),
        (batch(*"x" * 51), "MULTILINE_MAX_LINES 50"),
        (batch(*["x" * 455] * 9), "MULTILINE_MAX_BYTES 4096"),
    ],
)
def test_a_batch_that_is_wrong_is_refused_once(lines: Sequence[str], code: str) -> None:
    talk = talking()
    assert failed(talk, *lines) == code
    still_talks(talk)


def test_a_batch_is_for_who_asked_for_it() -> None:
    talk = member(LABELS, rooms=["ops"])
    assert failed(talk, BEGIN) == "UNKNOWN_TYPE 1 draft/multiline"
    assert talk.say("@batch=1 PRIVMSG #ops one") == [Say("one", 0, "ops")]


def test_a_message_may_have_just_as_many_lines_and_bytes() -> None:
    talk = talking()
    assert talk.say(*batch(*"x" * 50)) == [Say(LINE_END.join("x" * 50), 0, "ops")]
    lines = ["x" * 454] * 9 + ["x"]
    assert len("\n".join(lines)) == 4096
    assert talk.say(*batch(*lines)) == [Say(LINE_END.join(lines), 0, "ops")]
    lines[-1] = "xx"
    assert failed(talk, *batch(*lines)) == "MULTILINE_MAX_BYTES 4096"
    parts = [BEGIN, "@batch=1 PRIVMSG #ops x", *[f"@batch=1;{GO_ON} PRIVMSG #ops x"] * 49, END]
    assert talk.say(*parts) == [Say("x" * 50, 0, "ops", splits=(*range(1, 50),))]
    parts.insert(2, parts[2])
    assert failed(talk, *parts) == "MULTILINE_MAX_LINES 50"


TAGS = st.sampled_from(["", "@batch=1 ", "@batch=2 ", f"@batch=1;{GO_ON} "])
LINES = st.one_of(
    st.sampled_from(
        [BEGIN, END, "BATCH +2 draft/multiline bruno", "BATCH -2", "BATCH +1 x", "BATCH"]
    ),
    st.tuples(
        TAGS,
        st.sampled_from(["PRIVMSG #ops", "NOTICE bruno"]),
        st.sampled_from([" ", " :", " x", " :\x01x"]),
    ).map("".join),
)


@given(st.lists(LINES, max_size=60))
def test_whatever_comes_is_a_message_or_refused(lines: list[str]) -> None:
    talk = talking()
    for it in talk.say(*lines):
        if isinstance(it, Say | Whisper):
            assert it.text.strip(LINE_END)
            assert len(it.text.encode()) <= 4096 + 2 * 49
