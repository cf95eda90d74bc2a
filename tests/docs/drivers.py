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
        "An access token replaces `None`. A saved sign-in or a refresh token replaces `OAuth`.",
    ),
    _property(
        "APIKey",
        "credentials.access_token",
        "",
        "It is the personal access token, from a file or the environment. There is no "
        "connection string.",
    ),
    _property("AccountId", "account_id", "--account", "It is the same here: one id, or several."),
    _property(
        "OAuthClientId OAuthClientSecret",
        "credentials.client_id credentials.client_secret",
        "",
        "They are the same here, for an app that you registered.",
    ),
    _property(
        "InitiateOAuth",
        "",
        "",
        "For `GETANDREFRESH`, run `harvest-source auth login` once. Each run then renews "
        "the sign-in.",
    ),
    _property(
        "CallbackURL",
        "",
        "--redirect-url --port",
        "Register `http://127.0.0.1`. `auth login` listens on a free port, or on the one "
        "that you name.",
    ),
    _property(
        "OAuthRefreshToken",
        "credentials.refresh_token",
        "",
        "It is the first one. Renewed ones are kept in the vault.",
    ),
    _property(
        "OAuthAccessToken OAuthExpiresIn OAuthTokenTimestamp OAuthVerifier",
        "",
        "",
        "There is nothing to set: the sign-in makes, keeps and renews them.",
    ),
    _property(
        "OAuthSettingsLocation",
        "vault_path token_command",
        "",
        "`vault_path` is the folder of saved sign-ins, which are encrypted. `token_command` "
        "is a command that keeps them elsewhere.",
    ),
    _property(
        "Profile ProfileSettings",
        "auth_profile",
        "--profile",
        "There is nothing to set, because the API is built in. Each of several people or "
        "accounts has a named sign-in.",
    ),
    _property("Location", "", "", "There is nothing to set, because there are no schema files."),
    _property("Readonly", "", "", "Harvest is only ever read."),
    _property(
        "ProxyServer ProxyPort ProxyUser ProxyPassword FirewallServer FirewallType",
        "",
        "",
        "Set the environment variables `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` or `NO_PROXY`.",
    ),
    _property(
        "SSLServerCert", "", "", "Set the environment variable `SSL_CERT_FILE` or `SSL_CERT_DIR`."
    ),
    _property(
        "Logfile Verbosity MaxLogFileSize MaxLogFileCount",
        "access_log",
        "--debug",
        "The log has a line for each request, without secrets, in files that rotate.",
    ),
    _property(
        "AutoCache CacheLocation CacheConnection CacheMetadata CacheTolerance Offline",
        "",
        "--destination --database",
        "They are not needed: queries read the warehouse, not Harvest.",
    ),
    _property("Pagesize", "", "", "There is nothing to set: pages are as large as Harvest allows."),
    _property("MaxRows", "", "--limit", "Use `LIMIT` in SQL, or the option of `list` and `query`."),
    _property(
        "Timeout",
        "",
        "",
        "There is nothing to set: each request has a deadline, and is sent again as Harvest "
        "allows.",
    ),
    _property("Tables Views", "", "--table", "The option names the tables that a sync reads."),
    _property("BrowsableSchemas", "", "--dataset", "The option names the schema of the tables."),
    _property("UserDefinedViews", "", "", "Create views in the database. Syncs keep them."),
)


def build_properties() -> str:
    """The table of the page."""
    rows = [
        (code(each.names), code((*each.keys, *each.options)), each.becomes) for each in PROPERTIES
    ]
    return table(("Property", "Key or option here", "What becomes of it"), rows)
