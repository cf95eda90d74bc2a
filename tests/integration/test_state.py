"""State and warehouse agree: what is stored where, and which of the two wins."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import dlt
import duckdb
import pytest
from dlt.common.versioned_state import compress_state

from harvest_source.errors import BusyError, ConfigError
from harvest_source.operations.check import check
from harvest_source.operations.sync import Hooks
from harvest_source.operations.verify import verify
from harvest_source.sandbox import Request
from harvest_source.schema.own_tables import DELETED_RECORDS
from harvest_source.warehouse.target import build_target
from harvest_source.warehouse.warehouse import Warehouse
from tests.support.lab import DAY, HOUR, Lab
from tests.support.labs import OpenLab
from tests.support.truth import assert_equal


@contextmanager
def warehouse_of(lab: Lab) -> Iterator[Warehouse]:
    """The lab's warehouse as a run has it after its restore."""
    with lab.working():
        target = build_target("duckdb", lab.database, "harvest", "harvest")
        warehouse = Warehouse(target, clock=lab.shared)
        assert warehouse.restore() == []
        yield warehouse


def add_pending(state: dict[str, Any]) -> None:
    """A change such as a step of a run makes."""
    state["resources"]["clients"]["accounts"]["1"] = {"owed": [1, 2]}


def test_a_change_of_state_reaches_the_destination(open_lab: OpenLab) -> None:
    """The folder has it at once, and a lost folder gets it back from the destination."""
    lab = open_lab.loaded("clients")
    with warehouse_of(lab) as warehouse:
        warehouse.write_state(add_pending)
        assert warehouse.source_state["resources"]["clients"]["accounts"]["1"] == {"owed": [1, 2]}
        (lab.folder / "dlt" / "pipelines" / "harvest" / "state.json").unlink()
    with warehouse_of(lab) as warehouse:
        assert warehouse.source_state["resources"]["clients"]["accounts"]["1"] == {"owed": [1, 2]}


def test_a_state_change_without_effect_loads_nothing(open_lab: OpenLab) -> None:
    """A change without effect makes no load package."""
    lab = open_lab.loaded("clients")
    loads = "SELECT COUNT(*) AS n FROM _dlt_loads"
    before = lab.sql(loads)
    with warehouse_of(lab) as warehouse:
        warehouse.write_state(lambda _: None)
    assert lab.sql(loads) == before


class KilledError(Exception):
    """Stands for a killed process."""


@contextmanager
def dying_before_loads() -> Iterator[None]:
    """Do not load what was read and normalized: its package waits in the working folder."""

    def die(*_: Any, **__: Any) -> Any:
        raise KilledError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dlt.Pipeline, "load", die)
        try:
            yield
        except KilledError:
            return
    raise AssertionError("nothing was loaded")


def edit(lab: Lab, name: str) -> int:
    """Rename the first client, long before the next run; return its id."""
    record: int = lab.server.rows("clients")[0]["id"]
    lab.server.edit("clients", record, name=name)
    lab.rest(HOUR)
    return record


def folder_of(lab: Lab) -> Path:
    """dlt's working folders on one machine."""
    return lab.folder / "dlt"


@pytest.mark.rare
def test_a_package_older_than_another_machines_load_is_discarded(open_lab: OpenLab) -> None:
    """If loaded after another machine's load, it would restore old values and deleted rows."""
    lab = open_lab.loaded("clients")
    away = lab.folder / "first machine"
    gone = lab.server.rows("clients")[1]["id"]
    lab.server.edit("clients", gone, name="Soon deleted")
    edit(lab, "Version 1")
    with dying_before_loads():
        lab.sync("clients")
    folder_of(lab).rename(away)
    lab.server.delete("clients", gone, force=True)
    edit(lab, "Version 2")
    assert lab.sync("clients", deletes=True).status == "ok"
    lab.rest(HOUR)
    shutil.rmtree(folder_of(lab))
    away.rename(folder_of(lab))
    report = lab.sync("clients")
    assert report.status == "ok"
    (warning,) = report.run_log.warnings
    assert "another run has loaded since" in warning
    assert_equal(lab, "clients")
    lab.rest(HOUR)
    assert lab.sync("clients").run_log.warnings == []


def test_a_pending_package_is_loaded_if_no_other_load_intervened(open_lab: OpenLab) -> None:
    """The next run on the same machine completes the killed run's load without new requests."""
    lab = open_lab.loaded("clients")
    edit(lab, "Read once")
    with dying_before_loads():
        lab.sync("clients")
    with warehouse_of(lab) as warehouse:
        assert warehouse.needs_follow_up
    assert_equal(lab, "clients")


