"""
Harvest's reports: one list per calendar year, or a snapshot per day.

Each run reads recent years, years never read, and years whose number of rows has changed since they
were read. The others are read on the schedule of parent sweeps. A year that was read once is
requested as long as the warehouse has rows of it, even if it has no entries any more: their dates
may have been corrected.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Final

import pyarrow as pa

from harvest_source.errors import HarvestError
from harvest_source.extract.exclusion import note_excluded, store_excluded
from harvest_source.extract.removals import Reason
from harvest_source.extract.replaced_lists import (
    StoredLists,
    read_sublists,
)
from harvest_source.extract.report_years import (
    build_window_key,
    count_years,
    fill_gaps,
    last_day,
    parse_bounds,
    parse_window,
    plan_report,
    report_params,
)
from harvest_source.extract.schedule import is_due
from harvest_source.extract.slice_reader import ListSource, count_rows
from harvest_source.extract.slices import DateWindow, Slice
from harvest_source.extract.stored import load_object
from harvest_source.extract.sublists import Sublist, add_removal_of_lists
from harvest_source.extract.task import Task
from harvest_source.extract.visibility import covers, explain_off, explain_skip
from harvest_source.schema.endpoint import FROM_DATE, TO_DATE, Endpoint
from harvest_source.schema.endpoints import BY_NAME

Counted = Mapping[int, list[int]]
"""By year, the number of rows in each list that a report is drawn from."""

RECENT: Final = timedelta(days=90)
"""Hours this young are still edited: a report whose window reaches into them is always read."""


def read_windows(task: Task) -> Iterator[pa.Table]:
    """Read a report by calendar years."""
    stored = StoredLists(task, "windows")
    counted = _count_years(task)
    start = task.options.start_date
    years = {*counted, *fill_gaps(counted, task.today, start)}
    plan = plan_report(years, start, stored.names)
    due = [each for each in plan.windows if _is_due(stored, each, counted, task)]
    due = _drop_overlaps_if_undated(task, due, plan.covered)
    readable = [each for each in due if stored.may_be_read(build_window_key(each))]
    lacks_columns = task.lacks_columns
    note_excluded(task.state, task.excluded)
    sublists = [_window_sublist(task, each) for each in readable]
    incomplete = yield from read_sublists(task, sublists, stored)
    _forget(task, stored, _drop_overlaps_with_incomplete(plan.covered, incomplete), years)
    stored.store()
    if incomplete:
        return  # Without new counts, a year whose rows changed is read again.
    _store_counts(task, counted)
    if lacks_columns and len(readable) == len(plan.windows):
        store_excluded(task.state, task.excluded)
    if task.options.full_refresh and start is None:
        task.run_log.note_whole(*task.key)


def read_snapshot(task: Task) -> Iterator[pa.Table]:
    """
    Read a report without dates: one snapshot per day, the last read of the day.

    The day is that of Harvest's clock, if known. No later run corrects a day: with this machine's
    clock ahead, the snapshot would count as the latest until then; with it behind, it would replace
    that of another day.
    """
    theirs = task.session.server_clock.read()
    today = task.today if theirs is None else theirs.date()
    stored = StoredLists(task, "windows")
    if stored.may_be_read(today.isoformat()):
        sublist = Sublist((("snapshot_date", today),), task.endpoint.list_path)
        note_excluded(task.state, task.excluded)
        yield from read_sublists(task, [sublist], stored)
        stored.store(only=today.isoformat())
        store_excluded(task.state, task.excluded)  # Earlier days cannot be read again.


def _count_years(task: Task) -> Counted:
    """By year with any rows, their number in each list that the report is drawn from."""
    report = task.endpoint.report
    assert report is not None
    first, *others = report.dated_by
    found = [_count_list(task, BY_NAME[first])]
    found += [_count_hidden(task, BY_NAME[each]) for each in others]
    years = {year for each in found for year in each}
    return {year: [each.get(year, 0) for each in found] for year in sorted(years)}


def _count_list(task: Task, listed: Endpoint) -> Mapping[int, int]:
    source = ListSource(task.session.client, listed, _no_rows)

    def count(window: DateWindow) -> int:
        return count_rows(source, Slice(window))

    return count_years(count, task.today, task.options.start_date)


def _count_hidden(task: Task, listed: Endpoint) -> Mapping[int, int]:
    """As :func:`_count_list`; empty for a list that is switched off or hidden from this token."""
    if explain_off(listed, task.session):
        return {}
    try:
        return _count_list(task, listed)
    except HarvestError as error:
        if explain_skip(listed, task.session, error) is None:
            raise
        return {}


def _no_rows(_rows: bytes) -> pa.Table:
    """Decode nothing: the list is only counted."""
    return pa.table({})


def _is_due(stored: StoredLists, window: DateWindow, counted: Counted, task: Task) -> bool:
    now, before = task.options.clock.now(), stored.before(build_window_key(window))
    if before is None or task.options.full_refresh or task.lacks_columns:
        return True
    if last_day(window) >= now.date() - RECENT:
        return True
    if not before.is_trusted:
        return True  # The warehouse may have other rows.
    if not covers(before.by, task.visibility):
        return True  # This token may see rows that the previous one did not.
    if _has_other_rows(window, counted, task):
        return True
    return is_due(before.at, now, task.options.sweep_every)


def _has_other_rows(window: DateWindow, counted: Counted, task: Task) -> bool:
    """Whether a year's number of rows changed since it was read: dates were corrected."""
    assert window.start is not None
    known = load_object(task.state.get("counts"))
    report, year = task.endpoint.report, window.start.year
    assert report is not None
    none = [0] * len(report.dated_by)
    return str(year) in known and known[str(year)] != counted.get(year, none)


