"""The real Dagster, Airflow and Prefect: ``python -m pytest -m schedulers -n 0 -s``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.schedulers.site import FILES, Site, check_nothing_twice

pytestmark = pytest.mark.schedulers


def run_dagster(site: Site, dagster: Path, *arguments: str) -> str:
    """Run the example's job, or a part of it; return its log."""
    done = site.run(
        dagster.with_name("dagster"),
        *arguments,
        "-f",
        FILES / "dagster_assets.py",
        DAGSTER_HOME=str(site.disk),
        DAGSTER_DISABLE_TELEMETRY="1",
        PATH=f"{dagster.parent}:/usr/bin:/bin",
    )
    return f"exit {done.returncode}\n{done.stdout}"


def test_dagster(site: Site, dagster: Path) -> None:
    """The job and its assets survive a wiped disk, the models have rows, and a part runs alone."""
    requests = []
    runs = (
        ("job", "execute", "-j", "harvest"),
        ("asset", "materialize", "--select", "group:harvest"),
    )
    for run in runs:
        site.wipe()
        site.count_requests()
        said = run_dagster(site, dagster, *run)
        assert said.startswith("exit 0\n")
        assert "RUN_SUCCESS" in said
        requests.append(site.count_requests())
    check_nothing_twice(site, *requests)
    (models,) = site.query("SELECT COUNT(*) FROM harvest_models.harvest__projects")
    assert models[0]
    part = run_dagster(site, dagster, "asset", "materialize", "--select", "key:harvest/clients")
    assert part.startswith("exit 0\n")
    (last,) = site.query("SELECT tables FROM sync_runs ORDER BY started_at DESC LIMIT 1")
    assert json.loads(str(last[0])).keys() == {"clients"}


def test_dagster_tells_which_table_failed(site: Site, dagster: Path) -> None:
    """If a table fails, the others are materialized, and the run fails."""
    site.server.control("fault", name="missing_key", table="projects", times=50)
    said = run_dagster(site, dagster, "asset", "materialize", "--select", "group:harvest")
    assert not said.startswith("exit 0\n")
    assert "ASSET_MATERIALIZATION" in said
    assert "projects" in said[said.index("events.Failure: partial") :]


def test_dagster_skips_while_another_run_is_at_work(site: Site, dagster: Path) -> None:
    """Exit code 7 of the command is a success without materializations here."""
    holder = site.hold()
    said = run_dagster(site, dagster, "asset", "materialize", "--select", "key:harvest/clients")
    holder.communicate("\n")
    assert said.startswith("exit 0\n")
    assert "Skipped: Another sync" in said
    assert "ASSET_MATERIALIZATION" not in said


def run_airflow(site: Site, airflow: Path) -> str:
    """Run the example's DAG once; return its log."""
    dags = site.disk / "dags"
    dags.mkdir(exist_ok=True)
    (dags / "airflow_dag.py").write_bytes((FILES / "airflow_dag.py").read_bytes())
    settings = {
        "AIRFLOW_HOME": str(site.disk),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "false",
        "HARVEST_PYTHON": sys.executable,
        "PATH": f"{airflow.parent}:/usr/bin:/bin",
    }
    command = airflow.with_name("airflow")
    assert site.run(command, "db", "migrate", **settings).returncode == 0
    done = site.run(command, "dags", "test", "harvest", "2026-01-02", **settings)
    return f"exit {done.returncode}\n{done.stdout}"


def test_airflow(site: Site, airflow: Path) -> None:
    """The task runs in its own environment and survives a wiped disk; a busy pipeline is a skip."""
    requests = []
    for _ in range(2):
        site.wipe()
        site.count_requests()
        assert "state=success" in run_airflow(site, airflow)
        requests.append(site.count_requests())
    check_nothing_twice(site, *requests)
    holder = site.hold()
    said = run_airflow(site, airflow)
    holder.communicate("\n")
    assert "skipped" in said.lower()


def run_prefect(site: Site, prefect: Path) -> str:
    """Run the example's flow once, with its own server; return its log."""
    settings = {
        "PREFECT_HOME": str(site.disk),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    }
    done = site.run(prefect, FILES / "prefect_flow.py", **settings)
    return f"exit {done.returncode}\n{done.stdout}"


def test_prefect(site: Site, prefect: Path) -> None:
    """The task survives a wiped disk; a busy pipeline is a skip; a failed table fails the task."""
    requests = []
    for _ in range(2):
        site.wipe()
        site.count_requests()
        assert run_prefect(site, prefect).startswith("exit 0\n")
        requests.append(site.count_requests())
    check_nothing_twice(site, *requests)
    holder = site.hold()
    said = run_prefect(site, prefect)
    holder.communicate("\n")
    assert said.startswith("exit 0\n")
    assert "Skipped" in said
    site.server.control("fault", name="missing_key", table="projects", times=50)
    failed = run_prefect(site, prefect)
    assert not failed.startswith("exit 0\n")
    assert "projects" in failed
