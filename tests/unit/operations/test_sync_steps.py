"""What a sync accepts as evidence that rows are gone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harvest_source.errors import HarvestError
from harvest_source.extract.run_log import RunLog
from harvest_source.operations.sync_steps import find_fully_read


def fail(log: RunLog) -> None:
    log.fail("tasks", 1, HarvestError("Harvest did not answer."))


def skip(log: RunLog) -> None:
    log.skip("tasks", 1, "This token may not read tasks.")


def leave_open(log: RunLog) -> None:
    log.note_unproven("tasks", 1, "It kept changing while it was read.")


@pytest.mark.parametrize("end", [fail, skip, leave_open])
def test_a_table_missing_from_the_second_read_is_no_evidence(end: Callable[[RunLog], None]) -> None:
    """What the first read brought was given up together with a refused table."""
    log = RunLog()
    for account_id in (1, 2):
        log.note_whole("tasks", account_id)
    end(log)
    assert find_fully_read(log) == {("tasks", 2)}


def test_a_thread_ending_after_its_table_was_refused_adds_no_evidence() -> None:
    """Closing a stream of rows does not wait for the threads that read it."""
    log = RunLog()
    log.fail("clients", 1, HarvestError("The destination refused clients."))
    log.drop_whole({"clients"})
    log.note_whole("clients", 1)
    log.note_whole("tasks", 1)
    assert find_fully_read(log) == {("tasks", 1)}
