"""Sections on money: uninvoiced work, open invoices, margins. Currencies are kept separate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from harvest_source.errors import counted
from harvest_source.pages import charts, figures
from harvest_source.pages.drawing import draw
from harvest_source.pages.marts import Row, tell_apart
from harvest_source.pages.section import PageContext, Section, TextTable
from harvest_source.pages.words import (
    format_day,
    format_hours,
    format_money,
    format_month,
    format_share,
)


def build_uninvoiced(page: PageContext) -> Section:
    found = tell_apart(
        figures.read_uninvoiced(page.marts, page.filters), "client", "client_id", ("currency",)
    )
    groups: dict[str, list[Row]] = {}
    for row in sorted(found, key=lambda row: -sum_open(row)):
        # A refund is a negative expense: then a sum can be zero, or less.
        if any(row[name] for name in ("time", "fee", "expenses", "drafts")):
            groups.setdefault(row["currency"] or "no currency", []).extend(_split(row))
    groups = {each: groups[each] for each in page.choices.sort_currencies(groups)}
    notes = []
    if unrated := sum(row["unrated_hours"] or 0 for row in found):
        notes.append(f"{format_hours(unrated)} have no billable rate: their amounts are missing.")
    if unknown := sum(row["unknown_fees"] or 0 for row in found):
        notes.append(f"{counted(int(unknown), 'fixed fee')} without an amount.")
    if beyond := [row for row in found if row["beyond"]]:
        said = ", ".join(
            f"{row['client']} {_format_amount(row['beyond'], row['currency'])}" for row in beyond
        )
        notes.append(f"Invoiced beyond the fixed fee, and not subtracted from anything: {said}.")
    if not groups and not unrated and not unknown:
        notes.append("Everything billable is invoiced.")
    return Section(
        "uninvoiced",
        "Uninvoiced and work in progress",
        f"Billable work that is on no invoice, as of {format_day(page.choices.as_of)}: time at its "
        "rates, what is left of fixed fees, and expenses. Amounts on drafts are shown beside it. "
        "Each currency has its own axis.",
        chart=draw(charts.draw_uninvoiced(groups), "Uninvoiced by client") if groups else "",
        notes=tuple(notes),
    )


def _format_amount(amount: float, currency: str | None) -> str:
    return f"{format_money(amount)} {currency or 'no currency'}"


def sum_open(row: Row) -> float:
    return float(sum(row[name] or 0 for name in ("time", "fee", "expenses")))


def _split(row: Row) -> Iterator[Row]:
    label, currency = row["client"], row["currency"]
    drafts = f", {format_money(row['drafts'])} on drafts" if row["drafts"] else ""
    age = f", oldest {row['oldest_days']:,} days" if row["oldest_days"] else ""
    note = f"{_format_amount(sum_open(row), currency)}{drafts}{age}"
    kinds = (
        ("Time", "time"),
        ("Fixed fees", "fee"),
        ("Expenses", "expenses"),
        ("On drafts", "drafts"),
    )
    for rank, (kind, name) in enumerate(kinds):
        amount = row[name] or 0.0
        text = f"{label}, {kind.lower()}: {_format_amount(amount, currency)}"
        yield {
            "label": label,
            "kind": kind,
            "rank": rank,
            "amount": amount,
            "text": text,
            **({"note": note} if rank == 0 else {}),
        }


def build_ageing(page: PageContext) -> Section:
    found = figures.read_ageing(page.marts, page.filters)
    title, about = (
        "Invoice ageing",
        "Amounts due on open invoices, by how long they have been due, as of "
        f"{format_day(page.choices.as_of)}.",
    )
    if found is None:
        return Section("ageing", title, about, notes=("Invoices are switched off in Harvest.",))
    drawn = _group_by_age(page, found)
    overdue = sorted(
        (row for row in tell_apart(found, "client", "client_id") if row["order"] > 0),
        key=lambda row: (-row["order"], -row["due"]),
    )
    return Section(
        "ageing",
        title,
        about,
        chart=draw(charts.draw_ageing(drawn), "Due by age") if drawn else "",
        table=_list_overdue(overdue) if overdue else None,
        notes=() if found else ("Nothing is due.",),
    )


def _list_overdue(overdue: Iterable[Row]) -> TextTable:
    return TextTable(
        ("Client", "Overdue, days", "Invoices", "Due", "Currency", "Oldest due date"),
        tuple(
            (
                row["client"],
                row["bucket"],
                f"{row['invoices']:,}",
                format_money(row["due"], cents=True),
                row["currency"] or "",
                format_day(row["oldest_due_date"]) if row["oldest_due_date"] else "",
            )
            for row in overdue
        ),
        numbers=("Invoices", "Due"),
    )


def _group_by_age(page: PageContext, found: Iterable[Row]) -> dict[str, list[Row]]:
    """The sum of each age, by currency, in the order of the page."""
    groups: dict[str, dict[str, list[Row]]] = {}
    for row in found:
        groups.setdefault(row["currency"] or "no currency", {}).setdefault(
            row["bucket"], []
        ).append(row)
    return {
        currency: [_sum_bucket(bucket, rows, currency) for bucket, rows in groups[currency].items()]
        for currency in page.choices.sort_currencies(groups)
    }


def _sum_bucket(bucket: str, rows: Sequence[Row], currency: str) -> Row:
    due = sum(row["due"] for row in rows)
    invoices = int(sum(row["invoices"] for row in rows))
    text = f"{bucket}: {_format_amount(due, currency)}, {counted(invoices, 'invoice')}"
    return {"bucket": bucket, "due": due, "note": format_money(due), "text": text}


def build_margins(page: PageContext) -> Section:
    # A client with two currencies gets two bars.
    clients = tell_apart(figures.read_margins(page.marts, page.filters), "client", "client_id")
    # A fixed fee is revenue, and an expense is a cost, in months without hours too.
    found = [row for row in clients if row["hours"] or row["all_revenue"] != 0 or row["margin"]]
    known = [row for row in found if (row["revenue"] or 0) > 0 and row["margin"] is not None]
    rows = sorted((_mark_margin(row) for row in known), key=lambda row: -row["share"])
    notes = []
    unknown = [
        row
        for row in found
        if row not in known and (row["all_revenue"] is None or row["all_revenue"] > 0)
    ]
    internal = [row["client"] for row in found if row not in known and row not in unknown]
    if internal:
        notes.append(f"Without revenue, and not shown: {', '.join(internal)}.")
    if not found:
        notes.append("No hours and no revenue in these months.")
    if unknown:  # The last note: their table follows it.
        notes.append(f"Not known for {counted(len(unknown), 'client')}, and not in the chart:")
    first, last = page.filters.start.replace(day=1), page.filters.end
    return Section(
        "margins",
        "Margin by client",
        f"Revenue less cost, as a share of revenue, {format_month(first)} to {format_month(last)}, "
        "of all people, as Harvest's profitability report defines it. Only months in which every "
        "rate is known count; a pale bar means that there are others.",
        chart=draw(charts.draw_margins(rows), "Margin by client") if rows else "",
        notes=tuple(notes),
        table=_explain_margins(unknown) if unknown else None,
    )


def _mark_margin(row: Row) -> Row:
    share, measure = row["margin"] / row["revenue"], "hours" if row["hours"] else "revenue"
    known, whole = (
        (row["known_hours"], row["hours"]) if row["hours"] else (row["revenue"], row["all_revenue"])
    )
    part = known / whole
    is_whole = part > 0.9995
    state = "a loss" if share < 0 else "all hours known" if is_whole else "a part of the hours"
    note = (
        f"{format_share(share)}: {format_money(row['margin'])} of "
        + _format_amount(row["revenue"], row["currency"])
        + ("" if is_whole else f", {format_share(part)} of {measure}")
    )
    label = f"{row['client']}, {row['currency'] or 'no currency'}"
    return {
        "label": label,
        "share": share,
        "state": state,
        "note": note,
        "text": f"{label}: {note}",
    }


def _explain_margins(rows: Sequence[Row]) -> TextTable:
    return TextTable(
        ("Client", "Hours", "Currency", "Why the margin is not known"),
        tuple(
            (
                row["client"],
                f"{row['hours']:,.0f}",
                row["currency"] or "",
                _explain_margin(row),
            )
            for row in rows
        ),
        numbers=("Hours",),
    )


def _explain_margin(row: Row) -> str:
    reasons = []
    if row["unexchanged"]:
        reasons.append(
            f"no exchange rate of {row['currency']}" if row["currency"] else "no currency"
        )
    if row["uncosted_hours"]:
        reasons.append(f"{format_hours(row['uncosted_hours'])} without a cost rate")
    if row["unrated_hours"]:
        reasons.append(f"{format_hours(row['unrated_hours'])} without a billable rate")
    if row["unknown_fees"]:
        reasons.append("a fixed fee or its dates are missing")
    return " and ".join(reasons[:2]) or "no month is known"
