"""
Which credential counts: the configuration's, from whatever dlt reads, before the vault's.

The vault and its libraries are imported only where the configuration has no access token.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import httpx

from harvest_source._version import __version__
from harvest_source.api.requester import Exchange, user_agent
from harvest_source.auth.bearer import BearerToken
from harvest_source.auth.oauth import (
    App,
    OAuthToken,
    TokenEndpoint,
    Tokens,
    TokenStore,
)
from harvest_source.auth.saved_login import CONFIGURED, SavedLogin, build_auth_command
from harvest_source.auth.token_stores import CommandTokenStore, MemoryTokenStore
from harvest_source.clock import Clock, SystemClock
from harvest_source.config.resolve import CREDENTIALS, find_value
from harvest_source.config.spec import HarvestConfiguration, HarvestCredentials
from harvest_source.defaults import PROFILE
from harvest_source.errors import ConfigError

if TYPE_CHECKING:
    from harvest_source.auth.vault import Vault

INSTALL: Final = "pip install 'harvest-source[oauth]'"
_EXTRA: Final = frozenset({"cryptography", "keyring", "platformdirs"})

_NOTHING: Final = (
    "No Harvest access token was found. Make one at https://id.getharvest.com/developers and put "
    "it into .dlt/secrets.toml as access_token under [sources.harvest.credentials], or into the "
    "environment as SOURCES__HARVEST__CREDENTIALS__ACCESS_TOKEN; or sign in with: harvest-source "
    "auth login. Without an account: add --sandbox."
)


@dataclass(frozen=True, slots=True)
class SignIn:
    """
    The credential that counts.

    Attributes:
        source: Where it came from, as people would look for it. Never its value.
        account_ids: Chosen when signing in; empty when none was.
        safe: Where its tokens rest; None for a personal access token.
        login: As the vault has it; None for one of the configuration.
        unused: Where other credentials are that do not count.
    """

    auth: httpx.Auth
    kind: Literal["personal", "oauth"]
    profile: str
    source: str
    account_ids: tuple[int, ...] = ()
    safe: TokenStore | None = None
    login: SavedLogin | None = None
    unused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HttpContext:
    """What a sign-in works with: time, the network, and somebody to tell."""

    clock: Clock = field(default_factory=SystemClock)
    on_warning: Callable[[str], None] = lambda _: None
    on_response: Callable[[Exchange], None] | None = None
    transport: httpx.BaseTransport | None = None


def choose_sign_in(config: HarvestConfiguration, surroundings: HttpContext | None = None) -> SignIn:
    """
    The credential that counts, for the configuration's profile. Sends nothing.

    Raises:
        ConfigError: There is none, or one that cannot work.
        SignInError: The vault refuses the login it has.
    """
    around, credentials = surroundings or HttpContext(), config.credentials
    profile = config.auth_profile
    if credentials.access_token is not None:
        return SignIn(
            auth=BearerToken(credentials.access_token),
            kind="personal",
            profile=profile,
            source=find_value("access_token", profile, CREDENTIALS)[1],
            unused=_find_unused(profile, "refresh_token"),
        )
    if credentials.refresh_token is not None:
        return _begin_with_seed(config, around)
    return _open_kept(config, around)


def find_vault(config: HarvestConfiguration, on_warning: Callable[[str], None]) -> Vault | None:
    """The vault; None where its libraries are not installed."""
    try:
        from harvest_source.auth.vault import Vault, default_folder
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        return None
    folder = Path(config.vault_path) if config.vault_path else default_folder()
    return Vault(folder, on_warning=on_warning)


def need_vault(config: HarvestConfiguration, on_warning: Callable[[str], None]) -> Vault:
    """
    The vault.

    Raises:
        ConfigError: Its libraries are not installed.
    """
    vault = find_vault(config, on_warning)
    if vault is None:
        msg = f"Signing in needs a few libraries more. Install them: {INSTALL}"
        raise ConfigError(msg)
    return vault


def build_app(config: HarvestConfiguration, login: SavedLogin | None = None) -> App:
    """
    The app that asks for tokens: of the *login*, with the configuration's secret if it is newer.

    Raises:
        ConfigError: It is not configured, or in part.
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
            f"[{_section(config.auth_profile)}.credentials], or into the environment."
        )
        raise ConfigError(msg)
    return App(str(client_id), str(secret), config.id_url, config.oauth_token_path)


def build_endpoint(
    app: App, config: HarvestConfiguration, around: HttpContext, remedy: str
) -> TokenEndpoint:
    """The token endpoint of the configured identity host."""
    return TokenEndpoint(
        app,
        user_agent=user_agent(__version__, config.contact),
        clock=around.clock,
        remedy=remedy,
        transport=around.transport,
        on_response=around.on_response,
    )


