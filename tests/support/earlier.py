"""A warehouse of an earlier version: child rows without their parent's key, fewer tables."""

from __future__ import annotations

import json

import dlt

from harvest_source.dlt_internals import NamingDuckDB, find_table, store_schema
from harvest_source.schema.endpoints import ENDPOINTS
from tests.support.lab import Lab


def forget_own_tables(lab: Lab, *names: str) -> None:
    """Drop tables of ours from the warehouse and from dlt's schema for it."""
    for name in names:
        lab.alter(f"DROP TABLE {name}")
    with lab.working():
        destination = NamingDuckDB(credentials=str(lab.database))
        pipeline = dlt.pipeline("harvest", destination=destination, dataset_name="harvest")
        schema = pipeline.default_schema.clone()
        for name in names:
            del schema.tables[name]
        store_schema(pipeline, schema)


def forget_parent_keys(pipeline: dlt.Pipeline) -> None:
    """Drop the columns from the destination, and from the schema there and in the folder."""
    schema = pipeline.default_schema
    known_as = schema.stored_version_hash
    with pipeline.sql_client() as client:
        for endpoint in ENDPOINTS:
            for child in endpoint.child_tables:
                table = find_table(schema, child)
                for column in endpoint.parent_keys.values() if table in schema.tables else ():
                    del schema.tables[table]["columns"][column.name]
                    name = client.make_qualified_table_name(table)
                    client.execute_sql(f"ALTER TABLE {name} DROP COLUMN {column.name}")
        pipeline._schema_storage.commit_live_schema(schema.name)
        versions = client.make_qualified_table_name("_dlt_version")
        client.execute_sql(
            f"UPDATE {versions} SET schema = %s, version_hash = %s WHERE version_hash = %s",
            json.dumps(schema.to_dict()),
            schema.stored_version_hash,
            known_as,
        )
