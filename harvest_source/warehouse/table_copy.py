"""What the warehouse has of one table of one account, asked for in SQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from harvest_source.extract.slices import ALL_DAYS, DateWindow, Slice
from harvest_source.schema.columns import ACCOUNT_ID
from harvest_source.schema.endpoint import Endpoint
from harvest_source.warehouse.warehouse import Warehouse

_BATCH: Final = 2000
"""Rows in memory at once."""


@dataclass(frozen=True, slots=True)
class Digest:
    """Tells whether a row says what it said before."""

    updated_at: Any
    content: int


@dataclass(frozen=True, slots=True)
class TableCopy:
    """
    The account's rows of a table, those dated before *bound* aside.

    Implements :class:`harvest_source.operations.deletion_search.Copy`. All raise DestinationError.
    """

    warehouse: Warehouse
    endpoint: Endpoint
    account_id: int
    bound: date | None = None

    def count_days(self) -> Mapping[date | None, int]:
        """Rows by day, in one query."""
        day = self.endpoint.window
        condition, parameters = self._condition([ALL_DAYS])
        if day is None:
            query = f"SELECT NULL, COUNT(*) FROM {{table}} WHERE {condition}"  # noqa: S608
        else:
            query = f'SELECT "{day}", COUNT(*) FROM {{table}} WHERE {condition} GROUP BY 1'  # noqa: S608
        return {as_day(on): rows for on, rows in self._rows(query, parameters) if rows}

    def ids(self, windows: Sequence[DateWindow]) -> Mapping[int, date | None]:
        """Ids with their day, of rows in any of *windows*."""
        day = f'"{self.endpoint.window}"' if self.endpoint.window else "NULL"
        condition, parameters = self._condition(windows)
        query = f"SELECT id, {day} FROM {{table}} WHERE {condition}"  # noqa: S608
        return {row: as_day(on) for row, on in self._rows(query, parameters)}

    def digests(self, parts: Sequence[Slice]) -> dict[int, Digest]:
        """
        What each row of *parts* says, dlt's columns aside.

        Rows that change without a new ``updated_at``, such as running timers, are left out.
        """
        condition, parameters = self._condition([part.window for part in parts])
        query = f"SELECT * FROM {{table}} WHERE {condition}"  # noqa: S608
        found: dict[int, Digest] = {}
        volatile = self.endpoint.volatile
        with self._cursor(query, parameters) as cursor:
            names = [column[0] for column in cursor.description]
            ours = [at for at, name in enumerate(names) if not name.startswith("_dlt_")]
            key, changed = names.index("id"), names.index("updated_at")
            lively = names.index(volatile[0]) if volatile else None
            while rows := cursor.fetchmany(_BATCH):
                for row in rows:
                    if lively is None or row[lively] is not True:
                        content = hash(tuple(str(row[at]) for at in ours))
                        found[row[key]] = Digest(row[changed], content)
        return found

    def _condition(self, windows: Sequence[DateWindow]) -> tuple[str, list[Any]]:
        terms: list[str] = [f"{ACCOUNT_ID} = %s"]
        parameters: list[Any] = [self.account_id]
        day = self.endpoint.window
        if day is not None and self.bound is not None:
            terms.append(f'"{day}" >= %s')
            parameters.append(self.bound)
        if day is not None and ALL_DAYS not in windows:
            each = [_dated(day, window) for window in windows]
            terms.append("(" + " OR ".join(term for term, _ in each) + ")")
            parameters += [value for _, values in each for value in values]
        return " AND ".join(terms), parameters

    def _rows(self, query: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        with self._cursor(query, parameters) as cursor:
            rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows

    @contextmanager
    def _cursor(self, query: str, parameters: Sequence[Any]) -> Iterator[Any]:
        with self.warehouse.sql() as client:
            table = client.make_qualified_table_name(self.endpoint.name)
            with client.execute_query(query.replace("{table}", table), *parameters) as cursor:
                yield cursor


def _dated(column: str, window: DateWindow) -> tuple[str, list[date]]:
    """A condition that is true of rows dated in *window*."""
    terms, values = [f'"{column}" IS NOT NULL'], []
    if window.start is not None:
        terms.append(f'"{column}" >= %s')
        values.append(window.start)
    if window.end is not None:
        terms.append(f'"{column}" < %s')
        values.append(window.end)
    return f"({' AND '.join(terms)})", values


def as_day(value: Any) -> date | None:
    """A day as some destinations hand it out: as a day, an instant or text."""
    if isinstance(value, datetime):
        return value.date()
    if value is None or isinstance(value, date):
        return value
    return date.fromisoformat(str(value)[:10])


def count_corrected(before: Mapping[int, Digest], after: Mapping[int, Digest]) -> int:
    """
    Rows that came or changed when they were read again, though ``updated_at`` had not moved.
    """
    return sum(
        1
        for row, now in after.items()
        if (was := before.get(row)) is None
        or (was.content != now.content and was.updated_at == now.updated_at)
    )
