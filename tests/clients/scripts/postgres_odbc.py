"""ODBC, through psqlODBC (Debian's odbc-postgresql) and pyodbc."""

from urllib.parse import parse_qs, urlsplit

import pyodbc
from tasks import run, write_rows


class Client:
    def __init__(self, address):
        host = parse_qs(urlsplit(address).query)["host"][0]
        # begin connect
        self.connection = pyodbc.connect(
            f"Driver=PostgreSQL Unicode;Servername={host};Database=postgres;UID=postgres;"
            "BoolsAsChar=0;ReadOnly=1"
        )
        # end connect
        driver = self.connection.getinfo(pyodbc.SQL_DRIVER_VER)
        self.version = f"psqlODBC {driver}, pyodbc {pyodbc.version}"

    def query(self, sql):
        return [tuple(row) for row in self.connection.cursor().execute(sql).fetchall()]

    def export(self, sql, path):
        return write_rows(self.query(sql), path)


def tables(client):
    found = client.connection.cursor().tables(schema="harvest", tableType="TABLE")
    return sorted(row.table_name for row in found)


run(Client, list=tables)
