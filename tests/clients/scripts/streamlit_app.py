"""Streamlit: an app that shows a table for each query, run by Streamlit itself."""

import sys
from pathlib import Path

from streamlit.testing.v1 import AppTest
from tasks import run


class Client:
    def __init__(self, address):
        self.address, self.folder = address, Path(sys.argv[2])

    def query(self, sql):
        return [tuple(row) for row in self.show(sql).itertuples(index=False)]

    def show(self, sql):
        """The data frame that the page shows."""
        app = server if self.address.startswith("postgres") else file
        page = AppTest.from_function(app, kwargs={"address": self.address, "sql": sql})
        page.run(timeout=60)
        if page.exception:
            raise RuntimeError(page.exception[0].value)
        return page.dataframe[0].value

    def export(self, sql, path):
        frame = self.show(sql)
        frame.to_csv(path, index=False)
        return len(frame)


def file(address, sql):
    import duckdb
    import streamlit as st

    # begin connect
    with duckdb.connect(address, read_only=True) as connection:
        st.dataframe(connection.sql(sql).to_arrow_table())
    # end connect


def server(address, sql):
    import streamlit as st

    url = address.replace("postgresql://", "postgresql+psycopg://")
    st.dataframe(st.connection("warehouse", type="sql", url=url).query(sql))


run(Client)
