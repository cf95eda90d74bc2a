"""
The variables of the dbt package, checked before dbt starts.

dbt ignores a name that it does not know and takes any value: a mistyped word or a list that is a
text would build other figures than were asked for, without an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final

from harvest_source.errors import ConfigError, printable

_NAME: Final = re.compile(r"^    (harvest_\w+):", re.MULTILINE)
_OPTIONAL: Final = re.compile(r"\{\{ '(\w+)' in var\('harvest_optional_tables'")
_DAYS_OF_A_WEEK: Final = range(1, 8)


def check_variables(package: Path, variables: Mapping[str, Any]) -> None:
    """
    Check the names and values of *variables*.

    Args:
        package: The folder with the package's ``dbt_project.yml``.

    Raises:
        ConfigError: The package has no such variable, or the value is not one that it knows.
    """
    known = _NAME.findall((package / "dbt_project.yml").read_text(encoding="utf-8"))
    if unknown := sorted(variables.keys() - set(known)):
        msg = f"The models have no variable {printable(unknown[0])}. Known: {', '.join(known)}."
        raise ConfigError(msg)
    for name, value in variables.items():
        fits, meant = _CHECKS[name]
        if not fits(value):
            raise ConfigError(f"{name} is {printable(value)}, which is not {meant}.")
    views = (package / "models/staging/_stg_harvest__models.yml").read_text(encoding="utf-8")
    tables = _OPTIONAL.findall(views)
    if strange := [each for each in variables.get(_TABLES, ()) if each not in tables]:
        msg = (
            f"{_TABLES} has {printable(strange[0])}, which is not a table that a sync reads only "
            f"if it is named. Known: {', '.join(tables)}."
        )
        raise ConfigError(msg)


def _is_day(value: Any) -> bool:
    """Whether the value is a date as databases write it, or null."""
    try:
        return value is None or date.fromisoformat(str(value)).isoformat() == str(value)
    except ValueError:
        return False


def _is_id(value: Any) -> bool:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return is_number or (isinstance(value, str) and value.isascii() and value.isdigit())


def _is_list_of(value: Any, fits: Callable[[Any], bool]) -> bool:
    return isinstance(value, list | tuple) and all(map(fits, value))


def _are_ids(value: Any) -> bool:
    return _is_list_of(value, _is_id)


def _are_weekdays(value: Any) -> bool:
    # An empty list would divide by zero, and a day that is named twice would shorten the others.
    return (
        _are_ids(value)
        and len(set(map(int, value))) == len(value) > 0
        and all(int(each) in _DAYS_OF_A_WEEK for each in value)
    )


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value.strip() != ""


_TABLES: Final = "harvest_optional_tables"
_IDS: Final = (_are_ids, "a list of ids. Write it as [8083449, 8083456]")
_MODULE: Final = (lambda value: isinstance(value, bool), "true or false, without quotation marks")
_CHECKS: Final[Mapping[str, tuple[Callable[[Any], bool], str]]] = {
    "harvest_schema": (_is_text, "the name of a schema"),
    "harvest_database": (
        lambda value: value is None or _is_text(value),
        "the name of a database",
    ),
    "harvest_account_ids": _IDS,
    "harvest_invoices": _MODULE,
    "harvest_expenses": _MODULE,
    "harvest_estimates": _MODULE,
    _TABLES: (
        lambda value: _is_list_of(value, _is_text),
        'a list of tables. Write it as ["teammates"]',
    ),
    "harvest_as_of": (_is_day, "a date. Write it as 2026-01-31"),
    "harvest_working_weekdays": (
        _are_weekdays,
        "a list of weekdays. Write it as [1, 2, 3, 4, 5]; 1 is Monday",
    ),
    "harvest_time_off_task_ids": _IDS,
    "harvest_holiday_task_ids": _IDS,
    "harvest_hours": (lambda value: value in ("exact", "rounded"), "exact or rounded"),
    "harvest_exchange_rates": (
        lambda value: value is None,
        "a seed that this command has. Exchange rates need a dbt project of your own: "
        "harvest-source dbt PATH copies the package for it",
    ),
}
