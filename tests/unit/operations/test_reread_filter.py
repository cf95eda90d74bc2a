"""Rows that are reread and unchanged in the warehouse are not loaded."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest

from harvest_source.extract.extraction import Batch
from harvest_source.operations.reread_filter import RereadFilter
from harvest_source.schema.endpoints import BY_NAME
from harvest_source.warehouse.digests import StoredRows
from harvest_source.warehouse.page_digests import PageDigests

CLIENTS, INVOICES = BY_NAME["clients"], BY_NAME["invoices"]
COLUMNS = ("account_id", "id", "name")


@pytest.fixture
def digests() -> Iterator[PageDigests]:
    with PageDigests() as pages:
        yield pages


def page(*names: str, account_id: int = 1, **more: object) -> pa.Table:
    """A page of one account's clients; the first has id 0."""
    rows = [
        {"account_id": account_id, "id": at, "name": name, **more} for at, name in enumerate(names)
    ]
    return pa.Table.from_pylist(rows)


def store(digests: PageDigests, rows: pa.Table, *, times: int = 1) -> StoredRows:
    """The warehouse's answer for *rows*, each stored *times* times."""
    (content,) = digests.digest(rows, [COLUMNS])
    found = rows.select(["account_id", "id"]).append_column("content", content)
    return StoredRows(found.append_column("rows", pa.array([times] * rows.num_rows)), COLUMNS)


def choose(reread_filter: RereadFilter, rows: pa.Table, endpoint: object = CLIENTS) -> list[str]:
    (account_id,) = {*rows.column("account_id").to_pylist()}
    batches = [Batch(endpoint, account_id, table=rows)]  # type: ignore[arg-type]
    return [
        name
        for batch in reread_filter.apply(batches)
        if batch.table is not None
        for name in batch.table.column("name").to_pylist()
    ]


def test_only_rows_that_differ_are_loaded(digests: PageDigests) -> None:
    """Changed and new rows are loaded; each account has its own rows."""
    reread_filter = RereadFilter({"clients": store(digests, page("a", "b", "c"))}, digests)
    assert choose(reread_filter, page("a", "changed", "c", "new")) == ["changed", "new"]
    assert choose(reread_filter, page("a", "b", account_id=2)) == ["a", "b"]
    assert reread_filter.find_loaded("clients") == [0, 1, 3]


def test_states_are_kept_in_their_order(digests: PageDigests) -> None:
    """A state that follows omitted rows is still stored."""
    reread_filter = RereadFilter({"clients": store(digests, page("a"))}, digests)
    state = Batch(CLIENTS, 1, state={"audit": {}})
    new = Batch(CLIENTS, 1, table=page("new"))
    assert reread_filter.apply([Batch(CLIENTS, 1, table=page("a")), state, new]) == [state, new]


def test_the_later_of_two_versions_decides(digests: PageDigests) -> None:
    """A row that returns to its old content is loaded after the version between."""
    reread_filter = RereadFilter({"clients": store(digests, page("a", "b"))}, digests)
    assert choose(reread_filter, page("between", "b")) == ["between"]
    assert choose(reread_filter, page("a", "b")) == ["a"]


def test_pages_compared_together_are_kept_apart(digests: PageDigests) -> None:
    """Pages of two accounts, with and without an empty column, and a version between two others."""
    here = pa.concat_tables([page("a", "b"), page("c", "d", account_id=2)])
    reread_filter = RereadFilter({"clients": store(digests, here)}, digests)
    pages = [
        page("a", "changed"),
        page("c", "d", account_id=2),
        page("a", "b", account_id=2),
        page("a", "b", unknown=None),
    ]
    batches = [Batch(CLIENTS, each["account_id"][0].as_py(), table=each) for each in pages]
    found = [
        (batch.account_id, batch.table.column("name").to_pylist())
        for batch in reread_filter.apply(batches)
        if batch.table is not None
    ]
    assert found == [(1, ["changed"]), (2, ["a", "b"]), (1, ["b"])]


@pytest.mark.parametrize(
    ("endpoint", "times", "history", "more"),
    [
        (CLIENTS, 2, (), {}),
        (CLIENTS, 1, ("clients",), {}),
        (CLIENTS, 1, (), {"unknown": 1}),
        (INVOICES, 1, (), {}),
    ],
    ids=["doubled", "history", "new column", "children"],
)
def test_rows_that_cannot_be_compared_are_loaded(
    digests: PageDigests, endpoint: object, times: int, history: tuple[str, ...], more: object
) -> None:
    """Duplicated rows, rows with versions or children, and new columns cannot be compared."""
    stored = {name: store(digests, page("a"), times=times) for name in ("clients", "invoices")}
    reread_filter = RereadFilter(stored, digests, frozenset(history))
    assert choose(reread_filter, page("a", **more), endpoint) == ["a"]  # type: ignore[arg-type]


def test_an_empty_new_column_changes_nothing(digests: PageDigests) -> None:
    """The warehouse gets a column with its first value."""
    reread_filter = RereadFilter({"clients": store(digests, page("a"))}, digests)
    assert choose(reread_filter, page("a", unknown=None)) == []
