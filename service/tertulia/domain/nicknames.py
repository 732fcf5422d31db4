"""Nicknames: which are valid, which are reserved, and when two are the same.

Source: docs/protocols/README.md, "Nicknames".
"""

import re

MAX_LENGTH = 32
SERVER = "G"
"""The nickname under which the server itself speaks."""

_VALID = re.compile(r"[A-Za-z0-9._+-]{1,32}\Z")
_RESERVED = frozenset({"g", "fine", "stop", "close", "null"})


def fold(nickname: str) -> str:
    """Return the form under which a nickname is compared and stored (without case)."""
    # Only ASCII nicknames are valid, but some other letters (the Kelvin sign) fold into ASCII.
    folded = nickname.lower() if nickname.isascii() else nickname
    return nickname if folded == nickname else folded  # most are: both are then one string


def is_well_formed(nickname: str) -> bool:
    """Say whether a nickname has the right length and characters."""
    return _VALID.match(nickname) is not None


def is_valid(nickname: str) -> bool:
    """Say whether a nickname is well formed and not reserved."""
    return is_well_formed(nickname) and fold(nickname) not in _RESERVED
