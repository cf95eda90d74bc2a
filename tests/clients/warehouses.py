"""The warehouses that are read: DuckDB files made under two versions, and a PostgreSQL database."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harvest_source.sandbox import Sandbox
from tests.clients.environments import make
from tests.clients.matrix import DUCKDB, DUCKDB_MAIN, POSTGRES, Client
from tests.support.children import REPOSITORY
from tests.support.postgres import build_environment, serving

MADE_UNDER = ("1.5.6", "2.0.1")
"""DuckDB versions; each makes a file."""

TABLES = ("time_entries", "invoices", "clients", "projects", "users")

SYNC = """
import json, sys
from harvest_source import sync
report = sync(**json.loads(sys.argv[1]))
assert report.status == "ok", report.as_dict()
"""


@dataclass(frozen=True)
class Warehouse:
    """
    One warehouse.

    Attributes:
        name: Shown to people.
        address: A file's path, or a server's URI.
        given: Arguments of ``harvest_source.attach``.
    """

    name: str
    place: str
    address: str
    given: Mapping[str, Any] = field(default_factory=dict)


@contextmanager
def open_warehouses(folder: Path, environments: Path) -> Iterator[list[Warehouse]]:
    """Make all warehouses, from one simulated account."""
    with Sandbox(entries=400, invoices=30, limit=False).start() as server:
        for row in server.rows("time_entries"):
            if row["is_running"]:  # Its hours would grow between two warehouses.
                server.edit("time_entries", row["id"], is_running=False, timer_started_at=None)
        entry = server.rows("time_entries")[0]
        server.edit("time_entries", entry["id"], hours=123.456789012, notes="=1+1")
        given = write_settings(server, TABLES)
        made = []
        for version in MADE_UNDER:
            place = folder / f"made-{version}"
            file = place / "harvest_data.duckdb"
            _sync(environments, f"duckdb=={version}", place, given | {"database": str(file)}, {})
            where: dict[str, Any] = {"database": str(file)}
            made.append(Warehouse(f"DuckDB file of {version}", DUCKDB, str(file), where))
        file = folder / "made-main" / "harvest_data.duckdb"
        options = given | {"database": str(file), "dataset": "main"}
        _sync(environments, f"duckdb=={MADE_UNDER[0]}", file.parent, options, {})
        made.append(Warehouse(f"{DUCKDB_MAIN} of {MADE_UNDER[0]}", DUCKDB_MAIN, str(file)))
        (folder / "postgres").mkdir()
        with serving(folder / "postgres") as address:
            place, variables = folder / "made-postgres", build_environment(address)
            options = given | {"destination": "postgres", "database": None}
            _sync(environments, "dlt[postgres]", place, options, variables)
            where = {"destination": "postgres", "environment": dict(variables)}
            made.append(Warehouse("PostgreSQL", POSTGRES, address, where))
            yield made


def write_settings(server: Sandbox, tables: Sequence[str]) -> dict[str, Any]:
    """Arguments of ``harvest_source.sync`` for *tables* of a simulated account."""
    return {
        "account": [server.account_id],
        "table": tables,
        "settings": {
            "credentials": {"access_token": server.token},
            "api_url": server.api_url,
            "id_url": server.id_url,
        },
    }


def _sync(
    environments: Path,
    package: str,
    folder: Path,
    given: Mapping[str, Any],
    variables: Mapping[str, str],
) -> None:
    folder.mkdir(parents=True)
    maker = Client("source", "", "sync.py", (str(REPOSITORY), package), ("duckdb",))
    (python, *_), _ = make(maker, environments)
    done = subprocess.run(
        [python, "-W", "ignore", "-c", SYNC, json.dumps(given)],
        cwd=folder,
        env={
            **QUIET,
            **variables,
            "PATH": "/usr/bin:/bin",
            "HOME": str(folder),
            "DLT_DATA_DIR": str(folder / "dlt"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


QUIET = {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "CRITICAL"}
