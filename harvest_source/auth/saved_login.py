"""A saved login."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from harvest_source.auth.token_endpoint import Tokens

CONFIGURED: Final = "configured"
"""Stands for the account of the login that began with the configured refresh token."""

ANY: Final = "any"
"""Stands for the account of a login for which no account was chosen."""


@dataclass(frozen=True, slots=True)
class SavedLogin:
    """
    One login and everything known about it.

    Attributes:
        client_id: Client id of the app it was made with; empty for a personal access token.
        account_id: The account to read; None if none was chosen.
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
