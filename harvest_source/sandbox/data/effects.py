"""What creating, editing or deleting a child does to its parent (behaviour.md 6)."""

from __future__ import annotations

from dataclasses import dataclass

from harvest_source.sandbox.data import rates
from harvest_source.sandbox.data.account import Account
from harvest_source.sandbox.data.values import Record, amount_of, money, parse_day
from harvest_source.sandbox.endpoints import NESTED
from harvest_source.sandbox.settings import Settings

MESSAGES = ("invoice_messages", "estimate_messages")


@dataclass(frozen=True, slots=True)
class Transition:
    """
    A change of a document's state by a message.

    Attributes:
        before: The state it needs; ``None`` is any state.
        after: The state it leads to.
        moment: The member that takes the time of the message, if any.
    """

    before: str | None
    after: str
    moment: str | None = None


TRANSITIONS: dict[str, dict[str | None, Transition]] = {
    "invoice_messages": {
        None: Transition("draft", "open", "sent_at"),
        "send": Transition("draft", "open", "sent_at"),
        "close": Transition(None, "closed", "closed_at"),
        "draft": Transition(None, "draft"),
        "re-open": Transition(None, "open"),
    },
    "estimate_messages": {
        None: Transition("draft", "sent", "sent_at"),
        "send": Transition("draft", "sent", "sent_at"),
        "accept": Transition(None, "accepted", "accepted_at"),
        "decline": Transition(None, "declined", "declined_at"),
        "re-open": Transition(None, "sent"),
    },
}
"""By table and ``event_type``, which is null for an e-mail."""


@dataclass(frozen=True, slots=True)
class Effects:
    """The consequences of a change at instant *at*, as the account's settings define them."""

    account: Account
    at: str

    @property
    def settings(self) -> Settings:
        """The account's settings."""
        return self.account.settings

    def after_create(self, table: str, record: Record) -> None:
        """Apply what follows from a new child."""
        if table == "invoice_payments":
            self._pay(record["invoice_id"], record["amount"], record, record["created_at"])
        elif table in MESSAGES:
            quiet = record["event_type"] == "view" and not self.settings.view_touches_parent
            self._send(table, record, None if quiet else record["created_at"])
        elif table in rates.RATES:
            self._rate(table, record["user_id"])

    def after_edit(self, table: str, old: Record, new: Record, touch: bool) -> None:
        """
        Apply what follows from an edited child.

        Unverified against a live account: Harvest has no such edit.
        """
        at = self.at if touch else None
        if table == "invoice_payments":
            more = amount_of(new["amount"]) - amount_of(old["amount"])
            self._pay(new["invoice_id"], more, new, at)
        elif table in MESSAGES and at:
            self._touch(table, new, at)
        elif table in rates.RATES:
            self._rate(table, new["user_id"])

    def after_delete(self, table: str, record: Record) -> None:
        """
        Apply what follows from a deleted child; a message leaves the state as it is (quirk 79).

        Unverified against a live account: whether the parent is touched; `Settings` decides.
        """
        at = self.at if self.settings.child_deletion_touches_parent else None
        if table == "invoice_payments":
            self._pay(record["invoice_id"], -amount_of(record["amount"]), record, at)
        elif table in MESSAGES and at:
            self._touch(table, record, at)
        elif table in rates.RATES:
            self._rate(table, record["user_id"])

    def _pay(self, invoice_id: int, amount: object, payment: Record, at: str | None) -> None:
        """Recording a payment sets ``updated_at`` of the invoice to the payment's creation (S4)."""
        invoice = self.account.get("invoices", invoice_id)
        if invoice is None:
            return
        due = amount_of(invoice["due_amount"]) - amount_of(amount)
        change: Record = {"due_amount": money(due)}
        if due <= 0 and invoice["state"] == "open":
            times = {name: payment[name] for name in ("paid_at", "paid_date")}
            change |= {"state": "paid", **times}
        elif due > 0 and invoice["state"] == "paid":
            change |= {"state": "open", "paid_at": None, "paid_date": None}
        self.account.put("invoices", invoice | change | ({"updated_at": at} if at else {}))

    def _send(self, table: str, message: Record, at: str | None) -> None:
        parent, document = self._document(table, message)
        change: Record = {"updated_at": at} if at else {}
        found = TRANSITIONS[table].get(message["event_type"])
        if found and found.before in (None, document["state"]):
            change["state"] = found.after
            if found.moment:
                change[found.moment] = message["created_at"]
        self.account.put(parent, document | change)

    def _touch(self, table: str, message: Record, at: str) -> None:
        parent, document = self._document(table, message)
        self.account.put(parent, document | {"updated_at": at})

    def _document(self, table: str, message: Record) -> tuple[str, Record]:
        parent = NESTED[table].parent
        if parent is None:
            raise AssertionError(table)
        return parent.table, self.account.tables[parent.table][message[parent.key]]

    def _rate(self, table: str, user_id: int) -> None:
        """
        Set the ends of a user's rates, and show today's rate on the user.

        Editing that field of the user creates no rate. Unverified against a live account: whether
        a rate moves the user's ``updated_at``, and what it does to assignments and entries; here
        they keep the rate they have.
        """
        tables = self.account.tables
        rates.set_ends(tables, table, user_id)
        self.account.changed(table)
        user = self.account.get("users", user_id)
        if user is None:
            return
        now = rates.current_amount(tables, table, user_id, parse_day(self.at[:10]) or 0)
        touched = {"updated_at": self.at} if self.settings.rate_touches_user else {}
        self.account.put("users", user | {rates.RATES[table]: now} | touched)


def new_start(account: Account, table: str, user_id: int, at: str) -> str | None:
    """The start of a rate created without one: today; null for the first rate of a user."""
    return at[:10] if rates.rates_of(account.tables, table, user_id) else None


def delete_below(account: Account, table: str, record_id: int) -> None:
    """Delete the children of a record."""
    for name, endpoint in NESTED.items():
        parent = endpoint.parent
        if parent is None or parent.table != table or name not in account.tables:
            continue
        for child in list(account.tables[name].values()):
            if child[parent.key] == record_id:
                account.remove(name, child["id"])
