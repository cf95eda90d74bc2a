"""Clients, contacts, tasks, projects and assignments, and the bookings that these allow."""

from __future__ import annotations

import random
from dataclasses import dataclass

from harvest_source.sandbox.data import references as refs
from harvest_source.sandbox.data.records.guesses import GUESSED
from harvest_source.sandbox.data.values import Record


def client_record(client_id: int, name: str, currency: str, at: str) -> Record:
    """An active client."""
    return {
        "id": client_id,
        "name": name,
        "is_active": True,
        "address": None,
        "statement_key": f"{random.Random(f'statement {client_id}').getrandbits(128):032x}",
        "created_at": at,
        "updated_at": at,
        "currency": currency,
    }


def contact_record(contact_id: int, client: Record, at: str) -> Record:
    """A person at a client; unset texts are empty (endpoints.yaml, contact)."""
    return {
        "id": contact_id,
        "title": None,
        "first_name": "New",
        "last_name": "Contact",
        "email": "",
        "phone_office": "",
        "phone_mobile": "",
        "fax": "",
        "created_at": at,
        "updated_at": at,
        **GUESSED["contacts"],
        "client": refs.named(client),
    }


def task_record(task_id: int, name: str, at: str) -> Record:
    """An active task."""
    return {
        "id": task_id,
        "name": name,
        "billable_by_default": True,
        "default_hourly_rate": None,
        "is_default": False,
        "is_active": True,
        "created_at": at,
        "updated_at": at,
    }


def project_record(project_id: int, client: Record, name: str, at: str) -> Record:
    """An active project without budget."""
    return {
        "id": project_id,
        "name": name,
        "code": None,
        "is_active": True,
        "is_billable": True,
        "is_fixed_fee": False,
        "bill_by": "none",
        "budget": None,
        "budget_by": "none",
        "budget_is_monthly": False,
        "notify_when_over_budget": False,
        "over_budget_notification_percentage": 80.0,
        "show_budget_to_all": False,
        "created_at": at,
        "updated_at": at,
        "starts_on": None,
        "ends_on": None,
        "over_budget_notification_date": None,
        "notes": None,
        "cost_budget": None,
        "cost_budget_include_expenses": False,
        "hourly_rate": None,
        "fee": None,
        "client": refs.client_money(client),
    }


def user_assignment_record(assignment_id: int, project: Record, user: Record, at: str) -> Record:
    """A user on a project, at the user's default rate."""
    return {
        "id": assignment_id,
        "is_project_manager": False,
        "is_active": True,
        "use_default_rates": True,
        "budget": None,
        "created_at": at,
        "updated_at": at,
        "hourly_rate": user.get("default_hourly_rate"),
        "project": refs.coded(project),
        "user": refs.person(user),
    }


def task_assignment_record(assignment_id: int, project: Record, task: Record, at: str) -> Record:
    """A task on a project."""
    return {
        "id": assignment_id,
        "billable": bool(project["is_billable"] and task["billable_by_default"]),
        "is_active": True,
        "created_at": at,
        "updated_at": at,
        "hourly_rate": None,
        "budget": None,
        "project": refs.coded(project),
        "task": refs.named(task),
    }


@dataclass(frozen=True, slots=True)
class Booking:
    """One way to spend time: a user on a project with a task, and the rates of an hour of it."""

    user_id: int
    project_id: int
    task_id: int
    user_assignment_id: int | None
    task_assignment_id: int | None
    billable: bool
    budgeted: bool
    billable_rate: float | None
    cost_rate: float | None


def build_booking(
    project: Record, user: Record, staffed: Record | None, tasked: Record, task_id: int = 0
) -> Booking:
    """
    What an hour of *user* on *tasked* costs and earns, by the project's ``bill_by``.

    Args:
        staffed: The user assignment, if there is one.
        tasked: The task assignment; empty when there is none.
        task_id: The task to use when *tasked* is empty.
    """
    rates = {
        "Project": project["hourly_rate"],
        "People": (staffed or {}).get("hourly_rate"),
        "Tasks": tasked.get("hourly_rate"),
    }
    billable = bool(tasked.get("billable", project["is_billable"]))
    return Booking(
        user_id=user["id"],
        project_id=project["id"],
        task_id=task_id or tasked["task"]["id"],
        user_assignment_id=staffed["id"] if staffed else None,
        task_assignment_id=tasked.get("id"),
        billable=billable,
        budgeted=billable,
        billable_rate=rates.get(project["bill_by"]) if billable else None,
        cost_rate=user.get("cost_rate"),
    )
