"""The texts that are sent: each says which message it is, so that readers can be checked.

    TAB <tag><kind><voice>.<number>.<due> TAB <padding>

A *voice* is a sender in a room: who speaks in three rooms counts in three sequences.

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
MAX_IRC_SIZE: Final = 400
"""The same in IRC, whose lines have 512 bytes, with the names of a sender and a recipient in them."""
TAG_LENGTH: Final = 5
"""Characters that tell the messages of one run, and of one round in it, from all others."""


class Kind(Enum):
    """To whom a message goes."""

    PUBLIC = b"p"
    PRIVATE = b"w"


MAX_CLIENTS: Final = 100_000
_TOKEN: Final = re.compile(rb"([0-9a-z]{5})([pw])(\d{1,10})\.(\d{1,9})\.(\d{1,14})")
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
    room: int = 0
    """In which further room; 0 where there are none."""


def voice(sender: int, room: int) -> int:
    """Return the number that stands for a sender in a room: the sender's own where there are no rooms."""
    return room * MAX_CLIENTS + sender


def room_of(voice: int) -> int:
    """Return the room of a voice."""
    return voice // MAX_CLIENTS


def token(tag: bytes, kind: Kind, voice: int, number: int, due: int) -> bytes:
    """Make the token of a message."""
    return b"%s%s%d.%d.%d" % (tag, kind.value, voice, number, due)


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
    tag, kind, voice, number, due = found.groups()
    room, sender = divmod(int(voice), MAX_CLIENTS)
    return Token(found[0], tag, kind == Kind.PUBLIC.value, sender, int(number), int(due), room)
