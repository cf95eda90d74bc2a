"""
Values that some destinations cannot hold, and would change or refuse much later.

ClickHouse stores a day outside its range as the nearest one, without an error; Athena and Dremio
cut instants to the millisecond. Such values are kept exactly, as text beside their column, like
values of another type. Redshift limits the bytes of a text: a longer one fits nowhere, and is
refused before anything of its load is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from harvest_source.dlt_internals import find_active_destination
from harvest_source.errors import ConfigError
from harvest_source.schema.columns import VARIANT


@dataclass(frozen=True, slots=True)
class DestinationLimits:
    """
    What a destination can hold.

    Attributes:
        days: First and last day; None: every day that Harvest has.
        text_bytes: Bytes of the longest text, in UTF-8; None: no limit that matters.
        in_milliseconds: Whether instants have no smaller part than milliseconds.
    """

    days: tuple[date, date] | None = None
    text_bytes: int | None = None
    in_milliseconds: bool = False

    def place(self, table: str, rows: pa.Table, key: Sequence[str] = ()) -> pa.Table:
        """
        Move values of *rows* that the destination cannot hold, as text, beside their column.

        Args:
            key: Columns that are never null.

        Raises:
            ConfigError: A value fits nowhere. Names the column, the value and what to do.
        """
        for column in rows.column_names:
            values = rows.column(column)
            self._check_text(table, column, values)
            misfits = self._find_misfits(values)
            if misfits is None or not pc.any(misfits).as_py():
                continue
            texts = pc.if_else(misfits, values.cast(pa.string()), None)
            if column in key:
                raise ConfigError(self._explain(table, column, f"{pc.max(texts)} in its key"))
            rows = _set(rows, column, pc.if_else(misfits, None, values))
            beside = column + VARIANT
            if beside in rows.column_names:
                texts = pc.coalesce(texts, rows.column(beside))
            rows = _set(rows, beside, texts)
        return rows

    def _find_misfits(self, values: pa.ChunkedArray) -> Any:
        """Which of *values* do not fit; None: all do."""
        if self.days is not None and pa.types.is_date(values.type):
            first, last = (pa.scalar(day, values.type) for day in self.days)
            found = pc.or_(pc.less(values, first), pc.greater(values, last))
        elif self.in_milliseconds and pa.types.is_timestamp(values.type):
            found = pc.not_equal(values, pc.floor_temporal(values, unit="millisecond"))
        else:
            return None
        return pc.fill_null(found, False)

    def _check_text(self, table: str, column: str, values: pa.ChunkedArray) -> None:
        if self.text_bytes is None or not pa.types.is_string(values.type):
            return
        longest: Any = pc.max(pc.binary_length(values)).as_py()
        if (longest or 0) > self.text_bytes:
            what = (
                f"a text of {longest:,} bytes, and this destination keeps up to {self.text_bytes:,}"
            )
            raise ConfigError(self._explain(table, column, what))

    def _explain(self, table: str, column: str, what: str) -> str:
        return (
            f"{table}.{column} has {what}. Nothing of this table was loaded. Correct it in "
            f"Harvest, leave the column out (exclude = ['{table}.{column}'] under "
            "[sources.harvest]), or choose another destination."
        )


def _set(rows: pa.Table, column: str, values: Any) -> pa.Table:
    at = rows.schema.get_field_index(column)
    if at < 0:
        return rows.append_column(column, values)
    return rows.set_column(at, rows.schema.field(at), values)


LIMITS: Final[Mapping[str, DestinationLimits]] = {
    "clickhouse": DestinationLimits(days=(date(1970, 1, 1), date(2149, 6, 6))),
    "redshift": DestinationLimits(text_bytes=65_535),
    "athena": DestinationLimits(in_milliseconds=True),
    "dremio": DestinationLimits(in_milliseconds=True),
}
"""By the last part of the destination's type. Destinations that change no value have no entry."""


def find_limits() -> DestinationLimits | None:
    """The limits of the destination of the pipeline that is running, if it has any."""
    destination = find_active_destination()
    if destination is None:
        return None
    return LIMITS.get(destination.destination_type.rpartition(".")[2])
