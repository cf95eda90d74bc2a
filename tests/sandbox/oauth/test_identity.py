"""The identity host: consent, codes, tokens, and what can go wrong with them."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx
import pytest

from harvest_source.sandbox import App, ManualClock, OAuth, Person
from harvest_source.sandbox.oauth.redirects import may_redirect
from tests.sandbox.reader import Reader, Start

BACK = "http://127.0.0.1:5005/callback"
AGENT = {"User-Agent": "sandbox-tests (tests@example.com)"}
TWO_WEEKS_S = 1_209_600


class Form(HTMLParser):
    """The only form of a page: where it is sent, and what each button sends."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action = self.method = ""
        self.fields: list[tuple[str, str]] = []
        self.buttons: dict[str, tuple[str, str]] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect what a browser would send."""
        found = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.action, self.method = found["action"], found["method"]
        if tag == "input" and (found["type"] != "checkbox" or "checked" in found):
            self.fields.append((found["name"], found["value"]))
        if tag == "button":
            self.buttons[found["id"]] = (found["name"], found["value"])


def authorize(reader: Reader, **params: str) -> httpx.Response:
    """Open the consent page, as a browser does."""
    asked = {"client_id": reader.server.app.client_id, "response_type": "code", "state": "s t&1",
             "redirect_uri": BACK} | params  # fmt: skip
    return reader.client.get(reader.server.authorize_url, params=asked, headers=AGENT)


def click(reader: Reader, page: httpx.Response, button: str, **replaced: str) -> httpx.Response:
    """Press a button of the consent page."""
    form = Form(page.text)
    fields = [item for item in form.fields if item[0] not in replaced]
    body = urlencode([*fields, *replaced.items(), form.buttons[button]])
    headers = AGENT | {"Content-Type": "application/x-www-form-urlencoded"}
    assert form.method == "post"
    return reader.client.post(reader.server.id_url + form.action, content=body, headers=headers)


def landed(answer: httpx.Response) -> dict[str, str]:
    """The parameters that a redirect returns to the app."""
    assert answer.status_code == 302, answer.text
    assert answer.headers["Location"].startswith(BACK)
    return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))


def ask(reader: Reader, version: str = "v2", **fields: Any) -> httpx.Response:
    """A token request in the form encoding."""
    app = reader.server.app
    body = {"client_id": app.client_id, "client_secret": app.client_secret} | fields
    content = {name: value for name, value in body.items() if value is not None}
    url = f"{reader.server.id_url}/api/{version}/oauth2/token"
    return reader.client.post(url, data=content, headers=AGENT)


def redeem(reader: Reader, code: str, **fields: Any) -> httpx.Response:
    """Exchange a code."""
    return ask(reader, grant_type="authorization_code", code=code, **fields)


def refresh(reader: Reader, token: str, **fields: Any) -> httpx.Response:
    """Exchange a refresh token."""
    return ask(reader, grant_type="refresh_token", refresh_token=token, **fields)


def status(reader: Reader, token: str) -> int:
    """The API's status for an access token."""
    return reader.get("users/me", token=token).status_code


def error(answer: httpx.Response) -> tuple[int, str]:
    """Status and error name of a refusal, whose description is never empty."""
    content = answer.json()
    assert set(content) == {"error", "error_description"}
    assert content["error_description"]
    return answer.status_code, content["error"]


def test_the_whole_way_from_consent_to_rows(start: Start) -> None:
    """The flow: consent page, redirect with code, state and scope, token request, API, accounts."""
    reader = start(entries=5, accounts=(1000001, 1000002), forecast_accounts=(77,))
    page = authorize(reader)
    assert page.headers["Content-Type"].startswith("text/html")
    assert "person1@example.com" in page.text
    back = landed(click(reader, page, "approve"))
    assert back["state"] == "s t&1"
    assert back["scope"] == "forecast:77 harvest:1000001 harvest:1000002"
    answer = redeem(reader, back["code"])
    tokens = answer.json()
    assert answer.status_code == 200
    assert list(tokens) == ["access_token", "refresh_token", "token_type", "expires_in"]
    assert (tokens["token_type"], tokens["expires_in"]) == ("bearer", TWO_WEEKS_S)
    assert status(reader, tokens["access_token"]) == 200
    accounts = reader.get(f"{reader.server.id_url}/api/v2/accounts", token=tokens["access_token"])
    assert [row["id"] for row in accounts.json()["accounts"]] == [77, 1000001, 1000002]


