"""Datasette with datasette-parquet, which reads only DuckDB's default schema."""

import asyncio
from pathlib import Path

from datasette.app import Datasette
from tasks import as_doubles, count_rows, run


class Client:
    def __init__(self, address):
        # begin connect
        plugins = {"datasette-parquet": {"harvest": {"file": address}}}
        # end connect
        self.site = Datasette(metadata={"plugins": plugins}, settings={"max_returned_rows": 10_000})
        asyncio.run(self.site.invoke_startup())

    def get(self, path, **parameters):
        answer = asyncio.run(self.site.client.get(path, params=parameters))
        if answer.status_code != 200:
            raise RuntimeError(answer.json()["error"] if "json" in path else answer.text[:100])
        return answer

    def query(self, sql):
        """Rows as JSON. JSON has no decimals, so they are cast."""
        sql = as_doubles(sql).replace("harvest.", "")
        return self.get("/harvest.json", sql=sql).json()["rows"]

    def export(self, sql, path):
        text = self.get("/harvest.csv", sql=sql.replace("harvest.", "")).text
        Path(path).write_text(text, newline="")
        return count_rows(path)


def tables(client):
    return sorted(table["name"] for table in client.get("/harvest.json").json()["tables"])


run(Client, list=tables)
