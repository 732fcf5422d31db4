"""What people write in IRC's own ways: formatting codes and CTCP. Sources: modern.ircdocs.horse, "IRC
Formatting" and "Client-to-Client Protocol (CTCP)".
"""

import re
from typing import Final

from tertulia.domain.text import clean

_CODES: Final = re.compile(
    "\x03(?:[0-9]{1,2}(?:,[0-9]{1,2})?)?"  # a colour, or its end
    "|\x04(?:[0-9A-Fa-f]{6}(?:,[0-9A-Fa-f]{6})?)?"  # the same in hexadecimal
    "|[\x02\x0f\x11\x16\x1d\x1e\x1f]"
)
_CTCP: Final = "\x01"
_ACTION: Final = "ACTION"


def incoming(written: str) -> str | None:
    """Return what a message says, cleaned and without formatting codes; None where it is for programs.

    ``/me waves`` says ``* waves``. Of CTCP nothing else is passed on.
    """
    if written.isascii() and written.isprintable():  # the short way, for most
        return written
    if not written.startswith(_CTCP):
        return plain(written)
    command, _, text = written[1:].partition(_CTCP)[0].partition(" ")
    return f"* {plain(text)}" if command.upper() == _ACTION else None


def plain(written: str) -> str:
    """Return a text without formatting codes, cleaned."""
    return clean(written if written.isprintable() else _CODES.sub("", written))
