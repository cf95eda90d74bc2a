"""The first sync migrates a warehouse that the previous version made."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import dlt
import duckdb
import pytest

from harvest_source import harvest
from harvest_source.dlt_internals import NamingDuckDB
from harvest_source.errors import ConfigError, iter_causes
from harvest_source.operations.verify import verify
from tests.support.earlier_reports import make_earlier
from tests.support.lab import Lab
from tests.support.labs import OpenLab
from tests.support.statements import Stopped, stopping_at

REPORT = "report_time_clients"
TABLES = ("time_entries", REPORT)
VIEWS = {
    "harvest.star": f"SELECT * FROM harvest.{REPORT}",
    "main.over_star": "SELECT COUNT(*) AS n FROM harvest.star",
    "main.others": f"SELECT client_name, total_hours FROM harvest.{REPORT}",
    "main.named": f'SELECT "from", total_hours FROM harvest.{REPORT}',
}


@pytest.fixture
def lab(open_lab: OpenLab) -> Lab:
    """A lab with one report, loaded by the previous version."""
    return open_lab.loaded(*TABLES, entries=40)


def columns(lab: Lab) -> list[str]:
    """The columns that hold the report's days, under either name."""
    return sorted({"from", "to", "from_date", "to_date"} & lab.columns(REPORT).keys())


def works(lab: Lab, view: str) -> bool:
    with duckdb.connect(str(lab.database), read_only=True) as connection:
        try:
            connection.execute(f"SELECT * FROM {view}")
        except duckdb.Error:
            return False
    return True


@pytest.mark.rare
def test_columns_are_renamed_in_place(lab: Lab) -> None:
    """Rows, comments and people's views stay; a warning names a view that spells an old name."""
    before = lab.sql(f"SELECT * FROM {REPORT} ORDER BY ALL")
    make_earlier(lab, REPORT)
    for view, query in VIEWS.items():
        lab.alter(f"CREATE VIEW {view} AS {query}")
    lab.alter("COMMENT ON VIEW harvest.star IS 'It''s mine'")
    assert columns(lab) == ["from", "to"]
    assert check(lab) == 0

    report = lab.sync(*TABLES)
    assert report.status == "ok"
    (warning,) = report.run_log.warnings
    assert '"from" is from_date now' in warning
    assert "main.named" in warning
    assert [view for view in VIEWS if not works(lab, view)] == ["main.named"]
    assert lab.sql("SELECT comment FROM duckdb_views() WHERE view_name = 'star'") == [
        {"comment": "It's mine"}
    ]
    assert columns(lab) == ["from_date", "to_date"]
    found = lab.sql(f"SELECT * FROM {REPORT} ORDER BY ALL")
    assert [without_load(row) for row in found] == [without_load(row) for row in before]
    assert check(lab) == 0
    assert lab.sql("SELECT id FROM sync_runs ANTI JOIN _dlt_loads ON _dlt_load_id = load_id") == []
    assert lab.sync(*TABLES, full_refresh=True).run_log.warnings == []


def without_load(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if not name.startswith("_dlt")}


def check(lab: Lab) -> int:
    """The exit code of a verification."""
    with lab.working():
        return verify(
            database=lab.database,
            account=lab.server.settings.accounts,
            settings=lab.settings,
        ).exit_code


@pytest.mark.rare
def test_a_pending_removal_is_done_under_the_new_names(lab: Lab) -> None:
    """A removal left by an interrupted run of the previous version is done under the new names."""
    (year,) = lab.sql(f"SELECT MIN(from_date) AS first, MIN(to_date) AS last FROM {REPORT}")
    day = {name: value.isoformat() for name, value in year.items()}
    removal = {
        "reason": "covered",
        "detected_at": "2026-01-01T00:00:00+00:00",
        "columns": ["from", "to"],
        "values": [[day["first"], day["last"]]],
    }
    make_earlier(lab, REPORT, pending={REPORT: [removal]})
    assert lab.sync(*TABLES).status == "ok"
    here = lab.sql(f"SELECT * FROM {REPORT} WHERE from_date = '{day['first']}'")
    assert here == [] or lab.sync(REPORT).status == "ok"
    assert lab.sync(*TABLES).run_log.warnings == []


@pytest.mark.rare
@pytest.mark.parametrize(
    "statement",
    ["ALTER TABLE", "CREATE OR REPLACE VIEW", 'INSERT INTO "harvest"."_dlt_version"'],
)
def test_a_stopped_renaming_is_finished(lab: Lab, statement: str) -> None:
    """If the migration is stopped at any statement, the next run completes it."""
    make_earlier(lab, REPORT)
    lab.alter(f"CREATE VIEW harvest.star AS {VIEWS['harvest.star']}")
    with stopping_at(statement), suppress(Stopped):
        lab.sync(*TABLES)
    assert lab.sync(*TABLES).status == "ok"
    assert columns(lab) == ["from_date", "to_date"]
    assert works(lab, "harvest.star")
    assert check(lab) == 0


def test_plain_dlt_refuses_and_names_the_command_that_renames(lab: Lab) -> None:
    """Plain dlt cannot rename: it refuses before it reads, and names the command that can."""
    make_earlier(lab, REPORT)
    lab.server.reset_requests()
    with lab.working():
        pipeline = dlt.pipeline(
            "harvest",
            destination=NamingDuckDB(credentials=str(lab.database)),
            dataset_name="harvest",
        )
        source = harvest(account_id=lab.server.account_id, **lab.settings)
        with pytest.raises(Exception, match="new names in this version") as error:
            pipeline.run(source.with_resources(REPORT))
    assert any(isinstance(each, ConfigError) for each in iter_causes(error.value))
    assert list(lab.server.requests) == []
    assert columns(lab) == ["from", "to"]
