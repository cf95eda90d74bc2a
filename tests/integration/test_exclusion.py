"""Columns that are excluded after they were loaded, and numbers that no column holds."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harvest_source.operations.check import check
from harvest_source.operations.sync import Hooks
from harvest_source.operations.verify import verify
from tests.support.lab import DAY, Lab
from tests.support.labs import OpenLab

EXCLUDED = ["users.cost_rate", "users.roles"]


@pytest.mark.rare
def test_what_was_loaded_of_an_excluded_column_is_emptied(open_lab: OpenLab) -> None:
    """In the table, its history, its child table and the records of deleted rows; said once."""
    history = {"settings": {"history": ["users"]}}
    lab = open_lab.loaded("users", entries=10, options=history)
    lab.rest(2 * DAY)
    gone = lab.server.create("users", first_name="Short-lived", cost_rate=99.0)["id"]
    lab.sync("users", **history)
    lab.rest(2 * DAY)
    lab.server.delete("users", gone)
    lab.sync("users", deletes=True, **history)
    (record,) = lab.table("deleted_records")
    assert json.loads(record["record"])["cost_rate"] == "99"
    lab.rest()
    report = lab.sync("users", exclude=EXCLUDED, **history)
    assert [each.partition(" is excluded")[0] for each in report.run_log.warnings] == EXCLUDED
    for table in ("users", "users_history"):
        query = f"SELECT COUNT(*) AS rows, COUNT(cost_rate) AS salaries FROM {table}"
        (counts,) = lab.sql(query)
        assert counts["rows"] > 0 == counts["salaries"]
    assert lab.table("users__roles") == []
    (record,) = lab.table("deleted_records")
    assert "cost_rate" not in json.loads(record["record"])
    assert json.loads(record["record"])["first_name"] == "Short-lived"
    lab.rest()
    assert lab.sync("users", exclude=EXCLUDED, **history).run_log.warnings == []


def settle(lab: Lab) -> dict[str, Any]:
    """What verify and check are given."""
    return {
        "database": lab.database,
        "account": lab.server.settings.accounts,
        "settings": lab.settings,
        "hooks": Hooks(clock=lab.shared),
    }


@pytest.mark.rare
def test_numbers_that_no_column_holds_are_counted(open_lab: OpenLab) -> None:
    """SUM lacks them: sync, verify and check say how many, and where they are."""
    lab = open_lab(entries=10)
    lab.stop_timers()
    entry = lab.server.rows("time_entries")[0]["id"]
    lab.server.edit("time_entries", entry, billable_rate=1e40)
    lab.rest()
    said = "time_entries.billable_rate: 1 value does not fit decimal(38,9)"
    assert said in str(lab.sync("time_entries").run_log.warnings)
    with lab.working():
        assert said in str(verify(**settle(lab)).run_log.warnings)
    with lab.working():
        warnings = [each for each in check(**settle(lab)).findings if each.state == "warning"]
    assert [each.name for each in warnings if said in each.detail] == ["numbers"]
