"""One story for every destination: what happens to an account, and what its tables must hold."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple, Self

import dlt
import pytest

from harvest_source import attach
from harvest_source.operations.run_report import SyncReport
from harvest_source.operations.verify_report import VerifyReport
from harvest_source.schema.endpoints import BY_NAME
from harvest_source.sql.values import as_parameter
from harvest_source.warehouse.sql import Sql
from tests.support.destinations import Environment, Server
from tests.support.lab import DAY, Lab, Row, number
from tests.support.moments import COPIED, FIRST_COPIED, LOADED, NORMALIZED, start_sync
from tests.support.statement_catalogue import CATALOGUE
from tests.support.truth import child_differences, differences, served, shown

TABLES = (
    "time_entries",
    "invoices",
    "projects",
    "clients",
    "roles",
    "expenses",
    "invoice_payments",
)
"""Long, with arrays, with history, short, read whole, dated, below a parent."""
SETTINGS: dict[str, Any] = {"history": ["projects"]}
HOURS = 1.234567891
"""A number with as many decimal places as a column has."""
TEXT = 'It\'s 100 % "quoted", {braced}; \\n \N{SNOWMAN}'


class DestinationLab(Lab):
    """
    A lab whose warehouse is any destination.

    Attributes:
        server: The destination.
    """

    def __init__(self, folder: Path, server: Server, **fields: Any) -> None:
        super().__init__(folder, **fields)
        self.server_kind = server
        self._stack = ExitStack()
        self._settings: Environment = {}
        self._pipeline: dlt.Pipeline | None = None

    def __enter__(self) -> Self:
        self._settings = self._stack.enter_context(self.server_kind.start(self.folder))
        return self

    def __exit__(self, *details: object) -> None:
        self._stack.close()
        super().__exit__(*details)

    @property
    def environment(self) -> dict[str, str]:
        return {
            **super().environment,
            **self._settings,
            "RUNTIME__DLTHUB_TELEMETRY": "false",
            "SOURCES__HARVEST__HISTORY": '["projects"]',
            **{f"SOURCES__HARVEST__{name.upper()}": each for name, each in self._format.items()},
        }

    @property
    def target(self) -> dict[str, Any]:
        name = self.server_kind.destination
        database = self.database if name == "duckdb" else None
        return {"destination": name, "database": database}

    @property
    def _format(self) -> dict[str, Any]:
        return {"table_format": self.server_kind.format} if self.server_kind.format else {}

    @property
    def arguments(self) -> list[str]:
        return [
            f"--{name.replace('_', '-')}={value}"
            for name, value in self.target.items()
            if value is not None
        ]

    def sync(self, *tables: str, **options: Any) -> SyncReport:
        settings = SETTINGS | self._format | options.pop("settings", {})
        return super().sync(*tables, **self.target, settings=settings, **options)

    def verify(self, **options: Any) -> VerifyReport:
        """Run ``verify`` on the tables of the story, by the machine's clock."""
        settings = self.settings | SETTINGS | self._format
        return super().verify(**{**self.target, "settings": settings, "hooks": None} | options)

    @contextmanager
    def working(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch, super().working():
            for name, value in self._settings.items():
                patch.setenv(name, value)
            yield

    @contextmanager
    def reader(self) -> Iterator[dlt.Pipeline]:
        """Plain dlt, attached to the dataset with a separate working folder."""
        if self._pipeline is not None:
            yield self._pipeline
            return
        folder = self.folder / "reader"
        shutil.rmtree(folder, ignore_errors=True)
        with self.working():
            self._pipeline = dlt.pipeline(
                "harvest",
                destination=self.server_kind.destination,
                dataset_name="harvest",
                pipelines_dir=str(folder),
            )
            try:
                self._pipeline.sync_destination()
                yield self._pipeline
            finally:
                self._pipeline = None

    @contextmanager
    def querying(self) -> Iterator[Sql]:
        """Our own reader through plain dlt's client; for tables in files ours, as in every run."""
        if self.server_kind.format:
            with self.working():
                pipeline = attach(destination=self.server_kind.destination)
                with pipeline.sql_client() as client:
                    yield Sql(client, pipeline.default_schema)
            return
        with self.reader() as pipeline, pipeline.sql_client() as client:
            yield Sql(client, pipeline.default_schema)

    def table(self, name: str, *, account_id: int | None = None) -> list[Row]:
        """Every row of a table, through plain dlt's client, with the types of its schema."""
        with self.reader() as pipeline:
            if self.server_kind.format:
                return self._read_files(pipeline, name, account_id)
            found, columns = self._read(pipeline, name)
        types = [str(hint["data_type"]) for hint in columns.values()]
        rows = [
            {
                each: _as_typed(value, kind)
                for each, value, kind in zip(columns, row, types, strict=True)
            }
            for row in found
        ]
        return [row for row in rows if account_id in (None, row.get("account_id"))]

    def _read_files(self, pipeline: dlt.Pipeline, name: str, account_id: int | None) -> list[Row]:
        """Read through the format's own library, as dlt does: DuckDB needs extensions for them."""
        if self.server_kind.format == "delta":
            from dlt.common.libs.deltalake import get_delta_tables

            found: Any = get_delta_tables(pipeline, name)[name].to_pyarrow_table()
        else:
            from dlt.common.libs.pyiceberg import get_iceberg_tables

            found = get_iceberg_tables(pipeline, name)[name].scan().to_arrow()
        rows = found.to_pylist()
        return [row for row in rows if account_id in (None, row.get("account_id"))]

    def _read(self, pipeline: dlt.Pipeline, name: str) -> tuple[list[Any], Any]:
        with pipeline.sql_client() as client:
            columns = pipeline.default_schema.get_table_columns(name)
            names = ", ".join(client.escape_column_name(each) for each in columns)
            query = f"SELECT {names} FROM {client.make_qualified_table_name(name)}"
            with client.execute_query(query) as cursor:
                return cursor.fetchall(), columns


def _as_typed(value: Any, kind: str) -> Any:
    """A value with its Python type, whatever the destination returns for it."""
    if value is None:
        return None
    if kind == "decimal":
        return number(value)
    if kind == "bool":
        return bool(value)
    if kind == "date":
        return value if type(value) is date else date.fromisoformat(str(value)[:10])
    if kind == "timestamp":
        instant = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
    return value


class Story:
    """One account's events, step by step; after each step the tables equal Harvest's."""

    def __init__(self, lab: DestinationLab) -> None:
        self.lab = lab
        self.server = lab.server

    def sync(self, **options: Any) -> SyncReport:
        """Run once, an hour after the last run; the run must succeed."""
        self.lab.rest()
        report = self.lab.sync(*TABLES, **options)
        assert report.status == "ok", str(report.as_dict()["errors"])
        assert report.run_log.warnings == [], report.run_log.warnings
        return report

    def assert_whole(self) -> None:
        """Every table equals what the sandbox serves now, child tables too; each row once."""
        account_id = self.server.account_id
        with self.lab.reader():
            for name in TABLES:
                endpoint = BY_NAME[name]
                records = served(self.lab, endpoint, account_id)
                known = {"account_id", "_dlt_id", *(column.name for column in shown(endpoint))}
                rows = [
                    {column: value for column, value in row.items() if column in known}
                    for row in self.lab.table(name)
                ]
                found: Any = differences(endpoint, rows, records, account_id)
                assert not found, f"{name}: {found}"
                for child in endpoint.record.children:
                    table = f"{name}__{child.name}"
                    found = child_differences(
                        endpoint, child, rows, self.lab.table(table), records, account_id
                    )
                    assert not found, f"{table}: {found}"

    def first_load(self) -> None:
        """Load every table from nothing."""
        self.lab.stop_timers()
        self.sync()
        self.assert_whole()

    def edits(self) -> None:
        """Changed rows and new rows, with all digits and every kind of character."""
        entry, project = self.server.rows("time_entries")[0], self.server.rows("projects")[0]
        self.server.edit("time_entries", entry["id"], hours=HOURS, notes=TEXT)
        self.server.edit("time_entries", self.server.rows("time_entries")[1]["id"], notes="")
        self.server.edit("projects", project["id"], notes="Renamed")
        for table in ("time_entries", "clients", "roles"):
            self.server.create(table)
        self.sync()
        self.assert_whole()

    def children(self) -> None:
        """Elements that changed places, an array that became empty, a list below a parent."""
        first, second, third = self.server.rows("invoices")[:3]
        self.server.edit("invoices", first["id"], line_items=list(reversed(first["line_items"])))
        self.server.edit("invoices", second["id"], line_items=[])
        self.server.edit("roles", self.server.rows("roles")[0]["id"], user_ids=[])
        self.server.create("invoice_payments", invoice_id=third["id"])
        self.sync()
        self.assert_whole()

    def new_field(self) -> None:
        """A new Harvest field becomes a column; an empty text stays empty, and null stays null."""
        entry = self.server.rows("time_entries")[0]
        self.server.edit("time_entries", entry["id"], notes="Again")
        self.server.alter("time_entries", "set_field", name="brand_new", value="")
        self.sync()
        self.server.clear_alterations()
        found = {row["id"]: row["brand_new"] for row in self.lab.table("time_entries")}
        assert found.pop(entry["id"]) == ""
        assert set(found.values()) <= {None, ""}
        assert None in found.values()
        self.assert_whole()

    def type_conflict(self) -> None:
        """A value that does not fit its column is kept exactly, beside it."""
        entry = self.server.rows("time_entries")[0]
        self.server.edit("time_entries", entry["id"], notes="Once more")
        self.server.alter("time_entries", "set_field", name="hours", value="about 3")
        self.lab.rest()
        assert self.lab.sync(*TABLES).status == "ok"
        self.server.clear_alterations()
        (row,) = (row for row in self.lab.table("time_entries") if row["id"] == entry["id"])
        assert (row["hours"], row["hours__v_text"]) == (None, "about 3")
        self.lab.rest()
        for record in self.server.rows("time_entries"):
            self.server.edit("time_entries", record["id"], notes="Right again")
        self.sync()
        self.assert_whole()

    def deletion(self) -> None:
        """Rows that Harvest deleted leave with everything below them, and are recorded."""
        payment = self.server.rows("invoice_payments")[0]
        entry = self.server.rows("time_entries")[2]
        self.server.delete("invoices", payment["invoice_id"], force=True)
        self.server.delete("time_entries", entry["id"], force=True)
        self.lab.rest(DAY)
        report = self.sync(deletes=True)
        gone = {name: table.deleted for name, table in report.tables.items() if table.deleted}
        assert gone["invoices"] == 1
        assert gone["time_entries"] == 1
        self.assert_whole()
        kept = self.lab.table("deleted_records")
        assert {("invoices", payment["invoice_id"]), ("time_entries", entry["id"])} <= {
            (row["table_name"], row["id"]) for row in kept
        }
        assert all(row["restored_at"] is None for row in kept)

    def role_shrink(self) -> None:
        """A token that sees less removes nothing."""
        before = {name: len(self.lab.table(name)) for name in TABLES}
        self.server.set_role(self.lab.token, "manager")
        self.lab.rest(DAY)
        self.lab.sync(*TABLES, deletes=True)
        assert {name: len(self.lab.table(name)) for name in TABLES} == before
        self.server.set_role(self.lab.token, "administrator")
        self.lab.rest()
        assert self.lab.sync(*TABLES).status == "ok"
        self.assert_whole()

    def kill(self) -> None:
        """If a run is killed during its load, the next one heals, and no row is duplicated."""
        for at, moment in enumerate((NORMALIZED, FIRST_COPIED, COPIED, LOADED)):
            self._change(f"Before kill {at}")
            self._kill(moment)
            assert self.lab.sync(*TABLES).status == "ok"
            self.assert_whole()

    def _change(self, text: str) -> None:
        self.server.edit("time_entries", self.server.rows("time_entries")[0]["id"], notes=text)
        invoice = self.server.rows("invoices")[0]
        lines = list(reversed(invoice["line_items"]))
        self.server.edit("invoices", invoice["id"], line_items=lines, subject=text)
        self.lab.rest()

    def _kill(self, moment: str) -> None:
        with start_sync(self.lab, *TABLES, number=signal.SIGKILL, moment=moment) as child:
            _, said = child.communicate(timeout=300)
            assert child.wait() == -signal.SIGKILL, said
        self.lab.rest()

    def verify(self) -> None:
        """Compare with Harvest's own totals; the warehouse gets a row for the comparison."""
        before = len(self.lab.table("verify_runs"))
        found = self.lab.verify()
        assert found.exit_code == 0, found.as_dict()
        rows = self.lab.table("verify_runs")
        assert (len(rows), {row["status"] for row in rows}) == (before + 1, {"ok"})

    def history(self) -> None:
        """An edit opens a version, a deletion closes it."""
        project = self.server.rows("projects")[0]["id"]
        before = self._versions(project)
        self.server.edit("projects", project, notes="Once more")
        self.sync()
        after = self._versions(project)
        assert len(after) == len(before) + 1
        assert [row["valid_to"] is None for row in after] == [False] * len(before) + [True]
        self.server.delete("projects", project, force=True)
        self.lab.rest(DAY)
        self.sync(deletes=True)
        assert all(row["valid_to"] is not None for row in self._versions(project))
        self.assert_whole()

    def _versions(self, project: int) -> list[Row]:
        rows = [row for row in self.lab.table("projects_history") if row["id"] == project]
        return sorted(rows, key=lambda row: row["valid_from"])

    def forgetting(self) -> None:
        """Rows about old runs leave; those about tables or needed by a new working folder stay."""
        before = {row["id"] for row in self.lab.table("sync_runs")}
        self.lab.rest(100 * DAY)
        self.sync()
        self.lab.rest(8 * DAY)
        self.sync()
        left = {row["id"] for row in self.lab.table("sync_runs")} & before
        assert 1 <= len(left) < len(before)
        self.assert_whole()

    def second_machine(self) -> None:
        """With an empty working folder a run continues where the last one ended."""
        shutil.rmtree(self.lab.folder / "dlt")
        self.server.edit("time_entries", self.server.rows("time_entries")[0]["id"], notes="New")
        report = self.sync()
        assert report.tables["time_entries"].rows < len(self.server.rows("time_entries"))
        self.assert_whole()

    def statements(self) -> None:
        """Every statement of ours, also those that no other step of the story sends."""
        with self.lab.querying() as sql:
            for statement in CATALOGUE:
                for text, values in statement.render(sql, sql.dialect):
                    if self.lab.server_kind.format and not text.startswith("SELECT"):
                        continue  # Commits change the rows of files.
                    client = sql.client
                    given = [as_parameter(value, sql.dialect) for value in values]
                    with client.execute_query(text, *given) as cursor:
                        if text.startswith("SELECT"):
                            cursor.fetchall()


STEPS: tuple[Callable[[Story], None], ...] = (
    Story.first_load,
    Story.edits,
    Story.children,
    Story.new_field,
    Story.type_conflict,
    Story.deletion,
    Story.role_shrink,
    Story.kill,
    Story.verify,
    Story.history,
    Story.second_machine,
    Story.statements,
)
"""The whole story, in order."""

LATER = (Story.first_load, Story.edits, *[Story.children] * 8, Story.forgetting, Story.edits)
"""What happens to rows about runs after a hundred days."""

SHORT = (Story.first_load, Story.children, Story.deletion)
"""The part that the suite tells to each destination."""


class Told(NamedTuple):
    """One line of the contract's table."""

    destination: str
    step: str
    seconds: float
    error: BaseException | None = None


def name_of(step: Callable[[Story], None]) -> str:
    """A step's name for readers."""
    return step.__name__.replace("_", " ")


def tell(
    server: Server, folder: Path, steps: tuple[Callable[[Story], None], ...] = STEPS
) -> Iterator[Told]:
    """Tell the story of one destination; stop after the first step that fails."""
    with DestinationLab(folder, server, entries=60, invoices=8) as lab:
        story = Story(lab)
        for step in steps:
            began = perf_counter()
            try:
                step(story)
            except Exception as error:
                yield Told(server.name, name_of(step), perf_counter() - began, error)
                return
            yield Told(server.name, name_of(step), perf_counter() - began)
