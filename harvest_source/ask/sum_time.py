"""Hours and amounts of time entries, read from their model if it is as new as the table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from harvest_source.ask.catalog import Catalog, Table
from harvest_source.ask.current_values import WEEK, Source, build_source
from harvest_source.ask.filters import Built, Filter, build_where, join_where
from harvest_source.ask.statement_guard import StatementRefused
from harvest_source.schema.columns import ACCOUNT_ID
from harvest_source.sql.maintenance import quote

PERIODS: Final = ("day", "week", "month")
GROUPS: Final[dict[str, tuple[str, str]]] = {
    "client": ("client__id", "client__name"),
    "project": ("project__id", "project__name"),
    "person": ("user__id", "user__name"),
    "task": ("task__id", "task__name"),
}
"""What :class:`SumTime` groups by: an id, and a name, the current one where it can be read."""

_OF_MODEL: Final = {
    "id": "time_entry_id",
    "client__id": "client_id",
    "client__name": "client_name",
    "client__currency": "currency",
    "project__id": "project_id",
    "project__name": "project_name",
    "project__code": "project_code",
    "user__id": "user_id",
    "user__name": "person_name",
    "task__id": "task_id",
    "task__name": "task_name",
    "billable": "is_billable",
    "budgeted": "is_budgeted",
    "invoice__id": "invoice_id",
    "invoice__number": "invoice_number",
}
"""Columns whose name in the model differs from the table's. A filter may use either name."""

_MONEY: Final = "DECIMAL(38, 9)"
"""
Products have 20 digits before the point. Those of two narrower decimals have 18 digits in all, of
which 12 were decimals: DuckDB refused the amount of an entry from a million on.
"""

_SUMS: Final = (
    ("entries", (), "COUNT(*)"),
    ("hours", ("hours",), "SUM({hours})"),
    ("rounded_hours", ("rounded_hours",), "SUM({rounded_hours})"),
    (
        "billable_hours",
        ("rounded_hours", "billable"),
        "COALESCE(SUM(CASE WHEN {billable} THEN {rounded_hours} END), 0)",
    ),
    (
        "amount",
        ("rounded_hours", "billable", "billable_rate"),
        # Time that is not billable earns 0; an amount without any known rate is not known.
        f"CASE WHEN BOOL_OR({{billable}}) THEN SUM(CASE WHEN {{billable}} THEN "
        f"CAST({{rounded_hours}} AS {_MONEY}) * CAST({{billable_rate}} AS {_MONEY}) END) "
        "ELSE 0 END",
    ),
    (
        "without_rate",
        ("billable", "billable_rate"),
        "COUNT(CASE WHEN {billable} AND {billable_rate} IS NULL THEN 1 END)",
    ),
)
"""Name, columns and expression of each sum, which is left out if a column cannot be read."""

_USED: Final = frozenset(
    {
        *(ACCOUNT_ID, "spent_date", "updated_at", "client__currency"),
        *(column for pair in GROUPS.values() for column in pair),
        *(column for _, needs, _ in _SUMS for column in needs),
    }
)
"""Columns of the table that a sum may read or be grouped by."""


@dataclass(frozen=True, slots=True)
class _Entries:
    """Time entries in the table or the model, which have the same columns under other names."""

    table: Table
    names: Mapping[str, str] = field(default_factory=dict)
    is_model: bool = False

    def name(self, column: str) -> str:
        """The name here of a column of the table ``time_entries``."""
        return self.names.get(column.lower(), column)

    def has(self, *columns: str) -> bool:
        """Whether all of *columns* can be read."""
        return self.table.has(*map(self.name, columns))

    def quote(self, column: str) -> str:
        """Quote a column for SQL. Raises StatementRefused if the caller has no such column."""
        return quote(self.table.column(self.name(column)).name)


_IF_NULL: Final = {"hours": (), "rounded_hours": ("hours",)}
"""Columns that are never null in the model: what stands there instead, before 0."""


def _build_value(entries: _Entries, column: str) -> str:
    """Build the SQL of a value to sum, which is the same in the table as in the model."""
    if column not in _IF_NULL:
        return entries.quote(column)
    others = (each for each in _IF_NULL[column] if entries.has(each))
    return f"COALESCE({', '.join(map(entries.quote, (column, *others)))}, 0)"


