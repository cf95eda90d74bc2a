"""
The public keys of an issuer: found through its own metadata, cached, and refreshed.

They are fetched only over ``https``, or from this machine; redirects are not followed. While the
issuer does not answer, the cached keys stay valid for an hour after they were read, and no others.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import anyio
import anyio.to_thread
import httpx
from jwt import PyJWK, PyJWTError

from harvest_source.api.http_client import open_client
from harvest_source.api.urls import is_private, parse_url
from harvest_source.ask.trouble import Trouble
from harvest_source.clock import Clock
from harvest_source.errors import HarvestError, printable
from harvest_source.exit_codes import ExitCode

REFRESH_S: Final = 600.0
"""Age at which keys are fetched again: the issuer may have withdrawn one."""
KEEP_S: Final = 3600.0
"""Age up to which keys stay valid while the issuer does not answer."""
RETRY_S: Final = 30.0
"""Minimum time between requests to the issuer: forged tokens must not make us flood it."""

_REQUEST_S: Final = 10.0
_MAX_BYTES: Final = 512 * 1024
_MAX_KEYS: Final = 100

_RSA: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_OF_KIND: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("RSA", ""): _RSA,
    ("EC", "P-256"): ("ES256",),
    ("EC", "P-384"): ("ES384",),
    ("EC", "P-521"): ("ES512",),
    ("OKP", "Ed25519"): ("EdDSA",),
}
"""By type and curve of a key: the allowed algorithms. None of them uses a shared secret."""
ALGORITHMS: Final = frozenset(name for names in _OF_KIND.values() for name in names)

_PUBLIC: Final = ("kty", "crv", "x", "y", "n", "e")

Keys = Mapping[tuple[str, str], PyJWK]
"""Public keys by key id and algorithm."""


class IssuerUnreachable(HarvestError):
    """The issuer gave no usable keys; the message is the end of a sentence that says why."""

    exit_code = ExitCode.AUTHENTICATION


class IssuerKeys:
    """
    Keys of one issuer. For use in one event loop.

    Args:
        fetch: Fetches the keys from the issuer; runs in a thread.
        trouble: Reports that the issuer gives no keys.
    """

    def __init__(self, fetch: Callable[[], Keys], clock: Clock, trouble: Trouble) -> None:
        self._fetch = fetch
        self._clock = clock
        self._trouble = trouble
        self._keys: Keys = {}
        self._read_at = self._tried_at = -KEEP_S
        self._has_tried = False
        self._lock = anyio.Lock()

    async def find(self, key_id: str, algorithm: str) -> PyJWK | None:
        """Find the key with this id for this algorithm; None: there is no valid one."""
        if self._wants_news(key_id) and not (self._has(key_id) and self._lock.locked()):
            async with self._lock:  # Calls that wait for another's request hold no thread.
                if self._wants_news(key_id) and self._may_ask():
                    await anyio.to_thread.run_sync(self._refresh)
        return self._keys.get((key_id, algorithm)) if self._has(key_id) else None

    def _has(self, key_id: str) -> bool:
        is_known = any(each == key_id for each, _ in self._keys)
        return is_known and self._clock.monotonic() - self._read_at < KEEP_S

    def _wants_news(self, key_id: str) -> bool:
        return not self._has(key_id) or self._clock.monotonic() - self._read_at >= REFRESH_S

    def _may_ask(self) -> bool:
        return not self._has_tried or self._clock.monotonic() - self._tried_at >= RETRY_S

    def _refresh(self) -> None:
        self._has_tried, self._tried_at = True, self._clock.monotonic()
        try:
            self._keys = self._fetch()
        except HarvestError as error:
            self._trouble.begin(
                f"The issuer gave no keys: {error}. Until it does, tokens signed with keys that "
                "are not known yet are refused, and an hour after its last answer all tokens."
            )
        else:
            self._read_at = self._clock.monotonic()
            self._trouble.end()


def fetch_keys(issuer: str, get: Callable[[str], Any] | None = None) -> Keys:
    """
    Fetch an issuer's keys.

    Args:
        issuer: Address of the issuer, exactly as in its tokens.
        get: Fetches a JSON document; replaced in tests.

    Raises:
        IssuerUnreachable: The issuer did not answer, or its answer is not usable.
    """
    read = get or get_json
    described = _read_description(issuer, read)
    if described.get("issuer") != issuer:
        found = printable(described.get("issuer", "nothing"), limit=100)
        msg = f"{issuer} calls itself {found}; issuer_url has to be exactly that"
        raise IssuerUnreachable(msg)
    address = described.get("jwks_uri")
    parsed = parse_url(address) if isinstance(address, str) else None
    if parsed is None or not is_private(parsed):
        msg = f"{issuer} names no address of its keys that begins with https://"
        raise IssuerUnreachable(msg)
    content = read(str(address))
    listed = content.get("keys") if isinstance(content, dict) else None
    keys = dict(_iter_keys(listed if isinstance(listed, list) else []))
    if not keys:
        raise IssuerUnreachable(f"{issuer} has no key that can be used")
    return keys


def get_json(url: str) -> Any:
    """
    Fetch the JSON document at *url*.

    Raises:
        IssuerUnreachable: There is no answer, or it is too long or not JSON.
    """
    shown = printable(url, limit=100)
    # Uncompressed, so that the limit on received bytes is also the limit on the content.
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    client = open_client(
        httpx.URL(url), auth=None, headers=headers, transport=None, request_s=_REQUEST_S
    )
    content = b""
    try:
        with client, client.stream("GET", url) as answer:
            if answer.status_code != httpx.codes.OK:
                raise IssuerUnreachable(f"{shown} answered {answer.status_code}")
            for part in answer.iter_raw():
                content += part
                if len(content) > _MAX_BYTES:
                    raise IssuerUnreachable(f"{shown} answered with more than is allowed")
        return json.loads(content)
    except httpx.HTTPError as error:
        why = printable(error, limit=100) or type(error).__name__
        raise IssuerUnreachable(f"{shown} did not answer ({why})") from error
    except (ValueError, RecursionError) as error:
        raise IssuerUnreachable(f"{shown} did not answer with JSON") from error


def _read_description(issuer: str, read: Callable[[str], Any]) -> dict[str, Any]:
    """Fetch an issuer's metadata, from where OpenID Connect or RFC 8414 put it."""
    base = httpx.URL(issuer.rstrip("/"))
    path = "/.well-known/oauth-authorization-server" + base.path.rstrip("/")
    for address in (f"{base}/.well-known/openid-configuration".replace("//.", "/."), None):
        try:
            found = read(address or str(base.copy_with(path=path)))
        except IssuerUnreachable:
            if address is None:
                raise
            continue
        if isinstance(found, dict):
            return found
    raise IssuerUnreachable(f"{issuer} does not describe itself")


def _iter_keys(listed: list[Any]) -> Iterator[tuple[tuple[str, str], PyJWK]]:
    """Yield the keys that tokens may be signed with, without their private parts."""
    for each in listed[:_MAX_KEYS]:
        if not isinstance(each, dict) or each.get("use", "sig") != "sig":
            continue
        kind = str(each.get("kty")), str(each.get("crv") or "")
        key_id, stated = each.get("kid"), each.get("alg")
        for algorithm in _OF_KIND.get(kind, ()):
            if not isinstance(key_id, str) or stated not in (None, algorithm):
                continue
            try:
                key = PyJWK({name: each[name] for name in _PUBLIC if name in each}, algorithm)
            except (PyJWTError, ValueError, TypeError, KeyError):
                continue
            yield (key_id, algorithm), key
