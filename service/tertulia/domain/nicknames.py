"""Nicknames: what is valid, what is reserved, and when two are the same.

Source: the protocols' README, "Nicknames".
"""

import re

MAX_LENGTH = 32
SERVER = "G"
"""The server's own encoder."""

_VALID = re.compile(r"[A-Za-z0-9._+-]{1,32}\Z")
_RESERVED = frozenset({"g", "fine", "stop", "close", "null"})


def fold(nickname: str) -> str:
    """Return the form under which a nickname is compared and stored (without case)."""
    # Beyond ASCII no nickname is valid, and some letters there (the Kelvin sign) fold into it.
    folded = nickname.lower() if nickname.isascii() else nickname
    return nickname if folded == nickname else folded  # most are, and are kept under both


def is_well_formed(nickname: str) -> bool:
    """Say whether a nickname has the right length and characters."""
    return _VALID.match(nickname) is not None


def is_valid(nickname: str) -> bool:
    """Say whether a nickname is well formed and not reserved."""
    return is_well_formed(nickname) and fold(nickname) not in _RESERVED
