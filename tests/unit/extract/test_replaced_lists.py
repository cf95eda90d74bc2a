"""Lists that are read whole and replaced: completely or not at all, if the token allows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from harvest_source.auth.sessions import Owner
from harvest_source.errors import IncompleteListError, ResponseError
from harvest_source.extract.last_read import LastRead, fingerprint
from harvest_source.extract.removals import PENDING_REMOVALS, Reason, load_pending_removals
from harvest_source.extract.replaced_lists import (
    StoredLists,
    may_replace,
    read_all,
    read_sublists,
    read_whole,
)
from harvest_source.extract.sublists import Sublist
from harvest_source.schema.endpoints import BY_NAME
from tests.support.model import ModelPage
from tests.support.scripted_lists import (
    NOON,
    SINGLE,
    WHOLE,
    ScriptedClient,
    build_task,
    entry,
    ids,
    page,
    slice_reader,
    table,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def owner(*roles: str, user_id: int = 7) -> Owner:
    return Owner(user_id, "Ada", "ada@example.com", roles)


# Complete or not at all.


def test_a_list_of_one_page_is_complete() -> None:
    """One page has everything it announces, so nothing more is requested."""
    client = ScriptedClient([[page([entry(1)], 1)]])
    assert ids(read_whole(slice_reader(client, WHOLE)).table) == [1]
    assert client.asked == [{}]


def test_an_empty_list_is_confirmed_by_a_count() -> None:
    """An empty list would empty the table."""
    client = ScriptedClient([[page([], 0)], [page([entry(1)], 1)]], [1])
    assert ids(read_whole(slice_reader(client, WHOLE)).table) == [1]
    assert client.asked == [{}, "count", {}]
    client = ScriptedClient([[page([], 0)]], [0])
    assert read_whole(slice_reader(client, WHOLE)).table.num_rows == 0


def test_an_empty_list_without_loaded_rows_is_requested_once() -> None:
    """Most parents have no children: a second request for each would double the first read."""
    client = ScriptedClient([[page([], 0)]])
    assert read_whole(slice_reader(client, WHOLE), had_rows=False).table.num_rows == 0
    assert client.asked == [{}]


@pytest.mark.parametrize(
    ("served", "count"),
    [
        pytest.param([([3], 2), ([2], 1)], 2, id="totals differ"),
        pytest.param([([3], 2), ([3], 2)], 2, id="an id twice"),
        pytest.param([([3], 2), ([2], 2)], 1, id="another count"),
        pytest.param([([3], 2)], 2, id="fewer rows than announced"),
        pytest.param([([3, 3], 2)], 2, id="an id twice on one page"),
        pytest.param([([3, 3], 2)], 1, id="an id twice on one page, and gone"),
        pytest.param([([], 0)], 1, id="no longer empty"),
    ],
)
def test_a_whole_list_is_complete_or_refused(
    served: list[tuple[list[int], int]], count: int
) -> None:
    """Half a list must never replace the account's rows."""
    pages = [page([entry(i) for i in rows], total) for rows, total in served]
    with pytest.raises(ResponseError, match=r"kept changing|announced 2 rows but sent 1"):
        read_whole(slice_reader(ScriptedClient([pages] * 3, [count] * 3), WHOLE))


def test_a_single_object_needs_no_total() -> None:
    """``company`` is not a list."""
    client = ScriptedClient([[page([entry(1)], None)]])
    assert read_whole(slice_reader(client, SINGLE)).table.num_rows == 1


# Who may replace what.


@pytest.mark.parametrize(
    ("reader", "rows", "expected"),
    [
        (owner("administrator", user_id=9), 0, True),
        (owner("manager"), 3, True),
        (owner("manager"), 2, False),
        (owner("member"), 3, False),
        (owner("manager", user_id=8), 3, False),
    ],
)
def test_fewer_rows_are_evidence_to_administrators_only(
    reader: Owner, rows: int, expected: bool
) -> None:
    """A token that sees less, or other rows, replaces only lists about its own owner."""
    before = LastRead(NOW, owner("manager").visibility, 3, "digest")
    report = build_task(ScriptedClient(), BY_NAME["report_time_team"], owner=reader)
    assert may_replace(report, before, rows) is expected
    own = build_task(ScriptedClient(), BY_NAME["my_project_assignments"], owner=reader)
    assert may_replace(own, before, rows)


@pytest.mark.parametrize("stored", [None, "2026-01-01T00:00:00+00:00", {}, {"at": "yesterday"}])
def test_a_malformed_last_read_is_ignored(stored: object) -> None:
    """Old state, or none, is read anew; stored state loads unchanged."""
    assert LastRead.load(stored) is None
    last_read = LastRead(NOW, "7:manager", 3, "digest")
    assert LastRead.load(last_read.dump()) == last_read


def test_a_stored_last_read_is_understood() -> None:
    """This is the format in earlier runs' state files."""
    stored = {"at": "2026-11-22T12:00:00+00:00", "by": "7:manager", "rows": 3, "digest": "digest"}
    assert LastRead.load(stored) == LastRead(NOW, "7:manager", 3, "digest")


def test_a_fingerprint_depends_on_content_not_column_order() -> None:
    """A new column, another value or another order of rows gives another fingerprint."""
    rows = pa.table({"a": [1, 2], "b": ["x", None]})
    assert fingerprint(rows) == fingerprint(rows.select(["b", "a"]))
    others = [rows.select(["a"]), rows.take([1, 0]), pa.table({"a": [1, 2], "b": ["x", "y"]})]
    assert fingerprint(rows) not in {fingerprint(each) for each in others}


