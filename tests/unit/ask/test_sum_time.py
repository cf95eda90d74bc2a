"""Sums of time, from the model of time entries where it can replace the table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from harvest_source.ask.exchange import Reply, Request
from harvest_source.ask.filters import parse_filter
from harvest_source.ask.statement_guard import StatementRefused
from harvest_source.ask.sum_time import SumTime
from harvest_source.ask.worker import run
from tests.support.questions import MODELS_OF_ENTRIES, SCHEMAS, make_warehouse

TABLE = ("harvest.time_entries", "harvest.clients")
"""Clients have the currencies."""
MODEL = ("harvest_models.harvest__time_entries",)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The small warehouse, with neither a recorded sync nor the model."""
    with duckdb.connect(str(make_warehouse(tmp_path / "warehouse.duckdb"))) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


def ask(connection: Any, *by: str, where: tuple[str, ...] = (), **fields: Any) -> Reply:
    """Sum time like the worker."""
    question = SumTime(by, where=tuple(parse_filter(each) for each in where), **fields)
    value = {"kind": "SumTime", **asdict(question)}
    return run(connection, Request("", "harvest", SCHEMAS, question=value))


def records(reply: Reply) -> list[dict[str, Any]]:
    """The rows of an answer, by the names of their columns."""
    names = [name for name, _ in reply.columns]
    return [dict(zip(names, row, strict=True)) for row in reply.rows]


def build_models(connection: Any) -> None:
    """Build the models that ``transform`` leaves."""
    for statement in MODELS_OF_ENTRIES:
        connection.execute(statement)


@pytest.mark.parametrize("by", [(), ("person",), ("client", "month"), ("task", "project", "week")])
def test_table_and_model_give_the_same(connection: duckdb.DuckDBPyConnection, by: Any) -> None:
    """Table and model give the same columns and rows; the answer says which was read."""
    of_table = ask(connection, *by, where=("user__name=Bo", "billable=true"), start="2026-01-05")
    build_models(connection)
    of_model = ask(connection, *by, where=("user__name=Bo", "billable=true"), start="2026-01-05")
    assert (of_table.tables, of_model.tables) == (TABLE, MODEL)
    assert of_table.rows
    assert of_table.rows == of_model.rows
    names_of_table, names_of_model = (
        [name for name, _ in each.columns] for each in (of_table, of_model)
    )
    assert names_of_table == names_of_model


@pytest.mark.parametrize(
    "column", ["account_id", "client_name", "currency", "is_billable", "rounded_hours", "user_id"]
)
def test_a_model_of_another_version_is_not_read(
    connection: duckdb.DuckDBPyConnection, column: str
) -> None:
    """Without its currency, for example, the amounts of two currencies would be one sum."""
    expected = ask(connection, "client", "person")
    build_models(connection)
    model = "harvest_models.harvest__time_entries"
    connection.execute(f"CREATE OR REPLACE TABLE {model} AS SELECT * EXCLUDE {column} FROM {model}")
    found = ask(connection, "client", "person")
    assert (found.tables, found.columns, found.rows) == (TABLE, expected.columns, expected.rows)


def test_hours_stand_in_for_missing_rounded_ones(connection: duckdb.DuckDBPyConnection) -> None:
    """An entry without rounded hours counts with its hours, and its amount too, as in the model."""
    connection.execute("UPDATE harvest.time_entries SET hours = 1.5, rounded_hours = 1.5")
    whole = ask(connection, "person")
    connection.execute("UPDATE harvest.time_entries SET rounded_hours = NULL")
    assert ask(connection, "person").rows == whole.rows
    connection.execute("UPDATE harvest.time_entries SET hours = NULL")
    names = [name for name, _ in whole.columns]
    sums = [dict(zip(names, row, strict=True)) for row in ask(connection, "person").rows]
    assert {(each["hours"], each["rounded_hours"]) for each in sums} == {("0", "0")}


