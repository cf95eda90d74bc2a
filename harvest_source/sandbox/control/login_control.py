"""Control of tokens and logins."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from harvest_source.sandbox.checks import check_choice, check_whole
from harvest_source.sandbox.control.installation import Installation
from harvest_source.sandbox.oauth.identity import tokens_json
from harvest_source.sandbox.oauth.logins import Issued, Login
from harvest_source.sandbox.settings import App, Person


class LoginControl(Installation):
    """Issues and revokes tokens; thread-safe."""

    # -- personal access tokens ----------------------------------------------------------------

    @property
    def tokens(self) -> dict[str, str]:
        """The first token of each role, by role, even if it is revoked."""
        return {person.role: person.token for person in reversed(self.settings.people)}

    def revoke(self, token: str | None = None) -> None:
        """
        Revoke *token* (the first one when ``None``): every further request with it gets a 401.

        Revoking a refresh token ends its whole login, including the login's access tokens.

        Raises:
            ValueError: There never was such a token.
        """
        revoked = token or self.token
        with self._lock:
            if not self._api.logins.revoke(revoked):
                if revoked not in (issued.value for issued in self._api.logins.issued):
                    self._find_holder(revoked)
                self._api.people.pop(revoked, None)

    def restore_token(self, token: str | None = None) -> None:
        """
        Undo `revoke` of a personal access token.

        Raises:
            ValueError: No person has that token.
        """
        with self._lock:
            person = self._find_holder(token or self.token)
            self._api.people[person.token] = person

    def _find_holder(self, token: str) -> Person:
        """
        The person with that personal access token, revoked or not.

        Raises:
            ValueError: There is none.
        """
        for person in self.settings.people:
            if person.token == token:
                return person
        msg = "No person has that token"
        raise ValueError(msg)

    # -- logins through an app -----------------------------------------------------------------

    @property
    def app(self) -> App:
        """The first registered app."""
        return self._api.logins.options.apps[0]

    @property
    def issued(self) -> list[Issued]:
        """Every code and token that the identity host issued so far, in force or not."""
        with self._lock:
            return list(self._api.logins.issued)

    @property
    def secrets(self) -> list[str]:
        """Everything secret: tokens of people, secrets of apps, all issued codes and tokens."""
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
        A code as the consent page would issue it.

        Args:
            person: Position in ``Settings.people`` of the person who consents.
            accounts: Accounts that the tokens will reach; all of the person's when ``None``.

        Raises:
            ValueError: There is no such person, app or account.
        """
        with self._lock:
            login = self._login(person, client_id, accounts)
            return self._api.logins.issue_code(login, self.settings.clock())

    def issue_tokens(
        self, person: int = 0, client_id: str | None = None, accounts: Iterable[int] | None = None
    ) -> dict[str, Any]:
        """The token endpoint's answer for a new login; the arguments are those of `issue_code`."""
        with self._lock:
            login = self._login(person, client_id, accounts)
            return tokens_json(self._api.logins.start(login, self.settings.clock()))

    def expire_access_token(self, token: str) -> None:
        """
        Expire the access token now; its login stays in force.

        Raises:
            ValueError: No such token is in force.
        """
        with self._lock:
            self._api.logins.expire(token, self.settings.clock())

    def _login(self, person: int, client_id: str | None, accounts: Iterable[int] | None) -> Login:
        check_whole("person", person, most=len(self.settings.people) - 1)
        holder = self.settings.people[person]
        known = self._api.people.get(holder.token, holder)
        chosen = holder.accounts if accounts is None else tuple(accounts)
        for account_id in chosen or ():
            self._account(account_id)
        app = client_id or self.app.client_id
        check_choice("client_id", app, [each.client_id for each in self._api.logins.options.apps])
        return Login(app, known, chosen)
