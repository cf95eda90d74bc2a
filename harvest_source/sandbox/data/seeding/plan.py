"""What the seeding steps share: the calendar of the account, ids and random generators."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import date

from harvest_source.sandbox.data.entries.workdays import last_workday_before
from harvest_source.sandbox.data.values import Record, Tables, day_epoch, day_of, epoch, iso
from harvest_source.sandbox.endpoints import STORED
from harvest_source.sandbox.settings import Settings

# In the range of recorded ids, and the same in every account: Harvest does not promise that ids
# are unique across accounts.
FIRST_IDS = {
    "clients": 5_735_774,
    "contacts": 4_706_479,
    "roles": 618_099,
    "users": 1_782_884,
    "tasks": 8_083_365,
    "projects": 14_307_913,
    "user_assignments": 125_068_553,
    "task_assignments": 155_505_013,
    "expense_categories": 4_195_926,
    "expenses": 15_296_442,
    "invoice_item_categories": 1_466_293,
    "estimate_item_categories": 1_378_704,
    "invoices": 13_150_403,
    "estimates": 1_439_818,
    "invoice_messages": 53_127_204,
    "invoice_payments": 10_112_854,
    "estimate_messages": 2_666_236,
    "billable_rates": 1_836_493,
    "cost_rates": 825_301,
    "line_items": 53_334_195,
    "retainers": 9_000_111,
}
ID_STEP = 7
SPACING_S = 97  # between creations: thousands of records still fit the account's first weeks


@dataclass(slots=True)
class Plan:
    """
    An account while it is being seeded.

    Attributes:
        today: Day number of the clock's UTC date.
        until: The last working day before today: the newest day with seeded hours.
        quiet_from: Unix seconds; no seeded change is later, except today's own time entries.
        start: Unix seconds when the account was opened.
    """

    settings: Settings
    account_id: int
    position: int
    today: int
    until: int
    quiet_from: int
    start: int
    tables: Tables = field(default_factory=lambda: {table: {} for table in STORED})
    last_ids: dict[str, int] = field(default_factory=lambda: dict(FIRST_IDS))

    def rng(self, step: str) -> random.Random:
        """A generator for one step: changing one size does not change the other steps."""
        return random.Random(f"{self.settings.seed} {self.position} {step}")

    def new_id(self, kind: str) -> int:
        """The next id of a table, or of line items and retainers, which have no table."""
        self.last_ids[kind] += ID_STEP
        return self.last_ids[kind]

    def add(self, table: str, record: Record) -> Record:
        """Store *record* in *table* and return it."""
        self.tables[table][record["id"]] = record
        return record

    def all(self, table: str) -> list[Record]:
        """The records of *table* so far, in order of creation."""
        return list(self.tables[table].values())

    def opened(self, rank: int) -> str:
        """A creation time in the account's first weeks, later for a higher *rank*."""
        return iso(self.start + rank * SPACING_S)


def start_plan(settings: Settings, account_id: int, position: int) -> Plan:
    """An empty plan for one account, as of the clock's current date."""
    today = day_of(epoch(settings.clock()))
    until = last_workday_before(date.fromordinal(today)).toordinal()
    return Plan(
        settings=settings,
        account_id=account_id,
        position=position,
        today=today,
        until=until,
        quiet_from=day_epoch(until) + 23 * 3600 + 1800,
        start=day_epoch(until - settings.years * 365 - 120) + 9 * 3600,
    )
