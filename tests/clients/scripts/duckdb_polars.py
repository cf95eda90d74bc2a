"""polars, through DuckDB's library."""

import duckdb
from tasks import run


class Client:
    def __init__(self, address):
        # begin connect
        self.connection = duckdb.connect(address, read_only=True)
        # end connect

    def query(self, sql):
        return self.connection.sql(sql).pl().rows()

    def export(self, sql, path):
        frame = self.connection.sql(sql).pl()
        frame.write_csv(path)
        return len(frame)


run(Client)
