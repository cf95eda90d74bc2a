"""Which credential a run uses, and where its tokens are kept. No request is sent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from harvest_source.api.http_context import HttpContext
from harvest_source.auth.bearer import BearerToken
from harvest_source.auth.oauth import NoPlaceError, NotExchangedError, OAuthToken
from harvest_source.auth.saved_login import ANY, CONFIGURED, SavedLogin
from harvest_source.auth.token_endpoint import Tokens
from harvest_source.auth.token_stores import CommandTokenStore
from harvest_source.auth.vault import Vault
from harvest_source.auth.vault_token_store import SeededTokenStore, VaultTokenStore
from harvest_source.config.resolve import read_configuration
from harvest_source.config.sign_in import SignIn, build_app, build_vault, choose_sign_in
from harvest_source.defaults import PROFILE
from harvest_source.errors import ConfigError, SignInError
from tests.clocks import FakeClock
from tests.support.configuration import Configure

pytestmark = pytest.mark.usefixtures("configure")

TOKEN, SEED = "1.pt.general-secret", "seed-secret"
VARIABLE = "SOURCES__HARVEST__CREDENTIALS__"
APP = {"credentials__client_id": "app", "credentials__client_secret": "app-secret"}

Refuse = Callable[[httpx.Request], httpx.Response]


def refuse_grant(_: httpx.Request) -> httpx.Response:
    """The identity host's answer to a refresh token that has expired."""
    return httpx.Response(400, json={"error": "invalid_grant"})


def forbid(request: httpx.Request) -> httpx.Response:
    """Fail, because no request may be sent."""
    raise AssertionError(request.url)


class Choice:
    """Chooses a sign-in and records the warnings."""

    def __init__(self, transport: Refuse = forbid) -> None:
        self.warnings: list[str] = []
        self.http = HttpContext(
            clock=FakeClock(),
            transport=httpx.MockTransport(transport),
            on_notice=lambda notice: self.warnings.append(notice.text),
        )

    def choose(self, **given: Any) -> SignIn:
        return choose_sign_in(read_configuration(given), self.http)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """The configured vault, for saving logins."""
    return Vault(tmp_path / "vault")


def save(vault: Vault, account: str, profile: str = PROFILE, **fields: Any) -> None:
    """Save an app's login in the vault."""
    given: dict[str, Any] = {
        "tokens": Tokens("access-secret", "refresh-secret"),
        "client_id": "login-app",
        "client_secret": "login-secret",
        "account_id": int(account) if account.isdigit() else None,
    }
    with vault.lock(profile):
        vault.write(profile, account, SavedLogin(**{**given, **fields}))


def authorization(auth: httpx.Auth) -> str:
    """The header that *auth* sends."""
    request = next(auth.auth_flow(httpx.Request("GET", "https://api.harvestapp.com/v2/users/me")))
    return str(request.headers["Authorization"])


def block_vault(tmp_path: Path) -> None:
    """Make the vault's folder impossible to create, even for root."""
    (tmp_path / "vault").write_text("a file")


def test_without_a_credential_the_error_names_three_ways_to_get_one() -> None:
    """The ways are a token in a file or the environment, a sign-in, and the sandbox."""
    with pytest.raises(ConfigError) as caught:
        Choice().choose()
    for word in ("secrets.toml", f"{VARIABLE}ACCESS_TOKEN", "auth login", "--sandbox"):
        assert word in str(caught.value)


def test_an_access_token_comes_first(configure: Configure, vault: Vault) -> None:
    """It precedes a refresh token and a saved login; the unused credential is named."""
    save(vault, "7")
    configure(credentials__access_token=TOKEN, credentials__refresh_token=SEED, **APP)
    found = Choice().choose()
    assert authorization(found.auth) == f"Bearer {TOKEN}"
    assert (found.kind, found.profile, found.store, found.login) == (
        "personal",
        PROFILE,
        None,
        None,
    )
    assert found.source == f"{VARIABLE}ACCESS_TOKEN"
    assert found.unused == (f"{VARIABLE}REFRESH_TOKEN",)
    assert TOKEN not in repr(found)


def test_a_callers_token_is_not_attributed_to_the_environment(
    configure: Configure,
) -> None:
    """An error with the wrong place would make people replace the wrong token."""
    configure(credentials__access_token=TOKEN)
    found = Choice().choose(credentials={"access_token": "2.pt.given"})
    assert authorization(found.auth) == "Bearer 2.pt.given"
    assert found.source == ""


def test_an_access_token_that_cannot_work_is_refused(configure: Configure) -> None:
    """After an empty one, the next credential is not tried."""
    configure(credentials__access_token=" ", credentials__refresh_token=SEED, **APP)
    with pytest.raises(ConfigError, match="access token is empty"):
        Choice().choose()


