"""Seeding step: clients, contacts, tasks, projects and their assignments."""

from __future__ import annotations

import random
from dataclasses import dataclass

from harvest_source.sandbox.data import words
from harvest_source.sandbox.data.records.work import (
    Booking,
    build_booking,
    client_record,
    contact_record,
    project_record,
    task_assignment_record,
    task_record,
    user_assignment_record,
)
from harvest_source.sandbox.data.seeding.plan import SPACING_S, Plan
from harvest_source.sandbox.data.values import DAY_S, Record, iso


@dataclass(frozen=True, slots=True)
class Kind:
    """A way to bill and budget a project (endpoints.yaml, project.bill_by and budget_by)."""

    bill_by: str
    budget_by: str
    billable: bool = True
    fixed_fee: bool = False
    monthly: bool = False


KINDS = (
    Kind("Project", "project"),
    Kind("People", "project_cost", monthly=True),
    Kind("Tasks", "task"),
    Kind("Tasks", "task_fees"),
    Kind("People", "person"),
    Kind("People", "none", fixed_fee=True),
    Kind("none", "none", billable=False),
    Kind("Project", "project", monthly=True),
)


def seed_work(plan: Plan) -> None:
    """Everything that time can be tracked on, oldest first."""
    settings = plan.settings
    for position in range(settings.clients):
        plan.add("clients", _client(plan, position))
    for position in range(settings.contacts):
        plan.add("contacts", _contact(plan, position))
    for position in range(settings.tasks):
        plan.add("tasks", _task(plan, position))
    for position in range(settings.projects):
        kind = KINDS[position % len(KINDS)]
        project = plan.add("projects", _project(plan, position, kind))
        _assign_users(plan, position, project)
        _assign_tasks(plan, position, project)


def _client(plan: Plan, position: int) -> Record:
    number, at = divmod(position, len(words.CLIENTS))
    name = words.CLIENTS[at] + (f" {number + 1}" if number else "")
    return client_record(
        plan.new_id("clients"),
        name,
        words.CURRENCIES[position % len(words.CURRENCIES)],
        plan.opened(position),
    ) | {
        "is_active": position % 8 != 7,
        "address": None if position % 3 == 1 else f"{position + 1} Quay Road\r\nHarbour Town",
    }


def _contact(plan: Plan, position: int) -> Record:
    clients = plan.all("clients")
    at = plan.opened(40 + position)
    record = contact_record(plan.new_id("contacts"), clients[position % len(clients)], at)
    unset = "" if position % 2 else None
    return record | {
        "title": unset if position % 3 else "Head of Finance",
        "first_name": words.FIRST_NAMES[(position * 5) % len(words.FIRST_NAMES)],
        "last_name": words.LAST_NAMES[(position * 3) % len(words.LAST_NAMES)]
        if position % 7
        else None,
        "email": "" if position % 5 == 4 else f"contact{position + 1}@example.org",
        "phone_office": "" if position % 4 else "555 0199",
        "phone_mobile": f"+1 555 01{position % 100:02d}" if position % 3 == 1 else "",
        "fax": "555 0198" if position % 6 == 2 else "",
        "invoice_recipient_status": ("none", "recipient", "cc", "bcc")[position % 4],
    }


def _task(plan: Plan, position: int) -> Record:
    number, at = divmod(position, len(words.TASKS))
    name = words.TASKS[at] + (f" {number + 1}" if number else "")
    return task_record(plan.new_id("tasks"), name, plan.opened(80 + position)) | {
        "billable_by_default": position % 5 != 4,
        "default_hourly_rate": (100.0, 0.0, None, 120, 95.5)[position % 5],
        "is_default": position < 3,
        "is_active": position % 9 != 8,
    }


