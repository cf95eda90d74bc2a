"""What dlt offers for sources: each works as in dlt, or is refused with an alternative."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import dlt
import pyarrow as pa
import pytest
from dlt.common.runtime import run_context
from dlt.common.schema.exceptions import DataValidationError
from dlt.pipeline.exceptions import PipelineStepFailed
from dlt.sources import DltSource

from harvest_source import harvest
from harvest_source.errors import ConfigError, find_cause
from harvest_source.schema.endpoints import BY_NAME
from tests.support.lab import Lab, Row

pytestmark = pytest.mark.rare

ARROW, NESTED, WHOLE = "clients", "invoices", "roles"
"""Tables that travel as Arrow tables, as rows with arrays, and as lists that are replaced."""
TABLES = (ARROW, NESTED, WHOLE)


ACCOUNTS = (1001, 1002)
"""A source that names no account reads the first one only."""

_NUMBERS = count(1)


class PlainDlt:
    """The source of one unchanging account, and pipelines into new DuckDB files."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab

    def source(self, *tables: str, **options: Any) -> DltSource:
        """The source, limited to *tables* if any are named."""
        settings = {"account_id": self.lab.server.account_id} | self.lab.settings | options
        source = harvest(**settings)
        return source.with_resources(*tables) if tables else source

    def pipeline(self, **options: Any) -> dlt.Pipeline:
        """A pipeline into its own file."""
        name = f"plain_{next(_NUMBERS)}"
        file = self.lab.folder / f"{name}.duckdb"
        settings: dict[str, Any] = {
            "destination": dlt.destinations.duckdb(str(file)),
            "dataset_name": "data",
        }
        made: dlt.Pipeline = dlt.pipeline(name, **(settings | options))
        return made

    def served(self, table: str) -> int:
        """The number of rows that Harvest has."""
        return self.lab.server.count(table)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """An account that no test of this module changes."""
    with Lab(tmp_path_factory.mktemp("plain"), entries=60, accounts=ACCOUNTS) as lab:
        lab.stop_timers()
        lab.rest()
        yield lab


@pytest.fixture
def plain(lab: Lab) -> Iterator[PlainDlt]:
    with lab.working():
        yield PlainDlt(lab)


def rows(pipeline: dlt.Pipeline, table: str) -> list[Row]:
    """Every row of *table*; none if the table does not exist."""
    with pipeline.sql_client() as client:
        name = client.make_qualified_table_name(table)
        with client.execute_query(f"SELECT * FROM {name}") as cursor:
            columns = [each[0] for each in cursor.description]
            return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


def ids(pipeline: dlt.Pipeline, table: str) -> list[int]:
    return sorted(row["id"] for row in rows(pipeline, table))


def refused(pipeline: dlt.Pipeline, source: Any, **options: Any) -> str:
    """The message that refuses a run before it asks Harvest anything and leaves nothing pending."""
    with pytest.raises(PipelineStepFailed) as caught:
        pipeline.run(source, **options)
    error = find_cause(caught.value, ConfigError)
    assert error is not None, caught.value
    assert not pipeline.has_pending_data
    return str(error)


# Steps on rows.


@pytest.mark.parametrize("table", [ARROW, NESTED, "time_entries"])
def test_add_filter(plain: PlainDlt, table: str) -> None:
    """A filter gets the rows of every table, and the load has only the rows that pass."""
    source, pipeline = plain.source(table), plain.pipeline()
    source.resources[table].add_filter(lambda row: row["id"] % 2 == 0)
    pipeline.run(source)
    even = sorted(r["id"] for r in plain.lab.server.rows(table) if r["id"] % 2 == 0)
    assert ids(pipeline, table) == even
    assert even


