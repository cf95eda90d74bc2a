"""Logins through an app: codes, access tokens and refresh tokens (behaviour.md 10). No HTTP."""

from __future__ import annotations

import base64
import hashlib
import hmac
import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from harvest_source.sandbox.settings import App, OAuth, Person

Kind = Literal["code", "access_token", "refresh_token"]


class GrantRefusedError(ValueError):
    """A token request that is refused: *error* is the OAuth name, *why* its description."""

    def __init__(self, error: str, why: str) -> None:
        super().__init__(f"{error}: {why}")
        self.error = error
        self.why = why


@dataclass(frozen=True, slots=True)
class Issued:
    """One secret that was issued, for tests that search for leaks."""

    kind: Kind
    value: str
    at: datetime
    client_id: str


@dataclass(frozen=True, slots=True)
class Challenge:
    """The PKCE challenge of a client (RFC 7636)."""

    text: str
    method: str

    def is_met(self, verifier: str) -> bool:
        """Whether the challenge was made from *verifier*."""
        made = verifier
        if self.method == "S256":
            digest = hashlib.sha256(verifier.encode()).digest()
            made = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        return hmac.compare_digest(made.encode(), self.text.encode())


@dataclass(slots=True)
class Login:
    """A person's consent: an app may access *accounts*; ``None`` means all of the person's."""

    client_id: str
    person: Person
    accounts: tuple[int, ...] | None


@dataclass(slots=True)
class _Code:
    login: Login
    until: float
    challenge: Challenge | None


@dataclass(slots=True)
class _Access:
    login: Login
    until: float


@dataclass(slots=True)
class _Refresh:
    """*used_at* and *successor* are set once the token has been exchanged for another one."""

    login: Login
    used_at: float | None = None
    successor: str | None = None


@dataclass(frozen=True, slots=True)
class Tokens:
    """The answer of the token endpoint; *refresh_token* is ``None`` when the answer omits it."""

    access_token: str
    refresh_token: str | None
    expires_in: int


class Logins:
    """
    Every login of the installation. Not thread-safe: the owner locks.

    Attributes:
        options: How the identity host behaves; may be replaced at any time.
        issued: Every code and token issued so far, including those no longer in force.
    """

    def __init__(self, options: OAuth, seed: int) -> None:
        self.options = options
        self.issued: list[Issued] = []
        self._chance = random.Random(f"logins {seed}")
        self._codes: dict[str, _Code] = {}
        self._access: dict[str, _Access] = {}
        self._refresh: dict[str, _Refresh] = {}

    def app(self, client_id: str) -> App | None:
        """The registered app with that id."""
        return next((app for app in self.options.apps if app.client_id == client_id), None)

    def issue_code(self, login: Login, now: datetime, challenge: Challenge | None = None) -> str:
        """A code that can be redeemed once, within ``options.code_s``."""
        code = self._new("code", login, now)
        self._codes[code] = _Code(login, now.timestamp() + self.options.code_s, challenge)
        return code

    def redeem(self, client_id: str, code: str, verifier: str, now: datetime) -> Tokens:
        """
        The tokens for a code.

        Raises:
            GrantRefusedError: The code is unknown, used, expired or another app's, or PKCE is
                enforced and its proof is missing or wrong.
        """
        # The first request removes the code, even if it is refused: a code works once.
        held = self._codes.pop(code, None)
        if held is None or held.login.client_id != client_id or held.until <= now.timestamp():
            raise GrantRefusedError("invalid_grant", "The authorization code is invalid or expired")
        if self.options.pkce and not (held.challenge and held.challenge.is_met(verifier)):
            raise GrantRefusedError("invalid_grant", "The code verifier does not match")
        return self.start(held.login, now)

    def start(self, login: Login, now: datetime) -> Tokens:
        """The first tokens of a login."""
        refresh = self._new("refresh_token", login, now)
        self._refresh[refresh] = _Refresh(login)
        return self._tokens(login, refresh, now)

    def refresh(self, client_id: str, token: str, now: datetime) -> Tokens:
        """
        A new access token and, where refresh tokens rotate, a new refresh token.

        A rotated token works once; within ``options.grace_s`` it returns the same successor again.

        Raises:
            GrantRefusedError: The token is unknown, another app's, revoked or already rotated.
        """
        held = self._refresh.get(token)
        late = held and held.used_at is not None and (
            now.timestamp() - held.used_at >= self.options.grace_s
        )  # fmt: skip
        if held is None or late or held.login.client_id != client_id:
            raise GrantRefusedError(
                "invalid_grant", "The refresh token is expired, revoked or invalid"
            )
        if not self.options.rotate:
            return self._tokens(held.login, token, now, again=True)
        if held.successor is None:
            held.successor = self._new("refresh_token", held.login, now)
            held.used_at = now.timestamp()
            self._refresh[held.successor] = _Refresh(held.login)
        return self._tokens(held.login, held.successor, now, again=True)

    def person(self, access_token: str, now: datetime) -> Person | None:
        """The holder of an access token, with the accounts it reaches; ``None`` once expired."""
        held = self._access.get(access_token)
        if held is None or held.until <= now.timestamp():
            return None
        login = held.login
        return replace(login.person, token=access_token, accounts=login.accounts)

    def owner(self, access_token: str) -> Person | None:
        """The holder of an access token, expired or not, with their personal token."""
        held = self._access.get(access_token)
        return held.login.person if held else None

    def expire(self, access_token: str, now: datetime) -> None:
        """
        Expire the access token now; its login stays in force.

        Raises:
            ValueError: No such token is in force.
        """
        if access_token not in self._access:
            msg = "No such access token"
            raise ValueError(msg)
        self._access[access_token].until = now.timestamp()

    def revoke(self, token: str) -> bool:
        """Revoke an access token, or a refresh token together with its whole login."""
        if self._access.pop(token, None):
            return True
        held = self._refresh.get(token)
        if held is None:
            return False
        self._refresh = {
            key: item for key, item in self._refresh.items() if item.login is not held.login
        }
        self._access = {
            key: item for key, item in self._access.items() if item.login is not held.login
        }
        return True

    def reassign(self, person: Person) -> None:
        """Replace *person*, who has changed, in all of their logins."""
        holders: Iterable[_Code | _Access | _Refresh] = (
            *self._codes.values(), *self._access.values(), *self._refresh.values()
        )  # fmt: skip
        for held in holders:
            if held.login.person.token == person.token:
                held.login.person = person

    def _tokens(self, login: Login, refresh: str, now: datetime, *, again: bool = False) -> Tokens:
        access = self._new("access_token", login, now)
        self._access[access] = _Access(login, now.timestamp() + self.options.access_s)
        left_out = again and self.options.omit_refresh
        return Tokens(access, None if left_out else refresh, self.options.access_s)

    def _new(self, kind: Kind, login: Login, now: datetime) -> str:
        short = {"code": "", "access_token": "at.", "refresh_token": "rt."}[kind]
        value = f"{1000 + login.person.user}.{short}{self._chance.getrandbits(256):064x}"
        self.issued.append(Issued(kind, value, now, login.client_id))
        return value