def _project(plan: Plan, position: int, kind: Kind) -> Record:
    rng = plan.rng(f"project {position}")
    clients = plan.all("clients")
    number, at = divmod(position, len(words.PROJECTS))
    name = words.PROJECTS[at] + (f" {number + 1}" if number else "")
    opened = plan.start + (120 + position) * SPACING_S
    record = project_record(
        plan.new_id("projects"), clients[position % len(clients)], name, iso(opened)
    )
    return record | {
        "code": ("", None, f"P{position:03d}")[position % 3],
        "is_active": position % 9 != 8,
        **_terms(kind, rng),
        "show_budget_to_all": position % 5 == 1,
        "notes": (None, "", "Kick-off with the whole team")[position % 3],
        "starts_on": None if position % 2 else iso(opened)[:10],
        "ends_on": None if position % 4 else iso(plan.quiet_from + 90 * DAY_S)[:10],
        "updated_at": iso(opened + rng.randrange(100) * DAY_S),
    }


def _terms(kind: Kind, rng: random.Random) -> Record:
    by_money = kind.budget_by == "project_cost"
    by_hours = kind.budget_by == "project"
    return {
        "is_billable": kind.billable,
        "is_fixed_fee": kind.fixed_fee,
        "bill_by": kind.bill_by,
        "hourly_rate": rng.choice((100, 130.0, 95.75)) if kind.bill_by == "Project" else None,
        "budget_by": kind.budget_by,
        "budget_is_monthly": kind.monthly,
        "budget": rng.choice((200.0, 80, 1000.5)) if by_hours else None,
        "cost_budget": 25000 if by_money else None,
        "cost_budget_include_expenses": by_money,
        "notify_when_over_budget": kind.budget_by != "none",
        "over_budget_notification_percentage": 80.0,
        "fee": 20000.0 if kind.fixed_fee else None,
    }


def _assign_users(plan: Plan, position: int, project: Record) -> None:
    """
    Two to five users. User 1 manages every third project.

    User 1 holds the manager's default token, so that role sees some projects and not others.
    """
    rng = plan.rng(f"team {position}")
    users = plan.all("users")
    wanted = rng.sample(range(len(users)), min(len(users), rng.randint(2, 5)))
    if position % 3 == 0:
        wanted = [1, *(at for at in wanted if at != 1)][: len(users)] if len(users) > 1 else wanted
    for rank, at in enumerate(wanted):
        user, created = users[at], plan.start + (300 + position * 8 + rank) * SPACING_S
        rated = project["bill_by"] == "People" and rank % 2
        record = user_assignment_record(
            plan.new_id("user_assignments"), project, user, iso(created)
        )
        plan.add(
            "user_assignments",
            record
            | {
                "is_active": rank == 0 or rng.random() > 0.1,
                "is_project_manager": at == 1 and position % 3 == 0,
                "use_default_rates": not rated,
                "hourly_rate": 110.0 if rated else user["default_hourly_rate"],
                "budget": 40.5 if project["budget_by"] == "person" else None,
                "updated_at": iso(created + rng.randrange(50) * DAY_S),
            },
        )


def _assign_tasks(plan: Plan, position: int, project: Record) -> None:
    rng = plan.rng(f"tasks {position}")
    tasks = plan.all("tasks")
    for rank, at in enumerate(rng.sample(range(len(tasks)), min(len(tasks), 4))):
        task, created = tasks[at], plan.start + (700 + position * 5 + rank) * SPACING_S
        by_task = project["bill_by"] == "Tasks"
        budgeted = project["budget_by"] in ("task", "task_fees")
        record = task_assignment_record(
            plan.new_id("task_assignments"), project, task, iso(created)
        )
        plan.add(
            "task_assignments",
            record
            | {
                "billable": project["is_billable"] and task["billable_by_default"],
                "is_active": rank == 0 or rng.random() > 0.1,
                "hourly_rate": rng.choice((100, 85.125)) if by_task else None,
                "budget": rng.choice((30.0, 12)) if budgeted else None,
                "updated_at": iso(created + rng.randrange(50) * DAY_S),
            },
        )


def list_bookings(plan: Plan) -> list[Booking]:
    """Every pair of user and task that the assignments allow, project by project."""
    people: dict[int, list[Record]] = {}
    for record in plan.all("user_assignments"):
        people.setdefault(record["project"]["id"], []).append(record)
    return [
        build_booking(
            plan.tables["projects"][tasked["project"]["id"]],
            plan.tables["users"][staffed["user"]["id"]],
            staffed,
            tasked,
        )
        for tasked in plan.all("task_assignments")
        for staffed in people.get(tasked["project"]["id"], ())
    ]
