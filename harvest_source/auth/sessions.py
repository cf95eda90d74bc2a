"""
From settings to accounts that can be read.

A session is one account with its client and what is known of the token's owner there. Opening it
asks ``users/me``, which every role may read and which proves token and account id together.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from harvest_source._version import __version__
from harvest_source.api.client import HarvestClient
from harvest_source.api.rate_limit import Cancelled, general_limiter, never
from harvest_source.api.requester import Exchange, check_url, user_agent
from harvest_source.auth.accounts import choose_account, fetch_accounts
from harvest_source.clock import Clock, SystemClock
from harvest_source.defaults import API_URL, ID_URL
from harvest_source.errors import ApiError, AuthError, HarvestError, ResponseError, SignInError

_NOT_FOUND: Final = 404


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach Harvest, and as whom."""

    auth: httpx.Auth
    account_ids: tuple[int, ...] = ()
    """Empty: the only Harvest account the token reaches."""
    contact: str | None = None
    """For the User-Agent; None: the token owner's e-mail."""
    rate_limit: int | None = None
    """Requests per 15 s; None: what Harvest allows."""
    api_url: str = API_URL
    id_url: str = ID_URL
    token_source: str = ""
    """Where the token came from, for error messages. Never the token."""
    clock: Clock = field(default_factory=SystemClock)
    transport: httpx.BaseTransport | None = None
    on_response: Callable[[Exchange], None] | None = None
    on_warning: Callable[[str], None] | None = None


@dataclass(frozen=True, slots=True)
class Owner:
    """Who the token belongs to in one account, from ``users/me``."""

    user_id: int
    name: str
    email: str
    access_roles: tuple[str, ...]

    @property
    def is_administrator(self) -> bool:
        """Administrators see everything; everyone else perhaps a part, with no sign of it."""
        return "administrator" in self.access_roles

    @property
    def visibility(self) -> str:
        """Changes when this token may come to see other rows than before."""
        return f"{self.user_id}:{','.join(sorted(self.access_roles))}"


class Company:
    """What ``company`` says of one account's modules: asked once, when first wanted."""

    def __init__(self, client: HarvestClient) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._flags: Mapping[str, Any] | None = None

    def flag(self, name: str) -> bool | None:
        """Whether a module is on; None when this token is not told. Raises nothing."""
        with self._lock:
            if self._flags is None:
                try:
                    self._flags = self._client.fetch_object("company")
                except HarvestError:
                    self._flags = {}  # Whoever reads the table itself says what happened.
            value = self._flags.get(name)
        return value if isinstance(value, bool) else None


@dataclass(frozen=True, slots=True)
class Session:
    """One account, ready to be read."""

    client: HarvestClient
    owner: Owner
    company: Company

    @property
    def account_id(self) -> int:
        """Harvest's id of the account."""
        return self.client.account_id


