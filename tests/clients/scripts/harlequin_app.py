"""harlequin, the SQL editor for terminals: the app itself, driven without a terminal."""

import asyncio

from harlequin.app import Harlequin
from tasks import run, write_rows


def open_adapter(address):
    if address.startswith("postgres"):
        from harlequin_postgres import HarlequinPostgresAdapter

        return HarlequinPostgresAdapter((address,))
    from harlequin_duckdb import DuckDbAdapter

    return DuckDbAdapter((address,), read_only=True)


class Client:
    def __init__(self, address):
        self.adapter = open_adapter(address)

    def query(self, sql):
        return asyncio.run(self.type(sql))

    async def type(self, sql):
        """Run a query in the editor, and read the results table."""
        app = Harlequin(self.adapter)
        async with app.run_test(size=(140, 40)) as pilot:
            for _ in range(300):
                await pilot.pause(0.1)
                if app.editor is not None and app.connection is not None:
                    break
            app.editor.text = sql
            await pilot.press("ctrl+j")
            for _ in range(300):
                await pilot.pause(0.1)
                table = app.results_viewer.get_visible_table()
                if table is not None and table.row_count:
                    return [tuple(table.get_row_at(at)) for at in range(table.row_count)]
        raise RuntimeError("no rows were shown")

    def export(self, sql, path):
        return write_rows(self.query(sql), path)


def tables(client):
    """The tables that its tree shows below the schema."""
    catalog = client.adapter.connect().get_catalog()
    for database in catalog.items:
        for schema in [*database.fetch_children()] or [database]:
            if schema.label == "harvest":
                return sorted(item.label for item in schema.fetch_children())
    raise RuntimeError("no schema harvest")


run(Client, list=tables)
