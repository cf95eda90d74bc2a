"""Users, their rates and roles, and the company (endpoints.yaml: user, role, company)."""

from __future__ import annotations

from harvest_source.sandbox.data.records.guesses import GUESSED
from harvest_source.sandbox.data.values import Record
from harvest_source.sandbox.settings import MODULES, Settings

CLAIMS = {
    "administrator": ["timers:read:own", "timers:write:own", "account:manage"],
    "manager": ["timers:read:own", "timers:write:own", "projects:read:managed"],
    "member": ["timers:read:own", "timers:write:own"],
}


def user_record(user_id: int, first: str, last: str, email: str, at: str) -> Record:
    """A member with every field, including the undocumented fields that recordings show."""
    return {
        "id": user_id,
        "first_name": first,
        "last_name": last,
        "email": email,
        "telephone": "",
        "timezone": "Eastern Time (US & Canada)",
        "weekly_capacity": 126000,
        "has_access_to_all_future_projects": False,
        "is_contractor": False,
        "is_active": True,
        "calendar_integration_enabled": False,
        "calendar_integration_source": None,
        "employee_id": None,
        "created_at": at,
        "updated_at": at,
        "can_create_projects": False,
        "default_hourly_rate": None,
        "cost_rate": None,
        "roles": [],
        "access_roles": ["member"],
        "permissions_claims": CLAIMS["member"],
        "avatar_url": "https://cache.example.com/profile_images/white_avatar_bg.png",
    }


def role_record(role_id: int, name: str, members: list[Record], at: str) -> Record:
    """A label with its users; a role grants no permission."""
    return {
        "id": role_id,
        "name": name,
        "created_at": at,
        "updated_at": at,
        "user_ids": [user["id"] for user in members],
    }


def company_record(settings: Settings, position: int) -> Record:
    """The company of the account at *position*: no id and no timestamps."""
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
        **flags,
        "weekly_capacity": 126000,
        "clock": "24h" if settings.clock_24h else "12h",
        "currency": "USD",
        "currency_code_display": "iso_code_none",
        "currency_symbol_display": "symbol_before",
        "decimal_symbol": ".",
        "thousands_separator": ",",
        "color_scheme": "orange",
        **GUESSED["company"],
    }


def rate_record(rate_id: int, user_id: int, at: str, start: str | None) -> Record:
    """A rate that applies from day *start*; without *start*, it has always applied."""
    return {
        "id": rate_id,
        "user_id": user_id,
        "amount": 100.0,
        "start_date": start,
        "end_date": None,
        "created_at": at,
        "updated_at": at,
    }
