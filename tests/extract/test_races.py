"""
Rows that change while they are read: none is lost.

Each kind of list goes through the same three runs. During the first and the second, a hook makes
changes between the first page and the next: it runs once the first answer is fixed, before that
answer is sent. The third run is quiet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from harvest_source.sandbox import Request
from tests.support.read_lab import OpenReadLab, Reading, ReadLab, assert_read, find_differences
from tests.support.simulation import Row, by_id

PAGE, ROWS = 100, 150
"""A page and a half: Harvest's pages have 2,000 rows, those of these tests fewer."""

NEWEST, OLDEST = "2026-06-17", "2001-01-01"


@dataclass(frozen=True)
class Kind:
    """A paged list and its style of paging."""

    table: str
    settings: dict[str, Any]
    cursors: bool
    """A cursor, not a number, identifies a page."""


KINDS = {
    "entries by page": Kind("time_entries", {"entries": ROWS}, False),
    "entries by cursor": Kind(
        "time_entries", {"entries": ROWS, "cursor_tables": ("time_entries",)}, True
    ),
    "expenses by page": Kind("expenses", {"expenses": ROWS}, False),
}


class Between:
    """
    Does something once, between the first page of a table and the next.

    Args:
        tick_s: Seconds by which the clock advances at every request for the table.
    """

    def __init__(self, lab: ReadLab, table: str, act: Callable[[], None], tick_s: float) -> None:
        self.pages: list[Request] = []
        self._lab, self._table, self._act, self._tick_s = lab, table, act, tick_s
        lab.server.after_request(self)

    def __call__(self, request: Request) -> None:
        if request.table != self._table or request.params.get("per_page") == "1":
            return
        self.pages.append(request)
        if len(self.pages) == 1:
            self._act()
        self._lab.clock.advance(self._tick_s)


@dataclass
class Story:
    """The results of each kind of change."""

    lab: ReadLab
    kind: Kind
    served_by: set[str]
    """The names of the parameters that led to further pages."""
    after_first: dict[str, Any]
    """The differences between the table and the account directly after the first run."""
    after_second: dict[str, Any]
    after_third: dict[str, Any]
    reports: list[Reading]
    ids: dict[str, int]
    """The id of the record to which each change was made."""
    second_of_the_edits: str
    """The time of the first edit of the row edited twice, in the middle of the second run."""

    def landed(self, what: str) -> Row:
        """The row of the record that *what* happened to, after the third run."""
        return by_id(self.lab.table(self.kind.table))[self.ids[what]]

    def now(self, what: str) -> Row:
        """That record as the sandbox serves it now."""
        record = self.lab.server.row(self.kind.table, self.ids[what])
        assert record is not None
        return record


def tell(lab: ReadLab, kind: Kind) -> Story:
    """Run three times, with changes during the first two runs."""
    server, table = lab.server, kind.table
    lab.stop_timers()
    lab.rest()
    listed = [record["id"] for record in server.rows(table)]  # In the order served.
    ids = {
        "edited on a page already read": listed[10],
        "moved to a page already read": listed[-10],
        "moved to a page not read yet": listed[20],
        "deleted before the seam": listed[30],
        "edited twice in one second": listed[40],
        "deleted on the last page": listed[-20],
    }

    def during_first() -> None:
        # Nothing else may move, or the list would be read again.
        server.edit(table, ids["edited on a page already read"], notes="Edited meanwhile")

    def during_second() -> None:
        server.edit(table, ids["moved to a page already read"], spent_date=NEWEST)
        server.edit(table, ids["moved to a page not read yet"], spent_date=OLDEST)
        ids["created during the read"] = server.create(table, spent_date=NEWEST)["id"]
        server.delete(table, ids["deleted before the seam"])
        server.delete(table, ids["deleted on the last page"])
        server.edit(table, ids["edited twice in one second"], notes="Once")

    watch = Between(lab, table, during_first, tick_s=1)
    reports = [lab.read(table)]
    after_first = find_differences(lab, table)
    served_by = {name for request in watch.pages for name in request.params}
    server.clear_hooks()

    lab.rest()
    server.edit_many(table, [record["id"] for record in server.rows(table)])  # All in one second.
    lab.rest(60)
    Between(lab, table, during_second, tick_s=0)
    reports.append(lab.read(table))
    after_second = find_differences(lab, table)
    server.clear_hooks()
    second = by_id(server.rows(table))[ids["edited twice in one second"]]["updated_at"]

    # The clock has not moved since the cursor was taken.
    server.edit(table, ids["edited twice in one second"], notes="Twice")
    lab.rest()
    reports.append(lab.read(table))
    after_third = find_differences(lab, table)
    return Story(lab, kind, served_by, after_first, after_second, after_third, reports, ids, second)


@pytest.fixture(scope="module", params=KINDS.values(), ids=list(KINDS))
def story(request: pytest.FixtureRequest) -> Iterator[Story]:
    kind: Kind = request.param
    with ReadLab(page_rows=PAGE, **kind.settings) as lab:
        yield tell(lab, kind)


