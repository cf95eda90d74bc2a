"""A token that sees less than the one that loaded the rows takes no values from unchanged rows."""

from __future__ import annotations

import pytest

from tests.support.lab import DAY, Lab
from tests.support.labs import OpenLab
from tests.support.simulation import HOUR
from tests.support.truth import assert_equal

TABLES = ("time_entries", "user_assignments", "users")
RATES = ("billable_rate", "cost_rate", "hourly_rate", "default_hourly_rate")


def rates(lab: Lab) -> dict[tuple[str, int], list[object]]:
    """The rates of every row, by table and id."""
    return {
        (table, row["id"]): [row[name] for name in RATES if name in row]
        for table in TABLES
        for row in lab.table(table)
    }


@pytest.fixture
def lab(open_lab: OpenLab) -> Lab:
    """An administrator has loaded rows that changed up to the last second; a manager goes on."""
    lab = open_lab(entries=200, invoices=0)
    lab.stop_timers()
    lab.rest(HOUR)
    for entry in lab.server.rows("time_entries")[::2]:
        lab.server.edit("time_entries", entry["id"], notes="Edited")
    lab.sync(*TABLES)
    lab.token = lab.server.tokens["manager"]
    return lab


def test_unchanged_rows_keep_values_that_are_hidden(lab: Lab) -> None:
    """The overlap, the daily audit, verify --fix and a full refresh overwrite no rate with null."""
    before = rates(lab)
    assert any(value for key, values in before.items() for value in values)
    for wait in (HOUR, DAY, DAY):
        lab.rest(wait)
        report = lab.sync(*TABLES)
        assert rates(lab) == before
        assert any(
            "sees less than the one that loaded it" in each for each in report.run_log.warnings
        )
    (error,) = lab.verify(all_values=True, fix=True).as_dict()["errors"]
    assert ":administrator; this token: " in error["message"]
    assert "read the account with an administrator's: harvest-source sync" in error["message"]
    assert rates(lab) == before
    lab.sync(*TABLES, full_refresh=True)
    assert rates(lab) == before


def test_an_administrator_brings_back_what_a_lower_role_did_not_see(lab: Lab) -> None:
    """Rows that change come without rates; the next run that sees all rows reads them again."""
    lab.rest()
    for entry in lab.server.rows("time_entries"):
        lab.server.edit("time_entries", entry["id"], notes="Edited again")
    lab.sync(*TABLES)
    edited = [row for row in lab.table("time_entries") if row["notes"] == "Edited again"]
    assert 0 < len(edited) < lab.server.count("time_entries")
    assert not any(row["cost_rate"] for row in edited)
    lab.rest(DAY)
    lab.sync(*TABLES)
    lab.token = lab.server.tokens["administrator"]
    lab.rest()
    lab.sync(*TABLES)
    for table in TABLES:
        assert_equal(lab, table)
    lab.rest(DAY)
    assert lab.sync(*TABLES).run_log.audit.reread > 0