def test_denying_brings_an_error_back(start: Start) -> None:
    """A denied request redirects with access_denied and the state, without a code."""
    reader = start(entries=5)
    back = landed(click(reader, authorize(reader), "deny"))
    assert (back["error"], back["state"]) == ("access_denied", "s t&1")
    assert "code" not in back
    assert reader.server.issued == []


@pytest.mark.parametrize(
    "account",
    ["²", "\u0661\u0660\u0660\u0660\u0660\u0660\u0661", "9" * 4301],
    ids=["superscript", "1000001 in Arabic digits", "too long"],
)
def test_an_account_that_is_no_number_is_not_chosen(start: Start, account: str) -> None:
    """A form whose ticked account is not written in ASCII digits chooses no account."""
    reader = start(entries=5)
    back = landed(click(reader, authorize(reader), "approve", account=account))
    assert back.get("scope", "") == ""


def test_the_person_chooses_the_accounts(start: Start) -> None:
    """Tokens reach the ticked accounts only."""
    reader = start(entries=5, accounts=(1000001, 1000002))
    back = landed(click(reader, authorize(reader), "approve", account="1000002"))
    assert back["scope"] == "harvest:1000002"
    token = redeem(reader, back["code"]).json()["access_token"]
    assert reader.get("users/me", token=token, account_id=1000002).status_code == 200
    assert reader.get("users/me", token=token, account_id=1000001).status_code == 404


@pytest.mark.parametrize("auto", ["approve", "deny"])
def test_the_page_can_be_skipped(start: Start, auto: str) -> None:
    """``auto`` decides at once; the text of scope and the person at the browser can be set."""
    oauth = OAuth(auto="approve" if auto == "approve" else "deny", scope="harvest:all", visitor=2)
    reader = start(entries=5, oauth=oauth)
    back = landed(authorize(reader))
    if auto == "deny":
        assert back["error"] == "access_denied"
        return
    assert back["scope"] == "harvest:all"
    token = redeem(reader, back["code"]).json()["access_token"]
    assert reader.get("users/me", token=token).json()["access_roles"] == ["member"]
    assert reader.get("clients", token=token).status_code == 403


def test_state_and_redirect_uri_are_optional(start: Start) -> None:
    """Without them the registered address is used and no state comes back."""
    app = App(redirect_uri="https://example.org/back?from=harvest")
    reader = start(entries=5, oauth=OAuth(auto="approve", apps=(app,)))
    asked = {"client_id": app.client_id, "response_type": "code"}
    answer = reader.client.get(reader.server.authorize_url, params=asked, headers=AGENT)
    query = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert answer.headers["Location"].startswith("https://example.org/back?from=harvest&code=")
    assert set(query) == {"from", "code", "scope"}


@pytest.mark.parametrize(
    ("registered", "target", "allowed"),
    [
        ("http://127.0.0.1", "http://127.0.0.1:49152/callback", True),
        ("http://localhost", "http://localhost:1/", True),
        ("http://localhost", "http://127.0.0.1:1/", False),
        ("http://127.0.0.1", "http://127.0.0.1.example.com/", False),
        ("http://127.0.0.1", "http://127.0.0.1@example.com/", False),
        ("http://127.0.0.1", "http://user@127.0.0.1/", False),
        ("http://127.0.0.1", "https://127.0.0.1/", False),
        ("http://127.0.0.1", "http://127.0.0.1:port/", False),
        ("http://127.0.0.1", "http://127.0.0.1/\r\nSet-Cookie: a=b", False),
        ("http://127.0.0.1:8080/back", "http://127.0.0.1:8080/back/more?x=1", True),
        ("http://127.0.0.1:8080/back", "http://127.0.0.1:8081/back", False),
        ("https://example.org/back", "https://example.org/back", True),
        ("https://example.org/back", "https://example.org/elsewhere", False),
        ("https://example.org/back", "https://example.org:444/back", False),
    ],
)
def test_redirects_must_match_the_registered_address(
    registered: str, target: str, allowed: bool
) -> None:
    """
    The target must start with the registered address; loopback without a port allows any port.
    """
    assert may_redirect(registered, target) is allowed


