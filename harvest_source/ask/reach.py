"""What one call may read: a scope, and who asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from harvest_source.ask.catalog import Catalog, Table
from harvest_source.ask.models import find_schema
from harvest_source.ask.row_rules import RULES, Person, Source, build_condition
from harvest_source.ask.scopes import UNLIMITED, Rows, Scope


@dataclass(frozen=True, slots=True)
class Reach:
    """
    A scope and, where it shows rows by person, who asks in which account.

    Attributes:
        people: Empty: no row of such a scope is shown.
    """

    scope: Scope = UNLIMITED
    people: tuple[Person, ...] = ()

    @property
    def has_all_rows(self) -> bool:
        """Whether columns alone are limited."""
        return self.scope.rows is Rows.ALL and not self.scope.accounts

    def restrict(self, catalog: Catalog, dataset: str) -> Catalog:
        """The catalog as the caller has it: what is not allowed is not in it."""
        if not self.scope.is_limited:
            return catalog
        # A view that a user made in another schema may show anything.
        schemas = (dataset, find_schema(dataset))
        tables = {
            relation: restricted
            for relation, table in catalog.tables.items()
            if relation.schema in schemas
            and (restricted := self._restrict_table(table)) is not None
        }
        return Catalog(schemas, tables, syncs=_restrict_syncs(catalog.syncs))

    def build_condition(self, table: str, source: Source) -> str:
        """The condition of the rows that are shown; empty: all of them."""
        parts = []
        if self.scope.accounts:
            parts.append(f"account_id IN ({', '.join(str(int(a)) for a in self.scope.accounts)})")
        if self.scope.rows is not Rows.ALL:
            parts.append(build_condition(table, self.people, source))
        return " AND ".join(f"({part})" for part in parts)

    def _restrict_table(self, table: Table) -> Table | None:
        """The table with the columns that are shown; None: it does not exist for the caller."""
        is_ruled = self.scope.rows is Rows.ALL or table.name in RULES
        if not is_ruled or not (self.has_all_rows or table.has("account_id")):
            return None
        shown = self.scope.find_columns(table.name)
        columns = tuple(each for each in table.columns if shown is None or each.name in shown)
        if not columns:
            return None
        names = {each.name for each in columns}
        return replace(table, columns=columns, key=table.key if {*table.key} <= names else ())

    def to_json(self) -> dict[str, Any]:
        """For the worker process."""
        scope = self.scope
        return {
            **asdict(scope),
            "tools": sorted(scope.tools),
            "tables": None if scope.tables is None else sorted(scope.tables),
            "columns": None
            if scope.columns is None
            else {table: sorted(names) for table, names in scope.columns.items()},
            "people": [asdict(each) for each in self.people],
        }


_OF_SYNCS: Final = frozenset({"started_at", "ended_at", "status"})
"""What every caller may know: how old the copy is. Errors and counts name what may be hidden."""


def _restrict_syncs(table: Table | None) -> Table | None:
    if table is None:
        return None
    columns = tuple(each for each in table.columns if each.name in _OF_SYNCS)
    return replace(table, columns=columns, key=())


def parse_reach(value: Mapping[str, Any] | None) -> Reach:
    """What :meth:`Reach.to_json` made; None: nothing is limited."""
    if value is None:
        return Reach()
    people = tuple(
        Person(each["account_id"], each["user_id"], tuple(each["people"]), tuple(each["projects"]))
        for each in value["people"]
    )
    tables, columns = value["tables"], value["columns"]
    scope = Scope(
        value["name"],
        frozenset(value["tools"]),
        None if tables is None else frozenset(tables),
        None if columns is None else {table: frozenset(names) for table, names in columns.items()},
        Rows(value["rows"]),
        tuple(value["accounts"]),
        value["sql"],
        value["is_limited"],
    )
    return Reach(scope, people)
