"""
Try a destination before a sync: do everything that a sync does there, in a separate dataset.

The trial loads, merges, reads, changes and deletes rows of a table, and removes the dataset. So
credentials, permissions, merging, and what becomes of awkward values are known before a row of
Harvest's is read.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

import dlt

from harvest_source.dlt_internals import drop_dataset, has_any_dataset
from harvest_source.errors import DestinationError
from harvest_source.sql.conditions import EVERY_ROW, Equals
from harvest_source.warehouse.destination import build_destination
from harvest_source.warehouse.failures import as_destination_error
from harvest_source.warehouse.sql import Row, Sql
from harvest_source.warehouse.target import Target
from harvest_source.warehouse.writers import open_sql

_TABLE: Final = "harvest_source_check"
_KEPT: Final = "No Harvest data was read or written."

_MOST_NAMES: Final = 20
"""Names that are tried before the trial is given up."""

_DECIMAL: Final = Decimal("12345678901234567890123456789.123456789")
_VALUES: Final[Row] = {
    "id": 1,
    "a_decimal": _DECIMAL,
    "a_text": 'It\'s 100 % "quoted", {braced}; \\n \N{SNOWMAN} \N{HONEYBEE}',
    "an_empty_text": "",
    "a_null": None,
    "a_day": date(201, 2, 28),
    "a_far_day": date(9999, 12, 31),
    "an_instant": datetime(2024, 2, 29, 23, 59, 59, 123456, UTC),
    "a_flag": True,
}
_TYPES: Final = {
    "id": "bigint",
    "a_decimal": "decimal",
    "a_text": "text",
    "an_empty_text": "text",
    "a_null": "text",
    "a_day": "date",
    "a_far_day": "date",
    "an_instant": "timestamp",
    "a_flag": "bool",
}
_LOSSES: Final = {
    "a_decimal": "decimals lose digits: amounts and hours are kept with about 15",
    "a_text": "text does not come back as it was written",
    "an_empty_text": "empty text and null are confused",
    "a_null": "empty text and null are confused",
    "a_day": "days before 1970 come back as other days",
    "a_far_day": "days after 2149 come back as other days",
    "an_instant": "instants lose fractions of a second, which Harvest does not have",
    "a_flag": "flags do not come back as they were written",
}
"""What it means if a value does not come back as it was written."""


def try_destination(target: Target) -> list[str]:
    """
    Load, merge, read, change and delete rows of a table, and remove it.

    Returns:
        Descriptions, for people, of what the destination does not keep or do as a sync needs.

    Raises:
        ConfigError: The destination lacks settings.
        DestinationError: The destination refused.
    """
    with as_destination_error(target, lambda: _KEPT), _open_trial(target) as pipeline:
        for rows in ([_VALUES, {**_VALUES, "id": 2}], [{**_VALUES, "a_flag": False}]):
            pipeline.run(_build_resource(rows, target.table_format))
        with pipeline.sql_client() as client:
            return list(_iter_losses(open_sql(client, pipeline.default_schema)))


@contextmanager
def _open_trial(target: Target) -> Iterator[dlt.Pipeline]:
    """Open a pipeline to a separate dataset; both are removed afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        pipeline = _build_pipeline(target, folder)
        try:
            yield pipeline
        finally:
            with suppress(Exception):  # People need to know the first failure, not this one.
                drop_dataset(pipeline)
            pipeline.deactivate()


def _build_pipeline(target: Target, folder: str) -> dlt.Pipeline:
    """
    A pipeline to a dataset that does not exist: the trial removes it, whatever is in it.

    Raises:
        DestinationError: The destination says that every dataset exists, as dlt's dummy does.
    """
    for number in range(1, _MOST_NAMES + 1):
        pipeline = dlt.pipeline(
            f"{target.pipeline}_check",
            pipelines_dir=folder,
            destination=build_destination(target),
            dataset_name=f"{target.dataset}_check" + (f"_{number}" if number > 1 else ""),
        )
        with pipeline.destination_client() as client:
            if not has_any_dataset(client):
                return pipeline
        pipeline.deactivate()
    msg = (
        f"The trial needs a dataset of its own, and those from {target.dataset}_check to "
        f"{target.dataset}_check_{_MOST_NAMES} exist. {_KEPT} Remove those that are not needed."
    )
    raise DestinationError(msg)


def _build_resource(rows: list[Row], table_format: Any) -> Any:
    columns: Any = {name: {"name": name, "data_type": kind} for name, kind in _TYPES.items()}
    columns["a_decimal"] |= {"precision": 38, "scale": 9}
    columns["id"] |= {"nullable": False}
    return dlt.resource(
        rows,
        name=_TABLE,
        primary_key="id",
        write_disposition="merge",
        columns=columns,
        table_format=table_format,
    )


def _iter_losses(sql: Sql) -> Iterator[str]:
    """Read what was loaded, change it in every way that a sync does, and yield what is lost."""
    rows = {row["id"]: row for row in sql.select(_TABLE, EVERY_ROW, tuple(_VALUES))}
    if rows.keys() != {1, 2} or rows[1]["a_flag"] is not False:
        yield "merging leaves rows unchanged or duplicates them"
    lost = {_LOSSES[name]: None for name in _LOSSES if rows[2][name] != _VALUES[name]}
    yield from lost
    sql.update(_TABLE, {"an_instant": datetime.now(UTC), "a_text": None}, Equals("id", 1))
    sql.delete(_TABLE, Equals("a_flag", True))
    left = sql.select(_TABLE, Equals("a_text", None), ("id",))
    if sql.count(_TABLE) != 1 or left != [{"id": 1}]:
        yield "UPDATE and DELETE change rows that they do not select"
