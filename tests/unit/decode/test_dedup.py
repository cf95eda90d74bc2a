"""Which copy of a row is kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from harvest_source.decode.dedup import iter_newest, keep_newest

NOON = datetime(2024, 3, 1, 12, 0, tzinfo=UTC)
SCHEMA = pa.schema(
    [("id", pa.int64()), ("notes", pa.string()), ("updated_at", pa.timestamp("us", tz="UTC"))]
)

Copy = tuple[int, int | None, str]
"""An id, the second of its last change (None if unknown), and a note."""


def table(*copies: Copy) -> pa.Table:
    rows = [
        {
            "id": row_id,
            "notes": notes,
            "updated_at": None if second is None else NOON + timedelta(seconds=second),
        }
        for row_id, second, notes in copies
    ]
    return pa.Table.from_pylist(rows, SCHEMA)


@given(st.lists(st.lists(st.tuples(st.integers(1, 6), st.integers(0, 3)), max_size=8), min_size=1))
def test_the_newest_copy_is_kept_or_the_last_read_of_equals(
    reads: list[list[tuple[int, int]]],
) -> None:
    """One row per id is kept: the greatest ``updated_at``, and among equals the last one read."""
    expected: dict[int, tuple[int, str]] = {}
    tables = []
    for at, rows in enumerate(reads):
        copies = [(*row, f"{at}.{place}") for place, row in enumerate(rows)]
        for row_id, second, notes in copies:
            if row_id not in expected or expected[row_id][0] <= second:
                expected[row_id] = second, notes
        tables.append(table(*copies))
    joined = keep_newest(tables, ["id"])
    found = dict(
        zip(joined.column("id").to_pylist(), joined.column("notes").to_pylist(), strict=True)
    )
    assert joined.num_rows == len(expected)
    assert found == {row_id: notes for row_id, (_, notes) in expected.items()}


@given(
    st.lists(st.lists(st.tuples(st.integers(1, 6), st.integers(0, 3)), max_size=8), min_size=1),
    st.integers(1, 20),
)
def test_the_kept_rows_do_not_depend_on_the_batch_size(
    reads: list[list[tuple[int, int]]], rows: int
) -> None:
    """The rows and their order do not depend on the batch size, and no table is kept."""
    tables = [
        table(*((*row, f"{at}.{place}") for place, row in enumerate(copies)))
        for at, copies in enumerate(reads)
    ]
    expected = keep_newest(tables, ["id"]).to_pylist()
    longest = max(each.num_rows for each in tables)
    parts = list(iter_newest(tables, ["id"], rows))
    assert [row for part in parts for row in part.to_pylist()] == expected
    assert all(part.num_rows < rows + longest for part in parts)
    assert not tables


def test_a_copy_without_a_date_never_wins() -> None:
    """A row whose ``updated_at`` is unusable loses to any row that has one."""
    blank, dated = table((1, None, "blank")), table((1, 0, "dated"))
    for tables in ([blank, dated], [dated, blank]):
        assert keep_newest(tables, ["id"]).column("notes").to_pylist() == ["dated"]


def test_all_rows_without_a_key_are_kept() -> None:
    """Without an id, two rows cannot be recognised as the same row."""
    schema = pa.schema([("id", pa.int64()), ("n", pa.string())])
    rows = pa.table({"id": [None, 1, None, 1], "n": ["a", "b", "c", "d"]}, schema=schema)
    assert keep_newest([rows], ["id"]).column("n").to_pylist() == ["a", "c", "d"]


def test_rows_differ_if_any_key_column_differs() -> None:
    """Rows differ if any column of their key differs."""
    rows = pa.table({"id": [1, 1, 1], "project__id": [7, 8, 7], "n": ["a", "b", "c"]})
    assert keep_newest([rows], ["id", "project__id"]).column("n").to_pylist() == ["b", "c"]


def test_tables_with_other_columns_join() -> None:
    """A column that first appears on a later page is null in earlier rows."""
    joined = keep_newest([pa.table({"id": [1]}), pa.table({"new": ["x"], "id": [2]})], ["id"])
    assert joined.to_pylist() == [{"id": 1, "new": None}, {"id": 2, "new": "x"}]
