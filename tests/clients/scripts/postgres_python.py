"""psycopg on PostgreSQL."""

import psycopg
from tasks import run, write_rows


class Client:
    def __init__(self, address):
        # begin connect
        self.connection = psycopg.connect(address)
        # end connect

    def query(self, sql):
        return self.connection.execute(sql).fetchall()

    def export(self, sql, path):
        return write_rows(self.query(sql), path)


run(Client)
