"""The identity host: consent page, token endpoint and account list (behaviour.md 10)."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from harvest_source.sandbox.data.account import Account
from harvest_source.sandbox.data.values import Record
from harvest_source.sandbox.oauth.consent import (
    Asked,
    Page,
    Reachable,
    Redirect,
    build_form,
    build_problem,
)
from harvest_source.sandbox.oauth.logins import (
    Challenge,
    GrantRefusedError,
    Login,
    Logins,
    Tokens,
)
from harvest_source.sandbox.oauth.redirects import build_location, may_redirect
from harvest_source.sandbox.settings import App, Person, Settings

APPROVE = "approve"


@dataclass(frozen=True, slots=True)
class Identity:
    """Answers of the identity host as values. Not thread-safe: the owner locks."""

    settings: Settings
    accounts: Mapping[int, Account]
    logins: Logins

    # -- accounts ----------------------------------------------------------------------------

    def account_list(self, person: Person) -> dict[str, Any]:
        """The accounts of a token; those of the other product come first (quirk 2)."""
        user = self._user(person)
        return {
            "user": {name: user[name] for name in ("id", "first_name", "last_name", "email")},
            "accounts": [
                {
                    "id": row.account_id,
                    "name": row.name,
                    "product": row.product,
                    "google_sign_in_required": False,
                }
                for row in self._reachable(person)
            ],
        }

    def _user(self, person: Person) -> Record:
        """The person's user record in the first account."""
        first = next(iter(self.accounts.values()))
        return list(first.tables["users"].values())[person.user]

    def _reachable(self, person: Person) -> list[Reachable]:
        listed = [
            *(Reachable(key, f"Forecast {key}", "forecast")
              for key in self.settings.forecast_accounts),
            *(Reachable(key, account.company["name"], "harvest")
              for key, account in self.accounts.items()),
        ]  # fmt: skip
        return [row for row in listed if person.reaches(row.account_id)]

    # -- consent -----------------------------------------------------------------------------

    def authorize(self, asked: Asked, now: datetime) -> Page | Redirect:
        """
        The consent page, or the redirect that follows from a decision.

        Unverified against a live account: the answer to an unknown app or address; here a page
        with status 400, and never a redirect.
        """
        params = asked.params
        app = self.logins.app(params.get("client_id", ""))
        if app is None:
            return build_problem("This app is not known")
        target = params.get("redirect_uri") or app.redirect_uri
        if not may_redirect(app.redirect_uri, target):
            return build_problem("The redirect URI does not start with the registered one")
        error = self._request_error(params)
        if error is not None:
            return Redirect(build_location(target, error, params.get("state")))
        decision = params.get("decision") if asked.posted else self.logins.options.auto
        if decision is None:
            email = self._user(self.visitor)["email"]
            return build_form(app, email, params, self._reachable(self.visitor))
        if decision == APPROVE:
            answer = self._approve(app.client_id, asked, now)
        else:
            answer = _error("access_denied", "The resource owner denied the request")
        return Redirect(build_location(target, answer, params.get("state")))

    @property
    def visitor(self) -> Person:
        """The person at the browser."""
        return self.settings.people[self.logins.options.visitor]

    def _approve(self, client_id: str, asked: Asked, now: datetime) -> dict[str, str]:
        reachable = self._reachable(self.visitor)
        listed = [row for row in reachable if not asked.posted or row.account_id in asked.chosen]
        login = Login(client_id, self.visitor, tuple(row.account_id for row in listed))
        code = self.logins.issue_code(login, now, _challenge(asked.params))
        scope = self.logins.options.scope
        if scope is None:
            scope = " ".join(f"{row.product}:{row.account_id}" for row in listed)
        return {"code": code, "scope": scope}

    def _request_error(self, params: Mapping[str, str]) -> dict[str, str] | None:
        if params.get("response_type") != "code":
            why = "Only the authorization code flow is simulated"
            return _error("unsupported_response_type", why)
        if self.logins.options.pkce and _challenge(params) is None:
            return _error("invalid_request", "A code_challenge is required")
        return None

    # -- tokens ------------------------------------------------------------------------------

    def grant(self, fields: Mapping[str, str], now: datetime) -> dict[str, Any]:
        """
        The answer of the token endpoint.

        Unverified against a live account: that client credentials are read from the body alone.

        Raises:
            GrantRefusedError: The request is refused.
        """
        grant = fields.get("grant_type")
        if grant is None:
            raise GrantRefusedError("invalid_request", "grant_type is missing")
        if grant not in ("authorization_code", "refresh_token"):
            raise GrantRefusedError("unsupported_grant_type", "That grant_type is not supported")
        app = self._check_app(fields)
        if grant == "refresh_token":
            token = _required("refresh_token", fields)
            tokens = self.logins.refresh(app.client_id, token, now)
        else:
            code, verifier = _required("code", fields), fields.get("code_verifier", "")
            tokens = self.logins.redeem(app.client_id, code, verifier, now)
        return tokens_json(tokens)

    def revoke(self, fields: Mapping[str, str]) -> None:
        """
        End the login of a token, or one access token.

        Raises:
            GrantRefusedError: The app is not known, or no token is named.
        """
        self._check_app(fields)
        self.logins.revoke(_required("token", fields))

    def _check_app(self, fields: Mapping[str, str]) -> App:
        app = self.logins.app(fields.get("client_id", ""))
        secret = fields.get("client_secret", "").encode()
        if app is None or not hmac.compare_digest(app.client_secret.encode(), secret):
            raise GrantRefusedError("invalid_client", "Client authentication failed")
        return app


def tokens_json(tokens: Tokens) -> dict[str, Any]:
    """The answer to a successful token request."""
    content: dict[str, Any] = {"access_token": tokens.access_token}
    if tokens.refresh_token is not None:
        content["refresh_token"] = tokens.refresh_token
    return content | {"token_type": "bearer", "expires_in": tokens.expires_in}


def _required(name: str, fields: Mapping[str, str]) -> str:
    if not fields.get(name):
        raise GrantRefusedError("invalid_request", f"{name} is missing")
    return fields[name]


def _challenge(params: Mapping[str, str]) -> Challenge | None:
    text = params.get("code_challenge")
    return Challenge(text, params.get("code_challenge_method", "plain")) if text else None


def _error(error: str, why: str) -> dict[str, str]:
    return {"error": error, "error_description": why}
