"""Text as it comes from clients. Source: docs/protocols/README.md, "Text"."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cases import each
from tertulia.domain.text import (
    LINE_END,
    clean,
    clean_lines,
    decode,
    encode,
    in_one_line,
    with_line_feeds,
)


@each(
    "text",
    ["", "hola", "¿Hay alguien aquí?", "più", "日本語", "🎉", "a\tb", "zero\u200dwidth", "\ufeff"],
)
def test_utf8_as_it_is(text: str) -> None:
    assert decode(text.encode()) == text


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"aqu\xed", "aquí"),
        (b"\xbfqu\xe9?", "¿qué?"),
        (b"5 \x80", "5 €"),
        (b"\x93hola\x94 \x96 s\xed\x85", "“hola” – sí…"),
        (b"\xff", "ÿ"),
    ],
)
def test_windows_1252_where_it_is_not_utf8(raw: bytes, text: str) -> None:
    assert decode(raw) == text


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"\xc3\xa9 \xe9", "Ã© é"),  # one byte that is not UTF-8, and none of it is
        (b"\xc0\xaf", "À¯"),  # an overlong slash
        (b"\xed\xa0\xbd", "í\xa0½"),  # half a surrogate pair
        (b"hola\xc3", "holaÃ"),  # cut in the middle of a character
    ],
)
def test_almost_utf8_is_not_utf8(raw: bytes, text: str) -> None:
    assert decode(raw) == text


@pytest.mark.parametrize("undefined", [0x81, 0x8D, 0x8F, 0x90, 0x9D])
def test_bytes_that_windows_1252_leaves_undefined_are_controls(undefined: int) -> None:
    assert decode(b"a" + bytes([undefined]) * 2 + b"b\xe9") == "abé"


@each("control", [*range(0x09), *range(0x0A, 0x20), *range(0x7F, 0xA0)])
def test_controls_are_removed(control: int) -> None:
    assert decode(f"a{chr(control)}b".encode()) == "ab"


LINE_ENDS = [0x2028, 0x2029]
BIDI = [*range(0x202A, 0x202F), *range(0x2066, 0x206A)]


@each("control", [*LINE_ENDS, *BIDI])
def test_line_ends_beyond_ascii_and_bidi_controls_are_removed(control: int) -> None:
    """What would end a line, or turn around what is written beside it."""
    assert decode(f"a{chr(control)}b".encode()) == "ab"


ACUTE = "\u0301"


@pytest.mark.parametrize(
    "text",
    [
        "e" + ACUTE * 6,
        ("e" + ACUTE * 6) * 3,
        "a\u0302\u0301",  # Vietnamese, decomposed
        "\u05e9\u05bc\u05c1\u05b8\u0591",  # Hebrew with vowels and accents
        "\u0e17\u0e35\u0e48",  # Thai
        "\U0001f469\u200d\U0001f469\u200d\U0001f467\u2764\ufe0f" * 4,  # emoji, joined
        "---\u2014\u2014\u2014\u2014\u2014\u2014\u2014\u2014",
    ],
)
def test_the_marks_that_a_letter_needs_stay(text: str) -> None:
    assert decode(text.encode()) == text


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("e" + ACUTE * 7, "e" + ACUTE * 6),
        ("Z" + "\u0310\u0489" * 50 + "a" + ACUTE * 9, "Z" + "\u0310\u0489" * 3 + "a" + ACUTE * 6),
        (ACUTE * 2000, ACUTE * 6),  # on whatever is written before the text
        ("e" + (ACUTE + "\u200b") * 9, "e" + (ACUTE + "\u200b") * 6 + "\u200b" * 3),
        ("e" + (ACUTE * 6 + "\xad") * 2, "e" + ACUTE * 6 + "\xad\xad"),
        ("e" + (ACUTE * 4 + "\u202e") * 2, "e" + ACUTE * 6),
    ],
)
def test_more_than_a_few_combining_marks_on_one_letter_are_removed(text: str, rest: str) -> None:
    """They would paint over the lines above and below."""
    assert decode(text.encode()) == rest


def test_terminal_escapes_become_harmless() -> None:
    assert decode(b"\x1b[2J\x1b]0;owned\x07hi") == "[2J]0;ownedhi"
    assert decode("\x9b31m".encode()) == "31m"


def test_a_bare_cr_overwrites_nothing() -> None:
    assert decode(b"I owe you\r\rI owe me") == "I owe youI owe me"


@each(
    ("text", "lines"),
    [
        ("one", ["one"]),
        ("", [""]),
        ("one\ntwo\r\nthree\rfour", ["one", "two", "three", "four"]),
        ("\r\n one\n\n\ttwo \n\n", [" one", "", "\ttwo "]),
        ("\n\r\n", [""]),
        ("a\x1b\nb\u2028c\u0085d\u2029", ["a", "bcd"]),
        ("a" + "\u0301" * 9 + "\n" + "\u0301" * 9, ["a" + "\u0301" * 6, "\u0301" * 6]),
        ("\tone", ["\tone"]),
        ("città 日本\n🎉", ["città 日本", "🎉"]),
    ],
)
def test_line_ends_stay_where_a_text_may_have_lines(text: str, lines: list[str]) -> None:
    cleaned = clean_lines(text)
    assert cleaned.split(LINE_END) == lines
    assert with_line_feeds(cleaned) == "\n".join(lines)
    shown = in_one_line(cleaned)
    assert shown.isprintable() or "\t" in shown
    assert len(shown.encode()) == len(cleaned.encode())


@given(st.text())
def test_any_text_of_lines_is_harmless(text: str) -> None:
    assert all(line == clean(line) for line in clean_lines(text).split(LINE_END))
    assert LINE_END not in clean(text)
    # Versions that know of no lines write it so.
    assert b"\n" not in encode(LINE_END, "latin-1") + encode(LINE_END, "utf-8")


def test_controls_are_removed_from_windows_1252_too() -> None:
    assert decode(b"s\xed\x00\x1b\r\x7f\tno") == "sí\tno"


@given(st.binary())
def test_any_bytes_become_harmless_text(raw: bytes) -> None:
    text = decode(raw)
    assert all(character == "\t" or unicodedata.category(character) != "Cc" for character in text)
    assert text.encode().decode() == text  # no surrogates: every dialect can write it
    assert decode(text.encode()) == text


# Latin-1


@each(
    ("text", "written"),
    [
        ("città, ¿sí?", "città, ¿sí?"),
        ("“ ” … €", '" " ... EUR'),
        ("‘a’ ‚b‛ „c‟ ‹d› «e»", "'a' 'b' \"c\" <d> «e»"),
        ("– — ‐ ‑ −", "- - - - -"),
        ("œuvre Œ ﬁ ĳ ŀ", "oeuvre Oe fi ij l·"),
        ("Łódź, Erdős, Şişli, Đà Nẵng", "Lódz, Erdos, Sisli, Dà Nang"),
        ("e\u0301 n\u0303 o\u030b", "é ñ o"),  # decomposed: what Latin-1 has stays what it is
        ("a ≠ b ≤ c ™ №", "a != b <= c TM No"),
        ("1\u202f000\u2009m", "1 000 m"),
        ("zero\u200bwidth\u200d\ufeff", "zerowidth"),
        ("Привет, Ελλάδα", "Privet, Ellada"),
        # What there is nothing to write for.
        ("日本 ok", "?? ok"),
        ("\U0001f44d\u2764\ufe0f ✔ ☺", "?? ? ?"),
        ("\ud800", "?"),
    ],
)
def test_latin_1_writes_what_comes_closest(text: str, written: str) -> None:
    assert encode(text, "latin-1") == written.encode("latin-1")


@pytest.mark.parametrize("text", ["“ ” … €", "日本", "e\u0301", "\U0001f44d\u2764\ufe0f"])
def test_utf_8_writes_what_there_is(text: str) -> None:
    assert encode(text, "utf-8") == text.encode()


def test_whatever_latin_1_writes_for_a_sign_is_printable() -> None:
    for code in range(0x110000):
        if code > 0x2FFFF and code % 97:
            continue  # mostly unassigned: a sample will do
        for byte in encode(clean(chr(code)), "latin-1"):
            assert byte == 0x09 or 0x20 <= byte < 0x7F or byte >= 0xA0, hex(code)
