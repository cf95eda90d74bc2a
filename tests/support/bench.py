"""The bench of a sign-in test: sandbox, vault, clock, and all warnings."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx

from harvest_source.api.http_context import HttpContext
from harvest_source.api.requester import Requester
from harvest_source.auth.oauth import OAuthToken
from harvest_source.auth.saved_login import SavedLogin
from harvest_source.auth.token_endpoint import App, TokenEndpoint, Tokens
from harvest_source.auth.token_stores import TokenStore
from harvest_source.auth.vault import Vault
from harvest_source.auth.vault_token_store import VaultTokenStore
from harvest_source.defaults import TOKEN_PATH
from harvest_source.sandbox import Request, Sandbox
from tests.clocks import FakeClock

PROFILE, ACCOUNT = "default", "1000001"
CONTACT = "tests@example.com"


@dataclass
class Bench:
    """One sandbox and one vault."""

    server: Sandbox
    vault: Vault
    clock: FakeClock
    warnings: list[str] = field(default_factory=list)
    logins: int = 0

    def app(self, **fields: Any) -> App:
        """The registered app."""
        known = self.server.app
        given = {"id_url": self.server.id_url, "token_path": TOKEN_PATH} | fields
        return App(known.client_id, known.client_secret, **given)

    def issue(self, lifetime_s: float = 1_209_600) -> Tokens:
        """Issue tokens as a login does."""
        self.logins += 1
        told = self.server.issue_tokens()
        now = self.clock.now()
        expires_at = now + timedelta(seconds=lifetime_s)
        return Tokens(told["access_token"], told["refresh_token"], expires_at, now)

    def keep(self, tokens: Tokens) -> VaultTokenStore:
        """Save a login in the vault."""
        app = self.app()
        login = SavedLogin(tokens, client_id=app.client_id, client_secret=app.client_secret)
        with self.vault.lock(PROFILE):
            self.vault.write(PROFILE, ACCOUNT, login)
        return VaultTokenStore(self.vault, PROFILE, ACCOUNT)

    def token(self, safe: TokenStore, *, app: App | None = None, **fields: Any) -> OAuthToken:
        """The login as an httpx auth object."""
        remedy = {"remedy": fields.pop("remedy")} if "remedy" in fields else {}
        http = self.http(random=lambda: 0.0, **fields)
        endpoint = TokenEndpoint(app or self.app(), http, **remedy)
        return OAuthToken(endpoint, safe, clock=self.clock, on_warning=self.warnings.append)

    def ask(self, auth: httpx.Auth, **fields: Any) -> Any:
        """Request ``users/me`` with that login."""
        with self.requester(auth, **fields) as requester:
            return requester.fetch("users/me", parse=lambda answer: answer.body)

    def requester(self, auth: httpx.Auth, **fields: Any) -> Requester:
        """A client of the sandbox's API."""
        headers = {"Harvest-Account-Id": ACCOUNT}
        return Requester(self.server.api_url, self.http(**fields), auth=auth, headers=headers)

    def http(self, **fields: Any) -> HttpContext:
        """The context that its requests share."""
        return HttpContext(clock=self.clock, contact=CONTACT, **fields)

    @property
    def refreshes(self) -> int:
        """How often the identity host has issued another access token."""
        issued = sum(item.kind == "access_token" for item in self.server.issued)
        return issued - self.logins

    @property
    def token_requests(self) -> int:
        """The number of token requests in total."""
        return self.server.requests.counts().get("oauth_token", 0)

    def expire(self, tokens: Tokens) -> None:
        """Make Harvest refuse the access token from now on, before its stated expiry."""
        self.server.expire_access_token(tokens.access_token)

    def hold_until_refused(self, many: int) -> None:
        """Hold the identity host's answer until that many requests have met the 401."""
        refused = threading.Semaphore(0)
        met = threading.Event()

        def watch(request: Request) -> None:
            if request.table == "users_me":
                refused.release()

        def hold(request: Request) -> None:
            if request.table == "oauth_token" and not met.is_set():
                for _ in range(many):
                    refused.acquire(timeout=30)
                met.set()

        self.server.after_request(watch)
        self.server.before_request(hold)


Start = Callable[..., Bench]
"""Starts a sandbox; keyword arguments configure its OAuth. The fixture ``start``."""
