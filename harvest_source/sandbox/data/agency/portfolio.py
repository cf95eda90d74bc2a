"""Seeding step: clients, tasks, and the projects of each team one after the other."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import date

from harvest_source.sandbox.data import words
from harvest_source.sandbox.data.agency import wording
from harvest_source.sandbox.data.agency.model import (
    WEEK,
    Agency,
    Engagement,
    Staffer,
    Terms,
    monday_of,
)
from harvest_source.sandbox.data.agency.staff import count_pods
from harvest_source.sandbox.data.records.work import (
    client_record,
    contact_record,
    project_record,
    task_assignment_record,
    task_record,
    user_assignment_record,
)
from harvest_source.sandbox.data.seeding.plan import SPACING_S
from harvest_source.sandbox.data.values import DAY_S, Record, day_epoch, iso

TERMS = (
    Terms("People", "project"),
    Terms("Project", "project_cost", with_expenses=True),
    Terms("Tasks", "task", gaps=True),
    Terms("Tasks", "task_fees"),
    Terms("People", "person"),
    Terms("People", "project", billing="fee"),
    Terms("Project", "project", monthly=True),
    Terms("People", "project_cost", monthly=True, with_expenses=True),
    Terms("People", "none"),
    Terms("People", "none", billing="fee"),
    Terms("Project", "project", filling="blank"),
    Terms("People", "project_cost", filling="zero"),
    Terms("People", "person", gaps=True),
    Terms("Tasks", "task_fees", gaps=True),
    Terms("Project", "project_cost", billing="fee"),
    Terms("Project", "project", filling="zero"),
    Terms("Project", "project_cost", filling="blank"),
    Terms("Tasks", "task", monthly=True),
)
"""From the newest project to the oldest, in turn."""
RETAINED = Terms("People", "project", billing="retainer", monthly=True)
OWN = Terms("none", "none", billing="never")

TRACKS = 2  # projects of a team at a time, besides a retainer
WEIGHTS = (0.5, 0.36)
RETAINER_WEIGHT = 0.14
CLIENTS_PER_POD = 3
PROJECT_PRICES = (120, 135.0, 110, 142.4)
ARCHIVED_AFTER = 45


@dataclass(frozen=True, slots=True)
class _Slot:
    """A planned project: team, place in its track from the newest, and days."""

    pod: int
    track: int
    rank: int
    first: int
    last: int


def seed_portfolio(agency: Agency) -> None:
    """Everything that time can be tracked on, oldest first."""
    _seed_tasks(agency)
    pods = count_pods(agency)
    _seed_clients(agency, pods * CLIENTS_PER_POD)
    _seed_internal(agency)
    slots = sorted(_list_slots(agency, pods), key=lambda slot: (-slot.first, slot.pod, slot.track))
    planned = [(slot, _terms(at)) for at, slot in enumerate(slots)]
    retained = [
        (_Slot(pod, TRACKS, 0, agency.oldest - 4 * WEEK, agency.plan.until + 300), RETAINED)
        for pod in range(0, pods, 2)
    ]
    for at, (slot, terms) in enumerate(reversed([*planned, *retained])):
        agency.engagements.append(_engagement(agency, at, slot, terms))
    _archive(agency)


def _terms(at: int) -> Terms:
    return TERMS[at % len(TERMS)]


def _seed_tasks(agency: Agency) -> None:
    plan = agency.plan
    for position, (name, billable, rate) in enumerate(wording.TASKS):
        record = task_record(plan.new_id("tasks"), name, plan.opened(80 + position))
        agency.tasks[name] = plan.add(
            "tasks",
            record
            | {
                "billable_by_default": billable,
                "default_hourly_rate": rate,
                "is_default": name == wording.MEETINGS,
            },
        )
    # An archived task that only old entries would have.
    record = task_record(plan.new_id("tasks"), "Print production", plan.opened(100))
    plan.add("tasks", record | {"is_active": False, "default_hourly_rate": 90})


def _seed_clients(agency: Agency, count: int) -> None:
    plan = agency.plan
    for position in range(count + 1):
        number, at = divmod(position - 1, len(wording.CLIENTS))
        name = wording.CLIENTS[at] + (f" {number + 1}" if number else "")
        currency = wording.CURRENCIES[at % len(wording.CURRENCIES)]
        if position == 0:
            name, currency = wording.OWN_NAME, "USD"
        record = client_record(plan.new_id("clients"), name, currency, plan.opened(position))
        address = None if position % 5 == 1 else f"{position + 1} Quay Road\r\nHarbour Town"
        agency.clients.append(plan.add("clients", record | {"address": address}))
    renamed = agency.clients[min(3, count)]
    # Names are those at read time, so only the new one is served.
    renamed["name"] += " (formerly Dunes)"
    renamed["updated_at"] = iso(plan.quiet_from - 40 * DAY_S)
    for position in range(2 * count):
        _contact(agency, position)


def _contact(agency: Agency, position: int) -> None:
    plan = agency.plan
    client = agency.clients[1 + position // 2]
    record = contact_record(plan.new_id("contacts"), client, plan.opened(110 + position))
    plan.add(
        "contacts",
        record
        | {
            "title": ("Head of Finance", "", None, "Product owner")[position % 4],
            "first_name": words.FIRST_NAMES[(position * 5 + 3) % len(words.FIRST_NAMES)],
            "last_name": words.LAST_NAMES[(position * 3 + 1) % len(words.LAST_NAMES)]
            if position % 9
            else None,
            "email": "" if position % 11 == 4 else f"contact{position + 1}@example.org",
            "phone_office": f"+1 555 02{position % 100:02d}" if position % 4 else "",
            "phone_mobile": f"+1 555 03{position % 100:02d}" if position % 3 else "",
            "fax": "555 0198" if position % 10 == 2 else "",
            "invoice_recipient_status": ("recipient", "none", "cc", "bcc")[position % 4],
        },
    )


def _list_slots(agency: Agency, pods: int) -> list[_Slot]:
    """The tracks of every team, filled backwards from projects that still run."""
    slots = []
    for pod in range(pods):
        for track in range(TRACKS):
            rng = agency.rng(f"track {pod} {track}")
            last = monday_of(agency.plan.until + rng.randrange(4, 20) * WEEK) + 6
            first = monday_of(agency.plan.until) - rng.randrange(6, 22) * WEEK
            rank = 0
            while True:
                slots.append(_Slot(pod, track, rank, first, last))
                if first <= agency.oldest:
                    break
                last, rank = first - 1, rank + 1
                first = last + 1 - rng.randrange(14, 34) * WEEK
    return slots


def _engagement(agency: Agency, at: int, slot: _Slot, terms: Terms) -> Engagement:
    rng = agency.rng(f"project {slot.pod} {slot.track} {slot.rank}")
    own = (slot.rank + slot.track) % CLIENTS_PER_POD
    client = agency.clients[1 + slot.pod * CLIENTS_PER_POD + own]
    if client["currency"] in wording.SCALES:
        # Default rates of people are in dollars.
        terms = replace(terms, bill_by="Project") if not terms.by_line else terms
    name = wording.RETAINER if terms.billing == "retainer" else _name(slot)
    created = day_epoch(slot.first) - 9 * DAY_S + 10 * 3600 + at * SPACING_S
    created = min(created, agency.plan.quiet_from - 40 * DAY_S)
    project = project_record(agency.plan.new_id("projects"), client, name, iso(created))
    found = Engagement(
        project=agency.plan.add("projects", project | _members(terms, slot, at, client, rng)),
        client=client,
        terms=terms,
        pod=slot.pod,
        first=slot.first,
        last=slot.last,
        weight=(*WEIGHTS, RETAINER_WEIGHT)[slot.track],
    )
    _assign_tasks(agency, found, rng)
    _assign_people(agency, found, rng)
    return found


def _name(slot: _Slot) -> str:
    place = slot.pod * 5 + slot.track * 8 + slot.rank * 3
    return wording.PROJECTS[place % len(wording.PROJECTS)]


def _members(terms: Terms, slot: _Slot, at: int, client: Record, rng: random.Random) -> Record:
    scale = wording.SCALES.get(client["currency"], 1)
    return {
        "code": ("", None)[at % 2] if at % 7 == 3 else f"{client['name'][:3].upper()}-{at:02d}",
        "is_fixed_fee": terms.billing == "fee",
        "bill_by": terms.bill_by,
        "hourly_rate": rng.choice(PROJECT_PRICES) * scale if terms.bill_by == "Project" else None,
        "budget_by": terms.budget_by,
        "budget_is_monthly": terms.monthly,
        "cost_budget_include_expenses": terms.with_expenses,
        "notify_when_over_budget": terms.budget_by != "none" and terms.filling == "set",
        "over_budget_notification_percentage": (80.0, 90)[at % 2],
        "show_budget_to_all": at % 5 == 1,
        "notes": (None, "", "Kick-off with the whole team")[at % 3],
        "starts_on": None if at % 8 == 5 else date.fromordinal(slot.first).isoformat(),
        "ends_on": None
        if terms.billing == "retainer" or at % 6 == 4
        else date.fromordinal(slot.last).isoformat(),
    }


def _assign_tasks(agency: Agency, found: Engagement, rng: random.Random) -> None:
    terms, plan = found.terms, agency.plan
    crafts = [name for craft in wording.CRAFTS for name in craft.tasks]
    names = [*dict.fromkeys(crafts), wording.MEETINGS]
    scale = wording.SCALES.get(found.client["currency"], 1)
    for rank, name in enumerate(names):
        task = agency.tasks[name]
        at = found.project["created_at"]
        record = task_assignment_record(plan.new_id("task_assignments"), found.project, task, at)
        rate = task["default_hourly_rate"] or rng.choice((105, 95.0))
        # One task of one project in three has no price: its hours are billable at no rate.
        priced = terms.bill_by == "Tasks" and not (rank == 4 and found.id % 3 == 0)
        found.tasked[name] = plan.add(
            "task_assignments",
            record | {"hourly_rate": rate * scale if priced else None},
        )


def _assign_people(agency: Agency, found: Engagement, rng: random.Random) -> None:
    members = [
        person
        for person in agency.staff
        if person.pod == found.pod
        and person.joined <= found.last
        and (person.left is None or person.left >= found.first)
    ]
    for rank, person in enumerate(members):
        found.staffed[person.id] = _user_assignment(agency, found, person, rank, rng)


def _user_assignment(
    agency: Agency, found: Engagement, person: Staffer, rank: int, rng: random.Random
) -> Record:
    plan = agency.plan
    opened = day_epoch(max(found.first, person.joined)) - 4 * DAY_S + 11 * 3600 + rank * 60
    own = found.terms.bill_by == "People" and rank == 3 and rng.random() < 0.6
    record = user_assignment_record(
        plan.new_id("user_assignments"), found.project, person.user, iso(opened)
    )
    changed = opened if person.left is None else day_epoch(person.left) + 18 * 3600
    return plan.add(
        "user_assignments",
        record
        | {
            "is_active": person.left is None,
            "is_project_manager": person.craft is wording.LEAD,
            "use_default_rates": not own,
            "hourly_rate": 118.0 if own else person.user["default_hourly_rate"],
            "updated_at": iso(max(opened, changed)),
        },
    )


def _seed_internal(agency: Agency) -> None:
    """Work that no client pays, and time off; the former has a task billable by mistake."""
    plan = agency.plan
    for name, tasks in (
        ("Internal work", (*wording.INTERNAL, wording.MEETINGS)),
        ("Time off", wording.TIME_OFF),
    ):
        created = plan.opened(60)
        project = project_record(plan.new_id("projects"), agency.clients[0], name, created)
        found = Engagement(
            project=plan.add("projects", project | {"is_billable": False}),
            client=agency.clients[0],
            terms=OWN,
            pod=None,
            first=agency.oldest,
            last=plan.until + 1000,
            weight=0,
        )
        for task in tasks:
            record = task_assignment_record(
                plan.new_id("task_assignments"), found.project, agency.tasks[task], created
            )
            found.tasked[task] = plan.add(
                "task_assignments", record | {"billable": task == "Training"}
            )
        for rank, person in enumerate(agency.staff):
            opened = iso(day_epoch(min(person.joined, plan.until)) - DAY_S + 9 * 3600 + rank)
            record = user_assignment_record(
                plan.new_id("user_assignments"), found.project, person.user, opened
            )
            found.staffed[person.id] = plan.add(
                "user_assignments", record | {"is_active": person.left is None}
            )
        agency.internal.append(found)


def _archive(agency: Agency) -> None:
    """Archive projects that ended long ago, and clients without an active project."""
    plan = agency.plan
    for found in agency.engagements:
        if found.last < plan.until - ARCHIVED_AFTER:
            ended = iso(day_epoch(found.last) + 30 * DAY_S + 9 * 3600)
            found.project |= {"is_active": False, "updated_at": ended}
    busy = {found.client["id"] for found in agency.engagements if found.project["is_active"]}
    for client in agency.clients[1:]:
        client["is_active"] = client["id"] in busy
