"""Credentials and settings as dlt resolves them: ``[sources.harvest]`` of its providers."""

from __future__ import annotations

from typing import Any

from dlt.common.configuration import configspec
from dlt.common.configuration.specs import BaseConfiguration, CredentialsConfiguration
from dlt.common.typing import TSecretStrValue

from harvest_source.defaults import (
    API_URL,
    AUDIT_REQUESTS,
    DESTINATION_WAIT_S,
    ID_URL,
    OVERLAP_S,
    PROFILE,
    SWEEP_EVERY,
    TOKEN_PATH,
)


@configspec
class HarvestCredentials(CredentialsConfiguration):
    """
    A personal access token, or an app with a refresh token; neither: a login kept in the vault.

    A personal access token is bound to a person, revocable, without expiry, and counts before the
    others. An app without a refresh token is what ``harvest-source auth login`` signs in with.
    """

    access_token: TSecretStrValue | None = None
    client_id: str | None = None
    client_secret: TSecretStrValue | None = None
    refresh_token: TSecretStrValue | None = None

    def __repr__(self) -> str:
        return "HarvestCredentials(***)"

    __str__ = __repr__


@configspec
class HarvestConfiguration(BaseConfiguration):
    """Every key of ``[sources.harvest]``; what they mean is in the README."""

    credentials: HarvestCredentials = None  # type: ignore[assignment]
    account_id: Any | None = None
    contact: str | None = None
    start_date: Any | None = None
    overlap: int = OVERLAP_S
    rate_limit: int | None = None
    exclude: Any | None = None
    include: Any | None = None
    full_walk: int = SWEEP_EVERY.days
    history: Any | None = None
    audit_requests: int = AUDIT_REQUESTS
    keep_deleted_days: int | None = None
    keep_deleted: str = "records"
    destination_wait: int = DESTINATION_WAIT_S
    api_url: str = API_URL
    id_url: str = ID_URL
    oauth_token_path: str = TOKEN_PATH
    auth_profile: str = PROFILE
    vault_path: str | None = None
    token_command: str | None = None
    access_log: str | None = None
