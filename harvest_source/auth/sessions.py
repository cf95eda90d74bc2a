"""
Open the accounts to read.

A session is one account with its client and what is known about the token's owner there. Opening it
requests ``users/me``, which every role may read and which proves token and account id together.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from operator import call
from typing import Any, Final

import httpx

from harvest_source.api.client import HarvestClient
from harvest_source.api.evidence import ServerClock
from harvest_source.api.http_context import HttpContext, share_connections
from harvest_source.api.rate_limit import Cancelled, LimiterMaker, build_general_limiter, never
from harvest_source.api.urls import check_url
from harvest_source.auth.accounts import choose_account, fetch_accounts
from harvest_source.auth.company import Company
from harvest_source.auth.managed import Managed
from harvest_source.auth.profiles import build_auth_command
from harvest_source.concurrency import in_parallel
from harvest_source.defaults import API_URL, ID_URL, PROFILE, SECTION
from harvest_source.errors import (
    ApiError,
    AuthError,
    ForbiddenError,
    HarvestError,
    ResponseError,
    SignInError,
    printable,
)
from harvest_source.process_limits import read_file_limit

ACCOUNTS_AT_ONCE: Final = 8
"""Accounts that are asked in parallel: each has its own request allowance."""

_NOT_FOUND: Final = 404
_API_PATH: Final = "/v2"


@dataclass(frozen=True, slots=True)
class Connection:
    """
    How to reach Harvest, and with which token.

    Attributes:
        http: If it has no contact, the token owner's e-mail is used once it is known.
        account_ids: Accounts to read; empty: the only Harvest account the token reaches.
        rate_limit: Requests per 15 s; None: what Harvest allows.
        token_source: Where the token came from, for error messages. Never the token itself.
        profile: Profile of the sign-in.
        section: Where its settings are, for messages.
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
    section: str = SECTION
    build_limiter: LimiterMaker = build_general_limiter


@dataclass(frozen=True, slots=True)
class Owner:
    """The token's owner in one account, from ``users/me``."""

    user_id: int
    name: str
    email: str
    access_roles: tuple[str, ...]

    @property
    def is_administrator(self) -> bool:
        """Administrators see every row. For other roles, rows may be missing silently."""
        return "administrator" in self.access_roles

    @property
    def visibility(self) -> str:
        """A text that changes when the token may see different rows than before."""
        return f"{self.user_id}:{','.join(sorted(self.access_roles))}"


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
        A text that changes when a manager gains or loses a project or a teammate; empty for other
        roles.

        A manager sees all rows of the projects and people they manage, so the visible rows change
        without a change of role.
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
        """Ask Harvest again; return those of *modules* that have changed since the first answer."""
        now = Company(self.client)
        return {name for name in modules if now.flag(name) is not self.company.flag(name)}

    @property
    def server_clock(self) -> ServerClock:
        """Harvest's clock and the age of answers, as this account's answers show them."""
        return self.client.server_clock


