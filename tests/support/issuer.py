"""A company's issuer of tokens: a real server on this machine, with its own keys."""

from __future__ import annotations

import base64
import hmac
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

SECRET = "client-secret"

Private = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def make_key(kind: str = "ES256") -> Private:
    """A new private key: elliptic curve or RSA."""
    if kind == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def publish(key: Private, key_id: str, **others: str) -> dict[str, Any]:
    """The public half, as an issuer lists it."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        listed = jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    else:
        listed = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {**listed, "kid": key_id, "use": "sig", **others}


def encode(value: Any) -> str:
    """Encode one part of a token."""
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def sign_with_public_key(claims: Mapping[str, Any], key: Private, key_id: str) -> str:
    """A token signed with a shared secret: the public key's text, which careless servers accept."""
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    signed = f"{encode({'alg': 'HS256', 'typ': 'JWT', 'kid': key_id})}.{encode(dict(claims))}"
    return f"{signed}.{encode(hmac.digest(public, signed.encode(), 'sha256'))}"


def write_unsigned(claims: Mapping[str, Any], key_id: str) -> str:
    """A token that claims to need no signature."""
    return f"{encode({'alg': 'none', 'kid': key_id})}.{encode(dict(claims))}."


@dataclass
class Issuer:
    """
    The issuer's keys, callers and answers.

    Attributes:
        keys: The keys by id.
        asked: How often each path was requested.
        is_away: Whether every request is answered with 503.
        people: The token claims that each client gets.
    """

    url: str = "https://issuer.example/realm"
    keys: dict[str, Private] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    is_away: bool = False
    people: dict[str, dict[str, Any]] = field(default_factory=dict)

    def describe(self) -> dict[str, Any]:
        """The document at its well-known address."""
        return {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/keys",
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "response_types_supported": ["code"],
            "grant_types_supported": ["client_credentials"],
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
            "code_challenge_methods_supported": ["S256"],
        }

    def list_keys(self) -> dict[str, Any]:
        """The document at the address of its keys."""
        return {"keys": [publish(key, key_id) for key_id, key in self.keys.items()]}

    def claim(self, audience: Any, **others: Any) -> dict[str, Any]:
        """The claims of a valid token; None as a value leaves a claim out."""
        now = int(time.time())
        usual = {"iss": self.url, "aud": audience, "iat": now, "exp": now + 300, "sub": "ada"}
        found = {**usual, "scope": "openid hours", **others}
        return {name: value for name, value in found.items() if value is not None}

    def sign(self, claims: Mapping[str, Any], key_id: str = "one", **header: Any) -> str:
        """Sign a token."""
        key = self.keys[key_id]
        algorithm = "ES256" if isinstance(key, ec.EllipticCurvePrivateKey) else "RS256"
        given = {"kid": key_id, "alg": algorithm, **header}
        # Encoded here: the library refuses some claims that a server must refuse.
        content = json.dumps(dict(claims)).encode()
        return jwt.PyJWS().encode(content, key, algorithm=given["alg"], headers=given)

    def answer(self, path: str, body: str) -> Any:
        """The answer to a request; None if nothing is at that path."""
        self.asked[path] += 1
        if path == "/.well-known/openid-configuration":
            return self.describe()
        if path == "/keys":
            return self.list_keys()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        if path == "/token" and form.get("client_secret") == SECRET:
            claims = self.claim(form["resource"], **self.people[form["client_id"]])
            return {"access_token": self.sign(claims), "token_type": "Bearer", "expires_in": 300}
        return None

    @contextmanager
    def serve(self) -> Iterator[Issuer]:
        """Serve on this machine, and set the address."""
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer("")

            def do_POST(self) -> None:
                self._answer(self.rfile.read(int(self.headers["content-length"])).decode())

            def _answer(self, body: str) -> None:
                found = None if issuer.is_away else issuer.answer(self.path, body)
                content = json.dumps(found).encode()
                self.send_response(503 if issuer.is_away else 404 if found is None else 200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                """Print nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
