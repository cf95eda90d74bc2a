"""The report of a sync: status, exit code, counts and the object of ``--json``."""

from __future__ import annotations

from datetime import timedelta

import pytest

from harvest_source.errors import (
    AuthError,
    BusyError,
    ConfigError,
    DestinationError,
    GuardError,
    HarvestError,
    ServerError,
)
from harvest_source.extract.run_log import RunLog
from harvest_source.operations.run_report import SyncReport, count_tables
from harvest_source.schema.endpoints import BY_NAME
from harvest_source.warehouse.target import Target
from tests.clocks import START

ACCOUNT, OTHER = 1000001, 1000002
ENDPOINTS = (BY_NAME["clients"], BY_NAME["roles"], BY_NAME["users"])


def read(*tables: str, account_id: int = ACCOUNT) -> RunLog:
    """A log with *tables* read."""
    log = RunLog()
    for table in tables:
        log.add_rows(table, account_id, 3)
    return log


def report(log: RunLog, *errors: HarvestError) -> SyncReport:
    return SyncReport(
        target=Target(),
        account_ids=(ACCOUNT,),
        started_at=START,
        ended_at=START + timedelta(seconds=2),
        seconds=2.3456,
        requests=9,
        tables=count_tables(log, ENDPOINTS),
        run_log=log,
        errors=errors,
    )


def test_a_run_without_failures_is_ok() -> None:
    """Skipped tables and warnings are not failures."""
    log = read("clients")
    log.skip("users", ACCOUNT, "the role may not read it")
    log.warn("The clocks differ.")
    found = report(log)
    assert (found.status, found.exit_code) == ("ok", 0)


def test_a_run_in_which_one_of_two_tables_failed_is_partial() -> None:
    """The other table was loaded."""
    log = read("clients", "roles")
    log.fail("roles", ACCOUNT, ServerError("x"))
    found = report(log)
    assert (found.status, found.exit_code) == ("partial", 4)


def test_a_table_that_failed_after_some_rows_did_not_land() -> None:
    """Its rows that were read are not a success."""
    log = read("clients")
    log.fail("clients", ACCOUNT, ServerError("x"))
    assert report(log).status == "error"


def test_a_table_that_failed_for_one_account_landed_for_another() -> None:
    """Each account of a table counts separately."""
    log = read("clients")
    log.add_rows("clients", OTHER, 1)
    log.fail("clients", ACCOUNT, ServerError("x"))
    assert report(log).status == "partial"


def test_a_list_that_could_not_be_proven_complete_makes_the_run_partial() -> None:
    """Its rows are loaded, but one may be missing: exit code 5, with the table among the errors."""
    log = read("clients", "roles")
    log.note_unproven("clients", ACCOUNT, "clients kept changing.")
    log.note_unproven("clients", ACCOUNT, "clients kept changing.")
    found = report(log)
    assert (found.status, found.exit_code) == ("partial", 5)
    assert found.as_dict()["errors"] == [
        {
            "account_id": ACCOUNT,
            "table": "clients",
            "type": "IncompleteListError",
            "message": "clients kept changing.",
        }
    ]


def test_a_failure_of_the_whole_run_is_an_error() -> None:
    """The destination refused the run, whatever was read."""
    found = report(read("clients"), DestinationError("x"))
    assert (found.status, found.exit_code) == ("error", 6)


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ((GuardError("x"), ServerError("x")), 4),
        ((ServerError("x"), AuthError("x")), 3),
        ((AuthError("x"), DestinationError("x")), 6),
        ((DestinationError("x"), BusyError("x")), 7),
        ((BusyError("x"), ConfigError("x")), 2),
        ((ConfigError("x"), HarvestError("x")), 1),
    ],
)
def test_failures_of_tables_and_of_the_run_count_alike(
    errors: tuple[HarvestError, HarvestError], expected: int
) -> None:
    """The exit code depends on both."""
    of_table, of_run = errors
    log = read("clients")
    log.fail("roles", ACCOUNT, of_table)
    assert report(log, of_run).exit_code == expected


def test_counts_are_by_table_and_account() -> None:
    """They are in the order of the endpoints; tables that were not read are absent."""
    log = read("users", "clients")
    log.add_rows("clients", OTHER, 4)
    log.add_deleted("clients", OTHER, 1)
    counts = count_tables(log, ENDPOINTS)
    assert list(counts) == ["clients", "users"]
    assert (counts["clients"].rows, counts["clients"].deleted) == (7, 1)
    assert counts["clients"].accounts == {ACCOUNT: (3, 0), OTHER: (4, 1)}


def test_an_empty_table_that_was_read_is_counted() -> None:
    """Zero rows are a result, not a missing request."""
    log = RunLog()
    log.add_rows("roles", ACCOUNT, 0)
    assert count_tables(log, ENDPOINTS)["roles"].rows == 0


def test_the_json_object_has_the_keys_of_the_contract() -> None:
    """The object has the keys and shapes of the contract."""
    log = read("clients")
    log.skip("users", ACCOUNT, "no permission")
    log.fail("roles", ACCOUNT, ServerError("Gave up."))
    log.warn("The clocks differ.")
    assert report(log, DestinationError("Full.")).as_dict() == {
        "status": "error",
        "account_ids": [ACCOUNT],
        "seconds": 2.35,
        "requests": 9,
        "tables": {
            "clients": {
                "rows": 3,
                "deleted": 0,
                "accounts": {str(ACCOUNT): {"rows": 3, "deleted": 0}},
            }
        },
        "skipped": [{"account_id": ACCOUNT, "table": "users", "reason": "no permission"}],
        "errors": [
            {"account_id": None, "table": None, "type": "DestinationError", "message": "Full."},
            {
                "account_id": ACCOUNT,
                "table": "roles",
                "type": "ServerError",
                "message": "Gave up.",
            },
        ],
        "warnings": ["The clocks differ."],
    }
