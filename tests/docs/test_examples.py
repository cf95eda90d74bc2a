"""
The terminal output and queries in the documents, and the files in ``pipelines/``, all run.

They are in one module because all use the warehouse that the README's commands make.
"""

from __future__ import annotations

import contextlib
import io
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from harvest_source.defaults import DATABASE, PIPELINE, SANDBOX_PIPELINE
from tests.docs.blocks import iter_blocks
from tests.docs.commands import check_ours
from tests.docs.generate import fill_outputs
from tests.docs.outputs import Outputs, Session, collect, mask, open_session
from tests.docs.pages import DOCUMENTS, REPOSITORY, relative

PIPELINES = REPOSITORY / "pipelines"
EXAMPLES = [each for each in sorted(PIPELINES.rglob("*.*")) if each.suffix != ".pyc"]
DLT_INIT = REPOSITORY / "sources" / "harvest_pipeline.py"
LONGEST = 30
LONGEST_OF_FRAMEWORKS = 90
"""Lines of a scheduler's file, which also has the framework's own declarations."""
OF_MODELS = ("questions.md",)
"""Run by ``tests/dbt``, which has a warehouse with models."""
TEXTS = {document: document.read_text() for document in DOCUMENTS}


@dataclass(frozen=True)
class Examples:
    """The outputs of all documents, and a folder with the warehouses of the README's commands."""

    session: Session
    outputs: Outputs


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Examples]:
    """The outputs of every command in the documents whose output is shown."""
    with open_session(tmp_path_factory.mktemp("docs")) as session:
        yield Examples(session, collect(TEXTS, session))


@pytest.fixture
def home(examples: Examples) -> Path:
    """The folder of a person who has typed the README's commands."""
    examples.session.restore()
    return examples.session.home


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
def test_examples_read_without_holding_the_file(document: Path) -> None:
    """No example blocks a sync: each opens the file with read_only=True."""
    for block in iter_blocks(TEXTS[document]):
        for call in find_connections(block.text):
            assert "read_only=True" in call, f"{relative(document)}:{block.line}: {call}"


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: str(file.name))
def test_pipelines_read_without_holding_the_file(file: Path) -> None:
    """Files in ``pipelines/`` open the file with read_only=True as well."""
    assert all("read_only=True" in call for call in find_connections(file.read_text()))


def find_connections(text: str) -> list[str]:
    """The arguments of each ``duckdb.connect`` in *text*."""
    return re.findall(r"duckdb\.connect\(([^)]*)\)", text)


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
def test_outputs_are_real(examples: Examples, document: Path) -> None:
    """Every output in a document is real, except for times and numbers of requests."""
    text = TEXTS[document]
    assert mask(fill_outputs(text, examples.outputs[document])) == mask(text)


def test_queries_run(home: Path) -> None:
    """Each hand-written query finds rows in the default file, unchanged."""
    texts = [text for document, text in TEXTS.items() if document.name not in OF_MODELS]
    queries = [b.text for text in texts for b in iter_blocks(text) if b.kind == "sql"]
    assert queries
    with duckdb.connect(str(home / DATABASE), read_only=True) as connection:
        for query in queries:
            assert connection.execute(query).fetchall(), query


@pytest.mark.parametrize("script", sorted(PIPELINES.rglob("*.py")), ids=lambda path: path.name)
def test_scripts_are_short(script: Path) -> None:
    """A script to copy can be read in half a minute."""
    longest = LONGEST_OF_FRAMEWORKS if script.parent.name == "orchestrators" else LONGEST
    assert len(script.read_text().splitlines()) < longest


def run_script(session: Session, name: str, *arguments: str, **environment: str) -> tuple[int, str]:
    """Run a file of ``pipelines/`` as ``python NAME`` does; return exit code and stdout."""
    out = io.StringIO()
    with session.entered(**environment), contextlib.redirect_stdout(out):
        before, sys.argv = sys.argv, [name, *arguments]
        try:
            runpy.run_path(str(PIPELINES / name), run_name="__main__")
        except SystemExit as end:
            return int(end.code or 0), out.getvalue()
        finally:
            sys.argv = before
    return 0, out.getvalue()


def test_first_sync(examples: Examples, home: Path) -> None:
    """The script syncs the default database, names a failed table, and exits like the command."""
    server = examples.session.server
    before = count(home / DATABASE, "sync_runs")
    server.fault("missing_key", table="projects")
    code, out = run_script(examples.session, "first_sync.py")
    server.clear_faults()
    assert code == 4
    assert "projects failed: " in out
    assert "time_entries " in out
    assert count(home / DATABASE, "sync_runs") == before + 1


