"""
Harvest's reports: one list per calendar year, or a snapshot per day.

Recent years and years never read are read in each run, the others on the schedule of parent sweeps.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

import pyarrow as pa

from harvest_source.extract.replaced_lists import LastRead, Scope, StoredLists, read_scopes
from harvest_source.extract.slice_reader import ListSource, count_rows
from harvest_source.extract.slices import DateWindow, Slice
from harvest_source.extract.task import Task
from harvest_source.extract.visibility import covers
from harvest_source.extract.window_plan import EARLIEST
from harvest_source.schema.endpoints import BY_NAME

RECENT: Final = timedelta(days=90)
"""Hours this young are still edited: a report whose window reaches into them is always read."""


def report_windows(first: date, today: date) -> list[DateWindow]:
    """
    The calendar years from *first* to that of *today*, oldest first; no two share a day.

    Harvest refuses more than 365 days between ``from`` and ``to`` (quirk 64): a leap year has just
    that. Windows that share a day would count it twice (quirk 65). The last window ends with its
    year, so that its key stays the same all year.
    """
    years = range(first.year, today.year + 1)
    starts = [max(first, date(year, 1, 1)) for year in years]
    return [DateWindow(start, date(start.year + 1, 1, 1)) for start in starts]


def read_windows(task: Task) -> Iterator[pa.Table]:
    """Read a report by calendar years."""
    windows = report_windows(_first_day(task), task.today)
    stored = StoredLists(task, "windows")
    due = [each for each in windows if _is_due(stored.before(_name(each)), each, task)]
    readable = [each for each in due if stored.may_be_read(_name(each))]
    yield from read_scopes(task, [_window_scope(task, each) for each in readable], stored)
    stored.store()
    if task.options.full_refresh and task.options.start_date is None:
        task.run_log.whole.add(task.key)


def read_snapshot(task: Task) -> Iterator[pa.Table]:
    """Read a report without dates: one snapshot per day, the last read of the day."""
    today = task.today
    stored = StoredLists(task, "windows")
    if stored.may_be_read(today.isoformat()):
        scope = Scope((("snapshot_date", today),), task.endpoint.list_path, {})
        yield from read_scopes(task, [scope], stored)
        stored.store(only=today.isoformat())


def _first_day(task: Task) -> date:
    """The first day to report on: the configured one, or the first of the first year with rows."""
    report = task.endpoint.report
    assert report is not None
    if task.options.start_date is not None:
        return task.options.start_date
    source = ListSource(task.session.client, BY_NAME[report.dated_by], _no_rows)
    year = task.today.year
    while year > EARLIEST.year and count_rows(source, Slice(DateWindow(end=date(year, 1, 1)))):
        year -= 1
    return date(year, 1, 1)


def _no_rows(_rows: bytes) -> pa.Table:
    """Decode nothing: the list is only counted."""
    return pa.table({})


def _is_due(before: LastRead | None, window: DateWindow, task: Task) -> bool:
    now = task.options.clock.now()
    assert window.end is not None
    if before is None or task.options.full_refresh or window.end >= now.date() - RECENT:
        return True
    if not covers(before.by, task.visibility):
        return True  # This token may see rows that the former one did not.
    return now - before.at >= task.options.sweep_every


def _name(window: DateWindow) -> str:
    """The window's key in the table's state."""
    return "/".join(window.params().values())


def _window_scope(task: Task, window: DateWindow) -> Scope:
    bounds = window.params()
    values = tuple((name, date.fromisoformat(day)) for name, day in bounds.items())
    # Reports are documented and recorded with YYYYMMDD, unlike the other lists.
    params = {name: day.replace("-", "") for name, day in bounds.items()}
    return Scope(values, task.endpoint.list_path, params)
