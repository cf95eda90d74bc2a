"""Tables that people change by hand: a table that cannot be loaded blocks no other."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from harvest_source.sandbox.serve.requests import Request
from tests.support import postgres
from tests.support.four_tables import TABLES, assert_whole, change
from tests.support.lab import Lab
from tests.support.labs import OpenLab
from tests.support.truth import assert_equal

OTHERS = ("time_entries", "invoices", "roles")
SMALL = ("contacts", "expense_categories", "task_assignments", "tasks", "users")


@pytest.fixture
def lab(open_lab: OpenLab) -> Lab:
    """A lab with loaded tables and something new in Harvest."""
    lab = open_lab.loaded(*TABLES, invoices=15)
    change(lab)
    return lab


def refuse(lab: Lab) -> str:
    """Run twice; only clients fails, each time with the same message, which is returned."""
    messages = []
    for _ in range(2):
        report = lab.sync(*TABLES)
        assert (report.status, report.exit_code, report.errors) == ("partial", 6, ())
        [failure] = report.run_log.failures
        assert failure.table == "clients"
        messages.append(str(failure.error))
        for table in OTHERS:
            assert_equal(lab, table)
        lab.rest()
        lab.server.create("invoices")
        lab.rest()
    assert messages[0] == messages[1]
    return messages[0]


@pytest.mark.rare
def test_a_users_column_of_another_type_fails_only_its_table(lab: Lab) -> None:
    """A new Harvest field meets a column of that name that a person added."""
    lab.alter("ALTER TABLE clients ADD COLUMN brand_new INTEGER")
    lab.server.alter("clients", "set_field", name="brand_new", value="text")
    message = refuse(lab)
    assert "The type of column brand_new does not match" in message
    statement = message.partition("makes the column again: ")[2]
    lab.alter(statement.replace("harvest.", ""))
    assert lab.sync(*TABLES).status == "ok"
    assert lab.ids("clients") == sorted(row["id"] for row in lab.server.rows("clients"))
    assert "text" in {row["brand_new"] for row in lab.table("clients")}


@pytest.mark.rare
def test_a_view_in_place_of_a_table_fails_only_that_table(lab: Lab) -> None:
    """The message cannot give exact advice, but it names the table and says what to undo."""
    lab.alter("ALTER TABLE clients RENAME TO kept; CREATE VIEW clients AS SELECT * FROM kept")
    message = refuse(lab)
    assert "refused clients" in message
    assert "undo that" in message


@pytest.mark.rare
def test_a_refused_table_loses_no_row_in_a_full_refresh(lab: Lab) -> None:
    """Rows read of the refused table did not land, so none that they lack are removed."""
    lab.alter("ALTER TABLE clients ALTER name TYPE INTEGER USING 1")
    before = lab.ids("clients")
    report = lab.sync(*TABLES, full_refresh=True)
    assert [each.table for each in report.run_log.failures] == ["clients"]
    assert lab.ids("clients") == before
    # The other tables were read a second time, and are counted once.
    counted = {table: count.rows for table, count in report.tables.items()}
    assert counted == {"clients": 0} | {table: lab.server.count(table) for table in OTHERS}


@pytest.mark.rare
@pytest.mark.parametrize("fault", ["not_found", "forbidden"])
def test_tables_that_fail_after_another_was_refused_lose_no_row(
    open_lab: OpenLab, fault: str
) -> None:
    """The tables' first, whole read was discarded with the refused table, so nothing leaves."""
    lab = open_lab.loaded("clients", *SMALL)
    lab.alter("ALTER TABLE clients ALTER name TYPE INTEGER USING 1")
    before = {table: lab.ids(table) for table in SMALL}
    asked: Counter[str | None] = Counter()

    def fail(request: Request) -> None:
        asked[request.table] += 1
        if request.table in SMALL and asked[request.table] == 2:
            lab.server.fault(fault, table=request.table)

    lab.server.before_request(fail)
    report = lab.sync("clients", *SMALL, full_refresh=True)
    assert report.status != "ok"
    assert {table: lab.ids(table) for table in SMALL} == before


@pytest.mark.rare
def test_a_unique_index_works_or_is_named_in_the_error(lab: Lab) -> None:
    """A merge deletes and reinserts each key; DuckDB before 2.0 refuses that with this index."""
    lab.alter("CREATE UNIQUE INDEX mine ON clients (account_id, id)")
    report = lab.sync(*TABLES)
    if report.status != "ok":
        [failure] = report.run_log.failures
        assert "DROP INDEX harvest.mine;" in str(failure.error)
        lab.alter("DROP INDEX mine")
    assert_whole(lab)


def share_a_name(lab: Lab) -> None:
    """Give two clients one name, which Harvest does not forbid."""
    first, second = lab.server.rows("clients")[:2]
    lab.server.edit("clients", first["id"], name=second["name"])
    lab.rest()


@pytest.mark.rare
def test_a_unique_index_that_harvest_violates_is_named_with_a_remedy(lab: Lab) -> None:
    """The message has the statement that drops it; other tables go on, then this one does."""
    lab.alter("CREATE UNIQUE INDEX mine ON clients (name)")
    share_a_name(lab)
    message = refuse(lab)
    assert "refused clients" in message
    lab.alter(message.partition("one transaction. Drop it: ")[2].replace("harvest.", ""))
    assert lab.sync(*TABLES).status == "ok"
    assert_whole(lab)


@pytest.mark.rare
def test_a_unique_index_in_postgres(
    open_lab: OpenLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL names it too, and an index on the key itself is no obstacle there."""
    lab = open_lab(invoices=15)
    with postgres.serving(tmp_path) as address:
        for name, value in postgres.build_environment(address).items():
            monkeypatch.setenv(name, value)
        place: dict[str, Any] = {"destination": "postgres", "database": None}
        lab.stop_timers()
        lab.rest()
        assert lab.sync(*TABLES, **place).status == "ok"
        postgres.alter(address, "CREATE UNIQUE INDEX harmless ON clients (account_id, id)")
        change(lab)
        assert lab.sync(*TABLES, **place).status == "ok"
        postgres.alter(address, "CREATE UNIQUE INDEX mine ON clients (name)")
        share_a_name(lab)
        change(lab)
        report = lab.sync(*TABLES, **place)
        assert (report.status, report.exit_code, report.errors) == ("partial", 6, ())
        [failure] = report.run_log.failures
        assert failure.table == "clients"
        statement = str(failure.error).partition("Drop it: ")[2].partition(";")[0]
        assert statement == "DROP INDEX harvest.mine"
        for table in OTHERS:
            found = postgres.select(address, f"SELECT id FROM {table}")
            assert len(found) == len(lab.server.rows(table))
        postgres.alter(address, statement)
        assert lab.sync(*TABLES, **place).status == "ok"
        names = {row["name"] for row in postgres.select(address, "SELECT name FROM clients")}
        assert names == {row["name"] for row in lab.server.rows("clients")}
