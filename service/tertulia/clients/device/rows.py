"""What people say, in rows of a terminal's width, of which none can pass for another line."""

CONTINUED = "   | "
"""Begins every row but the first. No line begins so: nobody is called ``|``."""
_TAB = 8
_LEAST = 20


def rows_of(line: str, columns: int) -> list[str]:
    """Return a line in rows that a terminal does not wrap by itself.

    Where it does, a peer that fills a row up with spaces chooses how the next one begins: like a line of
    the program's own, or of somebody else's.
    """
    room = max(columns, _LEAST) - 1
    if line.isascii() and "\t" not in line and len(line) <= room:
        return [line]
    rows, row, used = list[str](), "", 0
    for character in line:
        # Terminals disagree on how wide what is not ASCII is; none shows it wider than this.
        width = 1 if " " <= character <= "~" else _TAB if character == "\t" else 2
        if used + width > room:
            rows.append(row)
            row, used = CONTINUED, len(CONTINUED)
        row += character
        used += width
    return [*rows, row]
