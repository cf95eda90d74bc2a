"""The issuer whose tokens are accepted besides our own: ``issuer_url`` and related keys."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from harvest_source.api.urls import is_private, parse_url
from harvest_source.auth.profiles import check_profile
from harvest_source.config.spec import HarvestConfiguration
from harvest_source.defaults import PROFILE
from harvest_source.errors import ConfigError

_OF_WORDS: Final = frozenset({"scope", "scp"})
"""Claims whose text is a list of words separated by spaces, by RFC 8693 and by convention."""


@dataclass(frozen=True, slots=True)
class ClaimRule:
    """
    How to map the values of a claim to names.

    Attributes:
        names: Names by value; other values are ignored. None: each value is itself the name.
        never: A value that does not count as a name by itself; only *names* can map to it.
    """

    claim: str
    names: Mapping[str, str] | None = None
    never: str = ""

    def read(self, claims: Mapping[str, Any]) -> frozenset[str]:
        """The names that a token's claim maps to; empty if it is missing or maps to none."""
        value = claims.get(self.claim)
        if isinstance(value, str):
            value = value.split() if self.claim in _OF_WORDS else [value]
        if not isinstance(value, list):
            return frozenset()
        texts = {each for each in value if isinstance(each, str)}
        if self.names is None:
            return frozenset(texts - {self.never, ""})
        return frozenset(self.names[each] for each in texts if each in self.names)


@dataclass(frozen=True, slots=True)
class IssuerSettings:
    """
    An issuer of tokens.

    Attributes:
        url: Exactly as the issuer writes it in ``iss``.
    """

    url: str
    scope: ClaimRule
    profile: ClaimRule


def parse_issuer(config: HarvestConfiguration) -> IssuerSettings | None:
    """
    The company's issuer; None if there is none.

    Raises:
        ConfigError: A key has an invalid value, or needs ``issuer_url``, which is not set.
    """
    scopes = _parse_names(config.issuer_scopes, "issuer_scopes")
    profiles = _parse_names(config.issuer_profiles, "issuer_profiles")
    for name in (profiles or {}).values():
        check_profile(name, "A name in issuer_profiles")
    if not config.issuer_url:
        if (scopes, profiles) != (None, None):
            raise ConfigError(
                "issuer_scopes and issuer_profiles need issuer_url, which is not set."
            )
        return None
    return IssuerSettings(
        _check_address(config.issuer_url.strip()),
        ClaimRule(config.issuer_scope_claim, scopes),
        # Otherwise a person could get the name of the installation's own profile, whose sign-in
        # sees all rows.
        ClaimRule(config.issuer_profile_claim, profiles, never=PROFILE),
    )


def _check_address(url: str) -> str:
    parsed = parse_url(url)
    if parsed is None or not is_private(parsed) or "@" in url or "?" in url or "#" in url:
        msg = (
            "issuer_url has to be the address that the issuer's tokens have as iss, such as "
            "https://login.example.com/realms/company. It begins with https:// and has no user, "
            "query or fragment."
        )
        raise ConfigError(msg)
    return url


def _parse_names(value: Any, key: str) -> dict[str, str] | None:
    """Parse names by value, given as a section of a file or as JSON in the environment."""
    if value is None:
        return None
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = None
    if not isinstance(value, Mapping) or not all(
        isinstance(each, str) and each for pair in value.items() for each in pair
    ):
        msg = (
            f'{key} has to give each value a name: {{"value" = "name"}}; in the environment, JSON.'
        )
        raise ConfigError(msg)
    return {str(each): str(name) for each, name in value.items()}
