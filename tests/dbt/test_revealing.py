"""What the models reveal about rates, on models that dbt built: ``pytest -m dbt``."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from harvest_source import ask
from harvest_source.ask.reach import Reach
from harvest_source.ask.revealing import COMPUTED
from harvest_source.ask.row_rules import RULES, Person
from harvest_source.ask.scopes import parse_scope
from tests.support.in_process import RunnerHere
from tests.support.models_lab import MODELS

if TYPE_CHECKING:
    from tests.support.models_lab import Built
else:
    Built = Any

pytestmark = [pytest.mark.dbt, pytest.mark.xdist_group("dbt")]

CHANGES = {
    "time_entries.cost_rate": (
        "UPDATE harvest.time_entries SET cost_rate = cost_rate * 3 + 1;"
        "UPDATE harvest.cost_rates SET amount = amount * 3 + 1;"
        "UPDATE harvest.users SET cost_rate = cost_rate * 3 + 1"
    ),
    "time_entries.billable_rate": (
        "UPDATE harvest.time_entries SET billable_rate = billable_rate * 3 + 1"
    ),
}
SHOWN = {
    "harvest__time_entries": {"account_id", "time_entry_id", "user_id", "hours"},
    "harvest__hours_daily": {"account_id", "user_id", "hours"},
    "harvest__utilization_monthly": {"user_id", "month", "worked_hours"},
    "harvest__people": {"user_id", "person_name"},
}
FLAGS = {"is_over", "runs_out_on"}
"""Reveal little about a rate, and may not change with it; they are hidden like the rate itself."""


def rebuild(built: Built, place: Path, change: str) -> Path:
    """Build the models of a warehouse after *change*."""
    copy = place / "changed.duckdb"
    shutil.copy(built.lab.database, copy)
    with duckdb.connect(str(copy)) as connection:
        connection.execute(change)
    command = ["transform", "--json", "--database", str(copy)]
    done = built.lab.run(built.python, *command, "--vars", json.dumps(built.lab.days_off))
    assert done.returncode == 0, done.stderr
    return copy


def read_columns(path: Path, user: int | None = None) -> Mapping[str, Any]:
    """
    The values of each column of each model, in the order of the values.

    Args:
        user: Read this person's rows, in the models that have rows of people.
    """
    found = {}
    where = "TRUE" if user is None else f"user_id = {user}"
    with duckdb.connect(str(path), read_only=True) as connection:
        for model, column in connection.execute(
            "SELECT table_name, column_name FROM duckdb_columns() WHERE schema_name = ?", [MODELS]
        ).fetchall():
            is_wanted = model.startswith(("harvest__", "stg_harvest__"))
            if is_wanted if user is None else model in RULES:
                found[f"{model}.{column}"] = connection.execute(
                    f'SELECT "{column}", COUNT(*) FROM {MODELS}.{model} WHERE {where} '
                    "GROUP BY ALL ORDER BY ALL"
                ).fetchall()
    return found


@pytest.mark.parametrize("base", COMPUTED)
def test_computed_names_every_column_that_changes_with_a_rate(
    built: Built, tmp_path: Path, base: str
) -> None:
    """COMPUTED names every model column that changes with a rate; a new one has to be added."""
    before = read_columns(built.lab.database)
    after = read_columns(rebuild(built, tmp_path, CHANGES[base]))
    moved = {name for name, values in before.items() if after[name] != values}
    written = {f"{model}.{name}" for model, names in COMPUTED[base].items() for name in names}
    still = {each for each in written & {*before} - moved if "report_" not in each}
    assert moved <= written
    assert {each for each in still if each.partition(".")[2] not in FLAGS} <= {
        "stg_harvest__users_history.cost_rate"
    }


def test_models_of_one_persons_rows_equal_that_persons_part_of_the_whole(
    built: Built, tmp_path: Path
) -> None:
    """Models built from one person's rows alone show that person what the whole models show."""
    with duckdb.connect(str(built.lab.database), read_only=True) as connection:
        user, last = connection.execute(
            "SELECT user__id, MAX(spent_date) FROM harvest.time_entries GROUP BY 1 "
            "ORDER BY 2 DESC, COUNT(*) DESC LIMIT 1"
        ).fetchall()[0]
    assert last
    change = "; ".join(
        f"DELETE FROM harvest.{table} WHERE {column} <> {user}"
        for table, column in (("time_entries", "user__id"), ("expenses", "user__id"))
    )
    alone = read_columns(rebuild(built, tmp_path, change), user=user)
    whole = read_columns(built.lab.database, user=user)
    assert alone == whole


def test_scopes_show_a_part_of_models_that_dbt_built(built: Built) -> None:
    """A scope shows a person's rows of tables, and only the listed columns of a view on a table."""
    database = built.lab.database
    listed = [f"{model}.{name}" for model, names in SHOWN.items() for name in names]
    with duckdb.connect(str(database), read_only=True) as connection:
        account, user = connection.execute(
            "SELECT account_id, user__id FROM harvest.time_entries LIMIT 1"
        ).fetchall()[0]
        counts = {
            model: connection.execute(
                f"SELECT COUNT(*) FROM {MODELS}.{model} WHERE user_id = {user}"
            ).fetchall()[0][0]
            for model in SHOWN
        }
    scope = parse_scope("mine", {"rows": "own", "columns": listed, "sql": True})
    mine = RunnerHere(database, reach=Reach(scope, (Person(account, user),)))
    for model, names in SHOWN.items():
        found = ask.query(f"SELECT *, COUNT(*) OVER () FROM {model}", warehouse=mine)
        assert {*found.columns[:-1]} == names
        assert {row[found.columns.index("user_id")] for row in found.rows} == {user}
        assert found.rows[0][-1] == counts[model]
    of_view = {"columns": ["stg_harvest__clients.client_id"], "sql": True}
    some = RunnerHere(database, reach=Reach(parse_scope("some", of_view)))
    clients = ask.query("SELECT * FROM stg_harvest__clients", warehouse=some)
    assert clients.columns == ("client_id",)
    assert len(clients.rows) == len(built.lab.server.rows("clients"))