@dataclass(frozen=True, slots=True)
class SumTime:
    """
    Sums of hours and amounts of time entries, separately for each currency.

    Entries count for the client that their project has now, in its currency, whatever client they
    were read with. Weeks begin on the account's first weekday. So sums are the same from the table
    as from the model. If the caller cannot read the projects or the company, the client is that of
    the entry, and weeks begin on Monday.

    Attributes:
        by: Any of ``client project person task day week month``.
        start: First day; empty: from the beginning.
        end: Last day; empty: to the end.
        where: Filters on columns of ``time_entries``, or of its model under the model's names.
    """

    by: tuple[str, ...] = ()
    start: str = ""
    end: str = ""
    where: tuple[Filter, ...] = ()

    def build(self, catalog: Catalog) -> Built:
        """
        Build the SELECT.

        The amount is computed as Harvest does: rounded hours times the billable rate of billable
        entries. Billable entries without a rate are counted apart: their amount is not known.
        """
        entries = self._choose(catalog)
        source = self._build_source(entries, catalog)
        filters = [replace(each, column=entries.name(each.column)) for each in self.where]
        conditions, parameters = build_where(entries.table, filters)
        for operator, day in ((">=", self.start), ("<=", self.end)):
            if day:
                conditions.append(f"{entries.quote('spent_date')} {operator} CAST(? AS DATE)")
                parameters.append(day)
        keys, shown = self._build_groups(entries)
        if entries.has("client__currency"):
            keys.append(entries.quote("client__currency"))
            shown.append(f"{keys[-1]} AS currency")
        for name, needs, expression in _SUMS:
            if entries.has(*needs):
                values = {each: _build_value(entries, each) for each in needs}
                shown.append(f"{expression.format(**values)} AS {name}")
        grouping = f" GROUP BY {', '.join(keys)} ORDER BY ALL" if keys else ""
        sql = (
            f"SELECT {', '.join(shown)} FROM {source.sql}"  # noqa: S608
            f"{join_where(conditions)}{grouping}"
        )
        return Built(sql, tuple(parameters), source.tables)

    def _build_source(self, entries: _Entries, catalog: Catalog) -> Source:
        """The rows to sum: of the table with current values, of the model as they are."""
        columns: set[str] = set()
        if not entries.is_model:
            names = {entries.name(each.column).lower() for each in self.where}
            pairs = (GROUPS[each] for each in self.by if each in GROUPS)
            names |= {"client__currency", *(name for pair in pairs for name in pair)}
            columns = {each for each in names if entries.has(each)}
        return build_source(entries.table, catalog, columns, has_weeks="week" in self.by)

    def _choose(self, catalog: Catalog) -> _Entries:
        """
        The model if it is as new as the table and has the filters' columns, else the table.

        A model of another version may lack a column that the table has: without the currency,
        amounts of two currencies would be one sum.
        """
        columns = [each.column for each in self.where]
        of_table = {theirs: ours for ours, theirs in _OF_MODEL.items()}
        if catalog.entries_model is not None:
            model = _Entries(catalog.entries_model, _OF_MODEL, is_model=True)
            table = catalog.get("time_entries")
            missing = [each for each in _USED if not model.has(each)]
            if model.has(*columns) and not (table and any(map(table.has, missing))):
                return model
        return _Entries(catalog.find("time_entries"), of_table)

    def _build_groups(self, entries: _Entries) -> tuple[list[str], list[str]]:
        """Build the expressions to group by, and those to show, with names last."""
        unknown = [each for each in self.by if each not in (*PERIODS, *GROUPS)]
        if unknown:
            msg = f"Time is summed by {', '.join((*GROUPS, *PERIODS))}, not by {unknown[0][:40]!r}."
            raise StatementRefused(msg)
        keys: list[str] = []
        shown: list[str] = []
        names: list[str] = []
        if not GROUPS.keys().isdisjoint(self.by) and entries.has(ACCOUNT_ID):
            # Two accounts may use the same id.
            keys.append(entries.quote(ACCOUNT_ID))
            shown.append(keys[-1])
        for each in self.by:
            if each in PERIODS:
                day = entries.quote("spent_date")
                keys.append(quote(WEEK) if each == "week" else f"date_trunc('{each}', {day})")
                shown.append(f"CAST({keys[-1]} AS DATE) AS {each}")
                continue
            key, name = GROUPS[each]
            keys.append(entries.quote(key))
            shown.append(f"{keys[-1]} AS {each}_id")
            if entries.has(name):
                # The newest name, if the caller cannot read the current one.
                newest = entries.quote("updated_at" if entries.has("updated_at") else key)
                names.append(f"arg_max({entries.quote(name)}, {newest}) AS {each}_name")
        return keys, shown + names