def _begin_with_seed(config: HarvestConfiguration, around: HttpContext) -> SignIn:
    seed = _check_token(config.credentials)
    app, profile = build_app(config), config.auth_profile
    safe = _find_safe(config, app, seed, around)
    source = find_value("refresh_token", profile, CREDENTIALS)[1] or "credentials.refresh_token"
    remedy = (
        f"It began with {source}: put a new refresh token there, or remove it and sign in: "
        f"{build_auth_command('login', profile)}"
    )
    endpoint = build_endpoint(app, config, around, remedy)
    return SignIn(
        auth=OAuthToken(endpoint, safe, clock=around.clock, on_warning=around.on_warning),
        kind="oauth",
        profile=profile,
        source=source,
        safe=safe,
    )


def _find_safe(
    config: HarvestConfiguration, app: App, seed: str, around: HttpContext
) -> TokenStore:
    """Where what the configured refresh token is exchanged for can be kept; says if nowhere."""
    safe: TokenStore = MemoryTokenStore(Tokens(refresh_token=seed))
    vault = find_vault(config, around.on_warning)
    why = f"the vault needs {INSTALL}"
    if vault is not None:
        from harvest_source.auth.vault_token_store import SeededTokenStore

        why = _explain_read_only(vault)
        safe = safe if why else SeededTokenStore(vault, config.auth_profile, app.client_id, seed)
    return _hand_over(safe, why, config, around)


def _hand_over(
    safe: TokenStore, why: str, config: HarvestConfiguration, around: HttpContext
) -> TokenStore:
    """
    *safe*, with the user's command if there is one; says before it matters that nothing keeps.

    Args:
        why: Nothing can be kept; empty when it can.
    """
    if config.token_command is not None:
        return CommandTokenStore(safe, config.token_command, around.on_warning)
    if why:
        around.on_warning(
            "If Harvest exchanges the refresh token for another, that is lost with this run, and "
            f"the next one has to sign in again: {why}. Or set token_command to a command that "
            "keeps it."
        )
    return safe


def _open_kept(config: HarvestConfiguration, around: HttpContext) -> SignIn:
    """The login that ``auth login`` made."""
    profile = config.auth_profile
    vault = find_vault(config, around.on_warning)
    kept = next((n for n in vault.accounts(profile) if n != CONFIGURED), None) if vault else None
    login = vault.read(profile, kept) if vault and kept else None
    if vault is None or kept is None or login is None:
        raise ConfigError(_NOTHING if profile == PROFILE else _explain_missing(profile))
    source = f"the vault, profile {profile}"
    accounts = () if login.account_id is None else (login.account_id,)
    if login.is_personal:
        bearer = BearerToken(login.tokens.access_token)
        return SignIn(bearer, "personal", profile, source, accounts, login=login)
    from harvest_source.auth.vault_token_store import VaultTokenStore

    kept_safe = VaultTokenStore(vault, profile, kept)
    safe = _hand_over(kept_safe, _explain_read_only(vault), config, around)
    remedy = f"Sign in again: {build_auth_command('login', profile)}"
    endpoint = build_endpoint(build_app(config, login), config, around, remedy)
    auth = OAuthToken(endpoint, safe, clock=around.clock, on_warning=around.on_warning)
    return SignIn(auth, "oauth", profile, source, accounts, safe, login)


def _explain_read_only(vault: Vault) -> str:
    why = vault.check_writable()
    return f"the vault {vault.folder} cannot be written: {why}" if why else ""


def _check_token(credentials: HarvestCredentials) -> str:
    seed = str(credentials.refresh_token).strip()
    if not seed or not all("!" <= char <= "~" for char in seed):
        msg = (
            "credentials.refresh_token is empty, or holds blanks or characters no token has. Copy "
            "it again, alone; or remove it and sign in with: harvest-source auth login"
        )
        raise ConfigError(msg)
    return seed


def _find_unused(profile: str, name: str) -> tuple[str, ...]:
    source = find_value(name, profile, CREDENTIALS)[1]
    return (source,) if source else ()


def _section(profile: str) -> str:
    return "sources.harvest" + ("" if profile == PROFILE else f".profiles.{profile}")


def _explain_missing(profile: str) -> str:
    return (
        f"There is no sign-in named {profile}. Make it: {build_auth_command('login', profile)}; "
        f"or put its token into .dlt/secrets.toml under [{_section(profile)}.credentials]. Without "
        "--profile the default one counts."
    )
