"""Control of records: reading them as an administrator would, and changing them."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

from harvest_source.sandbox.checks import check_whole
from harvest_source.sandbox.control.creation import create
from harvest_source.sandbox.control.deletion import delete
from harvest_source.sandbox.control.editing import edit
from harvest_source.sandbox.control.installation import Installation, check_list, check_stored
from harvest_source.sandbox.data.lens import apply_changes
from harvest_source.sandbox.data.nested import without_parent
from harvest_source.sandbox.data.query import build_test
from harvest_source.sandbox.data.records.time_entries import with_running_hours
from harvest_source.sandbox.data.values import Record, clone, epoch
from harvest_source.sandbox.endpoints import ENDPOINTS, MINE
from harvest_source.sandbox.serve.access import build_viewer
from harvest_source.sandbox.serve.filters import parse_query


class RecordReading(Installation):
    """
    Records as the API serves them to an administrator; thread-safe.

    Methods that take ``account_id`` mean the first account when it is ``None``. Returned records
    are copies.
    """

    def rows(self, table: str, account_id: int | None = None) -> list[Record]:
        """
        The whole table, in served order.

        Nested lists come parent by parent, with the id of the parent (``invoice_id`` and the like)
        added to each row; ``my_project_assignments`` are those of the first token's holder.
        """
        with self._lock:
            return [self._shown(table, record) for record in self._records(table, account_id)]

    def row(self, table: str, record_id: int, account_id: int | None = None) -> Record | None:
        """One record; ``None`` when there is none."""
        with self._lock:
            record = self._account(account_id).get(check_stored(table), record_id)
            return None if record is None else self._shown(table, record)

    def count(self, table: str, account_id: int | None = None, **filters: Any) -> int:
        """
        Count the rows that match the API's own parameters (``from_`` for ``from``).

        Nested lists are counted below every parent.

        Raises:
            ValueError: The table's list has no such parameter, or the value cannot be read.
        """
        params = {name.rstrip("_"): _text(value) for name, value in filters.items()}
        endpoint = ENDPOINTS[check_list(table)]
        unknown = sorted(set(params) - endpoint.known_params)
        if unknown:
            msg = f"{table} cannot be filtered by {', '.join(unknown)}"
            raise ValueError(msg)
        with self._lock:
            query = parse_query(endpoint, params)
            if endpoint.parent is None:
                return self._account(account_id).listing(table, query).total
            test = build_test(endpoint, query)
            return sum(map(test, self._records(table, account_id)))

    def company(self, account_id: int | None = None) -> Record:
        """The company record, without its alterations."""
        with self._lock:
            return dict(self._account(account_id).company)

    def report(
        self,
        name: str,
        from_: str | None = None,
        to: str | None = None,
        account_id: int | None = None,
        token: str | None = None,
        **params: Any,
    ) -> list[Record]:
        """
        Every row of a report (``report_time_projects`` and the like), in served order.

        Args:
            from_: First day, ``YYYY-MM-DD``; *to* is the last one. Only project_budget has neither.
            token: The viewer's token; the first person's when ``None``.
            params: The report's own parameters, such as ``include_fixed_fee=True``.

        Raises:
            ValueError: There is no such report or parameter, the window is invalid, the role is
                too low, or the token does not reach the account.
        """
        given = {"from": from_, "to": to, **params}
        texts = {key: _text(value) for key, value in given.items() if value is not None}
        with self._lock:
            return self._api.report(name, self._account(account_id), token or self.token, texts)

    def _records(self, table: str, account_id: int | None) -> Iterable[Record]:
        account = self._account(account_id)
        if check_list(table) == MINE:
            return account.below(
                MINE, build_viewer(self.settings.people[0], account.tables).user_id
            )
        return account.records(table)

    def _shown(self, table: str, record: Record) -> Record:
        now = epoch(self.settings.clock())
        parent = ENDPOINTS[table].parent
        held = {parent.key: record[parent.key]} if parent and parent.key in record else {}
        plain = without_parent(parent, record) if parent else record
        changed = apply_changes(with_running_hours(plain, now), self._api.changes.get(table, []))
        copied: Record = clone(changed | held)
        return copied


class RecordEditing(Installation):
    """Creates, edits and deletes records at the clock's current time; thread-safe."""

    def create(self, table: str, account_id: int | None = None, **fields: Any) -> Record:
        """
        Add a record; members that *fields* do not name get defaults.

        Raises:
            EditRefusedError: A referenced record does not exist, or the id is taken.
        """
        with self._lock:
            account = self._account(account_id)
            now = self.settings.clock()
            created: Record = clone(create(account, check_stored(table), now, fields))
            return created

    def edit(
        self,
        table: str,
        record_id: int,
        touch: bool = True,
        account_id: int | None = None,
        **fields: Any,
    ) -> Record:
        """
        Change fields of a record, to any value; *touch* moves ``updated_at`` to the current time.

        Raises:
            EditRefusedError: There is no such record.
        """
        with self._lock:
            account = self._account(account_id)
            now = self.settings.clock()
            changed = edit(account, check_stored(table), record_id, now, fields, touch=touch)
            copied: Record = clone(changed)
            return copied

    def edit_many(
        self,
        table: str,
        record_ids: Iterable[int],
        touch: bool = True,
        account_id: int | None = None,
        **fields: Any,
    ) -> int:
        """`edit` many records at once: a request sees all edits or none. Returns how many."""
        with self._lock:
            ids = list(record_ids)
            for record_id in ids:
                self.edit(table, record_id, touch, account_id, **fields)
            return len(ids)

    def delete(
        self, table: str, record_id: int, account_id: int | None = None, force: bool = False
    ) -> None:
        """
        Delete a record without a trace; with a project go its entries and expenses.

        Raises:
            EditRefusedError: No such record, or Harvest would refuse (unless *force*).
        """
        with self._lock:
            account = self._account(account_id)
            delete(account, check_stored(table), record_id, self.settings.clock(), force=force)

    def churn(
        self,
        edits: int = 0,
        creations: int = 0,
        deletions: int = 0,
        table: str = "time_entries",
        seed: int = 0,
        account_id: int | None = None,
    ) -> dict[str, list[int]]:
        """
        Edit, create and delete random records; returns the ids by kind of change.

        Raises:
            ValueError: The table has no records of its own, or a number is not a count.
            EditRefusedError: Harvest would refuse a deletion.
        """
        check_stored(table)
        for name, many in (("edits", edits), ("creations", creations), ("deletions", deletions)):
            check_whole(name, many)
        with self._lock:
            chance = random.Random(seed)
            ids = self._some_ids(table, edits + deletions, chance, account_id)
            edited, deleted = ids[:edits], ids[edits:]
            for record_id in edited:
                self.edit(table, record_id, account_id=account_id, notes=f"Edited {seed}")
            for record_id in deleted:
                self.delete(table, record_id, account_id=account_id)
            made = [self.create(table, account_id)["id"] for _ in range(creations)]
            return {"edited": edited, "deleted": deleted, "created": made}

    def _some_ids(
        self, table: str, many: int, chance: random.Random, account_id: int | None
    ) -> list[int]:
        listing = self._account(account_id).listing(table, parse_query(ENDPOINTS[table], {}))
        places = chance.sample(range(listing.total), min(many, listing.total))
        return [listing.mark(place)["id"] for place in places]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
