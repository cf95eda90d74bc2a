"""
One contract for every table, from four runs over two accounts whose ids collide.

First run, nothing new, edits and creations, deletions with a full refresh. No code here is specific
to an endpoint: a new row of the endpoint table must meet all of it. Eight days lie between the
second run and the third, so that weekly checks are due again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from harvest_source.operations.run_report import SyncReport
from harvest_source.sandbox import CHILDREN, TABLES
from harvest_source.schema.columns import Child, Column, Type
from harvest_source.schema.endpoint import Endpoint, ReadStrategy
from harvest_source.schema.endpoints import ENDPOINTS
from tests.support.lab import DAY, Lab, Row, by_id
from tests.support.truth import (
    child_differences,
    differences,
    expected_types,
    served,
    shown,
)

ACCOUNTS = (1000001, 1000002)
EDITED: dict[Type, Any] = {
    Type.TEXT: "Edited: 'é' \"雪\" ☃\n",
    Type.DECIMAL: Decimal("1234.567890123"),
    Type.BOOL: True,
    Type.DATE: "2020-02-29",
}
DLT_CHILD_KEYS = {"_dlt_root_id", "_dlt_parent_id", "_dlt_list_idx", "_dlt_id"}

EDITABLE = [e for e in ENDPOINTS if e.name in (*TABLES, *CHILDREN)]
"""Tables with records of their own; the others show these from another side."""
BY_CHANGES = [e for e in ENDPOINTS if e.strategy is ReadStrategy.CHANGES]

Place = tuple[str, int]
"""A table and an account."""


@dataclass
class Chapter:
    """What one run left behind, and what Harvest had at that moment."""

    report: SyncReport
    tables: dict[str, list[Row]]
    truth: dict[Place, list[Row]]

    def rows(self, table: str, account_id: int) -> list[Row]:
        """The account's rows; for a daily snapshot table, those of the last day."""
        rows = [row for row in self.tables[table] if row["account_id"] == account_id]
        last = max((row["snapshot_date"] for row in rows if "snapshot_date" in row), default=None)
        return [row for row in rows if row.get("snapshot_date") == last]

    def records(self, endpoint: Endpoint, account_id: int) -> list[Row]:
        return self.truth[endpoint.name, account_id]


@dataclass
class Story:
    """The four runs, and what was done between them."""

    first: Chapter
    unchanged: Chapter
    changed: Chapter
    refreshed: Chapter
    types: dict[str, str]
    completed_loads: set[str]
    edited: dict[Place, int]
    created: dict[Place, int]
    emptied: dict[tuple[str, str, int], int]
    """By table, array and account: the record whose array became empty."""
    deleted: dict[Place, int]


