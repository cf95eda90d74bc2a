"""Which rows about runs, loads and states are deleted, and which stay, without Harvest."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from dlt.common.configuration.container import Container
from dlt.common.pipeline import PipelineContext

from harvest_source.errors import DestinationError
from harvest_source.schema.columns import LOAD_ID
from harvest_source.schema.own_tables import SYNC_RUNS, VERIFY_RUNS
from harvest_source.sql.conditions import EVERY_ROW, Equals
from harvest_source.warehouse.run_retention import choose_states, forget_old_runs
from harvest_source.warehouse.warehouse import Warehouse
from tests.support.made_up import NOW, fill, open_warehouse

DAY = timedelta(days=1)


@pytest.fixture
def warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Warehouse]:
    """A warehouse with made-up rows, and our own tables with the first runs."""
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path))
    made = open_warehouse(tmp_path / "harvest_data.duckdb")
    fill(made)
    made.merge_own(SYNC_RUNS, [run("0", 300, clients=7), run("z", 0, clients=7)])
    made.merge_own(VERIFY_RUNS, [verification("0", 300)])
    yield made
    Container()[PipelineContext].deactivate()


def run(name: str, age: int, status: str = "ok", **tables: int) -> dict[str, Any]:
    """A row of ``sync_runs``, *age* days old, that read *tables* of these accounts."""
    counts = {table: {"rows": 1, "accounts": {str(each): 1}} for table, each in tables.items()}
    return {
        "id": name,
        "started_at": NOW - age * DAY,
        "ended_at": NOW - age * DAY,
        "status": status,
        "tables": counts,
        "errors": [],
    }


def verification(name: str, age: int, status: str = "ok") -> dict[str, Any]:
    return {
        "id": name,
        "started_at": NOW - age * DAY,
        "ended_at": NOW - age * DAY,
        "status": status,
        "account_ids": "7",
    }


def add(warehouse: Warehouse, table: str, *rows: dict[str, Any]) -> None:
    with warehouse.sql() as sql:
        sql.insert(table, [{**row, LOAD_ID: "1", "_dlt_id": row["id"]} for row in rows])


def ids(warehouse: Warehouse, table: str, column: str = "id") -> list[Any]:
    with warehouse.sql() as sql:
        return sorted(value for (value,) in sql.iter_values(table, EVERY_ROW, (column,)))


def age_loads(warehouse: Warehouse, at: datetime) -> None:
    with warehouse.sql() as sql:
        sql.update("_dlt_loads", {"inserted_at": at}, EVERY_ROW)


def test_old_runs_are_deleted_unless_they_are_still_needed(warehouse: Warehouse) -> None:
    """The last run per table, the last with rows, the last of all, and all recent runs stay."""
    rows = [
        run("1", 250, clients=7, users=8),
        run("2", 240, clients=7),
        run("3", 230, users=7),
        run("4", 220, "error"),
        run("5", 210, "error"),
        run("6", 90, clients=7),
        run("7", 1, clients=7),
    ]
    add(warehouse, SYNC_RUNS, *rows)
    forget_old_runs(warehouse, 90, now=NOW)
    assert ids(warehouse, SYNC_RUNS) == ["1", "2", "3", "5", "6", "7", "z"]


@pytest.mark.rare
def test_old_verifications_are_deleted_except_the_last(warehouse: Warehouse) -> None:
    """The last one that found everything equal stays too."""
    rows = [verification("1", 200), verification("2", 150, "differs"), verification("3", 100, "x")]
    add(warehouse, VERIFY_RUNS, *rows)
    forget_old_runs(warehouse, 90, now=NOW + 10 * DAY)
    assert ids(warehouse, VERIFY_RUNS) == ["1", "3"]


@pytest.mark.rare
def test_retention_runs_once_a_week(warehouse: Warehouse) -> None:
    """The working folder stores the time; one run with a clock ahead deletes nothing."""
    add(warehouse, SYNC_RUNS, run("1", 5, clients=7), run("2", 0, clients=7))
    forget_old_runs(warehouse, 90, now=NOW + 3650 * DAY)
    assert ids(warehouse, SYNC_RUNS) == ["0", "1", "2", "z"]
    forget_old_runs(warehouse, 1, now=NOW)
    assert ids(warehouse, SYNC_RUNS) == ["1", "2", "z"]
    add(warehouse, SYNC_RUNS, run("3", 4, clients=7))
    forget_old_runs(warehouse, 1, now=NOW + 6 * DAY)
    assert ids(warehouse, SYNC_RUNS) == ["1", "2", "3", "z"]
    forget_old_runs(warehouse, 1, now=NOW + 7 * DAY)
    assert ids(warehouse, SYNC_RUNS) == ["2", "3", "z"]


def test_a_load_is_kept_while_a_row_refers_to_it(warehouse: Warehouse) -> None:
    """Tables, histories and states name loads; of the rest, the newest and other sources' stay."""
    named = set(ids(warehouse, "invoices", LOAD_ID) + ids(warehouse, SYNC_RUNS, LOAD_ID))
    named |= set(
        ids(warehouse, "_dlt_pipeline_state", LOAD_ID) + ids(warehouse, VERIFY_RUNS, LOAD_ID)
    )
    names = ("load_id", "schema_name", "status", "inserted_at", "schema_version_hash")
    with warehouse.sql() as sql:
        for at in range(30):
            schema = "github" if at == 0 else "harvest"
            row = (f"100{at:02}", schema, 0, NOW, "")
            sql.insert("_dlt_loads", [dict(zip(names, row, strict=True))])
        for at in range(12):
            row = (f"999999999{at:02}", "harvest", 0, NOW - 200 * DAY, "")
            sql.insert("_dlt_loads", [dict(zip(names, row, strict=True))])
        sql.update("invoices", {LOAD_ID: "10007"}, Equals("id", 1))
    forget_old_runs(warehouse, 90, now=NOW)
    assert {f"100{at:02}" for at in range(30)} <= set(ids(warehouse, "_dlt_loads", "load_id"))
    age_loads(warehouse, NOW - 91 * DAY)
    forget_old_runs(warehouse, 90, now=NOW + 7 * DAY)
    left = set(ids(warehouse, "_dlt_loads", "load_id"))
    assert named <= left
    newest = {f"999999999{at:02}" for at in range(2, 12)}
    assert left - named == {"10000", "10007"} | newest


