"""What is known of a sign-in: where it was found, how long it lasts, whether it works."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from harvest_source.api.http_context import ignore_notice
from harvest_source.auth.accounts import fetch_accounts
from harvest_source.auth.oauth import NoPlaceError, NotExchangedError, refuse_lost_sign_in
from harvest_source.auth.sessions import Owner, Sessions
from harvest_source.auth.token_endpoint import Tokens
from harvest_source.auth.vault import Vault
from harvest_source.auth.vault_files import NoFolderError
from harvest_source.auth.vault_keys import KeyMissingError, KeyringUnusableError
from harvest_source.config.sign_in import SignIn, build_vault, choose_sign_in
from harvest_source.errors import AuthError, ConfigError, HarvestError
from harvest_source.exit_codes import ExitCode
from harvest_source.load.settings import build_connection, connect
from harvest_source.notices import Notice
from harvest_source.operations.login import SignInContext, account_dict, format_instant


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
    """
    Harvest did not answer, or refused the access token and no new one was requested; or there is a
    sign-in that cannot be read here, because the vault, its key or the app is not available.
    """


@dataclass(frozen=True, slots=True)
class StatusReport:
    """
    What is known of a sign-in, without its secrets.

    Attributes:
        owners: Account id and owner of the token there; empty when Harvest was not asked.
        profiles: All profiles with a saved login.
        vault: The vault's folder; empty when there is none.
        key: Where the vault's key is kept; empty when the profile has no saved login.
        error: Why the sign-in cannot be used.
    """

    profile: str
    state: SignInState
    vault: str = ""
    sign_in: SignIn | None = None
    tokens: Tokens | None = None
    owners: tuple[tuple[int, Owner], ...] = ()
    profiles: tuple[str, ...] = ()
    key: str = ""
    notices: tuple[Notice, ...] = ()
    error: HarvestError | None = None

    @property
    def exit_code(self) -> ExitCode:
        """0 when the sign-in can be used as far as is known, 3 when it cannot."""
        if self.error is None:
            return ExitCode.DONE
        is_unusable = self.state in {SignInState.DEAD, SignInState.NONE}
        return ExitCode.AUTHENTICATION if is_unusable else self.error.exit_code

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
            "expires_at": format_instant(self.tokens.expires_at if self.tokens else None),
            "refreshed_at": format_instant(self.tokens.obtained_at if self.tokens else None),
            "signed_in_at": format_instant(login.signed_in_at if login else None),
            "vault": self.vault,
            "key": self.key,
            "profiles": list(self.profiles),
            "errors": [str(self.error)] if self.error else [],
            "warnings": [notice.text for notice in self.notices],
        }


def read_status(
    context: SignInContext, notices: Sequence[Notice], *, ask: bool, may_exchange: bool = False
) -> StatusReport:
    """
    What is known of the sign-in of the configuration's profile.

    Args:
        notices: The list that the context's notices go into; they end up in the report.
        ask: Ask Harvest whether the access token works.
        may_exchange: Renew an access token that is due or refused, as a sync does.
    """
    report = StatusReport(context.profile, SignInState.NONE)
    vault: Vault | None = None
    is_saved = False
    try:
        vault = build_vault(context.config, context.warn)
        report = replace(report, vault=str(vault.folder))
        is_saved = True  # If the folder cannot be listed, there may be a login in it.
        report = replace(report, profiles=tuple(vault.files.profiles()))
        is_saved = context.profile in report.profiles
    except ConfigError as error:
        # An access token in the configuration needs no vault. Otherwise this is reported below.
        if vault is None and not isinstance(error, NoFolderError):
            raise
    try:
        sign_in = choose_sign_in(context.config, context.http, may_exchange=may_exchange)
        tokens = sign_in.store.read() if sign_in.store else None
    except HarvestError as error:
        state = _judge(error, is_saved=is_saved)
        return replace(report, state=state, error=error, notices=_list_once(notices))
    report = replace(report, state=SignInState.KEPT, sign_in=sign_in, tokens=tokens)
    if vault is not None:
        report = replace(report, key=_find_key_place(context, vault))
    if ask:
        report = ask_harvest(context, report)
    return replace(report, notices=_list_once(notices))


def _find_key_place(context: SignInContext, vault: Vault) -> str:
    """
    Where the vault's key is kept; empty if the profile has no saved login.

    A credential that was found in the configuration works without the vault, so a vault or key that
    cannot be read is a warning.
    """
    try:
        if not vault.accounts(context.profile):
            return ""
        if vault.key_warning:
            context.warn(vault.key_warning)
        return vault.keys.place.name
    except HarvestError as error:
        context.warn(str(error))
        return ""


def _judge(error: HarvestError, *, is_saved: bool = True) -> SignInState:
    """
    The state of a sign-in that cannot be used.

    Args:
        is_saved: The vault may have a login of the profile.
    """
    match error:
        case ConfigError() if not is_saved:
            return SignInState.NONE
        case KeyMissingError():
            return SignInState.DEAD
        case ConfigError() | KeyringUnusableError() | NoPlaceError():
            return SignInState.UNKNOWN  # The sign-in may be intact.
        case AuthError():
            return SignInState.DEAD
        case _:
            return SignInState.UNKNOWN


def _list_once(notices: Sequence[Notice]) -> tuple[Notice, ...]:
    return tuple(dict.fromkeys(notices))


def ask_harvest(context: SignInContext, report: StatusReport) -> StatusReport:
    """*report*, of a sign-in that was found, completed with what Harvest says about it."""
    sign_in = report.sign_in
    if sign_in is None:
        return report
    quiet = replace(context.http, on_notice=ignore_notice)  # The token's own notices are kept.
    try:
        sessions = Sessions(connect(context.config, quiet, sign_in))
        with sessions.in_use():
            ids = sessions.account_ids()
            owners = tuple((account_id, sessions.open(account_id).owner) for account_id in ids)
        refuse_lost_sign_in(sign_in.auth, report.profile)
        tokens = sign_in.store.read() if sign_in.store else None
    except NotExchangedError as error:
        if error.is_refused:
            return replace(report, state=SignInState.UNKNOWN, error=error)
        context.warn(str(error))
        return report
    except HarvestError as error:
        return replace(report, state=_judge(error), error=error)
    return replace(report, state=SignInState.OK, owners=owners, tokens=tokens)


def list_accounts(context: SignInContext) -> list[dict[str, Any]]:
    """
    List the accounts that the credential reaches, including other products', and mark the chosen.

    Raises:
        HarvestError: There is no credential, or Harvest does not answer.
    """
    connection = build_connection(context.config, context.http)
    chosen = set(connection.account_ids)
    accounts = fetch_accounts(context.config.id_url, connection.auth, context.http)
    return [account_dict(each, each.id if each.id in chosen else None) for each in accounts]