def test_lists_are_served_in_both_paging_styles(story: Story) -> None:
    """Both styles of paging are really served, as the proofs below need them."""
    assert ("cursor" in story.served_by) == story.kind.cursors
    assert ("page" in story.served_by) != story.kind.cursors
    assert [report.run_log.failures for report in story.reports] == [[]] * 3
    assert [report.run_log.warnings for report in story.reports] == [[]] * 3


def test_whole_read_is_exact_at_once(story: Story) -> None:
    """If a row changes while history is read, the same run brings its final state."""
    assert story.after_first == {}


def test_read_of_changes_is_exact_at_once(story: Story) -> None:
    """Rows created or moved during a read of changes are loaded; deleted ones may remain."""
    gone = {story.ids["deleted before the seam"], story.ids["deleted on the last page"]}
    assert story.after_second.keys() <= {"extra"}
    assert {key[1] for key in story.after_second.get("extra", [])} <= gone


def test_quiet_run_ends_equal(story: Story) -> None:
    """After a quiet run the table equals the account, except for deleted rows."""
    gone = {story.ids["deleted before the seam"], story.ids["deleted on the last page"]}
    assert story.after_third.keys() <= {"extra"}
    assert {key[1] for key in story.after_third.get("extra", [])} <= gone


def test_row_edited_on_a_page_already_read(story: Story) -> None:
    """The row's updated_at lies inside the read; a cursor taken from the rows would skip it."""
    assert story.landed("edited on a page already read")["notes"] == "Edited meanwhile"


def test_rows_that_changed_pages(story: Story) -> None:
    """A row that moves to a page already read is on no page, but is loaded all the same."""
    for what in ("moved to a page already read", "moved to a page not read yet"):
        assert story.landed(what)["spent_date"].isoformat() == story.now(what)["spent_date"]


def test_row_created_during_the_read(story: Story) -> None:
    """A new row shifts all rows behind it by one place, and is on no page, but is loaded."""
    assert story.landed("created during the read")["id"]


def test_rows_changed_in_one_second_on_two_pages_are_read_again(story: Story) -> None:
    """If all rows changed in one second, on two pages, each is read again."""
    seconds = Counter(record["updated_at"] for record in story.lab.server.rows(story.kind.table))
    assert max(seconds.values()) >= ROWS - 5
    assert story.reports[1].rows(story.kind.table) >= ROWS - 1


def test_row_changed_in_the_second_of_the_cursor(story: Story) -> None:
    """If the second edit in one second follows the read, updated_at does not show it."""
    assert story.now("edited twice in one second")["updated_at"] == story.second_of_the_edits
    assert story.landed("edited twice in one second")["notes"] == "Twice"


class Restless:
    """Edits a row at each request for a further page, *times* times; None means always."""

    def __init__(self, lab: ReadLab, times: int | None) -> None:
        self.lab, self.times, self.done = lab, times, 0
        self.edited = [record["id"] for record in lab.server.rows("time_entries")][5:40:5]
        lab.server.after_request(self)

    def __call__(self, request: Request) -> None:
        self.lab.clock.advance(1)
        is_further = "page" in request.params or "cursor" in request.params
        if request.table == "time_entries" and is_further:
            if self.times is None or self.done < self.times:
                entry = self.edited[self.done % len(self.edited)]
                date = OLDEST if self.done % 2 else NEWEST
                self.lab.server.edit("time_entries", entry, spent_date=date, notes=f"{self.done}")
            self.done += 1


def test_a_changing_list_is_split_until_its_parts_are_stable(open_lab: OpenReadLab) -> None:
    """A list that always changes is read in date ranges of one page, exactly, in the same run."""
    lab = open_lab(entries=ROWS, page_rows=PAGE)
    lab.stop_timers()
    lab.rest()
    Restless(lab, times=3)
    report = lab.read("time_entries")
    assert (report.run_log.failures, report.run_log.warnings) == ([], [])
    assert any("from" in request.query for request in lab.server.requests)
    assert_read(lab, "time_entries")


def test_a_list_that_always_changes_keeps_its_cursor(open_lab: OpenReadLab) -> None:
    """If one day of one person exceeds a page and always changes, it is reported and reread."""
    lab = open_lab(entries=ROWS, page_rows=PAGE)
    lab.stop_timers()
    ids = [record["id"] for record in lab.server.rows("time_entries")]
    user = lab.server.rows("users")[0]["id"]
    lab.server.edit_many("time_entries", ids, spent_date="2026-03-02", user_id=user)
    lab.rest()

    def stir(request: Request) -> None:
        lab.clock.advance(1)
        if request.table == "time_entries" and "page" in request.params:
            lab.server.edit("time_entries", ids[0], notes=f"At {lab.clock()}")

    lab.server.after_request(stir)
    report = lab.read("time_entries")
    lab.server.clear_hooks()
    assert report.run_log.failures == []
    (unproven,) = report.run_log.unproven
    assert "kept changing" in str(unproven.error)
    assert len(lab.ids("time_entries")) == ROWS
    lab.rest()
    lab.server.reset_requests()
    report = lab.read("time_entries")
    assert (report.rows("time_entries"), report.run_log.warnings) == (ROWS, [])
    assert report.run_log.unproven == []
    assert_read(lab, "time_entries")
