"""A saved login, and the names of the profiles that keep logins apart."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from harvest_source.auth.token_endpoint import Tokens
from harvest_source.defaults import PROFILE
from harvest_source.errors import ConfigError, printable

CONFIGURED: Final = "configured"
"""Instead of an account: the login that began with the configured refresh token."""

ANY: Final = "any"
"""Instead of an account: a login for which no account was chosen."""


@dataclass(frozen=True, slots=True)
class SavedLogin:
    """
    One login with everything that is known about it.

    Attributes:
        client_id: Of the app it was made with; empty for a personal access token.
        account_id: The account to read; None when none was chosen.
        user: The token owner's name.
        roles: The token owner's access roles in the account.
        seed: Digest of the configured refresh token it began with; see :func:`sealing.make_digest`.
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
    *name*, if it can name a profile: it becomes the name of a file and of a configuration section.

    Raises:
        ConfigError: It cannot.
    """
    if not _NAME.fullmatch(name):
        msg = (
            f"--profile cannot be {printable(name, limit=40)!r}. Use letters, digits, - and _ only."
        )
        raise ConfigError(msg)
    return name


def build_auth_command(verb: str, profile: str) -> str:
    """The command to type: ``harvest-source auth login --profile work``."""
    return f"harvest-source auth {verb}" + ("" if profile == PROFILE else f" --profile {profile}")
