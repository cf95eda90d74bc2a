"""Scopes by person: Harvest says who the caller is, through the caller's own sign-in."""

from __future__ import annotations

import json
import os
import sys
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import duckdb
import pytest
from dlt.common.configuration.container import Container
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext
from mcp import Client, StdioServerParameters, stdio_client

from harvest_source.ask import Runner
from harvest_source.ask.access import Access, Caller
from harvest_source.ask.callers import KEEP_S, NotConfirmedError, People, fetch_people
from harvest_source.ask.records import list_records
from harvest_source.ask.scopes import Scope, parse_scope
from harvest_source.cli import main as cli
from harvest_source.clock import Clock
from tests.sandbox.reader import Reader
from tests.support.lab import Lab
from tests.support.limited import Viewer, World, filter_world
from tests.support.limited_calls import find_shown
from tests.support.sides import Side

ROLES = ("administrator", "manager", "member")
TABLES = ("time_entries", "users", "projects", "clients", "tasks", "user_assignments")
COLUMNS = [f"{table}.*" for table in TABLES]
SCOPES = """
[sources.harvest.scopes.mine]
rows = "own"
columns = ["time_entries.id", "time_entries.user__id", "time_entries.hours"]

[sources.harvest.scopes.hours]
tools = ["sum_time"]
columns = ["time_entries.hours", "time_entries.rounded_hours"]

[sources.harvest.scopes.managed]
rows = "managed"
sql = true
columns = [
  "time_entries.account_id", "time_entries.id", "time_entries.user__id", "time_entries.hours",
  "time_entries.notes", "time_entries.client__id", "users.account_id", "users.id",
  "users.last_name", "clients.account_id", "clients.id", "clients.name",
]
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """An account with an administrator, a manager and a member, synced once."""
    with Lab(tmp_path_factory.mktemp("people"), entries=120) as lab:
        assert lab.sync(*TABLES, "task_assignments").exit_code == 0
        yield lab


@pytest.fixture
def profiles(lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Lab:
    """Each role's token is a profile named after the role; a configuration file has the scopes."""
    monkeypatch.setenv("SOURCES__HARVEST__API_URL", lab.server.api_url)
    monkeypatch.setenv("SOURCES__HARVEST__ID_URL", lab.server.id_url)
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt"))
    for role in ROLES:
        prefix = f"SOURCES__HARVEST__PROFILES__{role.upper()}"
        monkeypatch.setenv(f"{prefix}__CREDENTIALS__ACCESS_TOKEN", lab.server.tokens[role])
        monkeypatch.setenv(f"{prefix}__ACCOUNT_ID", str(lab.server.account_id))
    return lab


@pytest.fixture
def access(profiles: Lab) -> Access:
    """Access of callers to the warehouse, on the sandbox's clock."""
    clock: Clock = profiles.shared

    def fetch(profile: str, is_managing: bool) -> Any:
        return fetch_people(profile, is_managing, clock=clock)

    return Access(Runner(profiles.database), People(fetch, clock))


def scope(kind: str) -> Scope:
    """A scope with every column of the tables that hold people's rows."""
    return parse_scope(kind, {"rows": kind, "columns": COLUMNS})


def read_ids(access: Access, kind: str, profile: str, table: str) -> list[int]:
    """The ids of the rows that a caller gets."""
    runner = access.open(Caller("test", scope(kind), profile))
    answer = list_records(table, columns=["id"], limit=500, warehouse=runner)
    return sorted(row[0] for row in answer.rows)


@pytest.mark.parametrize(
    ("role", "table"),
    [
        ("manager", "time_entries"),
        ("member", "time_entries"),
        ("manager", "user_assignments"),
        ("manager", "users"),
    ],
)
def test_managed_rows_are_those_that_harvest_shows(
    access: Access, lab: Lab, role: str, table: str
) -> None:
    """A caller gets the same rows from the copy as their own token gets from Harvest."""
    reader = Reader(lab.server)
    with reader.client:
        pages = reader.pages(table, token=lab.server.tokens[role])
    expected = sorted(row["id"] for page in pages for row in page[table])
    assert expected
    assert read_ids(access, "managed", role, table) == expected


