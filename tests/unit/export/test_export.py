"""What an export says of values that its format cannot hold."""

from __future__ import annotations

from pathlib import Path

import duckdb

from harvest_source.export.excel_files import LONGEST_TEXT
from harvest_source.export.export import export


def test_texts_that_excel_cuts_are_said(tmp_path: Path) -> None:
    """A warning for each table, with how many; formats that hold them whole have none."""
    database = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(database)) as connection:
        connection.execute("CREATE SCHEMA harvest")
        for name, texts in (("one", [LONGEST_TEXT + 1]), ("two", [40_000, 5, 40_000])):
            connection.execute(f"CREATE TABLE harvest.{name} (notes VARCHAR)")
            rows = [["n" * length] for length in texts]
            connection.executemany(f"INSERT INTO harvest.{name} VALUES (?)", rows)
        connection.execute("CREATE TABLE harvest.fits AS SELECT repeat('n', 32767) AS notes")
    report = export(tmp_path / "xlsx", database=database, form="xlsx")
    assert (report.exit_code, len(report.rows)) == (0, 3)
    one, two = report.warnings
    assert one.startswith("one has 1 text that is longer than the 32,767 characters of a cell")
    assert two.startswith("two has 2 texts that are longer")
    assert "csv or parquet" in one
    for form in ("csv", "parquet"):
        assert export(tmp_path / form, database=database, form=form).warnings == []
