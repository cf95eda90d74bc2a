"""
Warehouses without a server here: each statement of ours, and each by which dlt creates our tables,
obeys its dialect's grammar. Statements are rendered, not run.
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
"""Characters in the shortest limit for names, PostgreSQL's."""


@pytest.mark.parametrize("warehouse", WAREHOUSES, ids=lambda each: each.name)
@pytest.mark.parametrize("statement", CATALOGUE, ids=lambda each: each.what)
def test_statements_obey_the_grammar(warehouse: Warehouse, statement: Statement) -> None:
    """Names are quoted by the destination's capabilities, and forms are its dialect's."""
    capabilities = warehouse.build().capabilities()
    assert capabilities.sqlglot_dialect == warehouse.dialect
    names = CapabilityNames(capabilities)
    for text, values in iter_rendered(warehouse, statement):
        assert text.count("%s") == len(values)
        if names.column("id") == '"ID"':  # In Snowflake a lower-case letter would be another name.
            assert '"' not in re.sub(r'"[A-Z0-9_]+"', "", text)


@pytest.mark.parametrize("warehouse", WAREHOUSES, ids=lambda each: each.name)
def test_tables_obey_the_grammar(warehouse: Warehouse) -> None:
    """dlt's own client creates each table, and our names equal its names."""
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
    """This includes the suffix for values that do not fit; dlt would shorten a longer name."""
    found = {name for name, table in schema().tables.items() for name in (name, *table["columns"])}
    assert max(map(len, found)) + len(VARIANT) <= LONGEST