def test_an_unknown_app_or_address_gets_no_redirect(start: Start) -> None:
    """An unknown app or address gets a page with status 400, and no redirect."""
    reader = start(entries=5, oauth=OAuth(auto="approve"))
    for params in ({"client_id": "unknown"}, {"redirect_uri": "https://example.com/"}):
        answer = authorize(reader, **params)
        assert (answer.status_code, "Location" in answer.headers) == (400, False)
    assert landed(authorize(reader, response_type="token"))["error"] == "unsupported_response_type"
    assert reader.server.issued == []


def test_markup_in_a_consent_request_is_escaped(start: Start) -> None:
    """Markup in the request or the app's name is escaped and survives the form."""
    app = App(name='<script>"A"</script>')
    reader = start(entries=5, oauth=OAuth(apps=(app,)))
    state = "\"><script>alert('x')</script>"
    page = authorize(reader, state=state)
    assert "<script>" not in page.text
    assert landed(click(reader, page, "approve"))["state"] == state


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_both_token_addresses_take_forms_and_json(start: Start, version: str) -> None:
    """/api/v1/ and /api/v2/ take both encodings; a GET is a 404."""
    reader = start(entries=5)
    server = reader.server
    url = f"{server.id_url}/api/{version}/oauth2/token"
    assert ask(reader, version, grant_type="authorization_code",
               code=server.issue_code()).status_code == 200  # fmt: skip
    body = {
        "grant_type": "authorization_code",
        "code": server.issue_code(),
        "client_id": server.app.client_id,
        "client_secret": server.app.client_secret,
    }
    assert reader.client.post(url, json=body, headers=AGENT).status_code == 200
    assert reader.client.get(url, headers=AGENT).status_code == 404
    no_agent = {"User-Agent": ""}
    assert reader.client.post(url, json=body, headers=no_agent).status_code == 400


def test_each_refusal_has_its_oauth_name(start: Start) -> None:
    """Each refusal has its OAuth name, and none of them uses up the code."""
    reader = start(entries=5)
    code = reader.server.issue_code()
    assert error(ask(reader)) == (400, "invalid_request")
    assert error(ask(reader, grant_type="password")) == (400, "unsupported_grant_type")
    assert error(redeem(reader, code, client_secret="wrong")) == (401, "invalid_client")
    assert error(redeem(reader, code, client_secret="gehéim")) == (401, "invalid_client")
    assert error(redeem(reader, code, client_id="unknown")) == (401, "invalid_client")
    assert error(redeem(reader, code, client_secret=None)) == (401, "invalid_client")
    assert error(redeem(reader, "")) == (400, "invalid_request")
    assert error(redeem(reader, "nonsense")) == (400, "invalid_grant")
    assert error(refresh(reader, "nonsense")) == (400, "invalid_grant")
    as_json = AGENT | {"Content-Type": "application/json"}
    broken = reader.client.post(reader.server.token_url, content=b"{", headers=as_json)
    assert error(broken) == (400, "invalid_request")
    assert redeem(reader, code).status_code == 200, "no refusal above has used it up"


def test_a_code_works_once_and_expires(start: Start) -> None:
    """A used code and an expired code are refused with invalid_grant."""
    clock = ManualClock()
    reader = start(entries=5, clock=clock)
    code = reader.server.issue_code()
    assert redeem(reader, code).status_code == 200
    assert error(redeem(reader, code)) == (400, "invalid_grant")
    code = reader.server.issue_code()
    clock.advance(300)
    assert error(redeem(reader, code)) == (400, "invalid_grant")


def test_tokens_belong_to_their_app(start: Start) -> None:
    """Codes and refresh tokens of one app are refused to another app."""
    other = App("other", "other-secret")
    reader = start(entries=5, oauth=OAuth(apps=(App(), other)))
    own = {"client_id": other.client_id, "client_secret": other.client_secret}
    assert error(redeem(reader, reader.server.issue_code(), **own)) == (400, "invalid_grant")
    tokens = reader.server.issue_tokens(client_id="other")
    assert error(refresh(reader, tokens["refresh_token"])) == (400, "invalid_grant")
    assert refresh(reader, tokens["refresh_token"], **own).status_code == 200


