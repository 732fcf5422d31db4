"""Tables for people. What is in them may have been written by anybody, so nothing of it is obeyed."""

import unicodedata
from collections.abc import Sequence


def printable(text: str) -> str:
    """Return a text of one line with everything escaped that a terminal might obey or hide.

    That is control characters and escape sequences, line breaks, and marks that change the direction.
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table, its columns as wide as they have to be; None is shown as ``-``."""
    cells = [list(headings)]
    cells += [["-" if cell is None else printable(str(cell)) for cell in row] for row in rows]
    widths = [max(map(_width, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(
            cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in cells
    )


def _width(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 1 + (unicodedata.east_asian_width(char) in "WF")
        for char in text
    )
