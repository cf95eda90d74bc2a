"""
Scopes: named parts of a warehouse that a caller may see.

They are configured in ``[sources.harvest.scopes.NAME]``. What a scope does not allow does not exist
for the caller: it is not listed, and asking for it gets the same answer as a name never used.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from harvest_source.ask.models import MART
from harvest_source.ask.revealing import COMPUTED
from harvest_source.ask.row_rules import RULES
from harvest_source.defaults import SCOPE_KEYS
from harvest_source.errors import ConfigError, printable
from harvest_source.schema.endpoints import BY_NAME

TOOLS: Final = (
    "list_tables",
    "describe_table",
    "list_records",
    "get_record",
    "find",
    "sum_time",
    "query",
    "get_status",
)
"""Names of the tools that a caller can use; the commands are named after them."""

_EVERY: Final = "*"
_STAGING: Final = "stg_harvest__"

_MONEY: Final = frozenset(
    {"billable_rate", "cost_budget", "cost_rate", "default_hourly_rate", "fee", "hourly_rate"}
)
"""
Columns that Harvest shows to administrators, and to others only with a permission. A scope that
limits rows by person shows them only if it names them: ``TABLE.*`` leaves them out.
"""


class Rows(StrEnum):
    """Whose rows a scope shows."""

    ALL = "all"
    OWN = "own"
    """Rows of the person who asks."""
    MANAGED = "managed"
    """Rows of the person who asks, and of the people and projects that they manage."""


@dataclass(frozen=True, slots=True)
class Scope:
    """
    One scope.

    Attributes:
        name: Name of the scope; empty: nothing is limited.
        tables: Names without schemas; None: every table, as far as *rows* allows.
        columns: The columns shown of each table, where tables without an entry do not exist; None:
            the declared columns of tables, and all columns of models.
        accounts: Harvest accounts; empty: all.
        sql: Whether the caller may run SQL of their own.
    """

    name: str = ""
    tools: frozenset[str] = frozenset(TOOLS)
    tables: frozenset[str] | None = None
    columns: Mapping[str, frozenset[str]] | None = None
    rows: Rows = Rows.ALL
    accounts: tuple[int, ...] = ()
    sql: bool = True
    is_limited: bool = field(default=False)

    def allows(self, tool: str) -> bool:
        """Whether a tool exists in this scope."""
        return tool in self.tools and (tool != "query" or self.sql)

    def find_columns(self, table: str) -> frozenset[str] | None:
        """
        The columns of a table that may be shown; empty: the table does not exist; None: all.

        Columns that Harvest adds later are not declared, so a limited scope does not show them.
        """
        if not self.is_limited:
            return None
        if self.tables is not None and table not in self.tables:
            return frozenset()
        if self.columns is not None:
            return self.columns.get(table, frozenset())
        if table.startswith((MART, _STAGING)):
            # The columns of models never change unnoticed, but a scope has to name each model.
            return None if self.tables is not None else frozenset()
        return find_declared(table)


UNLIMITED: Final = Scope()


def find_declared(table: str) -> frozenset[str]:
    """The declared columns of a table or child table; empty if it belongs to no endpoint."""
    endpoint = BY_NAME.get(table)
    if endpoint is not None:
        return frozenset({"account_id", *endpoint.key, *(each.name for each in endpoint.columns)})
    parent, _, name = table.partition("__")
    endpoint = BY_NAME.get(parent)
    for child in endpoint.record.children if endpoint else ():
        if endpoint is not None and child.name == name:
            return frozenset({"account_id", *(each.name for each in endpoint.child_columns(child))})
    return frozenset()


def parse_scopes(sections: Mapping[str, Any]) -> dict[str, Scope]:
    """
    Parse every scope of the configuration.

    Raises:
        ConfigError: A scope is invalid; the message names the scope and the key.
    """
    return {name: parse_scope(name, section) for name, section in sections.items()}


def choose_scope(scopes: Mapping[str, Scope], name: str | None) -> Scope:
    """
    Return the scope called *name*; with None, the one that limits nothing.

    Raises:
        ConfigError: There is no scope of this name.
    """
    if name is None:
        return UNLIMITED
    if name not in scopes:
        known = ", ".join(sorted(scopes)) or "none"
        msg = (
            f"There is no scope {printable(name, limit=40)}. In the configuration are: {known}. "
            "Add it under [sources.harvest.scopes.NAME]."
        )
        raise ConfigError(msg)
    return scopes[name]


def parse_scope(name: str, section: Any) -> Scope:
    """
    Parse one scope.

    Raises:
        ConfigError: A key or value is invalid. A scope that is not understood is never used.
    """
    place = f"[sources.harvest.scopes.{printable(name, limit=40)}]"
    if not isinstance(section, Mapping):
        raise ConfigError(f"{place} is not a section with keys such as tables.")
    _check_known(section, SCOPE_KEYS, f"{place} has no key")
    rows = _parse_rows(section.get("rows", Rows.ALL), place)
    tables = _parse_names(section, "tables", place)
    withheld = frozenset[str]() if rows is Rows.ALL else _MONEY
    columns = _parse_columns(_parse_names(section, "columns", place), place, withheld)
    accounts = _parse_accounts(section.get("accounts", ()), place)
    tools = _parse_names(section, "tools", place)
    _check_known(tools or (), TOOLS, f"{place} names in tools")
    is_limited = rows is not Rows.ALL or bool(accounts) or (tables, columns) != (None, None)
    sql = section.get("sql", not is_limited)
    if not isinstance(sql, bool):
        raise ConfigError(f"{place}: sql has to be true or false.")
    _check_whole(place, rows, tables, columns)
    return Scope(
        name,
        frozenset(TOOLS if tools is None else tools),
        None if tables is None else frozenset(tables),
        columns,
        rows,
        accounts,
        sql,
        is_limited,
    )


def _check_whole(
    place: str,
    rows: Rows,
    tables: tuple[str, ...] | None,
    columns: Mapping[str, frozenset[str]] | None,
) -> None:
    """Refuse a scope that would show less, or more, than its author expects."""
    if rows is not Rows.ALL and columns is None:
        msg = f'{place}: rows = "{rows}" needs columns, a list of what is shown: ["time_entries.*"]'
        raise ConfigError(msg)
    for table in (*(tables or ()), *(columns or ())):
        if rows is not Rows.ALL and table not in RULES:
            known = ", ".join(sorted(RULES))
            msg = f'{place}: rows = "{rows}" has no rule for {table}. It can show: {known}'
            raise ConfigError(msg)
        if not (find_declared(table) or table.startswith((MART, _STAGING))):
            _check_known([table], BY_NAME, f"{place} names a table that does not exist:")
    for table in tables or ():
        if columns is not None and table not in columns:
            msg = f'{place}: columns names none of {table}. Add them, or "{table}.*".'
            raise ConfigError(msg)
    for table, names in (columns or {}).items():
        _check_revealing(place, table, names, columns or {})


def _check_revealing(
    place: str, table: str, names: frozenset[str], columns: Mapping[str, frozenset[str]]
) -> None:
    """Refuse a column of a model or report from which a hidden one can be computed."""
    if _EVERY in names:
        msg = f"{place}: name the columns of {table} one by one. They are made from many tables."
        raise ConfigError(msg)
    for base, computed in COMPUTED.items():
        of_table, _, column = base.partition(".")
        is_shown = column in columns.get(of_table, frozenset())
        found = sorted(names & computed.get(table, frozenset()))
        if found and not is_shown:
            msg = (
                f"{place}: {table}.{found[0]} is computed from {base}, which this scope hides. "
                "Show both, or neither."
            )
            raise ConfigError(msg)


def _parse_rows(value: Any, place: str) -> Rows:
    try:
        return Rows(value)
    except ValueError:
        raise ConfigError(f"{place}: rows has to be one of {', '.join(Rows)}.") from None


def _parse_names(section: Mapping[str, Any], key: str, place: str) -> tuple[str, ...] | None:
    value = section.get(key)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ConfigError(f"{place}: {key} has to be a list of names.")
    return tuple(value)


def _parse_columns(
    names: tuple[str, ...] | None, place: str, withheld: frozenset[str]
) -> Mapping[str, frozenset[str]] | None:
    """
    Parse the columns of each table.

    Args:
        withheld: Columns that ``TABLE.*`` leaves out.
    """
    if names is None:
        return None
    columns: dict[str, set[str]] = {}
    for each in names:
        table, dot, column = each.partition(".")
        if not (table and dot and column):
            msg = (
                f"{place}: columns look like clients.name or clients.*, not like {printable(each)}."
            )
            raise ConfigError(msg)
        declared = find_declared(table)
        found = columns.setdefault(table, set())
        if column == _EVERY and declared:
            # Time entries contain the rates of their assignments: user_assignment__hourly_rate.
            found |= {each for each in declared if each.rpartition("__")[2] not in withheld}
        elif declared and column not in declared:
            _check_known([column], declared, f"{place} names a column that {table} does not have:")
        else:
            found.add(column)
    return {table: frozenset(found) for table, found in columns.items()}


def _parse_accounts(value: Any, place: str) -> tuple[int, ...]:
    found = value if isinstance(value, (list, tuple)) else [value]
    if not all(isinstance(each, int) and not isinstance(each, bool) for each in found):
        raise ConfigError(f"{place}: accounts has to be a list of account ids.")
    return tuple(found)


def _check_known(names: Iterable[str], known: Iterable[str], what: str) -> None:
    known = sorted(known)
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, 1)
            end = f" Did you mean {near[0]}?" if near else f" There are: {', '.join(known)}."
            raise ConfigError(f"{what} {printable(name, limit=60)}.{end}")
