"""One login, as it is kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from harvest_source.auth.oauth import Tokens

CONFIGURED: Final = "configured"
"""In place of an account: a login that began with a refresh token of the configuration."""

ANY: Final = "any"
"""In place of an account: a login of which none was chosen."""


@dataclass(frozen=True, slots=True)
class Login:
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
