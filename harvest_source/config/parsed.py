"""The typed values of settings, or where a value that cannot work comes from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Any, TypeVar

from harvest_source.api.notification import Recipient
from harvest_source.api.rate_limit import build_general_limiter
from harvest_source.api.urls import check_url
from harvest_source.clock import SystemClock
from harvest_source.config.effective import find_place
from harvest_source.config.notify import parse_recipient
from harvest_source.config.parse import (
    parse_account_ids,
    parse_audit_requests,
    parse_date,
    parse_destination_wait,
    parse_exclude,
    parse_full_walk,
    parse_history,
    parse_include,
    parse_keep_deleted,
    parse_keep_deleted_days,
    parse_keep_runs_days,
    parse_overlap,
    parse_rate_limit,
    parse_shrink_file,
    parse_table_format,
)
from harvest_source.config.resolve import name_section
from harvest_source.config.spec import HarvestConfiguration
from harvest_source.defaults import TableFormat
from harvest_source.errors import ConfigError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ParsedSettings:
    """
    The typed values of settings that stand on their own.

    Attributes:
        destination_wait_s: Seconds.
        keep_content: The setting ``keep_deleted``.
        rate_limit: Requests per 15 s; None: what Harvest allows.
        recipient: Of notifications; None: of none.
        sweep_every: The setting ``full_walk``.
    """

    account_ids: tuple[int, ...]
    audit_requests: int
    destination_wait_s: int
    exclude: frozenset[str]
    history: frozenset[str]
    include: frozenset[str]
    keep_content: bool
    keep_deleted_days: int | None
    keep_runs_days: int
    overlap: timedelta
    rate_limit: int | None
    recipient: Recipient | None
    shrinks_file: bool
    start_date: date | None
    sweep_every: timedelta
    table_format: TableFormat | None


def parse_settings(config: HarvestConfiguration) -> ParsedSettings:
    """
    Parse the settings that stand on their own, before anything is sent.

    Raises:
        ConfigError: A value cannot work. Names the setting, how to write it, and its place unless
            a caller gave the value.
    """

    def parse(name: str, parser: Callable[[Any], T]) -> T:
        try:
            return parser(getattr(config, name))
        except ConfigError as error:
            raise _add_places(config, error, name) from error

    for name in ("api_url", "id_url"):
        parse(name, partial(check_url, name=name))
    section = name_section(config.auth_profile)
    return ParsedSettings(
        account_ids=parse("account_id", partial(parse_account_ids, section=section)),
        audit_requests=parse("audit_requests", parse_audit_requests),
        destination_wait_s=parse("destination_wait", parse_destination_wait),
        exclude=parse("exclude", parse_exclude),
        history=parse("history", parse_history),
        include=parse("include", parse_include),
        keep_content=parse("keep_deleted", parse_keep_deleted),
        keep_deleted_days=parse("keep_deleted_days", parse_keep_deleted_days),
        keep_runs_days=parse("keep_runs_days", parse_keep_runs_days),
        overlap=parse("overlap", parse_overlap),
        rate_limit=parse("rate_limit", _parse_rate_limit),
        recipient=_parse_recipient(config),
        shrinks_file=parse("shrink_file", parse_shrink_file),
        start_date=parse("start_date", partial(parse_date, name="start_date")),
        sweep_every=parse("full_walk", parse_full_walk),
        table_format=parse("table_format", parse_table_format),
    )


def _parse_rate_limit(value: object) -> int | None:
    """Also check the range, as the limiter of each account does once requests are sent."""
    rate_limit = parse_rate_limit(value)
    build_general_limiter(SystemClock(), rate_limit)
    return rate_limit


def _parse_recipient(config: HarvestConfiguration) -> Recipient | None:
    try:
        return parse_recipient(config)
    except ConfigError as error:
        names = (each for each in ("notify_url", "notify_on", "notify_style") if each in str(error))
        raise _add_places(config, error, *names) from error


def _add_places(config: HarvestConfiguration, error: ConfigError, *names: str) -> ConfigError:
    places = [place for name in names if (place := find_place(config, name))]
    return ConfigError(f"{' and '.join(places)}: {error}") if places else error
