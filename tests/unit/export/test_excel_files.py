"""Excel files, read back with another library."""

from __future__ import annotations

import errno
import gc
import tempfile
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pytest

from harvest_source.export.errors import DoesNotFitError
from harvest_source.export.excel_files import LONGEST_TEXT, write_excel


def write(folder: Path, values: list[Any], kind: pa.DataType) -> list[Any]:
    """The cells of one column, as Excel would read them."""
    path = folder / "table.xlsx"
    assert write_excel(path, [pa.table({"value": pa.array(values, kind)})]) == len(values)
    book = openpyxl.load_workbook(path)
    (sheet,) = book.worksheets
    head, *cells = [row[0] for row in sheet.iter_rows()]
    assert (sheet.title, head.value) == ("table", "value")
    return cells


@pytest.mark.parametrize(
    ("value", "kind", "cell"),
    [
        (Decimal("2.75"), pa.decimal128(38, 9), 2.75),
        (Decimal("12345678901234567890.5"), pa.decimal128(38, 9), "12345678901234567890.5"),
        (7, pa.int64(), 7),
        (2**60 + 1, pa.int64(), str(2**60 + 1)),
        (True, pa.bool_(), True),
        (date(2026, 1, 31), pa.date32(), datetime(2026, 1, 31)),  # noqa: DTZ001
        (date(201, 1, 31), pa.date32(), "0201-01-31"),
        (
            datetime(2026, 1, 31, 23, 30, tzinfo=UTC),
            pa.timestamp("us", "UTC"),
            datetime(2026, 1, 31, 23, 30),  # noqa: DTZ001
        ),
        ("text", pa.string(), "text"),
        ("https://example.com", pa.string(), "https://example.com"),
        ("00123", pa.string(), "00123"),
    ],
)
def test_cells_have_excel_types_only_if_they_are_exact(
    tmp_path: Path, value: Any, kind: pa.DataType, cell: Any
) -> None:
    """Numbers and days are Excel's own types if it holds them exactly, and text otherwise."""
    empty, filled = write(tmp_path, [None, value], kind)
    assert (filled.value, type(filled.value)) == (cell, type(cell))
    assert empty.value is None


def test_no_text_is_a_formula(tmp_path: Path) -> None:
    """The text stays text when it is opened, and after a person edits the cell."""
    (cell,) = write(tmp_path, ['=HYPERLINK("http://evil")'], pa.string())
    assert (cell.data_type, cell.value) == ("s", '=HYPERLINK("http://evil")')
    assert cell.quotePrefix


def test_a_long_text_is_cut(tmp_path: Path) -> None:
    """A cell holds 32,767 characters; the last one shows that there are more."""
    (cell,) = write(tmp_path, ["x" * 40_000], pa.string())
    assert (len(cell.value), cell.value[-1]) == (LONGEST_TEXT, "…")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_file_that_cannot_be_written_is_an_error_of_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library's own error is none, and would end the export with a traceback."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    path = tmp_path / "missing" / "table.xlsx"
    with pytest.raises(OSError, match="No such file") as caught:
        write_excel(path, [pa.table({"value": [1]})])
    assert caught.value.errno == errno.ENOENT
    assert not list(temporary.iterdir()), "rows stayed in a temporary file"
    del caught
    gc.collect()  # The library leaves its files open.


def test_more_columns_than_a_sheet_has_are_refused(tmp_path: Path) -> None:
    """The library would leave them out without a word."""
    table = pa.table({f"c{at}": [1] for at in range(16_385)})
    with pytest.raises(DoesNotFitError, match="16,385 columns"):
        write_excel(tmp_path / "table.xlsx", [table])
