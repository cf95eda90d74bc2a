"""
Reads all pages of one slice of a list, once.

The list may change between two pages, so a row may be missing from what is read here:
:mod:`harvest_source.extract.proof` decides whether that happened.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from harvest_source.decode.dedup import keep_newest
from harvest_source.errors import ResponseError
from harvest_source.extract.known_rows import (
    Contents,
    KnownRows,
    digest_recent_rows,
    merge_contents,
)
from harvest_source.extract.slices import Slice
from harvest_source.extract.window_plan import Sample
from harvest_source.schema.columns import VARIANT
from harvest_source.schema.endpoint import Endpoint

_JOINED_ROWS: Final = 40_000
"""Rows up to which columns are joined: 320 KB of ids, which the C library maps separately."""


class ListPage(Protocol):
    """What is needed from one response."""

    @property
    def rows(self) -> bytes:
        """The page's records: a JSON array, as Harvest sent it."""
        ...

    @property
    def total_entries(self) -> int | None:
        """Rows of the whole list at that moment; None when Harvest did not say."""
        ...

    @property
    def began(self) -> datetime:
        """Harvest's clock, no later than the moment the page was read. Aware, UTC."""
        ...


class ListClient(Protocol):
    """What is needed from the API client."""

    def iter_pages(
        self,
        path: str,
        *,
        key: str | None,
        params: Mapping[str, str],
        most_rows: int | None,
    ) -> Generator[ListPage, None, None]:
        """All pages in order; only the first when it announces more than *most_rows*."""
        ...

    def fetch_count(self, path: str, *, key: str, params: Mapping[str, str]) -> int:
        """``total_entries`` of the list with these filters, in one request."""
        ...


Emit = Callable[[pa.Table], None]
"""Takes rows as they are read."""

OnPage = Callable[[int, int | None], None]
"""Takes a page's number of rows and the number of rows of its slice, for progress reports."""


def ignore_page(rows: int, total: int | None) -> None:
    """Report no progress."""


@dataclass(frozen=True, slots=True)
class ListSource:
    """One list of one account: how it is requested and how its pages are decoded."""

    client: ListClient
    endpoint: Endpoint
    decode: Callable[[bytes], pa.Table]
    """Turns the rows of one page into an Arrow table. Called from several threads."""
    params: Mapping[str, str] = field(default_factory=dict)
    """Query parameters of every request, in addition to those of the slice."""
    split_ids: Callable[[], Sequence[int]] = tuple
    """All ids that ``endpoint.cut_by`` can have; asks Harvest for them."""


@dataclass(frozen=True, slots=True)
class SliceRead:
    """One read of all pages of a slice."""

    slice: Slice
    table: pa.Table
    """One row per id; only the columns a proof needs if the rows were emitted."""
    total: int | None
    """``total_entries`` if every page reported the same; None if they differed or had none."""
    began: datetime
    """Harvest's clock when the first page was requested."""
    pages: int
    records: int
    """Records received, including repeated ids and those left out."""
    recent: Contents = field(default_factory=dict)
    """Rows that were served and look as if they had changed since *began*."""
    known: Contents = field(default_factory=dict)
    """Rows that earlier reads of the list had seen when this one began."""
    left_out: int = 0
    """Records without a usable key, which could not be merged."""

    @property
    def rows(self) -> int:
        """Rows of the slice, one per id, and the records that were left out."""
        return int(self.table.num_rows) + self.left_out

    @property
    def needs_proof(self) -> bool:
        """Whether the list could change during the read: one page is served at one moment."""
        return self.pages > 1


@dataclass(frozen=True, slots=True)
class TooLong:
    """A slice that was not read, because its first page announced too many rows."""

    slice: Slice
    total: int
    began: datetime
    sample: Sample


