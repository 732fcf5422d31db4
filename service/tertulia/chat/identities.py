"""People by whose name somebody else vouches: an issuer of ID tokens."""

from dataclasses import dataclass
from typing import Final, Protocol

IDENTITY: Final = "oidc:"
"""How an identity's name begins, which stands in place of a password's hash: no such hash does."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody, as an issuer knows them."""

    nickname: str
    """As the issuer has it; it may be no valid nickname here."""
    name: str
    """What stands in an account in place of a password's hash: the same for the same person always."""


class Identities(Protocol):
    """Those that an issuer vouches for."""

    async def identify(self, token: str) -> Identity | None:
        """Return whose ID token this is; None where it proves nothing."""
        ...
