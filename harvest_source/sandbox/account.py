"""One simulated account: its tables as they are now, and lists over them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator

from harvest_source.sandbox import references as refs
from harvest_source.sandbox.access import EVERYTHING, Scope, scope_test
from harvest_source.sandbox.endpoints import ENDPOINTS
from harvest_source.sandbox.entries import EntryStore
from harvest_source.sandbox.filters import Query, Test, build_test
from harvest_source.sandbox.hours import QUOTED, SeededHours
from harvest_source.sandbox.listing import Key, Listing, RecordListing, key_of
from harvest_source.sandbox.nested import Below
from harvest_source.sandbox.plan import STEP, Plan, start_plan
from harvest_source.sandbox.rates import seed_rates
from harvest_source.sandbox.recent import Recent
from harvest_source.sandbox.seed_billing import Bills, seed_billing
from harvest_source.sandbox.seed_documents import seed_documents
from harvest_source.sandbox.seed_people import company, seed_people
from harvest_source.sandbox.seed_work import bookings, seed_work
from harvest_source.sandbox.settings import Settings
from harvest_source.sandbox.values import Record, day_epoch, epoch, iso
from harvest_source.sandbox.work import clock_text, entry_record, worked
from harvest_source.sandbox.workdays import Workdays

RUNNING = 3
TODAY_SHARE = 40  # one entry in so many is today's own


class Account:
    """
    The rows of one account. Not thread-safe: the owner locks.

    Attributes:
        tables: Every table but time entries, by id, in order of creation; children hold the id of
            their parent, which is not served.
        bills: Which project months of seeded entries are invoiced, and by which invoice.
    """

    def __init__(self, settings: Settings, account_id: int, position: int) -> None:
        plan = start_plan(settings, account_id, position)
        self.settings = settings
        self.account_id = account_id
        self.company = company(settings, position)
        seed_people(plan)
        seed_work(plan)
        self.bills = seed_billing(plan)
        seed_documents(plan)
        seed_rates(plan)
        self.tables = plan.tables
        self._last_ids = plan.last_ids
        self._sorted: dict[str, tuple[list[Record], list[Key]]] = {}
        self._listings: Recent[RecordListing] = Recent(64)
        self._below = Below(self.tables)
        self.entries = _seed_entries(plan, self.bills)

    def new_id(self, table: str) -> int:
        """The next free id of *table* (or of line items and retainers, which have none)."""
        if table == "time_entries":
            return self.entries.new_id()
        self._last_ids[table] += STEP
        return self._last_ids[table]

    def get(self, table: str, record_id: int) -> Record | None:
        """A record as stored, not a copy; ``None`` when there is none."""
        if table == "time_entries":
            return self.entries.get(record_id)
        return self.tables[table].get(record_id)

    def put(self, table: str, record: Record) -> None:
        """Add or replace a record, and bring its copies in other records up to date."""
        if table == "time_entries":
            self.entries.put(record)
            return
        self.tables[table][record["id"]] = record
        self._last_ids[table] = max(self._last_ids[table], record["id"])
        self.changed(table)
        if table in refs.QUOTED:
            self._requote(table, record)

    def remove(self, table: str, record_id: int) -> bool:
        """Take a record away, and nothing else; ``False`` when there is none."""
        if table == "time_entries":
            return self.entries.remove(record_id)
        found = self.tables[table].pop(record_id, None) is not None
        self.changed(table)
        return found

    def records(self, table: str) -> Iterator[Record]:
        """
        Every record in served order; the records themselves.

        Of nested lists, parent by parent: copies that hold the id of the parent beside.
        """
        if table == "time_entries":
            return self.entries.records()
        parent = ENDPOINTS[table].parent
        if parent is None:
            return reversed(self._in_order(table)[0])
        return (
            row | {parent.key: record["id"]}
            for record in self.records(parent.table)
            for row in self.below(table, record["id"])
        )

    def below(self, name: str, parent_id: int) -> list[Record]:
        """The rows of one nested list, in served order."""
        endpoint = ENDPOINTS[name]
        rows = self._below.rows(name, parent_id)
        return sorted(
            rows,
            key=lambda row: key_of(row, endpoint.date_field),
            reverse=not endpoint.ascending,
        )

    def listing(self, table: str, query: Query, scope: Scope = EVERYTHING) -> Listing:
        """The list that *query* asks for within *scope*, as of now."""
        test = _both(build_test(ENDPOINTS[table], query), scope_test(table, scope))
        if table == "time_entries":
            return self.entries.listing(query, scope, test)
        return self._listed((table, query, scope), table, test, lambda: self._in_order(table)[0])

    def listing_below(
        self, name: str, parent_id: int, query: Query, scope: Scope = EVERYTHING
    ) -> Listing:
        """A nested list below one parent, which need not exist."""
        endpoint = ENDPOINTS[name]
        test = _both(build_test(endpoint, query), scope_test(name, scope))
        step = 1 if endpoint.ascending else -1
        key = (name, parent_id, query, scope)
        return self._listed(key, name, test, lambda: self.below(name, parent_id)[::step])

    def _listed(
        self, key: Hashable, name: str, test: Test, records: Callable[[], list[Record]]
    ) -> RecordListing:
        found = self._listings.get(key)
        if found is None:
            endpoint = ENDPOINTS[name]
            chosen = [record for record in records() if test(record)]
            keys = [key_of(record, endpoint.date_field) for record in chosen]
            found = RecordListing(chosen, keys, ascending=endpoint.ascending)
            self._listings.put(key, found)
        return found

    def changed(self, table: str) -> None:
        """*table* has changed in place: forget what was derived from it."""
        self._sorted.pop(table, None)
        self._below.forget(table)
        self._listings.clear()
        if table in QUOTED:
            self.entries.quoted_changed()

    def _requote(self, table: str, record: Record) -> None:
        for quoting in refs.QUOTES:
            if quoting == "time_entries":
                refs.requote(quoting, self.entries.overlay(), table, record)
            else:
                refs.requote(quoting, self.tables[quoting].values(), table, record)
        if table in QUOTED:
            self.entries.quoted_changed()

    def _in_order(self, table: str) -> tuple[list[Record], list[Key]]:
        if table not in self._sorted:
            field = ENDPOINTS[table].date_field
            records = sorted(self.tables[table].values(), key=lambda row: key_of(row, field))
            self._sorted[table] = records, [key_of(record, field) for record in records]
        return self._sorted[table]


def _both(first: Test, second: Test) -> Test:
    return lambda record: first(record) and second(record)


def _seed_entries(plan: Plan, bills: Bills) -> EntryStore:
    settings = plan.settings
    booked = bookings(plan)
    total = settings.entries if booked else 0
    of_today = min(total // TODAY_SHARE, len(booked), 12)
    hours = SeededHours(
        Workdays(total - of_today, settings.years, plan.until, settings.seed),
        booked,
        bills,
        plan.tables,
        seed=settings.seed,
        approved_until=0 if "approval" in settings.modules_off else plan.quiet_from,
        timers=settings.timestamp_timers,
        clock_24h=settings.clock_24h,
    )
    store = EntryStore(hours)
    for position in range(of_today):
        store.put(_entry_of_today(plan, store, position))
    return store


def _entry_of_today(plan: Plan, store: EntryStore, position: int) -> Record:
    """Entries since midnight UTC; the first few still run. Written before the clock's now."""
    now = epoch(plan.settings.clock())
    midnight = day_epoch(plan.today)
    at = midnight + (now - midnight) * (position + 1) // 32
    hours = store.hours
    booked = hours.bookings[position * 7 % len(hours.bookings)]
    record = entry_record(store.new_id(), hours.quotes(booked), booked, iso(at))
    running = position < RUNNING
    timers = plan.settings.timestamp_timers
    started = clock_text(at % 86400 // 60, plan.settings.clock_24h) if timers else None
    record |= worked(0.25 * position)
    return record | {
        "timer_started_at": iso(at) if running else None,
        "started_time": started,
        "ended_time": None if running else started,
        "is_running": running,
        "notes": None if running else "Today",
        "approval_status": "submitted" if position > 2 * RUNNING else "unsubmitted",
    }
