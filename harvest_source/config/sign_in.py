"""
Choose the credential for a run: one from the configuration, or else a login saved in the vault.

The vault's libraries (cryptography, keyring) slow down the start, so they are imported only if the
configuration has no access token.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import httpx

from harvest_source.api.http_context import HttpContext
from harvest_source.auth.bearer import BearerToken
from harvest_source.auth.oauth import OAuthToken
from harvest_source.auth.profiles import build_auth_command
from harvest_source.auth.saved_login import CONFIGURED, SavedLogin
from harvest_source.auth.token_endpoint import App, TokenEndpoint, Tokens, is_token_text
from harvest_source.auth.token_stores import CommandTokenStore, NowhereTokenStore, TokenStore
from harvest_source.config.missing_token import explain_missing_token
from harvest_source.config.paths import parse_path
from harvest_source.config.resolve import CREDENTIALS, find_value, name_section
from harvest_source.config.spec import HarvestConfiguration
from harvest_source.defaults import PROFILE
from harvest_source.errors import ConfigError
from harvest_source.notices import NoticeKind

if TYPE_CHECKING:
    from harvest_source.auth.vault import Vault

_MAKE_A_PLACE: Final = (
    "Under [sources.harvest] set vault_path to a folder that this user can write, or "
    "token_command to a command that saves the new token."
)


@dataclass(frozen=True, slots=True)
class SignIn:
    """
    The credential that a run uses.

    Attributes:
        source: Where it was found, for display; empty if the caller gave it. Never its value.
        account_ids: The account chosen at login; empty if none was.
        store: Where its tokens are kept; None for a personal access token.
        login: The login in the vault; None for a credential from the configuration.
        unused: Places of other credentials that are not used.
    """

    auth: httpx.Auth
    kind: Literal["personal", "oauth"]
    profile: str
    source: str
    account_ids: tuple[int, ...] = ()
    store: TokenStore | None = None
    login: SavedLogin | None = None
    unused: tuple[str, ...] = ()


def choose_sign_in(
    config: HarvestConfiguration, http: HttpContext, *, may_exchange: bool = True
) -> SignIn:
    """
    The credential for the configuration's profile. Sends nothing.

    An access token from the configuration comes first, then a refresh token from the configuration,
    then the login saved by ``harvest-source auth login``.

    Args:
        may_exchange: False: a refresh token is never exchanged, so only a stored access token can
            be used.

    Raises:
        ConfigError: There is no credential, or it cannot work.
        SignInError: The vault's login cannot be trusted.
    """
    credentials, profile = config.credentials, config.auth_profile
    if credentials.access_token is not None:
        unused = find_value("refresh_token", profile, CREDENTIALS)[1]
        return SignIn(
            auth=BearerToken(credentials.access_token),
            kind="personal",
            profile=profile,
            source=_find_source("access_token", credentials.access_token, profile),
            unused=(unused,) if unused else (),
        )
    if credentials.refresh_token is not None:
        return _use_configured_refresh_token(config, http, may_exchange=may_exchange)
    return _use_saved_login(config, http, may_exchange=may_exchange)


def build_vault(config: HarvestConfiguration, on_warning: Callable[[str], None]) -> Vault:
    """
    The configured vault. Nothing is created or read.

    Raises:
        NoFolderError: No folder is configured, and the user has no home folder.
        ConfigError: ``vault_path`` is not a valid path.
    """
    from harvest_source.auth.vault import Vault
    from harvest_source.auth.vault_files import default_folder

    configured = config.vault_path
    folder = default_folder() if configured is None else parse_path(configured, "vault_path")
    return Vault(folder, on_warning=on_warning)


def find_vault(config: HarvestConfiguration, on_warning: Callable[[str], None]) -> Vault | None:
    """As :func:`build_vault`; None if there is no folder for it: the user may not need a vault."""
    from harvest_source.auth.vault_files import NoFolderError

    try:
        return build_vault(config, on_warning)
    except NoFolderError:
        return None


def build_app(config: HarvestConfiguration, login: SavedLogin | None = None) -> App:
    """
    The OAuth app that asks for tokens.

    Args:
        login: Use its app, with the configured secret if the configuration has the same app; None:
            use the configured app.

    Raises:
        ConfigError: The app is not configured, or only in part.
    """
    credentials = config.credentials
    client_id, secret = credentials.client_id, credentials.client_secret
    if login is not None and client_id != login.client_id:
        client_id, secret = login.client_id, login.client_secret
    elif login is not None and not secret:
        secret = login.client_secret
    missing = [n for n in ("client_id", "client_secret") if not getattr(credentials, n)]
    if not client_id or not secret:
        msg = (
            f"credentials.{' and credentials.'.join(missing)} of the app not set. Register one at "
            "https://id.getharvest.com/developers and put both into .dlt/secrets.toml under "
            f"[{name_section(config.auth_profile)}.credentials], or into the environment."
        )
        raise ConfigError(msg)
    return App(str(client_id), str(secret), config.id_url, config.oauth_token_path)


def _use_configured_refresh_token(
    config: HarvestConfiguration, http: HttpContext, *, may_exchange: bool
) -> SignIn:
    seed = _check_refresh_token(config)
    app, profile = build_app(config), config.auth_profile
    store = _find_seeded_store(config, http, app, seed, may_exchange=may_exchange)
    source = (
        _find_source("refresh_token", config.credentials.refresh_token, profile)
        or "credentials.refresh_token"
    )
    remedy = (
        f"The login began with {source}: put a new refresh token there, or remove it and sign in: "
        f"{build_auth_command('login', profile)}"
    )
    endpoint = TokenEndpoint(app, http, remedy=remedy)
    auth = _build_auth(endpoint, store, http, may_exchange=may_exchange)
    return SignIn(auth, "oauth", profile, source, store=store)


def _build_auth(
    endpoint: TokenEndpoint, store: TokenStore, http: HttpContext, *, may_exchange: bool
) -> OAuthToken:
    return OAuthToken(
        endpoint,
        store,
        clock=http.clock,
        on_warning=http.warn_of(NoticeKind.RENEWAL),
        may_exchange=may_exchange,
    )


def _find_source(name: str, value: object, profile: str) -> str:
    """The place where a provider has *value*; empty if the caller gave it."""
    found, source = find_value(name, profile, CREDENTIALS)
    return source if found == value else ""


def _find_seeded_store(
    config: HarvestConfiguration, http: HttpContext, app: App, seed: str, *, may_exchange: bool
) -> TokenStore:
    """
    The store for the tokens for which *seed*, the configured refresh token, is exchanged.

    If they cannot be stored, a run that may exchange tokens stops; a run that may not warns about
    it in advance.
    """
    from harvest_source.auth.vault_files import NoFolderError
    from harvest_source.auth.vault_token_store import SeededTokenStore

    store: TokenStore
    try:
        vault = build_vault(config, http.warn_of(NoticeKind.SIGN_IN))
        store = SeededTokenStore(vault, config.auth_profile, app.client_id, seed)
        store.read()
        why = vault.files.check_writable()
    except NoFolderError as error:
        why = error.why
        store = NowhereTokenStore(Tokens(refresh_token=seed), why)
    if why and config.token_command is None and not may_exchange:
        http.warn_of(NoticeKind.RENEWAL)(
            f"The next sync stops at the sign-in, because new tokens could not be saved: {why}. "
            f"{_MAKE_A_PLACE}"
        )
    return _add_command(store, config, http)


def _use_saved_login(
    config: HarvestConfiguration, http: HttpContext, *, may_exchange: bool
) -> SignIn:
    profile = config.auth_profile
    vault = _build_readable_vault(config, http)
    account = next((name for name in vault.accounts(profile) if name != CONFIGURED), None)
    login = vault.read(profile, account) if account else None
    if account is None or login is None:
        raise ConfigError(_explain_missing(profile, f"the vault {vault.folder}"))
    source = f"the vault, profile {profile}"
    account_ids = () if login.account_id is None else (login.account_id,)
    if login.is_personal:
        bearer = BearerToken(login.tokens.access_token)
        return SignIn(bearer, "personal", profile, source, account_ids, login=login)
    from harvest_source.auth.vault_token_store import VaultTokenStore

    if config.token_command is None and (why := vault.files.check_writable()):
        http.warn_of(NoticeKind.RENEWAL)(_explain_read_only(vault, why, login))
    store = _add_command(VaultTokenStore(vault, profile, account), config, http)
    remedy = f"Sign in again: {build_auth_command('login', profile)}"
    endpoint = TokenEndpoint(build_app(config, login), http, remedy=remedy)
    auth = _build_auth(endpoint, store, http, may_exchange=may_exchange)
    return SignIn(auth, "oauth", profile, source, account_ids, store, login)


def _build_readable_vault(config: HarvestConfiguration, http: HttpContext) -> Vault:
    """
    The vault, if there is a folder for it.

    Raises:
        ConfigError: There is none, so there is no sign-in either.
    """
    from harvest_source.auth.vault_files import NoFolderError

    try:
        return build_vault(config, http.warn_of(NoticeKind.SIGN_IN))
    except NoFolderError as error:
        where = f"the vault, which has no folder: {error.why}"
        raise ConfigError(_explain_missing(config.auth_profile, where)) from error


def _add_command(store: TokenStore, config: HarvestConfiguration, http: HttpContext) -> TokenStore:
    """*store*, with the configured token command if there is one."""
    if config.token_command is None:
        return store
    warn = http.warn_of(NoticeKind.RENEWAL)
    return CommandTokenStore(store, config.token_command, warn, profile=config.auth_profile)


def _explain_read_only(vault: Vault, why: str, login: SavedLogin) -> str:
    end = login.tokens.expires_at
    until = f" It works until {end:%Y-%m-%d %H:%M} UTC at the latest." if end else ""
    return (
        f"The vault {vault.folder} cannot be written ({why}), so the sign-in cannot be renewed."
        f"{until} {_MAKE_A_PLACE}"
    )


def _check_refresh_token(config: HarvestConfiguration) -> str:
    token = str(config.credentials.refresh_token).strip()
    if not token or not is_token_text(token):
        msg = (
            "credentials.refresh_token is empty, or contains spaces or characters that no token "
            "has. Copy it again without anything else; or remove it and sign in with: "
            f"{build_auth_command('login', config.auth_profile)}"
        )
        raise ConfigError(msg)
    return token


def _explain_missing(profile: str, vault: str) -> str:
    if profile == PROFILE:
        return explain_missing_token(vault)
    return (
        f"There is no sign-in named {profile} in {vault}. Make it: "
        f"{build_auth_command('login', profile)}; "
        f"or put its token into .dlt/secrets.toml under [{name_section(profile)}.credentials]. "
        "Without --profile the default one is used."
    )
