"""Made-up accounts of which callers may see a part, and that part, computed independently."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import duckdb
from hypothesis import strategies as st

from harvest_source.ask.row_rules import Person
from tests.support.marts import SCHEMA as MODELS
from tests.support.marts import read_contracts

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
"""Tables as a warehouse has them."""

ADDED: Final = "brand_new"
"""A field that Harvest added after our columns were declared."""

ACCOUNTS: Final = (1, 2)

MARTS: Final = (
    "harvest__time_entries",
    "harvest__hours_daily",
    "harvest__people",
    "harvest__utilization_daily",
    "harvest__missing_time",
)
"""Models that have people's rows. Here they are tables of the same shape, filled by hand."""

OWN: Final = {
    "sync_runs": (
        "started_at TIMESTAMPTZ, ended_at TIMESTAMPTZ, status TEXT, requests BIGINT, tables JSON, "
        "errors JSON, account_ids TEXT"
    ),
    "deleted_records": "account_id BIGINT, table_name TEXT, id BIGINT, record JSON",
}
"""Our own tables, which no limited scope shows."""

SYNCED_AT: Final = "2026-02-02 10:00:00+00"
_SYNC: Final = (
    f"INSERT INTO harvest.sync_runs VALUES ('{SYNCED_AT}', '{SYNCED_AT}', 'ok', 9, "
    """'{"time_entries": {"accounts": {"1": {"rows": 7777}, "2": {}}}}', """
    """'[{"account_id": 2, "table": "of account 2"}]', '1,2')"""
)
_DELETED: Final = "INSERT INTO harvest.deleted_records VALUES (1, 'clients', 9, '{\"name\": 0}')"


def find_columns(table: str) -> Mapping[str, str]:
    """Name and type of each column of a table or mart."""
    if table in MARTS:
        return read_contracts()[table]
    declared = COLUMNS[table].split(", ")
    return dict(each.split(" ", 1) for each in declared)


@dataclass(frozen=True)
class World:
    """A warehouse's rows, by table and mart."""

    tables: Tables

    def write(self, path: Path) -> Path:
        """Make a DuckDB file with these rows, our own tables, and a view that a user made."""
        with duckdb.connect(str(path)) as connection:
            self._fill(connection, {table: find_columns(table) for table in (*COLUMNS, *MARTS)})
            for name, columns in OWN.items():
                connection.execute(f"CREATE TABLE harvest.{name} ({columns})")
            connection.execute(f"{_SYNC}; {_DELETED}")
            # The model is as new as the table, so callers with all rows are answered from it.
            connection.execute(
                f"CREATE TABLE {MODELS}.harvest__sync_health AS "
                f"SELECT TIMESTAMPTZ '{SYNCED_AT}' AS started_at"
            )
            connection.execute("CREATE VIEW main.everything AS SELECT * FROM harvest.time_entries")
        return path

    def write_part(self, path: Path, shown: Mapping[str, Sequence[str]]) -> Path:
        """Make a DuckDB file that has only the columns *shown*, by table."""
        with duckdb.connect(str(path)) as connection:
            part = {
                table: {name: kind for name, kind in find_columns(table).items() if name in names}
                for table, names in shown.items()
            }
            self._fill(connection, part)
        return path

    def _fill(self, connection: Any, tables: Mapping[str, Mapping[str, str]]) -> None:
        connection.execute(f"CREATE SCHEMA harvest; CREATE SCHEMA {MODELS}")
        for table, columns in tables.items():
            place = f"{MODELS if table in MARTS else 'harvest'}.{table}"
            listed = ", ".join(f"{name} {kind}" for name, kind in columns.items())
            connection.execute(f"CREATE TABLE {place} ({listed})")
            rows = [[row.get(name) for name in columns] for row in self.tables.get(table, ())]
            if rows:
                marks = f"({', '.join('?' for _ in columns)})"
                values = [value for row in rows for value in row]
                connection.execute(
                    f"INSERT INTO {place} VALUES {', '.join([marks] * len(rows))}", values
                )


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
        for number in range(draw(st.integers(3, 7))):
            # Each person has at least one row, so that another person's row shows.
            user = number % 3 + 1
            tables["time_entries"].append(_draw_entry(draw, account, number, user))
    return World({**tables, **build_marts(tables)})


