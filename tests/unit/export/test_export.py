"""What an export says of values that its format cannot hold."""

from __future__ import annotations

import zipfile
from pathlib import Path

import duckdb
import openpyxl
import pytest

from harvest_source.export.excel_files import LONGEST_TEXT
from harvest_source.export.export import ExportReport, export


def export_table(folder: Path, select: str, form: str) -> ExportReport:
    """Export a table that a person made in the dataset, and one beside it."""
    database = folder / "warehouse.duckdb"
    with duckdb.connect(str(database)) as connection:
        connection.execute(f"CREATE SCHEMA harvest; CREATE TABLE harvest.made AS {select}")
        connection.execute("CREATE TABLE harvest.other AS SELECT 1 AS id")
    return export(folder / form, database=database, form=form)


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


def test_emoji_count_twice(tmp_path: Path) -> None:
    """Excel counts units of UTF-16: a text that is cut because of emoji is said, too."""
    report = export_table(tmp_path, "SELECT repeat('\U0001f600', 20000) AS notes", "xlsx")
    (warning,) = report.warnings
    assert warning.startswith("made has 1 text that is longer")
    (_, (cell,)) = openpyxl.load_workbook(tmp_path / "xlsx" / "made.xlsx").worksheets[0].values
    assert cell.endswith("\U0001f600…")
    assert LONGEST_TEXT - 2 < len(cell.encode("utf-16-le")) // 2 <= LONGEST_TEXT


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("'nan'::DOUBLE", "nan"),
        ("'-inf'::DOUBLE", "-inf"),
        ("DATE '12026-01-31'", "12026-01-31"),
        ("TIMESTAMPTZ '12026-01-31 10:00:00+00'", "12026-01-31 10:00:00.000000Z"),
    ],
)
def test_values_that_excel_does_not_have_are_texts(tmp_path: Path, value: str, cell: str) -> None:
    """They ended the export with a traceback."""
    assert export_table(tmp_path, f"SELECT {value} AS a", "xlsx").refused == {}
    rows = openpyxl.load_workbook(tmp_path / "xlsx" / "made.xlsx").worksheets[0].values
    assert list(rows) == [("a",), (cell,)]


@pytest.mark.parametrize(
    ("form", "value"), [("csv", "[1, 2]"), ("csv", "{'a': 1}"), ("parquet", "INTERVAL 1 DAY")]
)
def test_types_that_a_format_lacks_are_refused(tmp_path: Path, form: str, value: str) -> None:
    """One such table of a person's own does not end the export of the others."""
    report = export_table(tmp_path, f"SELECT {value} AS a", form)
    assert (report.exit_code, [each.name for each in report.rows]) == (5, [f"other.{form}"])
    assert report.refused["made"].startswith(f"made has values that {form} cannot hold")
    assert "--table" in report.refused["made"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_workbook_over_4_gb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only this table is refused, with what to do; no part of a file stays."""
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 100_000)
    report = export_table(tmp_path, "SELECT md5(range::VARCHAR) AS a FROM range(2000)", "xlsx")
    assert report.refused == {
        "made": "made has more than the 4 GB that a sheet of Excel may have. "
        "Export it as csv or parquet."
    }
    assert [each.name for each in (tmp_path / "xlsx").iterdir()] == ["other.xlsx"]
