"""What is known of a sign-in: where it was found, how long it lasts, whether it works."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from harvest_source.auth.accounts import fetch_accounts
from harvest_source.auth.sessions import Owner, Sessions
from harvest_source.auth.token_endpoint import Tokens
from harvest_source.config.sign_in import SignIn, build_vault, choose_sign_in
from harvest_source.errors import AuthError, ConfigError, HarvestError
from harvest_source.load.settings import build_connection
from harvest_source.notices import Notice
from harvest_source.operations.login import SignInContext, account_dict, write_instant


class SignInState(StrEnum):
    """What is known of a sign-in."""

    OK = "ok"
    """Harvest accepts it."""
    KEPT = "kept"
    """There is one. Harvest was not asked."""
    DEAD = "dead"
    """Harvest refuses it, or it cannot be read."""
    NONE = "none"
    """There is none."""
    UNKNOWN = "unknown"
    """Harvest did not answer."""


@dataclass(frozen=True, slots=True)
class StatusReport:
    """
    What is known of a sign-in, without its secrets.

    Attributes:
        owners: Account id and owner of the token there; empty when Harvest was not asked.
        profiles: All profiles with a saved login.
        vault: The vault's folder.
        key: Where the vault's key is kept; empty when the profile has no saved login.
        error: Why the sign-in cannot be used.
    """

    profile: str
    state: SignInState
    vault: str
    sign_in: SignIn | None = None
    tokens: Tokens | None = None
    owners: tuple[tuple[int, Owner], ...] = ()
    profiles: tuple[str, ...] = ()
    key: str = ""
    warnings: tuple[str, ...] = ()
    error: HarvestError | None = None

    @property
    def exit_code(self) -> int:
        """0 when the sign-in can be used as far as is known, 3 when it cannot."""
        if self.error is None:
            return 0
        is_unusable = self.state in {SignInState.DEAD, SignInState.NONE}
        return AuthError.exit_code if is_unusable else self.error.exit_code

    def as_dict(self) -> dict[str, Any]:
        """The object of ``--json``."""
        login = self.sign_in.login if self.sign_in else None
        names = {owner.name for _, owner in self.owners} or ({login.user} if login else set())
        roles = self.owners[0][1].access_roles if self.owners else login.roles if login else ()
        chosen = self.sign_in.account_ids if self.sign_in else ()
        return {
            "status": "error" if self.error else "ok",
            "profile": self.profile,
            "state": str(self.state),
            "kind": self.sign_in.kind if self.sign_in else None,
            "source": self.sign_in.source if self.sign_in else None,
            "unused": list(self.sign_in.unused) if self.sign_in else [],
            "account_ids": [account for account, _ in self.owners] or list(chosen),
            "account": login.account_name if login else "",
            "user": ", ".join(sorted(filter(None, names))),
            "roles": list(roles),
            "scope": login.scope if login else "",
            "expires_at": write_instant(self.tokens.expires_at if self.tokens else None),
            "refreshed_at": write_instant(self.tokens.obtained_at if self.tokens else None),
            "signed_in_at": write_instant(login.signed_in_at if login else None),
            "vault": self.vault,
            "key": self.key,
            "profiles": list(self.profiles),
            "errors": [str(self.error)] if self.error else [],
            "warnings": list(self.warnings),
        }


def read_status(context: SignInContext, notices: Sequence[Notice], *, ask: bool) -> StatusReport:
    """
    What is known of the sign-in of the configuration's profile.

    Args:
        notices: The list that the context's notices go into; their texts end up in the report.
        ask: Ask Harvest whether the sign-in works.
    """
    vault = build_vault(context.config, context.warn)
    report = StatusReport(context.profile, SignInState.NONE, str(vault.folder))
    try:
        report = replace(report, profiles=tuple(vault.profiles()))
        sign_in = choose_sign_in(context.config, context.http)
        tokens = sign_in.store.read() if sign_in.store else None
    except HarvestError as error:
        state = SignInState.NONE if isinstance(error, ConfigError) else SignInState.DEAD
        return replace(report, state=state, error=error, warnings=_list_texts(notices))
    report = replace(report, state=SignInState.KEPT, sign_in=sign_in, tokens=tokens)
    if vault.accounts(context.profile):
        if vault.key_warning:
            context.warn(vault.key_warning)
        report = replace(report, key=vault.keys.place.name)
    if ask:
        report = _ask_harvest(context, report)
    return replace(report, warnings=_list_texts(notices))


def _list_texts(notices: Sequence[Notice]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(notice.text for notice in notices))


def _ask_harvest(context: SignInContext, report: StatusReport) -> StatusReport:
    sessions = Sessions(build_connection(context.config, context.http))
    try:
        with sessions.in_use():
            ids = sessions.account_ids()
            owners = tuple((account_id, sessions.open(account_id).owner) for account_id in ids)
    except HarvestError as error:
        state = SignInState.DEAD if isinstance(error, AuthError) else SignInState.UNKNOWN
        return replace(report, state=state, error=error)
    # Asking may have renewed the token.
    store = report.sign_in.store if report.sign_in else None
    tokens = store.read() if store else None
    return replace(report, state=SignInState.OK, owners=owners, tokens=tokens)


def list_accounts(context: SignInContext) -> list[dict[str, Any]]:
    """
    The accounts that the credential reaches, those of other products too, the chosen one marked.

    Raises:
        HarvestError: There is no credential, or Harvest does not answer.
    """
    connection = build_connection(context.config, context.http)
    chosen = set(connection.account_ids)
    accounts = fetch_accounts(context.config.id_url, connection.auth, context.http)
    return [account_dict(each, each.id if each.id in chosen else None) for each in accounts]
