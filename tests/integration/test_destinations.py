"""
Every destination tells one story: :mod:`tests.support.destination_story`. Real servers and files.

``python -m pytest -m destinations`` tells the whole story to each; ``python -m
tests.destination_contract`` does too, and prints one line for each destination and step.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dlt
import pytest
from dlt.destinations.exceptions import DatabaseTerminalException

from harvest_source import harvest
from harvest_source.errors import ConfigError, DestinationError, find_cause
from harvest_source.pages.marts import open_marts
from harvest_source.warehouse.target import Target, build_target
from harvest_source.warehouse.trial import try_destination
from tests.support.destination_story import LATER, SHORT, STEPS, DestinationLab, tell
from tests.support.destinations import BY_NAME, SERVERS, Server
from tests.support.moments import NORMALIZED, start_sync

pytestmark = pytest.mark.filterwarnings(
    # dlt's merge into SQLAlchemy's databases; SQLAlchemy does what is intended.
    "ignore:implicitly coercing SELECT object",
    "ignore:Coercing Subquery object",
    # SQLite has no decimals; the trial says so as well.
    "ignore:Dialect sqlite.* does .not. support Decimal",
    # dlt's DuckLake client does not close a connection to its catalog.
    "ignore:unclosed database:ResourceWarning",
)


def require(server: Server) -> Server:
    """Skip if the destination cannot be tried here."""
    if why := server.why_not():
        pytest.skip(why)
    return server


def assert_steps_succeed(server: Server, folder: Path, steps: Any) -> None:
    """Every step succeeds."""
    for told in tell(require(server), folder, steps):
        if told.error:
            raise told.error


@pytest.mark.rare
def test_sqlite_passes_the_short_story(tmp_path: Path) -> None:
    """SQLite through SQLAlchemy: a first load, children that moved and were deleted, deletions."""
    assert_steps_succeed(BY_NAME["sqlite"], tmp_path, SHORT)


@pytest.mark.destinations
@pytest.mark.parametrize("server", SERVERS, ids=lambda each: each.name)
def test_a_destination_passes_the_whole_story(server: Server, tmp_path: Path) -> None:
    """Edits, evolution, deletions, roles, kills, verify, history, every statement."""
    assert_steps_succeed(server, tmp_path, STEPS)


@pytest.mark.destinations
@pytest.mark.parametrize("server", SERVERS, ids=lambda each: each.name)
def test_rows_of_old_runs_are_removed(server: Server, tmp_path: Path) -> None:
    """Rows about runs and loads that no longer matter are removed, and nothing else."""
    assert_steps_succeed(server, tmp_path, LATER)


@pytest.fixture
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DestinationLab]:
    """A lab of the named destination."""
    with DestinationLab(tmp_path, require(BY_NAME[request.param])) as lab:
        yield lab


@pytest.mark.rare
@pytest.mark.parametrize("lab", ["postgres", "sqlite"], indirect=True)
def test_a_first_load_whose_schema_has_no_tables_is_completed(lab: DestinationLab) -> None:
    """The connection was lost, or a right was missing, before there were tables: all are loaded."""
    tables = ("time_entries", "invoices")
    with start_sync(lab, *tables, number=signal.SIGKILL, moment=NORMALIZED) as child:
        assert child.wait() == -signal.SIGKILL
    with lab.reader() as pipeline, pipeline.sql_client() as client:
        client.create_dataset()
    for _ in range(2):
        lab.rest()
        report = lab.sync(*tables)
        assert (report.status, report.run_log.warnings) == ("ok", []), report.as_dict()
    assert len(lab.table("time_entries")) == len(lab.server.rows("time_entries"))
    assert len(lab.table("invoices")) == len(lab.server.rows("invoices"))


@pytest.mark.rare
@pytest.mark.parametrize("lab", ["mariadb"], indirect=True)
def test_mariadb_holds_every_table(lab: DestinationLab) -> None:
    """The schema of all tables is longer than the ``TEXT`` that an earlier version created."""
    assert lab.sync("time_entries").status == "ok"
    with lab.reader() as pipeline, pipeline.sql_client() as client:
        client.execute_sql("ALTER TABLE harvest._dlt_version MODIFY `schema` TEXT NOT NULL")
    for _ in range(2):
        lab.rest()
        report = lab.sync()
        assert (report.status, report.run_log.warnings) == ("ok", []), report.as_dict()
    for table in ("time_entries", "invoices", "clients"):
        assert len(lab.table(table)) == len(lab.server.rows(table))


@pytest.mark.rare
@pytest.mark.parametrize("lab", ["mariadb"], indirect=True)
def test_mariadb_keeps_no_staging_table(lab: DestinationLab) -> None:
    """dlt's merge creates two helper tables there; a function of the user's in the schema stays."""
    run_in_staging(lab, "CREATE FUNCTION harvest_staging.one() RETURNS INT RETURN 1")
    for notes in ("first", "second"):
        lab.rest()
        lab.server.edit("time_entries", lab.server.rows("time_entries")[0]["id"], notes=notes)
        assert lab.sync("time_entries", "invoices").status == "ok"
        found = run_in_staging(
            lab, "SHOW TABLES IN harvest_staging", "SELECT harvest_staging.one()"
        )
        assert found == [[], [(1,)]]


@pytest.mark.rare
@pytest.mark.parametrize("lab", ["mariadb"], indirect=True)
def test_plain_dlt_loads_every_table_into_mariadb(lab: DestinationLab) -> None:
    """Texts may be longer than a ``TEXT`` there, too."""
    entry = lab.server.rows("time_entries")[0]
    lab.server.edit("time_entries", entry["id"], notes="n" * 70_000)
    with lab.working():
        pipeline = dlt.pipeline(
            "harvest",
            destination=lab.server_kind.destination,
            dataset_name="harvest",
            pipelines_dir=str(lab.folder / "plain"),
        )
        pipeline.run(harvest(account_id=[lab.server.account_id], **lab.settings))
    assert max(len(row["notes"] or "") for row in lab.table("time_entries")) == 70_000


@pytest.mark.rare
@pytest.mark.parametrize("lab", ["postgres"], indirect=True)
def test_a_report_finds_a_dataset_that_dlt_names_otherwise(lab: DestinationLab) -> None:
    """The error names the models' schema, and a command for this destination and dataset."""
    assert lab.sync("clients", dataset="Our-Data").status == "ok"
    target = build_target("postgres", None, "Our-Data", "harvest")
    said = r"in schema our_data_models\..* --destination postgres --dataset our_data$"
    with lab.working(), pytest.raises(ConfigError, match=said), open_marts(target):
        pass


