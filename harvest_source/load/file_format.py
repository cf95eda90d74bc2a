"""
Which file format carries Arrow tables to a destination without changing a value on the way.

To PostgreSQL dlt would send them as CSV, and its COPY takes every empty text for null.
"""

from __future__ import annotations

from typing import Final, Literal

from harvest_source.dlt_internals import find_active_pipeline

FileFormat = Literal["insert_values", "parquet"]

EXACT: Final = "insert_values"
"""Slower than parquet, and exact in every SQL destination."""


def choose_format() -> FileFormat:
    """The format for Arrow tables in the pipeline that is running; parquet outside one."""
    pipeline = find_active_pipeline()
    destination = pipeline.destination if pipeline is not None else None
    is_postgres = destination is not None and destination.destination_type.endswith(".postgres")
    return EXACT if is_postgres else "parquet"
