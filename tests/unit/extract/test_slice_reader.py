"""Reading all pages of one slice once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pyarrow as pa
import pytest

from harvest_source.errors import ResponseError
from harvest_source.extract.slice_reader import (
    ListSource,
    SliceRead,
    SliceReader,
    TooLong,
    add_joined,
)
from harvest_source.extract.slices import DateWindow, Slice
from harvest_source.extract.window_plan import Sample
from tests.support.model import ENTRIES, ModelPage
from tests.support.scripted_lists import (
    END_OF_MARCH,
    NOON,
    ScriptedClient,
    entry,
    ids,
    page,
    slice_reader,
)


def test_pages_are_joined_and_counted() -> None:
    """A read has one row per id, counts repeated records, and dates from the first page."""
    pages = [page([entry(3), entry(2)], 3), page([entry(2), entry(1)], 3, at=1)]
    read = slice_reader(ScriptedClient([pages])).read_all(Slice())
    assert (ids(read.table), read.table.num_rows) == ([1, 2, 3], 3)
    assert (read.total, read.pages, read.records, read.began) == (3, 2, 4, NOON)
    assert read.needs_proof


def test_differing_totals_count_as_unknown() -> None:
    """A list that grew or shrank between two pages has no total that proves anything."""
    pages = [page([entry(2)], 2), page([entry(1)], 3)]
    assert slice_reader(ScriptedClient([pages])).read_all(Slice()).total is None


def test_emitted_rows_are_not_kept() -> None:
    """Of rows that were passed on, only the columns that a proof needs are kept."""
    emitted: list[object] = []
    read = slice_reader(ScriptedClient([[page([entry(1)], 1)]])).read_all(Slice(), emitted.append)
    assert len(emitted) == 1
    assert read.table.column_names == ["id", "spent_date", "updated_at"]


def test_small_pieces_kept_for_a_proof_are_joined() -> None:
    """Small pieces are joined into large ones; no row or new column is lost or moved."""
    tables: list[pa.Table] = []
    for start in (0, 30_000, 60_000):
        ids_of_page = pa.array(range(start, start + 30_000))
        add_joined(tables, pa.table({"id": ids_of_page} | ({"at": ids_of_page} if start else {})))
    assert [(each.num_rows, each.column("id").num_chunks) for each in tables] == [
        (60_000, 1),
        (30_000, 1),
    ]
    joined = pa.concat_tables(tables, promote_options="default")
    assert joined.column("id").to_pylist() == list(range(90_000))
    assert joined.column("at").to_pylist() == [None] * 30_000 + list(range(30_000, 90_000))


def test_a_long_read_stops_after_the_first_page() -> None:
    """Only the first page of a list that will be cut is requested."""
    drawn = []

    def pages() -> Iterator[ModelPage]:
        for number in range(5):
            drawn.append(number)
            yield page([entry(number)], 500)

    read = slice_reader(ScriptedClient([pages()])).read(Slice(), most_rows=499)
    assert read == TooLong(Slice(), 500, NOON, Sample(1, date(2024, 3, 1), date(2024, 3, 1)))
    assert drawn == [0]


def test_a_list_of_most_rows_is_not_too_long() -> None:
    """A list of exactly the limit is read."""
    client = ScriptedClient([[page([entry(2), entry(1)], 2)]])
    assert isinstance(slice_reader(client).read(Slice(), most_rows=2), SliceRead)


def test_no_page_at_all_is_an_error() -> None:
    """A missing answer never counts as an empty list."""
    with pytest.raises(ResponseError, match="no page at all"):
        slice_reader(ScriptedClient([[]])).read(Slice())


def test_every_page_is_reported() -> None:
    """Each page reports progress, with the slice's total and the remaining rows."""
    reported: list[tuple[int, int | None]] = []
    left: list[int] = []
    client = ScriptedClient([[page([entry(2), entry(3)], 3), page([entry(1)], 3)]])
    reader = slice_reader(client, on_page=lambda rows, total: reported.append((rows, total)))
    reader.read(Slice(), on_left=left.append)
    assert (reported, left) == ([(2, 3), (1, 3)], [1, 0])


def test_filters_of_the_list_and_of_the_slice_are_sent_together() -> None:
    """A count asks for exactly the rows that a read would bring."""
    client = ScriptedClient([[page([], 0)]], [0])
    one_day = Slice(DateWindow(date(2024, 3, 1), date(2024, 3, 2)))
    reader = slice_reader(client)
    reader.read(one_day)
    assert client.asked == [{"from": "2024-03-01", "to": "2024-03-01"}]
    assert reader.count(one_day) == 0


def test_a_page_of_undated_rows_has_a_sample_of_today() -> None:
    """Windows are then planned backwards from today."""
    undated = pa.table({"id": [1], "spent_date": pa.nulls(1, pa.date32())})
    source = ListSource(ScriptedClient([[page([entry(1)], 9)]]), ENTRIES, lambda _rows: undated)
    found = SliceReader(source, today=END_OF_MARCH).read(Slice(), most_rows=1)
    assert isinstance(found, TooLong)
    assert found.sample == Sample(1, END_OF_MARCH, END_OF_MARCH)
