"""ADBC on PostgreSQL."""

import adbc_driver_postgresql.dbapi
import pyarrow.csv
from tasks import run


class Client:
    def __init__(self, address):
        # begin connect
        self.connection = adbc_driver_postgresql.dbapi.connect(address)
        # end connect

    def query(self, sql):
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()

    def export(self, sql, path):
        # ADBC returns numeric as its own type, which no writer knows.
        sql = sql.replace("hours,", "CAST(hours AS double precision) AS hours,")
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            table = cursor.fetch_arrow_table()
        pyarrow.csv.write_csv(table, path)
        return table.num_rows


run(Client)
