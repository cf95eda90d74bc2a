"""Tokens and logins: what can be done to them while the world serves."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from harvest_source.sandbox.api import Api
from harvest_source.sandbox.identity import tokens_json
from harvest_source.sandbox.logins import Issued, Login
from harvest_source.sandbox.settings import App, Settings


class LoginControl:
    """The part of `World` that hands out tokens and takes them away; thread-safe."""

    def __init__(self, settings: Settings, api: Api) -> None:
        self.settings = settings
        self._api = api
        self._lock = threading.RLock()

    # -- personal access tokens ----------------------------------------------------------------

    @property
    def token(self) -> str:
        """The first token: an administrator's, unless the settings say otherwise."""
        return self.settings.people[0].token

    @property
    def tokens(self) -> dict[str, str]:
        """The first token of each role, by role; revoked ones too."""
        return {person.role: person.token for person in reversed(self.settings.people)}

    def revoke(self, token: str | None = None) -> None:
        """
        Every further request with *token* (the first one) is a 401.

        A refresh token takes its whole login along, the access tokens that came of it included.
        """
        with self._lock:
            if not self._api.logins.revoke(token or self.token):
                self._api.people.pop(token or self.token, None)

    def grant(self, token: str | None = None) -> None:
        """Undo `revoke` of a personal access token."""
        with self._lock:
            for person in self.settings.people:
                if person.token == (token or self.token):
                    self._api.people[person.token] = person

    # -- logins through an app -----------------------------------------------------------------

    @property
    def app(self) -> App:
        """The first registered app."""
        return self._api.logins.options.apps[0]

    @property
    def issued(self) -> list[Issued]:
        """Every code and token that the identity host handed out so far, dead ones too."""
        with self._lock:
            return list(self._api.logins.issued)

    @property
    def secrets(self) -> list[str]:
        """All that must never be seen anywhere: tokens of people, secrets of apps, all issued."""
        apps = self._api.logins.options.apps
        tokens = [person.token for person in self.settings.people]
        given = [item.value for item in self.issued]
        return [*tokens, *(app.client_secret for app in apps), *given]

    def set_oauth(self, **changes: Any) -> None:
        """Change fields of `OAuth` from now on."""
        with self._lock:
            self._api.logins.options = replace(self._api.logins.options, **changes)

    def issue_code(
        self, person: int = 0, client_id: str | None = None, accounts: Iterable[int] | None = None
    ) -> str:
        """
        A code as the consent page would hand it out.

        Args:
            person: Position in ``Settings.people`` of who consents.
            accounts: What the tokens will reach; all that the person reaches when ``None``.
        """
        with self._lock:
            login = self._login(person, client_id, accounts)
            return self._api.logins.issue_code(login, self.settings.clock())

    def issue_tokens(
        self, person: int = 0, client_id: str | None = None, accounts: Iterable[int] | None = None
    ) -> dict[str, Any]:
        """The token endpoint's answer for a fresh login; arguments as of `issue_code`."""
        with self._lock:
            login = self._login(person, client_id, accounts)
            return tokens_json(self._api.logins.start(login, self.settings.clock()))

    def expire_access_token(self, token: str) -> None:
        """
        The access token runs out now; its login goes on.

        Raises:
            ValueError: No such token is in force.
        """
        with self._lock:
            self._api.logins.expire(token, self.settings.clock())

    def _login(self, person: int, client_id: str | None, accounts: Iterable[int] | None) -> Login:
        holder = self.settings.people[person]
        known = self._api.people.get(holder.token, holder)
        chosen = holder.accounts if accounts is None else tuple(accounts)
        return Login(client_id or self.app.client_id, known, chosen)