def test_a_refresh_token_comes_before_a_saved_login(configure: Configure, vault: Vault) -> None:
    """The vault keeps the tokens that it is exchanged for, under the profile."""
    save(vault, "7")
    configure(credentials__refresh_token=SEED, **APP)
    choice = Choice()
    found = choice.choose()
    assert isinstance(found.auth, OAuthToken)
    assert isinstance(found.store, SeededTokenStore)
    assert found.store.read() == Tokens(refresh_token=SEED)
    assert (found.kind, found.source) == ("oauth", f"{VARIABLE}REFRESH_TOKEN")
    assert choice.warnings == []
    assert SEED not in repr(found)


def test_a_refused_refresh_token_is_named_by_its_place(configure: Configure) -> None:
    """The remedy is a new one in the same place, or a sign-in."""
    configure(credentials__refresh_token=SEED, **APP)
    found = Choice(refuse_grant).choose()
    with pytest.raises(SignInError, match=f"{VARIABLE}REFRESH_TOKEN.*auth login"):
        authorization(found.auth)


@pytest.mark.parametrize("token", [" ", "two words", "line\nend", "é"])
def test_a_refresh_token_that_cannot_work_is_refused(configure: Configure, token: str) -> None:
    """The error does not repeat it."""
    configure(credentials__refresh_token=token, **APP)
    with pytest.raises(
        ConfigError, match=r"credentials\.refresh_token is empty, or contains spaces"
    ):
        Choice().choose()


def test_a_profiles_refresh_token_that_cannot_work_names_its_command(configure: Configure) -> None:
    """The default profile's sign-in would not be used."""
    given = {"credentials__refresh_token": "two words"} | APP
    configure(**{f"profiles__work__{name}": value for name, value in given.items()})
    with pytest.raises(ConfigError, match=r"auth login --profile work$"):
        Choice().choose(auth_profile="work")


def test_where_the_vault_cannot_be_written_no_token_is_exchanged(
    configure: Configure, tmp_path: Path
) -> None:
    """Nothing is sent; the error names both settings that would keep the token."""
    block_vault(tmp_path)
    configure(credentials__refresh_token=SEED, **APP)
    choice = Choice()
    found = choice.choose()
    with pytest.raises(NoPlaceError, match=r"vault_path.*token_command"):
        authorization(found.auth)
    assert choice.warnings == [], "the error says it"
    choose_sign_in(read_configuration({}), choice.http, may_exchange=False)
    [warning] = choice.warnings
    assert "next sync stops" in warning
    assert "is not a folder" in warning


def test_a_caller_without_exchange_uses_the_kept_access_token(
    configure: Configure, vault: Vault
) -> None:
    """The kept access token is used while it is valid; without one, nothing is tried."""
    configure(credentials__refresh_token=SEED, **APP)
    config = read_configuration({})
    choice = Choice()
    auth = choose_sign_in(config, choice.http, may_exchange=False).auth
    with pytest.raises(NotExchangedError, match="the next sync does that") as caught:
        authorization(auth)
    assert not caught.value.is_refused
    with vault.lock(PROFILE):
        SeededTokenStore(vault, PROFILE, "app", SEED).write(Tokens("kept-secret", "next-secret"))
    auth = choose_sign_in(config, choice.http, may_exchange=False).auth
    assert authorization(auth) == "Bearer kept-secret"
    assert isinstance(auth, OAuthToken)
    with pytest.raises(NotExchangedError, match="refuses the saved access token") as caught:
        auth.renew("kept-secret")
    assert caught.value.is_refused


@pytest.mark.parametrize("is_blocked", [False, True])
def test_a_token_command_keeps_every_new_token(
    configure: Configure, tmp_path: Path, is_blocked: bool
) -> None:
    """With or without a vault, the token is kept, and no warning says it is lost."""
    if is_blocked:
        block_vault(tmp_path)
    kept = tmp_path / "kept"
    configure(credentials__refresh_token=SEED, token_command=f"tee '{kept}'", **APP)
    choice = Choice()
    found = choice.choose()
    assert isinstance(found.store, CommandTokenStore)
    with found.store.lock():
        found.store.write(Tokens("new-access", "new-refresh"))
    assert kept.read_text() == "new-refresh"
    assert not any("could not be saved" in warning for warning in choice.warnings)
    assert found.store.find_obstacle() == ""


