"""IRC's formatting codes and CTCP. Source: modern.ircdocs.horse."""

from hypothesis import given
from hypothesis import strategies as st

from harness.cases import each
from tertulia.dialects.irc.text import incoming, plain
from tertulia.domain.text import clean


@each(
    ("written", "text"),
    [
        ("ciao", "ciao"),
        ("\x02bold\x02 \x1ditalics\x0f \x1funder\x1f \x1estruck\x1e \x16reverse \x11code", None),
        ("\x034red\x03 \x0304red \x034,12red on blue \x0304,07x", "red red red on blue x"),
        ("\x03,5", ",5"),
        ("\x034,x", ",x"),
        ("\x03123", "3"),
        ("\x034,123", "3"),
        ("\x04ff0000red\x04 \x04FF0000,00ff00x \x04xyz", "red x xyz"),
        ("a\x1b[2J\x00b\x07\u202ec", "a[2Jbc"),
        ("a\x01b", "ab"),
        ("", ""),
        ("\x02\x02", ""),
        (" a ", " a "),
        ("a\tb", "a\tb"),
    ],
)
def test_formatting_codes_are_removed(written: str, text: str | None) -> None:
    expected = "bold italics under struck reverse code" if text is None else text
    assert incoming(written) == expected
    assert plain(written) == expected


@each(
    ("written", "text"),
    [
        ("\x01ACTION waves\x01", "* waves"),
        ("\x01action waves", "* waves"),
        ("\x01ACTION \x02waves\x02 twice\x01 more", "* waves twice"),
        ("\x01ACTION\x01", "* "),
        ("\x01VERSION\x01", None),
        ("\x01PING 123\x01", None),
        ("\x01DCC SEND x 1 2 3\x01", None),
        ("\x01", None),
        ("\x01\x01", None),
    ],
)
def test_of_ctcp_only_what_somebody_does_is_passed_on(written: str, text: str | None) -> None:
    assert incoming(written) == text


@given(st.text())
def test_any_text_is_harmless(written: str) -> None:
    text = incoming(written)
    assert text is None or clean(text) == text
