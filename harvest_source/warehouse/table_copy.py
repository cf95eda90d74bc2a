"""What the warehouse has of one account's rows in one table: counts and ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import pyarrow as pa

from harvest_source.extract.slices import ALL_DAYS, DateWindow, Slice
from harvest_source.schema.columns import ACCOUNT_ID
from harvest_source.schema.endpoint import Endpoint
from harvest_source.sql.conditions import AllOf, AnyOf, Condition, Equals, Within
from harvest_source.sql.values import as_day
from harvest_source.warehouse.arrow_reads import select_keys
from harvest_source.warehouse.stored_days import StoredDays
from harvest_source.warehouse.warehouse import Warehouse

_FEW: Final = 100_000
"""Maximum rows of a table whose keys are kept in memory: 12 bytes each."""


@dataclass(frozen=True, slots=True)
class TableCopy:
    """
    The account's rows of a table, without those dated before *bound*.

    Implements :class:`harvest_source.operations.deletion_search.WarehouseCopy`. All methods raise
    DestinationError when the destination refuses.
    """

    warehouse: Warehouse
    endpoint: Endpoint
    account_id: int
    bound: date | None = None
    stored: StoredDays | None = None
    """Counts the table once for all accounts; None: each call counts."""

    def count_days(self) -> Mapping[date | None, int]:
        """Count rows by day, in one query; all under None for a table without dates."""
        if self.stored is not None:
            return self.stored.count(self.endpoint, self.account_id, self.bound)
        table, day, where = self.endpoint.name, self.endpoint.window, self.all_rows()
        with self.warehouse.sql() as sql:
            counts = {None: sql.count(table, where)}
            if day is not None:
                counts = sql.count_by(table, where, day)
        days = Counter[date | None]()
        for value, rows in counts.items():
            days[as_day(value)] += rows
        return +days

    def ids(self, windows: Sequence[DateWindow]) -> Mapping[int, date | None]:
        """Read the ids, with their days, of rows in any of *windows*."""
        day = self.endpoint.window
        where = self._condition(windows)
        with self.warehouse.sql() as sql:
            if day is None:
                found = sql.iter_values(self.endpoint.name, where, ("id",))
                return {row: None for (row,) in found}
            found = sql.iter_values(self.endpoint.name, where, ("id", day))
            return {row: as_day(on) for row, on in found}

    def count(self) -> int:
        """How many rows there are."""
        return sum(self.count_days().values())

    def prefetch(self) -> None:
        """Count the rows, and read their keys if they are few, to save later queries."""
        if self.stored is not None and self.count() <= _FEW:
            self.stored.keys[self.endpoint.name, self.account_id] = self.keys()

    def keys(self, windows: Sequence[DateWindow] = (ALL_DAYS,)) -> pa.Table:
        """Read ``id`` and ``day`` of rows in *windows*; undated rows are in ALL_DAYS only."""
        if self.stored is not None and ALL_DAYS in windows:
            known = self.stored.keys.get((self.endpoint.name, self.account_id))
            if known is not None:
                return known
        where, day = self._condition(windows), self.endpoint.window
        with self.warehouse.sql() as sql:
            return select_keys(sql, self.endpoint.name, where, day)

    def condition_of(self, parts: Sequence[Slice], columns: Sequence[str]) -> Condition:
        """
        The condition that selects the rows of *parts*, each with its window and its other filter.

        Args:
            columns: The table's columns; a filter on another column is left out.
        """
        if any(part.window == ALL_DAYS and part.only is None for part in parts):
            return self.all_rows()
        day, alternatives = self.endpoint.window, list[Condition]()
        for part in parts:
            terms: list[Condition] = []
            if day is not None and part.window != ALL_DAYS:
                terms.append(Within(day, part.window.start, part.window.end))
            if part.only is not None and part.only[0] in columns:
                terms.append(Equals(*part.only))
            alternatives.append(AllOf(*terms))
        return AllOf(self.all_rows(), AnyOf(*alternatives))

    def iter_year_groups(
        self, columns: Sequence[str], needed: Sequence[str] = ()
    ) -> Iterator[tuple[int, tuple[Any, ...], int]]:
        """
        Yield for each year each combination of values of *columns*, and how many rows have it.

        The years come from the days that have rows, so that no dialect has to extract a year from a
        date.

        Args:
            needed: Rows that are null in any of these columns are left out.
        """
        day = self.endpoint.window
        assert day is not None
        years = sorted({each.year for each in self.count_days() if each is not None})
        present = [Within(name, None, None) for name in needed]
        with self.warehouse.sql() as sql:
            for year in years:
                end = date(year + 1, 1, 1) if year < date.max.year else None
                where = AllOf(self.all_rows(), Within(day, date(year, 1, 1), end), *present)
                for values, rows in sql.iter_groups(self.endpoint.name, where, columns):
                    yield year, values, rows

    def all_rows(self) -> Condition:
        """The condition that selects every row that is compared."""
        return self._condition([ALL_DAYS])

    def _condition(self, windows: Sequence[DateWindow]) -> Condition:
        conditions: list[Condition] = [Equals(ACCOUNT_ID, self.account_id)]
        day = self.endpoint.window
        if day is not None and self.bound is not None:
            conditions.append(Within(day, self.bound, None))
        if day is not None and ALL_DAYS not in windows:
            conditions.append(AnyOf(*(Within(day, each.start, each.end) for each in windows)))
        return AllOf(*conditions)