@pytest.mark.parametrize("as_rows", [None, False])
def test_the_file_format_is_set_although_a_filter_drops_the_first_rows(
    plain: PlainDlt, as_rows: bool | None
) -> None:
    """PostgreSQL would get csv, which has no empty texts. Its server is not asked for anything."""
    database = dlt.destinations.postgres("postgresql://a:-@127.0.0.1:1/none")
    pipeline = plain.pipeline(destination=database)
    source = plain.source("time_entries", account_id=[*ACCOUNTS], as_rows=as_rows)
    source.time_entries.add_filter(lambda item: ACCOUNTS[0] not in _find_accounts(item))
    pipeline.extract(source)
    assert pipeline.default_schema.tables["time_entries"]["file_format"] == "insert_values"


def _find_accounts(item: Row | pa.Table) -> list[int]:
    """The account ids of a row, or of an Arrow table's rows."""
    return [item["account_id"]] if isinstance(item, dict) else item["account_id"].to_pylist()


def test_add_map(plain: PlainDlt) -> None:
    """
    A map gets rows with exact values and may change and add columns: Harvest's columns keep their
    types, and a value that does not fit goes to the column beside its own.
    """

    def change(row: Row) -> Row:
        assert isinstance(row["hours"], Decimal)
        row["hours"] = float(row["hours"]) / 3
        row["double_hours"] = float(row["hours"]) * 2
        row["label"] = f"{row['project__name']}/{row['user__name']}"
        row["tags"] = {"first": "a", "all": ["a", "b"]}
        row["billable_rate"] = "none"
        return row

    source, pipeline = plain.source("time_entries"), plain.pipeline()
    source.time_entries.add_map(change)
    pipeline.run(source)
    for row in (landed := rows(pipeline, "time_entries")):
        assert abs(row["hours"] * 2 - Decimal(row["double_hours"])) < Decimal("0.00000001")
        assert row["label"].startswith(row["project__name"])
        assert (row["tags__first"], row["tags__all"]) == ("a", '["a","b"]')
        assert (row["billable_rate"], row["billable_rate__v_text"]) == (None, "none")
    assert len(landed) == plain.served("time_entries")
    assert "_dlt_id" not in landed[0]


def test_a_table_may_gain_and_lose_its_steps(plain: PlainDlt) -> None:
    """Runs with steps and runs without them load into one table."""
    pipeline = plain.pipeline()
    for name in (None, "Theirs", None):
        source = plain.source(ARROW)
        if name:
            source.clients.add_map(lambda row: row | {"owner": "Theirs"})
        with pipeline.managed_state() as state:
            state.get("sources", {}).clear()
        pipeline.run(source)
        assert len(rows(pipeline, ARROW)) == plain.served(ARROW)


def test_a_step_by_number_gets_rows(plain: PlainDlt) -> None:
    """insert_at puts a step before or after the others; at either place it gets rows."""
    source, pipeline = plain.source(ARROW), plain.pipeline()
    order: list[str] = []

    def note(word: str) -> Any:
        def step(row: Row) -> Row:
            order.append(word)
            return row | {word: True}

        return step

    source.clients.add_map(note("middle")).add_map(note("first"), insert_at=1)
    source.clients.add_map(note("last"), insert_at=len(source.clients._pipe.steps))
    pipeline.run(source)
    assert order[:: plain.served(ARROW)] == ["first", "middle", "last"]
    assert all(row["first"] and row["last"] for row in rows(pipeline, ARROW))


def test_add_yield_map_and_metrics(plain: PlainDlt) -> None:
    """One row may become several; metrics are counted over rows."""
    source, pipeline = plain.source(ARROW), plain.pipeline()

    def split(row: Row) -> Iterator[Row]:
        yield row
        yield row | {"id": row["id"] + 1_000_000_000}

    def measure(items: Any, meta: Any, metrics: dict[str, Any]) -> None:
        metrics["named"] = metrics.get("named", 0) + sum(1 for each in items if each["name"])

    source.clients.add_metrics(measure).add_yield_map(split)
    pipeline.run(source)
    assert len(rows(pipeline, ARROW)) == 2 * plain.served(ARROW)
    assert source.clients.custom_metrics == {"named": plain.served(ARROW)}


