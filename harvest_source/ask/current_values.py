"""
Time entries with the client, the currency and the names that they have now.

A stored entry keeps what it was read with. If a project moves to another client, Harvest moves its
time too, of all years, and the entries' ``updated_at`` may not show it. So sums take these values
from the records' own tables, as the models do, and from the entry only what cannot be read there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Final

from harvest_source.ask.catalog import Catalog, Table
from harvest_source.ask.statement_guard import Relation
from harvest_source.schema.columns import ACCOUNT_ID
from harvest_source.sql.maintenance import quote

WEEK: Final = "first day of the week"
"""Name of the column that is added for weeks; no table of ours has a column of that name."""

_PERSON: Final = ("first_name", "last_name")
_VALUES: Final[Mapping[str, Sequence[tuple[str, tuple[str, ...]]]]] = {
    "client__id": (("projects", ("client__id",)),),
    "client__name": (("clients", ("name",)), ("projects", ("client__name",))),
    "client__currency": (("clients", ("currency",)), ("projects", ("client__currency",))),
    "project__name": (("projects", ("name",)),),
    "project__code": (("projects", ("code",)),),
    "user__name": (("users", _PERSON),),
    "task__name": (("tasks", ("name",)),),
    "invoice__number": (("invoices", ("number",)),),
}
"""Columns of ``time_entries``: the tables and columns that have the current value, best first."""

_IDS: Final[Mapping[str, str]] = {
    "projects": "project__id",
    "clients": "client__id",
    "users": "user__id",
    "tasks": "task__id",
    "invoices": "invoice__id",
}
"""Tables in the order in which they are joined, and the entry's column that refers to each."""

_FIRST_WEEKDAY: Final = "CASE week_start_day WHEN 'Saturday' THEN 6 WHEN 'Sunday' THEN 7 ELSE 1 END"


@dataclass(frozen=True, slots=True)
class Source:
    """What stands after ``FROM``, and the tables that it reads."""

    sql: str
    tables: tuple[Relation, ...]


def build_source(
    entries: Table, catalog: Catalog, columns: Set[str], *, has_weeks: bool = False
) -> Source:
    """
    Build the SQL of all rows of *entries*, with the current values of *columns*.

    A record that is stored twice does not make two rows of an entry.

    Args:
        columns: Columns of ``time_entries`` that the caller can read; none for the model, which has
            current values.
        has_weeks: Whether the column :data:`WEEK` is needed.
    """
    if not entries.has(ACCOUNT_ID):
        # Ids are unique within an account only.
        columns = frozenset()
    known = _find_tables(catalog, entries)
    places = {column: tuple(_find_places(column, known)) for column in columns}
    used = {name for found in places.values() for name, _ in found}
    if "clients" in used and "projects" in known and known["projects"].has("client__id"):
        used.add("projects")
    joins = [_build_join(known[name], used) for name in _IDS if name in used]
    relations = [known[name].relation for name in _IDS if name in used]
    shown = [_build_value(each.name, places.get(each.name, ())) for each in entries.columns]
    if has_weeks:
        company = catalog.get(f"{catalog.schemas[0]}.company")
        first = "1"
        if company and entries.has(ACCOUNT_ID) and company.has(ACCOUNT_ID, "week_start_day"):
            first = "COALESCE(weeks.first_weekday, 1)"
            relations.append(company.relation)
            joins.append(
                f"LEFT JOIN (SELECT account_id, ANY_VALUE({_FIRST_WEEKDAY}) AS first_weekday "  # noqa: S608
                f"FROM {company.quoted} GROUP BY account_id) AS weeks "
                "ON weeks.account_id = e.account_id"
            )
        day = f"e.{quote(entries.column('spent_date').name)}"
        week = f"{day} - CAST((7 + isodow({day}) - {first}) % 7 AS INTEGER)"
        shown.append(f"{week} AS {quote(WEEK)}")
    elif not joins:
        return Source(entries.quoted, (entries.relation,))
    sql = (
        f"(SELECT {', '.join(shown)} FROM {entries.quoted} AS e "  # noqa: S608
        f"{' '.join(joins)}) AS entries"
    )
    return Source(sql, (entries.relation, *relations))


def _find_tables(catalog: Catalog, entries: Table) -> dict[str, Table]:
    """The tables that can be joined to *entries*, by name."""
    found = {name: catalog.get(f"{catalog.schemas[0]}.{name}") for name in _IDS}
    return {
        name: table
        for name, table in found.items()
        if table is not None and table.has(ACCOUNT_ID, "id") and entries.has(_IDS[name])
    }


def _find_places(column: str, known: Mapping[str, Table]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The tables and columns that have the current value of *column*, best first."""
    for name, needed in _VALUES.get(column, ()):
        if name in known and known[name].has(*needed):
            yield name, needed


def _build_join(table: Table, used: Set[str]) -> str:
    """Join the record that an entry refers to; a client by the client of its project."""
    name = table.name
    every = {
        each for found in _VALUES.values() for at, needed in found if at == name for each in needed
    }
    values = ", ".join(f"ANY_VALUE({each}) AS {each}" for each in sorted(every) if table.has(each))
    key = f"e.{_IDS[name]}"
    if name == "clients" and "projects" in used:
        key = f"COALESCE(projects.client__id, {key})"
    return (
        f"LEFT JOIN (SELECT account_id, id, {values} FROM {table.quoted} "  # noqa: S608
        f"GROUP BY account_id, id) AS {name} "
        f"ON {name}.account_id = e.account_id AND {name}.id = {key}"
    )


def _build_value(column: str, places: Sequence[tuple[str, tuple[str, ...]]]) -> str:
    """Select one column, with its current value where there is one."""
    own = f"e.{quote(column)}"
    if not places:
        return own
    values = [
        f"NULLIF(TRIM(CONCAT_WS(' ', {', '.join(f'{name}.{each}' for each in needed)})), '')"
        if needed == _PERSON
        else f"{name}.{needed[0]}"
        for name, needed in places
    ]
    return f"COALESCE({', '.join(values)}, {own}) AS {quote(column)}"
