"""The tables and columns of the open file that a caller may read, with their descriptions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Any

from harvest_source.ask import models
from harvest_source.ask.statement_guard import Relation, StatementRefused
from harvest_source.defaults import DATASET
from harvest_source.schema.endpoints import BY_NAME
from harvest_source.schema.own_tables import SYNC_RUNS
from harvest_source.sql.maintenance import quote


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column, with DuckDB's type."""

    name: str
    type: str
    description: str


@dataclass(frozen=True, slots=True)
class Table:
    """
    A table or view.

    Attributes:
        key: Columns of the primary key; empty if it is not known.
        is_view: Its rows are computed when they are read.
        id_column: The column that identifies one record; None: there is none.
    """

    relation: Relation
    columns: tuple[TableColumn, ...]
    key: tuple[str, ...]
    description: str
    is_view: bool = False

    @property
    def name(self) -> str:
        """The name without the schema."""
        return self.relation.name

    @property
    def quoted(self) -> str:
        """Schema and name, quoted for SQL."""
        return quote(self.relation.schema, self.relation.name)

    @property
    def id_column(self) -> str | None:
        """``id``, or the only key column besides the account's."""
        if self.has("id"):
            return "id"
        rest = [name for name in self.key if name != "account_id"]
        return rest[0] if len(rest) == 1 else None

    def has(self, *names: str) -> bool:
        """Whether all of *names* are columns."""
        return {*names} <= {column.name for column in self.columns}

    def column(self, name: str) -> TableColumn:
        """
        Find a column by its name, ignoring case.

        Raises:
            StatementRefused: There is no such column; the message suggests similar names.
        """
        for column in self.columns:
            if column.name.lower() == name.lower():
                return column
        raise StatementRefused(_suggest(f"{self.name} has no column", name, self._names()))

    def _names(self) -> list[str]:
        return [column.name for column in self.columns]


@dataclass(frozen=True, slots=True)
class Catalog:
    """
    Tables by name.

    Attributes:
        schemas: Schemas in which unqualified names are looked up, in order.
        entries_model: The model of time entries, if it is as new as the table.
        syncs: The table of syncs, even if it is not among *tables*.
    """

    schemas: tuple[str, ...]
    tables: Mapping[Relation, Table]
    entries_model: Table | None = None
    syncs: Table | None = None

    def get(self, name: str) -> Table | None:
        """Find the table called *name*, with or without a schema; None: there is none."""
        schema, _, bare = name.rpartition(".")
        for candidate in (schema,) if schema else self.schemas:
            for relation, table in self.tables.items():
                if (relation.schema.lower(), relation.name.lower()) == (
                    candidate.lower(),
                    bare.lower(),
                ):
                    return table
        return None

    def find(self, name: str) -> Table:
        """
        Find a table as :meth:`get` does.

        Raises:
            StatementRefused: There is no such table; the message suggests similar names.
        """
        found = self.get(name)
        if found is None:
            known = [
                relation.name if relation.schema in self.schemas else str(relation)
                for relation in self.tables
            ]
            raise StatementRefused(_suggest("There is no table", name, known))
        return found

    def has_unique_keys(self, table: Table) -> bool:
        """
        Whether no two rows of *table* have the same key: only syncs ensure that.

        A view, and a table that people made, may have the columns of a key and repeat its values.
        """
        own = self.schemas[0].lower()
        return not table.is_view and table.relation.schema.lower() == own

    def describe_tables(self) -> list[tuple[Any, ...]]:
        """Name, schema, key, number of columns and description of every table."""
        return [
            (
                table.name,
                table.relation.schema,
                ", ".join(table.key),
                len(table.columns),
                table.description,
            )
            for _, table in sorted(self.tables.items(), key=lambda each: str(each[0]))
        ]


@dataclass(frozen=True, slots=True)
class RelationInfo:
    """Properties of a table or view in DuckDB's catalog."""

    comment: str
    is_view: bool


def read_relations(connection: Any, dataset: str) -> dict[Relation, RelationInfo]:
    """
    Read the tables and views of the open database that may be asked about.

    The schema in which dlt stages the loads of *dataset* is left out: its rows are incomplete.
    """
    found = connection.execute(
        "SELECT schema_name, table_name, comment, false FROM duckdb_tables() "
        "WHERE NOT internal AND database_name = current_database() UNION ALL "
        "SELECT schema_name, view_name, comment, true FROM duckdb_views() "
        "WHERE NOT internal AND database_name = current_database()"
    ).fetchall()
    return {
        Relation(schema, name): RelationInfo(comment or "", is_view)
        for schema, name, comment, is_view in found
        if schema != f"{dataset}_staging"
    }


def read_catalog(connection: Any, schemas: tuple[str, ...], dataset: str) -> Catalog:
    """Read the tables of :func:`read_relations` with their columns."""
    relations = read_relations(connection, dataset)
    columns: dict[Relation, list[TableColumn]] = {}
    for schema, name, column, kind, comment in connection.execute(
        "SELECT schema_name, table_name, column_name, data_type, comment FROM duckdb_columns() "
        "WHERE NOT internal AND database_name = current_database() "
        "ORDER BY schema_name, table_name, column_index"
    ).fetchall():
        relation = Relation(schema, name)
        if relation in relations:
            columns.setdefault(relation, []).append(TableColumn(column, kind, comment or ""))
    tables = {
        relation: Table(
            relation,
            tuple(found),
            _find_key(relation, {each.name for each in found}),
            relations[relation].comment,
            relations[relation].is_view,
        )
        for relation, found in columns.items()
    }
    has_model = models.have_all_entries(connection, dataset, tables)
    model = Relation(models.find_schema(dataset), models.ENTRIES)
    syncs = tables.get(Relation(dataset, SYNC_RUNS))
    return Catalog(schemas, tables, tables[model] if has_model else None, syncs)


def check_dataset(dataset: str, schemas: Set[str]) -> None:
    """
    Refuse a dataset that the user named but that does not exist.

    Otherwise tables of other schemas would answer in its place.

    Args:
        schemas: Schemas that have tables.

    Raises:
        StatementRefused: The dataset does not exist; the message lists the schemas.
    """
    if dataset != DATASET and schemas and dataset.lower() not in map(str.lower, schemas):
        shown = "".join(each if each.isprintable() else "?" for each in dataset[:80])
        msg = f"There is no dataset {shown}. Tables are in: {', '.join(sorted(schemas))}."
        raise StatementRefused(msg)


def _find_key(relation: Relation, names: set[str]) -> tuple[str, ...]:
    endpoint = BY_NAME.get(relation.name)
    if endpoint is not None and {*endpoint.key} <= names:
        return endpoint.key
    return ("_dlt_id",) if "_dlt_id" in names else ()


def _suggest(what: str, name: str, known: Iterable[str]) -> str:
    import difflib

    shown = "".join(each if each.isprintable() else "?" for each in name[:80])
    near = difflib.get_close_matches(name.lower(), sorted({*known}), 3)
    end = f" Did you mean {', '.join(near)}?" if near else ""
    return f"{what} {shown}.{end}"
