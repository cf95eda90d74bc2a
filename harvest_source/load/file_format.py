"""
Which file format carries Arrow tables to a destination without changing a value on the way.

dlt would send them to PostgreSQL as CSV, where its COPY takes every empty text for null.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import dlt
from dlt.common.exceptions import DltException
from dlt.common.typing import TLoaderFileFormat
from dlt.extract.hints import HintsMeta
from dlt.extract.items import DataItemWithMeta

EXACT: Final[TLoaderFileFormat] = "insert_values"
"""Slower than parquet, and exact wherever there is SQL."""


def iter_exact(items: Iterable[Any]) -> Iterator[Any]:
    """*items*, the first with a hint for dlt where its own choice of format is not exact."""
    waiting = iter(items)
    for first in waiting:
        yield _hinted(first) if choose_format() == EXACT else first
        break
    yield from waiting


def _hinted(item: Any) -> Any:
    if isinstance(item, DataItemWithMeta) and isinstance(item.meta, HintsMeta):
        item.meta.hints["file_format"] = EXACT
        return item
    return dlt.mark.with_hints(item, dlt.mark.make_hints(file_format=EXACT))


def choose_format() -> TLoaderFileFormat:
    """The format for Arrow tables in the pipeline that is running."""
    try:
        destination = dlt.current.pipeline().destination
    except DltException:  # Rows drawn by hand, outside a pipeline.
        return "parquet"
    is_postgres = destination and destination.destination_type.endswith(".postgres")
    return EXACT if is_postgres else "parquet"
