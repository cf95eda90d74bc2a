"""
Check values of the configuration and the command line before anything is sent.

Pure functions convert what users write to typed values. Each raises :class:`ConfigError` with the
setting's name and how to write it.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import Final, TypeVar

import pendulum

from harvest_source.config.lists import parse_list, parse_values
from harvest_source.defaults import (
    DESTINATION_WAIT_S,
    LEAST_OVERLAP_S,
    OVERLAP_S,
    SECTION,
    SWEEP_EVERY,
    TABLE_FORMATS,
    TableFormat,
)
from harvest_source.errors import ConfigError, printable
from harvest_source.schema.endpoint import Endpoint
from harvest_source.schema.endpoints import BY_NAME, ENDPOINTS, SECRET_COLUMNS

Choice = TypeVar("Choice", bound=str)

_LARGEST_ID: Final = 2**63 - 1
_MOST: Final = 10**9
"""Largest number accepted by default. As seconds it is 31 years, so dates can be shifted by it."""

_MOST_DAYS: Final = 36_500
"""Largest number of days, a hundred years: larger shifts would leave the range of dates."""


_DAY: Final = re.compile(r"[0-9]{4}-?[0-9]{2}-?[0-9]{2}")


def parse_account_ids(value: object, section: str = SECTION) -> tuple[int, ...]:
    """
    Account ids, as :func:`parse_list` reads lists: ``1``, ``"1,2"``, ``[1, "2"]``.

    Args:
        section: Where account_id is set, for the message.

    Returns:
        Each id once, in the order given; empty for None.

    Raises:
        ConfigError: Anything else. The message does not repeat a value that is not a number, which
            may be a misplaced token.
    """
    items, remedy = parse_list(value), f"Set account_id under [{section}] in .dlt/config.toml"
    if not items and value is not None:
        msg = f"account_id is empty. {remedy}, or leave it out."
        raise ConfigError(msg)
    return tuple(dict.fromkeys(_parse_account_id(item, remedy) for item in items))


def parse_accounts(value: object) -> tuple[int, ...]:
    """
    The accounts of an argument or option; empty if none was given.

    Raises:
        ConfigError: As :func:`parse_account_ids` and :func:`parse_values`.
    """
    items = parse_values(value, "account (--account)")
    return parse_account_ids(items) if items else ()


def _parse_account_id(item: object, remedy: str) -> int:
    if isinstance(item, str) and ".pt." in item:
        msg = (
            "account_id holds an access token. Move it to credentials.access_token in "
            ".dlt/secrets.toml, and put the account's number in account_id."
        )
        raise ConfigError(msg)
    digits = str(item).strip() if isinstance(item, str | int) else ""
    if not (digits.isascii() and digits.isdigit() and len(digits) < 20):
        msg = f"account_id is not a number, or a list of numbers. {remedy}: digits only."
        raise ConfigError(msg)
    number = int(digits)
    if not 0 < number <= _LARGEST_ID:
        msg = f"account_id is out of range: {number}. {remedy} to the number Harvest shows."
        raise ConfigError(msg)
    return number


def parse_date(value: object, name: str) -> date | None:
    """
    A calendar day: a date, or ``2024-01-31`` as text. None for None and empty text.

    A datetime, which TOML allows, is reduced to its date.

    Args:
        name: The setting's name, for the message.

    Raises:
        ConfigError: Not a day.
    """
    if value is None or value == "":
        return None
    if isinstance(value, date):
        return date(value.year, value.month, value.day)  # Not tomlkit's or pendulum's subclass.
    text = str(value).strip()
    try:
        # A year or a month is refused: the day would be a guess.
        found = pendulum.parse(text, exact=True) if _DAY.fullmatch(text) else None
        parsed = found if isinstance(found, date) else None
    except ValueError:
        parsed = None
    if parsed is None:
        msg = f"{name} is not a day: {printable(value, limit=40)!r}. Write it as 2024-01-31."
        raise ConfigError(msg)
    return date(parsed.year, parsed.month, parsed.day)


def parse_exclude(value: object) -> frozenset[str]:
    """
    Columns to leave out: a list of ``table.column``.

    Raises:
        ConfigError: There is no such table or column, or rows cannot be merged without it.
    """
    excluded = _parse_names(value)
    for name in sorted(excluded):
        table, _, column = name.partition(".")
        endpoint = BY_NAME.get(table)
        if endpoint is None or column not in endpoint.record.names:
            msg = f"There is no column {name[:80]!r} to exclude. See: harvest-source tables"
            raise ConfigError(msg)
        if column in (*endpoint.key, endpoint.cursor, endpoint.window):
            msg = f"{name} cannot be excluded: without it rows cannot be told apart or merged."
            raise ConfigError(msg)
    return excluded


def parse_include(value: object) -> frozenset[str]:
    """
    Columns to load although they are left out by default: a list of ``table.column``.

    Raises:
        ConfigError: A column does not exist, or is not left out by default.
    """
    included = _parse_names(value)
    for name in sorted(included - SECRET_COLUMNS):
        msg = (
            f"{name[:80]} is not left out by default, or does not exist. Columns that can be "
            f"included: {', '.join(sorted(SECRET_COLUMNS))}."
        )
        raise ConfigError(msg)
    return included


def parse_history(value: object) -> frozenset[str]:
    """
    Tables of which every version of a row is kept: a list of names.

    Raises:
        ConfigError: There is no such table, or its rows have their own validity dates.
    """
    named = _parse_names(value)
    for name in sorted(named):
        endpoint = BY_NAME.get(name)
        if endpoint is None or not endpoint.may_have_history:
            possible = ", ".join(each.name for each in ENDPOINTS if each.may_have_history)
            msg = f"No history can be kept of {name[:80]!r}. It can be kept of: {possible}."
            raise ConfigError(msg)
    return named


def _parse_names(value: object) -> frozenset[str]:
    names = (str(item).strip() for item in parse_list(value))
    return frozenset(name for name in names if name)


def parse_tables(value: object) -> tuple[Endpoint, ...]:
    """
    The endpoints of these tables, in the order of ``ENDPOINTS``; without names, the default ones.

    Raises:
        ConfigError: There is no such table.
    """
    names = [str(each) for each in parse_values(value, "table (--table)")]
    unknown = [name for name in names if name not in BY_NAME]
    if unknown:
        msg = (
            f"There is no table {unknown[0][:80]!r}. Tables: {', '.join(BY_NAME)}. "
            "Child tables come with their parent."
        )
        raise ConfigError(msg)
    return tuple(e for e in ENDPOINTS if (e.name in names if names else e.default))


def parse_share(value: object) -> Decimal:
    """
    A percentage, ``20%`` or ``20``, as a share from 0 to 1.

    Raises:
        ConfigError: Not a percentage.
    """
    try:
        share = Decimal(str(value).strip().removesuffix("%").strip()) / 100
    except InvalidOperation:
        share = Decimal(-1)
    if share.is_nan() or not 0 <= share <= 1:  # Comparing NaN would raise.
        msg = f"--max-deletes is not a percentage: {str(value)[:40]!r}. Write it as 20%."
        raise ConfigError(msg)
    return share


def parse_overlap(value: object) -> timedelta:
    """
    The overlap: how much time before each cursor is read again.

    Args:
        value: Seconds, at least :data:`LEAST_OVERLAP_S`.

    Raises:
        ConfigError: The value is smaller, or not a whole number.
    """
    seconds = _parse_whole_number(value, "overlap")
    if seconds < LEAST_OVERLAP_S:
        msg = (
            f"overlap is {seconds} s; under {LEAST_OVERLAP_S} s rows can be lost, because Harvest "
            f"dates changes in whole seconds. Set it to {LEAST_OVERLAP_S} or more, or leave it out "
            f"({OVERLAP_S})."
        )
        raise ConfigError(msg)
    return timedelta(seconds=seconds)


def parse_full_walk(value: object) -> timedelta:
    """
    How often the children of all parents are read.

    Args:
        value: Days, at least 1.

    Raises:
        ConfigError: The value is smaller, or not a whole number.
    """
    days = _parse_whole_number(value, "full_walk", most=_MOST_DAYS)
    if days < 1:
        msg = (
            f"full_walk is {days}. It has to be a number of days, 1 or more. Leave it out for "
            f"{SWEEP_EVERY.days}."
        )
        raise ConfigError(msg)
    return timedelta(days=days)


def parse_destination_wait(value: object) -> int:
    """
    How long to wait for a DuckDB file that another process has open, in seconds.

    Raises:
        ConfigError: A negative number, or not a whole one.
    """
    seconds = _parse_whole_number(value, "destination_wait")
    if seconds < 0:
        msg = (
            f"destination_wait is {seconds} s. Set it to 0 or more, or leave it out for "
            f"{DESTINATION_WAIT_S}."
        )
        raise ConfigError(msg)
    return seconds


def parse_audit_requests(value: object) -> int:
    """
    Pages that the audit reads again per day and account.

    Raises:
        ConfigError: A negative number, or not a whole one.
    """
    return _parse_count(value, "audit_requests")


def parse_keep_deleted_days(value: object) -> int | None:
    """
    Days that ``deleted_records`` keeps a row; None: forever.

    Raises:
        ConfigError: A negative number, or not a whole one.
    """
    return None if value is None else _parse_count(value, "keep_deleted_days", most=_MOST_DAYS)


def parse_keep_runs_days(value: object) -> int:
    """
    Days that the warehouse keeps a row for each run.

    Raises:
        ConfigError: A negative number, or not a whole one.
    """
    return _parse_count(value, "keep_runs_days", most=_MOST_DAYS)


def parse_keep_deleted(value: object) -> bool:
    """
    Whether ``deleted_records`` keeps the content of a deleted row: ``records`` or ``ids``.

    Raises:
        ConfigError: Neither of the two.
    """
    return _parse_choice(value, "keep_deleted", "records", "ids") == "records"


def parse_shrink_file(value: object) -> bool:
    """
    Whether a DuckDB file is made smaller once a day: ``daily`` or ``never``.

    Raises:
        ConfigError: Neither of the two.
    """
    return _parse_choice(value, "shrink_file", "daily", "never") == "daily"


def parse_table_format(value: object) -> TableFormat | None:
    """
    The format of tables in files; None: none was named.

    Raises:
        ConfigError: There is no such format.
    """
    return None if value is None else _parse_choice(value, "table_format", *TABLE_FORMATS)


def parse_rate_limit(value: object) -> int | None:
    """
    Requests per 15 s; None: what Harvest allows. :func:`build_general_limiter` checks the range.

    Raises:
        ConfigError: Not a whole number.
    """
    return None if value is None else _parse_whole_number(value, "rate_limit", most=None)


def _parse_choice(value: object, name: str, *choices: Choice) -> Choice:
    for choice in choices:
        if value == choice:
            return choice
    can_be = " or ".join(f'"{choice}"' for choice in choices)
    raise ConfigError(f"{name} is {str(value)[:40]!r}. It can be {can_be}.")


def _parse_count(value: object, name: str, *, most: int = _MOST) -> int:
    number = _parse_whole_number(value, name, most=most)
    if number < 0:
        msg = f"{name} is {number}. It cannot be below 0."
        raise ConfigError(msg)
    return number


def _parse_whole_number(value: object, name: str, *, most: int | None = _MOST) -> int:
    """Check a whole number. dlt converts the values of providers, but not those of a caller."""
    if isinstance(value, bool) or not isinstance(value, int):
        msg = f"{name} is not a whole number: {str(value)[:40]!r}."
        raise ConfigError(msg)
    if most is not None and value > most:
        msg = f"{name} is too large. It can be up to {most}."
        raise ConfigError(msg)
    return value
