"""
Opens the accounts to read.

A session is one account with its client and what is known of the token's owner there. Opening it
asks ``users/me``, which every role may read and which proves token and account id together.
"""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

import httpx

from harvest_source.api.client import HarvestClient
from harvest_source.api.evidence import ServerClock
from harvest_source.api.http_context import HttpContext
from harvest_source.api.pages import Page
from harvest_source.api.rate_limit import Cancelled, LimiterMaker, general_limiter, never
from harvest_source.api.urls import check_url
from harvest_source.auth.accounts import choose_account, fetch_accounts
from harvest_source.auth.managed import Managed
from harvest_source.defaults import API_URL, ID_URL, PROFILE
from harvest_source.errors import (
    ApiError,
    AuthError,
    ForbiddenError,
    HarvestError,
    ResponseError,
    SignInError,
    printable,
)

ACCOUNTS_AT_ONCE: Final = 8
"""Accounts that are asked the same at the same time: each has an allowance of its own."""

_NOT_FOUND: Final = 404


@dataclass(frozen=True, slots=True)
class Connection:
    """
    How to reach Harvest, and with which token.

    Attributes:
        http: Without a contact, the token owner's e-mail is used once it is known.
        account_ids: Accounts to read; empty: the only Harvest account the token reaches.
        rate_limit: Requests per 15 s; None: what Harvest allows.
        token_source: Where the token came from, for error messages. Never the token.
        profile: Of the sign-in.
        build_limiter: Makes the limiter of each account.
    """

    auth: httpx.Auth
    http: HttpContext
    account_ids: tuple[int, ...] = ()
    rate_limit: int | None = None
    api_url: str = API_URL
    id_url: str = ID_URL
    token_source: str = ""
    profile: str = PROFILE
    build_limiter: LimiterMaker = general_limiter


@dataclass(frozen=True, slots=True)
class Owner:
    """The token's owner in one account, from ``users/me``."""

    user_id: int
    name: str
    email: str
    access_roles: tuple[str, ...]

    @property
    def is_administrator(self) -> bool:
        """Administrators see every row. For other roles rows may be missing without a sign."""
        return "administrator" in self.access_roles

    @property
    def visibility(self) -> str:
        """A text that changes when the token may see other rows than before."""
        return f"{self.user_id}:{','.join(sorted(self.access_roles))}"


class Company:
    """
    The modules of one account, from ``company``: fetched once, at the first use.

    The same answer is the table ``company``.
    """

    def __init__(self, client: HarvestClient) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._flags: Mapping[str, Any] | None = None
        self._page: Page | None = None

    def flag(self, name: str) -> bool | None:
        """Whether a module is on; None when this token may not read that. Raises nothing."""
        with self._lock:
            self._fetch()
            value = (self._flags or {}).get(name)
        return value if isinstance(value, bool) else None

    def take(self) -> Page | None:
        """The answer, handed out once; None where Harvest gave none, or it was taken."""
        with self._lock:
            self._fetch()
            page, self._page = self._page, None
        return page

    def _fetch(self) -> None:
        if self._flags is not None:
            return
        try:
            self._page = self._client.fetch_page("company", key=None)
            self._flags = json.loads(self._page.rows)[0]
        except HarvestError:
            self._flags = {}  # Reading the table ``company`` reports the error.


@dataclass(frozen=True, slots=True)
class Session:
    """One account, open for reading."""

    client: HarvestClient
    owner: Owner
    company: Company
    managed: Managed | None = None

    @property
    def managed_scope(self) -> str:
        """
        A text that changes when a manager is given or loses a project or a teammate; empty for
        other roles.

        A manager sees all rows of the projects and people that they manage, without any change of
        role.
        """
        is_manager = "manager" in self.owner.access_roles and not self.owner.is_administrator
        return self.managed.digest() if self.managed is not None and is_manager else ""

    @property
    def account_id(self) -> int:
        """Harvest's id of the account."""
        return self.client.account_id

    def fetch_owner(self) -> Owner:
        """
        Ask Harvest again who the token's owner is: the role may have changed since.

        Raises:
            HarvestError: Harvest gives no usable answer.
        """
        return parse_owner(self.client.fetch_object("users/me"))

    def find_changed_modules(self, modules: Collection[str]) -> set[str]:
        """Those of *modules* that are not as when they were first asked for: asks once more."""
        now = Company(self.client)
        return {name for name in modules if now.flag(name) is not self.company.flag(name)}

    @property
    def server_clock(self) -> ServerClock:
        """What this account's answers tell of Harvest's clock, and of their own age."""
        return self.client.server_clock


