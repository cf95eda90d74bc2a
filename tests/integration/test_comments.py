"""Descriptions in the warehouse itself."""

from __future__ import annotations

import dlt
import duckdb
import pytest

from harvest_source.schema.columns import VARIANT, Column
from harvest_source.schema.endpoint import Endpoint
from harvest_source.schema.endpoints import BY_NAME, DEFAULT_ENDPOINTS
from tests.support.lab import HOUR, Lab
from tests.support.labs import OpenLab


def comments(lab: Lab) -> dict[str, str | None]:
    """The dataset's comments, by ``table`` or ``table.column``."""
    here = "WHERE schema_name = 'harvest'"
    tables = lab.sql(f"SELECT table_name AS name, comment FROM duckdb_tables() {here}")
    columns = lab.sql(
        f"SELECT table_name || '.' || column_name AS name, comment FROM duckdb_columns() {here}"
    )
    return {row["name"]: row["comment"] for row in (*tables, *columns)}


def declared(endpoint: Endpoint) -> dict[str, str]:
    """The declared comments of the columns of a table and of its child tables."""
    found = {f"{endpoint.name}.{c.name}": text_of(c) for c in endpoint.columns if not c.secret}
    for child in endpoint.record.children:
        table = f"{endpoint.name}__{child.name}"
        found |= {
            f"{table}.{column.name}": text_of(column) for column in endpoint.child_columns(child)
        }
    return found


def text_of(column: Column) -> str:
    """A description plus the table that the column refers to, as DuckDB has no foreign keys."""
    to = f". With account_id: id of {column.of}" if column.of else ""
    return f"{column.description}{to}"


def test_every_table_and_column_is_described(open_lab: OpenLab) -> None:
    """After one sync each table has a comment, and each column its declared description."""
    lab = open_lab()
    assert lab.sync().run_log.warnings == []
    found = comments(lab)
    for endpoint in DEFAULT_ENDPOINTS:
        for table in (endpoint.name, *endpoint.child_tables):
            assert found[table]
            assert found[f"{table}.account_id"] == "Harvest account the row belongs to"
        assert declared(endpoint).items() <= found.items()
    assert sorted(name for name, comment in found.items() if not comment) == []


@pytest.mark.rare
def test_comments_stay_through_merges_and_new_columns(open_lab: OpenLab) -> None:
    """Edited rows and a new field leave every existing comment unchanged."""
    lab = open_lab.loaded("clients", "invoices")
    before = comments(lab)
    lab.rest(HOUR)
    lab.server.alter("clients", "set_field", name="brand_new", value="yes")
    lab.server.alter("clients", "set_field", name="is_active", value="perhaps")
    for table in ("clients", "invoices"):
        lab.server.edit(table, lab.server.rows(table)[0]["id"], created_at=lab.clock())
    lab.sync("clients", "invoices")
    after = comments(lab)
    assert before.items() <= after.items()
    assert "does not describe" in (after["clients.brand_new"] or "")
    assert "is_active" in (after[f"clients.is_active{VARIANT}"] or "")


@pytest.mark.rare
def test_comments_are_written_again_into_a_new_database(open_lab: OpenLab) -> None:
    """The folder notes which comments were written; the note is void without the database."""
    lab = open_lab.loaded("clients")
    lab.database.unlink()
    lab.sync("clients")
    assert declared(BY_NAME["clients"]).items() <= comments(lab).items()


def test_a_killed_run_leaves_its_comments_to_the_next(open_lab: OpenLab) -> None:
    """Comments come after the load, so the next run writes them even if it finds nothing new."""
    lab = open_lab.loaded("clients")
    with duckdb.connect(str(lab.database)) as connection:
        connection.execute("COMMENT ON COLUMN harvest.clients.name IS NULL")
    lab.rest(HOUR)
    lab.sync("clients")
    assert comments(lab)["clients.name"] is None, "an unchanged run looks at nothing"
    pipeline = dlt.attach("harvest", pipelines_dir=str(lab.folder / "dlt" / "pipelines"))
    pipeline.set_local_state_val("harvest_source_owed", True)
    pipeline.set_local_state_val("harvest_source_comments", {})
    lab.rest(HOUR)
    lab.sync("clients")
    assert comments(lab)["clients.name"]
    assert pipeline.get_local_state_val("harvest_source_owed") is False


def test_an_unchanged_run_writes_no_comment(open_lab: OpenLab) -> None:
    """A user's own comment stays until the table changes."""
    lab = open_lab.loaded("clients")
    with duckdb.connect(str(lab.database)) as connection:
        connection.execute("COMMENT ON COLUMN harvest.clients.name IS 'Ours'")
    lab.rest(HOUR)
    lab.server.edit("clients", lab.server.rows("clients")[0]["id"], name="Edited")
    lab.sync("clients")
    assert comments(lab)["clients.name"] == "Ours"
