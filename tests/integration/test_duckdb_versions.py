"""
One warehouse under several versions of DuckDB's library: ``python -m pytest -m duckdb_versions``.

The module creates an environment for each version, which needs a package index. The suite itself
runs on the installed version.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pytest

from harvest_source.defaults import DATABASE
from harvest_source.dlt_internals import create_duckdb_file
from harvest_source.sandbox import Sandbox
from tests.support.children import REPOSITORY
from tests.support.environments import run_code

pytestmark = pytest.mark.duckdb_versions

VERSIONS = ("1.4.5", "1.5.6", "2.0.1")
"""The oldest version that we support, the newest 1.x and the newest."""
CLIENTS = ("1.0.0", "1.4.4", *VERSIONS)
"""Libraries of people who only read the file."""

STORY = """
import json, sys
import dlt, duckdb
from harvest_source import sync
from harvest_source.operations.verify import verify

given = json.loads(sys.argv[1])
report = sync(**given, deletes=True)
assert report.status == "ok", report.as_dict()
assert report.run_log.warnings == [], report.run_log.warnings
found = verify(**given)
assert found.exit_code == 0, found.as_dict()
with duckdb.connect("harvest_data.duckdb") as connection:
    connection.execute("CHECKPOINT")
dataset = dlt.dataset(dlt.destinations.duckdb("harvest_data.duckdb"), "harvest")
entries = len(dataset["time_entries"].fetchall())
assert entries == sum(table.num_rows for table in dataset["time_entries"].iter_arrow(100))
print(json.dumps({"version": duckdb.__version__, "entries": entries}))
"""

READ = """
import duckdb, sys
with duckdb.connect(sys.argv[1], read_only=True) as connection:
    print(connection.execute("SELECT COUNT(*) FROM harvest.time_entries").fetchall()[0][0])
"""


LEAVE = """
import duckdb, sys
with duckdb.connect(sys.argv[1]) as connection:
    connection.execute("PRAGMA disable_checkpoint_on_shutdown")
    connection.execute("INSERT INTO harvest.time_entries VALUES (2, 1.5, '{}', NULL, now())")
"""

WRITE = READ.replace("read_only=True", "read_only=False")


ASK = """
import json, sys, tempfile
from dataclasses import asdict
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.support.questions import find_faults
print(json.dumps(asdict(find_faults(Path(tempfile.mkdtemp(dir="."))))))
"""

ASK_LIMITED = ASK.replace("questions", "limited_questions").replace(
    "find_faults", "find_limited_faults"
)


@cache
def python_with(version: str, folder: Path, *, is_client: bool = False) -> Path:
    """Python of an environment with that DuckDB, and this package unless *is_client*."""
    place = folder / f"{'client' if is_client else 'source'}-{version}"
    python = place / "bin" / "python"
    packages = [f"duckdb=={version}", *([] if is_client else [str(REPOSITORY)])]
    pip = ["-m", "pip", "install", "-q", "--disable-pip-version-check"]
    make, install = [sys.executable, "-m", "venv", str(place)], [str(python), *pip]
    if uv := shutil.which("uv"):  # Takes seconds instead of a minute.
        make = [uv, "venv", "-q", "--python", sys.executable, str(place)]
        install = [uv, "pip", "install", "-q", "--python", str(python)]
    subprocess.run(make, check=True)
    subprocess.run([*install, *packages], check=True)
    return python


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the environments; each is created once."""
    return tmp_path_factory.mktemp("environments")


def read_everywhere(environments: Path, database: Path, entries: int) -> None:
    """Every client opens the file and finds the rows."""
    for client in CLIENTS:
        python = python_with(client, environments, is_client=True)
        done = run_code(python, READ, str(database), folder=database.parent)
        assert (done.stdout.strip(), client) == (str(entries), client), done.stderr


@pytest.fixture
def server() -> Iterator[Sandbox]:
    """A simulated account."""
    with Sandbox(entries=300, limit=False).start() as server:
        yield server


def tell_story(python: Path, server: Sandbox, folder: Path) -> dict[str, Any]:
    """Sync, verify, checkpoint and read under one version, then change something in Harvest."""
    settings = {
        "credentials": {"access_token": server.token},
        "api_url": server.api_url,
        "id_url": server.id_url,
    }
    given = json.dumps({"settings": settings, "account": [server.account_id]})
    done = run_code(python, STORY, given, folder=folder)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    assert answer["entries"] == server.count("time_entries")
    for table in ("time_entries", "invoices", "clients"):
        server.edit(table, server.rows(table)[0]["id"], notes="edited")
    server.delete("time_entries", server.rows("time_entries")[-1]["id"], force=True)
    return answer


