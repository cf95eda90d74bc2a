"""
Access tokens of a company's own issuer: signed by it, made for this server, and not expired.

A token identifies a caller if its claims, read as configured, name one scope and one profile. If
they do not, the reason goes to the server's audit log, and never to the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import jwt
from mcp.server.auth.provider import AccessToken, TokenVerifier

from harvest_source.ask.access import Caller
from harvest_source.ask.mcp.issuer_keys import ALGORITHMS, IssuerKeys
from harvest_source.ask.scopes import Scope
from harvest_source.auth.profiles import check_profile
from harvest_source.config.issuer import ClaimRule, IssuerSettings
from harvest_source.errors import ConfigError, printable

ISSUER: Final = "issuer"
"""Client id of the issuer's tokens, where our own tokens have the token's id."""

_TYPES: Final = frozenset({"jwt", "at+jwt", "application/at+jwt"})
"""Types of access tokens. Identity and logout tokens have another type, or another audience."""
_LEEWAY_S: Final = 30
"""How far the issuer's clock may be ahead of ours. Our clock decides when a token expires."""
_MAX_TOKEN: Final = 16_384
_MAX_TEXT: Final = 255
_REQUIRED: Final = ("iss", "aud", "exp", "sub")

Refused = Callable[[str, str], None]
"""Called with the caller's name and the reason when a token that the issuer signed is refused."""


class IssuerTokens(TokenVerifier):
    """
    Recognizes an issuer's tokens.

    Args:
        scopes: The configured scopes.
        audience: This server's address: a token for another server is not accepted.
        on_refused: Called for tokens that the issuer signed but that identify no caller.

    Raises:
        ConfigError: The settings name a scope that is not in the configuration.
    """

    def __init__(
        self,
        settings: IssuerSettings,
        keys: IssuerKeys,
        scopes: Mapping[str, Scope],
        audience: str,
        on_refused: Refused,
    ) -> None:
        self.settings = settings
        self._keys = keys
        self._scopes = scopes
        self._audience = audience
        self._on_refused = on_refused
        for name in (settings.scope.names or {}).values():
            if name not in scopes:
                raise ConfigError(f"issuer_scopes names a scope that does not exist: {name[:40]}.")

    async def verify_token(self, token: str) -> AccessToken | None:
        """Describe a token for the protocol library; None: it identifies no caller."""
        claims = await self._read_claims(token)
        if claims is None:
            return None
        subject = claims["sub"]
        try:
            scope, profile = self._find_scope(claims), self._find_profile(claims)
        except ConfigError as error:
            self._on_refused(name_caller(subject), str(error))
            return None
        return AccessToken(
            token="",
            client_id=ISSUER,
            scopes=[],
            expires_at=int(claims["exp"]),
            resource=self._audience,
            subject=subject,
            claims={"iss": self.settings.url, "scope": scope, "profile": profile},
        )

    def find_caller(self, token: AccessToken) -> Caller:
        """Return the caller that :meth:`verify_token` found."""
        claims = token.claims or {}
        return Caller(name_caller(token.subject), self._scopes[claims["scope"]], claims["profile"])

    async def _read_claims(self, token: str) -> dict[str, Any] | None:
        """Return a valid token's claims, or None; nothing is trusted before the signature check."""
        try:
            header = jwt.get_unverified_header(token) if len(token) <= _MAX_TOKEN else {}
        except jwt.PyJWTError:
            return None
        algorithm, key_id = header.get("alg"), header.get("kid")
        is_known = algorithm in ALGORITHMS and isinstance(key_id, str) and "crit" not in header
        if not is_known or str(header.get("typ", "jwt")).lower() not in _TYPES:
            return None
        key = await self._keys.find(str(key_id), str(algorithm))
        if key is None:
            return None
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[str(algorithm)],
                audience=self._audience,
                issuer=self.settings.url,
                leeway=_LEEWAY_S,
                options={"require": list(_REQUIRED), "enforce_minimum_key_length": True},
            )
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError):
            return None
        subject = claims["sub"]
        is_name = isinstance(subject, str) and 0 < len(subject) <= _MAX_TEXT
        return claims if is_name and subject.isprintable() else None

    def _find_scope(self, claims: Mapping[str, Any]) -> str:
        """Find the one scope that a token names; words such as openid are not our scopes."""
        rule = self.settings.scope
        found = rule.read(claims) & {*self._scopes}
        return _take_one(rule, found, "scope of the configuration")

    def _find_profile(self, claims: Mapping[str, Any]) -> str:
        rule = self.settings.profile
        found = _take_one(rule, rule.read(claims), "profile")
        try:
            return check_profile(found)
        except ConfigError:
            msg = f"the claim {printable(rule.claim, limit=40)} is no name that a profile can have"
            raise ConfigError(msg) from None


def name_caller(subject: str | None) -> str:
    """Return the audit log's name for a person whom the issuer calls *subject*."""
    return f"{ISSUER}:{subject}"


def _take_one(rule: ClaimRule, found: frozenset[str], what: str) -> str:
    if len(found) != 1:
        number = "no" if not found else "more than one"
        raise ConfigError(f"the claim {printable(rule.claim, limit=40)} names {number} {what}")
    return next(iter(found))
