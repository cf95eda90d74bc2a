"""
What we need from dlt's internals still works: one test per point of ``dlt_internals``.

If a new dlt fails here, the docstring of that point says what to do.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dlt
import duckdb
import pyarrow as pa
import pytest
from dlt.common.configuration.container import Container
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext
from dlt.common.pipeline import PipelineContext
from dlt.common.storages.live_schema_storage import LiveSchemaStorage
from dlt.common.storages.schema_storage import SchemaStorage
from dlt.pipeline.exceptions import PipelineStepFailed

from harvest_source import dlt_internals
from harvest_source.dlt_internals import (
    ConfigurationException,
    DestinationTransientException,
    NamingDuckDB,
    StatefulPipeline,
)
from harvest_source.errors import iter_causes


class Warehouse:
    """A pipeline into a DuckDB file: a table, a child table, and one that never had a row."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = folder / "other.duckdb"
        self.pipeline = self.attach()

    def copy(self, folder: Path) -> Warehouse:
        """Copy the warehouse to *folder*."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        return Warehouse(folder)

    def attach(self) -> dlt.Pipeline:
        return dlt.pipeline(
            "internals",
            destination=NamingDuckDB(credentials=str(self.database)),
            dataset_name="data",
            pipelines_dir=str(self.folder / "pipelines"),
            _impl_cls=StatefulPipeline,
        )

    def load(self) -> None:
        @dlt.resource(
            name="orders",
            primary_key="id",
            write_disposition="merge",
            nested_hints={
                "refunds": dlt.mark.make_nested_hints(columns={"n": {"data_type": "bigint"}})
            },
        )
        def orders() -> Iterator[object]:
            dlt.current.resource_state()["cursor"] = 1
            yield [{"id": 1, "note": "a", "lines": [{"n": 1}, {"n": 2}]}]

        self.pipeline.run(orders)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """A loaded warehouse that tests must not change."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
        patch.setenv("RUNTIME__LOG_LEVEL", "CRITICAL")
        patch.setenv("DLT_DATA_DIR", str(tmp_path_factory.mktemp("data")))
        warehouse = Warehouse(tmp_path_factory.mktemp("internals"))
        warehouse.load()
        yield warehouse


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """The test's own folders, and no pipeline active before or after."""
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    monkeypatch.setenv("RUNTIME__LOG_LEVEL", "CRITICAL")
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "data"))
    Container()[PipelineContext].deactivate()
    yield
    Container()[PipelineContext].deactivate()


