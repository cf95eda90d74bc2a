"""Seeding step: users, roles and the company (endpoints.yaml: user, role, company)."""

from __future__ import annotations

from harvest_source.sandbox import words
from harvest_source.sandbox.plan import Plan
from harvest_source.sandbox.settings import MODULES, Settings
from harvest_source.sandbox.values import Record, iso

DAY_S = 86400
CLAIMS = {
    "administrator": ["timers:read:own", "timers:write:own", "account:manage"],
    "manager": ["timers:read:own", "timers:write:own", "projects:read:managed"],
    "member": ["timers:read:own", "timers:write:own"],
}


def seed_people(plan: Plan) -> None:
    """Users first, then the roles that list them."""
    settings = plan.settings
    count = 1 + max((who.user for who in settings.people), default=0)
    for position in range(count if settings.empty else settings.users):
        plan.add("users", _user(plan, position))
    if settings.empty:
        return
    users = plan.all("users")
    for position, name in enumerate(words.ROLES):
        members = [u for at, u in enumerate(users) if at % (len(words.ROLES) + 1) == position]
        plan.add("roles", role(plan.new_id("roles"), name, members, plan.opened(position)))
        for user in members:
            user["roles"].append(name)


def role(role_id: int, name: str, members: list[Record], at: str) -> Record:
    """A label with its users; it carries no permission."""
    return {
        "id": role_id,
        "name": name,
        "user_ids": [user["id"] for user in members],
        "created_at": at,
        "updated_at": at,
    }


def _user(plan: Plan, position: int) -> Record:
    rng = plan.rng(f"user {position}")
    first = words.FIRST_NAMES[position % len(words.FIRST_NAMES)]
    last = words.LAST_NAMES[position % len(words.LAST_NAMES)]
    holder = next((who for who in plan.settings.people if who.user == position), None)
    access = holder.role if holder else ("manager" if position % 5 == 4 else "member")
    rate = None if position % 4 == 3 else rng.choice((75.0, 100.0, 120.5, 87.25))
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
        "cost_rate": rng.choice((40.0, 55.5, 62.125, None, 0)),
        "access_roles": [access, *(holder.grants if holder else ())],
        "can_create_projects": access != "member",
        "permissions_claims": CLAIMS[access],
        "employee_id": None if position % 4 else f"E-{position:04d}",
        "updated_at": iso(created + rng.randrange(60) * DAY_S),
    }
    return record


def user_record(user_id: int, first: str, last: str, email: str, at: str) -> Record:
    """A member with every field, undocumented-but-observed ones too."""
    return {
        "id": user_id,
        "first_name": first,
        "last_name": last,
        "email": email,
        "telephone": "",
        "timezone": "Eastern Time (US & Canada)",
        "has_access_to_all_future_projects": False,
        "is_contractor": False,
        "is_active": True,
        "weekly_capacity": 126000,
        "default_hourly_rate": None,
        "cost_rate": None,
        "roles": [],
        "access_roles": ["member"],
        "avatar_url": "https://cache.example.com/profile_images/white_avatar_bg.png",
        "employee_id": None,
        "calendar_integration_enabled": False,
        "calendar_integration_source": None,
        "can_create_projects": False,
        "permissions_claims": CLAIMS["member"],
        "created_at": at,
        "updated_at": at,
    }


def company(settings: Settings, position: int) -> Record:
    """The singleton: no id and no timestamps (endpoints.yaml, company)."""
    name = "Sandbox & Co" if position == 0 else f"Sandbox & Co {position + 1}"
    domain = f"sandbox{position or ''}.harvestapp.example"
    flags = {f"{module}_feature": module not in settings.modules_off for module in MODULES}
    return {
        "base_uri": f"https://{domain}",
        "full_domain": domain,
        "name": name,
        "is_active": True,
        "week_start_day": "Monday",
        "wants_timestamp_timers": settings.timestamp_timers,
        "time_format": "hours_minutes",
        "date_format": "%Y-%m-%d",
        "plan_type": "simple-v4",
        "clock": "24h" if settings.clock_24h else "12h",
        "currency_code_display": "iso_code_none",
        "currency_symbol_display": "symbol_before",
        "decimal_symbol": ".",
        "thousands_separator": ",",
        "color_scheme": "orange",
        "weekly_capacity": 126000,
        **flags,
        "currency": "USD",
        "saml_sign_in_required": False,
        "day_entry_notes_required": False,
        "approval_required": True,
    }
