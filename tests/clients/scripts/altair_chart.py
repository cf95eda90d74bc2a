"""Altair: the values in a chart's specification, made from a DuckDB data frame."""

import json
from pathlib import Path

import altair as alt
import duckdb
from tasks import as_doubles, run

alt.data_transformers.disable_max_rows()


class Client:
    def __init__(self, address):
        # begin connect
        self.connection = duckdb.connect(address, read_only=True)
        # end connect

    def query(self, sql):
        """Decimals are cast: a chart accepts none."""
        return [tuple(row.values()) for row in self.draw(as_doubles(sql))]

    def draw(self, sql):
        frame = self.connection.sql(sql).df()
        chart = alt.Chart(frame).mark_point().encode(x=alt.X(frame.columns[0], type="nominal"))
        (values,) = chart.to_dict()["datasets"].values()
        return values

    def export(self, sql, path):
        values = self.draw(sql.replace("hours", "hours::double AS hours"))
        Path(path).write_text(json.dumps(values))
        return len(values)


run(Client)
