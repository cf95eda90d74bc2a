"""Choose the writer that changes and deletes rows in a destination."""

from __future__ import annotations

import dlt

from harvest_source.dlt_internals import SqlClient, is_open_tables
from harvest_source.warehouse.open_table_writer import BY_COMMITS
from harvest_source.warehouse.sql import BY_STATEMENTS, Sql


def open_sql(client: SqlClient, schema: dlt.Schema) -> Sql:
    """Our own SQL over an open connection, with the writer of its destination."""
    return Sql(client, schema, BY_COMMITS if is_open_tables(client) else BY_STATEMENTS)
