"""Names of tables and columns that every client can write without quotes."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from harvest_source.load.hints import CHILD_KEYS
from harvest_source.load.history import VALID_FROM, VALID_TO
from harvest_source.load.own_tables import COLUMNS
from harvest_source.schema.columns import ACCOUNT_ID, LOAD_ID
from harvest_source.schema.endpoints import ENDPOINTS
from tests.support.keywords import POSTGRES_RESERVED


def iter_names() -> Iterator[tuple[str, str]]:
    """``(where, name)`` of every table and column that can be in a warehouse."""
    for endpoint in ENDPOINTS:
        yield "table", endpoint.name
        yield from ((endpoint.name, column.name) for column in endpoint.columns)
        for child, table in zip(endpoint.record.children, endpoint.child_tables, strict=True):
            yield "table", table
            yield from ((table, column.name) for column in child.columns)
    for table, columns in COLUMNS.items():
        yield "table", table
        yield from ((table, name) for name in columns)
    yield from (("everywhere", name) for name in (ACCOUNT_ID, LOAD_ID, VALID_FROM, VALID_TO))
    yield from (("child tables", name) for name in CHILD_KEYS)


def reserved_in_duckdb() -> frozenset[str]:
    """The words that the installed DuckDB reserves where a table or column could be named."""
    with duckdb.connect() as connection:
        rows = connection.execute(
            "SELECT keyword_name FROM duckdb_keywords() "
            "WHERE keyword_category IN ('reserved', 'type_function')"
        ).fetchall()
    return frozenset(name for (name,) in rows)


@pytest.mark.parametrize("dialect", ["duckdb", "postgres"])
def test_no_name_is_reserved(dialect: str) -> None:
    """No table and no column has to be quoted in DuckDB or PostgreSQL."""
    reserved = reserved_in_duckdb() if dialect == "duckdb" else POSTGRES_RESERVED
    assert {"from", "to"} <= reserved
    assert [each for each in iter_names() if each[1] in reserved] == []