def test_the_newest_states_are_kept_and_restore_a_new_folder(warehouse: Warehouse) -> None:
    """They stay at any age: a run on another machine continues from the state."""
    pipeline = warehouse.pipeline
    for at in range(15):
        warehouse.write_state(lambda state, at=at: state.update(tried=at))  # type: ignore[misc]
    before = ids(warehouse, "_dlt_pipeline_state", "version")
    forget_old_runs(warehouse, 90, now=NOW)
    assert ids(warehouse, "_dlt_pipeline_state", "version") == before[-10:]
    pipeline.drop()
    again = open_warehouse(Path(str(warehouse.target.database)))
    again.restore()
    assert again.source_state["tried"] == 14


def test_the_newest_states_by_either_order_are_kept_per_schema() -> None:
    """Two machines' clocks differ, and a pipeline may load other sources more often."""
    schema_of = {str(at): "harvest" if at < 20 else "github" for at in range(100)}
    rows: list[dict[str, Any]] = [
        {"_dlt_id": at, LOAD_ID: str(at), "version": (37 * at) % 100} for at in range(100)
    ]
    kept = choose_states(rows, schema_of)
    ours = [row for row in rows if row["_dlt_id"] < 20]
    for by in ("version", LOAD_ID):
        ours.sort(key=lambda row, by=by: row[by])  # type: ignore[misc]
        assert {row["_dlt_id"] for row in ours[-10:]} <= kept
    assert len(kept) <= 40


@pytest.mark.rare
def test_an_interrupted_cleanup_is_finished_by_the_next_run(warehouse: Warehouse) -> None:
    """Nothing is recorded as done before it is done."""
    add(warehouse, SYNC_RUNS, run("1", 200, clients=7))
    rename(warehouse, VERIFY_RUNS, "away")
    with pytest.raises(DestinationError, match="verify_runs"):
        forget_old_runs(warehouse, 90, now=NOW)
    assert ids(warehouse, SYNC_RUNS) == ["0", "1", "z"]
    rename(warehouse, "away", VERIFY_RUNS)
    forget_old_runs(warehouse, 90, now=NOW)
    assert ids(warehouse, SYNC_RUNS) == ["1", "z"]


def rename(warehouse: Warehouse, table: str, to: str) -> None:
    with warehouse.sql() as sql:
        sql.execute((f"ALTER TABLE {sql.table(table)} RENAME TO {to}", []))