@pytest.mark.parametrize(
    "change",
    [
        "INSERT INTO harvest.sync_runs SELECT now(), now(), 'ok', 1, '{}', '[]', '1769940000.5'",
        "DELETE FROM harvest.time_entries WHERE id = 3",
        "DROP TABLE harvest_models.harvest__sync_health",
        "DROP TABLE harvest.sync_runs",
        "DELETE FROM harvest_models.harvest__sync_health",
        "UPDATE harvest.time_entries SET hours = 9, _dlt_load_id = '1769940001.25' WHERE id = 3",
        "UPDATE harvest.time_entries SET _dlt_load_id = '10769940000.5' WHERE id = 3",
        "UPDATE harvest.time_entries SET _dlt_load_id = 'by hand' WHERE id = 3",
        "ALTER TABLE harvest.sync_runs DROP COLUMN _dlt_load_id",
        "ALTER TABLE harvest.time_entries DROP COLUMN _dlt_load_id",
    ],
)
def test_a_model_that_may_be_older_is_not_read(
    connection: duckdb.DuckDBPyConnection, change: str
) -> None:
    """After a sync, a removal or a load without a sync, or at an unknown age, the table answers."""
    build_models(connection)
    connection.execute(change)
    assert ask(connection, "person").tables == TABLE


@pytest.mark.parametrize(
    "change",
    [
        "INSERT INTO harvest.sync_runs SELECT now(), now(), 'ok', 1, '{}', '[]', '1769940000.7'",
        "UPDATE harvest.time_entries SET _dlt_load_id = '1769940001.25' WHERE id = 3",
    ],
)
def test_a_sync_while_the_clock_was_ahead_hides_no_later_one(
    connection: duckdb.DuckDBPyConnection, change: str
) -> None:
    """It remains the sync with the latest time, and its load the one with the highest id."""
    build_models(connection)
    connection.execute(
        "INSERT INTO harvest.sync_runs SELECT TIMESTAMPTZ '2226-02-01 10:00:00+00', "
        "TIMESTAMPTZ '2226-02-01 10:01:00+00', 'ok', 5, '{}', '[]', '8081244000.5'; "
        "INSERT INTO harvest_models.harvest__sync_health VALUES ('2226-02-01 10:00:00')"
    )
    assert ask(connection, "person").tables == MODEL
    connection.execute(change)
    assert ask(connection, "person").tables == TABLE


