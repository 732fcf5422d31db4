"""The texts that are sent: each says which message it is, so that readers can be checked.

    TAB <tag><kind><sender>.<number>.<due> TAB <padding>

What stands between the tabs is the *token*. A tab passes through every dialect unharmed, and a whole read
is split at tabs by one call.
"""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

MIN_SIZE: Final = 48
"""Bytes. Enough for the longest token and its tabs."""
MAX_SIZE: Final = 4000
"""Bytes. With what a dialect puts around it, the service still takes it for one line."""
TAG_LENGTH: Final = 5
"""Characters that tell the messages of one run, and of one round in it, from all others."""


class Kind(Enum):
    """To whom a message goes."""

    PUBLIC = b"p"
    PRIVATE = b"w"


_TOKEN: Final = re.compile(rb"([0-9a-z]{5})([pw])(\d{1,6})\.(\d{1,9})\.(\d{1,14})")
_PADDING: Final = b"x" * MAX_SIZE


@dataclass(frozen=True, slots=True)
class Token:
    """What a text says of itself."""

    raw: bytes
    tag: bytes
    is_public: bool
    sender: int
    number: int
    """Which of its sender's messages of this kind it is, from 0."""
    due: int
    """When it was to be sent, in microseconds of this machine's monotonic clock."""


def token(tag: bytes, kind: Kind, sender: int, number: int, due: int) -> bytes:
    """Make the token of a message."""
    return b"%s%s%d.%d.%d" % (tag, kind.value, sender, number, due)


def text(token: bytes, size: int) -> bytes:
    """Make a text of ``size`` bytes with a token in it."""
    return b"\t%s\t%s" % (token, _PADDING[: size - len(token) - 2])


def parse(raw: bytes) -> Token | None:
    """Read a token, or return None where it is none."""
    found = _TOKEN.fullmatch(raw)
    return None if found is None else _read(found)


def find(data: bytes) -> list[Token]:
    """Find all tokens in what was read; ignore the rest."""
    return [_read(found) for found in _TOKEN.finditer(data)]


def _read(found: re.Match[bytes]) -> Token:
    tag, kind, sender, number, due = found.groups()
    return Token(found[0], tag, kind == Kind.PUBLIC.value, int(sender), int(number), int(due))
