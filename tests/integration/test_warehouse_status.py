"""``status``: the age of each table by ``sync_runs``, what is scheduled, what waits."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from harvest_source.cli.show_warehouse_status import describe_verified
from harvest_source.clock import Clock
from harvest_source.errors import ConfigError
from harvest_source.extract.parent_sweep import SWEEP_PARENTS
from harvest_source.load.settings import Hooks
from harvest_source.operations.verify import verify
from harvest_source.operations.warehouse_status import WarehouseStatus, read_warehouse_status
from tests.clocks import OwnClock
from tests.support.lab import DAY, HOUR, Lab
from tests.support.truth import assert_equal

TABLES = ("clients", "projects", "invoices", "invoice_payments")


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """An account that is copied once."""
    with Lab(tmp_path, entries=20) as lab:
        lab.sync(*TABLES)
        yield lab


def look(lab: Lab, **options: Any) -> WarehouseStatus:
    """The current findings of ``status``."""
    with lab.working():
        return read_warehouse_status(
            database=lab.database, settings=lab.settings, clock=lab.shared, **options
        )


def ages(report: WarehouseStatus) -> dict[str, float]:
    """Hours since each table was read."""
    return {
        each.table: (report.now - each.as_of).total_seconds() / HOUR
        for each in report.tables
        if each.as_of is not None
    }


@pytest.mark.rare
def test_a_run_while_the_clock_was_ahead_hides_no_later_run(lab: Lab) -> None:
    """Its start says nothing: by it, a healthy table would count as stale for a year."""
    ahead: Clock = OwnClock(lambda: lab.clock() + timedelta(days=400), lambda _: None)
    assert lab.sync("clients", hooks=Hooks(clock=ahead)).status == "ok"
    lab.rest(HOUR)
    lab.sync("clients")
    lab.rest(HOUR)
    report = look(lab, max_age="2h", table=("clients",))
    assert (report.exit_code, round(ages(report)["clients"])) == (0, 1)
    assert report.runs[0].started_at < report.now
    lab.rest(60 * 24 * HOUR)
    report = look(lab, table=("clients",))
    assert report.runs[0].started_at < report.now, "also when no other run is recent"


@pytest.mark.rare
def test_a_table_is_as_old_as_its_last_complete_run(lab: Lab) -> None:
    """A run that reads other tables, or fails for this one, does not make it younger."""
    lab.rest(2 * HOUR)
    lab.sync("projects")
    lab.rest(HOUR)
    lab.server.fault("missing_key", table="projects", times=50)
    assert lab.sync("clients", "projects").exit_code != 0
    lab.server.clear_faults()
    found = {name: round(age) for name, age in ages(look(lab)).items()}
    assert found == {"projects": 1, "clients": 0, "invoices": 3, "invoice_payments": 3}


def test_tables_that_are_too_old_exit_with_5(lab: Lab) -> None:
    """The exit code depends on the given age, and on the given tables."""
    lab.rest(3 * HOUR)
    lab.sync("clients")
    report = look(lab, max_age="2h")
    assert (report.exit_code, "clients" in {each.table for each in report.stale}) == (5, False)
    assert look(lab, max_age="2h", table=("clients",)).exit_code == 0
    assert look(lab, max_age="200m").exit_code == 0
    assert look(lab).exit_code == 0


def test_rows_and_plans_are_shown(lab: Lab) -> None:
    """Rows by account; audits once a day, all parents once a week."""
    report = look(lab)
    found = {each.table: each for each in report.tables}
    assert found["clients"].rows == lab.server.count("clients")
    assert found["clients"].next_audit is not None
    assert found["invoice_payments"].next_sweep is not None
    plan = (found["invoice_payments"].next_sweep - report.now).total_seconds() / DAY
    assert 6 < plan <= 7
    assert len(report.runs) == 1
    assert report.as_dict()["runs"][0]["rows"] == sum(each.rows for each in report.tables)


def test_plans_are_those_of_the_settings(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """``full_walk`` sets the number of days until all parents are read again."""
    monkeypatch.setenv("SOURCES__HARVEST__FULL_WALK", "3")
    report = look(lab)
    [found] = [each for each in report.tables if each.table == "invoice_payments"]
    assert found.next_sweep is not None
    assert 2 < (found.next_sweep - report.now).total_seconds() / DAY <= 3


def test_status_refuses_invalid_and_unknown_accounts(lab: Lab) -> None:
    """Accounts are ids in digits, and the warehouse must have rows of them."""
    assert {each.account_id for each in look(lab, account=("1000001",)).tables} == {1000001}
    with pytest.raises(ConfigError, match="digits"):
        look(lab, account=("abc",))
    with pytest.raises(ConfigError, match=r"account 999 .* has rows of account 1000001"):
        look(lab, account=("999",))


@pytest.mark.rare
def test_warnings_are_listed_apart_from_pending_loads(lab: Lab) -> None:
    """A warning is not a waiting load: a monitor reads each under its own name."""
    with lab.working():
        lab.database.rename("harvest.duckdb")
        report = read_warehouse_status(
            database="harvest.duckdb", pipeline="harvest", settings=lab.settings, clock=lab.shared
        ).as_dict()
    assert report["waiting"] == []
    assert any("cannot distinguish dataset harvest" in each for each in report["warnings"])


@pytest.mark.rare
def test_the_last_verification_is_shown(lab: Lab) -> None:
    """No verification at first; after one with a difference, the last one without."""
    assert look(lab).verified is None
    lab.rest(HOUR)
    fine = lab.verify().as_of
    lab.alter("DELETE FROM clients WHERE id = (SELECT MIN(id) FROM clients)")
    lab.rest(HOUR)
    last = lab.verify()
    found = look(lab).verified
    assert found is not None
    assert (found.status, found.as_of, found.last_ok) == ("differs", last.as_of, fine)
    assert found.differing == len(last.differences) > 0
    assert describe_verified(look(lab)).startswith("differs, 0 min ago, 2 of ")


@pytest.mark.rare
def test_status_asks_harvest_only_with_check(lab: Lab) -> None:
    """Only ``--check`` asks Harvest; without a sign-in the rest is still shown."""
    before = len(lab.server.requests)
    report = look(lab)
    assert len(lab.server.requests) == before
    assert str(report.sign_in.state) == "kept"
    checked = look(lab, check=True)
    assert str(checked.sign_in.state) == "ok"
    assert len(lab.server.requests) > before


def test_a_refused_sign_in_is_exit_code_3_when_checked(lab: Lab) -> None:
    """``--check`` notices a revoked token before the next run does."""
    lab.server.revoke(lab.token)
    assert look(lab).exit_code == 0
    assert look(lab, check=True).exit_code == 3


def test_status_changes_no_row_and_no_table(lab: Lab) -> None:
    """A look leaves every row and every table unchanged."""

    def read() -> list[Any]:
        with duckdb.connect(str(lab.database), read_only=True) as connection:
            return connection.execute(
                "SELECT table_name, estimated_size FROM duckdb_tables() ORDER BY ALL"
            ).fetchall()

    before = read()
    look(lab)
    assert read() == before


@pytest.mark.rare
@pytest.mark.parametrize("age", ["", "26", "h", "-1h", "1.5h", "26 hours"])
def test_an_odd_age_is_refused(lab: Lab, age: str) -> None:
    """The message shows what an age looks like."""
    with pytest.raises(ConfigError, match="26h"):
        look(lab, max_age=age)


def test_status_without_a_warehouse_says_how_to_create_one(tmp_path: Path) -> None:
    """The message names the command that creates a warehouse."""
    with pytest.raises(ConfigError, match="harvest-source sync"):
        read_warehouse_status(database=tmp_path / "none.duckdb")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.rare
def test_parents_that_no_run_has_asked_are_counted(tmp_path: Path) -> None:
    """Parents count until a run asks them or all children; ``verify`` sees no difference."""
    with Lab(tmp_path, entries=20, invoices=SWEEP_PARENTS + 30) as lab:
        report = lab.sync("invoices", "invoice_payments")
        (unasked,) = report.run_log.unasked.values()
        left = {each.table: each.parents_left for each in look(lab).tables}
        assert left == {"invoices": 0, "invoice_payments": unasked.left}
        assert unasked.left > 0
        with lab.working():
            settings: dict[str, Any] = {"database": lab.database, "settings": lab.settings}
            hooks = Hooks(clock=lab.shared)
            accounts = lab.server.settings.accounts
            assert verify(**settings, account=accounts, hooks=hooks).differences == []
        lab.sync("invoices", "invoice_payments", all_children=True)
        assert {each.parents_left for each in look(lab).tables} == {0}
        assert_equal(lab, "invoice_payments")
