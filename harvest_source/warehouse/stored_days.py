"""Count rows by day for all accounts of a run at once, and keep the keys of small tables."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import pyarrow as pa

from harvest_source.schema.columns import ACCOUNT_ID
from harvest_source.schema.endpoint import Endpoint
from harvest_source.sql.conditions import OneOf
from harvest_source.sql.values import as_day
from harvest_source.warehouse.warehouse import Warehouse

Days = Mapping[date | None, int]
"""Number of rows by day; under None the undated rows, or all rows of a table without dates."""


@dataclass(slots=True)
class StoredDays:
    """
    Row counts of each account by day; a table is counted once, on first use.

    Args:
        account_ids: Accounts whose counts may be requested.
    """

    warehouse: Warehouse
    account_ids: Sequence[int]
    keys: dict[tuple[str, int], pa.Table] = field(default_factory=dict)
    """By table and account, ids and days that were read."""
    _counts: dict[str, Mapping[int, Days]] = field(default_factory=dict)

    def count(self, endpoint: Endpoint, account_id: int, bound: date | None) -> Days:
        """
        Count the rows of one account in one table, by day.

        Args:
            bound: Leave out rows that are dated earlier, or not at all; None: leave out none.

        Raises:
            DestinationError: The destination refused.
        """
        if endpoint.name not in self._counts:
            self._counts[endpoint.name] = self._ask(endpoint)
        days = self._counts[endpoint.name].get(account_id, {})
        if bound is None:
            return days
        return {day: rows for day, rows in days.items() if day is not None and day >= bound}

    def forget(self) -> None:
        """Count and read again on next use, because rows have been removed or loaded."""
        self._counts.clear()
        self.keys.clear()

    def _ask(self, endpoint: Endpoint) -> Mapping[int, Days]:
        dated = (endpoint.window,) if endpoint.window else ()
        found: dict[int, Counter[date | None]] = defaultdict(Counter)
        with self.warehouse.sql() as sql:
            where = OneOf(ACCOUNT_ID, self.account_ids)
            for (account, *day), rows in sql.iter_groups(
                endpoint.name, where, (ACCOUNT_ID, *dated)
            ):
                found[int(account)][as_day(day[0]) if day else None] += rows
        return found
