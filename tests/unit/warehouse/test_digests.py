"""What rereading rows has corrected, found by digests before and after."""

from __future__ import annotations

import pyarrow as pa
import pytest

from harvest_source.warehouse.digests import compare_digests, find_new_rows

Row = tuple[int, int, int, int]
"""Account, id, digest of ``updated_at``, digest of the content."""


def table(*rows: Row) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else [[]] * 4
    names = ("account_id", "id", "updated_at", "content")
    arrays = [pa.array(list(each), pa.int64()) for each in columns]
    return pa.table(dict(zip(names, arrays, strict=True)))


@pytest.mark.parametrize(
    ("before", "after", "corrected"),
    [
        ((1, 7, 5, 8), (1, 7, 5, 8), []),
        ((1, 7, 5, 8), (1, 7, 5, 9), [7]),
        ((1, 7, 5, 8), (1, 7, 6, 9), []),
        ((2, 7, 5, 8), (1, 7, 5, 8), [7]),
    ],
)
def test_a_row_is_corrected_if_it_changed_without_a_new_time(
    before: Row, after: Row, corrected: list[int]
) -> None:
    """A row that appeared is corrected too; the same id in another account is another row."""
    found = compare_digests(table(before), table(after))
    assert found.column("id").to_pylist() == corrected


def test_new_rows_are_listed_by_account() -> None:
    """Ids are ascending; rows that changed or left are not among them."""
    before = table((1, 1, 0, 0), (1, 9, 0, 0))
    after = table((1, 1, 0, 1), (1, 4, 0, 0), (1, 3, 0, 0), (2, 1, 0, 0))
    found = compare_digests(before, after)
    assert found.num_rows == 4
    assert find_new_rows(found, 1) == [3, 4]
    assert find_new_rows(found, 2) == [1]


def test_a_read_without_rows_corrects_nothing() -> None:
    """Nor is anything corrected if nothing was there before."""
    assert compare_digests(table(), table()).num_rows == 0
    assert find_new_rows(compare_digests(table(), table((1, 2, 3, 4))), 1) == [2]
