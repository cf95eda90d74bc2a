"""The package's own tables."""

from __future__ import annotations

import dlt
import pytest

from harvest_source.load.own_tables import COLUMNS, build_own_resource, is_made
from harvest_source.schema.endpoints import BY_NAME
from harvest_source.schema.own_tables import DELETED_RECORDS, SYNC_RUNS

each_table = pytest.mark.parametrize("table", COLUMNS)


@each_table
def test_our_table_names_differ_from_harvests(table: str) -> None:
    """A Harvest table of that name would be mixed with ours."""
    assert table not in BY_NAME


@each_table
def test_rows_merge_by_their_key(table: str) -> None:
    """A row that is written twice is stored once."""
    schema = build_own_resource(table, []).compute_table_schema()
    keys = {name for name, hint in schema["columns"].items() if hint.get("primary_key")}
    assert keys == {name for name, hint in COLUMNS[table].items() if hint.get("primary_key")}
    assert keys
    assert schema["write_disposition"] == "merge"
    assert schema["x-merge-strategy"] == "delete-insert"  # type: ignore[typeddict-item]


@each_table
def test_rows_are_yielded_unchanged(table: str) -> None:
    """The resource yields what it is given."""
    rows = [{"id": 1}, {"id": 2}]
    assert list(build_own_resource(table, rows)) == rows


def test_a_table_counts_as_made_if_it_has_every_column() -> None:
    """If a newer version adds a column, the table is created again."""
    schema = dlt.Schema("harvest")
    assert not is_made(SYNC_RUNS, schema)
    schema.update_table(build_own_resource(SYNC_RUNS, []).compute_table_schema())
    assert is_made(SYNC_RUNS, schema)
    assert not is_made(DELETED_RECORDS, schema)
    schema.tables[SYNC_RUNS]["columns"].pop("version")
    assert not is_made(SYNC_RUNS, schema)
