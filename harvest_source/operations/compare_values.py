"""
Compare the values of rows, column by column, with Harvest's list, in tables of one page.

Their list is read whole to compare its ids, so this takes no further request. For longer tables see
:mod:`~harvest_source.operations.compare_all_values`. Columns that copy another record
(``client__name``) are not compared: they may legitimately be older, and models take the values from
that record's own table.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from harvest_source.errors import counted
from harvest_source.extract.slices import Slice
from harvest_source.extract.volatile_rows import find_volatile
from harvest_source.operations.audit_tables import AuditedTable
from harvest_source.operations.changed_rows import ChangedRow, select_rows
from harvest_source.operations.comparisons import ALL, UNDATED, Comparison
from harvest_source.operations.row_differences import cover_days
from harvest_source.operations.workspace import Workspace
from harvest_source.schema.columns import Column
from harvest_source.schema.endpoint import Endpoint
from harvest_source.sql.values import as_day
from harvest_source.warehouse.arrow_reads import select_digests
from harvest_source.warehouse.page_digests import PageDigests

NAMED: Final = 20
"""Differing rows of a table that are named one by one; the others are counted."""

Rows = Mapping[Any, Mapping[str, Any]]
"""Rows by their id."""

Days = Mapping[Any, Sequence[date | None]]
"""The days of rows, by their id."""


@dataclass(frozen=True, slots=True)
class StoredValues:
    """
    The values of one table's rows in the warehouse that are compared.

    Attributes:
        columns: The columns that are compared.
        rows: The id of each row, and a digest of its values: 16 bytes.
        is_exact: Whether the destination keeps every digit of a decimal.
    """

    columns: tuple[Column, ...]
    rows: pa.Table
    is_exact: bool

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return [each.name for each in self.columns]

    def find_differing_rows(self, listed: pa.Table, digests: PageDigests) -> tuple[int, list[int]]:
        """
        Compare rows of Harvest's list with those that are stored.

        Returns:
            How many have the same values, and the ids of those that do not.
        """
        (content,) = digests.digest(listed, [self.names])
        stored = dict(zip(*(each.to_pylist() for each in self.rows.columns), strict=True))
        ids = listed.column("id").to_pylist()
        pairs = zip(ids, content.to_pylist(), strict=True)
        others = [key for key, one in pairs if key in stored and stored[key] != one]
        return sum(key in stored for key in ids) - len(others), others


def read_values(
    workspace: Workspace, table: AuditedTable, digests: PageDigests
) -> StoredValues | None:
    """
    Read the values of *table* that are compared; sends nothing to Harvest.

    Args:
        digests: Computes digests if the destination cannot.

    Returns:
        None if there are more rows than one page has.

    Raises:
        DestinationError: The destination refused.
    """
    name = table.endpoint.name
    if table.copy.count() > table.page_rows:
        return None
    own = list_compared_columns(workspace, table.endpoint)
    names = [each.name for each in own]
    with workspace.warehouse.sql() as sql:
        rows = select_digests(sql, name, table.copy.all_rows(), ["id"], [names], digests)
        return StoredValues(own, rows, sql.dialect.is_typed)


def list_compared_columns(workspace: Workspace, endpoint: Endpoint) -> tuple[Column, ...]:
    """The columns whose values are compared: those of the record itself that are not excluded."""
    has = workspace.has_column
    return tuple(each for each in endpoint.record.own_columns if has(endpoint.name, each.name))


def compare_values(
    workspace: Workspace,
    table: AuditedTable,
    changed: Iterable[ChangedRow],
    listed: pa.Table,
    stored: StoredValues,
    digests: PageDigests,
) -> Iterator[Comparison]:
    """
    Compare the rows that both the warehouse and Harvest have; each that differs is named.

    A row that differs only in columns that Harvest may change without a new ``updated_at`` may have
    changed since the last sync: it does not count as a difference, but mending reads it again.

    Args:
        changed: Rows that changed since the merge: they are not compared.
        listed: The whole rows of Harvest's list.

    Raises:
        DestinationError: The destination refused.
    """
    moved = pa.array([each.there["id"] for each in changed], pa.int64())
    ids = listed.column("id")
    is_unsure = pc.or_(find_volatile(listed, table.endpoint), pc.is_in(ids, value_set=moved))
    listed = listed.filter(pc.invert(is_unsure))
    equal, others = stored.find_differing_rows(listed, digests)
    here, there = dict[Any, Any](), dict[Any, Any]()
    if others:
        wanted = pc.is_in(listed.column("id"), value_set=pa.array(others, pa.int64()))
        there = {row["id"]: row for row in listed.filter(wanted).select(stored.names).to_pylist()}
        here = select_rows(workspace, table, others, stored.names)
    found = find_values(here, there, stored.names, is_exact=stored.is_exact)
    silent = frozenset(each.name for each in stored.columns if each.changes_silently)
    is_silent = {key: silent.issuperset(some) for key, some in found.differing.items()}
    days = find_days(found.differing, (here, there), table.endpoint.window)
    builder = ValuesBuilder(table)
    yield builder.build(ALL, equal + found.equal, equal + found.equal)
    for excuse in ("", UNDATED):
        some = {
            key: names for key, names in found.differing.items() if is_silent[key] == bool(excuse)
        }
        yield from builder.name_rows(some, days, excuse)


@dataclass(frozen=True, slots=True)
class ValueDifferences:
    """
    Rows that both sides have.

    Attributes:
        equal: How many have the same values.
        differing: The columns of each of the others.
    """

    equal: int
    differing: Mapping[Any, tuple[str, ...]]


def find_values(
    here: Rows, there: Rows, columns: Sequence[str], *, is_exact: bool = True
) -> ValueDifferences:
    """
    Compare the *columns* of rows that are in both.

    Args:
        is_exact: Whether the destination keeps every digit of a decimal.
    """
    both = [key for key in there if key in here]
    differing = {
        key: names
        for key in both
        if (
            names := tuple(
                each
                for each in columns
                if not _is_like(here[key][each], there[key][each], is_exact=is_exact)
            )
        )
    }
    return ValueDifferences(len(both) - len(differing), differing)


def _is_like(here: Any, there: Any, *, is_exact: bool) -> bool:
    if here == there:
        return True
    if isinstance(here, str) and isinstance(there, str):
        # Not every destination can store NUL; dlt leaves it out for those that cannot.
        return here.replace("\0", "") == there.replace("\0", "")
    if is_exact or not isinstance(here, Decimal) or not isinstance(there, Decimal):
        return False
    return float(here) == float(there)


def name_row(key: Any, columns: Iterable[str]) -> str:
    """A row and its columns as a scope: ``id 618106: name``."""
    return ("" if key is None else f"id {key}: ") + ", ".join(columns)


def find_days(keys: Iterable[Any], sides: Sequence[Rows], column: str | None) -> Days:
    """The days that each of *keys* has on *sides*; None for a table without dates."""
    return {
        key: [as_day(side[key].get(column)) if column else None for side in sides] for key in keys
    }


@dataclass(frozen=True, slots=True)
class ValuesBuilder:
    """Builds the comparisons of the values of one table."""

    table: AuditedTable

    def name_rows(
        self, differing: Mapping[Any, Sequence[str]], days: Days, excuse: str = ""
    ) -> Iterator[Comparison]:
        """
        A comparison for each of the first *differing* rows, and one for the others.

        Args:
            differing: The columns in which each row differs, by id.
            days: The days on which each row is to be read again, by id.
            excuse: Why they may legitimately differ.
        """
        keys = sorted(differing)
        for key in keys[:NAMED]:
            yield self.build(name_row(key, differing[key]), 0, 1, excuse, days[key])
        if others := keys[NAMED:]:
            names = dict.fromkeys(name for key in others for name in differing[key])
            scope = f"{counted(len(others), 'other row')}: {', '.join(names)}"
            on = [day for key in others for day in days[key]]
            yield self.build(scope, 0, len(others), excuse, on)

    def build(
        self,
        scope: str,
        here: int,
        there: int,
        excuse: str = "",
        days: Iterable[date | None] = (),
    ) -> Comparison:
        """
        A comparison of numbers of rows.

        Args:
            days: The days that are read again to mend it.
        """
        return Comparison(
            account_id=self.table.session.account_id,
            table=self.table.endpoint.name,
            check="values",
            scope=scope,
            here=Decimal(here),
            there=Decimal(there),
            excuse=excuse,
            slices=self._choose_slices(frozenset(days)),
        )

    def _choose_slices(self, days: Collection[date | None]) -> tuple[Slice, ...]:
        if not days:
            return ()
        if self.table.endpoint.window is None:
            return (Slice(self.table.pair.root),)
        windows = cover_days(days, self.table.copy.count_days(), self.table.page_rows)
        return tuple(map(Slice, windows))