def test_access_tokens_run_out_by_the_clock(start: Start) -> None:
    """After 14 days the answer is the usual 401; a refresh gives a new token."""
    clock = ManualClock()
    reader = start(entries=5, clock=clock)
    tokens = reader.server.issue_tokens()
    clock.advance(TWO_WEEKS_S - 1)
    assert status(reader, tokens["access_token"]) == 200
    clock.advance(1)
    answer = reader.get("users/me", token=tokens["access_token"])
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")
    assert "expired" in answer.json()["error_description"]
    new = refresh(reader, tokens["refresh_token"]).json()
    assert new["access_token"] != tokens["access_token"]
    assert status(reader, new["access_token"]) == 200


def test_an_access_token_can_be_made_to_expire(start: Start) -> None:
    """The token expires, its login stays in force, and a refresh works."""
    reader = start(entries=5)
    tokens = reader.server.issue_tokens()
    reader.server.expire_access_token(tokens["access_token"])
    assert status(reader, tokens["access_token"]) == 401
    new = refresh(reader, tokens["refresh_token"]).json()
    assert status(reader, new["access_token"]) == 200
    with pytest.raises(ValueError, match="No such access token"):
        reader.server.expire_access_token("nonsense")


def test_the_refresh_token_stays_by_default(start: Start) -> None:
    """As in the documentation's sample, a refresh keeps the refresh token."""
    reader = start(entries=5)
    tokens = reader.server.issue_tokens()
    for _ in range(3):
        new = refresh(reader, tokens["refresh_token"]).json()
        assert new["refresh_token"] == tokens["refresh_token"]
    reader.server.set_oauth(omit_refresh=True)
    assert "refresh_token" not in refresh(reader, tokens["refresh_token"]).json()
    assert "refresh_token" in redeem(reader, reader.server.issue_code()).json()


def test_a_rotated_refresh_token_is_dead(start: Start) -> None:
    """With rotate a refresh token works once; earlier access tokens stay in force."""
    reader = start(entries=5, oauth=OAuth(rotate=True))
    first = reader.server.issue_tokens()
    second = refresh(reader, first["refresh_token"]).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert error(refresh(reader, first["refresh_token"])) == (400, "invalid_grant")
    assert refresh(reader, second["refresh_token"]).status_code == 200
    assert status(reader, first["access_token"]) == 200


def test_a_rotated_token_returns_the_same_successor_within_its_grace(start: Start) -> None:
    """Within grace_s a rotated token returns the same successor; after that it is refused."""
    clock = ManualClock()
    reader = start(entries=5, clock=clock, oauth=OAuth(rotate=True, grace_s=60))
    first = reader.server.issue_tokens()["refresh_token"]
    second = refresh(reader, first).json()["refresh_token"]
    clock.advance(59)
    assert refresh(reader, first).json()["refresh_token"] == second
    clock.advance(1)
    assert error(refresh(reader, first)) == (400, "invalid_grant")
    assert refresh(reader, second).status_code == 200


def test_revoking_ends_a_token_or_its_login(start: Start) -> None:
    """
    Revoking an access token ends that token; revoking a refresh token ends its login, no other.
    """
    reader = start(entries=5)
    server = reader.server
    tokens, other = server.issue_tokens(), server.issue_tokens()
    new = refresh(reader, tokens["refresh_token"]).json()
    server.revoke(tokens["access_token"])
    assert status(reader, tokens["access_token"]) == 401
    assert status(reader, new["access_token"]) == 200
    server.revoke(tokens["refresh_token"])
    assert status(reader, new["access_token"]) == 401
    assert error(refresh(reader, tokens["refresh_token"])) == (400, "invalid_grant")
    assert status(reader, other["access_token"]) == 200
    assert status(reader, server.token) == 200


@pytest.mark.parametrize("stall", [False, True])
def test_a_lost_answer_has_rotated_the_token(start: Start, stall: bool) -> None:
    """The connection breaks or hangs after the rotation: the old token is refused."""
    reader = start(entries=5, oauth=OAuth(rotate=True))
    token = reader.server.issue_tokens()["refresh_token"]
    reader.server.fault("lost_answer", table="oauth_token", times=1, stall=stall)
    reader.client.timeout = httpx.Timeout(0.3 if stall else 10)
    with pytest.raises(httpx.TransportError):
        refresh(reader, token)
    reader.client.timeout = httpx.Timeout(10)
    assert error(refresh(reader, token)) == (400, "invalid_grant")
    lost = [item.value for item in reader.server.issued if item.kind == "refresh_token"]
    assert refresh(reader, lost[-1]).status_code == 200


