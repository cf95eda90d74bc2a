"""What clients of a PostgreSQL warehouse find: keys, lasting grants, and no table twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import dlt
import psycopg2
import pyarrow.parquet
import pytest

from harvest_source import harvest
from harvest_source.export.export import export
from harvest_source.operations.run_report import SyncReport
from tests.support.earlier_reports import make_earlier
from tests.support.exported import read_csv, read_excel
from tests.support.keywords import POSTGRES_RESERVED
from tests.support.lab import Lab
from tests.support.postgres import alter, build_environment, select, serving

REPORT = "report_time_clients"
TABLES = ("time_entries", "invoices", "clients", "projects", REPORT)
KEYS = """
    SELECT relname AS "table", pg_get_constraintdef(k.oid) AS text FROM pg_constraint k
    JOIN pg_class c ON c.oid = conrelid
    WHERE connamespace = %s::regnamespace AND contype IN ('p', 'f')
"""
SCHEMAS = "SELECT nspname AS name FROM pg_namespace WHERE nspname LIKE 'harvest%' ORDER BY 1"
GRANTED = """
    SELECT DISTINCT table_name AS name FROM information_schema.role_table_grants
    WHERE grantee = 'reader' AND privilege_type = 'SELECT'
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server for this module alone, removed afterwards."""
    with serving(tmp_path_factory.mktemp("postgres")) as address:
        yield address


@pytest.fixture
def lab(tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A lab that loads into the server."""
    for name, value in build_environment(address).items():
        monkeypatch.setenv(name, value)
    with Lab(tmp_path, entries=30, invoices=4) as lab:
        lab.stop_timers()
        lab.rest()
        yield lab


def sync(lab: Lab, **options: Any) -> SyncReport:
    return lab.sync(*TABLES, destination="postgres", database=None, **options)


def keys(address: str, dataset: str = "harvest") -> dict[str, str]:
    """The definition of each table's key; a table has one key."""
    found = select(address, KEYS, dataset)
    assert len({row["table"] for row in found}) == len(found)
    return {row["table"]: row["text"] for row in found}


@pytest.mark.rare
def test_postgres_clients_find_keys_grants_and_views(lab: Lab, address: str) -> None:
    """
    Every data table has its primary key and keeps it; grants and views survive a full refresh and
    the renaming of an earlier warehouse; a reader's open transaction blocks no run.
    """
    words = select(address, "SELECT word FROM pg_get_keywords() WHERE catcode IN ('R', 'T')")
    assert {row["word"] for row in words} == POSTGRES_RESERVED

    report = sync(lab)
    assert (report.status, report.run_log.warnings) == ("ok", [])
    primary = keys(address)
    tables = select(address, "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'harvest'")
    assert {row["name"] for row in tables if not row["name"].startswith("_dlt")} == primary.keys()
    assert primary["time_entries"] == "PRIMARY KEY (account_id, id)"
    assert primary["invoices__line_items"] == "PRIMARY KEY (_dlt_id)"
    assert [row["name"] for row in select(address, SCHEMAS)] == ["harvest"]

    alter(address, "CREATE ROLE reader; GRANT USAGE ON SCHEMA harvest TO reader")
    alter(address, "GRANT SELECT ON ALL TABLES IN SCHEMA harvest TO reader")
    granted = select(address, GRANTED)
    make_earlier(lab, REPORT, alter=partial(alter, address), destination="postgres")
    alter(address, f"CREATE VIEW mine AS SELECT * FROM {REPORT}")
    lab.rest()
    lab.server.edit("time_entries", lab.server.rows("time_entries")[0]["id"], hours=7.5)
    with closing(psycopg2.connect(address)) as reader:
        cursor = reader.cursor()
        cursor.execute("SELECT COUNT(*) FROM harvest.invoices__line_items")
        report = sync(lab)
    (warning,) = report.run_log.warnings
    assert (report.status, "from_date now" in warning) == ("ok", True)
    assert select(address, f"SELECT from_date, to_date FROM {REPORT}")
    assert select(address, 'SELECT "from" FROM mine'), "PostgreSQL keeps a view as it was"

    lab.rest()
    assert sync(lab, full_refresh=True).run_log.warnings == []
    kept = {row["name"] for row in select(address, GRANTED)}
    assert {row["name"] for row in granted} <= kept
    assert keys(address) == primary
    assert [row["name"] for row in select(address, SCHEMAS)] == ["harvest"]


