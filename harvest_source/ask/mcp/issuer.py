"""
Access tokens of a company's own issuer: signed by it, made for this server, and not over.

A token is a caller if its claims name one scope and one profile, as the configuration has it. What
is wrong with a token is told to the person who runs the server, and never to the caller.
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
"""Stands for the id that tokens of our own have."""

_TYPES: Final = frozenset({"jwt", "at+jwt", "application/at+jwt"})
"""An identity token or a logout token says another type, or another audience."""
_LEEWAY_S: Final = 30
"""How far the issuer's clock may be before ours. A token ends by our clock."""
_MAX_TOKEN: Final = 16_384
_MAX_TEXT: Final = 255
_REQUIRED: Final = ("iss", "aud", "exp", "sub")

Refused = Callable[[str, str], None]
"""Told of a token of the issuer that is no caller's: whose, and why."""


class IssuerTokens(TokenVerifier):
    """
    Recognizes an issuer's tokens.

    Args:
        scopes: Of the configuration.
        audience: This server's address: a token for another server counts for nothing.
        on_refused: Told of tokens that the issuer signed and that are no caller's.

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
        """What the protocol library wants to know of a token; None: it is none of a caller."""
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
        """Whom :meth:`verify_token` found."""
        claims = token.claims or {}
        return Caller(name_caller(token.subject), self._scopes[claims["scope"]], claims["profile"])

    async def _read_claims(self, token: str) -> dict[str, Any] | None:
        """The claims of a token that counts; nothing of it is believed before its signature."""
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
        """The one scope that a token names; words such as openid are no scope of ours."""
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
    """What the audit log calls a person whom the issuer names *subject*."""
    return f"{ISSUER}:{subject}"


def _take_one(rule: ClaimRule, found: frozenset[str], what: str) -> str:
    if len(found) != 1:
        number = "no" if not found else "more than one"
        raise ConfigError(f"the claim {printable(rule.claim, limit=40)} names {number} {what}")
    return next(iter(found))
