"""
Removals that are stopped before and after every statement: the next run finishes them.

A stop is an error that our code does not expect, raised where the statement would begin. Nothing
runs after it, as if the process was killed.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from dlt.common.configuration.container import Container
from dlt.common.pipeline import PipelineContext
from dlt.destinations.impl.duckdb.sql_client import DuckDbSqlClient
from dlt.destinations.impl.postgres.sql_client import Psycopg2SqlClient

from harvest_source.errors import GuardError
from harvest_source.extract.extraction import Batch
from harvest_source.extract.removals import (
    PENDING_REMOVALS,
    Reason,
    Removal,
    add_pending_removal,
    build_removal_by_id,
    drop_malformed_removals,
    drop_removals,
    load_pending_removals,
    rename_removal_columns,
)
from harvest_source.load.history import VALID_TO
from harvest_source.load.state import change_account
from harvest_source.operations.replacement import Replacement
from harvest_source.operations.row_removal import RowRemoval, finish_pending_removals
from harvest_source.operations.workspace import Workspace
from harvest_source.schema.endpoints import BY_NAME
from harvest_source.schema.own_tables import DELETED_RECORDS
from harvest_source.sql.conditions import EVERY_ROW, Equals
from harvest_source.warehouse.deleted_records import mark_returned
from harvest_source.warehouse.removal import count_orphans
from harvest_source.warehouse.target import Target
from harvest_source.warehouse.warehouse import Warehouse
from tests.support.made_up import (
    ASSIGNED,
    INVOICES,
    NOW,
    PAYMENTS,
    PROJECTS,
    build_workspace,
    fill,
    ids,
    open_warehouse,
)
from tests.support.postgres import build_environment, copy_database, serving

OURS = 'DELETE FROM "harvest".'
"""dlt also empties tables in its staging schema."""


class Stopped(BaseException):
    """Stands for killing the process."""


@dataclass
class Stop:
    """
    Counts statements, and stops the run before the n-th.

    Statements in dlt's own threads do not count: dlt would wait forever for a thread that ends so.
    """

    at: int
    count: int = 0
    texts: list[str] = field(default_factory=list)

    def step(self, text: str) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        if self.count == self.at:
            raise Stopped
        self.count += 1
        self.texts.append(text)


@contextmanager
def stopping(
    stop: Stop, *, has_transactions: bool = True, client: Any = DuckDbSqlClient
) -> Iterator[None]:
    """Call *stop* before every statement, and once after the last one; catch the stop."""
    whole = client.execute_query

    def strike(self: Any, query: Any, *given: Any, **options: Any) -> Any:
        stop.step(str(query))
        return whole(self, query, *given, **options)

    @contextmanager
    def no_transaction(self: Any) -> Iterator[Any]:
        yield self

    with pytest.MonkeyPatch.context() as patch, suppress(Stopped):
        patch.setattr(client, "execute_query", strike)
        if not has_transactions:
            patch.setattr(client, "begin_transaction", no_transaction)
        yield
        stop.step("")


@dataclass(frozen=True)
class Shelf:
    """
    A filled warehouse with which every case begins.

    Attributes:
        address: The PostgreSQL that contains it; empty for a DuckDB file.
    """

    folder: Path
    address: str = ""

    @property
    def client(self) -> Any:
        """The client that runs the statements."""
        return Psycopg2SqlClient if self.address else DuckDbSqlClient

    @property
    def copy(self) -> Path:
        return self.folder.with_suffix(".copy")

    @contextmanager
    def open(self) -> Iterator[Warehouse]:
        """The warehouse as the first process finds it."""
        if self.copy.exists():
            shutil.rmtree(self.folder)
            shutil.copytree(self.copy, self.folder)
            if self.address:
                copy_database(self.address, "kept", "stops")
        with self.open_again() as warehouse:
            yield warehouse

    @contextmanager
    def open_again(self) -> Iterator[Warehouse]:
        """The warehouse as the next process finds it."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
            patch.setenv("RUNTIME__LOG_LEVEL", "CRITICAL")
            patch.setenv("DLT_DATA_DIR", str(self.folder / "dlt"))
            place = build_environment(self.address, "stops") if self.address else {}
            for name, value in place.items():
                patch.setenv(name, value)
            try:
                if self.address:
                    yield Warehouse(Target("postgres", None))
                else:
                    yield open_warehouse(self.folder / "w.duckdb")
            finally:
                Container()[PipelineContext].deactivate()