def test_a_restored_working_folder_takes_the_warehouse_state(open_lab: OpenLab) -> None:
    """The destination's cursors replace those of an old copy, without a warning."""
    lab = open_lab.loaded("clients")
    copy = lab.folder / "copy"
    shutil.copytree(folder_of(lab), copy)
    edit(lab, "Version 1")
    lab.sync("clients")
    with warehouse_of(lab) as warehouse:
        newest = dict(warehouse.source_state)
    shutil.rmtree(folder_of(lab))
    copy.rename(folder_of(lab))
    with warehouse_of(lab) as warehouse:
        assert warehouse.source_state == newest


@pytest.mark.rare
def test_a_restored_backup_is_detected_despite_a_pending_package(open_lab: OpenLab) -> None:
    """A package without a state raises no version, so the backup is older than the folder."""
    lab = open_lab.loaded("clients")
    backup = lab.folder / "backup.duckdb"
    shutil.copy(lab.database, backup)
    edit(lab, "After the backup")
    lab.sync("clients")
    with dying_before_loads(), warehouse_of(lab) as warehouse:
        warehouse.merge_own(DELETED_RECORDS, [])
    shutil.copy(backup, lab.database)
    lab.rest(HOUR)
    report = lab.sync("clients")
    assert "not as the last run left it" in report.run_log.warnings[0]
    assert_equal(lab, "clients")


def test_a_run_loads_nothing_if_another_run_stored_a_state_meanwhile(open_lab: OpenLab) -> None:
    """Of two machines at once, the later one discards what it read and exits with code 7."""
    lab = open_lab.loaded("clients")
    record = edit(lab, "Read by the later one")
    stored: list[str] = []

    def store(request: Request) -> None:
        if request.table == "clients" and not stored:
            stored.append(store_another_state(lab))

    lab.server.after_request(store)
    with pytest.raises(BusyError, match="while this one was reading"):
        lab.sync("clients")
    lab.server.clear_hooks()
    names = lab.sql("SELECT name FROM clients WHERE id = ?", record)
    assert names != [{"name": "Read by the later one"}]
    lab.rest(HOUR)
    assert lab.sync("clients").status == "ok"
    assert_equal(lab, "clients")


def store_another_state(lab: Lab) -> str:
    """Store a state as a run on another machine would; return the id of its load."""
    load_id = "another"
    with duckdb.connect(str(lab.database)) as connection:
        connection.execute("USE harvest")
        query = "SELECT * FROM _dlt_pipeline_state ORDER BY version DESC LIMIT 1"
        (row,) = connection.sql(query).to_arrow_table().to_pylist()
        with lab.working():
            pipeline = dlt.attach("harvest", pipelines_dir=str(folder_of(lab) / "pipelines"))
            state: Any = {k: v for k, v in pipeline.state.items() if k != "_local"}
        state |= {"_state_version": row["version"] + 1, "_version_hash": load_id}
        row |= {"state": compress_state(state), "version": row["version"] + 1}
        row |= {"version_hash": load_id, "_dlt_load_id": load_id, "_dlt_id": load_id}
        marks = ", ".join("?" * len(row))
        connection.execute(f"INSERT INTO _dlt_pipeline_state VALUES ({marks})", list(row.values()))
        add_load(connection, load_id)
    return load_id


def add_load(connection: duckdb.DuckDBPyConnection, load_id: str) -> None:
    """Mark a load of another run as complete."""
    connection.execute(
        "INSERT INTO _dlt_loads SELECT ?, schema_name, 0, now(), schema_version_hash "
        "FROM _dlt_loads LIMIT 1",
        [load_id],
    )


def test_a_full_refresh_spares_what_others_have_loaded_meanwhile(open_lab: OpenLab) -> None:
    """A row that arrived after the refresh began is not deleted, though the refresh lacks it."""
    lab = open_lab.loaded("clients")
    made: list[int] = []

    def load(request: Request) -> None:
        if request.table == "clients" and not made:
            made.append(7)
            with duckdb.connect(str(lab.database)) as connection:
                connection.execute("USE harvest")
                connection.execute(
                    "INSERT INTO clients BY NAME SELECT * REPLACE (7 AS id, 'another' AS "
                    "_dlt_load_id) FROM clients LIMIT 1"
                )
                add_load(connection, "another")

    lab.server.after_request(load)
    gone = lab.server.rows("clients")[1]["id"]
    lab.server.delete("clients", gone, force=True)
    lab.rest()
    assert lab.sync("clients", full_refresh=True).status == "ok"
    assert 7 in lab.ids("clients")
    assert gone not in lab.ids("clients")