@pytest.mark.parametrize("name", ["server_error", "unavailable_html", "html", "stall",
                                  "cut_before_headers", "rate_limited", "oauth_error"])  # fmt: skip
def test_other_faults_come_before_the_token_is_touched(start: Start, name: str) -> None:
    """After a 5xx, a timeout, a page or a refusal the same refresh token still works."""
    reader = start(entries=5, oauth=OAuth(rotate=True))
    token = reader.server.issue_tokens()["refresh_token"]
    before = len(reader.server.issued)
    reader.server.fault(name, table="oauth_token", times=1)
    if name in ("stall", "cut_before_headers"):
        reader.client.timeout = httpx.Timeout(0.3)
        with pytest.raises(httpx.TransportError):
            refresh(reader, token)
        reader.client.timeout = httpx.Timeout(10)
    else:
        answer = refresh(reader, token)
        assert answer.status_code != 200 or "text/html" in answer.headers["Content-Type"]
    assert len(reader.server.issued) == before
    assert refresh(reader, token).status_code == 200


def test_an_injected_refusal_has_the_given_name_and_status(start: Start) -> None:
    """oauth_error takes the name, the description and the status."""
    reader = start(entries=5)
    told = {"error": "temporarily_unavailable", "description": "Later", "status": 503}
    reader.server.fault("oauth_error", table="oauth_token", times=1, **told)
    answer = refresh(reader, reader.server.issue_tokens()["refresh_token"])
    assert answer.status_code == 503
    assert answer.json() == {"error": told["error"], "error_description": told["description"]}


def proof(verifier: str) -> dict[str, str]:
    """The challenge for a verifier."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
    return {"code_challenge": digest.rstrip(b"=").decode(), "code_challenge_method": "S256"}


def test_pkce_is_ignored_unless_enforced(start: Start) -> None:
    """Undocumented, so a wrong proof passes by default."""
    reader = start(entries=5, oauth=OAuth(auto="approve"))
    code = landed(authorize(reader, **proof("right" * 10)))["code"]
    assert redeem(reader, code, code_verifier="wrong").status_code == 200
    assert reader.server.requests[0].unknown == ("code_challenge", "code_challenge_method")


def test_pkce_enforced(start: Start) -> None:
    """Without a challenge there is no code; a missing or wrong proof uses up the code."""
    reader = start(entries=5, oauth=OAuth(auto="approve", pkce=True))
    right = "right" * 10
    assert landed(authorize(reader))["error"] == "invalid_request"
    for verifier, expected in ((right, 200), ("wrong", 400), (None, 400)):
        code = landed(authorize(reader, **proof(right)))["code"]
        assert redeem(reader, code, code_verifier=verifier).status_code == expected
        assert redeem(reader, code, code_verifier=right).status_code == 400
    plain = landed(authorize(reader, code_challenge=right))["code"]
    assert redeem(reader, plain, code_verifier=right).status_code == 200
    page = start(entries=5, oauth=OAuth(pkce=True))
    code = landed(click(page, authorize(page, **proof(right)), "approve"))["code"]
    assert redeem(page, code, code_verifier=right).status_code == 200


def test_every_request_is_logged_without_secrets(start: Start) -> None:
    """The log has names, statuses and grant types, but no codes, tokens or client secrets."""
    reader = start(entries=5, oauth=OAuth(auto="approve", rotate=True))
    code = landed(authorize(reader))["code"]
    tokens = redeem(reader, code).json()
    refresh(reader, tokens["refresh_token"])
    refresh(reader, "nonsense")
    reader.client.post(f"{reader.server.token_url}?code={code}", headers=AGENT)
    assert [(entry.table, entry.status, entry.grant_type) for entry in reader.server.requests] == [
        ("oauth_authorize", 302, None),
        ("oauth_token", 200, "authorization_code"),
        ("oauth_token", 200, "refresh_token"),
        ("oauth_token", 400, "refresh_token"),
        ("oauth_token", 400, None),
    ]
    assert reader.server.requests.counts() == {"oauth_authorize": 1, "oauth_token": 4}
    logged = str(list(reader.server.requests))
    assert not any(secret in logged for secret in reader.server.secrets)


def test_all_secrets_can_be_listed(start: Start) -> None:
    """For leak tests: tokens of people, the app's secret, every code and token issued."""
    reader = start(entries=5, oauth=OAuth(rotate=True))
    server = reader.server
    code = server.issue_code()
    first = redeem(reader, code).json()
    second = refresh(reader, first["refresh_token"]).json()
    kinds = [(item.kind, item.value) for item in server.issued]
    assert [kind for kind, _ in kinds] == [
        "code", "refresh_token", "access_token", "refresh_token", "access_token"
    ]  # fmt: skip
    values = {code, *(answer[name] for answer in (first, second)
                      for name in ("access_token", "refresh_token"))}  # fmt: skip
    assert {value for _, value in kinds} == values
    expected = {*server.tokens.values(), server.app.client_secret, *values}
    assert set(server.secrets) == expected
    listed = reader.client.get(f"{server.id_url}/_sandbox/secrets").json()
    assert listed == server.secrets


