"""SQLAlchemy on PostgreSQL: automap finds the tables by their primary keys."""

import sqlalchemy as sa
from sqlalchemy.ext.automap import automap_base
from tasks import run, write_rows


class Client:
    def __init__(self, address):
        # begin connect
        self.engine = sa.create_engine(address.replace("postgresql://", "postgresql+psycopg://"))
        # end connect

    def query(self, sql):
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(sql))]

    def export(self, sql, path):
        return write_rows(self.query(sql), path)


def tables(client):
    found = automap_base()
    found.prepare(autoload_with=client.engine, schema="harvest")
    dlts = [name for name in sa.inspect(client.engine).get_table_names("harvest") if "_dlt" in name]
    return sorted(
        [*(table.name for table in found.metadata.tables.values() if table.primary_key), *dlts]
    )


run(Client, list=tables)
