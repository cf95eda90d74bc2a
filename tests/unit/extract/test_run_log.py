"""What a run records."""

from __future__ import annotations

from typing import Any

from harvest_source.extract.run_log import AuditReport, PageCounts, Progress, RunLog


def test_pages_tell_what_is_still_to_come() -> None:
    """Totals that grow count; rows that no list announced make the rest unknown."""
    counts = PageCounts()
    counts.add(Progress(1, "projects", 20, 50))
    counts.add(Progress(1, "clients", 5, 5))
    assert (counts.rows, counts.total, counts.left) == (25, 55, 30)
    counts.add(Progress(1, "projects", 30, 60))
    assert (counts.rows, counts.total, counts.left) == (55, 65, 10)
    counts.add(Progress(1, "projects", 30, 60))
    assert (counts.rows, counts.total, counts.left) == (85, 85, None)


def test_pages_can_be_read_while_one_is_added() -> None:
    """A run asks what is still to come while other threads read pages of a new table."""
    counts = PageCounts()
    seen: list[int | None] = []

    class SlowPage(Progress):
        """Lets another thread have a turn before each of its figures is known."""

        def __getattribute__(self, name: str) -> Any:
            seen.append(counts.left)
            return super().__getattribute__(name)

    counts.add(Progress(1, "clients", 5, 5))
    counts.add(SlowPage(1, "projects", 20, 50))
    assert {*seen} == {0}
    assert counts.left == 30


def test_a_warning_is_recorded_once() -> None:
    """A message that every table of an account causes is shown once."""
    run_log = RunLog()
    for _ in range(3):
        run_log.warn("The token sees less.")
    assert run_log.warnings == ["The token sees less."]


def test_a_table_read_without_rows_is_in_the_report() -> None:
    """Zero rows are a result; a table that is not named was not read."""
    run_log = RunLog()
    run_log.add_rows("roles", 1, 0)
    run_log.add_rows("users", 1, 2)
    run_log.add_rows("users", 1, 3)
    assert run_log.rows == {("roles", 1): 0, ("users", 1): 5}


def test_an_audit_without_work_was_not_due() -> None:
    """It is then not reported."""
    assert not AuditReport().was_due
    assert AuditReport(compared=1).was_due
    assert AuditReport(reread=1).was_due
