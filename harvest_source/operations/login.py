"""
Signing in and out, and what is known of a sign-in.

Returns reports and prints nothing; the browser, the person and the time come in as arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from harvest_source.api.http_context import HttpContext
from harvest_source.auth.accounts import (
    Account,
    choose_account,
    fetch_accounts,
    harvest_accounts,
)
from harvest_source.auth.bearer import BearerToken
from harvest_source.auth.browser_login import Consent, LoginRequest
from harvest_source.auth.saved_login import ANY, SavedLogin, build_auth_command
from harvest_source.auth.sessions import Connection, Owner, Sessions
from harvest_source.auth.token_endpoint import App, TokenEndpoint, Tokens
from harvest_source.config.parse import parse_account_ids
from harvest_source.config.sign_in import SignIn, build_vault, choose_sign_in
from harvest_source.config.spec import HarvestConfiguration
from harvest_source.errors import ApiError, AuthError, ConfigError, HarvestError
from harvest_source.load.settings import build_connection

if TYPE_CHECKING:
    from harvest_source.auth.vault import Vault

Ask = Callable[[Sequence[Account]], int | None]
"""Asks a person which account is meant; None: nobody is there to answer."""

_DEAD: Final = 3


@dataclass(frozen=True, slots=True)
class LoginReport:
    """A login as it was kept; no secret is in it."""

    profile: str
    login: SavedLogin
    accounts: tuple[Account, ...]
    vault: str
    overruled_by: str
    """Where a credential is that counts before this login; empty when it counts itself."""

    def as_dict(self) -> dict[str, Any]:
        """The object of ``--json``."""
        return {
            "status": "ok",
            "profile": self.profile,
            "kind": "personal" if self.login.is_personal else "oauth",
            "account_id": self.login.account_id,
            "account": self.login.account_name,
            "user": self.login.user,
            "roles": list(self.login.roles),
            "scope": self.login.scope,
            "expires_at": _write(self.login.tokens.expires_at),
            "accounts": [account_dict(each, self.login.account_id) for each in self.accounts],
            "vault": self.vault,
            "overruled_by": self.overruled_by,
        }


@dataclass(frozen=True, slots=True)
class StatusReport:
    """
    What is known of a sign-in; no secret is in it.

    Attributes:
        state: ``ok`` (asked), ``kept`` (not asked), ``dead``, ``none`` or ``unknown``.
        key: Where the vault's key rests; empty without a vault.
    """

    profile: str
    state: str
    sign_in: SignIn | None = None
    tokens: Tokens | None = None
    owners: tuple[tuple[int, Owner], ...] = ()
    profiles: tuple[str, ...] = ()
    vault: str = ""
    key: str = ""
    warnings: tuple[str, ...] = ()
    error: HarvestError | None = None

    @property
    def exit_code(self) -> int:
        """0 when it can be used as far as is known, 3 when it cannot."""
        if self.error is None:
            return 0
        return _DEAD if self.state in {"dead", "none"} else self.error.exit_code

    def as_dict(self) -> dict[str, Any]:
        """The object of ``--json``."""
        login = self.sign_in.login if self.sign_in else None
        names = {owner.name for _, owner in self.owners} or ({login.user} if login else set())
        roles = self.owners[0][1].access_roles if self.owners else login.roles if login else ()
        chosen = self.sign_in.account_ids if self.sign_in else ()
        return {
            "status": "error" if self.error else "ok",
            "profile": self.profile,
            "state": self.state,
            "kind": self.sign_in.kind if self.sign_in else None,
            "source": self.sign_in.source if self.sign_in else None,
            "unused": list(self.sign_in.unused) if self.sign_in else [],
            "account_ids": [account for account, _ in self.owners] or list(chosen),
            "account": login.account_name if login else "",
            "user": ", ".join(sorted(filter(None, names))),
            "roles": list(roles),
            "scope": login.scope if login else "",
            "expires_at": _write(self.tokens.expires_at if self.tokens else None),
            "refreshed_at": _write(self.tokens.obtained_at if self.tokens else None),
            "signed_in_at": _write(login.signed_in_at if login else None),
            "vault": self.vault,
            "key": self.key,
            "profiles": list(self.profiles),
            "errors": [str(self.error)] if self.error else [],
            "warnings": list(self.warnings),
        }


def account_dict(account: Account, chosen: int | None) -> dict[str, Any]:
    """One account a token reaches."""
    return {
        "id": account.id,
        "name": account.name,
        "product": account.product,
        "chosen": account.id == chosen,
    }


def open_vault(config: HarvestConfiguration, around: HttpContext) -> Vault:
    """
    The vault, ready to be written: before anybody is sent to a browser.

    Raises:
        ConfigError: It cannot be.
    """
    vault = build_vault(config, around.on_warning)
    if why := vault.check_writable():
        msg = (
            f"The vault {vault.folder} cannot be written: {why}. Set vault_path under "
            "[sources.harvest] to a folder of your own."
        )
        raise ConfigError(msg)
    return vault


def finish_login(
    config: HarvestConfiguration,
    vault: Vault,
    app: App,
    request: LoginRequest,
    consent: Consent,
    around: HttpContext,
) -> SavedLogin:
    """
    Redeem the code and keep the tokens, before anything else is asked.

    Raises:
        SignInError: The code or the app was refused; nothing was kept.
        ApiError: No usable answer; nothing was kept.
    """
    tokens = TokenEndpoint(app, around).redeem(consent.code, request.verifier)
    login = SavedLogin(
        tokens,
        client_id=app.client_id,
        client_secret=app.client_secret,
        scope=consent.scope,
        signed_in_at=around.clock.now(),
    )
    _keep(vault, config.auth_profile, ANY, login)
    return login


def settle_login(
    config: HarvestConfiguration,
    vault: Vault,
    login: SavedLogin,
    around: HttpContext,
    *,
    account: str | None = None,
    ask: Ask = lambda _: None,
) -> LoginReport:
    """
    Find the accounts of a login, choose one, and keep the login with it.

    Args:
        account: The one that is wanted.

    Raises:
        ConfigError: *account* is not among them.
        AuthError: The token reaches no account, or is refused.
        ApiError: Harvest did not answer.
    """
    auth = BearerToken(login.tokens.access_token)
    accounts = fetch_accounts(config.id_url, auth, around)
    chosen = pick_account(accounts, account or config.account_id, ask)
    profile = config.auth_profile
    if chosen is None:
        around.on_warning(
            "No account was chosen. Set account_id under [sources.harvest], or sign in with "
            f"{build_auth_command('login', profile)} --account ID"
        )
        _keep(vault, profile, ANY, login)
    else:
        owner = _fetch_owner(config, auth, chosen.id, around)
        login = replace(
            login,
            account_id=chosen.id,
            account_name=chosen.name,
            user=owner.name,
            roles=owner.access_roles,
        )
        _keep(vault, profile, str(chosen.id), login)
    return LoginReport(
        profile, login, tuple(accounts), str(vault.folder), _find_overruling(config, around)
    )


def pick_account(accounts: Sequence[Account], wanted: object, ask: Ask) -> Account | None:
    """
    The account that is wanted, the only one, or the one a person names; else None.

    Raises:
        ConfigError: The wanted one is not among them, or not one.
        AuthError: There is none.
    """
    found = harvest_accounts(accounts)
    if len(found) < 2:
        only = choose_account(accounts)
        found = [only]
    ids = parse_account_ids(wanted) if wanted else ()
    if len(ids) > 1:
        return None
    number = ids[0] if ids else found[0].id if len(found) == 1 else ask(found)
    if number is None:
        return None
    for account in found:
        if account.id == number:
            return account
    names = ", ".join(f"{account.id} {account.name}".strip() for account in found)
    msg = f"This sign-in does not reach account {number}, only: {names}. Name one of them."
    raise ConfigError(msg)


def list_accounts(config: HarvestConfiguration, around: HttpContext) -> list[dict[str, Any]]:
    """
    The accounts that the credential reaches, those of other products too, the chosen one marked.

    Raises:
        HarvestError: There is no credential, or Harvest does not answer.
    """
    connection = build_connection(config, around)
    chosen = set(connection.account_ids)
    accounts = fetch_accounts(config.id_url, connection.auth, around)
    return [account_dict(each, each.id if each.id in chosen else None) for each in accounts]


def look_up(
    config: HarvestConfiguration, around: HttpContext, warnings: list[str], *, ask: bool
) -> StatusReport:
    """
    What is known of the sign-in of the configuration's profile.

    Args:
        warnings: What was told meanwhile; the report takes it along.
        ask: Ask Harvest whether it still works.
    """
    vault = build_vault(config, around.on_warning)
    report = StatusReport(config.auth_profile, "none", vault=str(vault.folder))
    try:
        report = replace(report, profiles=tuple(vault.profiles()))
        sign_in = choose_sign_in(config, around)
        tokens = sign_in.store.read() if sign_in.store else None
    except HarvestError as error:
        state = "none" if isinstance(error, ConfigError) else "dead"
        return replace(report, state=state, error=error, warnings=tuple(warnings))
    report = replace(report, state="kept", sign_in=sign_in, tokens=tokens)
    if vault.accounts(config.auth_profile):
        if vault.key_warning:
            around.on_warning(vault.key_warning)
        report = replace(report, key=vault.keys.place.name)
    if ask:
        report = _ask_harvest(config, around, report)
    return replace(report, warnings=tuple(dict.fromkeys(warnings)))


def _ask_harvest(
    config: HarvestConfiguration, around: HttpContext, report: StatusReport
) -> StatusReport:
    sessions = Sessions(build_connection(config, around))
    try:
        with sessions.in_use():
            ids = sessions.account_ids()
            owners = tuple((account_id, sessions.open(account_id).owner) for account_id in ids)
    except HarvestError as error:
        state = "dead" if isinstance(error, AuthError) else "unknown"
        return replace(report, state=state, error=error)
    store = report.sign_in.store if report.sign_in else None
    return replace(report, state="ok", owners=owners, tokens=store.read() if store else None)


def _keep(vault: Vault, profile: str, account: str, login: SavedLogin) -> None:
    try:
        with vault.lock(profile):
            vault.write(profile, account, login, alone=True)
    except OSError as error:
        msg = (
            f"The login could not be kept in {vault.folder} ({error.strerror}). Make room, or set "
            "vault_path under [sources.harvest] to another folder."
        )
        raise ConfigError(msg) from error


def _fetch_owner(
    config: HarvestConfiguration, auth: BearerToken, account_id: int, around: HttpContext
) -> Owner:
    connection = Connection(
        auth=auth,
        http=around,
        account_ids=(account_id,),
        api_url=config.api_url,
        id_url=config.id_url,
    )
    sessions = Sessions(connection)
    with sessions.in_use():
        return sessions.open(account_id).owner


def _find_overruling(config: HarvestConfiguration, around: HttpContext) -> str:
    """The credential of the configuration that counts before any login, by its place."""
    credentials = config.credentials
    if credentials.access_token is None and credentials.refresh_token is None:
        return ""
    try:
        return choose_sign_in(config, replace(around, on_warning=lambda _: None)).source
    except ApiError:
        return ""


def _write(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None
