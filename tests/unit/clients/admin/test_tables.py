"""Tables: in columns, and harmless whatever is in them."""

from hypothesis import given
from hypothesis import strategies as st

from harness.cases import each
from tertulia.clients.admin.tables import printable, table


def test_columns_are_as_wide_as_they_have_to_be() -> None:
    assert table(("A", "LONGER"), [("first", 1), ("x", None)]) == (
        "A      LONGER\nfirst  1\nx      -"
    )


def test_wide_characters_take_two_columns() -> None:
    assert table(("N", "X"), [("日本", "a"), ("e\u0301", "b"), ("abc", "c")]).splitlines() == [
        "N     X",
        "日本  a",
        "e\u0301     b",
        "abc   c",
    ]


@each(
    ("text", "shown"),
    [
        ("città 日本 €", "città 日本 €"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\nb\rc\td", "a\\nb\\rc\\td"),
        ("\x9b2J", "\\x9b2J"),
        ("left\u202eright", "left\\u202eright"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("\u2028", "\\u2028"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_what_a_terminal_would_obey_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text())
def test_whatever_it_is(text: str) -> None:
    shown = table(("A",), [(f"{text}.",)])
    assert len(shown.splitlines()) == 2
    assert shown.replace("\n", "").isprintable()
