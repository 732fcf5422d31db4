"""ID tokens of an OpenID issuer: whose they are. PyJWT verifies them; their keys come from the issuer.

Source: OpenID Connect Core 1.0, 3.1.3.7.
"""

import asyncio
import hashlib
import json
import time
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path
from typing import Final, Protocol

import jwt
import structlog

from tertulia.chat.identities import IDENTITY, Identity
from tertulia.settings.oidc import OidcSettings

_ALGORITHMS: Final = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "EdDSA",
)
"""None of them takes what everybody may know for a secret."""
_LEEWAY_SECONDS: Final = 60
"""How far the issuer's clock may be from ours."""
_PATIENCE_SECONDS: Final = 5.0
"""How long the issuer may take to answer."""
_KEPT_SECONDS: Final = 3600.0
"""How long its keys are kept. One that is not among them is asked for sooner, every 30 s at most."""
_AWAY_SECONDS: Final = 5.0
"""For how long an issuer that could not be reached is not asked again."""
_UNREACHED: Final = (OSError, HTTPException, jwt.PyJWKClientConnectionError)
_MOST_WAITING: Final = 200
_MOST_BYTES: Final = 1_000_000

_log = structlog.get_logger(__name__)


class _Keys(Protocol):
    """Where the issuer's keys are."""

    def get_jwk_set(self) -> jwt.PyJWKSet: ...

    def get_signing_key(self, kid: str) -> jwt.PyJWK: ...


class _File:
    """A JWK set in a file, read when it has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read: tuple[float, jwt.PyJWKSet] | None = None

    def get_jwk_set(self) -> jwt.PyJWKSet:
        at = self._path.stat().st_mtime
        if self._read is None or self._read[0] != at:
            self._read = at, jwt.PyJWKSet.from_json(self._path.read_text("utf-8"))
        return self._read[1]

    def get_signing_key(self, kid: str) -> jwt.PyJWK:
        try:
            return self.get_jwk_set()[kid]
        except KeyError:
            raise jwt.PyJWKClientError("no such key") from None


class IdTokens:
    """Verifies the ID tokens of one issuer, beside the event loop, one after the other."""

    def __init__(self, settings: OidcSettings) -> None:
        self._settings = settings
        self._keys: _Keys | None = None
        self._away_until = float("-inf")
        self._waiting = 0
        # One thread: what many send at once is asked of the issuer once.
        self._thread = ThreadPoolExecutor(1, "id-tokens")

    async def identify(self, token: str) -> Identity | None:
        """Return whose ID token this is; None where it proves nothing, or its issuer can't be asked."""
        if self._waiting >= _MOST_WAITING:
            return None
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._thread, self.verified, token)
        finally:
            self._waiting -= 1

    def verified(self, token: str) -> Identity | None:
        """Do as ``identify`` does, at once; it may wait for the issuer."""
        settings = self._settings
        try:
            claims = jwt.decode(
                token,
                self._key(token),
                algorithms=_ALGORITHMS,
                audience=settings.client_id,
                issuer=settings.issuer,
                leeway=_LEEWAY_SECONDS,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
        except (jwt.PyJWTError, *_UNREACHED, ValueError, RecursionError) as error:
            if isinstance(error, _UNREACHED):
                self._away_until = time.monotonic() + _AWAY_SECONDS
                _log.warning("an issuer does not give its keys", issuer=settings.issuer)
            return None
        # Core, 3.1.3.7: a token for several has to say that it was issued to us.
        if claims.get("azp", settings.client_id) != settings.client_id:
            return None
        nickname = claims.get(settings.claim)
        if not isinstance(nickname, str):
            _log.warning(
                "an ID token has no nickname", issuer=settings.issuer, claim=settings.claim
            )
            return None
        person = json.dumps([settings.issuer, claims["sub"]]).encode()
        return Identity(nickname, IDENTITY + hashlib.sha256(person).hexdigest())

    def _key(self, token: str) -> jwt.PyJWK:
        """Return the key that a token names; the only one, where it names none."""
        if time.monotonic() < self._away_until:
            raise jwt.PyJWKClientError("the issuer could not be reached just now")
        kid = jwt.get_unverified_header(token).get("kid")
        if self._keys is None:
            self._keys = _keys_of(self._settings)
        if isinstance(kid, str):
            return self._keys.get_signing_key(kid)
        keys: Sequence[jwt.PyJWK] = self._keys.get_jwk_set().keys
        if len(keys) != 1:
            raise jwt.PyJWKClientError("the token does not say which key it is signed with")
        return keys[0]


def _keys_of(settings: OidcSettings) -> _Keys:
    where = settings.jwks or _discovered(settings.issuer)
    if "://" not in where:
        return _File(Path(where))
    return jwt.PyJWKClient(where, lifespan=_KEPT_SECONDS, timeout=_PATIENCE_SECONDS)


def _discovered(issuer: str) -> str:
    """Ask an issuer where its keys are. Raises OSError, ValueError."""
    url = issuer.rstrip("/") + "/.well-known/openid-configuration"
    with urllib.request.urlopen(url, timeout=_PATIENCE_SECONDS) as answer:  # noqa: S310 - by its settings: https, or here
        found = json.loads(answer.read(_MOST_BYTES))
    if not isinstance(found, dict) or found.get("issuer") != issuer:
        raise ValueError("this is another issuer's configuration")
    where = found.get("jwks_uri")
    # Keys that came in the clear would prove nothing.
    if not isinstance(where, str) or not where.startswith(("https://", issuer)):
        raise ValueError("the issuer does not say where its keys are")
    return where