@pytest.mark.parametrize("table", ["time_entries", "user_assignments", "users"])
def test_callers_get_no_column_that_harvest_hides_from_them(lab: Lab, table: str) -> None:
    """``TABLE.*`` gives a manager without rate permissions no rate that their token lacks."""
    reader = Reader(lab.server)
    with reader.client:
        pages = reader.pages(table, token=lab.server.tokens["manager"])
    told = {key for page in pages for row in page[table] for key in flatten(row)}
    shown = scope("managed").find_columns(table) or frozenset()
    assert {each for each in shown if "rate" in each} <= told | {"account_id"}
    assert len(shown & told) > len(shown) / 2


def flatten(row: dict[str, Any], before: str = "") -> Iterator[str]:
    """The column names that a record becomes."""
    for name, value in row.items():
        if isinstance(value, dict):
            yield from flatten(value, f"{before}{name}__")
        else:
            yield before + name


def test_the_scope_own_shows_only_a_persons_own_rows(access: Access, lab: Lab) -> None:
    """With the scope "own", people see their own entries and their own user row."""
    for role in ROLES:
        (person,) = access.people.find(role, is_managing=False)
        own = [row["id"] for row in lab.table("time_entries") if row["user__id"] == person.user_id]
        assert read_ids(access, "own", role, "time_entries") == sorted(own)
        assert read_ids(access, "own", role, "users") == [person.user_id]


def test_a_revoked_caller_sees_nothing_and_others_all_of_theirs(access: Access, lab: Lab) -> None:
    """A revoked caller loses access within a minute; no token leaks; restore_token undoes it."""
    token = lab.server.tokens["member"]
    before = read_ids(access, "own", "member", "time_entries")
    lab.server.revoke(token)
    try:
        assert read_ids(access, "own", "member", "time_entries") == before
        lab.clock.advance(KEEP_S)
        with pytest.raises(NotConfirmedError) as caught:
            read_ids(access, "own", "member", "time_entries")
        assert token not in str(caught.value)
        assert read_ids(access, "own", "manager", "time_entries")
    finally:
        lab.server.restore_token(token)
    assert read_ids(access, "own", "member", "time_entries") == before


def test_only_scopes_by_person_close_when_harvest_is_unreachable(access: Access, lab: Lab) -> None:
    """A caller whose scope is all rows does not need Harvest."""
    lab.server.fault("unavailable", path="/users/me")
    try:
        with pytest.raises(NotConfirmedError, match="did not confirm"):
            read_ids(access, "own", "administrator", "time_entries")
        assert read_ids(access, "all", "administrator", "time_entries")
    finally:
        lab.server.clear_faults()


def test_a_profile_that_does_not_exist_sees_nothing(access: Access) -> None:
    """An unknown profile does not fall back to the default profile's rows."""
    with pytest.raises(NotConfirmedError):
        read_ids(access, "own", "unknown", "time_entries")


