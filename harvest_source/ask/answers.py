"""The answer to every question: rows, how old they are, and whether there are more."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """
    Rows of the warehouse.

    Attributes:
        columns: Column names, in the order of the values in a row.
        types: DuckDB's types of the columns.
        rows: Values that JSON can hold: decimals as text, dates and times in ISO 8601, UTC.
        as_of: When the last complete sync of the tables began; None if no sync is recorded.
        has_more: There are more rows than were asked for.
        is_cut: A text was shortened.
        tables: Tables that were read, with their schemas.
        cursor: Continues the list; None at its end, and for answers that cannot be continued.
        cursors: For each row, the cursor that continues after it; empty if there are none.
    """

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    as_of: str | None
    has_more: bool = False
    is_cut: bool = False
    tables: tuple[str, ...] = ()
    cursor: str | None = None
    cursors: tuple[str, ...] = ()

    def head(self, count: int) -> Answer:
        """Return the answer with its first *count* rows; the cursor continues after them."""
        cursors = self.cursors[:count]
        last = cursors[-1] if cursors else None
        return replace(self, rows=self.rows[:count], cursors=cursors, cursor=last)

    def records(self) -> list[dict[str, Any]]:
        """The rows as dictionaries by column name."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]

    def to_json(self) -> dict[str, Any]:
        """The answer as one JSON object: columns once, rows as arrays."""
        return {
            "as_of": self.as_of,
            "has_more": self.has_more,
            "is_cut": self.is_cut,
            "tables": list(self.tables),
            "cursor": self.cursor,
            "columns": list(self.columns),
            "rows": [list(row) for row in self.rows],
        }
