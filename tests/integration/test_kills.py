"""
SIGKILL at chosen moments of a real run: the next run heals, and the tables are the account's.

The child runs the command line. Where the moment is one of dlt's, the child kills itself as it gets
there; where it is one of Harvest's, the sandbox kills it from the hook of a request.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from queue import Queue

import pytest

from harvest_source.sandbox import Request
from tests.integration.lab import Lab
from tests.integration.truth import assert_equal

TABLES = ("time_entries", "invoices", "clients", "roles")

CHILD = """
import os, signal, sys
from importlib import import_module

module, name, method = sys.argv[1].split(":")
if module:
    def die(*_, **__):
        os.kill(os.getpid(), signal.SIGKILL)
    setattr(getattr(import_module(module), name), method, die)
sys.argv[:2] = ["harvest-source"]
from harvest_source.__main__ import main
main()
"""

MOMENTS = {
    "between extract and normalize": "dlt.pipeline.pipeline:Pipeline:normalize",
    "between normalize and load": "dlt.pipeline.pipeline:Pipeline:load",
    "with the first table copied": "dlt.load.load:Load:create_followup_jobs",
    "with a table copied that dlt has not noted": (
        "dlt.common.storages.load_package:PackageStorage:save_pending_transition"
    ),
    "with every table merged": "dlt.load.load:Load:complete_package",
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with Lab(tmp_path_factory.mktemp("kills")) as opened:
        opened.stop_timers()
        opened.sync(*TABLES)
        yield opened


def start(lab: Lab, moment: str = "::") -> subprocess.Popen[bytes]:
    """``harvest-source sync`` as a process that dies at *moment*."""
    options = [f"--table={table}" for table in TABLES]
    return subprocess.Popen(
        [
            sys.executable,
            "-c",
            CHILD,
            moment,
            "sync",
            f"--database={lab.database}",
            f"--account={lab.server.account_id}",
            *options,
        ],
        cwd=lab.folder,
        env=environment(lab),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def environment(lab: Lab) -> dict[str, str]:
    """What leads a child of ours to the sandbox."""
    return {
        **os.environ,
        "DLT_DATA_DIR": str(lab.folder / "dlt"),
        "DLT_PROJECT_DIR": str(lab.folder),
        "SOURCES__HARVEST__CREDENTIALS__ACCESS_TOKEN": lab.token,
        "SOURCES__HARVEST__ACCOUNT_ID": str(lab.server.account_id),
        "SOURCES__HARVEST__API_URL": lab.server.api_url,
        "SOURCES__HARVEST__ID_URL": lab.server.id_url,
    }


def change(lab: Lab) -> None:
    """Something to lose in every table."""
    lab.rest()
    for table in TABLES:
        lab.server.edit(table, lab.server.rows(table)[0]["id"], created_at=lab.clock())
        lab.server.create(table)
    lab.server.edit("invoices", lab.server.rows("invoices")[1]["id"], line_items=[])
    lab.rest()


def assert_heals(lab: Lab) -> None:
    """The next run succeeds, and everything is there once."""
    lab.rest()
    assert lab.sync(*TABLES).status == "ok"
    for table in TABLES:
        assert_equal(lab, table)


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS.keys())
def test_killed_in_dlt(lab: Lab, moment: str) -> None:
    """Whatever dlt was doing, the next run finishes it and goes on."""
    change(lab)
    assert start(lab, moment).wait() == -signal.SIGKILL
    assert_heals(lab)


def test_killed_while_reading(lab: Lab) -> None:
    """Killed between two requests, nothing has moved: the next run reads it all again."""
    change(lab)
    children: Queue[subprocess.Popen[bytes]] = Queue()

    def kill(request: Request) -> None:
        if request.table == "invoices":
            children.get().send_signal(signal.SIGKILL)

    lab.server.after_request(kill)
    child = start(lab)
    children.put(child)
    assert child.wait() == -signal.SIGKILL
    lab.server.clear_hooks()
    assert_heals(lab)


def test_killed_in_the_first_run_of_all(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A first run killed with its tables half there: the second makes them whole."""
    with Lab(tmp_path_factory.mktemp("first")) as fresh:
        fresh.stop_timers()
        moment = MOMENTS["with a table copied that dlt has not noted"]
        assert start(fresh, moment).wait() == -signal.SIGKILL
        assert_heals(fresh)


BACKFILL = """
import os, signal
from pathlib import Path
from dlt.load.load import Load
from harvest_source.operations.sync import Hooks, sync

complete, done = Load.complete_package, []
def complete_then_die(*given, **options):
    complete(*given, **options)
    done.append(1)
    if len(done) == 4:
        os.kill(os.getpid(), signal.SIGKILL)
Load.complete_package = complete_then_die
hooks = Hooks(package_rows=10_000, workers=1)
sync(database=Path("harvest.duckdb"), table=["time_entries"], hooks=hooks)
"""


def test_a_killed_backfill_goes_on_where_it_was(tmp_path: Path) -> None:
    """Windows that are safe are not read again, and what moved meanwhile is not lost."""
    with Lab(tmp_path, entries=62_000, accounts=(1000001,)) as lab:
        lab.stop_timers()
        child = subprocess.run(
            [sys.executable, "-c", BACKFILL], cwd=lab.folder, env=environment(lab), check=False
        )
        assert child.returncode == -signal.SIGKILL
        there = lab.sql("SELECT count(*) AS n, min(id) AS first FROM time_entries")[0]
        assert 0 < there["n"] < 62_000
        lab.server.edit("time_entries", there["first"], notes="edited between the runs")
        lab.rest()
        lab.server.reset_requests()
        assert lab.sync("time_entries").status == "ok"
        pages = lab.server.stats()["requests"]["time_entries"]
        assert pages < 31, "a whole read has 31 pages"
        rows = lab.server.rows("time_entries")
        found = lab.sql("SELECT id, notes FROM time_entries ORDER BY id")
        assert [(row["id"], row["notes"]) for row in found] == sorted(
            (row["id"], row["notes"]) for row in rows
        )
