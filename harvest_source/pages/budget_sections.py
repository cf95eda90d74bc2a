"""Sections on budgets: how much is spent, and how fast."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Final

from harvest_source.errors import counted
from harvest_source.pages import charts, figures
from harvest_source.pages.drawing import draw
from harvest_source.pages.filters import RecordKey
from harvest_source.pages.marts import Row, tell_apart
from harvest_source.pages.section import PageContext, Section
from harvest_source.pages.words import (
    format_day,
    format_hours,
    format_money,
    format_share,
)

_MOST_BARS: Final = 30
"""Maximum bars of one chart; a note says how many there are."""
_BURNS: Final = 9
"""Maximum number of small charts."""


def build_budgets(page: PageContext) -> Section:
    found = _read_budgets(page)
    known = [row for row in found if row["budget"]]
    rows = [
        {
            "label": _name_project(row),
            "share": row["share"],
            "state": "over it" if row["spent"] > row["budget"] else "within the budget",
            "note": _describe_budget(row),
            "text": f"{_name_project(row)}: {_describe_budget(row)}",
        }
        for row in known[:_MOST_BARS]
    ]
    notes = []
    if len(known) > _MOST_BARS:
        notes.append(f"The {_MOST_BARS} fullest of {len(known):,} budgets are shown.")
    if lacking := [_name_project(row) for row in found if not row["budget"]]:
        notes.append(
            f"{counted(len(lacking), 'budget')} without an amount: {', '.join(lacking[:6])}"
            f"{', ...' if len(lacking) > 6 else ''}."
        )
    if not found:
        notes.append("No active project has a budget.")
    return Section(
        "budgets",
        "Budgets",
        "How much of the budgets of active projects is spent, as of "
        f"{format_day(page.choices.as_of)}; of monthly budgets, this month. A budget runs out if "
        "the coming weeks are like the last four full ones.",
        chart=draw(charts.draw_budgets(rows), "Budgets spent") if rows else "",
        notes=tuple(notes),
    )


def _read_budgets(page: PageContext) -> list[Row]:
    found = figures.read_budgets(page.marts, page.filters)
    return tell_apart(found, "project", "project_id", ("client",))


def _name_project(row: Row) -> str:
    return f"{row['project']}, {row['client'] or 'no client'}"


def _describe_budget(row: Row) -> str:
    if row["unit"] == "money":
        amount = (
            f"{format_money(row['spent'])} of {format_money(row['budget'])} {row['currency'] or ''}"
        )
    else:
        amount = f"{format_hours(row['spent']).removesuffix(' h')} of {format_hours(row['budget'])}"
    share = format_share(row["share"]) if row["share"] is not None else ""
    monthly = ", monthly" if row["is_monthly"] else ""
    end = f", runs out {format_day(row['runs_out_on'])}" if row["runs_out_on"] else ""
    return f"{share}: {amount.strip()}{monthly}{end}"


def build_burn(page: PageContext) -> Section:
    budgets = {
        (row["account_id"], row["project_id"]): row
        for row in _read_budgets(page)
        if row["budget"] and not row["is_monthly"]
    }
    months: dict[RecordKey, list[Row]] = {}
    for row in figures.read_burn(page.marts, page.filters):
        months.setdefault((row["account_id"], row["project_id"]), []).append(row)
    chosen = [key for key in budgets if key in months][:_BURNS]
    rows = [
        point for key in chosen for point in _trace(budgets[key], months[key], page.choices.as_of)
    ]
    titles = [_name_project(budgets[key]) for key in chosen]
    notes = []
    if left_out := len(budgets) - len(chosen):
        notes.append(
            f"Not shown: {counted(left_out, 'more budget')}, unused or with smaller shares."
        )
    if not chosen:
        notes.append("No budget of an active project is being spent over months.")
    return Section(
        "burn",
        "How budgets are spent",
        "The share of each budget that was spent, month by month; the dashed part is the "
        "estimate until it runs out. Monthly budgets are left out.",
        chart=(
            draw(charts.draw_burn(rows, titles, page.choices.as_of), "Budgets over time")
            if rows
            else ""
        ),
        notes=tuple(notes),
    )


def _trace(budget: Row, months: Sequence[Row], as_of: date) -> Iterator[Row]:
    """Yield the line of one budget: a point at the end of each month, then the outlook."""
    title = _name_project(budget)
    base = {"title": title, "kind": "spent"}
    yield base | {"day": months[0]["month"].isoformat(), "share": 0.0}
    last: date = months[0]["month"]
    before = 0.0
    for row in months:
        # Months without use have no row: the line stays level until the next use begins.
        if last < (eve := row["month"] - timedelta(days=1)) < as_of:
            yield base | {"day": eve.isoformat(), "share": before}
        before = row["share"]
        end = _month_end(row["month"])
        if end < as_of:
            last = end
            yield base | {"day": end.isoformat(), "share": row["share"]}
    share = budget["share"]
    text = f"{title}: {_describe_budget(budget)}"
    here = {"day": as_of.isoformat(), "share": share}
    yield base | here | {"note": format_share(share), "text": text}
    out = budget["runs_out_on"]
    if out is not None and out > as_of >= last:
        outlook = {"title": title, "kind": "outlook"}
        yield outlook | here
        yield outlook | {"day": out.isoformat(), "share": 1.0, "out": format_day(out), "text": text}


def _month_end(first: date) -> date:
    return (first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