def test_a_filter_that_keeps_no_row_still_creates_the_table(plain: PlainDlt) -> None:
    """If a filter keeps no row, the table is created with every column, empty."""
    source, pipeline = plain.source(ARROW), plain.pipeline()
    source.clients.add_filter(lambda _: False)
    pipeline.run(source)
    assert rows(pipeline, ARROW) == []
    declared = {column.name for column in BY_NAME[ARROW].record.columns if not column.secret}
    assert declared <= pipeline.default_schema.get_table_columns(ARROW).keys()


def test_steps_that_return_no_row_are_refused(plain: PlainDlt) -> None:
    """The message names the fault: no row, a row without its key, a value no column can hold."""

    def refusal(step: Any) -> str:
        source, pipeline = plain.source(ARROW), plain.pipeline()
        source.clients.add_map(step)
        return refused(pipeline, source)

    assert "returned int instead of a row" in refusal(lambda _: 1)
    assert "without a usable id" in refusal(lambda row: {"account_id": row["account_id"]})
    assert "put a set into label" in refusal(lambda row: row | {"label": set()})


def test_add_limit(plain: PlainDlt) -> None:
    """add_limit(1) loads a page of each table and moves no cursor; the next run loads the rest."""
    pipeline = plain.pipeline()
    pipeline.run(plain.source(*TABLES).add_limit(1))
    assert all(rows(pipeline, table) for table in TABLES)
    pipeline.run(plain.source(*TABLES))
    for table in TABLES:
        assert len(rows(pipeline, table)) == plain.served(table)


def test_transformers_get_rows(plain: PlainDlt) -> None:
    """A transformer gets pages of rows, whether or not the table itself is loaded."""
    source = plain.source()

    @dlt.transformer(write_disposition="replace")
    def names(page: list[Row]) -> Iterator[Row]:
        for row in page:
            yield {"id": row["id"], "name": row["name"]}

    alone, both = plain.pipeline(), plain.pipeline()
    alone.run(source.clients | names)
    assert len(rows(alone, "names")) == plain.served(ARROW)
    assert ARROW not in alone.default_schema.tables

    source = plain.source()
    both.run([source.clients, source.clients | names.with_name("others")])
    assert len(rows(both, "others")) == len(rows(both, ARROW)) == plain.served(ARROW)


def test_iteration_yields_rows_unless_as_rows_is_false(plain: PlainDlt) -> None:
    """Without a pipeline each item is a row; as_rows=False gives Arrow tables, also to steps."""
    assert {type(item) for item in plain.source().clients} == {dict}
    assert {type(item) for item in plain.source(as_rows=False).clients} == {pa.Table}
    source, pipeline = plain.source(ARROW, as_rows=False), plain.pipeline()
    source.clients.add_map(lambda table: table.slice(0, 3))
    pipeline.run(source)
    assert len(rows(pipeline, ARROW)) == 3


def test_iteration_beside_a_pipeline_starts_at_its_cursors(plain: PlainDlt) -> None:
    """As with dlt's own incremental: the state of the pipeline made last counts, and stays."""
    pipeline = plain.pipeline()
    assert len(list(plain.source().clients)) == plain.served(ARROW)
    pipeline.run(plain.source(ARROW))
    assert list(plain.source().clients) == []
    plain.pipeline()
    assert len(list(plain.source().clients)) == plain.served(ARROW)


def test_steps_and_history_exclude_each_other(plain: PlainDlt) -> None:
    """History would keep what Harvest sent, so the run is refused before it reads."""
    source = plain.source(ARROW, history=[ARROW])
    source.clients.add_map(lambda row: row)
    assert "Leave out one of the two" in refused(plain.pipeline(), source)


# Write dispositions and merge strategies.


