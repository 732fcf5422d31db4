"""The line that a person types: keys in any split, and how it looks on a row of any width."""

import re
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tertulia.clients.device.line_editor import MAX_TYPED, Key, LineEditor

UP, DOWN, LEFT, RIGHT = b"\x1b[A", b"\x1b[B", b"\x1b[D", b"\x1b[C"
HOME, END, DELETE = b"\x1b[H", b"\x1b[F", b"\x1b[3~"


def typed(keys: bytes) -> list[str | Key]:
    """What is typed by keys, the same whether they come at once or byte by byte."""
    whole = LineEditor().feed(keys)
    editor = LineEditor()
    assert [it for byte in keys for it in editor.feed(bytes([byte]))] == whole
    return list(whole)


@pytest.mark.parametrize(
    ("keys", "lines"),
    [
        (b"ciao\r", ["ciao"]),
        (b"ciao\n", ["ciao"]),
        (b"\r\r", ["", ""]),
        (b"uno\rdue\rtre", ["uno", "due"]),
        ("perché no? 你好 🎉\r".encode(), ["perché no? 你好 🎉"]),
        (b"cioa\x7f\x7fao\r", ["ciao"]),
        (b"\x7fciao\x08\x08\r", ["ci"]),
        (b"non questo\x15ciao\r", ["ciao"]),
        (b"ciao  bello \x17\x17tutti\r", ["tutti"]),
        (b"ciao bello\x17tutti\r", ["ciao tutti"]),
        (b"iao\x01c\r", ["ciao"]),
        (b"iao" + HOME + b"c" + END + b"!\r", ["ciao!"]),
        (b"ciaoo" + LEFT + DELETE + b"\r", ["ciao"]),
        (b"ciaoo\x02\x04\r", ["ciao"]),
        (b"cao" + LEFT + LEFT + b"i" + RIGHT + RIGHT + RIGHT + b"!\r", ["ciao!"]),
        (b"ciao bello" + LEFT * 6 + b"\x0b\r", ["ciao"]),
        (b"uno\rdue\r" + UP + UP + b"!\r", ["uno", "due", "uno!"]),
        (b"uno\rdu" + UP + UP + UP + DOWN + b"e\r", ["uno", "due"]),
        (b"uno\r\x1bOA\x10\x0e\x1bOB\r", ["uno", ""]),
        (b"\x1b[15~ciao\x1b[1;5C\x1bx\r", ["ciao"]),  # keys that do nothing
        (b"ciao\x1b\r", ["ciao"]),
        (b"ciao\x1b[\r", ["ciao"]),
        (b"ciao\x1bO\r", ["ciao"]),
        (b"a\tb\x00c\x9f\r", ["abc"]),
        (b"\xff\xfeciao\r", ["ciao"]),
        (b"\x04", [Key.END]),
        (b"a\x04\x7f\x04", [Key.END]),
        (b"\x0c", [Key.REDRAW]),
    ],
)
def test_keys(keys: bytes, lines: list[str | Key]) -> None:
    assert typed(keys) == lines


def test_what_is_not_finished_stays() -> None:
    editor = LineEditor()
    assert editor.feed(b"uno\rdu") == ["uno"]
    assert editor.text == "du"
    assert editor.feed(b"e\r") == ["due"]
    assert editor.text == ""


def test_a_masked_line_is_shown_masked_and_not_remembered() -> None:
    editor = LineEditor(lambda text: text.replace("s3cret", "******"))
    editor.feed(b"ciao\rin anna s3cret")
    assert "s3cret" not in editor.draw("> ", 80)
    assert "in anna ******" in editor.draw("> ", 80)
    assert editor.feed(b"\r") == ["in anna s3cret"]
    assert editor.feed(UP + b"\r") == ["ciao"]


def test_a_repeated_line_is_remembered_once() -> None:
    editor = LineEditor()
    editor.feed(b"uno\rdue\rdue\r\r")
    assert editor.feed(UP + UP + b"\r") == ["uno"]


def test_a_line_has_an_end() -> None:
    assert LineEditor().feed(b"x" * (MAX_TYPED + 100) + b"\r") == ["x" * MAX_TYPED]


def row(drawn: str) -> tuple[str, int]:
    """What stands on the row after it was drawn, and how many columns the cursor is from its end."""
    found = re.fullmatch(r"\r(.*)\x1b\[K(?:\x1b\[(\d+)D)?", drawn)
    assert found is not None
    return found[1], int(found[2] or 0)


def test_the_row_shows_prompt_and_line() -> None:
    editor = LineEditor()
    editor.feed(b"ciao" + LEFT)
    assert row(editor.draw("bob> ", 80)) == ("bob> ciao", 1)


def test_a_long_line_shows_where_the_cursor_is() -> None:
    editor = LineEditor()
    editor.feed(b"0123456789abcdefghij")
    assert row(editor.draw("> ", 13)) == ("> ‹cdefghij", 0)
    editor.feed(HOME)
    assert row(editor.draw("> ", 13)) == ("> 0123456789", 10)


def test_wide_characters_take_two_columns_and_marks_none() -> None:
    editor = LineEditor()
    editor.feed("你好e\u0301".encode() + LEFT * 3)
    assert row(editor.draw("> ", 80)) == ("> 你好e\u0301", 3)


@given(st.binary(max_size=80), st.integers(1, 40))
def test_any_keys_keep_the_row_a_row(keys: bytes, columns: int) -> None:
    editor = LineEditor()
    for it in editor.feed(keys):
        assert isinstance(it, Key) or it.isprintable()
    shown, back = row(editor.draw("> ", columns))
    assert shown.isprintable()
    assert len(shown) <= max(columns, 12)
    assert back <= 2 * len(shown)
    assert typed(keys) is not None


def cpu_seconds(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def test_what_is_pasted_is_taken_in_a_time_as_long_as_it_is() -> None:
    assert cpu_seconds(lambda: LineEditor().feed(b"x" * 1_000_000)) < 10


def test_what_is_too_long_for_a_key_is_none_however_it_comes() -> None:
    assert typed(b"a\x1b[" + b"9" * 14 + b"3P\r") == ["a3P"]


def test_a_long_line_of_any_letters_is_drawn_at_once() -> None:
    editor = LineEditor()
    editor.feed("é".encode() * MAX_TYPED)
    assert cpu_seconds(lambda: editor.draw("> ", 40)) < 1
    editor.feed(b"\x01")
    assert cpu_seconds(lambda: editor.draw("> ", 40)) < 1