class Narrator:
    """Runs and changes that make up the story."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.edited: dict[Place, int] = {}
        self.created: dict[Place, int] = {}
        self.emptied: dict[tuple[str, str, int], int] = {}
        self.deleted: dict[Place, int] = {}

    def chapter(self, **options: Any) -> Chapter:
        report = self.lab.sync(
            *(endpoint.name for endpoint in ENDPOINTS),
            settings={"audit_requests": 0},  # It rereads unchanged rows.
            **options,
        )
        with self.lab.reading():
            names = {name.partition(".")[0] for name in self.lab.columns()}
            tables = {name: self.lab.table(name) for name in names}
        return Chapter(report, tables, self.truth())

    def truth(self) -> dict[Place, list[Row]]:
        return {
            (endpoint.name, account): served(self.lab, endpoint, account)
            for endpoint in ENDPOINTS
            for account in ACCOUNTS
        }

    def change(self, before: dict[Place, list[Row]]) -> None:
        """Edit, empty and create records in every table."""
        self.lab.stop_timers()
        for endpoint in (each for each in ENDPOINTS if each.single):
            for column in edited_columns(endpoint):
                value = EDITED[column.type]
                self.lab.server.alter(endpoint.name, "set_field", name=column.name, value=value)
        for account in ACCOUNTS:
            for endpoint in EDITABLE:
                self._edit(endpoint, account, before[endpoint.name, account])
            for endpoint in EDITABLE:
                self._empty_arrays(endpoint, account, before[endpoint.name, account])
                made = self.lab.server.create(endpoint.name, account)
                self.created[endpoint.name, account] = made["id"]

    def _edit(self, endpoint: Endpoint, account: int, records: list[Row]) -> None:
        record_id = self.edited[endpoint.name, account] = records[len(records) // 2]["id"]
        fields = {column.name: EDITED[column.type] for column in edited_columns(endpoint)}
        self.lab.server.edit(endpoint.name, record_id, account_id=account, **fields)

    def _empty_arrays(self, endpoint: Endpoint, account: int, records: list[Row]) -> None:
        """One record loses all elements, another its first, and a third gets one element twice."""
        for child in endpoint.record.children:
            full = [record for record in records if record[child.name]]
            if len(full) < 3:
                continue
            emptied, shortened, grown = full[:3]
            self.emptied[endpoint.name, child.name, account] = emptied["id"]
            for record, elements in (
                (emptied, []),
                (shortened, shortened[child.name][1:]),
                (grown, grown[child.name] + grown[child.name][:1]),
            ):
                fields: Row = {child.name: elements}
                self.lab.server.edit(endpoint.name, record["id"], account_id=account, **fields)

    def delete(self) -> None:
        """Delete one record of every table, and its dependants."""
        for endpoint in EDITABLE:
            for account in ACCOUNTS:
                record_id = self.lab.server.rows(endpoint.name, account)[0]["id"]
                self.deleted[endpoint.name, account] = record_id
                self.lab.server.delete(endpoint.name, record_id, account, force=True)


def edited_columns(endpoint: Endpoint) -> list[Column]:
    """The last column of each type that people edit."""
    fixed = {*endpoint.key, endpoint.window}
    plain = [c for c in shown(endpoint) if "__" not in c.name and c.name not in fixed]
    return list({column.type: column for column in plain if column.type in EDITED}.values())


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with Lab(tmp_path_factory.mktemp("contract"), accounts=ACCOUNTS, entries=240) as lab:
        narrator = Narrator(lab)
        lab.stop_timers()  # Running timers change every second.
        lab.rest(2 * DAY)
        first = narrator.chapter()
        lab.rest()
        unchanged = narrator.chapter()
        lab.rest(8 * DAY)
        with lab.quotes_tell():
            narrator.change(unchanged.truth)
        changed = narrator.chapter()
        types = lab.columns()
        completed = lab.sql("SELECT load_id FROM _dlt_loads WHERE status = 0")
        lab.rest()
        narrator.delete()
        refreshed = narrator.chapter(full_refresh=True)
        yield Story(
            first,
            unchanged,
            changed,
            refreshed,
            types,
            {row["load_id"] for row in completed},
            narrator.edited,
            narrator.created,
            narrator.emptied,
            narrator.deleted,
        )


every_endpoint = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda e: e.name)
every_list = pytest.mark.parametrize("endpoint", EDITABLE, ids=lambda e: e.name)
every_cursor = pytest.mark.parametrize("endpoint", BY_CHANGES, ids=lambda e: e.name)
every_child = pytest.mark.parametrize(
    ("endpoint", "child"),
    [(e, child) for e in ENDPOINTS for child in e.record.children],
    ids=lambda each: each.name,
)
every_account = pytest.mark.parametrize("account_id", ACCOUNTS)


def assert_equal(chapter: Chapter, endpoint: Endpoint, account_id: int) -> None:
    """The account's rows of a table equal its records, column by column, with none extra."""
    rows, records = chapter.rows(endpoint.name, account_id), chapter.records(endpoint, account_id)
    assert differences(endpoint, rows, records, account_id) == {}


def assert_children_equal(
    chapter: Chapter, endpoint: Endpoint, child: Child, account_id: int
) -> None:
    """Every record has the elements of its array, in order, and there are no other rows."""
    parents = chapter.rows(endpoint.name, account_id)
    rows = chapter.rows(f"{endpoint.name}__{child.name}", account_id)
    records = chapter.records(endpoint, account_id)
    assert child_differences(endpoint, child, parents, rows, records, account_id) == {}


