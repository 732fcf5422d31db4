"""A line of the log in rows, of which none can pass for another line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.style import Style

from tertulia.clients.chat.preferences import Preferences
from tertulia.clients.chat.room_log import Fate, Kind, Line
from tertulia.clients.chat.screen.drawing import NAMES, Drawing, name_style
from tertulia.clients.chat.screen.log_view import LogView

AT = 1_795_221_185_000
STYLES = {it.removeprefix("log--"): Style() for it in LogView.COMPONENT_CLASSES}


def drawn(line: Line, width: int = 40, preferences: Preferences | None = None) -> list[str]:
    """Return the rows of a line that follows another one of its day."""
    drawing = Drawing(Console(width=width), STYLES, preferences or Preferences(), "anna")
    before = Line(Kind.NOTICE, line.at)
    return [it.text.plain.rstrip() for it in drawing.rows_of(line, before, False, width)]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (Line(Kind.SAID, AT, "Ciao", "bruno"), "bruno: Ciao"),
        (Line(Kind.SAID, AT, "", "bruno", is_redacted=True), "bruno: (withdrawn by a moderator)"),
        (Line(Kind.SAID, AT, "\u200b", "bruno"), "bruno: (nothing to see)"),
        (Line(Kind.WHISPERED, AT, "psst", "bruno", "anna"), "bruno → you, in private: psst"),
        (
            Line(Kind.WHISPERED, AT, "psst", "anna", "bruno", is_own=True, fate=Fate.UNDELIVERED),
            "anna → bruno, in private: psst (not delivered)",
        ),
        (Line(Kind.FAILED, AT, "Ciao", "anna", detail="not sent: why"), "! not sent: why: Ciao"),
        (Line(Kind.NOTICE, AT, "You are in."), "— You are in."),
        (Line(Kind.NOTICE, AT, "Lost.", is_grave=True), "! Lost."),
        (
            Line(Kind.PASSAGE, AT, came=["a", "b", "c", "d", "e"], went=["f"]),
            "— a, b, c and 2 more joined; f left",
        ),
    ],
)
def test_what_a_line_tells_is_told_in_words(line: Line, words: str) -> None:
    (row,) = drawn(line, 80)
    assert row[6:] == words


@given(st.text(alphabet="ab \n漢é🙂`*/:", max_size=200), st.integers(20, 60), st.booleans())
def test_rows_fit_and_only_the_first_begins_at_the_margin(
    text: str, width: int, times: bool
) -> None:
    console = Console(width=width)
    drawing = Drawing(console, STYLES, Preferences(times=times), "anna")
    line = Line(Kind.SAID, AT, text, "bruno")
    first, *others = drawing.rows_of(line, Line(Kind.NOTICE, AT), False, width)
    assert first.text.cell_len <= width
    assert all(it.text.cell_len <= width for it in others)
    assert all(it.text.plain.startswith("  ") for it in others)


def test_the_day_and_the_mark_stand_above_the_line() -> None:
    drawing = Drawing(Console(width=40), STYLES, Preferences(), "anna")
    rows = drawing.rows_of(Line(Kind.SAID, AT, "Ciao", "bruno"), None, True, 40)
    plain = [it.text.plain for it in rows]
    assert "November 2026" in plain[0]
    assert " new " in plain[1]
    assert plain[2].endswith("bruno: Ciao")


def test_who_comes_and_goes_can_be_left_out() -> None:
    line = Line(Kind.PASSAGE, AT, came=["a"])
    assert drawn(line, preferences=Preferences(joins=False)) == []


def test_one_name_has_one_style() -> None:
    assert name_style("Anna") == name_style("anna")
    assert {name_style(f"n{it}") for it in range(20)} == {f"name-{it}" for it in range(NAMES)}