def test_filters_may_use_names_of_the_table_or_the_model(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    """Agents see both names; a filter that the model lacks is applied to the table."""
    assert ask(connection, where=("person_name=Ann",)).tables == TABLE
    build_models(connection)
    expected = ask(connection, where=("user__name=Ann",)).rows
    for where in ("person_name=Ann", "USER__NAME=Ann"):
        found = ask(connection, where=(where,))
        assert (found.tables, found.rows) == (MODEL, expected)
    assert ask(connection, where=("is_fixed_fee=false",)).tables == MODEL
    assert ask(connection, where=("external=null",)).tables == TABLE
    with pytest.raises(StatementRefused, match="no column"):
        ask(connection, where=("nothing=1",))


CURRENT = (
    "CREATE TABLE harvest.projects AS SELECT 1000001 AS account_id, 1 AS id, 'Renamed' AS name, "
    "2 AS client__id, 'Old' AS client__name, 'CHF' AS client__currency",
    # A record that is stored twice, as by hand, counts entries once.
    "INSERT INTO harvest.projects FROM harvest.projects",
    "CREATE TABLE harvest.users AS SELECT 1000001 AS account_id, 1 AS id, 'Bea' AS first_name, "
    "'Lee' AS last_name",
    "CREATE TABLE harvest.tasks AS SELECT 1000001 AS account_id, 2 AS id, 'Design' AS name",
    "CREATE TABLE harvest.company AS SELECT 1000001 AS account_id, 'Sunday' AS week_start_day",
    "UPDATE harvest.clients SET name = 'Moved to' WHERE id = 2",
)
"""Project 1 has moved from every client to client 2; names have changed, entries have not."""


def test_entries_count_for_what_their_project_is_now(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    """All time of a project is its present client's, in that currency, under present names."""
    entries = "SELECT SUM(hours) FROM harvest.time_entries"
    for statement in CURRENT:
        connection.execute(statement)
    ((expected,),) = connection.execute(
        f"{entries} WHERE project__id = 1 OR client__id = 2"
    ).fetchall()
    ((whole,),) = connection.execute(entries).fetchall()
    found = records(ask(connection, "client"))
    moved = {(each["client_id"], each["currency"]): each for each in found}
    assert Decimal(moved[2, "EUR"]["hours"]) == expected
    assert moved[2, "EUR"]["client_name"] == "Moved to"
    assert sum(Decimal(each["hours"]) for each in found) == whole
    (only,) = records(ask(connection, where=("client__name=Moved to",)))
    assert (Decimal(only["hours"]), only["currency"]) == (expected, "EUR")
    (left,) = records(ask(connection, where=("client__id=1",)))
    assert connection.execute(f"{entries} WHERE project__id = 0 AND client__id = 1").fetchall() == [
        (Decimal(left["hours"]),)
    ]
    for by, name in (("project", "Renamed"), ("person", "Bea Lee"), ("task", "Design")):
        answer = ask(connection, by)
        assert name in {each[f"{by}_name"] for each in records(answer)}
        table = {"project": "projects", "person": "users", "task": "tasks"}[by]
        assert f"harvest.{table}" in answer.tables


@pytest.mark.parametrize("has_model", [False, True])
def test_weeks_begin_on_the_accounts_first_weekday(
    connection: duckdb.DuckDBPyConnection, has_model: bool
) -> None:
    """Weeks are those of the models of utilization; of an unknown company they begin on Monday."""
    if has_model:
        build_models(connection)
    begins = {date.fromisoformat(each["week"]) for each in records(ask(connection, "week"))}
    assert {each.isoweekday() for each in begins} == {1}
    connection.execute(CURRENT[-2])
    answer = ask(connection, "week")
    begins = {date.fromisoformat(each["week"]) for each in records(answer)}
    assert {each.isoweekday() for each in begins} == {7}
    assert min(begins) == date(2025, 12, 28)
    assert answer.tables == (
        (*MODEL, "harvest.company") if has_model else (*TABLE, "harvest.company")
    )


@pytest.mark.parametrize("has_model", [False, True])
def test_time_that_is_not_billable_earns_nothing(
    connection: duckdb.DuckDBPyConnection, has_model: bool
) -> None:
    """The amount is 0 without billable time, and unknown only without any known rate."""
    connection.execute("UPDATE harvest.time_entries SET billable = false WHERE user__id = 1")
    connection.execute("UPDATE harvest.time_entries SET billable_rate = NULL WHERE user__id = 2")
    if has_model:
        build_models(connection)
    found = [
        (each["person_id"], each["amount"], each["without_rate"] > 0)
        for each in records(ask(connection, "person"))
        if each["person_id"]
    ]
    assert {(key, known and Decimal(known), lacks) for key, known, lacks in found} == {
        (1, Decimal(0), False),
        (2, None, True),
    }


@pytest.mark.parametrize("has_model", [False, True])
@pytest.mark.parametrize(("by", "key"), [("client", 4), ("project", 1), ("person", 2), ("task", 3)])
def test_two_accounts_may_use_the_same_ids(
    connection: duckdb.DuckDBPyConnection, by: str, key: int, has_model: bool
) -> None:
    """Records of two accounts that have the same id are summed separately."""
    connection.execute(
        "INSERT INTO harvest.time_entries SELECT * REPLACE (1000002 AS account_id, 2 * hours AS "
        "hours) FROM harvest.time_entries"
    )
    if has_model:
        build_models(connection)
    found = ask(connection, by)
    names = [name for name, _ in found.columns]
    rows = [dict(zip(names, row, strict=True)) for row in found.rows if key in row]
    hours = {
        account: sum(float(row["hours"]) for row in rows if row["account_id"] == account)
        for account in (1000001, 1000002)
    }
    assert hours[1000002] == 2 * hours[1000001] > 0
    assert ask(connection, "week").columns[0][0] == "week"


@pytest.mark.parametrize("has_model", [False, True])
def test_amounts_of_entries_may_be_large(
    connection: duckdb.DuckDBPyConnection, has_model: bool
) -> None:
    """In currencies with small units an entry is worth millions; no digit is lost."""
    rate = "1234567890.12"
    connection.execute(f"UPDATE harvest.time_entries SET billable_rate = {rate}, billable = true")
    if has_model:
        build_models(connection)
    found = ask(connection, where=("id=7",))
    names = [name for name, _ in found.columns]
    (row,) = (dict(zip(names, each, strict=True)) for each in found.rows)
    assert Decimal(row["amount"]) == Decimal("7.5") * Decimal(rate)