class Sessions:
    """
    Opens the accounts of one :class:`Connection`, each once, however many threads ask.

    Opening happens at the first use, not before: building a source does no I/O.
    """

    def __init__(self, connection: Connection) -> None:
        check_url(connection.api_url, "api_url")
        check_url(connection.id_url, "id_url")
        self._connection = connection
        self._lock = threading.Lock()
        self._door = threading.Lock()
        """Of its own: whoever leaves must not wait for an account that is being opened."""
        self._ids: tuple[int, ...] = connection.account_ids
        self._opened: dict[int, Session | HarvestError] = {}
        self._readers = 0

    def account_ids(self) -> tuple[int, ...]:
        """
        The accounts to read; asks Harvest when none was chosen.

        Raises:
            ConfigError: The token reaches several accounts and none was chosen.
            AuthError: It reaches none, or is refused.
        """
        with self._lock:
            if not self._ids and not self._opened:
                self._ids = (self._find_account(),)
            return self._ids

    def open(self, account_id: int, *, cancelled: Callable[[], bool] = never) -> Session:
        """
        The session of one account.

        Raises:
            AuthError: Harvest refuses the token, or knows no such account for it.
            ApiError: Harvest does not answer. The same error again at every later call.
            Cancelled: *cancelled* said so while Harvest was asked.
        """
        with self._lock:
            if account_id not in self._opened:
                self._opened[account_id] = self._try_open(account_id, cancelled)
            opened = self._opened[account_id]
        if isinstance(opened, HarvestError):
            raise opened
        return opened

    def give_up(self, account_id: int) -> None:
        """Leave one account out of :meth:`account_ids` from now on."""
        with self._lock:
            self._ids = tuple(each for each in self._ids if each != account_id)

    @property
    def requests(self) -> int:
        """Requests sent by all sessions opened."""
        return sum(s.client.requests for s in self._opened.values() if isinstance(s, Session))

    def close(self) -> None:
        """Close every connection."""
        for session in list(self._opened.values()):
            if isinstance(session, Session):
                session.client.close()

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """
        While anyone reads, sessions stay open; the last one out closes them.

        In plain dlt use nobody else could. Whoever comes later opens the accounts anew.
        """
        with self._door:
            self._readers += 1
        try:
            yield
        finally:
            with self._door:
                self._readers -= 1
                if not self._readers:
                    self.close()
                    self._opened.clear()

    def _find_account(self) -> int:
        connection = self._connection
        accounts = fetch_accounts(
            connection.id_url,
            auth=connection.auth,
            user_agent=user_agent(__version__, connection.contact),
            clock=connection.clock,
            transport=connection.transport,
            on_response=connection.on_response,
        )
        return choose_account(accounts).id

    def _try_open(self, account_id: int, cancelled: Callable[[], bool]) -> Session | HarvestError:
        try:
            return self._open(account_id, cancelled)
        except HarvestError as error:
            return error

    def _open(self, account_id: int, cancelled: Callable[[], bool]) -> Session:
        connection = self._connection
        client = self._build_client(account_id, connection.contact)
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
        if connection.contact is None and owner.email:
            client.introduce(user_agent(__version__, owner.email))
        return Session(client, owner, Company(client))

    def _build_client(self, account_id: int, contact: str | None) -> HarvestClient:
        connection = self._connection
        return HarvestClient(
            api_url=connection.api_url,
            account_id=account_id,
            auth=connection.auth,
            user_agent=user_agent(__version__, contact),
            clock=connection.clock,
            limiter=general_limiter(connection.clock, connection.rate_limit),
            transport=connection.transport,
            on_response=connection.on_response,
            on_warning=connection.on_warning,
        )

    def _explain(self, error: HarvestError, account_id: int) -> HarvestError:
        """The token was accepted or refused together with the account: say which is likely."""
        if isinstance(error, SignInError):
            return error
        status = error.status if isinstance(error, ApiError) else 401
        source = self._connection.token_source
        came_from = f" The token came from {source}." if source else ""
        if status == _NOT_FOUND:
            msg = (
                f"Harvest knows no account {account_id} for this token (404 on users/me)."
                f"{came_from} Check account_id; `harvest-source check` without it lists the "
                "accounts the token reaches."
            )
            return AuthError(msg)
        if isinstance(error, AuthError):
            msg = (
                f"Harvest refused the access token (401 on users/me, account {account_id})."
                f"{came_from} It may be expired or revoked, or the account id may be wrong. Make "
                "a new one at https://id.getharvest.com/developers, and check account_id."
            )
            return AuthError(msg)
        return error


def parse_owner(me: Mapping[str, Any]) -> Owner:
    """
    Read ``users/me``.

    Raises:
        ResponseError: It is not a user.
    """
    user_id, roles = me.get("id"), me.get("access_roles")
    if not isinstance(user_id, int):
        msg = "Harvest answered users/me without a user id. Check api_url."
        raise ResponseError(msg, path="users/me", status=200)
    names = (str(me.get("first_name") or ""), str(me.get("last_name") or ""))
    return Owner(
        user_id=user_id,
        name=" ".join(name for name in names if name),
        email=str(me.get("email") or ""),
        access_roles=tuple(map(str, roles)) if isinstance(roles, Sequence) else (),
    )
