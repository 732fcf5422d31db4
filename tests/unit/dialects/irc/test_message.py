"""Lines of IRC. Sources: modern.ircdocs.horse, "Message Format"; ircv3.net, "Message Tags"."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cases import each
from tertulia.dialects.irc.message import (
    InvalidUtf8,
    IrcLine,
    LineTooLong,
    cut,
    escape,
    filled,
    middle,
    parse,
    tagged,
)


@each(
    ("line", "command", "params"),
    [
        (b"QUIT", "QUIT", []),
        (b"quit", "QUIT", []),
        (b"JOIN #ops", "JOIN", ["#ops"]),
        (b"  JOIN   #ops  ", "JOIN", ["#ops"]),
        (b":anna!a@h JOIN #ops", "JOIN", ["#ops"]),
        (b"PRIVMSG #ops :hello there", "PRIVMSG", ["#ops", "hello there"]),
        (b"PRIVMSG #ops ::) :D", "PRIVMSG", ["#ops", ":) :D"]),
        (b"PRIVMSG #ops hello", "PRIVMSG", ["#ops", "hello"]),
        (b"PRIVMSG #ops :", "PRIVMSG", ["#ops", ""]),
        (b"AWAY :", "AWAY", [""]),
        (b"PRIVMSG #ops :citt\xc3\xa0", "PRIVMSG", ["#ops", "città"]),
        (b"X a\tb", "X", ["a\tb"]),
        (b"X " + b" ".join(b"%d" % it for it in range(14)), "X", [str(it) for it in range(14)]),
        (
            b"X " + b" ".join(b"%d" % it for it in range(18)),
            "X",
            [*(str(it) for it in range(14)), "14 15 16 17"],
        ),
        (
            b"X " + b" ".join(b"%d" % it for it in range(14)) + b" :a b",
            "X",
            [*(str(it) for it in range(14)), "a b"],
        ),
    ],
)
def test_a_line_is_a_command_and_parameters(line: bytes, command: str, params: list[str]) -> None:
    assert parse(line) == IrcLine(command, params, {})
    assert parse(b"@label=x " + line) == IrcLine(command, params, {"label": "x"})


@each("line", [b"", b"   ", b":anna", b":anna ", b"@label=x", b"@label=x ", b"@", b"@ "])
def test_nothing_is_in_a_line_without_a_command(line: bytes) -> None:
    assert parse(line) is None


@each(
    ("tags", "expected"),
    [
        (b"@a=b", {"a": "b"}),
        (b"@a", {"a": ""}),
        (b"@a=", {"a": ""}),
        (b"@a=b;c=d", {"a": "b", "c": "d"}),
        (b"@a=b;a=c", {"a": "c"}),  # "the last one takes precedence"
        (b"@=b;;c", {"c": ""}),
        (b"@a=b=c", {"a": "b=c"}),
        (rb"@a=1\:2\s3\\4\r5\n6", {"a": "1;2 3\\4\r5\n6"}),
        (rb"@a=x\b", {"a": "xb"}),  # "drop the \ where the escape is not valid"
        (b"@a=x\\", {"a": "x"}),
        (rb"@a=\\s", {"a": r"\s"}),
        (b"@+draft/x=\xc3\xa0", {"+draft/x": "à"}),
        (b"@" + b";".join(b"k%d" % it for it in range(99)), {f"k{it}": "" for it in range(64)}),
    ],
)
def test_tags_have_keys_and_values(tags: bytes, expected: dict[str, str]) -> None:
    line = parse(tags + b" PING x")
    assert line == IrcLine("PING", ["x"], expected)


def test_a_line_has_512_bytes_and_its_tags_4096() -> None:
    line, tags = b"PING " + b"x" * 505, b"@a=" + b"x" * 4092 + b" "
    assert len(line + b"\r\n") == 512
    assert len(tags) == 4096
    assert parse(tags + line) == IrcLine("PING", ["x" * 505], {"a": "x" * 4092})
    for too_long in (line + b"x", b"@" + tags[:-1] + b" " + line, b"@" + b"x" * 4096):
        with pytest.raises(LineTooLong):
            parse(too_long)


@each(
    ("line", "read"),
    [
        (b"@label=x PRIVMSG bruno :\xe0", IrcLine("PRIVMSG", ["bruno", "\ufffd"], {"label": "x"})),
        (b"@label=\xe0 PING x", IrcLine("PING", ["x"], {"label": "\ufffd"})),
        (b"\xe0", IrcLine("\ufffd", [], {})),
        (b":\xe0", None),
    ],
)
def test_a_line_that_is_not_utf_8_says_which_it_was(line: bytes, read: IrcLine | None) -> None:
    with pytest.raises(InvalidUtf8) as error:
        parse(line)
    assert error.value.line == read


@given(st.text())
def test_what_is_escaped_is_read_as_it_was(value: str) -> None:
    line = parse(f"@a={escape(value)} PING x".encode(errors="replace"))
    assert line is not None
    assert line.tags["a"] == value.encode(errors="replace").decode()


@given(st.binary(max_size=700).map(lambda it: it.replace(b"\n", b"")))
def test_any_bytes_are_a_line_or_refused(line: bytes) -> None:
    try:
        read = parse(line)
    except (InvalidUtf8, LineTooLong):
        return
    if read is not None:
        assert read.command == read.command.upper()
        assert " " not in read.command
        assert len(read.params) <= 15
        assert all(it and " " not in it for it in read.params[:-1])


@each(
    ("tags", "line", "expected"),
    [
        ([("label", "x")], ":a PONG", "@label=x :a PONG"),
        ([("a", "1;2"), ("b", "")], "PONG", r"@a=1\:2;b PONG"),
        ([("label", "x")], "@time=1 :a PONG", "@label=x;time=1 :a PONG"),
        ([], ":a PONG", ":a PONG"),
    ],
)
def test_tags_stand_in_front(tags: list[tuple[str, str]], line: str, expected: str) -> None:
    assert tagged(tags, line) == expected


@each(
    ("param", "expected"),
    [
        ("anna", "anna"),
        ("", "*"),
        ("a b", "*"),
        (":a", "*"),
        ("a\x1b[2Jb\r", "a[2Jb"),
        ("\x01", "*"),
    ],
)
def test_what_a_client_wrote_can_stand_in_the_middle(param: str, expected: str) -> None:
    assert middle(param) == expected


@each(
    ("text", "most", "expected"),
    [("abc", 3, "abc"), ("abc", 2, "ab"), ("aàb", 2, "a"), ("àb", 2, "à")],
)
def test_a_text_is_cut_between_signs(text: str, most: int, expected: str) -> None:
    assert cut(text, most) == expected


@given(st.lists(st.text("abc#@", min_size=1, max_size=12), max_size=40), st.integers(12, 60))
def test_words_fill_lines(words: list[str], most: int) -> None:
    lines = list(filled(words, most))
    assert " ".join(lines).split() == words
    assert all(len(it) <= most for it in lines)
    for one, other in pairwise(lines):
        assert len(one) + 1 + len(other.split()[0]) > most, (
            "the word had its place in the line before"
        )
