"""Which tables of a file can be queried."""

from __future__ import annotations

import duckdb

from harvest_source.ask.catalog import RelationInfo, read_relations
from harvest_source.ask.statement_guard import Relation


def test_only_the_datasets_own_staging_is_left_out() -> None:
    """A dataset named like a staging schema is read; its own half-loaded rows are not."""
    with duckdb.connect() as connection:
        for schema in ("team_staging", "team_staging_staging", "other_staging"):
            connection.execute(f"CREATE SCHEMA {schema}")
            connection.execute(f"CREATE TABLE {schema}.clients (id BIGINT)")
        connection.execute("COMMENT ON TABLE team_staging.clients IS 'Clients'")
        found = read_relations(connection, "team_staging")
    assert found == {
        Relation("team_staging", "clients"): RelationInfo("Clients", is_view=False),
        Relation("other_staging", "clients"): RelationInfo("", is_view=False),
    }
