"""The identity host: consent page, token endpoint and account list (behaviour.md 10)."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from urllib.parse import parse_qs, urlencode, urlsplit

from harvest_source.sandbox import reply as replies
from harvest_source.sandbox.account import Account
from harvest_source.sandbox.logins import Challenge, GrantRefusedError, Login, Logins, Tokens
from harvest_source.sandbox.reply import HTML, Reply, oauth_error
from harvest_source.sandbox.requests import Request, read_fields
from harvest_source.sandbox.settings import App, Person, Settings
from harvest_source.sandbox.values import dumps

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost"})
APPROVE = "approve"
ASKED = ("client_id", "response_type", "state", "redirect_uri",
         "code_challenge", "code_challenge_method")  # fmt: skip

PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Authorize {app}</title><link rel="icon" href="data:,"></head>
<body>
<h1>{app} would like to reach your data</h1>
<p>Signed in as {person}.</p>
<form method="post" action="/oauth2/authorize">
{fields}
{accounts}
<button id="approve" name="decision" value="approve">Authorize App</button>
<button id="deny" name="decision" value="deny">Deny</button>
</form>
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class Identity:
    """Answers the identity host's requests. Not thread-safe: the owner locks."""

    settings: Settings
    accounts: Mapping[int, Account]
    logins: Logins

    def answer(self, request: Request) -> Reply:
        """The answer to a request for the consent page or the token endpoint."""
        if request.table == "oauth_token":
            return self._token(request) if request.method == "POST" else replies.unknown_page()
        return self._authorize(request)

    # -- who may reach what ------------------------------------------------------------------

    def account_list(self, person: Person) -> Reply:
        """Accounts of the token; those of the other product may come first (quirk 2)."""
        first = next(iter(self.accounts.values()))
        user = list(first.tables["users"].values())[person.user]
        content = {
            "user": {name: user[name] for name in ("id", "first_name", "last_name", "email")},
            "accounts": [
                {"id": key, "name": name, "product": product, "google_sign_in_required": False}
                for key, name, product in self._reachable(person)
            ],
        }
        return Reply(200, dumps(content))

    def _reachable(self, person: Person) -> list[tuple[int, str, str]]:
        listed = [
            *((key, f"Forecast {key}", "forecast") for key in self.settings.forecast_accounts),
            *((key, account.company["name"], "harvest") for key, account in self.accounts.items()),
        ]  # fmt: skip
        return [item for item in listed if person.reaches(item[0])]

    # -- consent -----------------------------------------------------------------------------

    def _authorize(self, request: Request) -> Reply:
        """
        The consent page, or what follows from its buttons.

        Unverified against a live account: what is shown to an unknown app or address; here a page
        with status 400, and never a redirect.
        """
        posted = request.method == "POST"
        fields = parse_qs(request.body.decode("utf-8", "replace")) if posted else {}
        asked = (
            {name: found[0] for name, found in fields.items()} if posted else dict(request.params)
        )
        app = self.logins.app(asked.get("client_id", ""))
        if app is None:
            return _problem("This app is not known")
        target = asked.get("redirect_uri") or app.redirect_uri
        if not may_redirect(app.redirect_uri, target):
            return _problem("The redirect URI does not start with the registered one")
        error = self._request_error(asked)
        if error:
            return _redirect(target, {"error": error[0], "error_description": error[1]}, asked)
        decision = asked.get("decision") if posted else self.logins.options.auto
        if decision is None:
            return self._consent_page(app, asked)
        if decision != APPROVE:
            why = "The resource owner denied the request"
            refused = {"error": "access_denied", "error_description": why}
            return _redirect(target, refused, asked)
        chosen = {int(text) for text in fields.get("account", []) if text.isdigit()}
        reachable = self._reachable(self.visitor)
        listed = [item for item in reachable if not posted or item[0] in chosen]
        accounts = tuple(key for key, _, _ in listed)
        login = Login(app.client_id, self.visitor, accounts)
        code = self.logins.issue_code(login, request.time, _challenge(asked))
        scope = self.logins.options.scope
        if scope is None:
            scope = " ".join(f"{product}:{key}" for key, _, product in listed)
        return _redirect(target, {"code": code, "scope": scope}, asked)

    @property
    def visitor(self) -> Person:
        """Who sits at the browser."""
        return self.settings.people[self.logins.options.visitor]

    def _request_error(self, asked: Mapping[str, str]) -> tuple[str, str] | None:
        if asked.get("response_type") != "code":
            return "unsupported_response_type", "Only the authorization code flow is simulated"
        if self.logins.options.pkce and _challenge(asked) is None:
            return "invalid_request", "A code_challenge is required"
        return None

    def _consent_page(self, app: App, asked: Mapping[str, str]) -> Reply:
        hidden = "\n".join(
            f'<input type="hidden" name="{name}" value="{escape(asked[name])}">'
            for name in ASKED
            if name in asked
        )
        boxes = "\n".join(
            f'<label><input type="checkbox" name="account" value="{key}" checked> '
            f"{escape(name)} ({product} {key})</label>"
            for key, name, product in self._reachable(self.visitor)
        )
        first = next(iter(self.accounts.values()))
        user = list(first.tables["users"].values())[self.visitor.user]
        page = PAGE.format(
            app=escape(app.name), person=escape(user["email"]), fields=hidden, accounts=boxes
        )
        return Reply(200, page.encode(), HTML)

    # -- tokens ------------------------------------------------------------------------------

    def _token(self, request: Request) -> Reply:
        """
        The token endpoint; every refusal is ``{error, error_description}``.

        Unverified against a live account: the statuses, 401 for a bad client and 400 otherwise
        (RFC 6749), and that client credentials are read from the body alone.
        """
        try:
            content = self._grant(request)
        except GrantRefusedError as refused:
            status = 401 if refused.error == "invalid_client" else 400
            return oauth_error(refused.error, refused.why, status)
        return Reply(200, dumps(content))

    def _grant(self, request: Request) -> dict[str, object]:
        fields = read_fields(request)
        grant = fields.get("grant_type")
        if grant is None:
            raise GrantRefusedError("invalid_request", "grant_type is missing")
        if grant not in ("authorization_code", "refresh_token"):
            raise GrantRefusedError("unsupported_grant_type", "That grant_type is not supported")
        app = self.logins.app(fields.get("client_id", ""))
        secret = fields.get("client_secret", "").encode()
        if app is None or not hmac.compare_digest(app.client_secret.encode(), secret):
            raise GrantRefusedError("invalid_client", "Client authentication failed")
        if grant == "refresh_token":
            token = _needed("refresh_token", fields)
            tokens = self.logins.refresh(app.client_id, token, request.time)
        else:
            code, verifier = _needed("code", fields), fields.get("code_verifier", "")
            tokens = self.logins.redeem(app.client_id, code, verifier, request.time)
        return tokens_json(tokens)


