"""polars on PostgreSQL, through ADBC."""

import polars as pl
from tasks import run


class Client:
    def __init__(self, address):
        # begin connect
        self.address = address
        # end connect

    def read(self, sql):
        return pl.read_database_uri(sql, self.address, engine="adbc")

    def query(self, sql):
        return self.read(sql).rows()

    def export(self, sql, path):
        # ADBC returns numeric as its own type, which no writer knows.
        sql = sql.replace("hours,", "CAST(hours AS double precision) AS hours,")
        frame = self.read(sql)
        frame.write_csv(path)
        return len(frame)


run(Client)
