"""The ten reports, computed from the account's rows (behaviour.md 7)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from harvest_source.sandbox import references as refs
from harvest_source.sandbox.access import EVERYTHING
from harvest_source.sandbox.endpoints import Report
from harvest_source.sandbox.report_values import (
    EVER,
    Time,
    View,
    Window,
    expenses,
    times,
)
from harvest_source.sandbox.values import Record, amount_of, exact, money, parse_day

Params = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Subject:
    """What a report has one row for: *table* holds it, *member* is how rows quote it."""

    table: str
    member: str
    show: Callable[[View, Record], Record]


@dataclass(slots=True)
class Sum:
    """What has been added up for one subject and currency."""

    total: Decimal = Decimal(0)
    billable: Decimal = Decimal(0)
    amount: Decimal = Decimal(0)


def build_report(report: Report, window: Window, params: Params, view: View) -> list[Record]:
    """
    Every row of a report, in served order: by displayed name, client first where both are plain.

    Unverified against a live account: how the order takes upper and lower case.
    """
    group, _, by = report.path.partition("/")
    if group == "uninvoiced":
        return _uninvoiced(view, window, fees=params.get("include_fixed_fee") != "false")
    if group == "project_budget":
        return _project_budget(view, params.get("is_active"))
    subject = SUBJECTS[by]
    if group == "expenses":
        return _in_order(_expense_rows(view, subject, window), subject)
    rows = _time_rows(view, subject, window, fees=params.get("include_fixed_fee") == "true")
    if params.get("include_forecast") == "true" and "include_forecast" in report.params:
        rows = [row | {"scheduled_hours": _scheduled(row, subject)} for row in rows]
    return _in_order(rows, subject)


def _scheduled(row: Record, subject: Subject) -> float:
    """Hours planned in the other product, which is not simulated: invented (one source, S17)."""
    return float(row[f"{subject.member}_id"] % 5 * 8)


def _in_order(rows: Iterable[Record], subject: Subject) -> list[Record]:
    name, key = f"{subject.member}_name", f"{subject.member}_id"
    return sorted(
        rows, key=lambda row: (str(row[name]).casefold(), row[key], row.get("currency", ""))
    )


def _show_client(_: View, client: Record) -> Record:
    return {"client_id": client["id"], "client_name": client["name"]}


def _show_project(view: View, project: Record) -> Record:
    """With the code in front of the name, which only these two reports do (S4)."""
    code = f"[{project['code']}] " if project["code"] else ""
    named = {"project_id": project["id"], "project_name": f"{code}{project['name']}"}
    return named | _show_client(view, project["client"])


def _show_task(_: View, task: Record) -> Record:
    return {"task_id": task["id"], "task_name": task["name"]}


def _show_category(_: View, category: Record) -> Record:
    return {
        "expense_category_id": category["id"],
        "expense_category_name": category["name"],
    }


def _show_person(_: View, user: Record) -> Record:
    return {
        "user_id": user["id"],
        "user_name": refs.person(user)["name"],
        "is_contractor": user["is_contractor"],
    }


SUBJECTS = {
    "clients": Subject("clients", "client", _show_client),
    "projects": Subject("projects", "project", _show_project),
    "tasks": Subject("tasks", "task", _show_task),
    "categories": Subject("expense_categories", "expense_category", _show_category),
    "team": Subject("users", "user", _show_person),
}


def _time_rows(view: View, subject: Subject, window: Window, *, fees: bool) -> list[Record]:
    """
    Hours by subject and currency; without the right to see rates there is no currency to split by.

    Fixed fees earn nothing by the hour unless *fees*: then hours count at their rates. Unverified
    against a live account: both of these.
    """
    sums: dict[tuple[int, str], Sum] = {}
    projects = view.account.tables["projects"]
    for time in times(view, window):
        project = projects.get(time.project_id)
        if project is None:
            continue
        subject_id = _subject_of(subject, time, project)
        key = subject_id, project["client"]["currency"] if view.sees_rates else ""
        added = sums.setdefault(key, Sum())
        added.total += time.hours
        if time.billable:
            added.billable += time.hours
            added.amount += time.amount if fees or not project["is_fixed_fee"] else 0
    rows = []
    for (subject_id, currency), added in sums.items():
        record = view.account.tables[subject.table].get(subject_id)
        if record is None or not added.total:
            continue
        row = subject.show(view, record)
        if subject.member == "user":
            row |= {name: record[name] for name in ("weekly_capacity", "avatar_url")}
        row |= {"total_hours": float(added.total), "billable_hours": float(added.billable)}
        if view.sees_rates:
            row |= {"currency": currency, "billable_amount": money(added.amount)}
        rows.append(row)
    return rows


def _subject_of(subject: Subject, time: Time, project: Record) -> int:
    if subject.member == "client":
        return int(project["client"]["id"])
    found: int = getattr(time, f"{subject.member}_id")
    return found


def _expense_rows(view: View, subject: Subject, window: Window) -> list[Record]:
    sums: dict[tuple[int, str], Sum] = {}
    for record in expenses(view, window):
        key = record[subject.member]["id"], record["client"]["currency"]
        added = sums.setdefault(key, Sum())
        added.total += amount_of(record["total_cost"])
        if record["billable"] is True:
            added.billable += amount_of(record["total_cost"])
    found = view.account.tables[subject.table]
    return [
        subject.show(view, found[subject_id])
        | {
            "total_amount": money(added.total),
            "billable_amount": money(added.billable),
            "currency": currency,
        }
        for (subject_id, currency), added in sums.items()
        if subject_id in found and added.total
    ]


def _seen_projects(view: View) -> list[Record]:
    """The viewer's projects, by client and then by own name."""
    chosen = view.scope.projects or frozenset()
    return sorted(
        (
            record
            for record in view.account.tables["projects"].values()
            if view.scope.everything or record["id"] in chosen
        ),
        key=lambda row: (row["client"]["name"].casefold(), row["name"].casefold(), row["id"]),
    )