@pytest.mark.rare
@pytest.mark.parametrize(
    ("lab", "losses"),
    [
        ("postgres", []),
        ("sqlite", ["decimals lose digits: amounts and hours are kept with about 15"]),
    ],
    indirect=["lab"],
)
def test_the_trial_of_a_destination_uses_its_own_table(
    lab: DestinationLab, losses: list[str]
) -> None:
    """The trial creates, merges, reads and drops a table of its own, and reports lost precision."""
    with lab.working():
        target = Target(lab.server_kind.destination, None, "harvest", "harvest")
        for _ in range(2):
            assert try_destination(target) == losses
        pipeline = dlt.pipeline(
            "look",
            destination=lab.server_kind.destination,
            dataset_name="harvest_check",
            pipelines_dir=str(lab.folder / "look"),
        )
        with pipeline.sql_client() as client:
            assert not client.has_dataset()


@pytest.mark.parametrize(
    ("lab", "taken"),
    [("postgres", "harvest_check"), ("sqlite", "harvest_check"), ("sqlite", "harvest_check_2")],
    indirect=["lab"],
)
def test_the_trial_of_a_destination_keeps_a_dataset_of_its_name(
    lab: DestinationLab, taken: str
) -> None:
    """What another pipeline loaded into harvest_check, or into the name tried next, is kept."""
    names = {"harvest_check", taken}
    with lab.working():
        pipelines = [
            dlt.pipeline(
                f"other_{name}",
                destination=lab.server_kind.destination,
                dataset_name=name,
                pipelines_dir=str(lab.folder / "other"),
            )
            for name in sorted(names)
        ]
        for pipeline in pipelines:
            pipeline.run([{"id": 1}], table_name="mine")
        try_destination(Target(lab.server_kind.destination, None, "harvest", "harvest"))
        for pipeline in pipelines:
            assert pipeline.dataset()("SELECT id FROM mine").fetchall() == [(1,)]


def test_a_trial_ends_where_every_dataset_exists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """dlt's dummy says so of every name."""
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path))
    with pytest.raises(DestinationError, match=r"from harvest_check to harvest_check_20 exist"):
        try_destination(Target("dummy", None, "harvest", "harvest"))


@pytest.mark.rare
@pytest.mark.parametrize("lab", ["postgres"], indirect=True)
def test_postgres_is_not_loaded_by_csv(lab: DestinationLab) -> None:
    """PostgreSQL's COPY reads empty text as null, so csv is refused before anything is read."""
    with lab.working():
        pipeline = dlt.pipeline(
            "harvest",
            destination="postgres",
            dataset_name="harvest",
            pipelines_dir=str(lab.folder / "csv"),
        )
        source = harvest(account_id=lab.server.account_id, **lab.settings)
        for name in ("clients", "invoices"):
            with pytest.raises(Exception, match="empty text") as caught:
                pipeline.run(source.with_resources(name), loader_file_format="csv")
            assert find_cause(caught.value, ConfigError) is not None