def test_a_saved_personal_token_has_the_chosen_account(vault: Vault) -> None:
    """A saved personal token has the account chosen at login, and needs no store."""
    save(vault, "7", tokens=Tokens("3.pt.saved"))
    found = Choice().choose()
    assert isinstance(found.auth, BearerToken)
    assert authorization(found.auth) == "Bearer 3.pt.saved"
    assert (found.kind, found.account_ids, found.store) == ("personal", (7,), None)
    assert found.source == "the vault, profile default"
    assert found.login is not None
    assert found.login.account_id == 7


def test_a_saved_oauth_login_has_its_own_app(vault: Vault) -> None:
    """Its app is in the vault too, so the configuration needs none."""
    save(vault, "7")
    choice = Choice()
    found = choice.choose()
    assert isinstance(found.store, VaultTokenStore)
    assert authorization(found.auth) == "Bearer access-secret"
    assert (found.kind, found.account_ids) == ("oauth", (7,))
    assert choice.warnings == []


def test_a_login_without_a_chosen_account_names_no_account(vault: Vault) -> None:
    """The account comes from the configuration, or is the only one."""
    save(vault, ANY)
    assert Choice().choose().account_ids == ()


def test_a_saved_login_that_has_ended_says_how_to_sign_in(
    configure: Configure, vault: Vault
) -> None:
    """The error has the profile's own command."""
    save(vault, "7", "work", tokens=Tokens("", "refresh-secret"))
    found = Choice(refuse_grant).choose(auth_profile="work")
    with pytest.raises(SignInError, match="auth login --profile work"):
        authorization(found.auth)


def test_tokens_of_a_configured_refresh_token_are_no_saved_login(vault: Vault) -> None:
    """Removing the refresh token from the configuration signs out."""
    save(vault, CONFIGURED)
    with pytest.raises(ConfigError, match="No Harvest access token was found"):
        Choice().choose()


def test_another_profiles_login_does_not_count(configure: Configure, vault: Vault) -> None:
    """A misspelt profile must not read the default profile's account."""
    save(vault, "7")
    configure(credentials__access_token=TOKEN)
    with pytest.raises(ConfigError, match=r"no sign-in named work.*auth login --profile work"):
        Choice().choose(auth_profile="work")


def test_a_login_that_was_moved_is_refused(vault: Vault) -> None:
    """A login is bound to its profile."""
    save(vault, "7", "work")
    (vault.folder / "work.vault").rename(vault.folder / "home.vault")
    with pytest.raises(SignInError, match="belongs to another profile"):
        Choice().choose(auth_profile="home")


@pytest.mark.parametrize(
    ("credentials", "says"),
    [
        ({}, "credentials.client_id and credentials.client_secret of the app not set"),
        ({"client_id": "app"}, "credentials.client_secret of the app not set"),
        ({"client_secret": "s"}, "credentials.client_id of the app not set"),
    ],
)
def test_an_incomplete_app_is_refused(credentials: dict[str, str], says: str) -> None:
    """The error names what is missing, and the section where it belongs."""
    config = read_configuration({"credentials": credentials})
    with pytest.raises(ConfigError) as caught:
        build_app(config)
    assert says in str(caught.value)
    assert "[sources.harvest.credentials]" in str(caught.value)


@pytest.mark.parametrize(
    ("credentials", "client_id", "secret"),
    [
        ({}, "login-app", "login-secret"),
        ({"client_id": "login-app"}, "login-app", "login-secret"),
        ({"client_id": "login-app", "client_secret": "renewed"}, "login-app", "renewed"),
        ({"client_id": "other", "client_secret": "other-secret"}, "login-app", "login-secret"),
    ],
)
def test_a_login_is_used_only_with_its_own_app(
    credentials: dict[str, str], client_id: str, secret: str
) -> None:
    """A refresh token works only with its own app, whose secret may have been renewed."""
    login = SavedLogin(Tokens("a", "r"), client_id="login-app", client_secret="login-secret")
    app = build_app(read_configuration({"credentials": credentials}), login)
    assert (app.client_id, app.client_secret) == (client_id, secret)


def test_an_app_uses_the_configured_host_and_path(configure: Configure) -> None:
    """The configuration sets the identity host and the token endpoint's path."""
    configure(id_url="https://id.example", oauth_token_path="/api/v1/oauth2/token", **APP)
    app = build_app(read_configuration({}))
    assert (app.id_url, app.token_path) == ("https://id.example", "/api/v1/oauth2/token")


def test_the_vault_is_in_the_configured_folder(
    configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The default is the user's data folder; building the vault creates neither folder."""
    configure(vault_path=str(tmp_path / "elsewhere"))
    assert build_vault(read_configuration({}), print).folder == tmp_path / "elsewhere"
    monkeypatch.delenv("SOURCES__HARVEST__VAULT_PATH")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert build_vault(read_configuration({}), print).folder.name == "vault"
    assert list(tmp_path.iterdir()) == []
