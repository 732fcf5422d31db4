"""AUTHENTICATE: SASL PLAIN before registration. Sources: ircv3.net, "SASL"; RFC 4616."""

from base64 import b64decode
from collections.abc import Iterator
from typing import Final

from tertulia.dialects.irc import numerics
from tertulia.dialects.irc.client import IrcClient
from tertulia.domain.commands import Command, ProveAccount, ReadReply
from tertulia.domain.nicknames import fold
from tertulia.domain.text import clean

MECHANISM: Final = "PLAIN"
_CHUNK: Final = 400
"""Bytes in a line; a shorter one is the last one."""
_MOST_CHUNKS: Final = 14
"""The longest nickname, given twice, and password need so many."""


class SaslExchange:
    """One client's proofs, one after the other."""

    __slots__ = ("_chunks", "_client")

    def __init__(self, client: IrcClient) -> None:
        self._client = client
        self._chunks: list[str] | None = None

    @property
    def is_open(self) -> bool:
        """Whether the client has chosen a mechanism and not said all."""
        return self._chunks is not None

    def take(self, written: str) -> Iterator[Command]:
        """Yield what an AUTHENTICATE command does."""
        if written == "*":
            yield self.abort()
        elif self._chunks is None:
            yield self._begin(written)
        elif len(written) > _CHUNK or len(self._chunks) == _MOST_CHUNKS:
            is_long_line, self._chunks = len(written) > _CHUNK, None
            yield self._answer(numerics.SASL_TOO_LONG if is_long_line else numerics.SASL_FAILED)
        else:
            self._chunks.append("" if written == "+" else written)
            if len(written) < _CHUNK:
                said, self._chunks = "".join(self._chunks), None
                yield _proof(said) or self._answer(numerics.SASL_FAILED)

    def abort(self) -> Command:
        """Forget what was said, and say so."""
        self._chunks = None
        return self._answer(numerics.SASL_ABORTED)

    def _begin(self, mechanism: str) -> Command:
        client = self._client
        if mechanism.upper() != MECHANISM:
            others = client.numeric(numerics.SASL_MECHANISMS, MECHANISM)
            return ReadReply(client.answer([others, client.numeric(numerics.SASL_FAILED)]))
        self._chunks = []
        return ReadReply(client.answer([f":{client.server.name} AUTHENTICATE +"]))

    def _answer(self, numeric: numerics.Numeric) -> Command:
        return ReadReply(self._client.answer([self._client.numeric(numeric)]))


def _proof(said: str) -> Command | None:
    """Return what proves who a client is; None where it is no such thing."""
    try:
        # RFC 4616, 2: "message = [authzid] UTF8NUL authcid UTF8NUL passwd"
        behalf, nickname, password = b64decode(said, validate=True).decode().split("\0")
    except ValueError:
        return None
    if behalf and fold(behalf) != fold(nickname):
        return None
    return ProveAccount(nickname, clean(password))
