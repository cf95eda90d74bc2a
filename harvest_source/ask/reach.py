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
    A scope and, if it limits rows by person, who asks in which account.

    Attributes:
        people: Who asks, by account; empty: a scope that limits rows by person shows none.
    """

    scope: Scope = UNLIMITED
    people: tuple[Person, ...] = ()

    @property
    def has_all_rows(self) -> bool:
        """Whether all rows may be seen: at most columns are limited."""
        return self.scope.rows is Rows.ALL and not self.scope.accounts

    def restrict(self, catalog: Catalog, dataset: str) -> Catalog:
        """Restrict the catalog to what the caller may see."""
        if not self.scope.is_limited:
            return catalog
        # Other schemas are left out: a view that a user made there may show anything.
        schemas = (dataset, find_schema(dataset))
        tables = {
            relation: restricted
            for relation, table in catalog.tables.items()
            if relation.schema in schemas
            and (restricted := self._restrict_table(table)) is not None
        }
        return Catalog(schemas, tables, syncs=_restrict_syncs(catalog.syncs))

    def build_condition(self, table: str, source: Source) -> str:
        """Build the condition of the rows that are shown; empty: all of them."""
        parts = []
        if self.scope.accounts:
            parts.append(f"account_id IN ({', '.join(str(int(a)) for a in self.scope.accounts)})")
        if self.scope.rows is not Rows.ALL:
            parts.append(build_condition(table, self.people, source))
        return " AND ".join(f"({part})" for part in parts)

    def _restrict_table(self, table: Table) -> Table | None:
        """Restrict a table to its visible columns; None: it does not exist for the caller."""
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
        """Write the reach as JSON values, for the worker process."""
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
"""Columns of the sync log for every caller: how old the copy is. Others may name hidden things."""


def _restrict_syncs(table: Table | None) -> Table | None:
    if table is None:
        return None
    columns = tuple(each for each in table.columns if each.name in _OF_SYNCS)
    return replace(table, columns=columns, key=())


def parse_reach(value: Mapping[str, Any] | None) -> Reach:
    """Parse the output of :meth:`Reach.to_json`; None: nothing is limited."""
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
