"""Made-up accounts of which callers may see a part, and what that part is, computed by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import duckdb
from hypothesis import strategies as st

from harvest_source.ask.row_rules import Person

Row = Mapping[str, Any]
Tables = Mapping[str, Sequence[Row]]

COLUMNS: Final[Mapping[str, str]] = {
    "time_entries": (
        "account_id BIGINT, id BIGINT, spent_date DATE, user__id BIGINT, user__name TEXT, "
        "project__id BIGINT, project__name TEXT, client__id BIGINT, client__name TEXT, "
        "client__currency TEXT, task__id BIGINT, task__name TEXT, hours DECIMAL(38,9), "
        "rounded_hours DECIMAL(38,9), billable BOOLEAN, billable_rate DECIMAL(38,9), "
        "cost_rate DECIMAL(38,9), notes TEXT, brand_new TEXT, updated_at TIMESTAMPTZ"
    ),
    "users": (
        "account_id BIGINT, id BIGINT, first_name TEXT, last_name TEXT, email TEXT, "
        "is_active BOOLEAN, cost_rate DECIMAL(38,9), brand_new TEXT"
    ),
    "projects": "account_id BIGINT, id BIGINT, client__id BIGINT, name TEXT, code TEXT, fee INT",
    "clients": "account_id BIGINT, id BIGINT, name TEXT, is_active BOOLEAN, brand_new TEXT",
    "tasks": "account_id BIGINT, id BIGINT, name TEXT",
    "user_assignments": "account_id BIGINT, id BIGINT, user__id BIGINT, project__id BIGINT",
    "task_assignments": "account_id BIGINT, id BIGINT, task__id BIGINT, project__id BIGINT",
    "invoices": "account_id BIGINT, id BIGINT, amount DECIMAL(38,9)",
}
"""Tables as a warehouse has them; ``brand_new`` is a field that Harvest added."""

ACCOUNTS: Final = (1, 2)


@dataclass(frozen=True)
class World:
    """A warehouse's rows."""

    tables: Tables

    def write(self, path: Path) -> Path:
        """Make a DuckDB file of them."""
        with duckdb.connect(str(path)) as connection:
            connection.execute("CREATE SCHEMA harvest; CREATE SCHEMA main_views")
            for table, columns in COLUMNS.items():
                connection.execute(f"CREATE TABLE harvest.{table} ({columns})")
                for row in self.tables[table]:
                    names = ", ".join(row)
                    marks = ", ".join("?" for _ in row)
                    connection.execute(
                        f"INSERT INTO harvest.{table} ({names}) VALUES ({marks})",
                        list(row.values()),
                    )
            connection.execute("CREATE VIEW main.everything AS SELECT * FROM harvest.time_entries")
        return path


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Two accounts with the same ids in both, so that a mix-up shows."""
    ids = st.integers(1, 3)
    tables: dict[str, list[Row]] = {name: [] for name in COLUMNS}
    for account in ACCOUNTS:
        for number in range(1, 4):
            key = {"account_id": account, "id": number}
            tables["users"].append(
                key
                | {"first_name": f"First{number}", "last_name": f"Last{account}"}
                | {"email": f"u{number}@a{account}", "is_active": True, "cost_rate": 50 + number}
                | {"brand_new": "hidden"}
            )
            client = draw(ids)
            tables["projects"].append(
                key | {"client__id": client, "name": f"Project{number}", "code": "", "fee": 9}
            )
            tables["clients"].append(
                key | {"name": f"Client{number}", "is_active": True, "brand_new": "hidden"}
            )
            tables["tasks"].append(key | {"name": f"Task{number}"})
            tables["invoices"].append(key | {"amount": 100 * number})
        for number in range(draw(st.integers(0, 3))):
            key = {"account_id": account, "id": number}
            tables["user_assignments"].append(
                key | {"user__id": draw(ids), "project__id": draw(ids)}
            )
            tables["task_assignments"].append(
                key | {"task__id": draw(ids), "project__id": draw(ids)}
            )
        for number in range(draw(st.integers(0, 6))):
            tables["time_entries"].append(_draw_entry(draw, account, number))
    return World(tables)


def _draw_entry(draw: st.DrawFn, account: int, number: int) -> Row:
    user, project, task = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 3))
    changes = {
        "spent_date": f"2026-01-0{draw(st.integers(1, 9))}",
        "client__currency": draw(st.sampled_from(["EUR", "USD"])),
        "hours": draw(st.integers(0, 9)),
        "billable": draw(st.booleans()),
        "billable_rate": draw(st.sampled_from([None, 100])),
    }
    return {**_make_entry(account, number, user, project, task), **changes}


def _make_entry(account: int, number: int, user: int, project: int, task: int) -> Row:
    return {
        "account_id": account,
        "id": number,
        "spent_date": "2026-01-01",
        "user__id": user,
        "user__name": f"First{user} Last{account}",
        "project__id": project,
        "project__name": f"Project{project}",
        "client__id": project,
        "client__name": f"Client{project}",
        "client__currency": "EUR",
        "task__id": task,
        "task__name": f"Task{task}",
        "hours": 1,
        "rounded_hours": 2,
        "billable": True,
        "billable_rate": 100,
        "cost_rate": 50 + user,
        "notes": f"note {number} of {user}",
        "brand_new": "hidden",
        "updated_at": "2026-02-01 10:00:00+00",
    }


EXAMPLE: Final = World(
    dict.fromkeys(COLUMNS, ())
    | {
        "time_entries": [
            _make_entry(account, 10 * user + project, user, project, 1)
            for account in ACCOUNTS
            for user in (1, 2, 3)
            for project in (1, 2)
        ],
        "clients": [
            {"account_id": account, "id": 1, "name": "Client1", "is_active": True}
            | {"brand_new": "hidden"}
            for account in ACCOUNTS
        ],
    }
)
"""Each of three people has an entry in each of two projects, in both accounts."""


@dataclass(frozen=True)
class Viewer:
    """Who asks, in each account that they belong to: their id, and what they manage."""

    ids: Mapping[int, int]
    people: Mapping[int, frozenset[int]] = field(default_factory=dict)
    projects: Mapping[int, frozenset[int]] = field(default_factory=dict)


@st.composite
def viewers(draw: st.DrawFn) -> Viewer:
    """Of one account or of both; managers of some people and projects."""
    accounts = draw(st.sets(st.sampled_from(ACCOUNTS), min_size=1))
    some = st.frozensets(st.integers(1, 3), max_size=2)
    return Viewer(
        {account: draw(st.integers(1, 3)) for account in accounts},
        {account: draw(some) for account in accounts},
        {account: draw(some) for account in accounts},
    )


def filter_world(world: World, viewer: Viewer, kind: str) -> World:
    """
    A copy with the rows that *viewer* may see, by rules written down here once more.

    Args:
        kind: ``own`` or ``managed``.
    """

    def people(account: int) -> set[int]:
        own = {viewer.ids[account]}
        return own | viewer.people[account] if kind == "managed" else own

    def managed(account: int) -> frozenset[int]:
        return viewer.projects[account] if kind == "managed" else frozenset()

    def keep(rows: Iterable[Row], judge: Callable[[Row], bool]) -> list[Row]:
        return [row for row in rows if row["account_id"] in viewer.ids and judge(row)]

    def is_theirs(row: Row) -> bool:
        account = row["account_id"]
        return row["user__id"] in people(account) or row["project__id"] in managed(account)

    tables = world.tables
    projects = {(account, each) for account in viewer.ids for each in managed(account)}
    for table in ("user_assignments", "time_entries"):
        projects |= {
            (row["account_id"], row["project__id"])
            for row in keep(tables[table], lambda row: row["user__id"] in people(row["account_id"]))
        }

    def is_of_project(row: Row, column: str) -> bool:
        return (row["account_id"], row[column]) in projects

    shown = {
        "time_entries": keep(tables["time_entries"], is_theirs),
        "user_assignments": keep(tables["user_assignments"], is_theirs),
        "users": keep(tables["users"], lambda row: row["id"] in people(row["account_id"])),
        "projects": keep(tables["projects"], lambda row: is_of_project(row, "id")),
        "task_assignments": keep(
            tables["task_assignments"], lambda row: is_of_project(row, "project__id")
        ),
        "invoices": [],
    }
    clients = {(row["account_id"], row["client__id"]) for row in shown["projects"]}
    tasks = {(row["account_id"], row["task__id"]) for row in shown["task_assignments"]}
    shown["clients"] = keep(
        tables["clients"], lambda row: (row["account_id"], row["id"]) in clients
    )
    shown["tasks"] = keep(tables["tasks"], lambda row: (row["account_id"], row["id"]) in tasks)
    return World(shown)


def refuse_to_ask(profile: str, is_managing: bool) -> tuple[Person, ...]:
    """Where no scope depends on a person."""
    raise AssertionError(profile)
