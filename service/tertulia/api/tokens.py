"""Who may use the API: a TOML file of names, each with the digest of its token and what it may do.

[[tokens]]
name = "alertmanager"
sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
scopes = ["say"]
rooms = ["ops"]
"""

import hashlib
import secrets
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from tertulia.domain.nicknames import fold, is_valid
from tertulia.domain.rooms import is_room

LOBBY: Final = "lobby"
"""What the lobby is called in paths and in the file."""
ANY_ROOM: Final = "*"
_PREFIX: Final = "tertulia_"
"""What every token begins with, so that programs that look for lost secrets find it."""


_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Scope(StrEnum):
    """What a token may be allowed to do."""

    SAY = "say"
    """Say something, under the name of the token."""
    READ = "read"
    """Read what is said, and who is there."""
    MODERATE = "moderate"
    """Do in the token's rooms what moderators may do."""
    OPERATE = "operate"
    """Nodes, bans, accounts, appointments: of the whole chat."""


READING: Final = frozenset({Scope.READ, Scope.MODERATE, Scope.OPERATE})
"""The scopes with which one may read."""


class Token(BaseModel):
    """One who may use the API."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """Who it is: in the audit log, and as whom it speaks."""
    sha256: _Digest
    """Of the token."""
    previous_sha256: _Digest | None = None
    """Of the one before it, which is good as well while it stands here: so its holder changes over."""
    scopes: frozenset[Scope]
    rooms: tuple[str, ...] = (ANY_ROOM,)
    """Further rooms, without ``#``, and ``lobby``; ``*``: all of them."""
    chat: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,32}$")] = "main"

    @field_validator("name")
    @classmethod
    def _is_nickname(cls, value: str) -> str:
        if not is_valid(value):
            raise ValueError("a name is 1 to 32 of A-Z a-z 0-9 . _ + -, as a nickname is")
        return value

    @field_validator("rooms")
    @classmethod
    def _are_rooms(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for room in value:
            if room != ANY_ROOM and not is_room(room):
                raise ValueError(
                    f"{room!r} is no room: it is 1 to 32 of a-z 0-9 . _ + -, lobby, or * for all"
                )
        return value

    def covers(self, room: str) -> bool:
        """Say whether a room, by its folded name, is one of its rooms."""
        return ANY_ROOM in self.rooms or room in self.rooms

    def reads(self, room: str) -> bool:
        """Say whether it may read what is said in a room, by its folded name."""
        return self.covers(room) and bool(self.scopes & READING)

    @property
    def key(self) -> str:
        """The name, folded."""
        return fold(self.name)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    tokens: list[Token] = []


class TokensUnusable(Exception):
    """The file can't be used. The text says where, why, and what to do; no secret is in it."""


class Tokens:
    """The tokens of a file, as they were when it was read."""

    def __init__(self, tokens: Mapping[str, Token]) -> None:
        """``tokens``: by digest."""
        self._tokens = dict(tokens)

    def __len__(self) -> int:
        return len(self._tokens)

    @classmethod
    def load(cls, file: Path) -> Self:
        """Read a file. Raises TokensUnusable."""
        try:
            read = _File.model_validate(tomllib.loads(file.read_text("utf-8")))
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is no UTF-8"
            raise TokensUnusable(f"api.tokens {file} can't be read ({why})") from error
        except ValidationError as error:
            raise TokensUnusable(f"api.tokens {file}: {_first(error)}") from error
        except (
            ValueError,
            RecursionError,
        ) as error:  # a number of 5,000 digits, 5,000 lists in one another
            raise TokensUnusable(f"api.tokens {file} is no TOML ({error})") from error
        found: dict[str, Token] = {}
        names: set[tuple[str, str]] = set()
        for token in read.tokens:
            former = token.model_copy(update={"sha256": token.previous_sha256})
            of_it = [it for it in (token, former) if it.sha256 is not None]
            if (token.chat, token.key) in names or any(it.sha256 in found for it in of_it):
                raise TokensUnusable(
                    f"api.tokens {file}: {token.name} is there twice, or its token is another one's too"
                )
            found |= {it.sha256: it for it in of_it}
            names.add((token.chat, token.key))
        return cls(found)

    def by_digest(self, sha256: str) -> Token | None:
        """Return the token with a digest; None where there is none."""
        return self._tokens.get(sha256)

    def find(self, secret: str) -> Token | None:
        """Return whose token it is; None: nobody's. It is compared by digest, so time tells nothing."""
        return self.by_digest(digest(secret))


def digest(secret: str) -> str:
    """Return what the file has of a token."""
    return hashlib.sha256(secret.encode(errors="surrogateescape")).hexdigest()


def new_secret() -> str:
    """Return a new token: 256 random bits."""
    return _PREFIX + secrets.token_urlsafe(32)


def _first(error: ValidationError) -> str:
    problem = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(str(step) for step in problem["loc"])
    return f"{where}: {problem['msg']}"
