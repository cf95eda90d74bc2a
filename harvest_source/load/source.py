"""The dlt source: settings in, one resource per table out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import dlt
from dlt.extract import DltResource

from harvest_source.auth.saved_login import check_profile
from harvest_source.auth.sessions import Sessions
from harvest_source.config.resolve import find_value, read_credentials
from harvest_source.config.sign_in import HttpContext
from harvest_source.config.spec import HarvestConfiguration, HarvestCredentials
from harvest_source.defaults import API_URL, ID_URL, OVERLAP_S, PROFILE, SWEEP_EVERY, TOKEN_PATH
from harvest_source.extract.extraction import Extraction
from harvest_source.extract.options import ReadOptions
from harvest_source.extract.run_log import RunLog
from harvest_source.load.duckdb_catalog import name_catalogs
from harvest_source.load.history import Versions
from harvest_source.load.resources import build_resource, excluded_columns
from harvest_source.load.settings import Settings, build_connection, build_options, watch
from harvest_source.schema.endpoint import Endpoint
from harvest_source.schema.endpoints import BY_NAME, ENDPOINTS

NAME = "harvest"

name_catalogs()


@dlt.source(name=NAME, section=NAME, spec=HarvestConfiguration)
def harvest(
    credentials: HarvestCredentials = dlt.secrets.value,
    account_id: Any = None,
    contact: str | None = None,
    start_date: Any = None,
    overlap: int = OVERLAP_S,
    rate_limit: int | None = None,
    exclude: Any = None,
    include: Any = None,
    full_walk: int = SWEEP_EVERY.days,
    history: Any = None,
    api_url: str = API_URL,
    id_url: str = ID_URL,
    oauth_token_path: str = TOKEN_PATH,
    auth_profile: str = PROFILE,
    vault_path: str | None = None,
    token_command: str | None = None,
    access_log: str | None = None,
) -> Iterable[DltResource]:
    """
    Every table of one or more Harvest accounts.

    All or nothing: an error raises and nothing moves. A table that the token may not read is left
    out with a warning in the log. No I/O until rows are drawn.

    Args:
        credentials: A personal access token or an app with a refresh token, from dlt's
            configuration; without either, what ``harvest-source auth login`` has kept.
        account_id: One id or several; None: the only Harvest account the token reaches.
        contact: E-mail or URL for the User-Agent; None: the token owner's e-mail.
        start_date: Bound of history for tables with a date; None: all of it.
        overlap: Seconds read again before each cursor, at least 60.
        rate_limit: Requests per 15 s, downwards only.
        exclude: ``table.column`` names to leave out.
        include: ``table.column`` names left out otherwise: keys that open documents.
        full_walk: Days between two walks over all parents of messages, payments and rates.
        history: Tables of which every version is kept, in ``<table>_history``.
        api_url: Harvest's API. Plain http only on a loopback address.
        id_url: Harvest's identity host; not asked when *account_id* and an access token are given.
        oauth_token_path: Of the token endpoint on *id_url*.
        auth_profile: Named sign-in; its credentials are its own section's or the vault's.
        vault_path: Folder of kept sign-ins; None: the user's own.
        token_command: Is handed every new refresh token on stdin.
        access_log: File that gets a line for every request; None: no log.

    Raises:
        ConfigError: A setting that cannot work.
    """
    config = HarvestConfiguration()
    config.credentials = credentials
    config.account_id, config.contact, config.rate_limit = account_id, contact, rate_limit
    config.api_url, config.id_url, config.oauth_token_path = api_url, id_url, oauth_token_path
    config.auth_profile, config.vault_path = auth_profile, vault_path
    config.token_command, config.access_log = token_command, access_log
    if check_profile(auth_profile) != PROFILE:
        config.credentials = read_credentials(auth_profile)
        config.account_id = find_value("account_id", auth_profile)[0] or account_id
    run_log = DltRunLog()
    settings = Settings(
        connection=build_connection(config, watch(config, HttpContext(on_warning=run_log.warn))),
        options=build_options(
            start_date=start_date,
            overlap=overlap,
            exclude=exclude,
            include=include,
            full_walk=full_walk,
            history=history,
        ),
    )
    reading = Extraction(Sessions(settings.connection), settings.options, run_log)
    forget_detections()
    resources = [
        build_resource(endpoint, reading, build_versions(endpoint, settings.options))
        for endpoint in ENDPOINTS
    ]
    for resource in resources:
        resource.selected = BY_NAME[resource.name].default
    return resources


class DltRunLog(RunLog):
    """For plain dlt use, where nobody reads a report: skips and warnings go to dlt's log."""

    def skip(self, table: str, account_id: int, reason: str) -> None:
        super().skip(table, account_id, reason)
        dlt.common.logger.warning(f"{table} of account {account_id} is left out: {reason}")

    def warn(self, message: str) -> None:
        super().warn(message)
        dlt.common.logger.warning(message)


def build_versions(endpoint: Endpoint, options: ReadOptions) -> Versions | None:
    """The history of one table, if it is to be kept."""
    if endpoint.name not in options.history:
        return None
    return Versions(endpoint, excluded_columns(endpoint, options.exclude))


def forget_detections() -> None:
    """Text that looks like an instant is typed by us, once, for good; dlt must not guess again."""
    schema = dlt.current.source_schema()
    for detection in list(schema.settings.get("detections") or ()):
        schema.remove_type_detection(detection)