@pytest.mark.rare
def test_another_pipeline_is_refused_until_it_takes_over(open_lab: OpenLab) -> None:
    """Two pipelines on one dataset would delete each other's rows; each message says what to do."""
    lab = open_lab.loaded("clients")
    loads = "SELECT COUNT(*) AS n FROM _dlt_loads"
    before = lab.sql(loads)
    wanted = r"belongs to pipeline harvest, .* uses pipeline nightly\..* --take-over"
    with pytest.raises(ConfigError, match=wanted) as caught:
        lab.sync("clients", pipeline="nightly")
    assert caught.value.exit_code == 2
    given: Any = {
        "database": lab.database,
        "pipeline": "nightly",
        "account": lab.server.settings.accounts,
        "settings": lab.settings,
        "hooks": Hooks(lab.shared),
    }
    with lab.working(), pytest.raises(ConfigError, match=wanted):
        verify(**given)
    with lab.working():
        assert check(**given).exit_code == 2
    assert lab.sql(loads) == before

    report = lab.sync("clients", pipeline="nightly", take_over=True)
    assert report.status == "ok"
    assert "was taken over by nightly" in report.run_log.warnings[0]
    assert report.tables["clients"].rows == len(lab.server.rows("clients"))
    with pytest.raises(ConfigError, match="belongs to pipeline nightly"):
        lab.sync("clients")
    lab.rest()
    assert lab.sync("clients", take_over=True).tables["clients"].rows > 1
    assert_equal(lab, "clients")


def test_a_lower_role_that_takes_over_loses_no_values(open_lab: OpenLab) -> None:
    """Rates that a manager may not see are kept, and an administrator then reads all again."""
    lab = open_lab.loaded("users", "user_assignments")
    assignments = lab.ids("user_assignments")
    lab.rest(3 * DAY)
    lab.server.set_role(lab.token, "manager")
    # The row of the token's owner changes with its role, and the overlap of a day is read again.
    recent = (lab.shared.now() - timedelta(days=5)).isoformat()
    same = [row["id"] for row in lab.server.rows("users") if row["updated_at"] < recent]
    rates = (
        "SELECT id, cost_rate, default_hourly_rate FROM users "
        f"WHERE id IN ({', '.join(map(str, same))}) ORDER BY id"
    )
    before = lab.sql(rates)
    assert any(row["cost_rate"] is not None for row in before)
    taken = lab.sync("users", "user_assignments", pipeline="nightly", take_over=True)
    assert taken.status == "ok"
    assert "sees less than the one that loaded it before" in " ".join(taken.run_log.warnings)
    assert lab.sql(rates) == before
    assert lab.ids("user_assignments") == assignments
    lab.server.set_role(lab.token, "administrator")
    lab.rest()
    report = lab.sync("users", pipeline="nightly")
    assert report.tables["users"].rows == len(lab.server.rows("users"))
    assert_equal(lab, "users")


def test_a_payment_that_was_deleted_before_a_take_over_is_removed(open_lab: OpenLab) -> None:
    """Its invoice shows no payment any more, but the warehouse may hold one: it is asked."""
    lab = open_lab.loaded("invoices", "invoice_payments", invoices=20)
    paid = [row["invoice_id"] for row in lab.server.rows("invoice_payments")]
    gone = next(r for r in lab.server.rows("invoice_payments") if paid.count(r["invoice_id"]) == 1)
    lab.server.delete("invoice_payments", gone["id"], force=True)
    assert gone["id"] in lab.ids("invoice_payments")
    lab.rest()
    report = lab.sync("invoices", "invoice_payments", pipeline="nightly", take_over=True)
    assert report.status == "ok"
    assert gone["id"] not in lab.ids("invoice_payments")


def edit_all(lab: Lab, bonus: object) -> None:
    """Give every client a field that is not documented, and let time pass."""
    lab.server.alter("clients", lambda record: record | {"bonus": bonus})
    lab.server.edit_many("clients", [each["id"] for each in lab.server.rows("clients")])
    lab.rest()


def test_a_clock_that_was_ahead_hides_no_column(open_lab: OpenLab) -> None:
    """The machine knows the type of a column that another one has added since its own last run."""
    lab = open_lab.loaded("clients")
    first = lab.folder / "first machine"
    shutil.copytree(folder_of(lab), first)
    lab.alter("UPDATE _dlt_version SET inserted_at = inserted_at + INTERVAL 1 DAY")
    edit_all(lab, 5)
    assert lab.sync("clients").status == "ok"
    shutil.rmtree(folder_of(lab))
    first.rename(folder_of(lab))
    edit_all(lab, "none")
    assert lab.sync("clients").status == "ok"
    assert {row["bonus__v_text"] for row in lab.table("clients")} == {"none"}


def test_a_pipeline_that_takes_over_knows_the_columns(open_lab: OpenLab) -> None:
    """A column keeps the type that the pipeline before had given it."""
    lab = open_lab.loaded("clients")
    edit_all(lab, 5)
    assert lab.sync("clients").status == "ok"
    edit_all(lab, "none")
    assert lab.sync("clients", pipeline="nightly", take_over=True).status == "ok"
    assert {row["bonus__v_text"] for row in lab.table("clients")} == {"none"}