def build_marts(tables: Tables) -> Tables:
    """Rows of the marts, one for each entry or person; everyone has money columns."""
    entries = [
        {**row, "time_entry_id": row["id"], "person_name": row["user__name"]}
        | {f"{kind}_id": row[f"{kind}__id"] for kind in ("user", "project", "client", "task")}
        | {"currency": row["client__currency"], "entries": 1, "cost": row["cost_rate"]}
        | {"billable_amount": 200, "day": row["spent_date"], "capacity_hours": 8}
        for row in tables["time_entries"]
    ]
    people = [
        {"account_id": row["account_id"], "user_id": row["id"], "person_name": row["first_name"]}
        | {"cost_rate": row["cost_rate"], "email": row["email"], "day": "2026-01-05"}
        for row in tables["users"]
    ]
    days = {"harvest__time_entries": entries, "harvest__hours_daily": entries}
    return days | dict.fromkeys(MARTS[2:], people)


def _draw_entry(draw: st.DrawFn, account: int, number: int, user: int) -> Row:
    project, task = draw(st.integers(1, 3)), draw(st.integers(1, 3))
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
    """A caller, by account to which they belong: their id, and what they manage."""

    ids: Mapping[int, int]
    people: Mapping[int, frozenset[int]] = field(default_factory=dict)
    projects: Mapping[int, frozenset[int]] = field(default_factory=dict)


@st.composite
def viewers(draw: st.DrawFn) -> Viewer:
    """Callers of one account or of both; managers of some people and projects."""
    accounts = draw(st.sets(st.sampled_from(ACCOUNTS), min_size=1))
    some = st.frozensets(st.integers(1, 3), max_size=2)
    return Viewer(
        {account: draw(st.integers(1, 3)) for account in accounts},
        {account: draw(some) for account in accounts},
        {account: draw(some) for account in accounts},
    )


def filter_world(world: World, viewer: Viewer, kind: str, accounts: Sequence[int] = ()) -> World:
    """
    A copy with the rows that *viewer* may see, by an independent copy of the rules.

    Args:
        kind: ``all``, ``own`` or ``managed``.
        accounts: The accounts; all if empty.
    """
    kept = {
        table: [row for row in rows if not accounts or row["account_id"] in accounts]
        for table, rows in world.tables.items()
    }
    return World(kept if kind == "all" else _filter_people(kept, viewer, kind))


def _filter_people(tables: Tables, viewer: Viewer, kind: str) -> Tables:
    """The rows of *tables* that *viewer* may see."""

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

    def is_of_person(row: Row) -> bool:
        return row["user_id"] in people(row["account_id"])

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
    for mart in MARTS[:2]:
        shown[mart] = keep(
            tables.get(mart, ()),
            lambda row: is_of_person(row) or row["project_id"] in managed(row["account_id"]),
        )
    for mart in MARTS[2:]:
        shown[mart] = keep(tables.get(mart, ()), is_of_person)
    clients = {(row["account_id"], row["client__id"]) for row in shown["projects"]}
    tasks = {(row["account_id"], row["task__id"]) for row in shown["task_assignments"]}
    shown["clients"] = keep(
        tables["clients"], lambda row: (row["account_id"], row["id"]) in clients
    )
    shown["tasks"] = keep(tables["tasks"], lambda row: (row["account_id"], row["id"]) in tasks)
    return shown


def refuse_to_ask(profile: str, is_managing: bool) -> tuple[Person, ...]:
    """Fail if asked for a person, where no scope depends on one."""
    raise AssertionError(profile)
