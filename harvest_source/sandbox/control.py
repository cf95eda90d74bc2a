"""The simulated installation and everything that can be done to it while it serves."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Self

from harvest_source.sandbox import edits
from harvest_source.sandbox.access import build_viewer
from harvest_source.sandbox.account import Account
from harvest_source.sandbox.alterations import Change, apply_changes, build_change
from harvest_source.sandbox.api import Api
from harvest_source.sandbox.control_logins import LoginControl
from harvest_source.sandbox.endpoints import ENDPOINTS, MINE, STORED
from harvest_source.sandbox.faults import Fault, Faults, prevents, spoil
from harvest_source.sandbox.filters import build_test, parse_query
from harvest_source.sandbox.nested import served
from harvest_source.sandbox.reply import Reply
from harvest_source.sandbox.requests import Request, RequestLog
from harvest_source.sandbox.settings import MODULES, Role, Settings
from harvest_source.sandbox.values import Record, clone, epoch
from harvest_source.sandbox.work import grown

Hook = Callable[[Request], object]

FAULT_FIELDS = frozenset({"table", "path", "method", "account_id", "nth", "times", "probability"})


class World(LoginControl):
    """
    Accounts, tokens, faults and hooks behind the API; thread-safe.

    Methods that take ``account_id`` mean the first account when it is ``None``. Records handed out
    are copies.

    Attributes:
        requests: What was asked so far.
        latency_ms: Wait before every answer; may be changed at any time.
    """

    def __init__(self, settings: Settings) -> None:
        self._accounts = {
            account_id: Account(settings, account_id, position)
            for position, account_id in enumerate(settings.accounts)
        }
        super().__init__(settings, Api(settings, self._accounts))
        self._faults = Faults(settings.seed)
        self.requests = RequestLog()
        self.latency_ms = settings.latency_ms
        self.before_hooks: list[Hook] = []
        self.after_hooks: list[Hook] = []

    # -- who asks ----------------------------------------------------------------------------

    @property
    def account_id(self) -> int:
        """The first account."""
        return self.settings.accounts[0]

    def set_role(self, token: str, role: Role, grants: Iterable[str] = ()) -> None:
        """Give the holder of *token* another access role; touches the user in every account."""
        with self._lock:
            holder = self._api.people.get(token) or self._api.logins.owner(token)
            if holder is None:
                msg = "Nobody holds that token"
                raise ValueError(msg)
            person = replace(holder, role=role, grants=tuple(grants))
            if person.token in self._api.people:
                self._api.people[person.token] = person
            self._api.logins.reassign(person)
            for account_id, account in self._accounts.items():
                user_id = list(account.tables["users"])[person.user]
                self.edit(
                    "users", user_id, account_id=account_id, access_roles=[role, *person.grants]
                )

    def set_module(self, module: str, on: bool, account_id: int | None = None) -> None:
        """Switch a company module (``invoice`` or ``invoice_feature``) on or off."""
        name = module.removesuffix("_feature")
        if name not in MODULES:
            msg = f"No module named {module}; there are {', '.join(MODULES)}"
            raise ValueError(msg)
        with self._lock:
            off = self._api.modules_off[self._account(account_id).account_id]
            off.discard(name) if on else off.add(name)

    def set_limit(self, on: bool) -> None:
        """Switch the allowances on or off."""
        with self._lock:
            self._api.limit = on

    def use_allowance(
        self, requests: int, token: str | None = None, account_id: int | None = None,
        budget: str = "general",
    ) -> None:  # fmt: skip
        """Spend part of the allowance, as another integration would."""
        with self._lock:
            owner = self._api.owner(token or self.token, account_id or self.account_id)
            now = self.settings.clock()
            self._api.allowances.use(budget, owner, requests, now)

    # -- what there is -----------------------------------------------------------------------

    def rows(self, table: str, account_id: int | None = None) -> list[Record]:
        """
        The whole table as an administrator is served it, in served order.

        Nested lists come parent by parent, the id of the parent (``invoice_id`` and the like) added
        to each row; ``my_project_assignments`` are those of the first token, as served.
        """
        with self._lock:
            return [self._shown(table, record) for record in self._records(table, account_id)]

    def _records(self, table: str, account_id: int | None) -> Iterable[Record]:
        account = self._account(account_id)
        if _readable(table) == MINE:
            return account.below(
                MINE, build_viewer(self.settings.people[0], account.tables).user_id
            )
        return account.records(table)

    def _shown(self, table: str, record: Record) -> Record:
        now = epoch(self.settings.clock())
        parent = ENDPOINTS[table].parent
        held = {parent.key: record[parent.key]} if parent and parent.key in record else {}
        plain = served(parent, record) if parent else record
        changed = apply_changes(grown(plain, now), self._api.changes.get(table, []))
        copied: Record = clone(changed | held)
        return copied

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
            from_: First day, ``YYYY-MM-DD``. *to*: the last one. Only project_budget has none.
            token: Whose view; the first person's when ``None``.
            params: The report's own, such as ``include_fixed_fee=True``.

        Raises:
            ValueError: No such report, no such parameter, a bad window, or the role is too low.
        """
        given = {"from": from_, "to": to, **params}
        texts = {key: _text(value) for key, value in given.items() if value is not None}
        with self._lock:
            return self._api.report(name, self._account(account_id), token or self.token, texts)

    def row(self, table: str, record_id: int, account_id: int | None = None) -> Record | None:
        """One record as an administrator is served it; ``None`` when there is none."""
        with self._lock:
            record = self._account(account_id).get(_known(table), record_id)
            return None if record is None else self._shown(table, record)

    def count(self, table: str, account_id: int | None = None, **filters: Any) -> int:
        """
        How many rows match, with the API's own parameters (``from_`` for ``from``).

        Nested lists are counted below every parent.

        Raises:
            ValueError: The table's list has no such parameter, or the value cannot be read.
        """
        params = {name.rstrip("_"): _text(value) for name, value in filters.items()}
        endpoint = ENDPOINTS[_readable(table)]
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

    def stats(self) -> dict[str, Any]:
        """Rows per account and table, requests by table, faults in force."""
        with self._lock:
            return {
                "accounts": {
                    str(account_id): {table: self.count(table, account_id) for table in STORED}
                    for account_id in self._accounts
                },
                "requests": self.requests.counts(),
                "faults": [
                    {"name": fault.name, "met": fault.met, "done": fault.done}
                    for fault in self._faults.active
                ],
            }

    # -- changing it -------------------------------------------------------------------------

    def create(self, table: str, account_id: int | None = None, **fields: Any) -> Record:
        """
        Add a record as of the clock's now; what *fields* leave out gets defaults.

        Raises:
            EditRefusedError: A reference leads nowhere, or the id is taken.
        """
        with self._lock:
            account = self._account(account_id)
            now = self.settings.clock()
            created: Record = clone(edits.create(account, _known(table), now, fields))
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
        Change fields of a record, to any value; *touch* moves ``updated_at`` to the clock's now.

        Raises:
            EditRefusedError: There is no such record.
        """
        with self._lock:
            account = self._account(account_id)
            now = self.settings.clock()
            changed = edits.edit(account, _known(table), record_id, now, fields, touch=touch)
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
        """`edit` for many records at once, in one instant as others see it; returns how many."""
        with self._lock:
            ids = list(record_ids)
            for record_id in ids:
                self.edit(table, record_id, touch, account_id, **fields)
            return len(ids)

    def delete(
        self, table: str, record_id: int, account_id: int | None = None, force: bool = False
    ) -> None:
        """
        Remove a record without a trace; a project takes its entries and expenses along.

        Raises:
            EditRefusedError: No such record, or Harvest would refuse (not with *force*).
        """
        with self._lock:
            account = self._account(account_id)
            edits.delete(account, _known(table), record_id, self.settings.clock(), force=force)

    def churn(
        self,
        edits: int = 0,
        creations: int = 0,
        deletions: int = 0,
        table: str = "time_entries",
        seed: int = 0,
        account_id: int | None = None,
    ) -> dict[str, list[int]]:
        """Edit, create and delete records picked at random; returns the ids touched by each."""
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

    # -- what goes wrong ---------------------------------------------------------------------

    def alter(self, table: str, change: str | Change, **arguments: Any) -> None:
        """
        Change the shape of the table's records as served: by name (see `CHANGES`) or a function.

        A function gets a copy of the record and returns it, or ``None`` after changing it in place.
        """
        with self._lock:
            self._api.changes.setdefault(table, []).append(build_change(change, arguments))

    def clear_alterations(self) -> None:
        """Records are served as they are again."""
        with self._lock:
            self._api.changes.clear()

    def fault(self, name: str, **arguments: Any) -> Fault:
        """
        Put a fault in force (see `FAULTS`): matched by ``table``, ``path``, ``method``,
        ``account_id``, ``nth``, ``times``, ``probability``; the rest goes to the fault itself.

        Raises:
            ValueError: No fault has that name.
        """
        matched = {key: value for key, value in arguments.items() if key in FAULT_FIELDS}
        own = {key: value for key, value in arguments.items() if key not in FAULT_FIELDS}
        with self._lock:
            return self._faults.add(Fault(name, **matched, arguments=own))

    def clear_faults(self) -> None:
        """No fault is in force any more."""
        with self._lock:
            self._faults.clear()

    def reset_requests(self) -> None:
        """Forget the log; the allowances go on counting."""
        self.requests.clear()

    def set_latency(self, ms: float) -> None:
        """Wait that long before every answer."""
        self.latency_ms = ms

    # -- watching ----------------------------------------------------------------------------

    def before_request(self, hook: Hook) -> Self:
        """
        Call *hook* before each API request is answered; it may change anything meanwhile.

        Hooks run on a thread of their own kind: one that waits does not hold up other requests.
        """
        self.before_hooks.append(hook)
        return self

    def after_request(self, hook: Hook) -> Self:
        """Call *hook* once an answer is fixed and before any of it leaves."""
        self.after_hooks.append(hook)
        return self

    def clear_hooks(self) -> None:
        """Call nothing any more."""
        self.before_hooks.clear()
        self.after_hooks.clear()

    def answer(self, request: Request) -> Reply:
        """The answer to one request, faults included. Raises nothing but bugs."""
        with self._lock:
            struck = self._faults.striking(request)
            reply = Reply(200, b"{}") if prevents(struck, request) else self._api.answer(request)
            return spoil(struck, reply, request)

    def _account(self, account_id: int | None) -> Account:
        found = self._accounts.get(self.account_id if account_id is None else account_id)
        if found is None:
            msg = f"No account {account_id}; there are {', '.join(map(str, self._accounts))}"
            raise ValueError(msg)
        return found


def _known(table: str) -> str:
    if table not in STORED:
        msg = f"No table named {table}; there are {', '.join(STORED)}"
        raise ValueError(msg)
    return table


def _readable(table: str) -> str:
    if table not in ENDPOINTS:
        msg = f"No table named {table}; there are {', '.join(ENDPOINTS)}"
        raise ValueError(msg)
    return table


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
