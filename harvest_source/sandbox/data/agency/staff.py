"""Seeding step: the people of the consultancy, their roles and the history of their rates."""

from __future__ import annotations

from datetime import date

from harvest_source.sandbox.data import words
from harvest_source.sandbox.data.agency import wording
from harvest_source.sandbox.data.agency.model import Agency, Staffer, Steps, first_monday, monday_of
from harvest_source.sandbox.data.agency.wording import Craft
from harvest_source.sandbox.data.rates import set_ends
from harvest_source.sandbox.data.records.people import (
    CLAIMS,
    rate_record,
    role_record,
    user_record,
)
from harvest_source.sandbox.data.seeding.plan import Plan
from harvest_source.sandbox.data.values import DAY_S, Record, day_epoch, iso

POD_SIZE = 6.2
OFFICE_SHARE = 0.08
LEAVERS = 0.1
JOINERS = 7  # one person in this many joined within the history
CAPACITIES = (144_000, 144_000, 126_000, 144_000, 115_200, 144_000, 144_000, 72_000)
"""Seconds per week."""
WITHOUT_RATE, WITHOUT_COST, LATE_COST, FREELANCER = 11, 17, 23, 13
"""Positions of people whose rates are incomplete, as in real accounts."""


def seed_staff(agency: Agency) -> None:
    """All present and former people, and the roles that list them."""
    plan, active = agency.plan, agency.plan.settings.users
    gone = round(active * LEAVERS)
    office = max(1, round(active * OFFICE_SHARE))
    pods = max(1, round((active - office) / POD_SIZE))
    for position in range(active + gone):
        agency.staff.append(_staffer(agency, position, position >= active, office, pods))
    for at, craft in enumerate(wording.CRAFTS):
        members = [person.user for person in agency.staff if person.craft is craft]
        plan.add("roles", role_record(plan.new_id("roles"), craft.role, members, plan.opened(at)))
        for user in members:
            user["roles"].append(craft.role)


def count_pods(agency: Agency) -> int:
    """Number of teams."""
    return 1 + max(person.pod for person in agency.staff if person.pod is not None)


def _place(position: int, office: int, pods: int) -> tuple[Craft, int | None]:
    """Trade and team. The first person leads; the second and third are in the first team."""
    if position == 0:
        return wording.DIRECTION, 0
    if position <= 2:
        return wording.POD[position - 1], 0
    if position <= 2 + office:
        return wording.OFFICE, None
    rank, pod = divmod(position - 3 - office, pods)
    # The first team has two people already.
    return wording.POD[(rank + (2 if pod == 0 else 0)) % len(wording.POD)], pod


def _staffer(agency: Agency, position: int, is_gone: bool, office: int, pods: int) -> Staffer:
    plan, rng = agency.plan, agency.rng(f"person {position}")
    craft, pod = _place(position, office, pods)
    joined, left = agency.oldest, None
    span = plan.until - agency.oldest
    if is_gone:
        left = monday_of(plan.until - int(span * rng.uniform(0.15, 0.85))) - 3
    elif position % JOINERS == JOINERS - 1:
        joined = monday_of(plan.until - int(span * rng.uniform(0.15, 0.9)))
    user = _user(plan, position, craft, min(joined, plan.until), left)
    capacity = user["weekly_capacity"]
    person = Staffer(
        user=user,
        craft=craft,
        pod=pod,
        joined=joined,
        left=left,
        minutes=capacity // 5 // 60,
        share=max(0.0, min(0.97, craft.share + rng.uniform(-0.04, 0.04))) if craft.share else 0.0,
        weekly=position % 4 == 3,
        rates=_steps(agency, rng.choice((-10, 0, 0, 5, 10)), craft.rate, month=1),
        costs=_steps(agency, rng.choice((-4, 0, 2.5, 6)), craft.cost, month=4),
    )
    _remove_some_rates(agency, person, position)
    _show_rates(plan, person)
    return person


def _remove_some_rates(agency: Agency, person: Staffer, position: int) -> None:
    if position == WITHOUT_RATE:
        person.rates = []
    if position == WITHOUT_COST:
        person.costs = []
    if position == LATE_COST:
        person.costed_from = agency.weeks[len(agency.weeks) // 2]


def _user(plan: Plan, position: int, craft: Craft, joined: int, left: int | None) -> Record:
    first = words.FIRST_NAMES[position % len(words.FIRST_NAMES)]
    last = words.LAST_NAMES[position % len(words.LAST_NAMES)]
    holder = next((person for person in plan.settings.people if person.user == position), None)
    access = holder.role if holder else ("manager" if craft is wording.LEAD else "member")
    created = day_epoch(joined) - 3 * DAY_S + 9 * 3600 + position * 61
    changed = created if left is None else day_epoch(left) + 18 * 3600
    record = user_record(
        plan.new_id("users"), first, last, f"person{position + 1}@example.com", iso(created)
    )
    return plan.add(
        "users",
        record
        | {
            "telephone": "" if position % 3 else f"+1 555 01{position % 100:02d}",
            "timezone": words.TIME_ZONES[position % len(words.TIME_ZONES)],
            "is_contractor": position == FREELANCER or position % 13 == 9,
            "is_active": left is None,
            "weekly_capacity": CAPACITIES[position % len(CAPACITIES)] if position > 2 else 144_000,
            "access_roles": [access, *(holder.grants if holder else ())],
            "can_create_projects": access != "member",
            "permissions_claims": CLAIMS[access],
            "employee_id": None if position % 4 == 3 else f"E-{position:04d}",
            "updated_at": iso(changed),
        },
    )


def _steps(agency: Agency, more: float, amount: float | None, *, month: int) -> Steps:
    """An amount that rises a little on the first Monday of *month* every year."""
    if amount is None:
        return []
    first, last = (date.fromordinal(day).year for day in (agency.oldest, agency.plan.until))
    days = [first_monday(year, month) for year in range(first, last + 1)]
    rises = [day for day in days if agency.oldest < day <= agency.plan.until]
    now = amount + more
    steps: Steps = [(0, now - 5 * len(rises))]
    steps += [(day, now - 5 * (len(rises) - at)) for at, day in enumerate(rises, 1)]
    return steps


def _show_rates(plan: Plan, person: Staffer) -> None:
    """Add the history of both rates, and show today's amounts on the user."""
    user = person.user
    for table, member, steps in (
        ("billable_rates", "default_hourly_rate", person.rates),
        ("cost_rates", "cost_rate", person.costs),
    ):
        for day, amount in steps:
            made = max(day_epoch(day) - 5 * DAY_S, day_epoch(person.joined) - 2 * DAY_S)
            start = date.fromordinal(day).isoformat() if day else None
            record = rate_record(plan.new_id(table), person.id, iso(made), start)
            plan.add(table, record | {"amount": amount})
            if plan.settings.rate_touches_user:
                user["updated_at"] = max(user["updated_at"], iso(made))
        user[member] = steps[-1][1] if steps else None
        set_ends(plan.tables, table, person.id)
