"""Invitations: codes with which somebody makes an account where registration is by invitation.

A code has 80 random bits. So its plain hash is kept: nobody finds the code of a hash by trying.
"""

import hashlib
import secrets
from typing import Final

_SIGNS: Final = "abcdefghjkmnpqrstuvwxyz023456789"
"""32 signs, of which no two look alike."""
_GROUPS: Final = 4


def new_code() -> str:
    """Return a code that nobody has seen, in groups that people can read out."""
    groups = ("".join(secrets.choice(_SIGNS) for _ in range(4)) for _ in range(_GROUPS))
    return "-".join(groups)


def kept(code: str) -> str:
    """Return what is kept of a code, however somebody has typed its case and its hyphens."""
    return hashlib.sha256(code.replace("-", "").lower().encode(errors="replace")).hexdigest()