def test_append(
    plain: PlainDlt, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """append adds every row again each time it is read, and dlt's log warns of this."""
    show_warnings(monkeypatch)
    pipeline = plain.pipeline()
    for _ in range(2):
        pipeline.run(plain.source(ARROW, NESTED), write_disposition="append")
    assert set(ids(pipeline, ARROW)) == {row["id"] for row in plain.lab.server.rows(ARROW)}
    assert sum("is duplicated" in each for each in caplog.messages) == 2


def show_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let dlt log its warnings, and ours."""
    monkeypatch.setenv("RUNTIME__LOG_LEVEL", "WARNING")
    run_context.active().reload()


def test_replace(plain: PlainDlt) -> None:
    """replace reads everything again in each run, because dlt forgets the cursors."""
    pipeline = plain.pipeline()
    for _ in range(2):
        pipeline.run(plain.source(*TABLES), write_disposition="replace")
    for table in TABLES:
        assert len(rows(pipeline, table)) == plain.served(table)


@pytest.mark.parametrize("strategy", ["delete-insert", "upsert", "insert-only"])
def test_merge_strategies(plain: PlainDlt, strategy: Any) -> None:
    """Merge strategies that keep rows which a run did not bring work as in dlt."""
    pipeline = plain.pipeline()
    for _ in range(2):
        merge: Any = {"disposition": "merge", "strategy": strategy}
        pipeline.run(plain.source(*TABLES), write_disposition=merge)
    for table in TABLES:
        assert len(rows(pipeline, table)) == plain.served(table)


@pytest.mark.parametrize(("strategy", "advice"), [("cdc", "harvest-source sync"), ("scd2", "his")])
def test_strategies_that_would_lose_rows_are_refused(
    plain: PlainDlt, strategy: Any, advice: str
) -> None:
    """Strategies that would delete rows which a run did not bring are refused before it reads."""
    before = len(list(plain.lab.server.requests))
    merge: Any = {"disposition": "merge", "strategy": strategy}
    message = refused(plain.pipeline(), plain.source(ARROW), write_disposition=merge)
    assert "a run only brings the rows that changed" in message
    assert advice in message
    assert len(list(plain.lab.server.requests)) == before


def test_scd2_with_a_merge_key(plain: PlainDlt) -> None:
    """With the whole key as merge key dlt's own scd2 works; it needs a table of its own."""
    pipeline = plain.pipeline()

    def source() -> DltSource:
        built = plain.source(ARROW)
        merge: Any = {"disposition": "merge", "strategy": "scd2"}
        built.clients.apply_hints(write_disposition=merge, merge_key=["account_id", "id"])
        return built

    for _ in range(2):
        pipeline.run(source())
    landed = rows(pipeline, ARROW)
    assert len(landed) == plain.served(ARROW)
    assert {row["_dlt_valid_to"] for row in landed} == {None}
    assert "cannot add rows without it" in refused(pipeline, plain.source(ARROW))
    other = plain.pipeline()
    other.run(plain.source(ARROW))
    assert "cannot add scd2" in refused(other, source())


# Pipelines, schemas and sources.


@pytest.mark.parametrize("mode", ["drop_sources", "drop_resources", "drop_data"])
def test_refresh(plain: PlainDlt, mode: Any) -> None:
    """The run's tables are read from their first row; drop_sources also drops all others."""
    pipeline = plain.pipeline()
    pipeline.run(plain.source(ARROW, WHOLE))
    pipeline.run(plain.source(ARROW), refresh=mode)
    assert len(rows(pipeline, ARROW)) == plain.served(ARROW)
    kept = WHOLE in pipeline.default_schema.tables
    assert kept == (mode != "drop_sources")


def test_dev_mode(plain: PlainDlt) -> None:
    """Each dev_mode run starts from the beginning, in its own dataset."""
    file = dlt.destinations.duckdb(str(plain.lab.folder / "dev.duckdb"))
    pipeline = dlt.pipeline("dev", destination=file, dataset_name="data", dev_mode=True)
    pipeline.run(plain.source(ARROW))
    assert pipeline.dataset_name.startswith("data_")
    assert len(rows(pipeline, ARROW)) == plain.served(ARROW)


def test_clone_with_its_own_section(plain: PlainDlt, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clone reads settings from its own section, and keeps cursors under its own name."""
    for name, value in plain.lab.environment.items():
        if name.startswith("SOURCES__HARVEST__"):
            monkeypatch.setenv(name.replace("HARVEST", "SECOND_COMPANY", 1), value)
    pipeline = plain.pipeline()
    second = harvest.clone(name="second", section="second_company")
    pipeline.run(second().with_resources(ARROW))
    assert len(rows(pipeline, ARROW)) == plain.served(ARROW)
    assert list(pipeline.state["sources"]) == ["second"]


def test_arguments_that_are_left_to_the_configuration(
    plain: PlainDlt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """dlt users write ``dlt.secrets.value`` for a value that dlt's providers have."""
    for name, value in plain.lab.environment.items():
        monkeypatch.setenv(name, value)
    pipeline = plain.pipeline()
    source = harvest(credentials=dlt.secrets.value, account_id=dlt.config.value)
    pipeline.run(source.with_resources(ARROW))
    assert len(rows(pipeline, ARROW)) == plain.served(ARROW)


def test_parallelize(plain: PlainDlt) -> None:
    """Tables are already read in parallel, so parallelize() changes nothing."""
    pipeline = plain.pipeline()
    pipeline.run(plain.source(*TABLES).parallelize())
    for table in TABLES:
        assert len(rows(pipeline, table)) == plain.served(table)


def test_resources_work_in_a_users_own_source(plain: PlainDlt) -> None:
    """Our resources keep their cursors in a user's own source, and can be renamed there."""

    @dlt.source(name="company")
    def company() -> Iterator[Any]:
        source = plain.source()
        yield source.clients
        yield source.roles.with_name("jobs")

    pipeline = plain.pipeline()
    for _ in range(2):
        pipeline.run(company())
    assert len(rows(pipeline, ARROW)) == plain.served(ARROW)
    assert len(rows(pipeline, "jobs")) == plain.served(WHOLE)
    assert list(pipeline.state["sources"]) == ["company"]


@pytest.mark.parametrize("mode", ["evolve", "freeze", "discard_row", "discard_value"])
def test_schema_contract(plain: PlainDlt, mode: Any) -> None:
    """What harvest() declares passes every schema contract, from the first run on."""
    pipeline = plain.pipeline()
    for _ in range(2):
        pipeline.run(plain.source(*TABLES), schema_contract=mode)
    for table in TABLES:
        assert len(rows(pipeline, table)) == plain.served(table)
    assert rows(pipeline, "invoices__line_items")


def test_schema_contract_and_undeclared_columns(plain: PlainDlt) -> None:
    """An undeclared column is refused, or its value or row is left out, as dlt's contract says."""

    def run(mode: Any) -> dlt.Pipeline:
        source, pipeline = plain.source(ARROW), plain.pipeline()
        source.clients.add_map(lambda row: row | {"extra": 1} if row["id"] % 2 else row)
        pipeline.run(source, schema_contract={"tables": "freeze", "columns": mode})
        return pipeline

    with pytest.raises(PipelineStepFailed) as caught:
        run("freeze")
    assert find_cause(caught.value, DataValidationError) is not None
    assert len(rows(run("discard_value"), ARROW)) == plain.served(ARROW)
    even = [row["id"] for row in plain.lab.server.rows(ARROW) if row["id"] % 2 == 0]
    assert ids(run("discard_row"), ARROW) == sorted(even)


def test_import_and_export_of_schemas(plain: PlainDlt, tmp_path: Path) -> None:
    """dlt exports the schema, and edits in the imported schema take effect."""
    folders = {f"{way}_schema_path": str(tmp_path / way) for way in ("import", "export")}
    pipeline = plain.pipeline(**folders)
    pipeline.run(plain.source(ARROW))
    assert (tmp_path / "export" / "harvest.schema.yaml").exists()
    imported = tmp_path / "import" / "harvest.schema.yaml"
    imported.write_text(imported.read_text().replace("Client name", "Edited"))
    pipeline.run(plain.source(ARROW))
    assert pipeline.default_schema.tables[ARROW]["columns"]["name"]["description"] == "Edited"
    assert len(rows(pipeline, ARROW)) == plain.served(ARROW)


@pytest.mark.parametrize("naming", ["snake_case", "duck_case", "direct", "sql_cs_v1", "sql_ci_v1"])
def test_naming_conventions(plain: PlainDlt, naming: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under every naming convention of dlt, two runs give the same rows, child tables included."""
    monkeypatch.setenv("SCHEMA__NAMING", naming)
    pipeline = plain.pipeline()
    for _ in range(2):
        pipeline.run(plain.source(ARROW, NESTED))
    for table in (ARROW, NESTED):
        assert len(rows(pipeline, table)) == plain.served(table)
    child = "invoices▶line_items" if naming == "direct" else "invoices__line_items"
    lines = sum(len(row["line_items"]) for row in plain.lab.server.rows(NESTED))
    assert len(rows(pipeline, child)) == lines


@pytest.mark.rare
def test_dataset_and_attach(plain: PlainDlt) -> None:
    """dataset() reads what was loaded; an attached pipeline reads it too and can load more."""
    pipeline = plain.pipeline()
    pipeline.run(plain.source(ARROW, NESTED))
    dataset = pipeline.dataset()
    assert len(dataset[ARROW].fetchall()) == plain.served(ARROW)
    assert len(dataset.clients.where("id", "gt", 0).select("id", "name").fetchall()) > 0
    counts = dict(dataset.row_counts().fetchall())
    assert counts[NESTED] == plain.served(NESTED)
    arrow = dataset["invoices__line_items"].arrow()
    assert arrow is not None
    assert arrow.num_rows == counts["invoices__line_items"]

    name, destination = pipeline.pipeline_name, pipeline.destination
    attached = dlt.attach(name, destination=destination, dataset_name="data")
    assert len(attached.dataset()[ARROW].fetchall()) == plain.served(ARROW)
    attached.run(plain.source(WHOLE))
    assert len(rows(attached, WHOLE)) == plain.served(WHOLE)


@pytest.mark.parametrize("depth", [0, 1])
def test_max_table_nesting(plain: PlainDlt, depth: int) -> None:
    """With max_table_nesting below 1, arrays are JSON in their row and have no child table."""
    source, pipeline = plain.source(NESTED), plain.pipeline()
    source.max_table_nesting = depth
    pipeline.run(source)
    invoices = rows(pipeline, NESTED)
    assert len(invoices) == plain.served(NESTED)
    assert ("line_items" in invoices[0]) == (depth == 0)
    made = set(pipeline.default_schema.data_table_names(seen_data_only=True))
    assert ("invoices__line_items" in made) == (depth == 1)


def test_a_pydantic_model_sees_rows(plain: PlainDlt) -> None:
    """A model in columns= validates rows: dlt's validator gets rows, not Arrow tables."""
    pydantic: Any = pytest.importorskip("pydantic")
    model = pydantic.create_model("Client", id=(int, ...), account_id=(int, ...), name=(str, ...))
    source, pipeline = plain.source(ARROW), plain.pipeline()
    source.clients.apply_hints(columns=model)
    pipeline.run(source)
    assert len(rows(pipeline, ARROW)) == plain.served(ARROW)


def test_plain_files_are_warned_of(
    plain: PlainDlt, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """If a destination cannot merge, rows are appended; dlt's log warns of this once."""
    show_warnings(monkeypatch)
    url = (plain.lab.folder / "files").as_uri()
    pipeline = plain.pipeline(destination=dlt.destinations.filesystem(url))
    pipeline.run(plain.source(ARROW, NESTED))
    warned = [each for each in caplog.messages if "cannot replace rows in plain files" in each]
    assert len(warned) == 1
    assert 'table_format="delta"' in warned[0]
