"""The dlt source: settings in, one resource per table out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dlt
import pendulum
from dlt.extract import DltResource

from harvest_source.api.access_log import AccessLog
from harvest_source.api.http import Exchange
from harvest_source.auth.accounts import parse_account_ids
from harvest_source.auth.oauth import TOKEN_PATH
from harvest_source.auth.profiles import DEFAULT, check_profile
from harvest_source.catalogs import name_catalogs
from harvest_source.clock import Clock, SystemClock
from harvest_source.coverage import REQUESTS
from harvest_source.credentials import WAIT_S, HarvestConfiguration, HarvestCredentials
from harvest_source.cursors import LEAST_OVERLAP_S, OVERLAP_S
from harvest_source.endpoints import BY_NAME, ENDPOINTS, SECRETS, Endpoint
from harvest_source.errors import ConfigError
from harvest_source.feeds import Reading
from harvest_source.history import Versions, may_have_history
from harvest_source.ledger import Ledger
from harvest_source.reads import ReadOptions
from harvest_source.resources import build_resource, excluded_columns
from harvest_source.scopes import WALK_EVERY
from harvest_source.sessions import API_URL, ID_URL, Connection, Sessions
from harvest_source.settings import find_value, read_credentials
from harvest_source.signin import Surroundings, choose_sign_in

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
    full_walk: int = WALK_EVERY.days,
    history: Any = None,
    api_url: str = API_URL,
    id_url: str = ID_URL,
    oauth_token_path: str = TOKEN_PATH,
    auth_profile: str = DEFAULT,
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
    if check_profile(auth_profile) != DEFAULT:
        config.credentials = read_credentials(auth_profile)
        config.account_id = find_value("account_id", auth_profile)[0] or account_id
    ledger = LoggingLedger()
    settings = Settings(
        connection=build_connection(config, watch(config, Surroundings(on_warning=ledger.warn))),
        options=build_options(
            start_date=start_date,
            overlap=overlap,
            exclude=exclude,
            include=include,
            full_walk=full_walk,
            history=history,
        ),
    )
    reading = Reading(Sessions(settings.connection), settings.options, ledger)
    forget_detections()
    resources = [
        build_resource(endpoint, reading, build_versions(endpoint, settings.options))
        for endpoint in ENDPOINTS
    ]
    for resource in resources:
        resource.selected = BY_NAME[resource.name].default
    return resources


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What a whole run does beside reading; plain dlt use does none of it."""

    audit_requests: int = REQUESTS
    """Pages read again a day, for each account; 0: none."""
    keep_deleted_days: int | None = None
    """How long ``deleted_records`` keeps a row; None: for ever."""
    keep_content: bool = True
    """False: of a deleted row only its id is kept."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a run needs to know of Harvest, checked."""

    connection: Connection
    options: ReadOptions
    upkeep: Upkeep = Upkeep()
    destination_wait_s: float = WAIT_S


def build_connection(config: HarvestConfiguration, around: Surroundings) -> Connection:
    """
    How to reach Harvest, with the credential that counts. Sends nothing.

    Raises:
        ConfigError: A setting that cannot work, or no credential.
        SignInError: The vault refuses the login it has.
    """
    sign_in = choose_sign_in(config, around)
    return Connection(
        auth=sign_in.auth,
        account_ids=parse_account_ids(config.account_id) or sign_in.account_ids,
        contact=config.contact,
        rate_limit=config.rate_limit,
        api_url=config.api_url,
        id_url=config.id_url,
        token_source=sign_in.source,
        clock=around.clock,
        on_response=around.on_response,
        on_warning=around.on_warning,
    )


def watch(config: HarvestConfiguration, around: Surroundings) -> Surroundings:
    """*around*, with every request told to the access log too, if there is one."""
    if not config.access_log:
        return around
    log = AccessLog(Path(config.access_log), config.auth_profile, around.on_warning)
    return replace(around, on_response=_both(log, around.on_response))


def _both(
    log: Callable[[Exchange], None], other: Callable[[Exchange], None] | None
) -> Callable[[Exchange], None]:
    def tell(exchange: Exchange) -> None:
        log(exchange)
        if other is not None:
            other(exchange)

    return tell


class LoggingLedger(Ledger):
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


def build_options(
    *,
    start_date: Any = None,
    overlap: int = OVERLAP_S,
    exclude: Any = None,
    include: Any = None,
    full_walk: int = WALK_EVERY.days,
    history: Any = None,
    full_refresh: bool = False,
    isolate: bool = False,
    clock: Clock | None = None,
) -> ReadOptions:
    """
    Check what people typed.

    Raises:
        ConfigError: Not a date, an overlap under a minute, a walk every no days, a column that
            cannot be left out or put in.
    """
    if overlap < LEAST_OVERLAP_S:
        msg = (
            f"overlap is {overlap} s; under {LEAST_OVERLAP_S} s rows can be lost, because Harvest "
            "dates changes in whole seconds. Set it to 60 or more, or leave it out (300)."
        )
        raise ConfigError(msg)
    if full_walk < 1:
        msg = f"full_walk is {full_walk}: it is a number of days, 1 or more. Leave it out for 7."
        raise ConfigError(msg)
    return ReadOptions(
        clock=clock or SystemClock(),
        start_date=parse_date(start_date, "start_date"),
        overlap=timedelta(seconds=overlap),
        exclude=(SECRETS - parse_include(include)) | parse_exclude(exclude),
        walk_every=timedelta(days=full_walk),
        history=parse_history(history),
        full_refresh=full_refresh,
        isolate=isolate,
    )


