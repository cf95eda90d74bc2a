"""The reports, each from the account's rows (behaviour.md 7)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from harvest_source.sandbox.data import references as refs
from harvest_source.sandbox.data.values import Record, amount_of, money
from harvest_source.sandbox.endpoints import Report
from harvest_source.sandbox.serve.reports.projects import project_budget_rows, uninvoiced_rows
from harvest_source.sandbox.serve.reports.sums import (
    Sum,
    Time,
    View,
    Window,
    list_expenses,
    list_times,
)

Params = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Subject:
    """The kind of record that a report has one row for: from *table*, quoted as *member*."""

    table: str
    member: str
    show: Callable[[Record], Record]


def build_report(report: Report, window: Window, params: Params, view: View) -> list[Record]:
    """
    Every row of a report, sorted by displayed name; uninvoiced and project_budget by client first.

    Unverified against a live account: whether the order is case-sensitive.
    """
    group, _, by = report.path.partition("/")
    if group == "uninvoiced":
        return uninvoiced_rows(view, window, fees=params.get("include_fixed_fee") != "false")
    if group == "project_budget":
        return project_budget_rows(view, params.get("is_active"))
    subject = SUBJECTS[by]
    if group == "expenses":
        return _in_order(_expense_rows(view, subject, window), subject)
    rows = _time_rows(view, subject, window, fees=params.get("include_fixed_fee") == "true")
    if params.get("include_forecast") == "true" and "include_forecast" in report.params:
        rows = [row | {"scheduled_hours": _scheduled(row, subject)} for row in rows]
    return _in_order(rows, subject)


def _scheduled(row: Record, subject: Subject) -> float:
    """Invented hours: those planned in the other product are not simulated (one source, S17)."""
    return float(row[f"{subject.member}_id"] % 5 * 8)


def _in_order(rows: Iterable[Record], subject: Subject) -> list[Record]:
    name, key = f"{subject.member}_name", f"{subject.member}_id"
    return sorted(
        rows, key=lambda row: (str(row[name]).casefold(), row[key], row.get("currency", ""))
    )


def _show_client(client: Record) -> Record:
    return {"client_id": client["id"], "client_name": client["name"]}


def _show_project(project: Record) -> Record:
    """The name has the code before it, in the two reports by project only (S4)."""
    code = f"[{project['code']}] " if project["code"] else ""
    named = {"project_id": project["id"], "project_name": f"{code}{project['name']}"}
    return named | _show_client(project["client"])


def _client_first(row: Record) -> Record:
    """A row with its client before its project, as expenses/projects is recorded (S4)."""
    return {name: row[name] for name in row if name.startswith("client_")} | row


def _show_task(task: Record) -> Record:
    return {"task_id": task["id"], "task_name": task["name"]}


def _show_category(category: Record) -> Record:
    return {
        "expense_category_id": category["id"],
        "expense_category_name": category["name"],
    }


def _show_person(user: Record) -> Record:
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
    Hours by subject and currency; by subject alone where the viewer does not see rates.

    Hours of fixed-fee projects earn nothing unless *fees*: then they count at their rates.
    Unverified against a live account: both rules.
    """
    sums: dict[tuple[int, str], Sum] = {}
    projects = view.account.tables["projects"]
    for time in list_times(view, window):
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
    found = view.account.tables[subject.table]
    return [
        _time_row(view, subject, found[subject_id], currency, added)
        for (subject_id, currency), added in sums.items()
        if subject_id in found and added.total
    ]


def _time_row(view: View, subject: Subject, record: Record, currency: str, added: Sum) -> Record:
    row = subject.show(record)
    row |= {"total_hours": float(added.total), "billable_hours": float(added.billable)}
    if view.sees_rates:
        row |= {"currency": currency, "billable_amount": money(added.amount)}
    else:
        row |= view.withhold("currency", "billable_amount")
    if subject.member == "user":
        row |= {name: record[name] for name in ("weekly_capacity", "avatar_url")}
    return row


def _subject_of(subject: Subject, time: Time, project: Record) -> int:
    if subject.member == "client":
        return int(project["client"]["id"])
    found: int = getattr(time, f"{subject.member}_id")
    return found


def _expense_rows(view: View, subject: Subject, window: Window) -> list[Record]:
    sums: dict[tuple[int, str], Sum] = {}
    for record in list_expenses(view, window):
        key = record[subject.member]["id"], record["client"]["currency"]
        added = sums.setdefault(key, Sum())
        added.total += amount_of(record["total_cost"])
        if record["billable"] is True:
            added.billable += amount_of(record["total_cost"])
    found = view.account.tables[subject.table]
    return [
        _client_first(subject.show(found[subject_id]))
        | {
            "total_amount": money(added.total),
            "billable_amount": money(added.billable),
            "currency": currency,
        }
        for (subject_id, currency), added in sums.items()
        if subject_id in found and added.total
    ]