def remember_lists(state: dict[str, Any]) -> None:
    """Record that the assignments of both projects were read, one each."""
    read = {"at": NOW.isoformat(), "by": "1:administrator", "rows": 1, "digest": "d"}
    account = state.setdefault("resources", {}).setdefault(ASSIGNED.name, {})
    account["accounts"] = {"7": {"parents": {"1": read, "2": read}}}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    shelf = Shelf(tmp_path_factory.mktemp("made_up") / "shelf")
    shelf.folder.mkdir()
    with shelf.open() as warehouse:
        fill(warehouse)
        warehouse.write_state(remember_lists)
    shutil.copytree(shelf.folder, shelf.copy)
    return shelf


@pytest.fixture(scope="module")
def shelf_in_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """The same warehouse in a real server."""
    with serving(tmp_path_factory.mktemp("postgres")) as address:
        shelf = Shelf(tmp_path_factory.mktemp("made_up") / "shelf", address)
        shelf.folder.mkdir()
        copy_database(address, "template1", "stops")
        with shelf.open() as warehouse:
            fill(warehouse)
            warehouse.write_state(remember_lists)
        shutil.copytree(shelf.folder, shelf.copy)
        copy_database(address, "stops", "kept")
        yield shelf


REMOVALS = [
    build_removal_by_id(INVOICES, 7, Reason.GONE, NOW, [1, 3]),
    build_removal_by_id(PROJECTS, 7, Reason.GONE, NOW, [1]),
    Removal(PAYMENTS, 7, Reason.EMPTY, NOW, ("invoice_id",), ((2,),)),
]


def decide(workspace: Workspace) -> RowRemoval:
    removal = RowRemoval(workspace)
    for each in REMOVALS:
        assert removal.add([each], limit=Decimal(1))
    return removal


def list_pending(warehouse: Warehouse) -> list[str]:
    """Tables whose state has a pending removal."""
    resources = warehouse.source_state.get("resources", {})
    return sorted(
        t for t, s in resources.items() if PENDING_REMOVALS in s.get("accounts", {}).get("7", {})
    )


def assert_removed(warehouse: Warehouse) -> None:
    """All is removed and recorded once: no orphan, no open version, and nothing is restored."""
    assert list_pending(warehouse) == []
    assert ids(warehouse) == [(7, 2), (8, 1)]
    assert ids(warehouse, "projects") == [(7, 2)]
    assert ids(warehouse, "invoice_payments") == [(8, 91)]
    assert ids(warehouse, "project_user_assignments") == [(7, 72)]
    state = warehouse.source_state["resources"][ASSIGNED.name]["accounts"]["7"]
    assert list(state["parents"]) == ["2"]
    with warehouse.sql() as sql:
        assert set(count_orphans(sql, 7).values()) == {0}
        mark_returned(sql, BY_NAME.values(), now=NOW)
        opened = sql.select("projects_history", Equals(VALID_TO, None), ("id",))
        columns = ("table_name", "parent_id", "id", "restored_at")
        records = sql.select(DELETED_RECORDS, EVERY_ROW, columns)
    assert opened == [{"id": 2}]
    assert sorted(
        (r["table_name"], r["parent_id"] or 0, r["id"], r["restored_at"]) for r in records
    ) == [
        ("invoice_messages", 1, 81, None),
        ("invoice_payments", 1, 91, None),
        ("invoice_payments", 2, 92, None),
        ("invoices", 0, 1, None),
        ("invoices", 0, 3, None),
        ("project_user_assignments", 1, 71, None),
        ("projects", 0, 1, None),
    ]


