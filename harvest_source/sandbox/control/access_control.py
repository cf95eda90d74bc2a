"""Control of roles, modules and rate limits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from harvest_source.sandbox.checks import check_choice, check_flag, check_whole
from harvest_source.sandbox.control.editing import edit
from harvest_source.sandbox.control.installation import Installation
from harvest_source.sandbox.settings import MODULES, ROLES, Role


class AccessControl(Installation):
    """Changes what a token may do; thread-safe."""

    def set_role(self, token: str, role: Role, grants: Iterable[str] = ()) -> None:
        """
        Give the holder of *token* another access role; touches the user in every account.

        Raises:
            ValueError: No person has that token, or there is no such role.
        """
        check_choice("role", role, ROLES)
        if isinstance(grants, str):
            msg = f"grants must be a list of roles, not {grants!r:.40}"
            raise ValueError(msg)
        with self._lock:
            holder = self._api.people.get(token) or self._api.logins.owner(token)
            if holder is None:
                msg = "No person has that token"
                raise ValueError(msg)
            person = replace(holder, role=role, grants=tuple(grants))
            if person.token in self._api.people:
                self._api.people[person.token] = person
            self._api.logins.reassign(person)
            fields = {"access_roles": [role, *person.grants]}
            for account in self._accounts.values():
                user_id = list(account.tables["users"])[person.user]
                edit(account, "users", user_id, self.settings.clock(), fields, touch=True)

    def set_module(self, module: str, on: bool, account_id: int | None = None) -> None:
        """Switch a company module (``invoice`` or ``invoice_feature``) on or off."""
        check_flag("on", on)
        name = module.removesuffix("_feature")
        if name not in MODULES:
            msg = f"No module named {module}; there are {', '.join(MODULES)}"
            raise ValueError(msg)
        with self._lock:
            off = self._api.modules_off[self._account(account_id).account_id]
            off.discard(name) if on else off.add(name)

    def set_limit(self, on: bool) -> None:
        """Switch the rate limits on or off."""
        check_flag("on", on)
        with self._lock:
            self._api.limit = on

    def use_allowance(
        self, requests: int, token: str | None = None, account_id: int | None = None,
        budget: str = "general",
    ) -> None:  # fmt: skip
        """Use up part of a rate limit, as another integration of the account would."""
        check_whole("requests", requests)
        with self._lock:
            found = self._account(account_id).account_id
            owner = self._api.rate_limit_owner(token or self.token, found)
            now = self.settings.clock()
            self._api.rate_limits.use(budget, owner, requests, now)
