"""Interpreters and environments for what is released, and the script that each must run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.children import REPOSITORY
from tests.support.environments import run_code

EPOCH = "1767225600"
"""The date of every build: 2026-01-01."""

STORY = """
import importlib.metadata, json, platform, sys
import dlt, duckdb, pyarrow
from harvest_source import sync
from harvest_source.operations.verify import verify
from harvest_source.sandbox import Sandbox

with Sandbox(entries=300, limit=False).start() as server:
    settings = {
        "credentials": {"access_token": server.token},
        "api_url": server.api_url,
        "id_url": server.id_url,
    }
    given = {"settings": settings, "account": [server.account_id]}
    for _ in range(2):
        report = sync(**given, deletes=True)
        assert report.status == "ok", report.as_dict()
    found = verify(**given)
    assert found.exit_code == 0, found.as_dict()
    rows = server.count("time_entries")
with duckdb.connect("harvest_data.duckdb", read_only=True) as connection:
    query = "SELECT COUNT(*), ANY_VALUE(typeof(hours)) FROM harvest.time_entries"
    assert connection.execute(query).fetchall() == [(rows, "DECIMAL(38,9)")]
versions = {name: importlib.metadata.version(name) for name in
            ("harvest-source", "dlt", "duckdb", "pyarrow", "sqlglot", "httpx", "msgspec",
             "tenacity", "filelock", "cryptography", "pendulum", "click", "rich", "uvicorn")}
print("TOLD", json.dumps({"python": platform.python_version(), **versions}))
"""


def find_python(minor: int) -> Path | None:
    """This machine's Python 3.*minor*, by its name or from pyenv; None if there is none."""
    if sys.version_info[:2] == (3, minor):
        return Path(sys.executable)
    folder = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    kept = list(folder.glob(f"3.{minor}.*/bin/python"))
    named = shutil.which(f"python3.{minor}")
    for candidate in (*sorted(kept), *([Path(named)] if named else [])):
        asked = subprocess.run([candidate, "-V"], capture_output=True, text=True, check=False)
        if re.match(rf"Python 3\.{minor}\.", asked.stdout):
            return candidate
    return None


def install(place: Path, python: Path, *arguments: str | Path) -> Path:
    """Make an environment of *python* with what ``uv pip install`` is given; return its Python."""
    subprocess.run(["uv", "venv", "-q", "--python", python, place], check=True)
    ours = place / "bin" / "python"
    subprocess.run(["uv", "pip", "install", "-q", "--python", ours, *arguments], check=True)
    return ours


def build(place: Path) -> list[Path]:
    """Build the source distribution, and the wheel from it."""
    command: list[str | Path] = ["uv", "build", "-q", "--out-dir", place, REPOSITORY]
    subprocess.run(command, check=True, env={**os.environ, "SOURCE_DATE_EPOCH": EPOCH})
    return sorted(path for path in place.iterdir() if path.suffix in {".whl", ".gz"})


def tell_story(python: Path, folder: Path) -> str:
    """Sync twice and verify in an empty *folder*; return the versions that did."""
    folder.mkdir()
    done = run_code(python, STORY, folder=folder)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.partition("TOLD ")[2].strip()