def loads(chapter: Chapter, endpoint: Endpoint, account_id: int) -> dict[int, str]:
    """The load that brought each row."""
    return {row["id"]: row["_dlt_load_id"] for row in chapter.rows(endpoint.name, account_id)}


@every_account
@every_endpoint
def test_loads_every_row_and_every_value(story: Story, endpoint: Endpoint, account_id: int) -> None:
    """After one run a table holds exactly what Harvest has, every value in every column."""
    assert story.first.records(endpoint, account_id), "an empty table proves nothing"
    assert_equal(story.first, endpoint, account_id)


@every_account
@every_child
def test_loads_every_element(
    story: Story, endpoint: Endpoint, child: Child, account_id: int
) -> None:
    """A child table holds the elements of every record's array, in order."""
    assert_children_equal(story.first, endpoint, child, account_id)


@every_endpoint
def test_second_run_changes_nothing(story: Story, endpoint: Endpoint) -> None:
    """A run with nothing new leaves every table unchanged, down to the load of each row."""
    tables = [endpoint.name, *endpoint.child_tables]
    for table in tables:
        before, after = story.first.tables[table], story.unchanged.tables[table]
        assert sorted(map(str, before)) == sorted(map(str, after))


@every_endpoint
def test_second_run_reads_only_what_the_overlap_asks_for(story: Story, endpoint: Endpoint) -> None:
    """An unchanged table reads no row, unless Harvest can only be asked for the whole table."""
    rows = story.unchanged.report.tables[endpoint.name].rows
    records = [row for account in ACCOUNTS for row in story.first.records(endpoint, account)]
    this_year = [row for row in records if row.get("to_date") == "2026-12-31"]
    costs = {
        ReadStrategy.WHOLE: records,
        ReadStrategy.SNAPSHOT: records,
        ReadStrategy.WINDOWS: this_year,
    }
    assert rows == len(costs.get(endpoint.strategy, []))


@every_account
@every_endpoint
def test_edits_and_creations_arrive(story: Story, endpoint: Endpoint, account_id: int) -> None:
    """After edits and creations everywhere the next run makes the table equal again."""
    assert_equal(story.changed, endpoint, account_id)


@every_account
@every_list
def test_edited_row_has_its_new_values(story: Story, endpoint: Endpoint, account_id: int) -> None:
    """
    An edit of each kind of column reaches the row, whatever characters or digits it has.

    Columns that Harvest computes itself are exempt.
    """
    edited_id = story.edited[endpoint.name, account_id]
    (row,) = [r for r in story.changed.rows(endpoint.name, account_id) if r["id"] == edited_id]
    record = by_id(story.changed.records(endpoint, account_id))[edited_id]
    kept = [c for c in edited_columns(endpoint) if record[c.name] == EDITED[c.type]]
    assert kept
    for column in kept:
        value = row[column.name]
        assert (str(value) if column.type is Type.DATE else value) == EDITED[column.type]


@every_account
@every_list
def test_created_row_arrives(story: Story, endpoint: Endpoint, account_id: int) -> None:
    """A record created between two runs is in the table after the second."""
    created_id = story.created[endpoint.name, account_id]
    assert created_id not in loads(story.unchanged, endpoint, account_id)
    assert created_id in loads(story.changed, endpoint, account_id)


@every_account
@every_cursor
def test_only_changed_rows_are_read_again(
    story: Story, endpoint: Endpoint, account_id: int
) -> None:
    """With updated_since, a run reads exactly the changed rows and rewrites only those."""
    before = loads(story.unchanged, endpoint, account_id)
    after = loads(story.changed, endpoint, account_id)
    rewritten = {key for key, load in after.items() if before.get(key) != load}
    old = by_id(story.unchanged.records(endpoint, account_id))
    changed = {
        record["id"]
        for record in story.changed.records(endpoint, account_id)
        if record["updated_at"] != old.get(record["id"], {}).get("updated_at")
    }
    assert {story.edited[endpoint.name, account_id], story.created[endpoint.name, account_id]} <= (
        changed
    )
    read, _ = story.changed.report.tables[endpoint.name].accounts[account_id]
    assert (rewritten, read) == (changed, len(changed))


