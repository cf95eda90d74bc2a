"""The whole sync into a real PostgreSQL: the same tables, loaded differently than in DuckDB."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from dlt.destinations.impl.postgres.sql_client import Psycopg2SqlClient

from harvest_source.errors import ConfigError
from harvest_source.schema.columns import Type
from harvest_source.schema.endpoints import BY_NAME
from harvest_source.warehouse.pipeline import attach
from harvest_source.warehouse.target import build_target
from tests.support.earlier import forget_parent_keys
from tests.support.lab import Lab
from tests.support.postgres import build_environment, select, serving
from tests.support.truth import child_differences, differences, served, shown

TABLES = ("time_entries", "invoices", "roles", "invoice_payments")
"""Each way in which rows travel, child tables, and a list of one parent."""
PG_TYPES = {
    Type.BIGINT: "bigint",
    Type.DECIMAL: "numeric",
    Type.TEXT: "character varying",
    Type.BOOL: "boolean",
    Type.DATE: "date",
    Type.TIMESTAMP: "timestamp with time zone",
}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server for this module alone, removed afterwards."""
    with serving(tmp_path_factory.mktemp("postgres")) as address:
        yield address


def assert_equal(address: str, lab: Lab) -> None:
    """Every table equals what the sandbox serves now, child tables too."""
    account_id = lab.server.account_id
    for name in TABLES:
        endpoint = BY_NAME[name]
        records, rows = served(lab, endpoint, account_id), select(address, f"SELECT * FROM {name}")
        for row in rows:
            row.pop("brand_new", None)
        assert differences(endpoint, rows, records, account_id) == {}
        for child in endpoint.record.children:
            elements = select(address, f"SELECT * FROM {name}__{child.name}")
            assert child_differences(endpoint, child, rows, elements, records, account_id) == {}


@pytest.mark.rare
def test_a_sync_into_postgres(
    tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Types, comments and rows land; a second run merges edits, emptied arrays and removals."""
    for name, value in build_environment(address).items():
        monkeypatch.setenv(name, value)
    with Lab(tmp_path) as lab:
        lab.stop_timers()
        lab.rest()
        options = {"destination": "postgres", "database": None}
        report = lab.sync(*TABLES, **options)
        assert (report.status, report.run_log.warnings) == ("ok", [])
        assert_equal(address, lab)
        assert_described(address)

        lab.rest()
        entry, invoice = lab.server.rows("time_entries")[0], lab.server.rows("invoices")[0]
        lab.server.edit("time_entries", entry["id"], hours=1.234567891, notes="Edited: 100 % 'é'")
        lab.server.edit("invoices", invoice["id"], line_items=[])
        lab.server.create("invoice_payments", invoice_id=invoice["id"])
        lab.server.alter("time_entries", "set_field", name="brand_new", value="")
        lab.server.edit("roles", lab.server.rows("roles")[0]["id"], user_ids=[])
        assert lab.sync(*TABLES, **options).status == "ok"
        lab.server.clear_alterations()
        (row,) = select(address, "SELECT * FROM time_entries WHERE brand_new IS NOT NULL")
        assert (row["id"], row["brand_new"], row["project__code"]) == (entry["id"], "", "")
        assert_equal(address, lab)
        assert_described(address)
        with lab.working():
            target = build_target("postgres", None, "harvest", "harvest")
            forget_parent_keys(attach(target, lambda _: None))
        report = lab.sync(*TABLES, **options)
        assert report.status == "ok"
        assert report.tables["invoices"].rows < 5, "filled, not read"
        assert_equal(address, lab)
        assert_removes(address, lab, options)
        assert_taken_over(address, lab, options)


class Stopped(BaseException):
    """Stands for a killed process."""


def assert_removes(address: str, lab: Lab, options: dict[str, Any]) -> None:
    """A deleted invoice leaves with its payments, even if the first attempt stops half-way."""
    gone = lab.server.rows("invoice_payments")[0]["invoice_id"]
    below = [row["id"] for row in lab.server.rows("invoice_payments") if row["invoice_id"] == gone]
    lab.server.delete("invoices", gone, force=True)
    lab.rest()
    before = select(address, "SELECT COUNT(*) AS n FROM invoice_payments")
    whole = Psycopg2SqlClient.execute_query

    def strike(self: Any, query: Any, *given: Any, **more: Any) -> Any:
        if str(query).startswith('DELETE FROM "harvest"."invoices" '):
            raise Stopped
        return whole(self, query, *given, **more)

    with pytest.MonkeyPatch.context() as patch, suppress(Stopped):
        patch.setattr(Psycopg2SqlClient, "execute_query", strike)
        lab.sync(*TABLES, deletes=True, **options)
        pytest.fail("not stopped")
    assert select(address, "SELECT COUNT(*) AS n FROM invoice_payments") == before
    assert select(address, "SELECT * FROM deleted_records") == []
    lab.rest()
    report = lab.sync(*TABLES, **options)
    assert (report.status, report.tables["invoices"].deleted) == ("ok", 1)
    assert_equal(address, lab)
    kept = select(address, "SELECT * FROM deleted_records ORDER BY table_name DESC, id")
    assert [(row["table_name"], row["parent_id"], row["id"]) for row in kept] == [
        ("invoices", None, gone),
        *(("invoice_payments", gone, row) for row in sorted(below)),
    ]
    assert kept[0]["record"]["id"] == gone


def assert_taken_over(address: str, lab: Lab, options: dict[str, Any]) -> None:
    """Another pipeline is refused with the command to take over; then the former one is refused."""
    lab.rest()
    loads = select(address, "SELECT COUNT(*) AS n FROM _dlt_loads")
    with pytest.raises(ConfigError, match=r"belongs to pipeline harvest, .* --take-over"):
        lab.sync(*TABLES, pipeline="nightly", **options)
    assert select(address, "SELECT COUNT(*) AS n FROM _dlt_loads") == loads
    report = lab.sync(*TABLES, pipeline="nightly", take_over=True, **options)
    assert report.status == "ok"
    assert "was taken over by nightly" in report.run_log.warnings[0]
    assert_equal(address, lab)
    with pytest.raises(ConfigError, match="belongs to pipeline nightly"):
        lab.sync(*TABLES, **options)


def assert_described(address: str) -> None:
    """Every declared column has its type and its description as a comment."""
    found = select(
        address,
        "SELECT table_name, column_name, data_type, numeric_precision, numeric_scale, "
        "col_description(format('harvest.%I', table_name)::regclass, ordinal_position) AS comment "
        "FROM information_schema.columns WHERE table_schema = 'harvest'",
    )
    columns = {(row["table_name"], row["column_name"]): row for row in found}
    for name in TABLES:
        tables = {name: shown(BY_NAME[name])}
        for child in BY_NAME[name].record.children:
            tables[f"{name}__{child.name}"] = list(BY_NAME[name].child_columns(child))
        for table, declared in tables.items():
            for column in declared:
                row = columns[table, column.name]
                assert row["data_type"] == PG_TYPES[column.type]
                assert row["comment"].startswith(column.description)
                if column.type is Type.DECIMAL:
                    assert (row["numeric_precision"], row["numeric_scale"]) == (38, 9)
        comment = select(address, "SELECT obj_description(%s::regclass) AS text", name)
        assert comment[0]["text"].startswith("Harvest's ")
