"""The equivalents of Harvest drivers' connection properties here, for docs/drivers.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tests.docs.reference import code, table


@dataclass(frozen=True, slots=True)
class Property:
    """
    One or several properties of a driver.

    Attributes:
        keys: Our keys that replace them; empty if there are none.
        options: Options of commands.
    """

    names: tuple[str, ...]
    keys: tuple[str, ...]
    options: tuple[str, ...]
    becomes: str


def _property(names: str, keys: str, options: str, becomes: str) -> Property:
    return Property(tuple(names.split()), tuple(keys.split()), tuple(options.split()), becomes)


PROPERTIES: Final = (
    _property(
        "AuthScheme",
        "credentials.access_token credentials.refresh_token",
        "",
        "Not named: `None` is an access token, `OAuth` is a saved sign-in or a refresh token",
    ),
    _property(
        "APIKey",
        "credentials.access_token",
        "",
        "The personal access token, in a file or in the environment, never in a connection string",
    ),
    _property("AccountId", "account_id", "--account", "The same; one id, or several"),
    _property(
        "OAuthClientId OAuthClientSecret",
        "credentials.client_id credentials.client_secret",
        "",
        "The same, of an app of your own",
    ),
    _property(
        "InitiateOAuth",
        "",
        "",
        "`GETANDREFRESH` is `harvest-source auth login`, once; each run renews by itself",
    ),
    _property(
        "CallbackURL",
        "",
        "--redirect-url --port",
        "`http://127.0.0.1` as registered; `auth login` has a port of its own choice or yours",
    ),
    _property(
        "OAuthRefreshToken",
        "credentials.refresh_token",
        "",
        "To start from; renewed ones are kept in the vault",
    ),
    _property(
        "OAuthAccessToken OAuthExpiresIn OAuthTokenTimestamp OAuthVerifier",
        "",
        "",
        "Nothing: they are made, kept and renewed by the sign-in",
    ),
    _property(
        "OAuthSettingsLocation",
        "vault_path token_command",
        "",
        "The folder of saved sign-ins, encrypted; or a command that keeps them elsewhere",
    ),
    _property(
        "Profile ProfileSettings",
        "auth_profile",
        "--profile",
        "Nothing, as the API is built in. Several people or accounts are named sign-ins",
    ),
    _property("Location", "", "", "Nothing: there are no schema files"),
    _property("Readonly", "", "", "Always"),
    _property(
        "ProxyServer ProxyPort ProxyUser ProxyPassword FirewallServer FirewallType",
        "",
        "",
        "`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`",
    ),
    _property("SSLServerCert", "", "", "`SSL_CERT_FILE`, `SSL_CERT_DIR`"),
    _property(
        "Logfile Verbosity MaxLogFileSize MaxLogFileCount",
        "access_log",
        "--debug",
        "A line for each request, in files that rotate, without secrets",
    ),
    _property(
        "AutoCache CacheLocation CacheConnection CacheMetadata CacheTolerance Offline",
        "",
        "--destination --database",
        "The warehouse: that is where every query reads",
    ),
    _property("Pagesize", "", "", "Nothing: pages are as large as Harvest has them"),
    _property("MaxRows", "", "--limit", "`LIMIT` in SQL, or the option of `list` and `query`"),
    _property(
        "Timeout",
        "",
        "",
        "Nothing to set: each request has a deadline and is repeated as Harvest allows",
    ),
    _property("Tables Views", "", "--table", "What a sync reads"),
    _property("BrowsableSchemas", "", "--dataset", "The schema of the tables"),
    _property("UserDefinedViews", "", "", "Views of your own in the database; syncs keep them"),
)


def build_properties() -> str:
    """The table of the page."""
    rows = [
        (code(each.names), code((*each.keys, *each.options)), each.becomes) for each in PROPERTIES
    ]
    return table(("Property", "Key or option here", "What becomes of it"), rows)
