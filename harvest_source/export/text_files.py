"""Writes CSV and Parquet files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from harvest_source.export.plain_texts import to_texts

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
"""Without it Excel reads the file in the machine's code page: ``ChloÃ©``."""


def write_csv(path: Path, batches: Iterable[pa.Table], *, comma: bool = False, **_: Any) -> int:
    """
    Write a CSV file for spreadsheets: UTF-8, texts in quotes, null as an empty unquoted field.

    Args:
        comma: Write decimals with a comma, and separate values by semicolons.

    Returns:
        The number of rows.
    """
    options = pyarrow.csv.WriteOptions(delimiter=";" if comma else ",", quoting_style="needed")
    rows, writer = 0, None
    with path.open("wb") as file:
        file.write(_BYTE_ORDER_MARK)
        for batch in batches:
            texts = [to_texts(batch.column(name), comma=comma) for name in batch.column_names]
            table = pa.table(dict(zip(batch.column_names, texts, strict=True)))
            writer = writer or pyarrow.csv.CSVWriter(file, table.schema, write_options=options)
            writer.write_table(table)
            rows += table.num_rows
        if writer is not None:
            writer.close()
    return rows


def write_parquet(path: Path, batches: Iterable[pa.Table], **_: Any) -> int:
    """
    Write a Parquet file, with every type as in the warehouse.

    Returns:
        The number of rows.
    """
    rows, writer = 0, None
    try:
        for batch in batches:
            writer = writer or pyarrow.parquet.ParquetWriter(path, batch.schema)
            writer.write_table(batch)
            rows += batch.num_rows
    finally:
        if writer is not None:
            writer.close()
    return rows