def _store_counts(task: Task, counted: Counted) -> None:
    """Store the row counts of the years that are not read in each run anyway."""
    recent = (task.today - RECENT).year
    task.state["counts"] = {str(year): counted[year] for year in sorted(counted) if year < recent}


def _drop_overlaps_if_undated(
    task: Task, windows: Sequence[DateWindow], covered: Sequence[str]
) -> list[DateWindow]:
    """
    Leave out *windows* that share days with one of *covered*, if answers have no date.

    Such an answer may be from yesterday, so the rows of the covered window stay in the warehouse:
    with both windows loaded they would count twice.
    """
    bounds = [each for each in map(parse_bounds, covered) if each is not None]
    if not (bounds and task.session.server_clock.has_undated):
        return list(windows)
    task.run_log.warn(
        f"{task.endpoint.name} of account {task.session.account_id} is unchanged in the windows "
        "that were read before: Harvest's answers came without the Date header, so they may be "
        "outdated and lack rows. Set the proxy in between to pass on the Date header."
    )
    return [each for each in windows if not any(_share_days(each, other) for other in bounds)]


def _drop_overlaps_with_incomplete(
    covered: Sequence[str], incomplete: Sequence[Sublist]
) -> tuple[str, ...]:
    """Leave out *covered* windows that overlap an incomplete one: no other has their rows."""
    unread = [tuple(day for _, day in sublist.values) for sublist in incomplete]
    return tuple(
        name
        for name in covered
        if (bounds := parse_bounds(name)) is None
        or not any(first <= bounds[1] and bounds[0] <= last for first, last in unread)
    )


def _share_days(window: DateWindow, bounds: tuple[date, date]) -> bool:
    first, last = bounds
    assert window.start is not None
    return window.start <= last and first <= last_day(window)


def _forget(task: Task, stored: StoredLists, covered: tuple[str, ...], years: set[int]) -> None:
    """
    Forget windows whose days are in another window, and empty windows of years without rows.

    The rows of a covered window are removed from the warehouse: they would count twice.
    """
    if task.session.server_clock.has_undated:
        return
    for name in stored.names:
        before = stored.before(name)
        if name not in covered:
            is_over = before is not None and before.rows == 0 and _is_of_other_year(name, years)
        elif is_over := before is None or covers(task.visibility, before.by):
            _add_removal_of_window(task, name)
        if is_over:
            stored.forget(name)


def _is_of_other_year(name: str, years: set[int]) -> bool:
    """Whether the window with this name begins in none of *years*."""
    window = parse_window(name)
    return window is not None and window.start is not None and window.start.year not in years


def _add_removal_of_window(task: Task, name: str) -> None:
    """Store the removal of the rows of the window with this name; none if it is no window's."""
    if (bounds := parse_bounds(name)) is not None:
        values = tuple(zip((FROM_DATE, TO_DATE), bounds, strict=True))
        add_removal_of_lists(task, [Sublist(values)], Reason.COVERED)


def _window_sublist(task: Task, window: DateWindow) -> Sublist:
    assert window.start is not None
    first, last = window.start, last_day(window)
    values = ((FROM_DATE, first), (TO_DATE, last))
    return Sublist(values, task.endpoint.list_path, report_params(window))
