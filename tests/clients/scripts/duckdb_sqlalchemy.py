"""SQLAlchemy on a DuckDB file, through duckdb-engine."""

import sqlalchemy as sa
from tasks import run, write_rows


class Client:
    def __init__(self, address):
        # begin connect
        self.engine = sa.create_engine(
            f"duckdb:///{address}",
            connect_args={"read_only": True},
            poolclass=sa.pool.NullPool,  # Otherwise the file stays open, and no sync can write.
        )
        # end connect

    def query(self, sql):
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(sql))]

    def export(self, sql, path):
        return write_rows(self.query(sql), path)


run(Client, list=lambda c: sorted(sa.inspect(c.engine).get_table_names(schema="harvest")))
