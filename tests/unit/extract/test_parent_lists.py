"""Lists of parents that are shared by several tables of one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pyarrow as pa
import pytest

from harvest_source.extract.list_reader import ReadResult
from harvest_source.extract.parent_lists import ParentList, ParentLists
from harvest_source.extract.slices import Slice
from harvest_source.extract.strategies import read
from harvest_source.schema.endpoints import BY_NAME, PARENT_COLUMNS
from tests.support.scripted_lists import NOON, FixedClient, build_task

PLACE = ("invoices", 1)
SINCE = Slice(since=NOON)


def parent_list(*slices: Slice, columns: Sequence[str] = ()) -> ParentList:
    """An empty list that was read with these filters."""
    names = columns or PARENT_COLUMNS["invoices"]
    rows = pa.table({name: pa.array([], pa.int64()) for name in names})
    return ParentList(slices, rows, ReadResult(NOON))


def test_a_table_uses_a_list_once() -> None:
    """Its next read must be newer, or it would never see another change."""
    lists = ParentLists()
    lists.keep(PLACE, parent_list(SINCE))
    assert lists.take(PLACE, [SINCE], "invoice_payments") is not None
    assert lists.take(PLACE, [SINCE], "invoice_messages") is not None
    assert lists.take(PLACE, [SINCE], "invoice_payments") is None
    assert lists.take(("invoices", 2), [SINCE], "invoice_payments") is None


@pytest.mark.parametrize(
    ("had", "is_used"),
    [
        (SINCE, True),
        (replace(SINCE, since=NOON - timedelta(minutes=5)), True),
        (replace(SINCE, since=NOON + timedelta(seconds=1)), False),
        (replace(SINCE, since=NOON - timedelta(days=1)), False),
        (replace(SINCE, flag=("is_running", "true")), False),
        (Slice(), False),
    ],
)
def test_a_list_is_shared_only_if_it_has_all_requested_parents(had: Slice, is_used: bool) -> None:
    """The list may go back a little further, so that some parents are asked again."""
    lists = ParentLists()
    lists.keep(PLACE, parent_list(had))
    assert (lists.take(PLACE, [SINCE], "invoice_payments") is not None) is is_used


def test_a_list_without_a_deciding_column_is_not_shared() -> None:
    """For example, a list whose due amounts are excluded."""
    lists = ParentLists()
    lists.keep(PLACE, parent_list(SINCE, columns=("id", "updated_at")))
    assert lists.take(PLACE, [SINCE], "invoice_payments") is None


def test_parents_are_listed_once_for_all_tables_below_them() -> None:
    """Their own table, read first, shares the list; without it, the first child table does."""
    client = FixedClient({"invoices": '[{"id": 1}]'})
    first = build_task(client, BY_NAME["invoices"], state={})
    list(read(first))
    for name in ("invoice_messages", "invoice_payments"):
        list(read(replace(first, endpoint=BY_NAME[name], state={})))
    assert client.asked.count("invoices") == 1
    client.asked.clear()
    alone = build_task(client, BY_NAME["invoice_payments"], state={})
    list(read(alone))
    list(read(replace(alone, endpoint=BY_NAME["invoice_messages"], state={})))
    assert client.asked.count("invoices") == 1
