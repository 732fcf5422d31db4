"""Tokens: they prove to any node who a lost session was."""

import hashlib
import secrets


def new_token() -> str:
    """Make a token that nobody can guess."""
    return secrets.token_urlsafe(18)


def token_key(token: str) -> str:
    """Return the name under which a token is known to the store, which never sees the token itself."""
    return hashlib.sha256(token.encode()).hexdigest()[:32] if token else ""
