"""A column of dlt's or our own tables that a person drops comes back, with derivable values."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from harvest_source.schema.own_tables import OWN_TABLES
from harvest_source.warehouse.own_repair import DLT_FILLS
from tests.support import postgres
from tests.support.lab import HOUR, Lab, Row
from tests.support.truth import assert_equal

READ: Final = ("clients", "time_entries")
HISTORY: Final = "clients_history"
OPTIONS: Final[dict[str, Any]] = {"settings": {"history": ["clients"]}}
TABLES: Final = (*(table.name for table in OWN_TABLES), *DLT_FILLS, HISTORY)
IN_CI: Final = ("sync_runs", "_dlt_loads")
UNTOLD: Final = {("deleted_records", "table_name")}
"""Columns that are never null and whose values no other column has."""

Select = Callable[[str], list[Row]]
LISTED: Final = (
    "SELECT table_name, column_name, is_nullable FROM information_schema.columns "
    "WHERE table_schema = 'harvest'"
)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A row of each kind: two versions of a client, a deleted entry, several runs."""
    with Lab(tmp_path, entries=30) as lab:
        lab.stop_timers()
        yield lab


def fill(lab: Lab, **place: Any) -> None:
    """Run several times: one run removes an entry and sees a client with another address."""
    assert lab.sync(*READ, **OPTIONS, **place).status == "ok"
    lab.rest(2 * HOUR)
    lab.server.delete("time_entries", lab.server.rows("time_entries")[0]["id"])
    lab.server.edit("clients", lab.server.rows("clients")[0]["id"], address="Moved")
    lab.rest(2 * HOUR)
    assert lab.sync(*READ, **OPTIONS, **place, deletes=True).status == "ok"


def list_columns(select: Select, table: str) -> dict[str, bool]:
    """Each column of a table, and whether it is never null."""
    rows = [row for row in select(LISTED) if row["table_name"] == table]
    return {row["column_name"]: row["is_nullable"] == "NO" for row in rows}


def list_needed(select: Select, table: str) -> list[str]:
    """The columns of a table that are never null."""
    return [name for name, is_needed in list_columns(select, table).items() if is_needed]


def assert_back(select: Select, table: str, column: str) -> None:
    """The column is there, and no row has a null in it."""
    nulls = f'SELECT COUNT(*) AS n FROM {table} WHERE "{column}" IS NULL'
    assert select(nulls) == [{"n": 0}], (table, column)


def read_versions(lab: Lab) -> set[tuple[Any, ...]]:
    """Each version of each client, with the time for which it is valid."""
    rows = lab.table(HISTORY)
    return {(row["id"], row["address"], row["valid_from"], row["valid_to"]) for row in rows}


@pytest.mark.rare
@pytest.mark.parametrize(
    "table",
    [pytest.param(name, marks=() if name in IN_CI else pytest.mark.slow) for name in TABLES],
)
def test_every_column_comes_back(lab: Lab, table: str) -> None:
    """Whichever column is dropped, the run is ok and the column is back, filled if never null."""
    fill(lab)
    columns = list_columns(lab.sql, table)
    needed = list_needed(lab.sql, table)
    for dropped in (*([name] for name in needed), [name for name in columns if name not in needed]):
        for column in dropped:
            lab.alter(f'ALTER TABLE {table} DROP COLUMN "{column}"')
        report = lab.sync(*READ, **OPTIONS)
        assert (report.status, report.errors) == ("ok", ()), dropped
        assert list_columns(lab.sql, table).keys() == columns.keys()
        for column in dropped:
            if column in needed and (table, column) not in UNTOLD:
                assert_back(lab.sql, table, column)
    for name in READ:
        assert_equal(lab, name)
    lab.rest(2 * HOUR)
    report = lab.sync(*READ, **OPTIONS)
    assert (report.status, report.run_log.warnings) == ("ok", [])


@pytest.mark.rare
def test_implied_values_of_dropped_columns_are_restored(lab: Lab) -> None:
    """Values that other columns imply are restored: a run's time and result, a row's account."""
    fill(lab)
    lab.server.fault("missing_key", table="clients", times=50)
    assert lab.sync(*READ, **OPTIONS).status == "partial"
    lab.server.clear_faults()
    runs, [gone], versions = (
        lab.table("sync_runs"),
        lab.table("deleted_records"),
        read_versions(lab),
    )
    assert len(versions) == len(lab.ids("clients")) + 1
    for statement in (
        "ALTER TABLE sync_runs DROP COLUMN status",
        "ALTER TABLE sync_runs DROP COLUMN started_at",
        "ALTER TABLE deleted_records DROP COLUMN account_id",
        "ALTER TABLE deleted_records DROP COLUMN id",
        f"ALTER TABLE {HISTORY} DROP COLUMN valid_to",
    ):
        lab.alter(statement)
    assert lab.sync(*READ, **OPTIONS).status == "ok"
    found = {row["id"]: row for row in lab.table("sync_runs")}
    for run in runs:
        assert (found[run["id"]]["status"], found[run["id"]]["started_at"]) == (
            run["status"],
            run["ended_at"],
        )
    assert [gone] == lab.table("deleted_records")
    assert read_versions(lab) == versions


@pytest.mark.rare
def test_columns_are_restored_although_the_working_folder_is_lost(lab: Lab) -> None:
    """On another machine, a run repairs tables that its dlt does not know yet before it reads."""
    fill(lab)
    for column in ("_dlt_loads.status", "_dlt_version.inserted_at", "_dlt_pipeline_state.version"):
        table, _, name = column.partition(".")
        lab.alter(f"ALTER TABLE {table} DROP COLUMN {name}")
    shutil.rmtree(lab.folder / "dlt")
    report = lab.sync(*READ, **OPTIONS)
    assert (report.status, report.run_log.warnings) == ("ok", [])
    assert report.tables["time_entries"].rows < len(lab.server.rows("time_entries"))


@pytest.mark.rare
def test_columns_come_back_in_postgres(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL cannot add a never-null column to rows either; columns come back all the same."""
    with postgres.serving(lab.folder) as address:
        for name, value in postgres.build_environment(address).items():
            monkeypatch.setenv(name, value)
        place = {"destination": "postgres", "database": None}
        fill(lab, **place)

        def select(query: str) -> list[Row]:
            return postgres.select(address, query)

        for tables in (DLT_FILLS, [name for name in TABLES if name not in DLT_FILLS]):
            needed = {name: list_needed(select, name) for name in tables}
            for at in range(max(map(len, needed.values()))):
                dropped = [(table, names[at]) for table, names in needed.items() if at < len(names)]
                for table, column in dropped:
                    postgres.alter(address, f'ALTER TABLE {table} DROP COLUMN "{column}"')
                report = lab.sync(*READ, **OPTIONS, **place)
                assert (report.status, report.errors) == ("ok", ()), dropped
                for table, column in dropped:
                    if (table, column) not in UNTOLD:
                        assert_back(select, table, column)
