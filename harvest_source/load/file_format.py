"""
Which file format carries Arrow tables to a destination without changing a value on the way.

To PostgreSQL, dlt would send them as CSV, and its COPY reads every empty text as null.
"""

from __future__ import annotations

from typing import Final, Literal

from harvest_source.dlt_internals import find_active_destination
from harvest_source.errors import ConfigError

FileFormat = Literal["insert_values", "parquet"]

EXACT: Final = "insert_values"
"""Slower than parquet, and exact in every SQL destination."""


def choose_format() -> FileFormat:
    """The format for Arrow tables in the pipeline that is running; parquet outside one."""
    return EXACT if _is_postgres() else "parquet"


def check_format(asked: str | None) -> None:
    """
    Refuse csv, which ``pipeline.run(harvest(), loader_file_format="csv")`` asks for, in PostgreSQL.

    Raises:
        ConfigError: Every empty text would be loaded as null.
    """
    if _is_postgres() and asked == "csv":
        msg = (
            'PostgreSQL cannot tell empty text from null in csv: loader_file_format="csv" would '
            "store every empty text as null. Nothing was read and nothing changed. Leave it out, "
            'or use "insert_values".'
        )
        raise ConfigError(msg)


def _is_postgres() -> bool:
    destination = find_active_destination()
    return destination is not None and destination.destination_type.endswith(".postgres")
