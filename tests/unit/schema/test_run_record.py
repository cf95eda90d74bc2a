"""Which tables a run has read, and how old the results that use them are."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from harvest_source.schema.run_record import (
    RunRecord,
    find_as_of,
    find_last_read,
    find_runs_to_keep,
)

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
ONE, TWO = 1000001, 1000002


def run(hour: int, *errors: dict[str, Any], **tables: tuple[int, ...]) -> RunRecord:
    """A run that began *hour* hours after noon and read *tables* of these accounts."""
    began = NOON + timedelta(hours=hour)
    counts = {
        name: {"rows": 5, "accounts": {str(each): {"rows": 5} for each in accounts}}
        for name, accounts in tables.items()
    }
    row = {
        "started_at": began.isoformat(),
        "ended_at": began.replace(tzinfo=None),
        "status": "ok",
        "requests": None,
        "tables": json.dumps(counts),
        "errors": json.dumps(errors),
    }
    return RunRecord.parse(row)


def hours(at: datetime | None) -> float | None:
    """Hours after noon."""
    return None if at is None else (at - NOON) / timedelta(hours=1)


def test_a_failed_table_does_not_count_as_read() -> None:
    """A failure may be of a table, an account, or the whole run; others' failures do not count."""
    failed = {"account_id": ONE, "table": "clients"}
    found = run(0, failed, clients=(ONE, TWO), users=(ONE, TWO))
    assert [found.has_read("clients", each) for each in (ONE, TWO)] == [False, True]
    assert found.has_read("users", ONE)
    found = run(0, {"account_id": ONE, "table": None}, users=(ONE, TWO))
    assert [found.has_read("users", each) for each in (ONE, TWO)] == [False, True]
    assert not run(0, {"account_id": None, "table": None}, users=(ONE,)).has_read("users", ONE)
    assert not run(0, users=(ONE,)).has_read("clients", ONE)


def test_a_table_is_as_old_as_its_oldest_account() -> None:
    """A run of one account does not make the other's rows newer."""
    runs = [run(0, users=(ONE, TWO)), run(3, users=(ONE,))]
    assert hours(find_last_read(runs, "users", ONE)) == 3
    assert hours(find_last_read(runs, "users", TWO)) == 0
    assert hours(find_last_read(runs, "users")) == 0


def test_an_answer_is_as_old_as_its_oldest_table() -> None:
    """Different runs may have read the tables; one that was never read makes the age unknown."""
    runs = [run(0, users=(ONE,)), run(2, clients=(ONE,))]
    assert hours(find_as_of(runs, ["users", "clients"])) == 0
    assert hours(find_as_of(runs, ["clients"])) == 2
    assert hours(find_as_of(runs)) == 0
    assert find_as_of(runs, ["users", "invoices"]) is None
    assert find_as_of([]) is None


def test_the_runs_that_are_kept_give_the_same_ages() -> None:
    """A few runs keep the age of every table and account, however many runs there were."""
    failed = {"account_id": ONE, "table": "clients"}
    runs = [run(0, users=(ONE, TWO)), *(run(at, users=(ONE,)) for at in range(1, 500))]
    runs += [run(at, failed, clients=(ONE, TWO)) for at in range(500, 600)]
    kept = find_runs_to_keep(runs)
    assert [hours(each.started_at) for each in kept] == [599, 499, 0]
    for table, account_id in (("users", ONE), ("users", TWO), ("clients", ONE), ("clients", TWO)):
        told = find_last_read(kept, table, account_id)
        assert told == find_last_read(runs, table, account_id)
    assert find_runs_to_keep([]) == []
