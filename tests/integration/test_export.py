"""``harvest-source export``: the warehouse as files."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow.parquet
import pytest

from harvest_source.errors import ConfigError, DestinationError
from harvest_source.export.excel_files import MOST_ROWS
from harvest_source.export.export import export
from tests.support.exported import read_csv, read_excel
from tests.support.lab import Lab
from tests.support.labs import OpenLab

TABLES = ("time_entries", "invoices")


@pytest.fixture
def lab(open_lab: OpenLab) -> Lab:
    """A lab with two loaded tables."""
    return open_lab.loaded(*TABLES, entries=40, invoices=5)


def test_every_table_in_every_format(lab: Lab, tmp_path: Path) -> None:
    """Each of a user's tables becomes a file with all its rows, even beside another reader."""
    tables = lab.sql(
        "SELECT table_name AS name, estimated_size AS rows FROM duckdb_tables() "
        "WHERE schema_name = 'harvest' AND table_name NOT LIKE '\\_dlt%' ESCAPE '\\'"
    )
    counts = {row["name"]: row["rows"] for row in tables}
    with duckdb.connect(str(lab.database), read_only=True):
        for form in ("csv", "parquet", "xlsx"):
            report = export(tmp_path / form, database=lab.database, form=form)
            assert report.exit_code == 0
            assert {path.stem: rows for path, rows in report.rows.items()} == counts
            assert sorted(p.name for p in (tmp_path / form).iterdir()) == sorted(
                f"{name}.{form}" for name in counts
            )
    hours = sum(row["hours"] for row in lab.table("time_entries"))
    lines = read_csv(tmp_path / "csv" / "time_entries.csv")
    assert sum(Decimal(line["hours"]) for line in lines) == hours
    assert not any(line["hours"].endswith("0") and "." in line["hours"] for line in lines)
    table = pyarrow.parquet.read_table(tmp_path / "parquet" / "time_entries.parquet")
    assert sum(table.column("hours").to_pylist()) == hours
    assert str(table.schema.field("created_at").type) == "timestamp[us, tz=UTC]"
    rows = read_excel(tmp_path / "xlsx" / "time_entries.xlsx")
    assert sum(Decimal(str(row["hours"])) for row in rows) == hours


def test_a_dataset_that_dlt_names_otherwise_is_exported(open_lab: OpenLab, tmp_path: Path) -> None:
    """dlt writes the dataset User-Data as user_data."""
    lab = open_lab()
    assert lab.sync("clients", dataset="User-Data").exit_code == 0
    report = export(tmp_path, database=lab.database, dataset="User-Data", table=["clients"])
    assert sum(report.rows.values()) == len(lab.server.rows("clients"))


@pytest.mark.rare
def test_decimal_commas(lab: Lab, tmp_path: Path) -> None:
    """Decimal commas are for spreadsheets in countries that write 2,75."""
    export(tmp_path, database=lab.database, table=["time_entries"], decimal_comma=True)
    lines = read_csv(tmp_path / "time_entries.csv", ";")
    expected = {str(row["id"]): row["hours"] for row in lab.table("time_entries")}
    assert {e["id"]: Decimal(e["hours"].replace(",", ".")) for e in lines} == expected
    with pytest.raises(ConfigError, match="--decimal-comma is for CSV"):
        export(tmp_path, database=lab.database, form="xlsx", decimal_comma=True)


def test_impossible_exports_are_refused_with_the_reason(lab: Lab, tmp_path: Path) -> None:
    """Unknown table, dataset or file, a folder that is a file, no DuckDB file: no export."""
    with pytest.raises(ConfigError, match="has no table nope"):
        export(tmp_path / "x", database=lab.database, table=["nope"])
    with pytest.raises(ConfigError, match="There is no warehouse"):
        export(tmp_path / "x", database=tmp_path / "none.duckdb")
    with pytest.raises(ConfigError, match="has no tables in dataset other"):
        export(tmp_path / "x", database=lab.database, dataset="other")
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be made"):
        export(tmp_path / "file", database=lab.database)
    assert not (tmp_path / "x").exists()
    (tmp_path / "broken.duckdb").write_bytes(b"no database at all, but long enough")
    with pytest.raises(DestinationError, match="is not a DuckDB database"):
        export(tmp_path / "x", database=tmp_path / "broken.duckdb")


def test_exporting_an_unknown_account_is_an_error(lab: Lab, tmp_path: Path) -> None:
    """A mistyped account id is an error and does not replace earlier files with empty ones."""
    for accounts in (["5"], ["1000001", "5"]):
        with pytest.raises(ConfigError, match=r"no row of account 5 .* accounts: 1000001"):
            export(tmp_path / "out", database=lab.database, account=accounts)
    assert not (tmp_path / "out").exists()


def test_an_export_of_one_account_has_only_its_rows(open_lab: OpenLab, tmp_path: Path) -> None:
    """The rows of the requested account are exported, and our own tables whole."""
    lab = open_lab.loaded("clients", accounts=(1000001, 1000002))
    export(tmp_path, database=lab.database, account=["1000002"], table=["clients", "sync_runs"])
    lines = read_csv(tmp_path / "clients.csv")
    assert len(lines) == len(lab.ids("clients", account_id=1000002))
    assert {line["account_id"] for line in lines} == {"1000002"}
    assert len(read_csv(tmp_path / "sync_runs.csv")) == len(lab.table("sync_runs"))


@pytest.mark.rare
def test_xlsx_refuses_a_table_too_long_for_a_sheet(lab: Lab, tmp_path: Path) -> None:
    """xlsx refuses the table and writes the others (exit 5); csv says what Excel does."""
    lab.alter(f"CREATE TABLE long AS SELECT range AS id FROM range({MOST_ROWS + 1})")
    report = export(tmp_path, database=lab.database, table=["invoices", "long"], form="xlsx")
    assert report.exit_code == 5
    assert report.as_dict()["status"] == "partial"
    assert [path.name for path in report.rows] == ["invoices.xlsx"]
    assert [path.name for path in tmp_path.glob("*.xlsx")] == ["invoices.xlsx"]
    message = report.refused["long"]
    assert "1,048,576 rows, and a sheet of Excel holds 1,048,575" in message
    assert "csv or parquet" in message

    report = export(tmp_path, database=lab.database, table=["long"], form="csv")
    assert (report.exit_code, list(report.rows.values())) == (0, [MOST_ROWS + 1])
    assert report.warnings == ["long has 1,048,576 rows. Excel opens the first 1,048,575 of them."]
