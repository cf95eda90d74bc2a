"""pandas on PostgreSQL, through SQLAlchemy."""

import pandas as pd
import sqlalchemy as sa
from tasks import run


class Client:
    def __init__(self, address):
        # begin connect
        self.engine = sa.create_engine(address.replace("postgresql://", "postgresql+psycopg://"))
        # end connect

    def query(self, sql):
        return pd.read_sql(sa.text(sql), self.engine, coerce_float=False).itertuples(index=False)

    def export(self, sql, path):
        frame = pd.read_sql(sa.text(sql), self.engine)
        frame["created_at"] = frame["created_at"].dt.tz_localize(None)  # Excel refuses zones.
        frame.to_excel(path.replace(".csv", ".xlsx"), index=False)
        return len(frame)


run(Client)
