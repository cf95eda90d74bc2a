"""What a run records."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from harvest_source.extract.run_log import AuditReport, PageCounts, Progress, RunLog

TABLES = 3_000


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Threads that switch a thousand times as often as usual."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(before / 1000)
    yield
    sys.setswitchinterval(before)


def note_tables(note: Callable[[int], object], look: Callable[[], object]) -> None:
    """Call *note* for many tables in one thread while this one calls *look* repeatedly."""
    has_looked = threading.Event()

    def note_all() -> None:
        has_looked.wait(10)
        for number in range(TABLES):
            note(number)

    with ThreadPoolExecutor(1) as reader:
        noted = reader.submit(note_all)
        while not noted.done():
            look()
            has_looked.set()
        noted.result()


@pytest.mark.usefixtures("hasty_threads")
@pytest.mark.parametrize("figure", ["left", "total", "pages_left", "rows"])
def test_pages_are_counted_while_other_threads_read(figure: str) -> None:
    """A table's first page comes from the thread that reads it, at any moment."""
    counts = PageCounts()

    def note(number: int) -> None:
        counts.add(Progress(number, "projects", 1, 1))

    note_tables(note, lambda: getattr(counts, figure))
    assert counts.total == TABLES


@pytest.mark.usefixtures("hasty_threads")
@pytest.mark.parametrize("doubts", [False, True])
def test_no_table_that_was_read_whole_is_lost(doubts: bool) -> None:
    """Doubts about one table may arise while other tables end."""
    run_log = RunLog()

    def look() -> None:
        if doubts:
            run_log.drop_doubtful()
        else:
            run_log.drop_whole({"clients"})

    note_tables(lambda number: run_log.note_whole("projects", number), look)
    assert len(run_log.whole) == TABLES


def test_remaining_rows_are_computed_from_the_pages() -> None:
    """Growing totals count; rows that no list announced make the remainder unknown."""
    counts = PageCounts()
    counts.add(Progress(1, "projects", 20, 50))
    counts.add(Progress(1, "clients", 5, 5))
    assert (counts.rows, counts.total, counts.left) == (25, 55, 30)
    counts.add(Progress(1, "projects", 30, 60))
    assert (counts.rows, counts.total, counts.left) == (55, 65, 10)
    counts.add(Progress(1, "projects", 30, 60))
    assert (counts.rows, counts.total, counts.left) == (85, 85, None)


def test_a_warning_is_recorded_once() -> None:
    """A message caused by every table of an account is shown once."""
    run_log = RunLog()
    for _ in range(3):
        run_log.warn("The token sees less.")
    assert run_log.warnings == ["The token sees less."]


def test_a_table_read_without_rows_is_in_the_report() -> None:
    """Zero rows are a result; a table that is absent from the report was not read."""
    run_log = RunLog()
    run_log.add_rows("roles", 1, 0)
    run_log.add_rows("users", 1, 2)
    run_log.add_rows("users", 1, 3)
    assert run_log.rows == {("roles", 1): 0, ("users", 1): 5}


def test_an_audit_without_work_was_not_due() -> None:
    """Such an audit is not reported."""
    assert not AuditReport().was_due
    assert AuditReport(compared=1).was_due
    assert AuditReport(reread=1).was_due


class Told(RunLog):
    """Records the messages for those who watch a log."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    def on_finding(self, message: str) -> None:
        self.told.append(message)


@pytest.mark.usefixtures("hasty_threads")
def test_a_message_of_several_threads_is_reported_once() -> None:
    """Each account's reader warns about the same token, and a list may be read twice."""
    run_log, together = Told(), threading.Barrier(4)

    def say(_: int) -> None:
        for number in range(200):
            together.wait()
            run_log.warn(f"warning {number}")
            run_log.skip("projects", number, "not on")
            run_log.note_unproven("clients", number, f"unproven {number}")

    with ThreadPoolExecutor(4) as readers:
        assert list(readers.map(say, range(4))) == [None] * 4
    assert len(run_log.told) == len({*run_log.told}) == 600
    assert len(run_log.warnings) == len(run_log.skipped) == len(run_log.unproven) == 200