def _plain_names(project: Record) -> Record:
    return {
        "client_id": project["client"]["id"],
        "client_name": project["client"]["name"],
        "project_id": project["id"],
        "project_name": project["name"],
    }


def _uninvoiced(view: View, window: Window, *, fees: bool) -> list[Record]:
    """
    What is still to be invoiced, hours and expenses, project by project; all-zero rows too.

    A fixed fee less what the project's invoice lines took of it stands in every window that reaches
    past the start of the project. Unverified against a live account: that archived projects and
    those that are not billable are among the rows, and that the amount holds the expenses.
    """
    hours: dict[int, Sum] = {}
    for time in times(view, window):
        added = hours.setdefault(time.project_id, Sum())
        added.total += time.hours
        if time.billable and not time.billed:
            added.billable += time.hours
            added.amount += time.amount
    spent = _by_project(
        row for row in expenses(view, window) if row["billable"] is True and not row["is_billed"]
    )
    taken = _invoiced(view)
    rows = []
    for project in _seen_projects(view):
        if project["is_fixed_fee"] and not fees:
            continue
        key, added = project["id"], hours.get(project["id"], Sum())
        cost, amount = spent.get(key, Decimal(0)), added.amount
        if project["is_fixed_fee"]:
            begun = parse_day(project["starts_on"] or project["created_at"][:10]) or 0
            reached = window.last is None or window.last >= begun
            amount = amount_of(project["fee"]) - taken.get(key, 0) if reached else Decimal(0)
        rows.append(
            _plain_names(project)
            | {
                "currency": project["client"]["currency"],
                "total_hours": _zero_or(added.total),
                "uninvoiced_hours": float(added.billable),
                "uninvoiced_expenses": money(cost),
                "uninvoiced_amount": money(amount + cost),
            }
        )
    return rows


def _zero_or(hours: Decimal) -> float:
    """A whole 0 where there is nothing, as recorded, and a fraction elsewhere (quirk 52)."""
    return float(hours) if hours else 0