def run_until(shelf: Shelf, stop: Stop, *, has_transactions: bool = True) -> None:
    """Run a removal that is stopped, and then one that is not."""
    told = stopping(stop, has_transactions=has_transactions, client=shelf.client)
    with shelf.open() as warehouse, told:
        decide(build_workspace(warehouse)).execute()
    with shelf.open_again() as warehouse:
        warehouse.restore()
        workspace = build_workspace(warehouse)
        finish_pending_removals(workspace)
        if stop.count == stop.at and ids(warehouse) != [(7, 2), (8, 1)]:
            # If it was stopped before anything was pending, the next run decides the same.
            decide(workspace).execute()
        assert_removed(warehouse)


def count_statements(shelf: Shelf) -> int:
    stop = Stop(-1)
    run_until(shelf, stop)
    return stop.count


def test_an_uninterrupted_removal_removes_all_rows_at_once(shelf: Shelf) -> None:
    """All rows are removed and counted at once; children are deleted before their parents."""
    stop = Stop(-1)
    with shelf.open() as warehouse:
        warehouse.restore()
        workspace = build_workspace(warehouse)
        with stopping(stop):
            assert decide(workspace).execute() == 5
        assert_removed(warehouse)
    deleted = workspace.run_log.deleted
    assert (deleted["invoices", 7], deleted["invoice_payments", 7]) == (2, 2)
    assert sum(deleted.values()) == 7
    order = [text.split('"."')[1].split('"')[0] for text in stop.texts if text.startswith(OURS)]
    ours = [name for name in order if name in {"invoice_payments", "invoice_messages", "invoices"}]
    assert ours[:3] == ["invoice_messages", "invoice_payments", "invoices"]


def test_a_removal_of_nothing_costs_no_load(shelf: Shelf) -> None:
    """An unchanged run writes nothing."""
    with shelf.open() as warehouse:
        warehouse.restore()
        before = warehouse.pipeline.state["_state_version"]
        removal = RowRemoval(build_workspace(warehouse))
        assert removal.add(
            [build_removal_by_id(INVOICES, 7, Reason.GONE, NOW, [99])], limit=Decimal(0)
        )
        assert removal.execute() == 0
        finish_pending_removals(build_workspace(warehouse))
        assert warehouse.pipeline.state["_state_version"] == before


@pytest.mark.rare
@pytest.mark.parametrize("has_transactions", [True, False])
def test_a_removal_stopped_at_some_statements_is_finished(
    shelf: Shelf, has_transactions: bool
) -> None:
    """A few stops; the test below tries all of them."""
    few = 50 if has_transactions else 20  # Within a transaction, every stop is the same.
    for at in range(few, count_statements(shelf), few):
        run_until(shelf, Stop(at), has_transactions=has_transactions)


@pytest.mark.slow
@pytest.mark.parametrize("has_transactions", [True, False])
def test_a_removal_stopped_at_any_statement_is_finished(
    shelf: Shelf, has_transactions: bool
) -> None:
    """Stops are before the first, between any two, and after the last one, dlt's included."""
    stop_at_any_statement(shelf, has_transactions=has_transactions)


@pytest.mark.slow
@pytest.mark.parametrize("has_transactions", [True, False])
def test_a_removal_stopped_at_any_statement_in_postgres_is_finished(
    shelf_in_postgres: Shelf, has_transactions: bool
) -> None:
    """The same statements run through another client."""
    stop_at_any_statement(shelf_in_postgres, has_transactions=has_transactions)


def stop_at_any_statement(shelf: Shelf, *, has_transactions: bool) -> None:
    """Stop before the first, between any two, and after the last one."""
    statements = count_statements(shelf)
    for at in range(statements + 1):
        run_until(shelf, Stop(at), has_transactions=has_transactions)
    print(f"Stopped at each of {statements} statements.")


# Removals that are pending because lists are empty now.


def write_empty(*lists: int) -> Callable[[dict[str, Any]], None]:
    """The state that plain dlt leaves when the payments of some invoices are empty."""

    def change(state: dict[str, Any]) -> None:
        table = state.setdefault("resources", {}).setdefault(PAYMENTS.name, {})
        account = table.setdefault("accounts", {}).setdefault("7", {})
        values = tuple((each,) for each in lists)
        add_pending_removal(
            account, Removal(PAYMENTS, 7, Reason.EMPTY, NOW, ("invoice_id",), values)
        )

    return change