def test_the_public_schema_is_loaded_twice_and_exported(
    tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    With ``--dataset public`` the tables are where clients look that name no schema, in two runs; an
    export has PostgreSQL's rows in every format.
    """
    for name, value in build_environment(address).items():
        monkeypatch.setenv(name, value)
    options = {"destination": "postgres", "database": None, "dataset": "public"}
    with Lab(tmp_path, entries=30) as lab:
        lab.stop_timers()
        for _ in range(2):
            lab.rest()
            assert lab.sync("time_entries", "clients", **options).status == "ok"
        query = "SELECT id, hours, spent_date, created_at, is_billed FROM public.time_entries"
        rows = select(address, f"{query} ORDER BY id")
        assert len(rows) == lab.server.count("time_entries")
        assert select(address, SCHEMAS.replace("harvest%", "public_staging")) == []
        with lab.working():
            for form in ("csv", "parquet", "xlsx"):
                report = export(
                    tmp_path / form,
                    destination="postgres",
                    dataset="public",
                    table=["time_entries"],
                    form=form,
                )
                assert (report.exit_code, list(report.rows.values())) == (0, [len(rows)])
    texts = read_csv(tmp_path / "csv" / "time_entries.csv")
    instants = [f"{row['created_at']:%Y-%m-%d %H:%M:%S}" for row in rows]
    assert sorted((int(t["id"]), Decimal(t["hours"]), t["created_at"]) for t in texts) == [
        (row["id"], row["hours"], instant) for row, instant in zip(rows, instants, strict=True)
    ]
    cells = read_excel(tmp_path / "xlsx" / "time_entries.xlsx")
    assert sorted((cell["id"], cell["is_billed"]) for cell in cells) == [
        (row["id"], row["is_billed"]) for row in rows
    ]
    assert {str(cell["created_at"]) for cell in cells} == set(instants)
    table = pyarrow.parquet.read_table(tmp_path / "parquet" / "time_entries.parquet")
    days = zip(*(table.column(name).to_pylist() for name in ("id", "spent_date")), strict=True)
    assert sorted(days) == [(row["id"], row["spent_date"]) for row in rows]


@pytest.mark.rare
@pytest.mark.parametrize("mode", ["drop_data", "drop_resources", "drop_sources"])
def test_primary_keys_do_not_block_a_dlt_refresh(
    tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch, mode: Any
) -> None:
    """
    dlt's own ``refresh`` drops or empties tables that others refer to; the next run of the command
    creates the primary keys again.
    """
    for name, value in build_environment(address).items():
        monkeypatch.setenv(name, value)
    dataset, tables = f"by_{mode}", ("time_entries", "projects", "clients")
    options = {"destination": "postgres", "database": None, "dataset": dataset}
    with Lab(tmp_path, entries=30) as lab:
        lab.stop_timers()
        lab.rest()
        assert lab.sync(*tables, **options).status == "ok"
        made = keys(address, dataset)
        assert {"time_entries", "projects", "clients"} <= made.keys()
        with lab.working():
            pipeline = dlt.pipeline("harvest", destination="postgres", dataset_name=dataset)
            source = harvest(account_id=lab.server.account_id, **lab.settings)
            pipeline.run(source.with_resources("projects", "clients"), refresh=mode)
        for name in ("projects", "clients"):
            (row,) = select(address, f"SELECT COUNT(*) AS n FROM {dataset}.{name}")
            assert row["n"] == lab.server.count(name)
        report = lab.sync(*tables, **options)
        assert (report.status, report.run_log.warnings) == ("ok", [])
        assert keys(address, dataset) == made
        (row,) = select(address, f"SELECT COUNT(*) AS n FROM {dataset}.time_entries")
        assert row["n"] == lab.server.count("time_entries")
