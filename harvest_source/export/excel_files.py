"""Writes Excel workbooks of one sheet each. Needs the extra ``excel``."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from harvest_source.errors import ConfigError
from harvest_source.export.errors import DoesNotFitError
from harvest_source.export.plain_texts import format_all_digits
from harvest_source.formulas import BEGINNINGS
from harvest_source.installation import build_extra_command

MOST_ROWS: Final = 1_048_575
"""Maximum number of rows of a sheet, without the one for the column names."""

LONGEST_TEXT: Final = 32_767
"""
Maximum number of characters in a cell; a longer text is cut and ends in an ellipsis. Excel counts
characters beyond U+FFFF, such as emoji, twice.
"""

_MOST_COLUMNS: Final = 16_384

_MOST_DIGITS: Final = 15
"""Excel's numbers are doubles: one with more digits would be rounded, so it becomes a text."""

_FIRST_DAY: Final = date(1900, 3, 1)
"""Excel has no days before 1900, and it counts a 29 February 1900 that never existed."""

_SHEET_NAME: Final = 31

_UNITS: Final = "utf-16-le"
"""Excel's units of texts: two bytes each."""

_OPTIONS: Final = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}


def write_excel(
    path: Path,
    batches: Iterable[pa.Table],
    *,
    on_cut: Callable[[int], None] = lambda _: None,
    **_: Any,
) -> int:
    """
    Write a workbook whose only sheet has the rows, using little memory.

    Numbers and days become Excel's own where Excel can hold them exactly, and texts otherwise. No
    text becomes a formula. Instants are in UTC.

    Args:
        on_cut: Called once with the number of texts that were cut, if there are any.

    Returns:
        The number of rows.

    Raises:
        ConfigError: The extra is not installed.
        DoesNotFitError: The table is larger than a workbook may be.
        OSError: The file cannot be written.
    """
    try:
        import xlsxwriter
        from xlsxwriter.exceptions import FileCreateError, FileSizeError
    except ImportError as error:
        msg = f"Excel files need the extra excel. Install it: {build_extra_command('excel')}"
        raise ConfigError(msg) from error
    try:
        # The library's own temporary files would stay, with the rows, if the workbook fails.
        with (
            TemporaryDirectory(prefix="harvest-source-") as rows,
            xlsxwriter.Workbook(str(path), {**_OPTIONS, "tmpdir": rows}) as book,
        ):
            sheet = _Sheet(book, book.add_worksheet(path.stem.split(".")[0][:_SHEET_NAME]))
            for batch in batches:
                sheet.write(batch)
    except FileCreateError as error:  # It is no OSError, and has the system's as its argument.
        raise OSError(*error.args[0].args) from error
    except FileSizeError as error:  # Excel may not read a file with ZIP64, which could hold it.
        raise DoesNotFitError("more than the 4 GB that a sheet of Excel may have") from error
    if sheet.cuts:
        on_cut(sheet.cuts)
    return sheet.rows


class _Sheet:
    """Writes rows one after the other, as ``constant_memory`` requires."""

    def __init__(self, book: Any, sheet: Any) -> None:
        self._sheet = sheet
        self._day = book.add_format({"num_format": "yyyy-mm-dd"})
        self._instant = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        # Excel shows such text unchanged, even after a person has edited the cell.
        self._quoted = book.add_format({"quote_prefix": True})
        self._head = book.add_format({"bold": True})
        self.rows = -1
        self.cuts = 0

    def write(self, batch: pa.Table) -> None:
        if self.rows < 0:
            if batch.num_columns > _MOST_COLUMNS:
                msg = f"{batch.num_columns:,} columns, and a sheet of Excel holds {_MOST_COLUMNS:,}"
                raise DoesNotFitError(msg)
            for at, name in enumerate(batch.column_names):
                self._sheet.write_string(0, at, name, self._head)
            self._sheet.freeze_panes(1, 0)
            self.rows = 0
        columns = [self._prepare(column) for column in batch.columns]
        for row in zip(*(values for _, values in columns), strict=True):
            self.rows += 1
            for at, value in enumerate(row):
                if value is not None:
                    columns[at][0](self.rows, at, value)

    def _prepare(self, column: Any) -> tuple[Callable[[int, int, Any], None], Sequence[Any]]:
        """What writes a column's values, and these: texts if Python lacks one, as of year 10000."""
        try:
            return self._choose(column.type), column.to_pylist()
        except (OverflowError, ValueError):
            return self._write_text, pc.cast(column, pa.string()).to_pylist()

    def _choose(self, kind: pa.DataType) -> Callable[[int, int, Any], None]:
        if pa.types.is_boolean(kind):
            return self._write_flag
        if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
            return self._write_time
        if pa.types.is_integer(kind) or pa.types.is_decimal(kind) or pa.types.is_floating(kind):
            return self._write_number
        return self._write_text

    def _write_flag(self, row: int, at: int, value: bool) -> None:
        self._sheet.write_boolean(row, at, value)

    def _write_number(self, row: int, at: int, value: int | Decimal | float) -> None:
        if isinstance(value, float) and not math.isfinite(value):
            self._sheet.write_string(row, at, str(value))
        elif isinstance(value, float) or _count_digits(value) <= _MOST_DIGITS:
            self._sheet.write_number(row, at, value)
        else:
            text = str(format_all_digits(Decimal(value)))
            self._sheet.write_string(row, at, text.rstrip("0").rstrip(".") if "." in text else text)

    def _write_time(self, row: int, at: int, value: date | datetime) -> None:
        if isinstance(value, datetime):
            value = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
            if value.date() >= _FIRST_DAY:
                self._sheet.write_datetime(row, at, value, self._instant)
                return
        elif value >= _FIRST_DAY:
            self._sheet.write_datetime(row, at, value, self._day)
            return
        self._sheet.write_string(
            row, at, value.isoformat(" ") if isinstance(value, datetime) else value.isoformat()
        )

    def _write_text(self, row: int, at: int, value: Any) -> None:
        text = str(value)
        if len(text) > LONGEST_TEXT // 2 and len(units := text.encode(_UNITS)) > 2 * LONGEST_TEXT:
            text = units[: 2 * (LONGEST_TEXT - 1)].decode(_UNITS, "ignore") + "…"
            self.cuts += 1
        if text.startswith(BEGINNINGS):
            self._sheet.write_string(row, at, text, self._quoted)
        else:
            self._sheet.write_string(row, at, text)


def _count_digits(value: int | Decimal) -> int:
    """Count significant digits."""
    digits = Decimal(value).as_tuple().digits
    text = "".join(map(str, digits)).strip("0")
    return len(text)
