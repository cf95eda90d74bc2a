"""
Sign in: from the consent in the browser, or a pasted token, to a login saved in the vault.

Returns reports and prints nothing; browser, prompts and clock are arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from harvest_source.api.http_context import HttpContext, ignore_notice
from harvest_source.auth.accounts import (
    Account,
    choose_account,
    fetch_accounts,
    harvest_accounts,
)
from harvest_source.auth.bearer import BearerToken
from harvest_source.auth.browser_login import Consent, LoginRequest
from harvest_source.auth.profiles import build_auth_command
from harvest_source.auth.saved_login import ANY, SavedLogin
from harvest_source.auth.sessions import Connection, Owner, Sessions
from harvest_source.auth.token_endpoint import App, TokenEndpoint
from harvest_source.config.parse import parse_account_ids
from harvest_source.config.resolve import name_section, read_configuration
from harvest_source.config.settings_files import iter_open_secrets
from harvest_source.config.sign_in import build_vault, choose_sign_in
from harvest_source.config.spec import HarvestConfiguration
from harvest_source.errors import ApiError, ConfigError
from harvest_source.load.settings import build_http_context
from harvest_source.notices import Notice, NoticeKind

if TYPE_CHECKING:
    from harvest_source.auth.vault import Vault

AskAccount = Callable[[Sequence[Account]], int | None]
"""Asks a person which account to remember; None: no answer."""


@dataclass(frozen=True, slots=True)
class SignInContext:
    """What every sign-in operation works with."""

    config: HarvestConfiguration
    http: HttpContext

    @property
    def profile(self) -> str:
        """The named sign-in."""
        return self.config.auth_profile

    @property
    def warn(self) -> Callable[[str], None]:
        """Called with a warning about the sign-in."""
        return self.http.warn_of(NoticeKind.SIGN_IN)


def open_sign_in_context(
    settings: Mapping[str, Any], on_notice: Callable[[Notice], None]
) -> SignInContext:
    """
    Resolve the settings of a sign-in operation. Sends nothing.

    Args:
        settings: Keys of ``[sources.harvest]`` that override the configuration.

    Raises:
        ConfigError: A setting cannot work.
    """
    config = read_configuration(settings)
    for warning in iter_open_secrets():
        on_notice(Notice(NoticeKind.SIGN_IN, warning))
    return SignInContext(config, build_http_context(config, on_notice=on_notice))


@dataclass(frozen=True, slots=True)
class LoginReport:
    """
    A login as it was saved, without its secrets.

    Attributes:
        accounts: All accounts that the token reaches.
        vault: The folder that it was saved in.
        overruled_by: Where a credential was found that is used instead of this login; empty when
            the login is used.
    """

    profile: str
    login: SavedLogin
    accounts: tuple[Account, ...]
    vault: str
    overruled_by: str

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
            "expires_at": format_instant(self.login.tokens.expires_at),
            "accounts": [account_dict(each, self.login.account_id) for each in self.accounts],
            "vault": self.vault,
            "overruled_by": self.overruled_by,
        }


def account_dict(account: Account, chosen: int | None) -> dict[str, Any]:
    """One account that a token reaches, as ``--json`` names it."""
    return {
        "id": account.id,
        "name": account.name,
        "product": account.product,
        "chosen": account.id == chosen,
    }


def open_vault(context: SignInContext) -> Vault:
    """
    The vault, if it looks writable.

    Raises:
        ConfigError: It cannot be written.
    """
    vault = build_vault(context.config, context.warn)
    if why := vault.files.check_writable():
        msg = (
            f"The vault {vault.folder} cannot be written: {why}. Set vault_path under "
            "[sources.harvest] to a folder that you can write to."
        )
        raise ConfigError(msg)
    return vault


def open_vault_for_login(context: SignInContext) -> Vault:
    """
    The vault, tested before the browser opens: a code can be redeemed only once.

    Raises:
        ConfigError: A login cannot be saved in it, or the file of its key cannot be read.
        SignInError: The keyring cannot be read, or the key is not available.
    """
    vault = open_vault(context)
    if why := vault.find_obstacle(context.profile, alone=True):
        msg = (
            f"A sign-in could not be saved: {why}. Make room, or set vault_path under "
            "[sources.harvest] to another folder that you can write to."
        )
        raise ConfigError(msg)
    return vault


def finish_login(
    context: SignInContext, vault: Vault, app: App, request: LoginRequest, consent: Consent
) -> SavedLogin:
    """
    Redeem the code and save the tokens before Harvest is asked anything else.

    Raises:
        SignInError: The code or the app was refused; nothing was saved.
        ApiError: No usable answer; nothing was saved.
    """
    remedy = f"Sign in again: {build_auth_command('login', context.profile)}"
    endpoint = TokenEndpoint(app, context.http, remedy=remedy)
    tokens = endpoint.redeem(consent.code, request.verifier)
    login = SavedLogin(
        tokens,
        client_id=app.client_id,
        client_secret=app.client_secret,
        scope=consent.scope,
        signed_in_at=context.http.clock.now(),
    )
    _save(vault, context.profile, ANY, login)
    return login


def settle_login(
    context: SignInContext,
    vault: Vault,
    login: SavedLogin,
    *,
    account: str | None = None,
    ask: AskAccount = lambda _: None,
) -> LoginReport:
    """
    Find the accounts of a login, choose one, and save the login with it.

    Args:
        account: Id of the wanted account; None: the configured one.

    Raises:
        ConfigError: *account* is not among them.
        AuthError: The token reaches no account, or is refused.
        ApiError: Harvest did not answer.
    """
    config, auth = context.config, BearerToken(login.tokens.access_token)
    accounts = fetch_accounts(config.id_url, auth, context.http)
    chosen = pick_account(accounts, account or config.account_id, ask)
    if chosen is None:
        context.warn(
            f"No account was chosen. Set account_id under [{name_section(context.profile)}], or "
            "sign in with "
            f"{build_auth_command('login', context.profile)} --account ID"
        )
        _save(vault, context.profile, ANY, login)
    else:
        owner = _fetch_owner(context, auth, chosen.id)
        login = replace(
            login,
            account_id=chosen.id,
            account_name=chosen.name,
            user=owner.name,
            roles=owner.access_roles,
        )
        _save(vault, context.profile, str(chosen.id), login)
    overruled_by = _find_overruling(context)
    return LoginReport(context.profile, login, tuple(accounts), str(vault.folder), overruled_by)


def pick_account(accounts: Sequence[Account], wanted: object, ask: AskAccount) -> Account | None:
    """
    The account that is wanted, the only one, or the one that a person names.

    Args:
        wanted: An account id, as people write it; empty: none is wanted. If it has several ids,
            none is chosen.

    Raises:
        ConfigError: The wanted one is not among *accounts*, or is not an id.
        AuthError: There is no account.
    """
    found = harvest_accounts(accounts)
    if len(found) < 2:
        found = [choose_account(accounts)]
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


def format_instant(instant: datetime | None) -> str | None:
    """*instant* in ISO 8601, to the second."""
    return instant.isoformat(timespec="seconds") if instant else None


def _save(vault: Vault, profile: str, account: str, login: SavedLogin) -> None:
    try:
        with vault.lock(profile):
            vault.write(profile, account, login, alone=True)
    except OSError as error:
        msg = (
            f"The login could not be saved in {vault.folder} ({error.strerror}). Make room, or set "
            "vault_path under [sources.harvest] to another folder."
        )
        raise ConfigError(msg) from error


def _fetch_owner(context: SignInContext, auth: BearerToken, account_id: int) -> Owner:
    connection = Connection(
        auth=auth,
        http=context.http,
        account_ids=(account_id,),
        api_url=context.config.api_url,
        id_url=context.config.id_url,
    )
    sessions = Sessions(connection)
    with sessions.in_use():
        return sessions.open(account_id).owner


def _find_overruling(context: SignInContext) -> str:
    """Where the configuration has a credential, which overrides any saved login."""
    credentials = context.config.credentials
    if credentials.access_token is None and credentials.refresh_token is None:
        return ""
    quiet = replace(context.http, on_notice=ignore_notice)  # The user was warned already.
    try:
        return choose_sign_in(context.config, quiet).source
    except ApiError:
        return ""
