"""What the texts say of themselves."""

import pytest

from tertulia_load import texts
from tertulia_load.texts import Kind, Token

RAW = texts.token(b"abcd0", Kind.PUBLIC, 12, 345, 6789)


def test_a_token_says_what_it_was_made_of() -> None:
    assert texts.parse(RAW) == Token(RAW, b"abcd0", True, 12, 345, 6789)
    private = texts.token(b"abcd1", Kind.PRIVATE, 0, 0, 1)
    assert texts.parse(private) == Token(private, b"abcd1", False, 0, 0, 1)


@pytest.mark.parametrize("size", [texts.MIN_SIZE, 64, texts.MAX_SIZE])
def test_a_text_has_its_size_and_two_tabs(size: int) -> None:
    longest = texts.token(b"zzzz1", Kind.PRIVATE, 99_999, 99_999_999, 99_999_999_999_999)
    for token in (RAW, longest):
        text = texts.text(token, size)
        assert len(text) == size
        assert text.split(b"\t")[1::2] == [token]


def test_tokens_are_found_between_anything() -> None:
    data = b"100 a\tb " + texts.text(RAW, 64) + b"\n\t\t102 x " + texts.text(RAW, 50)
    assert [token.raw for token in texts.find(data)] == [RAW, RAW]


@pytest.mark.parametrize(
    "raw", [b"", b"hello", b"abcd0q1.2.3", b"abcd0p1.2", RAW + b"x", b"ABCD0p1.2.3", RAW[1:]]
)
def test_what_is_no_token_is_none(raw: bytes) -> None:
    assert texts.parse(raw) is None
