"""The figures of the pages in PostgreSQL: the same statements give the same rows as in DuckDB."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import dlt
import psycopg2
import pytest

from harvest_source.ask.models import find_schema
from harvest_source.errors import ConfigError
from harvest_source.pages import figures
from harvest_source.pages.filters import Filters, read_choices
from harvest_source.pages.marts import NAMES, Marts, open_marts
from harvest_source.warehouse.target import build_target
from tests.support.marts import MadeMarts
from tests.support.postgres import build_environment, serving

EVERYTHING = Filters(
    date(2026, 1, 1),
    date(2026, 12, 31),
    accounts=(7,),
    clients=((7, 1), (7, 2)),
    people=((7, 11), (7, 12)),
    currency="EUR",
)
FIGURES = (
    *("read_hours", "read_capacity", "read_utilization", "read_weekly_capacity", "read_budgets"),
    *("read_burn", "read_uninvoiced", "read_ageing", "read_margins", "read_missing"),
    *("read_missing_days", "read_findings"),
)


@pytest.fixture
def made(tmp_path: Path) -> MadeMarts:
    """One or two rows in every mart that is read."""
    made = MadeMarts(tmp_path / "warehouse.duckdb")
    money = {"client_id": 1, "client_name": "Alder", "currency": "EUR", "is_archived": False}
    person = {"user_id": 11, "person_name": "Ada"}
    day = date(2026, 11, 2)
    made.add("clients", {"client_id": 1, "client_name": "Alder", "currency": "EUR"})
    made.add("people", {**person, "weekly_capacity_hours": 40})
    hours = {"client_id": 1, "currency": "EUR", "hours": "6.25", "billable_hours": "0.1"}
    made.add("hours_daily", {**person, **hours, "spent_date": day, "project_id": 5})
    for mart, period in (
        *(("utilization_daily", "day"), ("utilization_weekly", "week_start")),
        ("utilization_monthly", "month"),
    ):
        made.add(mart, {**person, period: day, "worked_hours": "6.25", "available_hours": 8})
    budget = {"project_id": 5, "project_name": "P", "unit": "hours", "budget_is_monthly": False}
    made.add("budgets", {**money, **budget, "budget": 10, "spent_share_of_budget": "0.625"})
    made.add(
        "budget_months",
        {"project_id": 5, "client_id": 1, "currency": "EUR", "month": date(2026, 11, 1)},
        spent_share_of_budget="0.625",
        budget_is_monthly=False,
    )
    made.add("uninvoiced", {**money, "is_fixed_fee": True, "uninvoiced_fee": "-1.5"})
    made.add("uninvoiced", {**money, "is_fixed_fee": False, "uninvoiced_time": "2.5"})
    made.add(
        "receivables_ageing",
        {"client_id": 1, "client_name": "Alder", "currency": "EUR", "bucket": ">90"},
        bucket_order=4,
        invoices=2,
        due_amount="9.99",
    )
    margin = {"client_id": 1, "client_name": "Alder", "currency": "EUR", "month": date(2026, 11, 1)}
    made.add("profitability_monthly", margin, hours=3, revenue="10.5", margin="4.25")
    made.add("missing_time", {**person, "day": day, "capacity_hours": 8, "is_archived": False})
    made.add("data_quality", {"finding": "missing_fee", "table_name": "projects", "record_id": 5})
    made.add("sync_health", {"sync_run_id": "a", "started_at": "2026-11-29 10:00:00"})
    return made


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A server for this test alone."""
    with serving(tmp_path / "postgres") as address:
        yield address


@pytest.mark.rare
def test_postgres_gives_the_same_figures(made: MadeMarts, address: str) -> None:
    """Every figure with every filter, the choices, and both forms of each period agree."""
    target = build_target("postgres", None, "harvest", "p")
    with closing(psycopg2.connect(address)) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        for statement, values in made.statements:
            cursor.execute(statement.replace("?", "%s"), values or None)

        def fetch(text: str, parameters: Any) -> list[tuple[Any, ...]]:
            cursor.execute(text, list(parameters) or None)
            return list(cursor.fetchall())

        schemas = ("harvest", find_schema("harvest"))
        names = frozenset(f"{schema}.{name}" for schema, name in fetch(NAMES, schemas))
        theirs = read_all(Marts(target, names, fetch))
    with open_marts(build_target("duckdb", made.path, "harvest", "p")) as marts:
        ours = read_all(marts)
    assert theirs == ours
    assert all(ours.values())


@pytest.mark.rare
@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE harvest_models.harvest__budgets DROP COLUMN weekly_use",
        "ALTER TABLE harvest_models.harvest__missing_time ALTER COLUMN day TYPE TEXT",
    ],
)
def test_models_of_another_version_in_postgres_are_said(
    made: MadeMarts, address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, change: str
) -> None:
    """The message names the command that builds them again, as it does for DuckDB."""
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt"))
    for name, value in build_environment(address).items():
        monkeypatch.setenv(name, value)
    with closing(psycopg2.connect(address)) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        for statement, values in made.statements:
            cursor.execute(statement.replace("?", "%s"), values or None)
        cursor.execute(change)
    loaded = dlt.pipeline("p", destination="postgres", dataset_name="harvest")
    loaded.run([{"id": 1}], table_name="loaded")
    target = build_target("postgres", None, "harvest", "p")
    says = "another version .* harvest-source transform --destination postgres"
    with open_marts(target) as marts, pytest.raises(ConfigError, match=says):
        read_all(marts)


def read_all(marts: Marts) -> dict[str, Any]:
    found: dict[str, Any] = {name: getattr(figures, name)(marts, EVERYTHING) for name in FIGURES}
    found["months"] = figures.read_utilization(marts, EVERYTHING, by_month=True)
    found["weeks of the mix"] = figures.read_mix(marts, EVERYTHING, by_week=True)
    found["mix"] = figures.read_mix(marts, EVERYTHING, by_week=False)
    found["choices"] = read_choices(marts)
    found["models"] = sorted(figures.read_models_syncs(marts))
    return found
