"""Seeding step: users, and the roles that list them."""

from __future__ import annotations

from harvest_source.sandbox.data import words
from harvest_source.sandbox.data.records.people import CLAIMS, role_record, user_record
from harvest_source.sandbox.data.seeding.plan import Plan
from harvest_source.sandbox.data.values import DAY_S, Record, iso


def seed_people(plan: Plan) -> None:
    """Users first, then the roles that list them."""
    settings = plan.settings
    count = 1 + max((person.user for person in settings.people), default=0)
    for position in range(count if settings.empty else settings.users):
        plan.add("users", _user(plan, position))
    if settings.empty:
        return
    users = plan.all("users")
    for position, name in enumerate(words.ROLES):
        members = [u for at, u in enumerate(users) if at % (len(words.ROLES) + 1) == position]
        plan.add("roles", role_record(plan.new_id("roles"), name, members, plan.opened(position)))
        for user in members:
            user["roles"].append(name)


def _user(plan: Plan, position: int) -> Record:
    rng = plan.rng(f"user {position}")
    first = words.FIRST_NAMES[position % len(words.FIRST_NAMES)]
    last = words.LAST_NAMES[position % len(words.LAST_NAMES)]
    holder = next((person for person in plan.settings.people if person.user == position), None)
    access = holder.role if holder else ("manager" if position % 5 == 4 else "member")
    rate = None if position % 4 == 3 else rng.choice((75.0, 100, 120.5, 87.25))
    created = plan.start + position * 3571
    record = user_record(
        plan.new_id("users"), first, last, f"person{position + 1}@example.com", iso(created)
    )
    record |= {
        "telephone": "" if position % 3 else "+1 555 0100",
        "timezone": words.TIME_ZONES[position % len(words.TIME_ZONES)],
        "is_contractor": position % 6 == 5,
        "is_active": holder is not None or position % 7 != 6,
        "weekly_capacity": 126000 if position % 2 else 144000,
        "default_hourly_rate": rate,
        "cost_rate": rng.choice((40, 55.5, 62.125, None, 0)),
        "access_roles": [access, *(holder.grants if holder else ())],
        "can_create_projects": access != "member",
        "permissions_claims": CLAIMS[access],
        "employee_id": None if position % 4 else f"E-{position:04d}",
        "updated_at": iso(created + rng.randrange(60) * DAY_S),
    }
    return record