def test_rows_are_removed_after_plain_dlt_found_their_list_empty(shelf: Shelf) -> None:
    """The state keeps it beside the digest that says that the list is empty."""
    with shelf.open() as warehouse:
        warehouse.write_state(write_empty(2, 5))
        warehouse.write_state(write_empty(5, 6))
        finish_pending_removals(build_workspace(warehouse))
        assert ids(warehouse, "invoice_payments") == [(7, 91), (8, 91)]
        assert list_pending(warehouse) == []


def payments(*numbers: int, invoice_id: int) -> pa.Table:
    rows = [
        {"account_id": 7, "invoice_id": invoice_id, "id": number, "amount": Decimal(1)}
        for number in numbers
    ]
    return pa.Table.from_pylist(rows)


def test_rows_missing_from_a_list_are_removed_before_it_is_loaded(shelf: Shelf) -> None:
    """The records have the removed rows; lists that were not read stay."""
    state: dict[str, Any] = {"cursor": "c"}
    add_pending_removal(state, Removal(PAYMENTS, 7, Reason.EMPTY, NOW, ("invoice_id",), ((2,),)))
    batches = [
        Batch(PAYMENTS, 7, table=payments(95, invoice_id=1)),
        Batch(PAYMENTS, 7, state=state),
    ]
    with shelf.open() as warehouse:
        workspace = build_workspace(warehouse)
        first, second = Replacement(workspace).remove_replaced_rows(batches)
        assert (first.table, second.state) == (batches[0].table, {"cursor": "c"})
        assert ids(warehouse, "invoice_payments") == [(8, 91)]
        with warehouse.sql() as sql:
            records = sql.select(DELETED_RECORDS, EVERY_ROW, ("parent_id", "id"), ("id",))
        assert records == [{"parent_id": 1, "id": 91}, {"parent_id": 2, "id": 92}]
        assert workspace.run_log.deleted == {("invoice_payments", 7): 2}


def test_a_package_refused_by_the_guard_is_not_loaded(shelf: Shelf) -> None:
    """Neither rows nor state of this package and the next are; a failure says why, once."""
    many = [
        {"account_id": 7, "invoice_id": 2, "id": n, "_dlt_id": f"{n}", "_dlt_load_id": "1"}
        for n in range(200, 240)
    ]
    state: dict[str, Any] = {}
    add_pending_removal(state, Removal(PAYMENTS, 7, Reason.EMPTY, NOW, ("invoice_id",), ((2,),)))
    with shelf.open() as warehouse:
        with warehouse.sql() as sql:
            sql.insert(PAYMENTS.name, many)
        workspace = build_workspace(warehouse)
        replacement = Replacement(workspace)
        batch = Batch(PAYMENTS, 7, state=state)
        other = Batch(PAYMENTS, 8, state={"cursor": "c"})
        assert replacement.remove_replaced_rows([batch, other]) == [other]
        assert replacement.remove_replaced_rows([batch]) == []
        (failure,) = workspace.run_log.failures
        assert isinstance(failure.error, GuardError)
        assert "41 of 42 invoice_payments" in str(failure.error)
        assert len(ids(warehouse, "invoice_payments")) == 43
        warehouse.write_state(write_empty(2))
        finish_pending_removals(workspace)
        assert len(ids(warehouse, "invoice_payments")) == 43
        assert list_pending(warehouse) == ["invoice_payments"]


@pytest.mark.parametrize(
    ("is_verify", "option", "command"),
    [
        (False, "", "harvest-source sync"),
        (False, "--deletes", "harvest-source sync --deletes"),
        (True, "--deletes", "harvest-source verify --fix"),
    ],
)
def test_the_guard_names_the_command_that_it_stopped(
    shelf: Shelf, is_verify: bool, option: str, command: str
) -> None:
    """A person who repeats it with --max-deletes gets what the first one was to do."""
    many = [
        {"account_id": 7, "invoice_id": 2, "id": n, "_dlt_id": f"{n}", "_dlt_load_id": "1"}
        for n in range(200, 240)
    ]
    with shelf.open() as warehouse:
        with warehouse.sql() as sql:
            sql.insert(PAYMENTS.name, many)
        workspace = replace(build_workspace(warehouse), is_verify=is_verify)
        gone = Removal(PAYMENTS, 7, Reason.EMPTY, NOW, ("invoice_id",), ((2,),))
        assert not RowRemoval(workspace, option).add([gone], limit=Decimal("0.2"))
    (failure,) = workspace.run_log.failures
    again = f"{command} --database {warehouse.target.database} --max-deletes 100%"
    assert str(failure.error).endswith(f"really gone: {again}")


