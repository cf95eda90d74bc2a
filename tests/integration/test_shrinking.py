"""The daily run shrinks a DuckDB file; a SIGKILL meanwhile loses no row."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import duckdb
import pytest

from harvest_source.warehouse import shrinking
from harvest_source.warehouse.shrinking import shrink
from tests.support.children import fork
from tests.support.lab import DAY, Lab
from tests.support.labs import OpenLab
from tests.support.shrink import ROWS, build, file_at

CONTENT = "SELECT count(*), count(DISTINCT id), sum(hash(t)::HUGEINT) FROM harvest.t AS t"


@pytest.fixture(scope="module")
def wasteful(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of mostly free space; tests must not change it."""
    path = tmp_path_factory.mktemp("wasteful") / "a.duckdb"
    build(path, "CREATE TABLE harvest.t AS SELECT * FROM rows")
    return path


def read(path: Path) -> tuple[int, ...]:
    with duckdb.connect(str(path), read_only=True) as connection:
        ((rows, ids, digest),) = connection.execute(CONTENT).fetchall()
        return rows, ids, digest


@pytest.mark.parametrize(
    ("change", "delay_s"),
    [
        (2, 0.01),  # While rows are rewritten.
        (3, 0),  # Before the old rows are deleted.
        (4, 0),  # Before the deletion is committed.
        (5, 0),  # Between two groups.
        (9, 0.001),  # While rows are written into the file.
        *(
            pytest.param(change, delay_s, marks=pytest.mark.slow)
            for change in range(1, 10)
            for delay_s in (0, 0.0003, 0.003, 0.03)
        ),
    ],
)
def test_a_kill_loses_no_row(
    wasteful: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: int, delay_s: float
) -> None:
    """DuckDB keeps each transaction whole, or not at all."""
    path = tmp_path / "a.duckdb"
    shutil.copy(wasteful, path)
    before, size = read(path), path.stat().st_size
    with fork(
        str(path),
        str(change),
        str(delay_s),
        folder=tmp_path,
        environment=dict(os.environ),
        call="tests.support.shrink:shrink_struck",
    ) as child:
        ended = child.wait()
        said = child.stderr.read()
    assert ended in (-signal.SIGKILL, -signal.SIGALRM) or (delay_s and ended == 0), said
    assert read(path) == before
    assert before[:2] == (ROWS, ROWS)
    monkeypatch.setattr(shrinking, "_WORTH_BYTES", 1 << 20)
    # As in every run: DuckDB truncates free space at the end only if something has changed.
    with file_at(path).open("") as connection:
        connection.execute("INSERT INTO own.first VALUES (10)")
    shrink(file_at(path), "harvest")
    assert read(path) == before
    assert path.stat().st_size < size / 2


def assert_complete(lab: Lab) -> None:
    """The warehouse has each row that the server has, once."""
    for table in ("clients", "time_entries"):
        assert lab.ids(table) == sorted(row["id"] for row in lab.server.rows(table))


def leave_room(lab: Lab) -> None:
    """Write the notes of time entries behind a table, then drop that table."""
    with duckdb.connect(str(lab.database)) as connection:
        connection.execute(
            """
            SET enable_progress_bar = false; CREATE TEMP TABLE was AS FROM harvest.time_entries;
            UPDATE harvest.time_entries SET notes = md5(id::TEXT); CHECKPOINT;
            CREATE TABLE main.freed AS SELECT hash(i) FROM range(500_000) AS r(i); CHECKPOINT;
            UPDATE harvest.time_entries AS t SET notes = was.notes FROM was WHERE t.id = was.id;
            CHECKPOINT; DROP TABLE main.freed; CHECKPOINT
            """
        )


@pytest.mark.parametrize("when", ["daily", "never"])
def test_the_run_with_the_audit_shrinks_the_file(
    open_lab: OpenLab, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """The setting "never" prevents it; other runs skip a file with less free space."""
    monkeypatch.setattr(shrinking, "_WORTH_BYTES", 1 << 20)
    monkeypatch.setattr(shrinking, "_ALWAYS_SHARE", 100)
    monkeypatch.setenv("SOURCES__HARVEST__SHRINK_FILE", when)
    lab = open_lab(entries=300)
    assert lab.sync("clients", "time_entries", deletes=True).run_log.given_back == 0
    leave_room(lab)
    lab.rest()
    assert lab.sync("clients", deletes=False).run_log.given_back == 0
    lab.rest(DAY)
    lab.server.edit("clients", lab.ids("clients")[0], name="Another")
    report = lab.sync("clients", "time_entries", deletes=True)
    assert report.run_log.audit.was_due
    assert (report.run_log.given_back > 0) == (when == "daily")
    assert report.run_log.warnings == []
    assert_complete(lab)


@pytest.mark.rare
@pytest.mark.parametrize("when", ["daily", "never"])
def test_a_file_with_much_free_space_is_shrunk_at_once(
    open_lab: OpenLab, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """A file with much free space does not wait for the daily run."""
    monkeypatch.setattr(shrinking, "_WORTH_BYTES", 1 << 20)
    monkeypatch.setenv("SOURCES__HARVEST__SHRINK_FILE", when)
    lab = open_lab(entries=300)
    lab.sync("clients", "time_entries")
    leave_room(lab)
    lab.rest()
    lab.server.edit("clients", lab.ids("clients")[0], name="Another")
    report = lab.sync("clients", "time_entries", deletes=False)
    assert (report.run_log.given_back > 0) == (when == "daily")
    assert_complete(lab)