@every_account
@every_child
def test_child_tables_follow_changes_of_arrays(
    story: Story, endpoint: Endpoint, child: Child, account_id: int
) -> None:
    """When arrays are emptied, shortened and grown, the child table follows without leftovers."""
    assert_children_equal(story.changed, endpoint, child, account_id)
    if endpoint not in EDITABLE:
        return
    emptied_id = story.emptied[endpoint.name, child.name, account_id]
    was = by_id(story.unchanged.records(endpoint, account_id))[emptied_id]
    now = by_id(story.changed.records(endpoint, account_id))[emptied_id]
    assert was[child.name]
    assert now[child.name] == []


@every_account
@every_endpoint
def test_full_refresh_removes_deleted_rows(
    story: Story, endpoint: Endpoint, account_id: int
) -> None:
    """After deletions a full refresh makes the table equal again, and keeps what it removed."""
    assert_equal(story.refreshed, endpoint, account_id)
    for child in endpoint.record.children:
        assert_children_equal(story.refreshed, endpoint, child, account_id)
    if endpoint.cursor is not None:
        kept = {
            row["id"]
            for row in story.refreshed.tables["deleted_records"]
            if (row["table_name"], row["account_id"]) == (endpoint.name, account_id)
        }
        before = {row["id"] for row in story.changed.rows(endpoint.name, account_id)}
        after = {row["id"] for row in story.refreshed.rows(endpoint.name, account_id)}
        assert story.deleted[endpoint.name, account_id] in kept
        assert kept == before - after


@every_endpoint
def test_columns_are_as_declared(story: Story, endpoint: Endpoint) -> None:
    """Every declared column has its declared type; the only others are the account's and dlt's."""
    expected = expected_types(shown(endpoint)) | {"_dlt_load_id": "VARCHAR"}
    if endpoint.record.children:
        expected["_dlt_id"] = "VARCHAR"
    assert columns_of(story, endpoint.name) == expected


@every_child
def test_child_columns_are_as_declared(story: Story, endpoint: Endpoint, child: Child) -> None:
    """A child table has its declared columns, the account and both keys of its parent."""
    keys = dict.fromkeys(DLT_CHILD_KEYS, "VARCHAR") | {"_dlt_list_idx": "BIGINT"}
    expected = expected_types(endpoint.child_columns(child)) | keys
    assert columns_of(story, f"{endpoint.name}__{child.name}") == expected


@every_endpoint
def test_every_row_has_its_account_and_its_load(story: Story, endpoint: Endpoint) -> None:
    """account_id and _dlt_load_id are never null, and the load is one that dlt completed."""
    rows = story.changed.tables[endpoint.name]
    assert {row["account_id"] for row in rows} == set(ACCOUNTS)
    assert {row["_dlt_load_id"] for row in rows} <= story.completed_loads


def test_document_keys_are_not_loaded(story: Story) -> None:
    """client_key and statement_key open documents without a login, so no column holds them."""
    secret = {column.name for e in ENDPOINTS for column in e.record if column.secret}
    assert secret == {"client_key", "statement_key"}
    assert not [name for name in story.types if name.rpartition(".")[2] in secret]


def test_no_undeclared_tables_are_created(story: Story) -> None:
    """Beside the declared tables there are only our own three and dlt's."""
    declared = {table for e in ENDPOINTS for table in (e.name, *e.child_tables)}
    assert {name.partition(".")[0] for name in story.types} == declared | {
        "sync_runs",
        "verify_runs",
        "deleted_records",
    }
    later = set(story.refreshed.tables)
    assert later == declared | {"sync_runs", "verify_runs", "deleted_records"}


def columns_of(story: Story, table: str) -> dict[str, str]:
    """The type of each column of a table."""
    prefix = f"{table}."
    return {
        name.removeprefix(prefix): sql_type
        for name, sql_type in story.types.items()
        if name.startswith(prefix)
    }