@pytest.fixture
def configured(profiles: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Lab]:
    """A lab whose scopes are in ``.dlt/config.toml`` of the current folder."""
    (tmp_path / ".dlt").mkdir()
    (tmp_path / ".dlt" / "config.toml").write_text(SCOPES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DLT_PROJECT_DIR", str(tmp_path))
    context = Container()[PluggableRunContext]
    before = context.context.run_dir
    context.reload(str(tmp_path))
    yield profiles
    context.reload(before)


def test_commands_keep_to_a_scope(configured: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    """Commands apply the named person's scope to rows and columns; other commands are refused."""
    database = ["--database", str(configured.database), "--json"]
    mine = ["--scope", "mine", "--as", "member"]
    assert cli.run(["list", "time_entries", "--limit", "500", *mine, *database]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["columns"] == ["id", "user__id", "hours"]
    assert len({row[1] for row in answer["rows"]}) == 1
    assert cli.run(["list", *mine, *database]) == 0
    assert [row[0] for row in json.loads(capsys.readouterr().out)["rows"]] == ["time_entries"]
    for command in (
        ["query", "SELECT 1", *mine],
        ["list", "--scope", "hours"],
        ["get", "users", "1", *mine],
        ["list", "--scope", "none"],
        ["list", "time_entries", "--scope", "mine", "--as", "unknown"],
    ):
        assert cli.run([*command, *database]) in (2, 3), command
        assert not json.loads(capsys.readouterr().out).get("rows")


ALIKE: tuple[tuple[str, dict[str, Any]], ...] = (
    ("list_tables", {}),
    ("describe_table", {"table": "time_entries"}),
    ("list_records", {"table": "time_entries", "order": ["-hours"], "limit": 500}),
    ("list_records", {"table": "time_entries", "where": ["cost_rate>0"]}),
    ("list_records", {"table": "invoices"}),
    ("find", {"text": "a"}),
    ("sum_time", {"by": ["client"]}),
    (
        "query",
        {
            "sql": "SELECT c.name, COUNT(*) FROM clients AS c JOIN time_entries AS t ON "
            "t.client__id = c.id AND t.account_id = c.account_id GROUP BY ALL ORDER BY ALL"
        },
    ),
    ("query", {"sql": "SELECT MAX(cost_rate) FROM time_entries"}),
    ("query", {"sql": "SELECT * FROM information_schema.tables"}),
)
"""Calls whose answers could reveal other rows and columns."""


@pytest.fixture
def part(access: Access, configured: Lab, tmp_path: Path) -> Path:
    """A file with only the rows and columns of the manager's scope, selected one by one."""
    (person,) = access.people.find("manager", is_managing=True)
    viewer = Viewer(
        {person.account_id: person.user_id},
        {person.account_id: frozenset(person.people)},
        {person.account_id: frozenset(person.projects)},
    )
    names = (*TABLES, "task_assignments")
    world = World({name: configured.table(name) for name in names})
    shown = filter_world(world, viewer, "managed")
    path = tmp_path / "part.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE SCHEMA harvest")
        connection.execute(f"ATTACH '{configured.database}' AS whole (READ_ONLY)")
        for table, columns in find_shown({"columns": read_columns("managed")}).items():
            ids = ", ".join(str(row["id"]) for row in shown.tables[table])
            listed = ", ".join(each for each in world.tables[table][0] if each in columns)
            connection.execute(
                f"CREATE TABLE harvest.{table} AS SELECT {listed} "
                f"FROM whole.harvest.{table} WHERE id IN ({ids})"
            )
        copy_comments(connection)
    return path


def copy_comments(connection: duckdb.DuckDBPyConnection) -> None:
    """Copy the table and column comments of the database *whole*."""
    found = connection.execute(
        "SELECT 'TABLE', table_name, comment FROM duckdb_tables() WHERE database_name = 'whole' "
        "UNION ALL SELECT 'COLUMN', table_name || '.' || column_name, comment "
        "FROM duckdb_columns() WHERE database_name = 'whole' AND schema_name = 'harvest'"
    ).fetchall()
    for kind, name, comment in found:
        text = (comment or "").replace("'", "''")
        with suppress(duckdb.Error):  # The part lacks some of them.
            connection.execute(f"COMMENT ON {kind} part.harvest.{name} IS '{text}'")


def read_columns(name: str) -> list[str]:
    """The columns of a scope in the configuration."""
    found: list[str] = tomllib.loads(SCOPES)["sources"]["harvest"]["scopes"][name]["columns"]
    return found


@pytest.mark.rare
def test_a_scoped_server_answers_like_one_on_a_filtered_file(configured: Lab, part: Path) -> None:
    """Over stdio, a scoped server answers and fails exactly as one on a file of that scope."""
    command = [*("-m", "harvest_source", "mcp"), f"--audit-log={part.with_suffix('.log')}"]
    scoped = ["--scope=managed", "--as=manager", f"--database={configured.database}"]

    def start(*arguments: str) -> Any:
        given = StdioServerParameters(
            command=sys.executable, args=[*command, *arguments], env=dict(os.environ)
        )
        return Client(stdio_client(given))

    async def talk() -> None:
        async with start(*scoped) as limited, start(f"--database={part}") as alike:
            sides = Side(limited), Side(alike)
            for call in ALIKE:
                assert await sides[0].ask(*call) == await sides[1].ask(*call), call

    anyio.run(talk)


def test_scoped_commands_answer_as_on_a_filtered_file(
    configured: Lab, part: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """``list``, ``get`` and ``query`` print the same and end the same as on a filtered file."""
    hidden = configured.sql("SELECT MAX(id) AS id FROM users")[0]["id"]
    scoped = ["--scope", "managed", "--as", "manager", "--database", str(configured.database)]
    for command in (
        ["list", "time_entries", "--limit", "500", "--order=-hours", "--where", "hours>1"],
        ["list", "time_entries", "--columns", "cost_rate"],
        ["get", "users", str(hidden)],
        ["query", "SELECT * FROM users ORDER BY ALL"],
    ):
        said = []
        for place in (scoped, ["--database", str(part)]):
            code = cli.run([*command, *place, "--json"])
            answer = json.loads(capsys.readouterr().out)
            said.append((code, {**answer, "as_of": "", "cursor": "", "seconds": 0}))
        assert said[0] == said[1], command