def build_upkeep(config: HarvestConfiguration) -> Upkeep:
    """
    Check the keys that plain dlt use has no use for.

    Raises:
        ConfigError: Numbers below 0, or no such way of keeping.
    """
    for name in ("audit_requests", "keep_deleted_days"):
        if (getattr(config, name) or 0) < 0:
            msg = f"{name} is {getattr(config, name)}. It cannot be below 0."
            raise ConfigError(msg)
    if config.keep_deleted not in ("records", "ids"):
        msg = f'keep_deleted is {config.keep_deleted[:40]!r}. It can be "records" or "ids".'
        raise ConfigError(msg)
    return Upkeep(config.audit_requests, config.keep_deleted_days, config.keep_deleted == "records")


def parse_date(value: Any, name: str) -> date | None:
    """
    A calendar day as people and config files write it; None for none.

    Raises:
        ConfigError: Not a day.
    """
    if value is None or value == "":
        return None
    if isinstance(value, date):
        return value.date() if isinstance(value, pendulum.DateTime) else value
    try:
        parsed = pendulum.parse(str(value), exact=True, strict=True)
    except ValueError:
        parsed = None
    if isinstance(parsed, pendulum.DateTime) or not isinstance(parsed, date):
        msg = f"{name} is not a day: {str(value)[:40]!r}. Write it as 2024-01-31."
        raise ConfigError(msg)
    return date(parsed.year, parsed.month, parsed.day)


def parse_exclude(value: Any) -> frozenset[str]:
    """
    ``table.column`` names, as a list or separated by commas.

    Raises:
        ConfigError: No such table or column, or one that reading needs.
    """
    excluded = _parse_names(value)
    for name in excluded:
        _check_excluded(name)
    return excluded


def parse_include(value: Any) -> frozenset[str]:
    """
    ``table.column`` names of what is left out unless asked for, as :func:`parse_exclude`.

    Raises:
        ConfigError: A column that is not left out, or not there.
    """
    included = _parse_names(value)
    for name in included - SECRETS:
        msg = (
            f"{name[:80]} is not left out, or not there. What can be included: "
            f"{', '.join(sorted(SECRETS))}."
        )
        raise ConfigError(msg)
    return included


def parse_history(value: Any) -> frozenset[str]:
    """
    Names of tables, as a list or separated by commas.

    Raises:
        ConfigError: No such table, or one whose rows are dated by themselves.
    """
    named = _parse_names(value)
    for name in named:
        endpoint = BY_NAME.get(name)
        if endpoint is None or not may_have_history(endpoint):
            possible = ", ".join(each.name for each in ENDPOINTS if may_have_history(each))
            msg = f"No history can be kept of {name[:80]!r}. It can be of: {possible}."
            raise ConfigError(msg)
    return named


def _parse_names(value: Any) -> frozenset[str]:
    names = value.split(",") if isinstance(value, str) else list(value or ())
    return frozenset(str(name).strip() for name in names if str(name).strip())


def _check_excluded(name: str) -> None:
    table, _, column = name.partition(".")
    endpoint = BY_NAME.get(table)
    if endpoint is None or column not in endpoint.record.names:
        msg = f"There is no column {name[:80]!r} to exclude. See: harvest-source tables"
        raise ConfigError(msg)
    if column in (*endpoint.key, endpoint.cursor, endpoint.window):
        msg = f"{name} cannot be excluded: without it rows cannot be told apart or merged."
        raise ConfigError(msg)


def choose_endpoints(names: Sequence[str]) -> tuple[Endpoint, ...]:
    """
    The rows of the endpoint table with these *names*; those on by default when there are none.

    Raises:
        ConfigError: No such table.
    """
    unknown = [name for name in names if name not in BY_NAME]
    if unknown:
        msg = (
            f"There is no table {unknown[0][:80]!r}. Tables: {', '.join(BY_NAME)}. "
            "Child tables come with their parent."
        )
        raise ConfigError(msg)
    return tuple(e for e in ENDPOINTS if (e.name in names if names else e.default))


def forget_detections() -> None:
    """Text that looks like an instant is typed by us, once, for good; dlt must not guess again."""
    schema = dlt.current.source_schema()
    for detection in list(schema.settings.get("detections") or ()):
        schema.remove_type_detection(detection)
