"""A run that waits for another session's lock ends, and the next run loads what it read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from dlt.destinations.exceptions import DatabaseException

from harvest_source import attach
from harvest_source.exit_codes import ExitCode
from tests.support.destination_story import DestinationLab
from tests.support.destinations import BY_NAME

pytestmark = pytest.mark.filterwarnings(
    # dlt's merge into SQLAlchemy's databases; SQLAlchemy does what is intended.
    "ignore:implicitly coercing SELECT object",
    "ignore:Coercing Subquery object",
)
TABLES = ("time_entries", "clients")
LIMITS = {
    "postgres": "SHOW lock_timeout",
    "mariadb": "SELECT CONCAT(@@SESSION.lock_wait_timeout DIV 60, 'min')",
}
LOCKS = {
    "postgres": "LOCK TABLE harvest.time_entries IN ACCESS EXCLUSIVE MODE",
    "mariadb": "LOCK TABLES harvest.time_entries WRITE",
}
SHORTER = {
    "postgres": "ALTER ROLE postgres SET lock_timeout = '50ms'",
    "mariadb": "SET GLOBAL lock_wait_timeout = 1",
}
"""The user's own limit, for new sessions."""


@pytest.fixture
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DestinationLab]:
    """A loaded lab of the named destination."""
    server = BY_NAME[request.param]
    if why := server.why_not():
        pytest.skip(why)
    with DestinationLab(tmp_path, server) as lab:
        lab.stop_timers()
        lab.rest()
        assert lab.sync(*TABLES).status == "ok"
        yield lab


@pytest.mark.rare
@pytest.mark.parametrize("lab", LIMITS, indirect=True)
def test_every_connection_waits_a_minute_at_most(lab: DestinationLab) -> None:
    """The servers themselves wait for ever or a day; the limit is still there after an error."""
    with (
        lab.working(),
        attach(destination=lab.server_kind.destination).sql_client() as client,
    ):
        query = LIMITS[lab.server_kind.name]
        assert client.execute_sql(query) == [("1min",)]
        with pytest.raises(DatabaseException):
            client.execute_sql("SELECT * FROM no_such_table")
        assert client.execute_sql(query) == [("1min",)]


@pytest.mark.rare
@pytest.mark.parametrize("lab", LOCKS, indirect=True)
def test_a_locked_table_ends_the_run_and_loses_nothing(lab: DestinationLab) -> None:
    """A shorter limit of the user's own counts; the error says what to do."""
    name = lab.server_kind.name
    entry = lab.server.rows("time_entries")[0]
    lab.server.edit("time_entries", entry["id"], notes="While it was locked")
    lab.rest()
    with lab.reader() as pipeline:
        with pipeline.sql_client() as client:
            client.execute_sql(SHORTER[name])
        with pipeline.sql_client() as client, client.begin_transaction():
            client.execute_sql(LOCKS[name])
            report = lab.sync(*TABLES)
    assert (report.status, report.exit_code) == ("error", ExitCode.DESTINATION)
    (error,) = report.as_dict()["errors"]
    assert "the next run loads them first. Another session locks a table" in error["message"]
    lab.rest()
    assert lab.sync(*TABLES).status == "ok"
    notes = {row["id"]: row["notes"] for row in lab.table("time_entries")}
    assert notes == {row["id"]: row["notes"] for row in lab.server.rows("time_entries")}
