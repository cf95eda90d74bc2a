"""Check the values of settings, and say where a value that cannot work comes from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

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
from harvest_source.config.spec import HarvestConfiguration
from harvest_source.errors import ConfigError

_PARSERS: Final[Mapping[str, Callable[[Any], object]]] = {
    "account_id": parse_account_ids,
    "api_url": lambda value: check_url(value, "api_url"),
    "audit_requests": parse_audit_requests,
    "destination_wait": parse_destination_wait,
    "exclude": parse_exclude,
    "full_walk": parse_full_walk,
    "history": parse_history,
    "id_url": lambda value: check_url(value, "id_url"),
    "include": parse_include,
    "keep_deleted": parse_keep_deleted,
    "keep_deleted_days": parse_keep_deleted_days,
    "keep_runs_days": parse_keep_runs_days,
    "overlap": parse_overlap,
    "rate_limit": lambda value: build_general_limiter(SystemClock(), parse_rate_limit(value)),
    "shrink_file": parse_shrink_file,
    "start_date": lambda value: parse_date(value, "start_date"),
    "table_format": parse_table_format,
}


def check_values(config: HarvestConfiguration) -> None:
    """
    Check the settings that stand on their own, before anything is sent.

    Raises:
        ConfigError: A value cannot work. Names the setting, how to write it, and its place unless
            a caller gave the value.
    """
    for name, parse in _PARSERS.items():
        try:
            parse(getattr(config, name))
        except ConfigError as error:
            raise _add_places(config, error, name) from error
    try:
        parse_recipient(config)
    except ConfigError as error:
        names = (each for each in ("notify_url", "notify_on", "notify_style") if each in str(error))
        raise _add_places(config, error, *names) from error


def _add_places(config: HarvestConfiguration, error: ConfigError, *names: str) -> ConfigError:
    places = [place for name in names if (place := find_place(config, name))]
    return ConfigError(f"{' and '.join(places)}: {error}") if places else error