@pytest.mark.rare
@pytest.mark.parametrize("lab", ["postgres", "sqlite", "mariadb"], indirect=True)
def test_an_object_in_place_of_a_staging_table_is_kept(lab: DestinationLab) -> None:
    """dlt would empty and drop it: a sync of that table is refused until it is elsewhere."""
    assert lab.sync("roles").status == "ok"
    run_in_staging(lab, "CREATE TABLE {} (x INTEGER)", "INSERT INTO {} VALUES (1)")
    lab.rest()
    assert lab.sync("roles").status == "ok"
    for full_refresh in (False, True):
        with pytest.raises(ConfigError, match="table or view clients that dlt did not create"):
            lab.sync("clients", full_refresh=full_refresh)
    assert run_in_staging(lab, "SELECT x FROM {}", "DROP TABLE {}")[0] == [(1,)]
    lab.rest()
    assert lab.sync("clients").status == "ok"


CREATED = "dlt.destinations.impl.sqlalchemy.db_api_client:SqlalchemyClient:create_table"


@pytest.mark.rare
@pytest.mark.parametrize("lab", ["sqlite", "mariadb"], indirect=True)
@pytest.mark.parametrize("number", range(12, 17))
def test_a_load_killed_while_it_created_tables_is_repeated(
    lab: DestinationLab, number: int
) -> None:
    """Each of these tables is committed by itself, in any order, also before _dlt_version."""
    options = {"number": signal.SIGKILL, "moment": CREATED, "call_number": number}
    with start_sync(lab, "time_entries", "invoices", **options) as child:  # type: ignore[arg-type]
        assert child.wait() == -signal.SIGKILL
    assert lab.sync("time_entries", "invoices").status == "ok"


@pytest.mark.rare
@pytest.mark.parametrize("lab", ["postgres", "sqlite", "mariadb"], indirect=True)
def test_a_copy_of_a_table_in_the_staging_dataset_is_kept(lab: DestinationLab) -> None:
    """It has dlt's columns too, but also rows, and there is no _dlt_version."""
    assert lab.sync("clients").status == "ok"
    with lab.reader() as pipeline, pipeline.sql_client() as client:
        table = client.make_qualified_table_name("clients")
    run_in_staging(lab, f"CREATE TABLE {{}} AS SELECT * FROM {table}")
    lab.rest()
    with pytest.raises(ConfigError, match="table or view clients that dlt did not create"):
        lab.sync("clients")
    assert run_in_staging(lab, "SELECT COUNT(*) FROM {}") == [[(len(lab.table("clients")),)]]


@pytest.mark.rare
@pytest.mark.parametrize("lab", ["sqlite", "mariadb"], indirect=True)
def test_a_merge_that_ends_early_deletes_no_row(
    lab: DestinationLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MariaDB commits when a table is created, so dlt's helper tables are created before."""
    from dlt.destinations.impl.sqlalchemy.db_api_client import SqlalchemyClient

    assert lab.sync("invoices").status == "ok"
    tables = ("invoices", "invoices__line_items")
    before = [len(lab.table(each)) for each in tables]
    whole = SqlalchemyClient.execute_query

    def refuse(self: Any, query: Any, *given: Any, **more: Any) -> Any:
        if str(query).lstrip().startswith("INSERT INTO harvest.invoices "):
            raise DatabaseTerminalException(Exception("refused"))
        return whole(self, query, *given, **more)

    lab.rest()
    with monkeypatch.context() as patch:
        patch.setattr(SqlalchemyClient, "execute_query", refuse)
        assert lab.sync("invoices", full_refresh=True).status == "error"
    assert [len(lab.table(each)) for each in tables] == before != [0, 0]
    assert lab.sync("invoices").status == "ok"


def run_in_staging(lab: DestinationLab, *statements: str) -> list[Any]:
    """Run *statements* about the table ``clients`` of dlt's staging dataset."""
    with (
        lab.reader() as pipeline,
        pipeline.sql_client() as client,
        client.with_staging_dataset(),
    ):
        if not client.has_dataset():
            client.create_dataset()
        table = client.make_qualified_table_name("clients")
        return [client.execute_sql(each.format(table)) for each in statements]


@pytest.mark.rare
@pytest.mark.parametrize("lab", ["postgres", "sqlite", "mariadb"], indirect=True)
def test_a_first_sync_into_a_table_of_others_is_refused(lab: DestinationLab) -> None:
    """It is kept as it is, and another dataset is loaded."""
    with lab.reader() as pipeline, pipeline.sql_client() as client:
        client.create_dataset()
        table = client.make_qualified_table_name("clients")
        client.execute_sql(f"CREATE TABLE {table} (id INTEGER)")
    for _ in range(2):
        with pytest.raises(ConfigError, match="clients, and no sync into it has been recorded"):
            lab.sync("clients")
    with lab.reader() as pipeline, pipeline.sql_client() as client:
        assert client.execute_sql(f"SELECT * FROM {table}") == []
    assert lab.sync("roles").status == "ok"
