"""What is a nickname, and when two are the same. Source: docs/protocols/README.md, "Nicknames"."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cases import each
from tertulia.domain.nicknames import SERVER, fold, is_valid

WELL_FORMED = re.compile(r"[A-Za-z0-9._+-]{1,32}", re.ASCII)


@each(
    "nickname",
    [
        "a",
        "7",
        ".",
        "_",
        "+",
        "-",
        "Andy",
        "andy.b_c+d-e",
        "x" * 32,
        "GG",
        "finest",
        "Stopp",
        "nil",
    ],
)
def test_valid(nickname: str) -> None:
    assert is_valid(nickname)


@each(
    "nickname",
    [
        "",
        "x" * 33,
        " ",
        "an dy",
        " andy",
        "andy ",
        "andy\n",
        "andy\r",
        "andy\x00",
        "\tandy",
        "andy:secret",
        "andy/",
        "josé",
        "jos\u0065\u0301",
        "ａｎｄｙ",  # letters, but full width
        "\u212a",  # the Kelvin sign, whose small letter is k
        "٣",  # a digit, but Arabic
    ],
)
def test_malformed(nickname: str) -> None:
    assert not is_valid(nickname)


@pytest.mark.parametrize("nickname", ["G", "fine", "stop", "close", "null"])
def test_reserved_in_any_case(nickname: str) -> None:
    for spelling in {nickname, nickname.lower(), nickname.upper(), nickname.title()}:
        assert not is_valid(spelling)


def test_the_servers_own_voice_is_nobodys() -> None:
    assert not is_valid(SERVER)


def test_compared_without_case() -> None:
    assert fold("Andy") == fold("andy") == fold("ANDY")
    assert fold("andy") != fold("andi")


def test_punctuation_tells_nicknames_apart() -> None:
    assert len({fold("a" + mark + "b") for mark in "._+-"}) == 4


@given(st.from_regex(WELL_FORMED, fullmatch=True))
def test_folding_keeps_a_nickname_well_formed_and_folds_once(nickname: str) -> None:
    folded = fold(nickname)
    assert WELL_FORMED.fullmatch(folded)
    assert fold(folded) is folded
    assert is_valid(folded) == is_valid(nickname)


@given(st.text(min_size=1).filter(lambda text: not WELL_FORMED.fullmatch(text)))
def test_what_is_no_nickname_folds_to_nobodys(text: str) -> None:
    assert not WELL_FORMED.fullmatch(fold(text))


def test_the_kelvin_sign_does_not_fold_to_somebodys_nickname() -> None:
    # A whisper may name anything; it must not reach k by another name.
    assert fold("\u212a") != fold("k")