def test_the_guard_counts_before_any_row_is_loaded(shelf: Shelf) -> None:
    """The rows to delete and their children may not fit into memory, so only counts are read."""
    stop = Stop(-1)
    many = [
        {"account_id": 7, "id": n, "_dlt_id": f"{n}", "_dlt_load_id": "1"} for n in range(200, 240)
    ]
    everything = Removal(INVOICES, 7, Reason.EMPTY, NOW)
    with shelf.open() as warehouse:
        warehouse.restore()
        with warehouse.sql() as sql:
            sql.insert(INVOICES.name, many)
        removal = RowRemoval(build_workspace(warehouse))
        with stopping(stop):
            assert not removal.add([everything], limit=Decimal("0.2"))
            assert removal.add([everything], limit=Decimal(1))
    read = [text for text in stop.texts if f'"{INVOICES.name}' in text]
    assert len(read) == 4, "the rows that go and all rows of the account, twice"
    assert {text.split("(")[0].upper() for text in stop.texts if text} == {"SELECT COUNT"}


def test_what_cannot_be_read_is_dropped_and_said(shelf: Shelf) -> None:
    """It would stay for good; what can be read beside it is carried out."""

    def spoil(state: dict[str, Any]) -> None:
        write_empty(2)(state)
        change_account(state, PAYMENTS.name, 7)[PENDING_REMOVALS].insert(
            0, {"reason": "?", "columns": 5}
        )
        change_account(state, INVOICES.name, 7)[PENDING_REMOVALS] = [5]
        change_account(state, PROJECTS.name, 7)[PENDING_REMOVALS] = "?"

    with shelf.open() as warehouse:
        warehouse.write_state(spoil)
        workspace = build_workspace(warehouse)
        finish_pending_removals(workspace)
        assert ids(warehouse, "invoice_payments") == [(7, 91), (8, 91)]
        assert list_pending(warehouse) == []
        told = [each.partition(" of account 7: ")[0] for each in workspace.run_log.warnings]
        assert sorted(told) == ["invoice_payments", "invoices", "projects"]
        assert "harvest-source sync --table invoices --full-refresh" in str(
            workspace.run_log.warnings
        )
        finish_pending_removals(again := build_workspace(warehouse))
        assert again.run_log.warnings == []


# Values.


def test_a_removal_survives_storage() -> None:
    """Days are text; values that cannot be understood are left out."""
    report = BY_NAME["report_time_projects"]
    removal = build_removal_by_id(INVOICES, 7, Reason.GONE, NOW, [3, 1])
    assert load_pending_removals(
        INVOICES, 7, {PENDING_REMOVALS: [removal.dump(), {"reason": "?"}, 5]}
    ) == [removal]
    year = Removal(
        report, 7, Reason.EMPTY, NOW, ("from_date", "to_date"), ((NOW.date(), NOW.date()),)
    )
    assert load_pending_removals(report, 7, {PENDING_REMOVALS: [year.dump()]}) == [year]


ONE = build_removal_by_id(INVOICES, 7, Reason.GONE, NOW, [1])


@pytest.mark.parametrize(
    "spoilt",
    [
        5,
        [5],
        ["?"],
        [ONE.dump() | {"columns": 5}],
        [ONE.dump() | {"values": None}],
        [ONE.dump() | {"values": [5]}],
    ],
)
def test_a_state_that_was_spoilt_stops_no_other_removal(spoilt: Any) -> None:
    """Nothing is known of what was pending; removals decided later are stored, renamed, settled."""
    state = {PENDING_REMOVALS: spoilt}
    rename_removal_columns(state, {"number": "id"})
    add_pending_removal(state, ONE)
    assert load_pending_removals(INVOICES, 7, state) == [ONE]
    drop_removals(state, [ONE])
    drop_malformed_removals(INVOICES, 7, state)
    assert state == {}