class Sessions:
    """
    Opens the accounts of one :class:`Connection`, each once; thread-safe.

    An account is opened on first use: building a source does no I/O.

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
        """Guards the attributes below. It is never held while Harvest is asked: a reader that
        leaves (Ctrl-C) must not wait for an answer."""
        self._opening: dict[int, threading.Lock] = defaultdict(threading.Lock)
        """One lock per account, held while Harvest is asked, so that each is opened once."""
        self._ids: tuple[int, ...] = connection.account_ids
        self._opened: dict[int, Session | HarvestError] = {}
        self._unopened: set[HarvestClient] = set()
        """Clients that send their first request: closing them ends the wait for the answer."""
        self._readers = 0
        self._closings = 0
        """How often the last reader has left."""

    def account_ids(self) -> tuple[int, ...]:
        """
        The accounts to read; fetched from Harvest if none was chosen.

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

    def open(
        self,
        account_id: int,
        *,
        cancelled: Callable[[], bool] = never,
        with_company: bool = False,
    ) -> Session:
        """
        The session of one account.

        Args:
            with_company: Ask for ``company`` in parallel, because what is read next waits for it.

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
                opened = self._try_open(account_id, cancelled, with_company)
                self._keep(account_id, opened, before)
        if isinstance(opened, HarvestError):
            raise opened
        return opened

    def _keep(self, account_id: int, opened: Session | HarvestError, closings: int) -> None:
        """Store a session that began to open after *closings*, or close it if all readers left."""
        with self._lock:
            is_late = self._closings != closings
            if not is_late:
                self._opened[account_id] = opened
        if is_late and isinstance(opened, Session):
            opened.client.close()  # Sessions that were already open have been closed, too.

    def drop_account(self, account_id: int) -> None:
        """Remove one account from :meth:`account_ids`."""
        with self._lock:
            self._ids = tuple(each for each in self._ids if each != account_id)

    @property
    def requests(self) -> int:
        """Requests sent by all open sessions."""
        return sum(session.client.requests for session in self._sessions())

    def until_free_s(self) -> float:
        """Seconds until every open account may send a request; 0 if all of them may now."""
        return max((0.0, *(session.client.until_free_s() for session in self._sessions())))

    def close(self) -> None:
        """Close every connection."""
        for session in self._sessions():
            session.client.close()

    def _sessions(self) -> list[Session]:
        """A copy of the open sessions: another thread may open one at any time."""
        with self._lock:
            return [each for each in self._opened.values() if isinstance(each, Session)]

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """
        Keep sessions open while a reader is inside; the last one to leave closes them.

        When dlt runs the source directly, no other code knows when reading ends. A later reader
        opens the accounts again.
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
        """Forget every account and return the clients to close. Call it with the lock held."""
        opened = [each.client for each in self._opened.values() if isinstance(each, Session)]
        left = [*opened, *self._unopened]
        self._closings += 1
        self._opened.clear()
        return left

    def _find_account(self) -> int:
        connection = self._connection
        accounts = fetch_accounts(connection.id_url, connection.auth, connection.http)
        return choose_account(accounts, connection.section).id

    def _try_open(
        self, account_id: int, cancelled: Callable[[], bool], with_company: bool
    ) -> Session | HarvestError:
        try:
            return self._open(account_id, cancelled, with_company)
        except HarvestError as error:
            return error

    def _open(self, account_id: int, cancelled: Callable[[], bool], with_company: bool) -> Session:
        http = self._connection.http
        client = self._build_client(account_id)
        company = Company(client)
        ask_owner = partial(client.fetch_object, "users/me", cancelled=cancelled)
        questions: list[Callable[[], Any]] = [ask_owner]
        if with_company:
            questions.append(company.prefetch)
        with self._lock:
            self._unopened.add(client)
        try:
            # What needs the second answer waits for it.
            me = next(in_parallel(call, questions, workers=len(questions)))
            owner = parse_owner(me)
        except Cancelled:
            client.close()
            raise
        except HarvestError as error:
            client.close()
            explained = _explain(error, account_id, self._connection)
            if explained is error:
                raise
            raise explained from error
        finally:
            with self._lock:
                self._unopened.discard(client)
        if http.contact is None and owner.email:
            client.set_user_agent(replace(http, contact=owner.email).user_agent)
        return Session(client, owner, company, Managed(client))

    def _build_client(self, account_id: int) -> HarvestClient:
        connection = self._connection
        idle = share_connections(len(self._ids), read_file_limit())
        return HarvestClient(
            connection.api_url,
            replace(connection.http, idle=idle),
            account_id=account_id,
            auth=connection.auth,
            limiter=connection.build_limiter(connection.http.clock, connection.rate_limit),
        )


def _explain(error: HarvestError, account_id: int, connection: Connection) -> HarvestError:
    """Say whether token or account is likely wrong: Harvest checks both together."""
    if isinstance(error, SignInError):
        return error
    source = connection.token_source
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
            f"{came_from}{_doubt_api_url(connection.api_url)} Check account_id. To list the "
            f"accounts that the token reaches: {build_auth_command('accounts', connection.profile)}"
        )
    if isinstance(error, AuthError):
        return AuthError(
            f"Harvest refused the access token (401 on users/me, account {account_id})."
            f"{came_from} It may be expired or revoked, or the account id may be wrong. Make "
            "a new one at https://id.getharvest.com/developers, and check account_id."
        )
    return error


def _doubt_api_url(api_url: str) -> str:
    """A sentence about *api_url* if it may be the cause of a 404."""
    if check_url(api_url, "api_url").endswith(_API_PATH):
        return ""
    return f" Check api_url: Harvest's ends with {_API_PATH}, and this one does not."


def parse_owner(me: Mapping[str, Any]) -> Owner:
    """
    Parse ``users/me``. An older form has ``is_admin`` instead of ``access_roles``.

    Raises:
        ResponseError: It has no user id.
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
