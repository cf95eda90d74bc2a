"""dlt's own settings keep what a sync promises: each works, or the sync refuses to start."""

from __future__ import annotations

from pathlib import Path

import pytest

from harvest_source.errors import ConfigError
from harvest_source.operations.check import check
from harvest_source.operations.sync import Hooks
from harvest_source.operations.verify import verify
from tests.support.lab import Lab
from tests.support.labs import OpenLab
from tests.support.truth import assert_equal


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below *folder* except locks."""
    return {
        str(path): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".lock" not in path.name
    }


@pytest.mark.parametrize(
    ("variable", "value", "named"),
    [
        ("REFRESH", "drop_data", "refresh"),
        ("DEV_MODE", "true", "dev_mode"),
        ("FULL_REFRESH", "true", "full_refresh"),
        ("DATASET_NAME_LAYOUT", "x_%s", "dataset_name_layout"),
        ("PROGRESS", "tqdm", "progress"),
        ("LOAD__RAISE_ON_FAILED_JOBS", "false", "raise_on_failed_jobs"),
        ("SCHEMA__NAMING", "direct", "schema.naming"),
        ("SCHEMA__NAMING", "no_such_convention", "schema.naming"),
        ("SCHEMA__NAMING", "", "schema.naming"),
        ("DESTINATION__STAGING_DATASET_NAME_LAYOUT", "%s", "staging_dataset_name_layout"),
    ],
)
def test_a_setting_is_refused_before_anything_changes(
    open_lab: OpenLab, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, named: str
) -> None:
    """The sync exits with 2 and names the setting; rows, cursors and folder stay unchanged."""
    lab = open_lab.loaded("clients")
    before, rows = contents(lab.folder / "dlt"), lab.table("clients")
    lab.server.delete("clients", lab.server.rows("clients")[0]["id"], force=True)
    lab.rest()
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError, match=named) as caught:
        lab.sync("clients")
    assert caught.value.exit_code == 2
    assert "nothing changed" in str(caught.value)
    after = contents(lab.folder / "dlt")
    assert {path for path in after if after[path] != before.get(path)} <= {
        path for path in after if path.endswith(("state.json", "trace.pickle"))
    }
    assert lab.table("clients") == rows
    monkeypatch.delenv(variable)
    assert lab.sync("clients").status == "ok"


def test_check_reports_refused_settings_without_a_warehouse(
    open_lab: OpenLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``check`` reports the refusal that a sync would meet, with exit code 2."""
    lab = open_lab()
    monkeypatch.setenv("REFRESH", "drop_data")
    with lab.working():
        report = check(
            database=lab.database,
            account=lab.server.settings.accounts,
            settings=lab.settings,
            hooks=Hooks(clock=lab.shared),
        )
    assert report.exit_code == 2


def test_settings_that_are_overridden_change_nothing(
    open_lab: OpenLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cursors are still stored with the rows, and the working folder stays where its lock is."""
    lab = open_lab.loaded("clients")
    monkeypatch.setenv("RESTORE_FROM_DESTINATION", "false")
    monkeypatch.setenv("PIPELINES_DIR", str(lab.folder / "elsewhere"))
    monkeypatch.setenv("PIPELINE_NAME", "another")
    monkeypatch.setenv("DATASET_NAME", "another")
    states = "SELECT COUNT(*) AS n FROM _dlt_pipeline_state"
    before = lab.sql(states)[0]["n"]
    lab.server.edit("clients", lab.server.rows("clients")[0]["id"], name="Edited")
    lab.rest()
    assert lab.sync("clients").status == "ok"
    assert_equal(lab, "clients")
    assert lab.sql(states)[0]["n"] == before + 1
    assert not (lab.folder / "elsewhere").exists()


@pytest.mark.rare
def test_another_naming_convention_works(
    open_lab: OpenLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under ``direct``, child tables have dlt's names for them, and all else works as usual."""
    monkeypatch.setenv("SCHEMA__NAMING", "direct")
    lab: Lab = open_lab(entries=0, invoices=6, estimates=0)
    lab.stop_timers()
    lab.rest()
    assert lab.sync("invoices").status == "ok"
    lines = 'SELECT COUNT(*) AS n FROM "invoices▶line_items"'
    assert lab.sql(lines) == [{"n": count_lines(lab)}]
    invoice, emptied = lab.server.rows("invoices")[:2]
    lab.server.delete("invoices", invoice["id"], force=True)
    lab.server.edit("invoices", emptied["id"], line_items=[])
    lab.rest()
    report = lab.sync("invoices", deletes=True)
    assert (report.status, report.tables["invoices"].deleted) == ("ok", 1)
    assert lab.sql(lines) == [{"n": count_lines(lab)}]
    with lab.working():
        verified = verify(
            database=lab.database,
            account=lab.server.settings.accounts,
            settings=lab.settings,
            hooks=Hooks(clock=lab.shared),
        )
    assert verified.exit_code == 0
    assert "invoice total" in {comparison.check for comparison in verified.comparisons}


def count_lines(lab: Lab) -> int:
    """The number of line items that Harvest has."""
    return sum(len(record["line_items"]) for record in lab.server.rows("invoices"))
