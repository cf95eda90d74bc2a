"""What the messages say if a table's counts differ."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from types import SimpleNamespace
from typing import cast

from harvest_source.errors import ServerError
from harvest_source.extract.audit_state import AuditState
from harvest_source.extract.slices import DateWindow, Slice
from harvest_source.operations.audit_tables import AuditedTable
from harvest_source.operations.count_audit import (
    CountAudit,
    explain_doubt,
    explain_findings,
)
from harvest_source.operations.deletion_search import SearchResult, TablePair, describe_slices
from harvest_source.operations.workspace import NextCommands
from harvest_source.schema.endpoint import Endpoint
from harvest_source.warehouse.table_copy import TableCopy
from harvest_source.warehouse.target import Target
from harvest_source.warehouse.warehouse import Warehouse
from tests.support.made_up import build_workspace
from tests.support.model import UNDATED
from tests.support.scripted_lists import NOON, FixedClient, build_task

MAY = DateWindow(date(2024, 5, 1), date(2024, 6, 1))
JUNE = DateWindow(date(2024, 6, 1), date(2024, 7, 1))
OVERLAP = timedelta(minutes=5)


def test_deleted_rows_cause_no_message() -> None:
    """Deleted rows are removed and counted, without a message."""
    assert explain_findings("clients", 7, SearchResult(5, 4, gone=frozenset({1})), OVERLAP, 3) == []


def test_missing_rows_are_reported_with_their_days() -> None:
    """The message says what happened, that it is fixed, the cause, how often, and the remedy."""
    found = SearchResult(5, 6, lost=(Slice(MAY),), missing=1)
    [message] = explain_findings("expenses", 7, found, OVERLAP, 3)
    assert message.startswith("expenses of account 7 lacked 1 row that Harvest has")
    assert "later than their updated_at, by more than the overlap of 300 s" in message
    assert "in 3 runs" in message
    assert "overlap = 3600 under" in message
    assert "bug" not in message
    assert "(2024-05-01 to 2024-06-01)" in message
    assert "reads that part again" in message


def test_days_that_keep_changing_are_left_for_the_next_run() -> None:
    """Nothing was removed in these days; the audit of the next day compares them, or a command."""
    found = SearchResult(5, 6, open=(MAY, JUNE))
    [message] = explain_findings("expenses", 7, found, OVERLAP, 3)
    assert "2 windows, the first 2024-05-01 to 2024-06-01" in message
    assert "Nothing was removed there" in message
    assert "in a day" in message
    assert message.endswith("now: harvest-source sync --deletes")
    commands = NextCommands(Target(pipeline="other"), is_verify=True)
    [message] = explain_findings("expenses", 7, found, OVERLAP, 3, commands=commands)
    assert "in a day" not in message
    assert message.endswith("now: harvest-source verify --fix --pipeline other")


def test_too_many_rows_without_a_date_name_the_command() -> None:
    """Nothing kept changing, and comparing them in a day or at once would find no more."""
    found = SearchResult(3_000, 2_999, undated=30)
    [message] = explain_findings("expenses", 7, found, OVERLAP, 3)
    assert message.startswith("expenses of account 7 has 30 rows without a date")
    assert message.endswith("again: harvest-source sync --table expenses --full-refresh")
    assert explain_doubt("expenses", 7, found) == ""


def test_unexplained_counts_name_the_command() -> None:
    """Harvest's total and its lists disagree."""
    message = explain_doubt("clients", 7, SearchResult(5, 6))
    assert "has 5 rows and Harvest counts 6" in message
    assert "harvest-source sync --table clients --full-refresh" in message


def test_rows_that_changed_meanwhile_explain_a_difference() -> None:
    """The next run merges these rows."""
    assert explain_findings("clients", 7, SearchResult(5, 6, moved=1), OVERLAP, 3) == []
    assert explain_doubt("clients", 7, SearchResult(5, 6, moved=1)) == ""


def test_doubled_rows_are_explained_and_read_again() -> None:
    """They are read again, and the run reports them."""
    message = explain_doubt("clients", 7, SearchResult(12, 6, lost=(Slice(MAY),), doubled=6))
    assert "has 12 rows and Harvest counts 6: the warehouse had 6 rows more than once" in message
    assert "reads that part again" in message


def test_one_slice_is_named_and_several_are_counted() -> None:
    """A message stays short."""
    assert describe_slices([Slice(MAY)]) == "2024-05-01 to 2024-06-01"
    assert describe_slices([Slice(MAY)] * 3).startswith("3 windows, the first 2024-05-01")


@dataclass
class OneThreadCopy:
    """A warehouse table of five rows that only one thread may query."""

    bound: date | None = None

    def count_days(self) -> Mapping[date | None, int]:
        assert threading.current_thread() is threading.main_thread()
        return {None: 5}

    def ids(self, windows: Sequence[DateWindow]) -> Mapping[int, date | None]:
        raise AssertionError(windows)


class WaitingClient(FixedClient):
    """Lists of five rows; no count is answered before *together* are requested; one is refused."""

    def __init__(self, together: int, refused: str) -> None:
        super().__init__({}, {"": 5})
        self._barrier = threading.Barrier(together, timeout=20)
        self._refused = refused

    def page_rows(self, _key: str) -> int:
        return 2000

    def fetch_count(self, path: str, *, key: str, params: Mapping[str, str]) -> int:
        self._barrier.wait()
        if path == self._refused:
            raise ServerError("Harvest answered 503.")
        return super().fetch_count(path, key=key, params=params)


def audited(client: FixedClient, endpoint: Endpoint) -> AuditedTable:
    """A table of *client*'s account that can be compared."""
    task, copy = build_task(client, endpoint), OneThreadCopy()
    pair = TablePair(endpoint, task.build_reader(), copy, None, NOON)
    return AuditedTable(
        endpoint,
        task.session,
        AuditState.whole(NOON),
        cast(TableCopy, copy),
        pair,
        pair.reader,
    )


def test_all_tables_are_counted_at_once_and_fail_alone() -> None:
    """Tables do not wait for each other's answers, and one thread queries the warehouse."""
    names = ("clients", "tasks", "users", "projects")
    client = WaitingClient(len(names), refused="tasks")
    tables = [audited(client, replace(UNDATED, name=name, path=name)) for name in names]
    workspace = build_workspace(cast(Warehouse, SimpleNamespace(target=Target())))
    audit = CountAudit(workspace, tables[0].session)
    audit.run(tables)
    assert audit.findings == {(name, 1): SearchResult(5, 5) for name in names if name != "tasks"}
    assert workspace.run_log.audit.compared == 3
    assert ["tasks was not audited" in each for each in workspace.run_log.warnings] == [True]