class Sessions:
    """
    Opens the accounts of one :class:`Connection`; thread-safe, and each account is opened once.

    An account is opened at its first use: building a source does no I/O.

    Raises:
        ConfigError: ``api_url`` or ``id_url`` cannot be used.
    """

    def __init__(self, connection: Connection) -> None:
        check_url(connection.api_url, "api_url")
        check_url(connection.id_url, "id_url")
        self._connection = connection
        self._finding = threading.Lock()
        """Held while Harvest is asked which account the token reaches."""
        self._lock = threading.Lock()
        """Guards what is below, and is never held while Harvest is asked: a reader that leaves
        (Ctrl-C) must not wait for an answer."""
        self._opening: dict[int, threading.Lock] = defaultdict(threading.Lock)
        """By account, held while Harvest is asked, so that each is opened once."""
        self._ids: tuple[int, ...] = connection.account_ids
        self._opened: dict[int, Session | HarvestError] = {}
        self._unopened: set[HarvestClient] = set()
        """Those that ask for the first time: to close them ends the wait for an answer."""
        self._readers = 0
        self._closings = 0
        """How often the last reader has left."""

    def account_ids(self) -> tuple[int, ...]:
        """
        The accounts to read; fetched from Harvest when none was chosen.

        Raises:
            ConfigError: The token reaches several accounts and none was chosen.
            AuthError: The token reaches no account, or is refused.
        """
        with self._finding:
            if not self._ids and not self._opened:
                found = self._find_account()
                with self._lock:
                    self._ids = (found,)
        with self._lock:
            return self._ids

    def open(self, account_id: int, *, cancelled: Callable[[], bool] = never) -> Session:
        """
        The session of one account.

        Raises:
            AuthError: Harvest refuses the token, or knows no such account for it.
            ApiError: Harvest gives no usable answer. Later calls raise the same error.
            Cancelled: *cancelled* returned True while Harvest was asked.
        """
        with self._lock:
            opening = self._opening[account_id]
        with opening:
            with self._lock:
                opened, before = self._opened.get(account_id), self._closings
            if opened is None:
                opened = self._try_open(account_id, cancelled)
                self._keep(account_id, opened, before)
        if isinstance(opened, HarvestError):
            raise opened
        return opened

    def _keep(self, account_id: int, opened: Session | HarvestError, closings: int) -> None:
        """Keep a session that was opened after *closings*; the last reader may have left since."""
        with self._lock:
            is_late = self._closings != closings
            if not is_late:
                self._opened[account_id] = opened
        if is_late and isinstance(opened, Session):
            opened.client.close()  # As those that were open already.

    def give_up(self, account_id: int) -> None:
        """Remove one account from :meth:`account_ids`."""
        with self._lock:
            self._ids = tuple(each for each in self._ids if each != account_id)

    @property
    def requests(self) -> int:
        """Requests sent by all open sessions."""
        return sum(session.client.requests for session in self._sessions())

    def until_free_s(self) -> float:
        """Seconds until the allowance of every open account has room for a request; 0: all have."""
        return max((0.0, *(session.client.until_free_s() for session in self._sessions())))

    def close(self) -> None:
        """Close every connection."""
        for session in self._sessions():
            session.client.close()

    def _sessions(self) -> list[Session]:
        """The open sessions as they are now: another thread may open one at any time."""
        with self._lock:
            return [each for each in self._opened.values() if isinstance(each, Session)]

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """
        Keep sessions open while a reader is inside; the last one to leave closes them.

        In plain dlt use no other code knows when reading ends. A later reader opens the accounts
        again.
        """
        with self._lock:
            self._readers += 1
        try:
            yield
        finally:
            with self._lock:
                self._readers -= 1
                left = [] if self._readers else self._take_clients()
            for client in left:
                client.close()

    def _take_clients(self) -> list[HarvestClient]:
        """Forget every account, with the lock held; returns the clients to close."""
        opened = [each.client for each in self._opened.values() if isinstance(each, Session)]
        left = [*opened, *self._unopened]
        self._closings += 1
        self._opened.clear()
        return left

    def _find_account(self) -> int:
        connection = self._connection
        accounts = fetch_accounts(connection.id_url, connection.auth, connection.http)
        return choose_account(accounts).id

    def _try_open(self, account_id: int, cancelled: Callable[[], bool]) -> Session | HarvestError:
        try:
            return self._open(account_id, cancelled)
        except HarvestError as error:
            return error

    def _open(self, account_id: int, cancelled: Callable[[], bool]) -> Session:
        http = self._connection.http
        client = self._build_client(account_id)
        with self._lock:
            self._unopened.add(client)
        try:
            owner = parse_owner(client.fetch_object("users/me", cancelled=cancelled))
        except Cancelled:
            client.close()
            raise
        except HarvestError as error:
            client.close()
            explained = self._explain(error, account_id)
            if explained is error:
                raise
            raise explained from error
        finally:
            with self._lock:
                self._unopened.discard(client)
        if http.contact is None and owner.email:
            client.set_user_agent(replace(http, contact=owner.email).user_agent)
        return Session(client, owner, Company(client), Managed(client))

    def _build_client(self, account_id: int) -> HarvestClient:
        connection = self._connection
        return HarvestClient(
            connection.api_url,
            connection.http,
            account_id=account_id,
            auth=connection.auth,
            limiter=connection.build_limiter(connection.http.clock, connection.rate_limit),
        )

    def _explain(self, error: HarvestError, account_id: int) -> HarvestError:
        """Harvest checks token and account together: say which of them is likely to be wrong."""
        if isinstance(error, SignInError):
            return error
        source = self._connection.token_source
        came_from = f" The token came from {source}." if source else ""
        if isinstance(error, ForbiddenError):
            return AuthError(
                f"Harvest refuses this token in account {account_id} (403 on users/me, which "
                f"every role may read).{came_from} Its owner may have been archived there, or the "
                "account may be closed. Sign in to that account in a browser as the same user: if "
                "that works, make a new token at https://id.getharvest.com/developers; if not, ask "
                "an administrator of the account, or take it out of account_id."
            )
        if isinstance(error, ApiError) and error.status == _NOT_FOUND:
            return AuthError(
                f"Harvest knows no account {account_id} for this token (404 on users/me)."
                f"{came_from} Check account_id; `harvest-source check` without it lists the "
                "accounts the token reaches."
            )
        if isinstance(error, AuthError):
            return AuthError(
                f"Harvest refused the access token (401 on users/me, account {account_id})."
                f"{came_from} It may be expired or revoked, or the account id may be wrong. Make "
                "a new one at https://id.getharvest.com/developers, and check account_id."
            )
        return error


def parse_owner(me: Mapping[str, Any]) -> Owner:
    """
    Read ``users/me``. An older form has ``is_admin`` in place of ``access_roles``.

    Raises:
        ResponseError: It is not a user.
    """
    user_id, roles = me.get("id"), me.get("access_roles")
    if not isinstance(user_id, int):
        msg = "Harvest answered users/me without a user id. Check api_url."
        raise ResponseError(msg, path="users/me", status=200)
    named = tuple(printable(role, limit=40) for role in roles) if isinstance(roles, list) else ()
    if not named and me.get("is_admin") is True:
        named = ("administrator",)
    names = (str(me.get("first_name") or ""), str(me.get("last_name") or ""))
    return Owner(
        user_id=user_id,
        name=printable(" ".join(names), limit=80),
        email=str(me.get("email") or ""),
        access_roles=named,
    )