class SliceReader:
    """
    Reads slices of one list. Thread-safe if the source's functions are.

    Args:
        source: The list.
        today: Stands in for the dates of a first page whose rows have none.
        on_page: Called after every page.
        known: Rows that other readers of the list have seen; None: there are none.
    """

    def __init__(
        self,
        source: ListSource,
        *,
        today: date,
        on_page: OnPage = ignore_page,
        known: KnownRows | None = None,
    ) -> None:
        self.source = source
        self.known = known or KnownRows()
        self._today = today
        self._on_page = on_page

    @property
    def endpoint(self) -> Endpoint:
        """The endpoint of the list."""
        return self.source.endpoint

    def read(
        self,
        slice_: Slice,
        emit: Emit | None = None,
        *,
        most_rows: int | None = None,
        on_left: Callable[[int], None] = lambda _: None,
    ) -> SliceRead | TooLong:
        """
        Read all pages of *slice_*, or stop after the first if it announces over *most_rows* rows.

        Args:
            emit: Receives the rows page by page; the result then keeps only what a proof needs.
            on_left: Called after each page with the number of rows still to come.

        Raises:
            ResponseError: Harvest sent no page at all, which is not the same as an empty list.
        """
        tables: list[pa.Table] = []
        totals: set[int | None] = set()
        began: datetime | None = None
        records, left_out, number = 0, 0, 0
        known, recent = self.known.snapshot(), dict[int, str]()
        with closing(self._iter_pages(slice_, most_rows)) as pages:
            for page in pages:
                began = began or page.began
                rows, announced = page.rows, page.total_entries
                del page  # Megabytes that would wait with this thread while the queue is full.
                received = self.source.decode(rows)
                del rows
                table = keep_keyed(received, self.endpoint.primary_key)
                if most_rows is not None and (announced or 0) > most_rows:
                    self._on_page(0, announced)
                    return TooLong(slice_, announced or 0, began, self._sample(table))
                totals.add(announced)
                records += received.num_rows
                left_out += received.num_rows - table.num_rows
                self._on_page(received.num_rows, announced)
                on_left((announced or 0) - records)
                merge_contents(recent, digest_recent_rows(table, began))
                number += 1
                if emit is None:
                    tables.append(table)
                    continue
                emit(table)
                add_joined(tables, keep_proof_columns(table, self.endpoint))
        if began is None:
            msg = f"{self.endpoint.name}: Harvest sent no page at all."
            raise ResponseError(msg, path=self.endpoint.list_path)
        self.known.add(recent)
        return SliceRead(
            slice=slice_,
            table=keep_newest(tables, self.endpoint.primary_key),
            total=totals.pop() if len(totals) == 1 else None,
            began=began,
            pages=number,
            records=records,
            recent=recent,
            known=known,
            left_out=left_out,
        )

    def read_all(self, slice_: Slice, emit: Emit | None = None) -> SliceRead:
        """Read all pages of *slice_*, however many."""
        read = self.read(slice_, emit)
        assert isinstance(read, SliceRead), "without most_rows no slice is too long"
        return read

    def count(self, slice_: Slice) -> int:
        """How many rows Harvest says *slice_* has now: one request."""
        return count_rows(self.source, slice_)

    def _iter_pages(self, slice_: Slice, most_rows: int | None) -> Generator[ListPage, None, None]:
        endpoint = self.endpoint
        return self.source.client.iter_pages(
            endpoint.list_path,
            key=endpoint.envelope_key,
            params=_query(self.source, slice_),
            most_rows=most_rows,
        )

    def _sample(self, table: pa.Table) -> Sample:
        if self.endpoint.window is None:
            return Sample(table.num_rows, self._today, self._today)
        days = pc.min_max(table.column(self.endpoint.window)).as_py()
        return Sample(table.num_rows, days["min"] or self._today, days["max"] or self._today)


def count_rows(source: ListSource, slice_: Slice) -> int:
    """How many rows Harvest says *slice_* of a list has now: one request."""
    endpoint = source.endpoint
    return source.client.fetch_count(
        endpoint.list_path, key=endpoint.envelope_key or "", params=_query(source, slice_)
    )


def keep_keyed(table: pa.Table, key: Sequence[str]) -> pa.Table:
    """Drop records that lack a value of their *key*: each read would load them once more."""
    for name in key:
        if table.column(name).null_count:
            table = table.filter(pc.is_valid(table.column(name)))
    variants = [each for name in key if (each := name + VARIANT) in table.column_names]
    # The text of a key that did not fit went with its record; a Harvest field of that name stays.
    empty = [each for each in variants if table.column(each).null_count == table.num_rows]
    return table.drop_columns(empty)


def list_proof_columns(endpoint: Endpoint) -> frozenset[str]:
    """The columns that a proof looks at."""
    return frozenset({*endpoint.primary_key, "updated_at", endpoint.window or "updated_at"})


def keep_proof_columns(table: pa.Table, endpoint: Endpoint) -> pa.Table:
    """*table* with only the columns that a proof looks at: far less memory than whole rows."""
    wanted = list_proof_columns(endpoint)
    return table.select([name for name in table.column_names if name in wanted])


def add_joined(tables: list[pa.Table], table: pa.Table) -> None:
    """
    Add *table* to *tables*, joined with the last of them while that is small.

    What a proof needs of a page stays in memory as long as its window is read. As small blocks
    between those of pages that come and go, it would keep the C library from reusing their memory.
    """
    if tables and tables[-1].num_rows < _JOINED_ROWS:
        both = pa.concat_tables([tables.pop(), table], promote_options="default")
        table = both.combine_chunks()
    tables.append(table)


def _query(source: ListSource, slice_: Slice) -> dict[str, str]:
    return {**source.params, **slice_.params()}
