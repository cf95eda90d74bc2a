"""The checked settings of one run: the configuration, overridden by the caller's arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from harvest_source.activity import Activity
from harvest_source.api.access_log import AccessLog
from harvest_source.api.http_context import Exchange, HttpContext, ignore_notice
from harvest_source.api.notification import Recipient
from harvest_source.api.rate_limit import LimiterMaker, build_general_limiter
from harvest_source.auth.sessions import Connection
from harvest_source.clock import Clock, SystemClock
from harvest_source.config.effective import Setting, list_settings
from harvest_source.config.lists import parse_values
from harvest_source.config.parse import (
    parse_account_ids,
    parse_exclude,
    parse_rate_limit,
    parse_share,
)
from harvest_source.config.parsed import ParsedSettings, parse_settings
from harvest_source.config.paths import parse_file
from harvest_source.config.resolve import SECTIONS, name_section, read_configuration
from harvest_source.config.settings_files import iter_open_secrets
from harvest_source.config.sign_in import SignIn, choose_sign_in
from harvest_source.config.spec import HarvestConfiguration
from harvest_source.defaults import (
    KEEP_RUNS_DAYS,
    MAX_DELETES,
    PACKAGE_ROWS,
    SMALL_PACKAGE_ROWS,
    WINDOW_WORKERS,
    TableFormat,
)
from harvest_source.errors import ConfigError
from harvest_source.extract.options import ReadOptions
from harvest_source.extract.run_log import Progress, RunLog
from harvest_source.memory import is_plentiful
from harvest_source.notices import Notice, NoticeKind
from harvest_source.rotated_file import JSON_LINE
from harvest_source.schema.endpoints import SECRET_COLUMNS


def _choose_package_rows() -> int:
    return PACKAGE_ROWS if is_plentiful() else SMALL_PACKAGE_ROWS


@dataclass(frozen=True, slots=True)
class Hooks:
    """
    What a caller may observe or replace.

    Attributes:
        activity: Records what the run is doing.
        on_imported: Called when all libraries have been imported.
        package_rows: Approximate rows of one load: fewer need less memory and more time.
        workers: Windows of one table read in parallel: fewer need less memory, and progress is
            stored sooner.
        build_limiter: Makes the limiter of each account; a sandbox in this process needs none.
    """

    clock: Clock = field(default_factory=SystemClock)
    on_progress: Callable[[Progress], None] | None = None
    on_response: Callable[[Exchange], None] | None = None
    activity: Activity = field(default_factory=Activity)
    on_imported: Callable[[], object] = lambda: None
    package_rows: int = field(default_factory=_choose_package_rows)
    workers: int = WINDOW_WORKERS
    build_limiter: LimiterMaker = build_general_limiter


@dataclass(frozen=True, slots=True)
class RunArguments:
    """
    A caller's arguments for one run, not yet checked.

    Attributes:
        settings: Keys of ``[sources.harvest]`` that override the configuration.
        account: Accounts to read instead of the configured ones.
        since: ``start_date`` of this run.
        exclude: ``table.column`` to leave out, in addition to the configured ones.
        full_refresh: Read everything and remove what was not seen.
        all_children: Ask every parent for its messages, payments or rates now.
        deletes: When to look for deleted rows; None: once a day, True: now, False: never.
        max_deletes: Largest share of a table that a removal may take, as a percentage.
        isolate: Record a table that fails and continue with the others; otherwise raise its error.
        may_exchange: False: exchange no refresh token, so that only a stored access token can be
            used.
        lists_settings: Find out where each setting came from, which takes a moment.
    """

    settings: Mapping[str, Any] | None = None
    account: int | Iterable[int | str] = ()
    since: object = None
    exclude: Iterable[str] = ()
    full_refresh: bool = False
    all_children: bool = False
    deletes: bool | None = None
    max_deletes: str = MAX_DELETES
    isolate: bool = True
    may_exchange: bool = True
    lists_settings: bool = False

    @property
    def overrides(self) -> dict[str, Any]:
        """Values by key of ``[sources.harvest]`` that override the configuration."""
        if self.settings is not None and not isinstance(self.settings, Mapping):
            msg = (
                'settings must be a mapping of keys to values, such as {"contact": '
                '"me@example.com"}.'
            )
            raise ConfigError(msg)
        accounts = parse_values(self.account, "account (--account)")
        given = {"account_id": accounts or None, "start_date": self.since}
        return {
            **(self.settings or {}),
            **{name: value for name, value in given.items() if value is not None},
        }


@dataclass(frozen=True, slots=True)
class Upkeep:
    """
    How a run finds, limits and records deletions, and reads old rows again.

    Attributes:
        deletes: When to look for deleted rows; None: once a day, True: now, False: never.
        max_deletes: Largest share of a table that a removal may take, from 0 to 1.
        audit_requests: Pages read again per day and account; 0: none.
        keep_deleted_days: Days that ``deleted_records`` keeps a row; None: forever.
        keep_content: False: ``deleted_records`` keeps only the id of a deleted row.
        keep_runs_days: Days that the row of each run and load is kept.
        shrinks_file: Shrink a DuckDB file if much of it is free.
    """

    deletes: bool | None
    max_deletes: Decimal
    audit_requests: int
    keep_deleted_days: int | None
    keep_content: bool
    keep_runs_days: int = KEEP_RUNS_DAYS
    shrinks_file: bool = True


@dataclass(frozen=True, slots=True)
class Settings:
    """
    Everything a run needs to know, checked.

    Attributes:
        connection: How to reach Harvest, and with which token.
        options: How lists are read.
        upkeep: Unused with plain dlt, which removes nothing.
        destination_wait_s: Seconds to wait for a DuckDB file that another process has open.
        recipient: Who is notified of the run; None: no address is configured.
        table_format: Format of all tables, if the destination stores files.
        in_effect: Every key, with its value and where it came from; no secrets.
    """

    connection: Connection
    options: ReadOptions
    upkeep: Upkeep
    destination_wait_s: float
    recipient: Recipient | None = None
    table_format: TableFormat | None = None
    in_effect: tuple[Setting, ...] = ()


def build_settings(
    arguments: RunArguments,
    hooks: Hooks,
    run_log: RunLog,
    *,
    sections: tuple[str, ...] = SECTIONS,
) -> Settings:
    """
    Read the configuration, apply the caller's arguments to it, and check everything.

    The only way to get settings: ``harvest()``, ``sync()``, ``verify`` and ``check`` all call it.
    Sends nothing; reads the vault when the configuration has no access token.

    Args:
        run_log: Receives the warnings of the whole run.
        sections: Where dlt's providers look; empty: where dlt's current context says.

    Raises:
        ConfigError: A setting that cannot work, or no credential.
        SignInError: The vault cannot trust the login it has.
    """
    _check_arguments(arguments)
    overrides = arguments.overrides
    config = read_configuration(overrides, sections=sections)
    parsed = parse_settings(config)
    upkeep = _build_upkeep(parsed, arguments)
    options = _build_read_options(parsed, arguments, hooks)
    _warn_of_future_start(options, run_log)
    for warning in iter_open_secrets():
        run_log.add_notice(Notice(NoticeKind.SIGN_IN, warning))
    http = build_http_context(
        config, clock=hooks.clock, on_notice=run_log.add_notice, on_response=hooks.on_response
    )
    http = replace(http, sending=run_log.activity.sending)
    connection = build_connection(config, http, may_exchange=arguments.may_exchange)
    connection = replace(connection, build_limiter=hooks.build_limiter)
    in_effect = list_settings(config, overrides) if arguments.lists_settings else ()
    return Settings(
        connection,
        options,
        upkeep,
        parsed.destination_wait_s,
        parsed.recipient,
        parsed.table_format,
        in_effect,
    )


def _check_arguments(arguments: RunArguments) -> None:
    """
    Refuse values of a Python caller that the command cannot be given.

    Raises:
        ConfigError: Names the argument, and what to write.
    """
    for name in ("full_refresh", "all_children", "deletes"):
        value = getattr(arguments, name)
        if not isinstance(value, bool) and not (name == "deletes" and value is None):
            msg = f"{name} must be True or False, not {value!r:.40}."
            raise ConfigError(msg)
    if isinstance(arguments.since, str) and not arguments.since.strip():
        raise ConfigError("since (--since) has an empty value. Give it a value, or leave it out.")


def build_http_context(
    config: HarvestConfiguration,
    *,
    clock: Clock | None = None,
    on_notice: Callable[[Notice], None] = ignore_notice,
    on_response: Callable[[Exchange], None] | None = None,
) -> HttpContext:
    """What all HTTP calls share, with the access log if one is configured."""
    http = HttpContext(
        clock=clock or SystemClock(),
        contact=config.contact,
        on_response=on_response,
        on_notice=on_notice,
    )
    if not config.access_log:
        return http
    path = parse_file(config.access_log, "access_log", beginning=JSON_LINE)
    log = AccessLog(path, config.auth_profile, http.warn_of(NoticeKind.OTHER))
    return replace(http, on_response=log if on_response is None else _call_both(log, on_response))


def build_connection(
    config: HarvestConfiguration, http: HttpContext, *, may_exchange: bool = True
) -> Connection:
    """
    How to reach Harvest, with the credential that takes precedence. Sends nothing.

    Args:
        may_exchange: As for :func:`choose_sign_in`.

    Raises:
        ConfigError: A setting that cannot work, or no credential.
        SignInError: The vault cannot trust the login it has.
    """
    return connect(config, http, choose_sign_in(config, http, may_exchange=may_exchange))


def connect(config: HarvestConfiguration, http: HttpContext, sign_in: SignIn) -> Connection:
    """
    How to reach Harvest with *sign_in*. Sends nothing.

    Raises:
        ConfigError: A setting that cannot work.
    """
    return Connection(
        auth=sign_in.auth,
        http=http,
        account_ids=parse_account_ids(config.account_id) or sign_in.account_ids,
        rate_limit=parse_rate_limit(config.rate_limit),
        api_url=config.api_url,
        id_url=config.id_url,
        token_source=sign_in.source,
        profile=sign_in.profile,
        section=name_section(config.auth_profile),
    )


def _build_read_options(
    parsed: ParsedSettings, arguments: RunArguments, hooks: Hooks
) -> ReadOptions:
    left_out = SECRET_COLUMNS - parsed.include
    excluded = parsed.exclude | parse_exclude(
        parse_values(arguments.exclude, "exclude (--exclude)")
    )
    return ReadOptions(
        clock=hooks.clock,
        start_date=parsed.start_date,
        overlap=parsed.overlap,
        exclude=left_out | excluded,
        history=parsed.history,
        full_refresh=arguments.full_refresh,
        all_children=arguments.all_children,
        sweep_every=parsed.sweep_every,
        workers=hooks.workers,
        isolate=arguments.isolate,
    )


def _warn_of_future_start(options: ReadOptions, run_log: RunLog) -> None:
    """Warn of a start in the future: people plan hours, but few want only those rows."""
    start = options.start_date
    if start is not None and start > options.clock.now().date():
        run_log.warn(
            f"start_date (--since) is {start}, which is in the future: from tables with a date, a "
            "sync reads only rows dated from that day on. Leave it out for all history."
        )


def _build_upkeep(parsed: ParsedSettings, arguments: RunArguments) -> Upkeep:
    return Upkeep(
        deletes=arguments.deletes,
        max_deletes=parse_share(arguments.max_deletes),
        audit_requests=parsed.audit_requests,
        keep_deleted_days=parsed.keep_deleted_days,
        keep_content=parsed.keep_content,
        keep_runs_days=parsed.keep_runs_days,
        shrinks_file=parsed.shrinks_file,
    )


def _call_both(
    one: Callable[[Exchange], None], other: Callable[[Exchange], None]
) -> Callable[[Exchange], None]:
    def call(exchange: Exchange) -> None:
        one(exchange)
        other(exchange)

    return call
