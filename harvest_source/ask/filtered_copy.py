"""
An in-memory database that contains what a caller may see, and nothing else.

Filtering inside the caller's statement is not safe: the optimizer may evaluate a caller's
expression on a row before the row is filtered out, and an error, or its absence, would reveal the
row's content. So the visible rows are copied, and the file is detached before the statement runs.
Where only columns are limited, views are enough, because the caller may see all rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from harvest_source.ask.catalog import Catalog, Table
from harvest_source.ask.reach import Reach
from harvest_source.ask.row_rules import Source
from harvest_source.ask.statement_guard import Relation
from harvest_source.sql.maintenance import quote

DATABASE: Final = "asked"
"""Name of this database, for statements that put one before a schema."""


def make_copy(
    connection: Any,
    catalog: Catalog,
    relations: Iterable[Relation],
    reach: Reach,
    source: Source,
) -> None:
    """
    Make *relations* readable in a database of their own, which replaces the file.

    Args:
        catalog: The catalog, restricted to what the caller may see.
        relations: Tables that the caller's question reads.
        source: The warehouse's file.
    """
    connection.execute(f"ATTACH ':memory:' AS {quote(DATABASE)} (READ_WRITE)")
    for schema in catalog.schemas:
        connection.execute(f"CREATE SCHEMA {quote(DATABASE, schema)}")
    for relation in relations:
        if relation in catalog.tables:
            condition = reach.build_condition(relation.name, source)
            table, as_table = catalog.tables[relation], not reach.has_all_rows
            connection.execute(_build(table, condition, source, as_table=as_table))
        elif catalog.syncs is not None and relation == catalog.syncs.relation:
            connection.execute(_build(catalog.syncs, "", source, as_table=True))
    places = ",".join(quote(DATABASE, schema) for schema in catalog.schemas)
    connection.execute(f"SET search_path = '{places.replace(chr(39), chr(39) * 2)}'")
    if not reach.has_all_rows:
        connection.execute(f"DETACH {quote(source.database)}")


def _build(table: Table, condition: str, source: Source, *, as_table: bool) -> str:
    """Build the statement that copies one table, or makes a view of it."""
    columns = ", ".join(quote(each.name) for each in table.columns)
    where = f" WHERE {condition}" if condition else ""
    kind = "TABLE" if as_table else "VIEW"
    relation = table.relation
    return (
        f"CREATE {kind} {quote(DATABASE, relation.schema, relation.name)} AS "  # noqa: S608
        f"SELECT {columns} FROM {quote(source.database, relation.schema, relation.name)}{where}"
    )
