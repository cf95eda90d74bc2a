"""One sign-in as it is kept, and the names of profiles that keep sign-ins apart."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from harvest_source.auth.oauth import Tokens
from harvest_source.defaults import PROFILE
from harvest_source.errors import ConfigError, printable

CONFIGURED: Final = "configured"
"""In place of an account: a login that began with a refresh token of the configuration."""

ANY: Final = "any"
"""In place of an account: a login of which none was chosen."""


@dataclass(frozen=True, slots=True)
class SavedLogin:
    """
    One login with all that is known of it.

    Attributes:
        client_id: Of the app it was made with; empty for a personal access token.
        seed: Of the configured refresh token that it began with; see `vault.make_digest`.
    """

    tokens: Tokens
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    scope: str = ""
    account_id: int | None = None
    account_name: str = ""
    user: str = ""
    roles: tuple[str, ...] = ()
    signed_in_at: datetime | None = None
    seed: str = ""

    @property
    def is_personal(self) -> bool:
        """Whether it is a personal access token."""
        return not self.tokens.refresh_token


_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def check_profile(name: str) -> str:
    """
    *name*, if it can be a profile's.

    Raises:
        ConfigError: It cannot: it names a file and a section of the configuration.
    """
    if not _NAME.fullmatch(name):
        msg = (
            f"--profile cannot be {printable(name, limit=40)!r}. Use letters, digits, - and _ only."
        )
        raise ConfigError(msg)
    return name


def build_auth_command(verb: str, profile: str) -> str:
    """What to type to do *verb* to *profile*: ``harvest-source auth login --profile work``."""
    return f"harvest-source auth {verb}" + ("" if profile == PROFILE else f" --profile {profile}")
