"""
What some destinations cannot hold, and would store as another value or refuse much later.

ClickHouse keeps a day outside its range as the nearest one, without an error. Redshift's longest
text is counted in bytes. Such values are refused before anything of their load is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from harvest_source.dlt_internals import find_active_pipeline
from harvest_source.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Limits:
    """
    What a destination can hold.

    Attributes:
        days: First and last day; None: every day that Harvest has.
        text_bytes: Of the longest text, in UTF-8; None: no limit that matters.
    """

    days: tuple[date, date] | None = None
    text_bytes: int | None = None

    def check(self, table: str, rows: pa.Table) -> None:
        """
        Refuse *rows* of *table* with a value that the destination cannot hold.

        Raises:
            ConfigError: Names the column, the value and what to do.
        """
        for column in rows.column_names:
            for what in self._iter_misfits(rows.column(column)):
                msg = (
                    f"{table}.{column} has {what}. Nothing of this table was loaded. Correct it in "
                    f"Harvest, leave the column out (exclude = ['{table}.{column}'] under "
                    "[sources.harvest]), or choose another destination."
                )
                raise ConfigError(msg)

    def _iter_misfits(self, values: pa.ChunkedArray) -> Iterator[str]:
        if self.days is not None and pa.types.is_date(values.type):
            first, last = self.days
            found: Any = pc.min_max(values).as_py()
            for day in (found["min"], found["max"]):
                if day is not None and not first <= day <= last:
                    yield f"the day {day}, and this destination keeps days from {first} to {last}"
        if self.text_bytes is not None and pa.types.is_string(values.type):
            longest: Any = pc.max(pc.binary_length(values)).as_py()
            if (longest or 0) > self.text_bytes:
                yield (
                    f"a text of {longest:,} bytes, and this destination keeps up to "
                    f"{self.text_bytes:,}"
                )


LIMITS: Final[Mapping[str, Limits]] = {
    "clickhouse": Limits(days=(date(1970, 1, 1), date(2149, 6, 6))),
    "redshift": Limits(text_bytes=65_535),
}
"""By the end of the destination's type. Where no value can be wrong, there is no entry."""


def find_limits() -> Limits | None:
    """The limits of the destination of the pipeline that is running, if it has any."""
    pipeline = find_active_pipeline()
    destination = pipeline.destination if pipeline is not None else None
    if destination is None:
        return None
    return LIMITS.get(destination.destination_type.rpartition(".")[2])
