"""One simulated account: its tables as they are now, and lists over them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator

from harvest_source.sandbox.data import references as refs
from harvest_source.sandbox.data.entries.source import QUOTED
from harvest_source.sandbox.data.listing import Key, Listing, RecordListing, key_of
from harvest_source.sandbox.data.locks import lock_archived
from harvest_source.sandbox.data.lru import LruCache
from harvest_source.sandbox.data.nested import NestedRows
from harvest_source.sandbox.data.query import Query, Test, build_test
from harvest_source.sandbox.data.records.people import company_record
from harvest_source.sandbox.data.scope import EVERYTHING, Scope, scope_test
from harvest_source.sandbox.data.seeding.plan import ID_STEP, start_plan
from harvest_source.sandbox.data.seeding.seed import seed_account
from harvest_source.sandbox.data.values import Record
from harvest_source.sandbox.endpoints import ENDPOINTS
from harvest_source.sandbox.settings import Settings


class Account:
    """
    The rows of one account. Not thread-safe: the owner locks.

    Attributes:
        tables: Every table except time entries, by id, in order of creation; children hold the id
            of their parent, which is not served.
    """

    def __init__(self, settings: Settings, account_id: int, position: int) -> None:
        plan = start_plan(settings, account_id, position)
        self.settings = settings
        self.account_id = account_id
        self.company = company_record(settings, position)
        self.entries = seed_account(plan)
        self.tables = plan.tables
        self._last_ids = plan.last_ids
        self._sorted: dict[str, tuple[list[Record], list[Key]]] = {}
        self._listings: LruCache[RecordListing] = LruCache(64)
        self._nested = NestedRows(self.tables)

    def new_id(self, table: str) -> int:
        """The next free id of *table*, or of line items and retainers, which have no table."""
        if table == "time_entries":
            return self.entries.new_id()
        self._last_ids[table] += ID_STEP
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
        """Remove a record and nothing else; ``False`` when there is none."""
        if table == "time_entries":
            return self.entries.remove(record_id)
        found = self.tables[table].pop(record_id, None) is not None
        self.changed(table)
        return found

    def records(self, table: str) -> Iterator[Record]:
        """
        Every record in served order; not copies.

        Nested lists come parent by parent, as copies that also hold the id of the parent.
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
        """The rows of one nested list, in served order; none when the parent does not exist."""
        endpoint = ENDPOINTS[name]
        rows = self._nested.rows(name, parent_id)
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
        """A nested list below one parent; empty when the parent does not exist."""
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
        """Drop everything derived from *table*; call after changing its records in place."""
        self._sorted.pop(table, None)
        self._nested.forget(table)
        self._listings.clear()
        if table in QUOTED:
            self.entries.quoted_changed()

    def _requote(self, table: str, record: Record) -> None:
        for quoting in refs.QUOTES:
            if quoting == "time_entries":
                refs.requote(quoting, self.entries.overlay(), table, record)
            else:
                refs.requote(quoting, self.tables[quoting].values(), table, record)
        if table in ("projects", "users"):
            lock_archived(self.tables, "time_entries", self.entries.overlay())
            lock_archived(self.tables, "expenses", self.tables["expenses"].values())
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
