"""Sections on people and their time: utilization, billable mix, missing time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from typing import Final

from harvest_source.errors import counted
from harvest_source.pages import charts, figures
from harvest_source.pages.drawing import draw
from harvest_source.pages.filters import RecordKey
from harvest_source.pages.marts import Row, tell_apart
from harvest_source.pages.periods import fill_months, fill_weeks
from harvest_source.pages.section import PageContext, Section
from harvest_source.pages.words import (
    format_day,
    format_hours,
    format_month,
    format_share,
)

_MOST_WEEKS: Final = 60
"""Maximum weeks of a period shown by week; longer periods are shown by month."""
_FEW_WEEKS: Final = 16
"""Maximum weeks of a period whose hours are summed by week."""
_MOST_CELLS: Final = 60
"""Maximum people in the heat map: more would be illegible."""
_MOST_PEOPLE: Final = 30
_MISSING: Final = "Who has not logged"
_MISSING_DAYS: Final = 42
"""How many of the last days are searched for missing time: older days will not be logged now."""


def build_utilization(page: PageContext) -> Section:
    by_month = (page.filters.end - page.filters.start).days > 7 * _MOST_WEEKS
    rows = [
        row
        for row in tell_apart(
            figures.read_utilization(page.marts, page.filters, by_month=by_month),
            "person",
            "user_id",
        )
        if (row["available"] or row["worked"])
        # Unfinished weeks are left out.
        and (by_month or row["period"] + timedelta(days=6) <= page.choices.as_of)
    ]
    capacity = figures.read_weekly_capacity(page.marts, page.filters)
    people = _rank_people(rows)
    shown = list(people)[:_MOST_CELLS]
    labels = {key: _label_person(people[key], capacity.get(key)) for key in shown}
    cells = [
        {
            "label": labels[row["account_id"], row["user_id"]],
            "period": row["period"].isoformat(),
            "share": row["worked"] / row["available"],
            "text": _describe_week(row, by_month=by_month),
        }
        for row in rows
        if row["available"] and (row["account_id"], row["user_id"]) in labels
    ]
    what = "month" if by_month else "week"
    over = "" if by_month else " and is over"
    notes = [] if cells else [f"No {what} that begins in this period{over} has hours available."]
    if len(people) > len(shown):
        notes.append(f"The {len(shown)} busiest of {len(people):,} people are shown.")
    fill = fill_months if by_month else fill_weeks
    periods = [
        day.isoformat() for day in fill(date.fromisoformat(cell["period"]) for cell in cells)
    ]
    chart = charts.draw_utilization(cells, list(labels.values()), periods, by_month=by_month)
    return Section(
        "utilization",
        "Utilization",
        f"Hours worked by person and {what}, as a share of the hours available: capacity less time "
        f"off. {page.period}, on all clients; the busiest first, with hours per week.",
        chart=draw(chart, f"Utilization by person and {what}") if cells else "",
        notes=tuple(notes),
    )


def _rank_people(rows: Iterable[Row]) -> dict[RecordKey, str]:
    """Sort people by their share over the period, highest first."""
    sums: dict[RecordKey, tuple[float, float]] = {}
    names: dict[RecordKey, str] = {}
    for row in rows:
        key = row["account_id"], row["user_id"]
        worked, available = sums.get(key, (0.0, 0.0))
        sums[key] = worked + row["worked"], available + row["available"]
        names[key] = row["person"] or f"person {row['user_id']}"

    def rank(key: RecordKey) -> tuple[float, str]:
        worked, available = sums[key]
        return -(worked / available if available else 0.0), names[key]

    return {key: names[key] for key in sorted(names, key=rank)}


def _label_person(name: str, capacity: float | None) -> str:
    return f"{name}, {capacity:g} h" if capacity else name


def _describe_week(row: Row, *, by_month: bool) -> str:
    when = format_month(row["period"]) if by_month else f"week of {format_day(row['period'])}"
    share = format_share(row["worked"] / row["available"])
    off = f", {format_hours(row['off'])} off" if row["off"] else ""
    return (
        f"{row['person']}, {when}: {format_hours(row['worked'])} of "
        f"{format_hours(row['available'])} available, {share}"
        f"; {format_hours(row['billable'])} billable{off}"
    )


def build_mix(page: PageContext) -> Section:
    by_week = (page.filters.end - page.filters.start).days <= 7 * _FEW_WEEKS
    rows: list[Row] = []
    read = figures.read_mix(page.marts, page.filters, by_week=by_week)
    found = {row["period"]: row for row in read}
    fill = fill_weeks if by_week else fill_months
    for day in fill(found):
        row = found.get(day, {"billable": 0.0, "other": 0.0})
        total = row["billable"] + row["other"]
        period = f"{day:%-d %b}" if by_week else f"{day:%b %y}"
        share = row["billable"] / total if total else 0.0
        for rank, (kind, hours) in enumerate(
            (("Billable", row["billable"]), ("Not billable", row["other"]))
        ):
            note = {"note": format_share(share), "top": total} if rank == 0 and total else {}
            text = f"{period}, {kind.lower()}: {format_hours(hours)} of {format_hours(total)}"
            rows.append(
                {"period": period, "kind": kind, "rank": rank, "hours": hours, "text": text} | note
            )
    shares = ", and the billable share of each" if charts.has_room(len(rows) // 2) else ""
    return Section(
        "mix",
        "Billable mix",
        f"Hours by {'week' if by_week else 'month'}{shares}. {page.period}.",
        chart=draw(charts.draw_mix(rows), "Billable and other hours") if rows else "",
        notes=() if rows else ("No hours in this period.",),
    )


def build_missing(page: PageContext) -> Section:
    # The day of the last sync is not over: people who have logged nothing on it are not late yet.
    end = min(page.filters.end, page.choices.as_of - timedelta(days=1))
    start = max(page.filters.start, end - timedelta(days=_MISSING_DAYS - 1))
    if start > end:
        return Section(
            "missing",
            _MISSING,
            "Working days without any entry, before the day of the last sync.",
            notes=(f"No day of this period is before {format_day(page.choices.as_of)}.",),
        )
    within = replace(page.filters, start=start, end=end)
    people = tell_apart(figures.read_missing(page.marts, within), "person", "user_id")
    names = {(row["account_id"], row["user_id"]): row for row in people}
    shown = list(names)[:_MOST_PEOPLE]
    days: dict[RecordKey, list[date]] = {}
    for row in figures.read_missing_days(page.marts, within):
        days.setdefault((row["account_id"], row["user_id"]), []).append(row["day"])
    rows = [
        {
            "label": f"{names[key]['person']}, {counted(names[key]['days'], 'day')}",
            "day": day.isoformat(),
            "text": f"{names[key]['person']}: nothing on {day:%A}, {format_day(day)}",
        }
        for key in shown
        for day in days.get(key, [])
    ]
    notes = []
    if len(names) > len(shown):
        notes.append(f"{len(names) - len(shown):,} more people have fewer missing days.")
    if not rows:
        notes.append("No such day.")
    return Section(
        "missing",
        _MISSING,
        f"Working days without any entry, {format_day(start)} to {format_day(end)}, of people who "
        "are not archived.",
        chart=draw(charts.draw_missing(rows, start, end), "Days without time") if rows else "",
        notes=tuple(notes),
    )
