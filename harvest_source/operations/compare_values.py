"""
Compare the values of rows, column by column, with Harvest's list, in tables of one page.

Their list is read whole to compare its ids, so this takes no further request. Columns that copy
another record (``client__name``) are not compared: they may legitimately be older, and models take
the values from that record's own table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from harvest_source.sql.values import as_day
from harvest_source.warehouse.arrow_reads import select_digests
from harvest_source.warehouse.page_digests import PageDigests

NAMED: Final = 20
"""Differing rows of a table that are named one by one; the others are counted."""

Rows = Mapping[Any, Mapping[str, Any]]
"""Rows by their id."""


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
    own = tuple(
        each for each in table.endpoint.record.own_columns if workspace.has_column(name, each.name)
    )
    names = [each.name for each in own]
    with workspace.warehouse.sql() as sql:
        rows = select_digests(sql, name, table.copy.all_rows(), ["id"], [names], digests)
        return StoredValues(own, rows, sql.dialect.is_typed)


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
    yield from _Builder(table, here, there).build(equal + found.equal, found.differing, silent)


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


@dataclass(frozen=True, slots=True)
class _Builder:
    """Builds the comparisons of one table from what differs in it."""

    table: AuditedTable
    here: Rows
    there: Rows

    def build(
        self, equal: int, differing: Mapping[Any, Sequence[str]], silent: frozenset[str]
    ) -> Iterator[Comparison]:
        """
        The comparisons of *equal* rows and of those that differ.

        Args:
            silent: Columns in which a row may differ legitimately.
        """
        yield self._build(ALL, equal, equal)
        sure = {key: some for key, some in differing.items() if not silent.issuperset(some)}
        unsure = {key: some for key, some in differing.items() if key not in sure}
        yield from self._name(sure, "")
        yield from self._name(unsure, UNDATED)

    def _name(self, differing: Mapping[Any, Sequence[str]], excuse: str) -> Iterator[Comparison]:
        keys = sorted(differing)
        for key in keys[:NAMED]:
            yield self._build(name_row(key, differing[key]), 0, 1, excuse, [key])
        if others := keys[NAMED:]:
            names = dict.fromkeys(name for key in others for name in differing[key])
            scope = f"{counted(len(others), 'other row')}: {', '.join(names)}"
            yield self._build(scope, 0, len(others), excuse, others)

    def _build(
        self, scope: str, here: int, there: int, excuse: str = "", keys: Sequence[Any] = ()
    ) -> Comparison:
        return Comparison(
            account_id=self.table.session.account_id,
            table=self.table.endpoint.name,
            check="values",
            scope=scope,
            here=Decimal(here),
            there=Decimal(there),
            excuse=excuse,
            slices=self._choose_slices(keys),
        )

    def _choose_slices(self, keys: Sequence[Any]) -> tuple[Slice, ...]:
        """What to read again for some rows: the days that they have on either side."""
        column, root = self.table.endpoint.window, self.table.pair.root
        if not keys:
            return ()
        if column is None:
            return (Slice(root),)
        rows = [side[key] for key in keys for side in (self.here, self.there)]
        days: set[date | None] = {as_day(row.get(column)) for row in rows}
        windows = cover_days(days, self.table.copy.count_days(), self.table.page_rows)
        return tuple(map(Slice, windows))