def lists(*rows: Iterable[int]) -> list[list[ModelPage]]:
    """Lists of one page each."""
    return [[page([entry(i) for i in each], len(list(each)))] for each in rows]


def test_an_unchanged_list_is_not_loaded_again() -> None:
    """Loading it would cost as much as a changed one; its rows still count as read."""
    state: dict[str, Any] = {}
    client = ScriptedClient(lists([1, 2], [1, 2], [1]))
    loaded = []
    for _ in range(3):
        task = build_task(client, WHOLE, state=state)
        loaded.append([ids(each) for each in read_all(task)])
    assert loaded == [[[1, 2]], [], [[1]]]
    assert LastRead.load(state["seen"]) is not None


def test_a_lower_role_replaces_no_list() -> None:
    """Nothing is requested or loaded, and the warning says what to do."""
    state: dict[str, Any] = {}
    list(read_all(build_task(ScriptedClient(lists([1, 2])), WHOLE, state=state)))
    client = ScriptedClient()
    task = build_task(client, WHOLE, state=state, owner=owner("member"))
    assert list(read_all(task)) == []
    assert client.asked == []
    assert "administrator's" in task.run_log.warnings[0]


def test_an_empty_list_is_recorded_for_removal() -> None:
    """A merge without rows deletes nothing; an empty list proves nothing for a lower role."""
    task = build_task(ScriptedClient(lists([]), [0]), WHOLE)
    assert [each.num_rows for each in read_all(task)] == [0]
    (removal,) = load_pending_removals(WHOLE, 1, task.state)
    assert (removal.place, removal.columns, removal.reason) == (("roles", 1), (), Reason.EMPTY)
    member = build_task(ScriptedClient(lists([]), [0]), WHOLE, owner=owner("member"))
    list(read_all(member))
    assert PENDING_REMOVALS not in member.state


def test_a_list_that_is_still_empty_does_not_change_the_state() -> None:
    """The digest says that it was already empty: an unchanged run must not change the state."""
    state: dict[str, Any] = {}
    list(read_all(build_task(ScriptedClient(lists([]), [0]), WHOLE, state=state)))
    del state[PENDING_REMOVALS]
    before = dict(state)
    list(read_all(build_task(ScriptedClient(lists([]), [0]), WHOLE, state=state)))
    assert state == before


def test_a_list_that_has_rows_again_owes_no_removal() -> None:
    """Plain dlt carries out none: a later sync would remove the rows loaded in the meantime."""
    state: dict[str, Any] = {}
    list(read_all(build_task(ScriptedClient(lists([]), [0]), WHOLE, state=state)))
    assert PENDING_REMOVALS in state
    tables = read_all(build_task(ScriptedClient(lists([1])), WHOLE, state=state))
    next(tables)
    assert PENDING_REMOVALS in state, "the rows are not loaded yet"
    assert list(tables) == []
    assert PENDING_REMOVALS not in state


# Lists per parent or window.


def test_every_row_gets_the_parent_or_window_of_its_request() -> None:
    """The parent's id or the window; or a placeholder where a key is hidden from a role."""
    payment = Sublist((("invoice_id", 7),), "", {}).stamp(
        pa.table({"id": [1, 2]}), BY_NAME["invoice_payments"]
    )
    assert payment.column("invoice_id").to_pylist() == [7, 7]
    report = BY_NAME["report_time_clients"]
    window = Sublist((("from_date", date(2026, 1, 1)), ("to_date", date(2026, 12, 31))), "", {})
    stamped = window.stamp(pa.table({"currency": pa.array([None, "EUR"])}), report)
    assert stamped.column("currency").to_pylist() == ["", "EUR"]
    assert stamped.column("to_date").to_pylist() == [date(2026, 12, 31)] * 2


def test_an_unchanged_list_is_recorded_only_once_in_a_while() -> None:
    """Changed state costs a load, so it does not change in every run."""
    state: dict[str, Any] = {}
    sublist, rows = Sublist((), "", {}), table(entry(1))
    stored_at = []
    for days in (0, 1, 6, 7, 8):
        task = build_task(ScriptedClient(), WHOLE, state=state, now=NOW + days * DAY)
        stored = StoredLists(task, "windows")
        assert stored.accepts(sublist, rows) is (days == 0)
        stored.store()
        stored_at.append(LastRead.load(state["windows"][""]))
    days_stored = [(each.at - NOW).days for each in stored_at if each is not None]
    assert days_stored == [0, 0, 0, 7, 7]


def test_a_parent_that_is_gone_has_no_list() -> None:
    """Its rows are removed with the parent; any other failure is the table's."""

    class Gone(ScriptedClient):
        def iter_pages(self, *_args: Any, **_named: Any) -> Any:
            raise ResponseError("no such parent", path="roles", status=404)

    sublists = [Sublist((), "roles", {})]
    endpoint = replace(WHOLE, absent=(404,))
    assert list(read_sublists(build_task(Gone(), endpoint), sublists)) == []
    with pytest.raises(ResponseError, match="no such parent"):
        list(read_sublists(build_task(Gone(), WHOLE), sublists))


def test_a_list_with_an_odd_id_takes_the_place_of_nothing() -> None:
    """It may stand for any row, including one that is already loaded."""
    body = b'[{"id": 1}, {"id": 99999999999999999999999}]'
    client = ScriptedClient([[ModelPage(body, 2, NOON)]] * 3)
    with pytest.raises(IncompleteListError, match="1 record came without a usable key"):
        list(read_all(build_task(client, BY_NAME["roles"])))