def tokens_json(tokens: Tokens) -> dict[str, object]:
    """The answer to a successful token request."""
    content: dict[str, object] = {"access_token": tokens.access_token}
    if tokens.refresh_token is not None:
        content["refresh_token"] = tokens.refresh_token
    return content | {"token_type": "bearer", "expires_in": tokens.expires_in}


def _needed(name: str, fields: Mapping[str, str]) -> str:
    if not fields.get(name):
        raise GrantRefusedError("invalid_request", f"{name} is missing")
    return fields[name]


def _challenge(asked: Mapping[str, str]) -> Challenge | None:
    text = asked.get("code_challenge")
    return Challenge(text, asked.get("code_challenge_method", "plain")) if text else None


def may_redirect(registered: str, target: str) -> bool:
    """
    Whether *target* starts with the *registered* address, part by part.

    Comparing the texts alone would let ``http://127.0.0.1.example.com`` pass. A loopback address
    that is registered without a port stands for every port.
    """
    try:
        known, asked = urlsplit(registered), urlsplit(target)
        ports = known.port, asked.port
    except ValueError:
        return False
    plain = target.isascii() and target.isprintable() and " " not in target
    same = (known.scheme, known.hostname) == (asked.scheme, asked.hostname)
    free = ports[0] is None and known.hostname in LOOPBACK_HOSTS
    return (
        plain
        and same
        and asked.username is None
        and (free or ports[0] == ports[1])
        and asked.path.startswith(known.path)
    )


def _redirect(target: str, answer: Mapping[str, str], asked: Mapping[str, str]) -> Reply:
    state = {"state": asked["state"]} if "state" in asked else {}
    sign = "&" if "?" in target else "?"
    location = f"{target}{sign}{urlencode({**answer, **state})}"
    return Reply(302, b"", HTML, (("Location", location),))


def _problem(text: str) -> Reply:
    page = f"<!DOCTYPE html>\n<html><body><h1>{escape(text)}</h1></body></html>\n"
    return Reply(400, page.encode(), HTML)