def test_ask_warehouse(examples: Examples, home: Path) -> None:
    """It prints projects, sums by month and a count, from the warehouse of the first sync."""
    code, out = run_script(examples.session, "ask_warehouse.py")
    assert code == 0
    assert "EUR" in out


def test_one_table(examples: Examples, home: Path) -> None:
    """Plain dlt reads time entries only, and the script answers a question."""
    code, out = run_script(examples.session, "one_table.py")
    assert code == 0
    assert len([line for line in out.splitlines() if line.endswith(" h")]) == 3
    entries = count(home / "hours.duckdb", "time_entries")
    assert entries == count(home / DATABASE, "time_entries")


@pytest.mark.rare
def test_row_steps(examples: Examples, home: Path) -> None:
    """The script loads some rows of one table, without a column's values and with a new column."""
    code, _ = run_script(examples.session, "row_steps.py")
    assert code == 0
    database = home / "billable.duckdb"
    assert 0 < count(database, "time_entries") < count(home / DATABASE, "time_entries")
    with duckdb.connect(str(database), read_only=True) as connection:
        query = "SELECT DISTINCT user__name, typeof(is_long) FROM harvest.time_entries"
        assert connection.execute(query).fetchall() == [(None, "BOOLEAN")]


@pytest.mark.slow
def test_another_destination_by_name(examples: Examples, home: Path) -> None:
    """The named destination gets the same tables; its settings are dlt's own."""
    url = (home / "bucket").as_uri()
    code, _ = run_script(
        examples.session,
        "another_destination.py",
        "filesystem",
        DESTINATION__FILESYSTEM__BUCKET_URL=url,
    )
    assert code == 0
    files = str(home / "bucket" / "harvest" / "time_entries" / "*.parquet")
    with duckdb.connect() as connection:
        found = connection.execute("SELECT COUNT(*) FROM read_parquet(?)", [files]).fetchone()
    assert found == (count(home / DATABASE, "time_entries"),)


@pytest.mark.parametrize(
    ("name", "log"),
    [("orchestrators/harvest.cron", "sync.log"), ("sign_in_health.cron", "sign_ins.log")],
)
def test_the_cron_line(tmp_path: Path, name: str, log: str) -> None:
    """cron's command, run by a shell as cron would, runs and appends to the log."""
    lines = (PIPELINES / name).read_text().splitlines()
    [line] = [line for line in lines if line[:1].isdigit()]
    *when, command = line.split(maxsplit=5)
    assert len(when) == 5
    entry = tmp_path / "harvest" / ".venv" / "bin" / "harvest-source"
    entry.parent.mkdir(parents=True)
    entry.write_text('#!/bin/sh\necho "$@"\n')
    entry.chmod(0o755)
    for _ in range(2):
        subprocess.run(["/bin/sh", "-c", command], env={"HOME": str(tmp_path)}, check=True)
    first, second = (tmp_path / "harvest" / log).read_text().splitlines()
    assert first == second
    check_ours(first.split())


def count(database: Path, table: str) -> int:
    """The number of rows of *table* in dataset ``harvest`` of *database*."""
    with duckdb.connect(str(database), read_only=True) as connection:
        found = connection.execute(f"SELECT COUNT(*) FROM harvest.{table}").fetchone()
    return int(found[0]) if found else 0


@pytest.mark.parametrize(
    "script",
    [each for each in (*EXAMPLES, DLT_INIT) if "dlt.pipeline(" in each.read_text()],
    ids=lambda script: str(script.name),
)
def test_pipelines_are_made_before_the_source(script: Path) -> None:
    """Otherwise dlt itself creates the DuckDB file, for others to read and for DuckDB 2 alone."""
    text = script.read_text()
    assert text.index("dlt.pipeline(") < text.index("harvest()")


def test_the_pipeline_of_dlt_init_has_a_name_of_its_own() -> None:
    """
    dlt keeps a pipeline's folder and DuckDB file by its name, for all folders of a machine.

    With the name of the command's pipeline, it loads into the file of the last sync, in another
    folder.
    """
    text = DLT_INIT.read_text()
    (name,) = re.findall(r'dlt\.pipeline\("(\w+)"', text)
    assert name not in (PIPELINE, SANDBOX_PIPELINE)
