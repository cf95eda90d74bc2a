"""What clients of a PostgreSQL warehouse find: keys, grants that stay, no table twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from harvest_source.operations.run_report import SyncReport
from tests.support.earlier_reports import make_earlier
from tests.support.keywords import POSTGRES_RESERVED
from tests.support.lab import Lab
from tests.support.postgres import alter, build_environment, select, serving

REPORT = "report_time_clients"
TABLES = ("time_entries", "invoices", "clients", "projects", REPORT)
KEYS = """
    SELECT conrelid::regclass::text AS "table", contype::text AS kind,
        pg_get_constraintdef(oid) AS text
    FROM pg_constraint WHERE connamespace = 'harvest'::regnamespace AND contype IN ('p', 'f')
"""
SCHEMAS = "SELECT nspname AS name FROM pg_namespace WHERE nspname LIKE 'harvest%' ORDER BY 1"
GRANTED = """
    SELECT DISTINCT table_name AS name FROM information_schema.role_table_grants
    WHERE grantee = 'reader' AND privilege_type = 'SELECT'
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of this module's own, gone afterwards."""
    with serving(tmp_path_factory.mktemp("postgres")) as address:
        yield address


@pytest.fixture
def lab(tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A lab for the server."""
    for name, value in build_environment(address).items():
        monkeypatch.setenv(name, value)
    with Lab(tmp_path, entries=30, invoices=4) as lab:
        lab.stop_timers()
        lab.rest()
        yield lab


def sync(lab: Lab, **options: Any) -> SyncReport:
    return lab.sync(*TABLES, destination="postgres", database=None, **options)


def keys(address: str, kind: str) -> dict[str, set[str]]:
    """The definitions of keys by table."""
    found: dict[str, set[str]] = {}
    for row in select(address, KEYS):
        if row["kind"] == kind:
            found.setdefault(row["table"], set()).add(row["text"])
    return found


def test_what_clients_of_postgres_find(lab: Lab, address: str) -> None:
    """
    Every data table has its primary key and keeps it; grants and views stay through a full refresh
    and through the renaming of an earlier warehouse; a reader's open transaction holds no run.
    """
    words = select(address, "SELECT word FROM pg_get_keywords() WHERE catcode IN ('R', 'T')")
    assert {row["word"] for row in words} == POSTGRES_RESERVED

    report = sync(lab)
    assert (report.status, report.run_log.warnings) == ("ok", [])
    primary, foreign = keys(address, "p"), keys(address, "f")
    tables = select(address, "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'harvest'")
    assert {row["name"] for row in tables if not row["name"].startswith("_dlt")} == primary.keys()
    assert primary["time_entries"] == {"PRIMARY KEY (account_id, id)"}
    assert primary["invoices__line_items"] == {"PRIMARY KEY (_dlt_id)"}
    assert any("(account_id, project__id)" in text for text in foreign["time_entries"])
    assert all(text.endswith("NOT ENFORCED") for texts in foreign.values() for text in texts)
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
    assert (keys(address, "p"), keys(address, "f")) == (primary, foreign)
    assert [row["name"] for row in select(address, SCHEMAS)] == ["harvest"]
