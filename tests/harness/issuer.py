"""A small OpenID issuer: it signs people in at once, as whom a test says. Code flow with PKCE."""

import base64
import hashlib
import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT = "tertulia"


class Key:
    """A key of the issuer's."""

    def __init__(self, kid: str) -> None:
        self.kid = kid
        self.private = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def jwk(self) -> dict[str, Any]:
        """Return the public half, as a JWK."""
        found = jwt.algorithms.RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        return {**found, "kid": self.kid, "use": "sig", "alg": "RS256"}


def id_token(issuer: str, key: Key, *, algorithm: str = "RS256", **claims: Any) -> str:
    """Return an ID token, good for five minutes. A claim that is None is left out."""
    now = int(time.time())
    every = {"iss": issuer, "aud": CLIENT, "iat": now, "exp": now + 300, **claims}
    kept = {name: value for name, value in every.items() if value is not None}
    return jwt.encode(kept, key.private, algorithm, headers={"kid": key.kid})


class Issuer:
    """Runs as long as the block lasts, on loopback."""

    def __init__(self, key: Key | None = None) -> None:
        self.keys = [key or Key("first")]
        self.claims: dict[str, Any] = {"sub": "u-1", "preferred_username": "anna"}
        """What the next one to sign in is."""
        self.fetched = 0
        """How often the keys were asked for."""
        self._codes: dict[str, tuple[str, str, dict[str, Any]]] = {}
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer._get(self)

            def do_POST(self) -> None:
                issuer._post(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Be there no more."""
        self._server.shutdown()
        self._server.server_close()

    def token(self, *, key: Key | None = None, algorithm: str = "RS256", **claims: Any) -> str:
        """Return an ID token. A claim that is None is left out."""
        return id_token(
            self.url, key or self.keys[-1], algorithm=algorithm, **{**self.claims, **claims}
        )

    def _get(self, request: BaseHTTPRequestHandler) -> None:
        url = urlsplit(request.path)
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path == "/.well-known/openid-configuration":
            ends = {
                "authorization_endpoint": "authorize",
                "token_endpoint": "token",
                "jwks_uri": "keys",
            }
            _say(request, {"issuer": self.url, **{k: f"{self.url}/{v}" for k, v in ends.items()}})
        elif url.path == "/keys":
            self.fetched += 1
            _say(request, {"keys": [key.jwk() for key in self.keys]})
        elif url.path == "/authorize":
            code = secrets.token_hex(8)
            self._codes[code] = asked["code_challenge"], asked["nonce"], dict(self.claims)
            back = urlencode({"code": code, "state": asked["state"]})
            request.send_response(302)
            request.send_header("Location", f"{asked['redirect_uri']}?{back}")
            request.end_headers()
        else:
            request.send_error(404)

    def _post(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"])).decode()
        asked = {name: values[0] for name, values in parse_qs(body).items()}
        challenge, nonce, claims = self._codes.pop(asked["code"])
        digest = hashlib.sha256(asked["code_verifier"].encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != challenge:
            request.send_error(400)
            return
        token = self.token(**{"nonce": nonce, **claims})
        _say(request, {"id_token": token, "token_type": "Bearer"})


def _say(request: BaseHTTPRequestHandler, what: object) -> None:
    body = json.dumps(what).encode()
    request.send_response(200)
    request.send_header("Content-Type", "application/json")
    request.send_header("Access-Control-Allow-Origin", "*")
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)
