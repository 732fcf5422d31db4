"""Names of a chat's further rooms. They are written ``#ops``, and compared without case."""

import re

import msgspec

MAX_LENGTH = 32
MARK = "#"
"""What stands in front of a room's name where it is written."""
MOST_LISTED = 500
"""Rooms in a list of them: the largest ones."""

_VALID = re.compile(r"[a-z0-9][a-z0-9._+-]{0,31}\Z")


def fold_room(written: str) -> str:
    """Return the form under which a room is compared and stored: without case, and without the ``#``."""
    return written.removeprefix(MARK).lower() if written.isascii() else written


def is_room(folded: str) -> bool:
    """Say whether a folded name is one that a room may have."""
    return _VALID.match(folded) is not None


class RoomPlace(msgspec.Struct, frozen=True):
    """How far a client has read in a room that it goes on in."""

    epoch: str
    offset: int


class RoomInfo(msgspec.Struct, frozen=True):
    """A further room, as a list of rooms shows it."""

    name: str
    """Folded, without ``#``."""
    members: int
    topic: str = ""
    is_lasting: bool = False
    """Whether it stays when nobody is in it and nothing is in its log any more."""
