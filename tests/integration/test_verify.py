"""``verify``: the warehouse against Harvest's own totals, and mending what differs."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from harvest_source.errors import ConfigError
from harvest_source.operations.comparisons import Comparison
from harvest_source.operations.sync import Hooks
from harvest_source.operations.verify import VerifyReport, verify
from tests.support.lab import Lab
from tests.support.labs import OpenLab
from tests.support.truth import assert_equal

TABLES = ("time_entries", "projects", "invoices", "clients")


def run(lab: Lab, **options: Any) -> VerifyReport:
    given: dict[str, Any] = {
        "database": lab.database,
        "account": lab.server.settings.accounts,
        "settings": lab.settings,
        "hooks": Hooks(clock=lab.shared),
    } | options
    with lab.working():
        return verify(**given)


@pytest.fixture
def lab(open_lab: OpenLab) -> Lab:
    """Synced and at rest, no timer running."""
    lab = open_lab.loaded(*TABLES, entries=400)
    lab.rest()
    return lab


def told(report: VerifyReport) -> set[tuple[str, str, str]]:
    return {(each.table, each.check, each.scope) for each in report.differences}


def find(report: VerifyReport, check: str, scope: str = "all") -> list[Comparison]:
    return [each for each in report.comparisons if each.check == check and each.scope == scope]


def test_an_equal_warehouse_has_no_findings(lab: Lab) -> None:
    """Counts by year, hours and money by project and year, invoices by their lines: all even."""
    before = lab.sql("SELECT COUNT(*) AS n FROM sync_runs")
    report = run(lab)
    assert (report.exit_code, report.differences, report.run_log.warnings) == (0, [], [])
    checks = {each.check for each in report.comparisons if each.state == "ok"}
    assert checks == {"rows", "hours", "amount", "invoice total"}
    hours = [each.there for each in report.comparisons if each.check == "hours"]
    assert sum(hours) == sum(row["rounded_hours"] for row in lab.table("time_entries")) > 0
    assert lab.sql("SELECT COUNT(*) AS n FROM sync_runs") == before


def test_a_row_tampered_with_is_found_and_mended(lab: Lab) -> None:
    """Hours and money of one project and year differ; just they are read again."""
    row = lab.sql(
        "SELECT t.* FROM time_entries t JOIN projects p ON p.id = t.project__id "
        "WHERE t.billable AND t.billable_rate > 0 AND NOT p.is_fixed_fee LIMIT 1"
    )[0]
    lab.alter(f"UPDATE time_entries SET rounded_hours = 99 WHERE id = {row['id']}")
    scope = f"project {row['project__id']}, {row['spent_date'].year}"
    report = run(lab)
    assert report.exit_code == 5
    assert told(report) == {("time_entries", "hours", scope), ("time_entries", "amount", scope)}
    (hours,) = find(report, "hours", scope)
    assert hours.here - hours.there == 99 - row["rounded_hours"]
    lab.server.reset_requests()
    mended = run(lab, fix=True)
    assert (mended.exit_code, mended.differences, mended.mended) == (0, [], True)
    again = [r.query for r in lab.server.requests if "project_id" in r.query]
    assert again
    assert all(f"project_id={row['project__id']}" in query for query in again)
    assert_equal(lab, "time_entries")


def test_lost_and_deleted_rows_are_found_and_mended(lab: Lab) -> None:
    """One row too few in a year, one too many in another table: read again, and removed."""
    year = lab.sql("SELECT MIN(spent_date) AS day FROM time_entries")[0]["day"].year
    lab.alter(
        "DELETE FROM time_entries WHERE id = (SELECT arg_min(id, spent_date) FROM time_entries)",
    )
    gone = lab.server.create("clients", name="Short-lived")["id"]
    lab.sync("clients")
    lab.server.delete("clients", gone)
    report = run(lab)
    assert {("time_entries", "rows", "all"), ("clients", "rows", "all")} <= told(report)
    assert any(check == "rows" and str(year) in scope for _, check, scope in told(report))
    assert gone in lab.ids("clients")
    mended = run(lab, fix=True)
    assert (mended.exit_code, mended.differences) == (0, [])
    assert_equal(lab, "time_entries")
    assert_equal(lab, "clients")
    assert [row["id"] for row in lab.table("deleted_records")] == [gone]


def test_an_invoice_unlike_its_lines_is_asked_for(lab: Lab) -> None:
    """Harvest says the same: for information. It does not: a difference, and it is mended."""
    first, second = (record["id"] for record in lab.server.rows("invoices")[:2])
    lab.server.edit("invoices", first, amount=123456.78)
    lab.sync("invoices")
    lab.alter(f"UPDATE invoices SET amount = 1 WHERE id = {second}")
    report = run(lab)
    assert told(report) == {("invoices", "invoice total", f"invoice {second}")}
    (excused,) = find(report, "invoice total", f"invoice {first}")
    assert (excused.state, excused.here) == ("information", Decimal("123456.78"))
    assert run(lab, fix=True).differences == []
    assert_equal(lab, "invoices")


def test_what_changed_since_the_last_sync_is_no_difference(lab: Lab) -> None:
    """Created, moved and edited meanwhile: the next sync brings it."""
    listed = [record["id"] for record in lab.server.rows("time_entries")]
    lab.server.edit("time_entries", listed[0], hours=7, rounded_hours=7)
    lab.server.edit("time_entries", listed[1], spent_date="2024-01-02")
    lab.server.create("time_entries", spent_date="2026-06-17", hours=3, rounded_hours=3)
    lab.server.create("clients", name="New")
    report = run(lab)
    assert (report.exit_code, report.differences) == (0, [])
    assert any(each.state == "information" for each in report.comparisons)
    assert all(each.state == "ok" for each in find(report, "rows"))


def test_verifying_nothing_is_refused(open_lab: OpenLab) -> None:
    """A warehouse that is not there is not made."""
    lab = open_lab()
    with pytest.raises(ConfigError, match="no warehouse"):
        run(lab)
    assert not lab.database.exists()
