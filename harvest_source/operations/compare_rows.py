"""Compare the row counts of a table, in total and by year."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from functools import partial

from harvest_source.concurrency import in_parallel
from harvest_source.extract.slices import DateWindow, Slice
from harvest_source.operations.audit_tables import AuditedTable
from harvest_source.operations.changed_rows import ChangedRow
from harvest_source.operations.comparisons import ALL, AT_ONCE, Comparison
from harvest_source.sql.values import as_day
from harvest_source.warehouse.stored_days import Days


def compare_rows(
    table: AuditedTable, changed: Sequence[ChangedRow], listed: Days | None = None
) -> Iterator[Comparison]:
    """
    Compare the number of rows of *table* in total and, if its list takes dates, by year.

    Args:
        changed: Rows that changed since the merge; counted as Harvest has them now.
        listed: The rows of Harvest's list; None: Harvest is asked for each number.

    Raises:
        HarvestError: Harvest did not answer, or the destination refused.
    """
    stored = table.copy.count_days()
    days = apply_changes(stored, changed, day_column=table.endpoint.window, root=table.pair.root)
    figures = [(ALL, sum(days.values()), table.pair.root)]
    if table.endpoint.window is not None:
        years = list_year_windows(table.pair.root, stored)
        figures += [(name_window(each), count_within(each, days), each) for each in years]
    yield from in_parallel(partial(_compare, table, listed), figures, workers=AT_ONCE)


def _compare(
    table: AuditedTable, listed: Days | None, figure: tuple[str, int, DateWindow]
) -> Comparison:
    scope, rows, window = figure
    if listed is None:
        there = table.pair.reader.count(Slice(window))
    else:
        there = sum(listed.values()) if scope == ALL else count_within(window, listed)
    return Comparison(
        account_id=table.session.account_id,
        table=table.endpoint.name,
        check="rows",
        scope=scope,
        here=Decimal(rows),
        there=Decimal(there),
        slices=() if scope == ALL else (Slice(window),),
    )


def apply_changes(
    stored: Days, changed: Iterable[ChangedRow], *, day_column: str | None, root: DateWindow
) -> Days:
    """
    Rows by day once the changes are merged.

    Args:
        day_column: The column that dates a row; None for a table without dates.
        root: The days that are compared; rows dated outside do not count.
    """
    days = Counter(stored)
    for each in changed:
        for row, change in ((each.here, -1), (each.there, 1)):
            day = as_day(row[day_column]) if row is not None and day_column else None
            if row is not None and (day_column is None or day in root):
                days[day] += change
    return days


def list_year_windows(root: DateWindow, days: Days) -> list[DateWindow]:
    """Adjacent windows that fill *root*: each year with rows, and the gaps between and beyond."""
    years = sorted({day.year for day in days if day is not None})
    firsts = {each for year in years for each in (year, year + 1) if each <= date.max.year}
    cuts = [date(year, 1, 1) for year in sorted(firsts)]
    inside = [cut for cut in cuts if cut > (root.start or date.min)]
    starts: list[date | None] = [root.start, *inside]
    ends: list[date | None] = [*inside, None]
    return [DateWindow(start, end) for start, end in zip(starts, ends, strict=True)]


def name_window(window: DateWindow) -> str:
    """``2024`` for a year, else its days."""
    start, end = window.start, window.end
    if start and end and start.year + 1 == end.year and (end.month, end.day) == (1, 1):
        return str(start.year)
    return str(window)


def count_within(window: DateWindow, days: Days) -> int:
    """Rows dated in *window*."""
    return sum(rows for day, rows in days.items() if day is not None and day in window)
