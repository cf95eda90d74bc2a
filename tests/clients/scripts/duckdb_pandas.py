"""pandas, through DuckDB's library."""

import duckdb
from tasks import run


class Client:
    def __init__(self, address):
        # begin connect
        self.connection = duckdb.connect(address, read_only=True)
        # end connect

    def query(self, sql):
        return self.connection.execute(sql).df().itertuples(index=False)

    def export(self, sql, path):
        frame = self.connection.execute(sql).df()
        frame["created_at"] = frame["created_at"].dt.tz_localize(None)  # Excel refuses zones.
        frame.to_excel(path.replace(".csv", ".xlsx"), index=False)
        return len(frame)


run(Client)
