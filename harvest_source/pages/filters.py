"""The filters of a page: period, accounts, clients, people and currency; and what can be chosen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, TypeAlias

from harvest_source.pages.marts import Marts

RecordKey: TypeAlias = tuple[int, int]
"""Account and id, because two accounts may use the same id."""

_TRUE: Final = "1 = 1"


@dataclass(frozen=True, slots=True)
class Filters:
    """
    What the page is limited to.

    Attributes:
        start, end: First and last day.
        accounts: Harvest accounts; empty: all.
        clients: Clients as account and id; empty: all.
        people: People as account and id; empty: all.
        currency: Currency of the client; empty: all, each shown separately.
    """

    start: date
    end: date
    accounts: tuple[int, ...] = ()
    clients: tuple[RecordKey, ...] = ()
    people: tuple[RecordKey, ...] = ()
    currency: str = ""

    def where(
        self, day: str = "", *, client: bool = False, person: bool = False, money: bool = False
    ) -> tuple[str, list[Any]]:
        """
        Build an SQL condition, and the values of its placeholders.

        Args:
            day: Column of a day that must be in the period; empty: the period is ignored.
            client, person, money: Whether the mart has clients, people, currencies.
        """
        parts, values = [_TRUE], list[Any]()
        if day:
            parts.append(f"{day} BETWEEN %s AND %s")
            values += [self.start, self.end]
        if self.accounts:
            parts.append(f"account_id IN ({_marks(self.accounts)})")
            values += self.accounts
        for is_asked, column, keys in (
            (client, "client_id", self.clients),
            (person, "user_id", self.people),
        ):
            if is_asked and keys:
                pairs = ", ".join("(%s, %s)" for _ in keys)
                parts.append(f"(account_id, {column}) IN ({pairs})")
                values += [each for key in keys for each in key]
        if money and self.currency:
            parts.append("currency = %s")
            values.append(self.currency)
        return " AND ".join(parts), values


@dataclass(frozen=True, slots=True)
class Choices:
    """What can be chosen, and the day that the models are as of."""

    as_of: date
    first_day: date | None
    """First day with hours; None: there are no hours."""
    accounts: tuple[tuple[int, str], ...]
    """Id and name of the company."""
    clients: tuple[tuple[RecordKey, str], ...]
    people: tuple[tuple[RecordKey, str], ...]
    currencies: tuple[str, ...]
    home: tuple[str, ...]
    """Currencies of the accounts themselves."""

    def sort_currencies(self, currencies: Iterable[str]) -> list[str]:
        """Sort the accounts' own currencies first: amounts of two currencies cannot be ranked."""
        return sorted(currencies, key=lambda each: (each not in self.home, each))

    def default_period(self) -> tuple[date, date]:
        """The last twelve calendar months, including this one, but not before the first hours."""
        year, month = divmod(self.as_of.year * 12 + self.as_of.month - 1 - 11, 12)
        start = date(year, month + 1, 1)
        return min(max(start, self.first_day or start), self.as_of), self.as_of


def _marks(values: Sequence[Any]) -> str:
    return ", ".join("%s" for _ in values)


def read_choices(marts: Marts) -> Choices:
    """Read what can be chosen."""
    hours = marts.mart("hours_daily")
    ((as_of,),) = marts.fetch(f"SELECT MAX(as_of) FROM {marts.model('int_harvest__as_of')}", ())
    ((first, last),) = marts.fetch(f"SELECT MIN(spent_date), MAX(spent_date) FROM {hours}", ())
    end = as_of or last or date.today()  # noqa: DTZ011 - a warehouse without any day
    clients = marts.fetch(
        f"SELECT account_id, client_id, client_name FROM {marts.mart('clients')} "
        "ORDER BY client_name, account_id, client_id",
        (),
    )
    people = marts.fetch(
        f"SELECT account_id, user_id, person_name FROM {marts.mart('people')} "
        "ORDER BY person_name, account_id, user_id",
        (),
    )
    currencies = marts.fetch(
        f"SELECT DISTINCT currency FROM {marts.mart('clients')} "
        "WHERE currency IS NOT NULL ORDER BY currency",
        (),
    )
    home = marts.fetch(
        f"SELECT DISTINCT currency FROM {marts.model('int_harvest__accounts')} "
        "WHERE currency IS NOT NULL ORDER BY currency",
        (),
    )
    return Choices(
        as_of=end,
        first_day=first,
        accounts=tuple(_read_accounts(marts)),
        clients=tuple(((account, key), name or "") for account, key, name in clients),
        people=tuple(((account, key), name or "") for account, key, name in people),
        currencies=tuple(name for (name,) in currencies),
        home=tuple(name for (name,) in home),
    )


def _read_accounts(marts: Marts) -> Iterable[tuple[int, str]]:
    if not marts.has_table("company"):
        return []
    table = marts.table("company")
    return [
        (int(account), str(name or ""))
        for account, name in marts.fetch(
            f"SELECT account_id, MAX(name) FROM {table} GROUP BY account_id ORDER BY account_id", ()
        )
    ]
