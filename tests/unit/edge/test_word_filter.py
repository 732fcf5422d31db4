"""The filter of a listener: which texts it refuses, which files it refuses, and what it reads again."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from harness.several import several
from tertulia.edge.word_filter import FilterError, WordFilter, load


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "words"


def refuses(path: Path, lines: str, text: str) -> bool:
    path.write_text(lines, "utf-8")
    return load(path)(text)


@pytest.mark.parametrize(
    ("lines", "text", "is_refused"),
    [
        ("casino", "come to my CaSiNo!", True),
        ("casino", "cas ino", False),
        ("bingo\ncas+ino\n" + "x" * 150, "CASSINO", True),
        ("bingo\ncas+ino\n" + "x" * 150, "Bingo", True),
        ("bingo\ncas+ino\n" + "x" * 150, "cabin", False),
        ("# casino\n\n  \n", "casino", False),
        ("", "casino", False),
        ("first\r\n  second  \r\n", "a second one", True),
        ("\ufefffirst", "first", True),
        (r"\bass\b", "a class", False),
        (r"\bass\b", "Ass.", True),
        (r"free\s+money", "FREE \t money", True),
        (r"free\s+money", several("it is free", "money"), True),
        (r"(^|\s)money(\s|$)", several("free", "money", "here"), True),
        ("casino", "ＣＡＳＩＮＯ", True),  # as wide as Han
        ("casino", "ca\u200bsi\xadno", True),  # signs that nobody sees
        ("CAFFE\u0300", "caffè", True),  # an accent of its own, in capitals
        ("(^|[\\s[:punct:]])caffè([\\s[:punct:]]|$)", "un caffè, subito", True),
        ("(^|[\\s[:punct:]])caffè([\\s[:punct:]]|$)", "decaffè", False),
        ("x(?P<n>a)\ny(?P<n>b)", "yb", True),
    ],
)
def test_what_is_refused(path: Path, lines: str, text: str, is_refused: bool) -> None:
    assert refuses(path, lines, text) is is_refused


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("(", "missing )"),
        ("a)|(b", "unexpected )"),  # though it would be right within others
        ("a(?=b)", "invalid perl operator"),
        (r"(a)\1", r"invalid escape sequence: \1"),
        ("a*", "it is found in an empty text, and so in every message"),
        ("x|", "it is found in an empty text"),
        (r"\bè", r"\b knows the letters of ASCII only"),
        (".{900}", "take more time than there is"),
        (r"(\pL{1,100} ){5}q", "take more time than there is"),  # too large for RE2 itself
        ("[\x1b", "missing ]: [?"),  # what it says is harmless on a terminal
    ],
)
def test_a_bad_pattern_is_said_with_its_place(path: Path, pattern: str, why: str) -> None:
    path.write_text(f"# ours\nfine\n{pattern}\n")
    with pytest.raises(FilterError) as caught:
        load(path)
    text = str(caught.value)
    assert text.startswith(f"{path}, line 3: ")
    assert why in text
    assert text.isprintable()


def test_a_bad_file_is_said(path: Path) -> None:
    with pytest.raises(FilterError, match="cannot be read \\(No such file or directory\\)"):
        load(path)
    path.write_bytes(b"caff\xe8")
    with pytest.raises(FilterError, match="this is not UTF-8"):
        load(path)


def test_all_patterns_together_have_a_bound(path: Path) -> None:
    """Words are cheap; what is more than a word is not."""
    path.write_text("\n".join(rf"\bword{it:04}\b" for it in range(1500)))
    assert load(path)("this is WORD0815")
    path.write_text("\n".join(f"word{it}.*{it}" for it in range(400)))
    with pytest.raises(FilterError, match=r"line \d+: the patterns up to here take more time"):
        load(path)
    for long in (
        "a" + "[ab]" * 600 + "c",
        "a" * 600,
    ):  # which may be in many places at once as well
        path.write_text(long)
        with pytest.raises(FilterError, match="the patterns up to here take more time"):
            load(path)
    path.write_text("\n".join(f"{it:x}" * 9 for it in range(9000)))
    with pytest.raises(FilterError, match="the patterns up to here take more time"):
        load(path)


def test_a_text_is_refused_that_grows_without_end(path: Path) -> None:
    sentence = "\N{ARABIC LIGATURE SALLALLAHOU ALAYHE WASALLAM}"
    assert not refuses(path, "casino", f"{sentence} peace be upon him" * 20)
    assert refuses(path, "casino", sentence * 1365)


def test_no_pattern_takes_time_beyond_the_text(path: Path) -> None:
    """Where patterns are tried one way after the other, this takes longer than the universe."""
    assert not refuses(path, "(x+x+)+y", "x" * 4096)


def test_it_is_read_again_and_a_bad_one_is_not_taken(path: Path) -> None:
    path.write_text("first")
    it = WordFilter("chatte:1234", path)
    path.write_text("second")
    assert it.refuses("first")
    with capture_logs() as lines:
        it.reload()
        assert it.refuses("second")
        assert not it.refuses("first")
        path.write_text("third\n(")
        it.reload()
        assert it.refuses("second")
        assert not it.refuses("third")
    assert [line["event"] for line in lines] == ["filter taken", "filter not taken"]
    assert str(lines[1]["error"]).startswith(f"{path}, line 2: ")
