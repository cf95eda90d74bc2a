"""What people typed, checked before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import pendulum

from harvest_source.api.access_log import AccessLog
from harvest_source.api.requester import Exchange
from harvest_source.auth.accounts import parse_account_ids
from harvest_source.auth.sessions import Connection
from harvest_source.clock import Clock, SystemClock
from harvest_source.config.resolve import resolve_settings
from harvest_source.config.sign_in import HttpContext, choose_sign_in
from harvest_source.config.spec import HarvestConfiguration
from harvest_source.defaults import (
    AUDIT_REQUESTS,
    DESTINATION_WAIT_S,
    LEAST_OVERLAP_S,
    OVERLAP_S,
    PACKAGE_ROWS,
    SWEEP_EVERY,
    WINDOW_WORKERS,
)
from harvest_source.errors import ConfigError
from harvest_source.extract.options import ReadOptions
from harvest_source.extract.run_log import Progress, RunLog
from harvest_source.schema.endpoint import Endpoint
from harvest_source.schema.endpoints import BY_NAME, ENDPOINTS, SECRET_COLUMNS


@dataclass(frozen=True, slots=True)
class Hooks:
    """What a caller may watch or replace."""

    clock: Clock = field(default_factory=SystemClock)
    on_progress: Callable[[Progress], None] | None = None
    on_response: Callable[[Exchange], None] | None = None
    on_imported: Callable[[], object] = lambda: None
    """Told when all libraries have been imported."""
    package_rows: int = PACKAGE_ROWS
    """Rows of one load, about: less needs less memory and more time."""
    workers: int = WINDOW_WORKERS
    """Windows of one table read at once: less needs less memory, and keeps progress sooner."""


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What a whole run does beside reading; plain dlt use does none of it."""

    audit_requests: int = AUDIT_REQUESTS
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
    destination_wait_s: float = DESTINATION_WAIT_S


def build_connection(config: HarvestConfiguration, around: HttpContext) -> Connection:
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


def watch(config: HarvestConfiguration, around: HttpContext) -> HttpContext:
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


def build_settings(
    overrides: Mapping[str, Any],
    *,
    exclude: Sequence[str] = (),
    full_refresh: bool = False,
    hooks: Hooks,
    run_log: RunLog,
) -> Settings:
    """
    Everything known of Harvest, from the configuration and what the caller says on top.

    Raises:
        ConfigError: Something that cannot work. Nothing was sent.
    """
    config = resolve_settings(overrides)
    options = build_options(
        start_date=config.start_date,
        overlap=config.overlap,
        exclude=config.exclude,
        include=config.include,
        full_walk=config.full_walk,
        history=config.history,
        full_refresh=full_refresh,
        isolate=True,
        clock=hooks.clock,
    )
    around = HttpContext(hooks.clock, on_warning=run_log.warn, on_response=hooks.on_response)
    connection = build_connection(config, watch(config, around))
    exclude_all = options.exclude | parse_exclude(list(exclude))
    return Settings(
        connection,
        replace(options, exclude=exclude_all, workers=hooks.workers),
        build_upkeep(config),
        destination_wait_s=check_wait(config.destination_wait),
    )


def build_options(
    *,
    start_date: Any = None,
    overlap: int = OVERLAP_S,
    exclude: Any = None,
    include: Any = None,
    full_walk: int = SWEEP_EVERY.days,
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
        exclude=(SECRET_COLUMNS - parse_include(include)) | parse_exclude(exclude),
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
    for name in included - SECRET_COLUMNS:
        msg = (
            f"{name[:80]} is not left out, or not there. What can be included: "
            f"{', '.join(sorted(SECRET_COLUMNS))}."
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
        if endpoint is None or not endpoint.may_have_history:
            possible = ", ".join(each.name for each in ENDPOINTS if each.may_have_history)
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


def parse_share(value: str) -> Decimal:
    """
    A percentage as people write it: ``20%`` or ``20``. Returns a share from 0 to 1.

    Raises:
        ConfigError: Not a percentage.
    """
    try:
        share = Decimal(value.strip().removesuffix("%").strip()) / 100
    except InvalidOperation:
        share = Decimal(-1)
    if not 0 <= share <= 1:
        msg = f"--max-deletes is not a percentage: {value[:40]!r}. Write it as 20%."
        raise ConfigError(msg)
    return share


def check_wait(seconds: int) -> int:
    """
    How long to wait for a DuckDB file that another process holds.

    Raises:
        ConfigError: Less than nothing.
    """
    if seconds < 0:
        msg = (
            f"destination_wait is {seconds} s. Set it to 0 or more, or leave it out for "
            f"{DESTINATION_WAIT_S}."
        )
        raise ConfigError(msg)
    return seconds
