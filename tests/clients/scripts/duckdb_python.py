"""DuckDB's own library."""

import duckdb
from tasks import count_rows, run


class Client:
    def __init__(self, address):
        # begin connect
        self.connection = duckdb.connect(address, read_only=True)
        # end connect

    def query(self, sql):
        return self.connection.execute(sql).fetchall()

    def export(self, sql, path):
        self.connection.execute(f"COPY ({sql}) TO '{path}' (HEADER)")
        return count_rows(path)


run(Client)
