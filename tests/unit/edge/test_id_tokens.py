"""Whose an ID token is."""

import asyncio
import base64
import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from harness.issuer import CLIENT, Issuer, Key
from tertulia.edge import id_tokens
from tertulia.edge.id_tokens import IdTokens
from tertulia.settings.oidc import OidcSettings


@pytest.fixture(scope="module")
def key() -> Key:
    return Key("first")


@pytest.fixture
def issuer(key: Key) -> Iterator[Issuer]:
    with Issuer(key) as issuer:
        yield issuer


def tokens(issuer: Issuer, **settings: object) -> IdTokens:
    given = {"issuer": issuer.url, "client_id": CLIENT, **settings}
    return IdTokens(OidcSettings.model_validate(given))


async def test_it_says_who_somebody_is_always_by_the_same_name(issuer: Issuer) -> None:
    ours = tokens(issuer)

    first = await ours.identify(issuer.token())
    later = await ours.identify(issuer.token(preferred_username="anna.b"))
    other = await ours.identify(issuer.token(sub="u-2"))

    assert first is not None and later is not None and other is not None
    assert (first.nickname, later.nickname) == ("anna", "anna.b")
    assert first.name == later.name != other.name
    assert first.name.startswith("oidc:") and "u-1" not in first.name
    assert issuer.fetched == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"aud": "another"},
        {"iss": "https://elsewhere.example"},
        {"exp": 1_000_000_000},
        {"nbf": 4_000_000_000},
        {"exp": None},
        {"sub": None},
        {"preferred_username": None},
        {"preferred_username": ["anna"]},
        {"aud": [CLIENT, "another"], "azp": "another"},
    ],
    ids=str,
)
async def test_what_is_not_for_us_or_not_now_proves_nothing(
    issuer: Issuer, wrong: dict[str, Any]
) -> None:
    ours = tokens(issuer)

    assert await ours.identify(issuer.token()) is not None
    assert await ours.identify(issuer.token(**wrong)) is None


async def test_nobody_else_can_sign(issuer: Issuer, key: Key) -> None:
    ours = tokens(issuer)
    claims = jwt.decode(issuer.token(), options={"verify_signature": False})
    public = key.private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )

    assert await ours.identify(issuer.token(key=Key("first"))) is None
    assert await ours.identify(jwt.encode(claims, "", "none", {"kid": "first"})) is None
    # The public half, which everybody has, as if it were a secret.
    # PyJWT refuses to sign so, so this is put together by hand.
    unsigned = jwt.encode(claims, "x" * 32, "HS256", {"kid": "first"}).rpartition(".")[0]
    signature = hmac.digest(public, unsigned.encode(), "sha256")
    forged = b".".join((unsigned.encode(), base64.urlsafe_b64encode(signature).rstrip(b"=")))
    assert await ours.identify(forged.decode()) is None
    for text in ("", "a.b.c", "…", issuer.token()[:-4], "." * 1000):
        assert await ours.identify(text) is None


async def test_a_header_that_is_nested_too_deeply_proves_nothing(issuer: Issuer) -> None:
    bomb = base64.urlsafe_b64encode(b"[" * 9000).decode()

    assert await tokens(issuer).identify(f"{bomb}.e30.e30") is None


async def test_an_issuer_that_speaks_no_http_is_away() -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"no HTTP\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    ours = IdTokens(
        OidcSettings.model_validate({"issuer": f"http://127.0.0.1:{port}", "client_id": CLIENT})
    )
    claims = {"sub": "u-1"}

    assert await ours.identify(jwt.encode(claims, "x" * 32, "HS256")) is None
    assert ours._away_until > 0
    server.close()


async def test_a_new_key_is_taken_and_one_that_is_not_there_is_asked_for_seldom(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    ours = tokens(issuer)
    assert await ours.identify(issuer.token()) is not None

    issuer.keys.append(Key("second"))
    for _ in range(20):
        assert await ours.identify(issuer.token()) is None
    assert issuer.fetched == 1

    now += 31
    assert await ours.identify(issuer.token()) is not None
    assert issuer.fetched == 2


async def test_keys_may_be_in_a_file_that_changes(issuer: Issuer, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    ours = tokens(issuer, jwks=str(file))
    assert await ours.identify(issuer.token()) is None  # there is none yet

    ours._away_until = 0.0
    file.write_text(json.dumps({"keys": [issuer.keys[0].jwk()]}))

    assert await ours.identify(issuer.token()) is not None
    assert issuer.fetched == 0


async def test_an_issuer_that_is_away_is_not_asked_again_at_once(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[object]()

    def nobody(settings: object) -> None:
        asked.append(settings)
        raise ConnectionRefusedError

    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    monkeypatch.setattr(id_tokens, "_keys_of", nobody)
    ours = tokens(issuer)
    for _ in range(50):
        assert await ours.identify(issuer.token()) is None
    assert len(asked) == 1

    now += 6
    assert await ours.identify(issuer.token()) is None
    assert len(asked) == 2