@pytest.mark.parametrize("version", CLIENTS)
def test_every_version_reads_a_leftover_log(
    environments: Path, tmp_path: Path, version: str
) -> None:
    """Every client reads the row in the log, and moves it into the file if it opens it to write."""
    database, copy = tmp_path / "left.duckdb", tmp_path / "copy.duckdb"
    create_duckdb_file(database)
    with duckdb.connect(str(database)) as connection:
        connection.execute(
            "CREATE SCHEMA harvest; CREATE TABLE harvest.time_entries AS SELECT 1::BIGINT AS id, "
            "2.5::DECIMAL(38, 9) AS hours, '{}'::JSON AS tables, NULL::VARCHAR AS notes, "
            "now() AS updated_at; COMMENT ON TABLE harvest.time_entries IS 'entries'"
        )
    before = database.read_bytes()
    writer = python_with(version, environments, is_client=True)
    run_code(writer, LEAVE, str(database), folder=tmp_path)
    assert database.read_bytes() == before
    read_everywhere(environments, database, 2)
    for client in CLIENTS:
        for end in ("", ".wal"):
            shutil.copy(f"{database}{end}", f"{copy}{end}")
        python = python_with(client, environments, is_client=True)
        done = run_code(python, WRITE, str(copy), folder=tmp_path)
        assert (done.stdout.strip(), client) == ("2", client), done.stderr
        assert not Path(f"{copy}.wal").exists()
        read_everywhere(environments, copy, 2)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_warehouse_works_under_each_version(
    environments: Path, server: Sandbox, tmp_path: Path, version: str
) -> None:
    """Each version loads, merges, removes and verifies; dlt reads it; all clients open the file."""
    python = python_with(version, environments)
    tell_story(python, server, tmp_path)
    answer = tell_story(python, server, tmp_path)
    assert answer["version"] == version
    read_everywhere(environments, tmp_path / DATABASE, answer["entries"])


def test_a_file_outlives_upgrades_and_downgrades(
    environments: Path, server: Sandbox, tmp_path: Path
) -> None:
    """If each version writes it in turn, up and down, the storage version stays the oldest."""
    for version in (*VERSIONS, *reversed(VERSIONS)):
        answer = tell_story(python_with(version, environments), server, tmp_path)
        read_everywhere(environments, tmp_path / DATABASE, answer["entries"])


def test_a_newer_file_is_called_that(environments: Path, tmp_path: Path) -> None:
    """On a file that DuckDB 2 made, 1.x exits with 6, both versions and what to install."""
    newer = python_with(VERSIONS[-1], environments)
    make = f"import duckdb; duckdb.connect({DATABASE!r}).execute('CREATE TABLE t (a INT)')"
    assert run_code(newer, make, folder=tmp_path).returncode == 0
    for version in VERSIONS[:-1]:
        python = python_with(version, environments)
        command = "import sys; from harvest_source.__main__ import main; main()"
        done = run_code(
            python, command, "sync", "--sandbox", "--database", DATABASE, folder=tmp_path
        )
        assert done.returncode == 6, done.stderr
        message = " ".join(done.stderr.split())
        assert "was made by a newer DuckDB" in message
        assert f"the installed {version}" in message
        assert "pip install --upgrade duckdb" in message


@pytest.mark.parametrize("version", VERSIONS)
def test_the_query_guard_works_under_each_version(
    environments: Path, tmp_path: Path, version: str
) -> None:
    """Functions and parse trees differ by version: attacks are refused, questions answered."""
    done = run_code(python_with(version, environments), ASK, str(REPOSITORY), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"not_refused": {}, "not_answered": {}, "is_changed": False}


@pytest.mark.parametrize("version", VERSIONS)
def test_scopes_work_under_each_version(environments: Path, tmp_path: Path, version: str) -> None:
    """With copies and views of a caller's scope, attacks are refused and only own rows appear."""
    python = python_with(version, environments)
    done = run_code(python, ASK_LIMITED, str(REPOSITORY), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "not_refused": {},
        "not_right": {},
        "told_apart": {},
        "is_changed": False,
    }