def test_config_values_say_where_they_are_from(monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting comes with its provider and the key that people would search for."""
    monkeypatch.setenv("SOURCES__SOMETHING__LIMIT", "12")
    (found, *_) = dlt_internals.iter_config_values("limit", "sources", "something")
    assert found == ("12", "SOURCES__SOMETHING__LIMIT", "Environment Variables")
    assert list(dlt_internals.iter_config_values("nowhere", "sources", "something")) == []


@pytest.mark.thorough
@pytest.mark.parametrize(("setting", "kept"), [("true", 2), ("false", 4)])
def test_the_number_of_kept_packages_is_bounded(
    loaded: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str, kept: int
) -> None:
    """The newest packages are kept, or all if a person wants to see them; loads continue."""
    monkeypatch.setenv("LOAD__DELETE_COMPLETED_JOBS", setting)
    warehouse = loaded.copy(tmp_path / "pruned")
    for _ in range(3):
        warehouse.load()
    before = warehouse.pipeline.list_completed_load_packages()
    dlt_internals.prune_loaded_packages(warehouse.pipeline, 2)
    assert warehouse.pipeline.list_completed_load_packages() == sorted(before)[-kept:]
    warehouse.load()
    assert not warehouse.pipeline.has_pending_data


def test_dlts_steps_of_earlier_packages_are_not_kept(loaded: Warehouse, tmp_path: Path) -> None:
    """dlt would keep the steps of every load, and write all of them after each step."""
    warehouse = loaded.copy(tmp_path / "traced")
    pipeline = warehouse.pipeline
    for number in range(3):
        pipeline.extract([{"id": number}], table_name="numbers")
        pipeline.normalize()
        pipeline.load()
        dlt_internals.prune_loaded_packages(pipeline, 2)
    trace = pipeline.last_trace
    assert trace is not None
    assert [each.step for each in trace.steps] == ["extract", "normalize", "load"]
    assert trace.last_load_info is not None


def test_addresses_are_parsed_without_sqlalchemy() -> None:
    """dlt's own parser reads every destination's address, as without SQLAlchemy installed."""
    code = (
        "import sys, dlt;"
        "from harvest_source.dlt_internals import avoid_sqlalchemy;"
        "avoid_sqlalchemy();"
        "from dlt.destinations.impl.postgres.configuration import PostgresCredentials;"
        "given = PostgresCredentials('postgresql://ann:p%40ss@host:5433/db?sslmode=require');"
        "print(given.password, given.port, given.query, 'sqlalchemy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == "p@ss 5433 {'sslmode': 'require'} False"


@pytest.mark.thorough
@pytest.mark.parametrize(
    "use",
    [
        "from dlt.sources.helpers import requests; client = requests.client",
        "from dlt.sources.helpers.requests import client",
        "import dlt.sources.helpers.requests.retry;from dlt.sources.helpers.requests import client",
    ],
)
def test_requests_are_imported_when_they_are_used(use: str) -> None:
    """The client has dlt's configuration, as if dlt had imported it at startup."""
    code = (
        "import sys, dlt;"
        "from harvest_source.dlt_internals import defer_requests;"
        "defer_requests();"
        "dlt.pipeline('a', destination='duckdb');"
        "before = 'requests' in sys.modules;"
        f"{use};"
        "print(before, client._session_kwargs['timeout'])"
    )
    given = {**os.environ, "RUNTIME__REQUEST_TIMEOUT": "17"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=given)
    assert done.stdout.split() == ["False", "17.0"]


def test_a_warning_is_in_the_log_of_dlt(
    loaded: Warehouse, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Users of plain dlt look there, once dlt has read its configuration."""
    del loaded
    monkeypatch.setattr(logging.getLogger("dlt"), "propagate", True)
    with caplog.at_level(logging.WARNING, "dlt"):
        dlt_internals.log_warning("nothing is wrong")
    assert "nothing is wrong" in caplog.messages


def test_the_active_pipeline_is_the_last_one_made(loaded: Warehouse) -> None:
    """It is the pipeline that was made last, or None if none is active."""
    assert dlt_internals.find_active_pipeline() is None
    assert dlt_internals.find_active_destination() is None
    loaded.pipeline.activate()
    assert dlt_internals.find_active_pipeline() is loaded.pipeline
    assert dlt_internals.find_active_destination() is loaded.pipeline.destination


def test_the_load_id_is_known_while_extracting(tmp_path: Path) -> None:
    """Inside an extraction it is the package's id; outside it is None."""
    assert dlt_internals.find_load_id() is None
    seen: list[str | None] = []

    @dlt.resource(name="numbers")
    def numbers() -> Iterator[object]:
        seen.append(dlt_internals.find_load_id())
        yield {"id": 1}

    pipeline = dlt.pipeline("ids", destination="dummy", pipelines_dir=str(tmp_path))
    info = pipeline.extract(numbers)
    assert seen == info.loads_ids


def test_the_pipelines_folder_follows_dlt_data_dir(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The folder follows DLT_DATA_DIR, as in dlt itself."""
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "elsewhere"))
    assert dlt_internals.find_pipelines_folder() == tmp_path / "elsewhere" / "pipelines"


def test_a_restored_pipeline_does_not_compare_its_state_again(tmp_path: Path) -> None:
    """Once marked, ``run`` loads without comparing its state with the destination's."""
    warehouse = Warehouse(tmp_path)
    asked: list[object] = []
    warehouse.pipeline._sync_destination = lambda *given: asked.append(given)  # type: ignore[method-assign]
    dlt_internals.mark_restored(warehouse.pipeline)
    warehouse.load()
    assert asked == []


def test_state_versions_are_equal_after_a_load(loaded: Warehouse, tmp_path: Path) -> None:
    """After a load both versions are equal; an empty destination has none."""
    state = loaded.pipeline.state
    expected = dlt_internals.read_expected_version(state)
    assert expected.number == dlt_internals.read_state_number(state) > 0
    with loaded.pipeline.destination_client() as client:
        stored = dlt_internals.read_stored_version(loaded.pipeline, client)
        assert stored == expected
        assert dlt_internals.find_last_pipeline(client, "internals") == "internals"
        assert dlt_internals.find_last_pipeline(client, "another") is None
    other = loaded.copy(tmp_path)
    other.database.unlink()
    with other.pipeline.destination_client() as client:
        stored = dlt_internals.read_stored_version(other.pipeline, client)
        assert stored == dlt_internals.NO_STATE
        assert dlt_internals.find_last_pipeline(client, "internals") is None
        assert not dlt_internals.has_dataset(client)


@pytest.mark.thorough
@pytest.mark.parametrize("step", ["extract", "normalize"])
def test_a_package_names_the_state_it_was_made_on(tmp_path: Path, step: str) -> None:
    """It is the destination's state at that time, even if the package brings no state."""
    warehouse = Warehouse(tmp_path)
    pipeline = warehouse.pipeline
    assert dlt_internals.read_pending_base(pipeline) is None
    for _ in range(2):
        with pipeline.destination_client() as client:
            stored = dlt_internals.read_stored_version(pipeline, client)
        pipeline.extract([{"id": 1}], table_name="plain")
        if step == "normalize":
            pipeline.normalize()
        base = dlt_internals.read_pending_base(pipeline)
        assert base is not None
        assert stored is not None
        assert base.is_same(stored)
        pipeline.normalize()
        pipeline.load()
        assert dlt_internals.read_pending_base(pipeline) is None


def test_states_are_distinguished_by_digest_and_number() -> None:
    """States differ by digest, and by number if both are known; two absent states are equal."""
    version = dlt_internals.StateVersion
    assert version("a", 1).is_same(version("a", 1))
    assert version("a", 1).is_same(version("a"))
    assert not version("a", 1).is_same(version("a", 2))
    assert not version("a", 1).is_same(version("b", 1))
    assert dlt_internals.NO_STATE.is_same(version("", 0))


def test_the_highest_state_is_restored(loaded: Warehouse, tmp_path: Path) -> None:
    """A later load id may have an older state, if a machine's clock was ahead."""
    warehouse = loaded.copy(tmp_path)
    with duckdb.connect(str(warehouse.database)) as connection:
        for table, change in (
            ("_dlt_pipeline_state", "version = 0, _dlt_load_id = '9999999999.1', _dlt_id = 'x'"),
            ("_dlt_loads", "load_id = '9999999999.1'"),
        ):
            connection.execute(f"CREATE TABLE data.copied AS SELECT * FROM data.{table}")
            connection.execute(f"UPDATE data.copied SET {change}")
            connection.execute(f"INSERT INTO data.{table} SELECT * FROM data.copied LIMIT 1")
            connection.execute("DROP TABLE data.copied")
    shutil.rmtree(tmp_path / "pipelines")
    pipeline = warehouse.attach()
    pipeline.sync_destination()
    assert dlt_internals.read_state_number(pipeline.state) == 1
    with pipeline.destination_client() as client:
        stored = dlt_internals.read_stored_version(pipeline, client)
    assert stored is not None
    assert stored.number == 1


def test_the_highest_schema_is_restored(loaded: Warehouse, tmp_path: Path) -> None:
    """One that was stored later may be older, if a machine's clock was ahead."""
    warehouse = loaded.copy(tmp_path)
    with duckdb.connect(str(warehouse.database)) as connection:
        connection.execute("CREATE TABLE old AS SELECT * FROM data._dlt_version")
        connection.execute(
            "UPDATE old SET version = 0, version_hash = 'old', "
            "inserted_at = inserted_at + INTERVAL 1 DAY, "
            "schema = replace(schema, '\"orders\"', '\"older\"')"
        )
        connection.execute("INSERT INTO data._dlt_version SELECT * FROM old; DROP TABLE old")
    shutil.rmtree(tmp_path / "pipelines")
    pipeline = warehouse.attach()
    pipeline.sync_destination()
    assert "orders" in pipeline.default_schema.tables


def test_a_schema_without_a_state_is_restored(loaded: Warehouse, tmp_path: Path) -> None:
    """The tables of a first load that was killed are known to the next run."""
    warehouse = loaded.copy(tmp_path)
    with duckdb.connect(str(warehouse.database)) as connection:
        connection.execute("DELETE FROM data._dlt_loads; DELETE FROM data._dlt_pipeline_state")
    shutil.rmtree(tmp_path / "pipelines")
    pipeline = warehouse.attach()
    dlt_internals.restore_schema(pipeline, "nothing")
    assert pipeline.default_schema_name is None
    dlt_internals.restore_schema(pipeline, "internals")
    pipeline.sync_destination()
    assert "orders" in warehouse.attach().default_schema.tables


def test_the_state_is_reread_when_its_file_changed(loaded: Warehouse) -> None:
    """It is reread after any pipeline's write, except while this run is changing it."""
    pipeline = loaded.pipeline
    before = dlt_internals.read_state(pipeline)
    assert dlt_internals.read_state(pipeline) is before
    pipeline.set_local_state_val("ours", 1)
    assert dlt_internals.read_state(pipeline)["_local"]["ours"] == 1
    loaded.attach().set_local_state_val("ours", 2)
    assert pipeline.get_local_state_val("ours") == 2
    with pipeline.managed_state() as state:
        local: Any = state["_local"]
        local["ours"] = 3
        assert pipeline.get_local_state_val("ours") == 3
        assert dlt_internals.read_state(pipeline)["_local"]["ours"] == 2
    assert dlt_internals.read_state(pipeline)["_local"]["ours"] == 3


def test_local_values_can_be_set_and_read(loaded: Warehouse) -> None:
    """Values of the working folder can be set and read; a missing one raises KeyError."""
    loaded.pipeline.set_local_state_val("ours", {"a": 1})
    assert loaded.pipeline.get_local_state_val("ours") == {"a": 1}
    with pytest.raises(KeyError):
        loaded.pipeline.get_local_state_val("theirs")


def test_the_schema_knows_tables_with_rows_and_roots(loaded: Warehouse) -> None:
    """A table that never had a row is recognised; a child leads to its root table."""
    schema = loaded.pipeline.default_schema
    assert dlt_internals.has_received_rows(schema.tables["orders__lines"])
    assert not dlt_internals.has_received_rows(schema.tables["orders__refunds"])
    assert dlt_internals.find_root(schema, "orders__lines") == "orders"
    assert dlt_internals.find_root(schema, "orders") == "orders"


def test_missing_tables_and_columns_are_found_and_made(loaded: Warehouse, tmp_path: Path) -> None:
    """Dropped tables and columns are named, and created although dlt believes they exist."""
    warehouse = loaded.copy(tmp_path)
    with duckdb.connect(str(warehouse.database)) as connection:
        connection.execute("DROP TABLE data.orders__lines")
        connection.execute("ALTER TABLE data.orders DROP COLUMN note")
    schema = warehouse.pipeline.default_schema
    with warehouse.pipeline.destination_client() as client:
        missing = dict(dlt_internals.iter_incomplete_tables(schema, client))
        assert missing.keys() == {"orders__lines", "orders"}
        assert missing["orders"].keys() == {"note"}
        assert dlt_internals.has_dataset(client)
        dlt_internals.create_tables(client, sorted(missing))
        assert list(dlt_internals.iter_incomplete_tables(schema, client)) == []
        (count,) = dlt_internals.sql_client_of(client).execute_sql(  # type: ignore[misc]
            "SELECT COUNT(*) FROM data.orders__lines"
        )
        assert count[0] == 0


def test_a_query_can_be_limited(loaded: Warehouse) -> None:
    """The limit works in each destination's syntax."""
    with loaded.pipeline.sql_client() as client:
        top, last = dlt_internals.limit_clause(client, 1)
        assert len(client.execute_sql(f"SELECT {top} n FROM orders__lines {last}") or ()) == 1


def test_a_destination_without_sql_is_not_inspected(tmp_path: Path) -> None:
    """A destination of plain files is not inspected."""
    pipeline = dlt.pipeline(
        "files",
        destination=dlt.destinations.filesystem(str(tmp_path / "bucket")),
        pipelines_dir=str(tmp_path),
    )
    pipeline.run([{"id": 1}], table_name="t")
    with pipeline.destination_client() as client:
        assert list(dlt_internals.iter_incomplete_tables(pipeline.default_schema, client)) == []


def test_destinations_are_found_by_name() -> None:
    """Known names are found with their capabilities; unknown names and missing extras are None."""
    postgres = dlt_internals.find_destination("postgres")
    assert dlt_internals.supports_merge(postgres, "delete-insert")
    assert not dlt_internals.supports_merge(postgres, "telepathy")
    files = dlt_internals.find_destination("filesystem")
    assert type(files) is dlt_internals.OpenTables
    assert not dlt_internals.supports_merge(files, "upsert")
    assert dlt_internals.find_destination("no_such_destination") is None


def test_statements_for_postgresql_are_short() -> None:
    """Each is in memory several times: dlt's limit of 32 MB would take 100 MB."""
    found = dlt_internals.find_destination("postgres")
    assert found is not None
    assert found.capabilities().max_query_length == 4 * 1024 * 1024


def test_errors_of_a_load_lead_to_their_cause(tmp_path: Path) -> None:
    """The driver's own error is reachable from the error that ``run`` raises."""
    warehouse = Warehouse(tmp_path)
    warehouse.database.write_bytes(b"This is a text and not a database. " * 400)
    with pytest.raises(PipelineStepFailed) as caught:
        warehouse.load()
    found = list(iter_causes(caught.value, attributes=dlt_internals.INNER_ERRORS))
    assert any(isinstance(each, duckdb.IOException) for each in found)
    assert any(isinstance(each, DestinationTransientException) for each in found)


def test_missing_settings_have_their_own_error(tmp_path: Path) -> None:
    """A destination without credentials fails with a ConfigurationException as the cause."""
    pipeline = dlt.pipeline("bare", destination="postgres", pipelines_dir=str(tmp_path))
    with pytest.raises(PipelineStepFailed) as caught:
        pipeline.run([{"id": 1}], table_name="t")
    assert isinstance(caught.value.__cause__, ConfigurationException)


@pytest.mark.parametrize("name", ["state.json", "*.schema.json"])
@pytest.mark.parametrize("content", [None, "", '{"half":'])
def test_damaged_folders_raise_known_errors(
    loaded: Warehouse, tmp_path: Path, name: str, content: str | None
) -> None:
    """An empty, truncated or missing file raises one of FOLDER_ERRORS, or nothing."""
    warehouse = loaded.copy(tmp_path)
    for file in (tmp_path / "pipelines").rglob(name):
        file.unlink()
        if content is not None:
            file.write_text(content)

    def read() -> None:
        again = warehouse.attach()
        for schema in again.schema_names:
            _ = again.schemas[schema]

    try:
        read()
    except dlt_internals.FOLDER_ERRORS:
        return
    assert content is None


def test_an_interrupt_waits_for_the_block() -> None:
    """A SIGINT inside the block is delivered once, at its end, as KeyboardInterrupt."""
    done = []

    def write() -> None:
        with dlt_internals.delaying_interrupts():
            os.kill(os.getpid(), signal.SIGINT)
            done.append("what was being written")

    with pytest.raises(KeyboardInterrupt):
        write()
    assert done
    with dlt_internals.delaying_interrupts():
        pass


# DuckDB.

FILES = [
    "harvest.duckdb",
    "harvest.prod.duckdb",
    "harvest.2026.db",
    "Harvest.duckdb",
    "harvest",
    "main.duckdb",
    "system.db",
    "temp.duckdb",
    ".hidden.duckdb",
    "..x.duckdb",
    "a b.duckdb",
    "ü.duckdb",
    'q"x.db',
    "a;b.db",
]


@pytest.mark.parametrize("name", FILES)
def test_catalogs_are_named_as_duckdb_names_them(tmp_path: Path, name: str) -> None:
    """The rule is the same as in the installed DuckDB."""
    path = str(tmp_path / name)
    with duckdb.connect(path) as connection:
        (catalog,) = connection.execute("SELECT current_database()").fetchall()[0]
    assert dlt_internals.find_catalog_name(path) == catalog


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("name", "dataset"),
    [
        ("Harvest.prod.duckdb", "harvest"),
        ("data.duckdb", "temp"),
    ],
)
def test_a_dataset_named_like_its_catalog_loads(tmp_path: Path, name: str, dataset: str) -> None:
    """Load, merge, restore and read use names that DuckDB understands."""

    def attach() -> dlt.Pipeline:
        return dlt.pipeline(
            "naming",
            destination=NamingDuckDB(credentials=str(tmp_path / name)),
            dataset_name=dataset,
            pipelines_dir=str(tmp_path / "pipelines"),
        )

    merge = {"table_name": "t", "primary_key": "id", "write_disposition": "merge"}
    attach().run([{"id": 1, "of": [1]}, {"id": 2}], **merge)  # type: ignore[arg-type]
    pipeline = attach()
    pipeline.run([{"id": 1, "of": [2, 3], "at": datetime(2026, 1, 1, tzinfo=UTC)}], **merge)  # type: ignore[arg-type]
    table = pipeline.dataset()["t"].arrow()
    assert isinstance(table, pa.Table)
    assert sorted(table.column("id").to_pylist()) == [1, 2]
    assert len(pipeline.dataset()["t__of"].fetchall()) == 2
    batches = list(pipeline.dataset()["t"].iter_arrow(1))
    assert sum(batch.num_rows for batch in batches) == 2


def test_dlt_can_attach_without_us(loaded: Warehouse) -> None:
    """The folder names dlt's own destination, so ``dlt.attach`` and dlt's commands work."""
    again = dlt.attach("internals", pipelines_dir=str(loaded.folder / "pipelines"))
    assert again.destination.destination_type == "dlt.destinations.duckdb"


def test_a_plain_pipeline_is_given_our_client(tmp_path: Path) -> None:
    """Its settings are kept; destinations of other kinds are unchanged."""
    given = dlt.destinations.duckdb(str(tmp_path / "harvest.duckdb"), create_indexes=True)
    pipeline = dlt.pipeline(
        "plain", destination=given, dataset_name="harvest", pipelines_dir=str(tmp_path)
    )
    dlt_internals.use_naming_duckdb(pipeline)
    own = pipeline.destination
    assert isinstance(own, NamingDuckDB)
    assert own.config_params.items() >= given.config_params.items()
    dlt_internals.use_naming_duckdb(pipeline)
    assert pipeline.destination is own
    pipeline.run([{"id": 1}], table_name="t")
    assert len(pipeline.dataset()["t"].fetchall()) == 1
    other = dlt.pipeline("other", destination="dummy", pipelines_dir=str(tmp_path))
    before = other.destination
    dlt_internals.use_naming_duckdb(other)
    assert other.destination is before


def test_sections_of_files_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file with the section is returned with its content; the environment is ignored."""
    (tmp_path / ".dlt").mkdir()
    (tmp_path / ".dlt" / "config.toml").write_text("[sources.something]\nlimit = 3\n")
    monkeypatch.setenv("SOURCES__SOMETHING__LIMIT", "4")
    monkeypatch.delenv("DLT_PROJECT_DIR", raising=False)
    context = Container()[PluggableRunContext]
    before = context.context.run_dir
    context.reload(str(tmp_path))
    try:
        found = list(dlt_internals.iter_config_sections("sources", "something"))
        files = list(dlt_internals.iter_config_files())
    finally:
        context.reload(before)
    assert found == [(str(tmp_path / ".dlt" / "config.toml"), {"limit": 3})]
    assert {tmp_path / ".dlt" / "config.toml", tmp_path / ".dlt" / "secrets.toml"} <= set(files)


def test_our_last_step_runs_after_the_users_steps() -> None:
    """It gets every step's rows and the resource's name; steps that take tables do not count."""
    found: list[object] = []

    @dlt.resource
    def numbers() -> Iterator[object]:
        found.append(dlt_internals.has_row_steps())
        yield [{"n": 1}, {"n": 2}]

    step = dlt_internals.LastStep(found.append, lambda name, rows: [{"of": name}, *rows])
    numbers.add_step(step)
    assert [*numbers.add_limit(5)] == [{"of": "numbers"}, {"n": 1}, {"n": 2}]
    assert found == ["numbers", False]
    found.clear()

    def twice(row: dict[str, int]) -> Iterator[dict[str, int]]:
        yield from (row, row)

    numbers.add_yield_map(twice).add_map(lambda row: {"n": -row["n"]}, insert_at=3)
    assert [*numbers] == [{"of": "numbers"}, {"n": -1}, {"n": -1}, {"n": -2}, {"n": -2}]
    assert found == ["numbers", True]

    @dlt.transformer
    def seen(page: list[object]) -> Iterator[object]:
        yield {"rows": len(page)}

    assert [*(numbers | seen)] == [{"rows": 4}]


def test_tables_are_computed_before_rows_come() -> None:
    """They are a resource's table and child tables with all hints; none if hints need a row."""
    schema = dlt.Schema("some")
    nested: Any = {"lines": dlt.mark.make_nested_hints(columns={"n": {"data_type": "bigint"}})}
    orders = dlt.resource([], name="Orders", primary_key="id", nested_hints=nested)
    main, lines = dlt_internals.compute_tables(orders, schema)
    assert (main["name"], lines["name"], lines["parent"]) == ("orders", "orders__lines", "orders")
    assert main["columns"]["id"]["primary_key"]
    assert dlt_internals.contract_allows_table(schema, main)
    schema.set_schema_contract("freeze")
    assert not dlt_internals.contract_allows_table(schema, main)
    main["columns"]["id"]["data_type"] = "bigint"
    schema.update_table(main)
    assert dlt_internals.contract_allows_table(schema, main)
    orders.apply_hints(table_name=lambda row: row["kind"])
    assert dlt_internals.compute_tables(orders, schema) == []


def test_merge_strategies_depend_on_the_table_format() -> None:
    """Files merge only in Delta and Iceberg tables; DuckDB prefers delete-insert."""
    files, ours = dlt.destinations.filesystem("memory://x"), dlt_internals.OpenTables("memory://x")
    found = dlt_internals.find_merge_strategies
    assert found(ours, {"name": "a"}) == ()
    assert found(ours, {"name": "a", "table_format": "delta"}) == ("delete-insert",)
    assert found(files, {"name": "a"}) == ()
    assert found(files, {"name": "a", "table_format": "delta"})[0] == "upsert"
    assert found(dlt.destinations.duckdb(), {"name": "a"})[0] == "delete-insert"


def test_the_staging_dataset_can_be_dropped(loaded: Warehouse, tmp_path: Path) -> None:
    """Its tables and the dataset are dropped; the next load creates them again."""
    warehouse = loaded.copy(tmp_path)
    with duckdb.connect(str(warehouse.database)) as connection:
        connection.execute("SELECT * FROM data_staging.orders")
    with warehouse.pipeline.destination_client() as client:
        dlt_internals.drop_staging(client)
        dlt_internals.drop_staging(client)
    with duckdb.connect(str(warehouse.database)) as connection, pytest.raises(duckdb.Error):
        connection.execute("SELECT * FROM data_staging.orders")
    warehouse.load()
    with duckdb.connect(str(warehouse.database)) as connection:
        assert connection.execute("SELECT id FROM data.orders").fetchall() == [(1,)]


def test_columns_can_be_renamed(loaded: Warehouse, tmp_path: Path) -> None:
    """They are renamed in the destination and in dlt's schema; loads use the new name."""
    warehouse = loaded.copy(tmp_path)
    schema = warehouse.pipeline.default_schema.clone()
    with warehouse.pipeline.destination_client() as client:
        assert "note" in dlt_internals.find_stored_columns(client, ["orders"])["orders"]
        assert dlt_internals.spell_as_stored(client, "note") == "note"
        dlt_internals.sql_client_of(client).execute_sql(
            "ALTER TABLE data.orders RENAME COLUMN note TO remark"
        )
    dlt_internals.rename_in_schema(schema, "orders", {"note": "remark"})
    dlt_internals.store_schema(warehouse.pipeline, schema)
    assert "remark" in warehouse.attach().default_schema.tables["orders"]["columns"]
    with warehouse.pipeline.destination_client() as client:
        stored = client.get_stored_schema("internals")  # type: ignore[attr-defined]
        assert '"remark"' in stored.schema
        assert list(dlt_internals.iter_incomplete_tables(schema, client)) == []
    warehouse.pipeline.run([{"id": 2, "remark": "b"}], table_name="orders")
    with duckdb.connect(str(warehouse.database)) as connection:
        found = connection.execute("SELECT id, remark FROM data.orders ORDER BY id").fetchall()
    assert found == [(1, "a"), (2, "b")]


def test_dlt_finds_the_file(loaded: Warehouse, tmp_path: Path) -> None:
    """``dlt.attach`` alone opens the remembered file, not a file that dlt would name."""
    warehouse = loaded.copy(tmp_path)
    dlt_internals.remember_database(warehouse.pipeline, str(warehouse.database))
    pipeline = dlt.attach("internals", pipelines_dir=str(tmp_path / "pipelines"))
    assert pipeline.dataset()("SELECT id FROM orders").fetchall() == [(1,)]


def test_a_file_can_be_opened_for_reading(loaded: Warehouse, tmp_path: Path) -> None:
    """Two readers can open it at once, and neither can write."""
    warehouse = loaded.copy(tmp_path)
    destination = dlt_internals.build_duckdb(str(warehouse.database), read_only=True)
    pipeline = dlt.attach(
        "internals", pipelines_dir=str(tmp_path / "pipelines"), destination=destination
    )
    with pipeline.sql_client() as sql:
        assert sql.execute_sql("SELECT id FROM orders") == [(1,)]
        with pytest.raises(Exception, match="read-only"):
            sql.execute_sql("DELETE FROM orders")


def test_a_schema_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is reread once its file has changed; unsaved changes here are kept."""
    warehouse = Warehouse(tmp_path)
    warehouse.load()
    pipeline, read = warehouse.pipeline, list[str]()

    def load(store: SchemaStorage, name: str) -> dlt.Schema:
        read.append(name)
        return SchemaStorage.load_schema(store, name)

    monkeypatch.setattr(LiveSchemaStorage, "load_schema", load)
    first = pipeline.default_schema
    read.clear()
    assert pipeline.default_schema is first
    assert pipeline.schemas[first.name] is first
    assert read == []

    other = first.clone()
    other.update_table({"name": "added", "columns": {}})
    SchemaStorage(pipeline._schema_storage_config).save_schema(other)
    assert "added" in pipeline.default_schema.tables
    assert read == [first.name]

    pipeline.default_schema.update_table({"name": "not_written", "columns": {}})
    assert "not_written" in pipeline.default_schema.tables
    assert read == [first.name]
