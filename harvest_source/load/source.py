"""The dlt source: settings in, one resource per table out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import dlt
from dlt.common.configuration.specs import BaseConfiguration
from dlt.sources import DltResource

from harvest_source.auth.sessions import Sessions
from harvest_source.config.spec import HarvestCredentials
from harvest_source.dlt_internals import (
    find_active_pipeline,
    log_warning,
    use_long_texts,
    use_naming_duckdb,
)
from harvest_source.extract.extraction import Extraction
from harvest_source.extract.run_log import RunLog
from harvest_source.load.hints import disable_type_detection
from harvest_source.load.history import build_histories
from harvest_source.load.resources import build_resource
from harvest_source.load.settings import Hooks, RunArguments, build_settings
from harvest_source.load.state import SOURCE
from harvest_source.schema.endpoints import BY_NAME, ENDPOINTS


@dlt.source(name=SOURCE, section=SOURCE, spec=BaseConfiguration)
def harvest(
    credentials: HarvestCredentials | Mapping[str, str] | None = None,
    account_id: Any = None,
    contact: str | None = None,
    start_date: Any = None,
    overlap: int | None = None,
    rate_limit: int | None = None,
    exclude: Any = None,
    include: Any = None,
    full_walk: int | None = None,
    history: Any = None,
    api_url: str | None = None,
    id_url: str | None = None,
    oauth_token_path: str | None = None,
    auth_profile: str | None = None,
    vault_path: str | None = None,
    token_command: str | None = None,
    access_log: str | None = None,
    table_format: str | None = None,
    as_rows: bool | None = None,
    all_children: bool = False,
) -> Iterable[DltResource]:
    """
    Every table of one or more Harvest accounts.

    All or nothing: an error raises and nothing moves. A table that the token may not read is left
    out with a warning in the log. No I/O until rows are drawn.

    An argument that is None, ``dlt.config.value`` or ``dlt.secrets.value`` comes from
    ``[sources.harvest]`` of dlt's configuration, or has its default there.

    Args:
        credentials: A personal access token, or an app with a refresh token. Where the
            configuration has neither, the login that ``harvest-source auth login`` has saved.
        account_id: One id or several; by default the only Harvest account the token reaches.
        contact: E-mail or URL for the User-Agent; by default the token owner's e-mail.
        start_date: Bound of history for tables with a date; by default all history.
        overlap: Seconds read again before each cursor, at least 60; by default 300.
        rate_limit: Requests per 15 s, no more than Harvest allows; by default what Harvest allows.
        exclude: ``table.column`` names to leave out.
        include: ``table.column`` names left out otherwise: keys that open documents.
        full_walk: Days between two reads of the messages, payments and rates of all their parents;
            by default 7.
        history: Tables of which every version is kept, in ``<table>_history``.
        api_url: Harvest's API. Plain http only on a loopback address.
        id_url: Harvest's identity host; not contacted if *account_id* and an access token are
            given.
        oauth_token_path: Path of the token endpoint on *id_url*.
        auth_profile: Named sign-in; its credentials come from its own section or from the vault.
        vault_path: Folder of saved logins; by default in the user's data folder.
        token_command: Gets every new refresh token on its stdin.
        access_log: File that gets a line for every request; by default none.
        table_format: ``delta`` or ``iceberg``, for the destination ``filesystem``.
        as_rows: Whether steps such as ``add_map`` get rows (dictionaries) of every table. By
            default they do, and so does a loop over a resource. False: they get Arrow tables of
            the tables without arrays, which is faster. No setting: an argument only.
        all_children: Ask every invoice and estimate for its messages and payments in this run. By
            default a first run asks a tenth of them, at least 50, and the runs after it ask the
            others. No setting: an argument only.

    Raises:
        ConfigError: A setting that cannot work, or no credential.
    """
    given = {
        name: value for name, value in locals().items() if name not in {"as_rows", "all_children"}
    }
    # dlt injects nothing here (the spec is empty): settings are read by the same function as in
    # sync(), which has to know what the caller gave and what came from a provider.
    run_log = DltRunLog()
    arguments = RunArguments(settings=given, isolate=False, all_children=all_children)
    settings = build_settings(arguments, Hooks(), run_log, sections=())
    extraction = Extraction(Sessions(settings.connection), settings.options, run_log)
    if (pipeline := find_active_pipeline()) is not None:
        use_naming_duckdb(pipeline)
        use_long_texts(pipeline.destination)
    disable_type_detection()
    histories = build_histories(
        ENDPOINTS, settings.options.history, settings.options.exclude, settings.table_format
    )
    resources = [
        build_resource(
            endpoint,
            extraction,
            histories.get(endpoint.name),
            as_rows=as_rows,
            table_format=settings.table_format,
        )
        for endpoint in ENDPOINTS
    ]
    for resource in resources:
        resource.selected = BY_NAME[resource.name].default
    return resources


class DltRunLog(RunLog):
    """For plain dlt use, which has no report: skips and warnings go to dlt's log."""

    def on_finding(self, message: str) -> None:
        log_warning(message)