def _by_project(rows: Iterable[Record]) -> dict[int, Decimal]:
    sums: dict[int, Decimal] = {}
    for row in rows:
        key = row["project"]["id"]
        sums[key] = sums.get(key, Decimal(0)) + amount_of(row["total_cost"])
    return sums


def _invoiced(view: View) -> dict[int, Decimal]:
    """Amounts of invoice lines by project, drafts included, before discount and taxes."""
    sums: dict[int, Decimal] = {}
    for invoice in view.account.tables["invoices"].values():
        for line in invoice["line_items"]:
            if line.get("project"):
                key = line["project"]["id"]
                sums[key] = sums.get(key, Decimal(0)) + amount_of(line["amount"])
    return sums


def _project_budget(view: View, active: str | None) -> list[Record]:
    """
    Budgets and what is used of them: ever, or in the current month (UTC) for monthly ones.

    Projects without budget are left out (S4). Hours are the rounded ones that count to the budget;
    money is those hours at their billable rates, and all expenses where the project says so.
    Unverified against a live account: that definition, and that hidden money is a missing KEY.
    """
    whole = View(view.account, EVERYTHING, now=view.now)
    today = date.fromordinal(719163 + view.now // 86400)
    this_month = Window(today.replace(day=1).toordinal(), _month_end(today))
    spent = {monthly: _spent(whole, this_month if monthly else EVER) for monthly in (False, True)}
    managed = view.scope.projects or frozenset()
    rows = []
    for project in _seen_projects(whole):
        shown = view.scope.everything or project["id"] in managed or project["show_budget_to_all"]
        flag = str(project["is_active"]).lower()
        if project["budget_by"] == "none" or not shown or active not in (None, flag):
            continue
        row = _plain_names(project) | {
            name: project[name] for name in ("budget_is_monthly", "budget_by", "is_active")
        }
        by_money = project["budget_by"] in ("project_cost", "task_fees")
        if view.sees_rates or not by_money:
            hours, fees, costs = spent[bool(project["budget_is_monthly"])]
            used = hours.get(project["id"], Decimal(0))
            if by_money:
                used = fees.get(project["id"], Decimal(0))
                if project["cost_budget_include_expenses"]:
                    used += costs.get(project["id"], Decimal(0))
            row |= _use_of(_budget(view, project), used)
        rows.append(row)
    return rows


def _month_end(day: date) -> int:
    following = date(day.year + day.month // 12, day.month % 12 + 1, 1)
    return following.toordinal() - 1


def _spent(view: View, window: Window) -> tuple[dict[int, Decimal], ...]:
    """By project: budgeted hours, what they earn, and expenses."""
    hours: dict[int, Decimal] = {}
    fees: dict[int, Decimal] = {}
    for time in times(view, window):
        if time.budgeted:
            key = time.project_id
            hours[key] = hours.get(key, Decimal(0)) + time.hours
            fees[key] = fees.get(key, Decimal(0)) + time.amount
    return hours, fees, _by_project(expenses(view, window))


def _budget(view: View, project: Record) -> Decimal | None:
    """The budget by the project's method; that of tasks and people is the sum of theirs."""
    lists = {
        "task": "project_task_assignments",
        "task_fees": "project_task_assignments",
        "person": "project_user_assignments",
    }
    if project["budget_by"] in lists:
        below = view.account.below(lists[project["budget_by"]], project["id"])
        parts = [row["budget"] for row in below if row["is_active"] and row["budget"] is not None]
    else:
        name = "cost_budget" if project["budget_by"] == "project_cost" else "budget"
        parts = [project[name]] if project[name] is not None else []
    return sum((exact(part) for part in parts), Decimal(0)) if parts else None


def _use_of(budget: Decimal | None, used: Decimal) -> Record:
    return {
        "budget": None if budget is None else money(budget),
        "budget_spent": money(used),
        "budget_remaining": None if budget is None else money(budget - used),
    }
