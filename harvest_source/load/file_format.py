"""
Which file format carries Arrow tables to a destination without changing a value on the way.

To PostgreSQL dlt would send them as CSV, and its COPY takes every empty text for null.
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
"""Slower than parquet, and exact in every SQL destination."""


def iter_exact(items: Iterable[Any]) -> Iterator[Any]:
    """Yield *items*; the first one tells dlt the format, where dlt's own choice is not exact."""
    waiting = iter(items)
    for first in waiting:
        yield _with_exact_format(first) if choose_format() == EXACT else first
        break
    yield from waiting


def _with_exact_format(item: Any) -> Any:
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
