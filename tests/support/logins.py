"""A login as a vault stores it."""

from __future__ import annotations

from datetime import UTC, datetime

from harvest_source.auth.saved_login import SavedLogin
from harvest_source.auth.token_endpoint import Tokens
from harvest_source.auth.vault import Vault

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
LOGIN = SavedLogin(
    Tokens("1001.at.access-secret", "1001.rt.refresh-secret", NOW, NOW),
    client_id="app",
    client_secret="client-secret",
    scope="harvest:1000001",
    account_id=1000001,
    account_name="Acmé",
    user="Ada Abbott",
    roles=("administrator",),
    signed_in_at=NOW,
    seed="x:y",
)


def keep(vault: Vault, profile: str = "default", account: str = "1000001") -> None:
    """Save :data:`LOGIN` in *vault*."""
    with vault.lock(profile):
        vault.write(profile, account, LOGIN)
