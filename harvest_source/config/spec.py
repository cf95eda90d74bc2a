"""Credentials and settings that dlt resolves from ``[sources.harvest]`` of its providers."""

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
    ISSUER_PROFILE_CLAIM,
    ISSUER_SCOPE_CLAIM,
    KEEP_RUNS_DAYS,
    OVERLAP_S,
    PROFILE,
    SWEEP_EVERY,
    TOKEN_PATH,
)


@configspec
class HarvestCredentials(CredentialsConfiguration):
    """
    A personal access token, or an OAuth app with a refresh token. Without either, a run uses a
    sign-in from the vault.

    The access token takes precedence, then the refresh token, then what ``harvest-source auth
    login`` saved. The docstring below each key is its text in ``docs/configuration.md``.
    """

    access_token: TSecretStrValue | None = None
    """Personal access token. Takes precedence over every other credential."""
    client_id: str | None = None
    """Client id of your OAuth app, for `auth login` and for `refresh_token`."""
    client_secret: TSecretStrValue | None = None
    """Client secret of your OAuth app."""
    refresh_token: TSecretStrValue | None = None
    """OAuth refresh token to start from. Default: the sign-in that `auth login` saved."""

    def __repr__(self) -> str:
        return "HarvestCredentials(***)"

    __str__ = __repr__


@configspec
class HarvestConfiguration(BaseConfiguration):
    """
    Every key of ``[sources.harvest]``.

    The docstring below each key is its text in ``docs/configuration.md``; a final sentence that
    begins with "Default:" fills the column of defaults if the value here is None.
    """

    credentials: HarvestCredentials = None  # type: ignore[assignment]
    account_id: Any | None = None
    """
    One account id, or several: `[1, 2]`, in the environment also `1,2`. Default: the only Harvest
    account that the token reaches.
    """
    contact: str | None = None
    """
    E-mail address or URL for the User-Agent header, which Harvest asks for. Default: the token
    owner's e-mail address.
    """
    start_date: Any | None = None
    """
    Limits history: time entries and expenses by spent date, invoices and estimates by issue date.
    Every other table is read completely. Default: all history.
    """
    overlap: int = OVERLAP_S
    """Seconds before each cursor that are read again, at least 60."""
    rate_limit: int | None = None
    """
    Requests per 15 seconds, 1 to 100, to leave a part of the allowance to other programs. Default:
    what Harvest allows.
    """
    exclude: Any | None = None
    """
    Columns to leave out: `["users.cost_rate", "clients.address"]`, in the environment also
    `users.cost_rate,clients.address`. `sync` empties these columns if they were loaded before, and
    reads a table completely again once one of its columns is no longer left out.
    """
    include: Any | None = None
    """
    Columns to load that are otherwise left out: `invoices.client_key`, `estimates.client_key`,
    `clients.statement_key`.
    """
    full_walk: int = SWEEP_EVERY.days
    """
    Days between two reads of the messages, payments and rates of all invoices, estimates and
    people, changed or not. At most 5,000 of each are read per day, 1 % of what Harvest allows.
    """
    history: Any | None = None
    """
    Tables of which every version of a row is kept: `["projects", "users"]`, in the environment
    also `projects,users`.
    """
    audit_requests: int = AUDIT_REQUESTS
    """Pages per account that the daily audit reads again, changed or not; 0 for none."""
    keep_deleted_days: int | None = None
    """Days that `deleted_records` keeps a row. Default: without limit."""
    keep_deleted: str = "records"
    """`"ids"` keeps the ids of deleted rows without their content."""
    keep_runs_days: int = KEEP_RUNS_DAYS
    """
    Days that `sync_runs`, `verify_runs` and dlt's list of loads keep a row. Of the older rows, the
    last runs that read each table and the loads that other rows refer to are kept.
    """
    shrink_file: str = "daily"
    """
    When to shrink a DuckDB file with much free space: `"daily"`, at the end of the run with the
    audit and of any other run that leaves three tenths of it free; or `"never"`.
    """
    destination_wait: int = DESTINATION_WAIT_S
    """
    Seconds to wait for a DuckDB file that another process has open. Whatever is set here,
    `query`, `list`, `get` and `mcp` wait 30 seconds, and a page of `app` 3 seconds.
    """
    table_format: str | None = None
    """
    `delta` or `iceberg`, as `--table-format`: the format of all tables if the destination is
    `filesystem`. Default: none, and that destination is refused.
    """
    api_url: str = API_URL
    """Base URL of Harvest's API."""
    id_url: str = ID_URL
    """Harvest's identity host, used for OAuth and when `account_id` is not set."""
    oauth_token_path: str = TOKEN_PATH
    """Path of the token endpoint on `id_url`; older apps may need `/api/v1/oauth2/token`."""
    auth_profile: str = PROFILE
    """Named sign-in, as `--profile`."""
    vault_path: str | None = None
    """Folder of saved sign-ins. Default: your data folder."""
    token_command: str | None = None
    """
    Command that gets every new refresh token on stdin and stores it; run without a shell.
    """
    notify_url: TSecretStrValue | None = None
    """URL to notify of runs: a Slack webhook, a dead-man switch, or any that accepts JSON."""
    notify_on: Any | None = None
    """
    Events to notify of: some of `failure`, `partial`, `stale`, `verify`, `sign_in`, `recovered`,
    `always`.
    Default: all except `always`.
    """
    notify_style: str | None = None
    """
    `slack`, `post`, or `ping` for a dead-man switch, which is notified of every run: at the URL
    with `/start` appended, then at the URL itself, or with `/fail` appended if the run failed.
    Default: depends on the URL's host, else `post`.
    """
    issuer_url: str | None = None
    """
    Your company's issuer of tokens for the server for agents, exactly as it names itself in `iss`.
    Default: none, and only tokens from `mcp token add` are accepted.
    """
    issuer_scope_claim: str = ISSUER_SCOPE_CLAIM
    """Claim of the issuer's tokens that contains the scope."""
    issuer_scopes: Any | None = None
    """
    The scope for each value of that claim, as `{"finance-team" = "all"}`; other values are
    ignored. Default: each value is the name of a scope.
    """
    issuer_profile_claim: str = ISSUER_PROFILE_CLAIM
    """Claim of the issuer's tokens that identifies the person."""
    issuer_profiles: Any | None = None
    """
    The profile for each value of that claim, as `{"00u1a2b3" = "ada"}`; other values are ignored.
    Default: each value is the name of a profile, except `default`, which is ignored.
    """
    access_log: str | None = None
    """
    File that gets one line of JSON per request. It is rotated every 10 MB, and five older files
    are kept. Default: no log.
    """
