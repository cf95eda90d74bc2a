"""
Warehouses without a server here: every statement of ours, and every statement by which dlt makes
our tables, obeys the grammar of its dialect. Rendered, not run.
"""

from __future__ import annotations

import re

import pytest
import sqlglot

from harvest_source.schema.columns import VARIANT
from tests.support.rendering import CapabilityNames, iter_rendered, schema
from tests.support.statement_catalogue import CATALOGUE, Statement
from tests.support.warehouses import WAREHOUSES, Warehouse, build_client, render_ddl

LONGEST = 63
"""Characters of the shortest limit for names, PostgreSQL's."""


@pytest.mark.parametrize("warehouse", WAREHOUSES, ids=lambda each: each.name)
@pytest.mark.parametrize("statement", CATALOGUE, ids=lambda each: each.what)
def test_statements_obey_the_grammar(warehouse: Warehouse, statement: Statement) -> None:
    """Named and quoted by the destination's capabilities, with its dialect's forms."""
    capabilities = warehouse.build().capabilities()
    assert capabilities.sqlglot_dialect == warehouse.dialect
    names = CapabilityNames(capabilities)
    for text, values in iter_rendered(warehouse, statement):
        assert text.count("%s") == len(values)
        if names.column("id") == '"ID"':  # Snowflake: a small letter would be another name.
            assert '"' not in re.sub(r'"[A-Z0-9_]+"', "", text)


@pytest.mark.parametrize("warehouse", WAREHOUSES, ids=lambda each: each.name)
def test_tables_obey_the_grammar(warehouse: Warehouse) -> None:
    """Every CREATE by dlt's own client for it, and our names are those of its client."""
    if not warehouse.is_installed:
        pytest.skip(f"{warehouse.driver} is not installed")
    client = build_client(warehouse, schema())
    texts = render_ddl(client)
    assert sum(text.lstrip().upper().startswith("CREATE") for text in texts) >= len(
        schema().data_tables()
    )
    for text in texts:
        sqlglot.parse(text, dialect=warehouse.dialect)
    names = CapabilityNames(client.capabilities)
    assert client.sql_client.escape_column_name("_dlt_id") == names.column("_dlt_id")


def test_no_name_is_longer_than_any_destination_takes() -> None:
    """Not even with what stands behind a column for values that do not fit; dlt would cut it."""
    found = {name for name, table in schema().tables.items() for name in (name, *table["columns"])}
    assert max(map(len, found)) + len(VARIANT) <= LONGEST
