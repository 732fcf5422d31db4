"""Text as it comes from clients. Source: the protocols' README, "Text"."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tertulia.domain.text import decode


@pytest.mark.parametrize(
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


@pytest.mark.parametrize("control", [*range(0x09), *range(0x0A, 0x20), *range(0x7F, 0xA0)])
def test_controls_are_removed(control: int) -> None:
    assert decode(f"a{chr(control)}b".encode()) == "ab"


def test_terminal_escapes_become_harmless() -> None:
    assert decode(b"\x1b[2J\x1b]0;owned\x07hi") == "[2J]0;ownedhi"
    assert decode("\x9b31m".encode()) == "31m"


def test_a_bare_cr_overwrites_nothing() -> None:
    assert decode(b"I owe you\r\rI owe me") == "I owe youI owe me"


def test_controls_are_removed_from_windows_1252_too() -> None:
    assert decode(b"s\xed\x00\x1b\r\x7f\tno") == "sí\tno"


@given(st.binary())
@settings(deadline=None)
def test_any_bytes_become_harmless_text(raw: bytes) -> None:
    text = decode(raw)
    assert all(character == "\t" or unicodedata.category(character) != "Cc" for character in text)
    assert text.encode().decode() == text  # no surrogates: every dialect can write it
    assert decode(text.encode()) == text