def test_an_access_token_follows_its_person(start: Start) -> None:
    """A changed role applies to the login's tokens as well as to the personal token."""
    reader = start(entries=5)
    server = reader.server
    token = server.issue_tokens(person=2)["access_token"]
    assert reader.get("clients", token=token).status_code == 403
    server.set_role(token, "administrator")
    assert reader.get("clients", token=token).status_code == 200
    assert reader.get("clients", token=server.tokens["member"]).status_code == 200
    with pytest.raises(ValueError, match="No person has"):
        server.set_role("nonsense", "member")


def test_a_login_reaches_no_more_than_its_person(start: Start) -> None:
    """A person who reaches one account is offered only that account."""
    people = (Person("1.pt.one", 0, accounts=(1000002,)),)
    reader = start(entries=5, accounts=(1000001, 1000002), people=people)
    page = authorize(reader)
    assert re.findall(r"harvest (\d+)", page.text) == ["1000002"]
    back = landed(click(reader, page, "approve", account="1000001"))
    token = redeem(reader, back["code"]).json()["access_token"]
    for account in (1000001, 1000002):
        assert reader.get("users/me", token=token, account_id=account).status_code == 404


def test_logins_over_http(start: Start) -> None:
    """The same vocabulary from another process."""
    reader = start(entries=5)

    def control(command: str, **arguments: Any) -> Any:
        url = f"{reader.server.id_url}/_sandbox/{command}"
        return reader.client.post(url, json=arguments).json()

    control("set_oauth", rotate=True, auto="approve")
    assert redeem(reader, control("issue_code")).status_code == 200
    tokens = control("issue_tokens", person=1)
    assert (
        refresh(reader, tokens["refresh_token"]).json()["refresh_token"] != tokens["refresh_token"]
    )
    control("expire_access_token", token=tokens["access_token"])
    assert status(reader, tokens["access_token"]) == 401


def revoke(reader: Reader, **fields: str) -> httpx.Response:
    """Ask for the end of a login."""
    app = reader.server.app
    body = {"client_id": app.client_id, "client_secret": app.client_secret} | fields
    url = f"{reader.server.id_url}/api/v2/oauth2/revoke"
    return reader.client.post(url, data=body, headers=AGENT)


def test_an_app_may_end_a_login_where_that_is_offered(start: Start) -> None:
    """Harvest documents no such address, so there is none unless a setting asks for it."""
    reader = start(entries=5)
    tokens = reader.server.issue_tokens()
    assert revoke(reader, token=tokens["refresh_token"]).status_code == 404
    assert status(reader, tokens["access_token"]) == 200
    reader.server.set_oauth(revocation=True)
    refused = revoke(reader, token=tokens["refresh_token"], client_secret="wrong")
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    assert revoke(reader).status_code == 400
    for _ in range(2):  # An unknown token counts as revoked (RFC 7009).
        assert revoke(reader, token=tokens["refresh_token"]).status_code == 200
    assert status(reader, tokens["access_token"]) == 401
    assert refresh(reader, tokens["refresh_token"]).status_code == 400
