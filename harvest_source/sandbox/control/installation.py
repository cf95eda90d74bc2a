"""What every control of a simulated installation shares: accounts, API and one lock."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from harvest_source.sandbox.data.account import Account
from harvest_source.sandbox.endpoints import ENDPOINTS, STORED
from harvest_source.sandbox.serve.api import Api
from harvest_source.sandbox.settings import Settings


class Installation:
    """
    Accounts and the API in front of them.

    Each control adds its methods to this class and takes the lock in each of them, so that a
    request is answered between two changes and never in the middle of one.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._lock = threading.RLock()
        self._accounts = {
            account_id: Account(settings, account_id, position)
            for position, account_id in enumerate(settings.accounts)
        }
        self._api = Api(settings, self._accounts)

    @property
    def account_id(self) -> int:
        """The first account."""
        return self.settings.accounts[0]

    @property
    def token(self) -> str:
        """The first token: an administrator's, unless the settings say otherwise."""
        return self.settings.people[0].token

    def _account(self, account_id: int | None) -> Account:
        found = self._accounts.get(self.account_id if account_id is None else account_id)
        if found is None:
            msg = f"No account {account_id}; there are {', '.join(map(str, self._accounts))}"
            raise ValueError(msg)
        return found


def check_name(table: str, known: Iterable[str]) -> str:
    """
    *table*, if it is one of the *known* names.

    Raises:
        ValueError: It is none of them.
    """
    names = tuple(known)
    if table not in names:
        msg = f"No table named {table}; there are {', '.join(names)}"
        raise ValueError(msg)
    return table


def check_stored(table: str) -> str:
    """
    *table*, if it has records of its own.

    Raises:
        ValueError: It has none.
    """
    return check_name(table, STORED)


def check_list(table: str) -> str:
    """
    *table*, if the API has a list of that name.

    Raises:
        ValueError: It has none.
    """
    return check_name(table, ENDPOINTS)
