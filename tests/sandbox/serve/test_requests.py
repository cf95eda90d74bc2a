"""Tokens, accounts and headers of a request, and the forms of errors (behaviour.md 1, 2, 10)."""

from __future__ import annotations

import pytest

from harvest_source.sandbox import Person
from tests.sandbox.reader import Reader, Start

INVALID_TOKEN = {
    "error": "invalid_token",
    "error_description": (
        "The access token provided is expired, revoked, malformed or invalid for other reasons."
    ),
}


def without(reader: Reader, *names: str) -> dict[str, str]:
    """Valid headers without *names*."""
    return {key: text for key, text in reader.headers().items() if key not in names}


@pytest.mark.parametrize("prefix", ["v2", "api/v2"])
def test_both_path_prefixes_answer(shared: Reader, prefix: str) -> None:
    """The API answers below /v2 and /api/v2, and links keep the prefix of the request."""
    answer = shared.get(f"{shared.server.id_url}/{prefix}/clients", per_page=3)
    assert answer.status_code == 200
    assert f"/{prefix}/clients?" in answer.json()["links"]["next"]


@pytest.mark.parametrize("authorization", ["Bearer 9.pt.unknown", "Basic abc", "Bearer"])
def test_a_bad_token_is_401_with_the_recorded_body(shared: Reader, authorization: str) -> None:
    """A wrong or missing token gets the invalid_token JSON and a challenge."""
    headers = shared.headers() | {"Authorization": authorization}
    answer = shared.client.get(f"{shared.server.api_url}/users/me", headers=headers)
    assert (answer.status_code, answer.json()) == (401, INVALID_TOKEN)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer realm=")
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_a_missing_account_header_looks_like_a_bad_token(shared: Reader) -> None:
    """Leaving out Harvest-Account-Id is a 401 with the same body (quirk 1)."""
    headers = without(shared, "Harvest-Account-Id")
    answer = shared.client.get(f"{shared.server.api_url}/users/me", headers=headers)
    assert (answer.status_code, answer.json()) == (401, INVALID_TOKEN)


@pytest.mark.parametrize("path", ["/v2/users/me", "/api/v2/accounts"])
def test_a_missing_user_agent_is_400(shared: Reader, path: str) -> None:
    """User-Agent is required, on the identity host too (quirk 3)."""
    headers = without(shared, "User-Agent") | {"User-Agent": ""}
    answer = shared.client.get(shared.server.id_url + path, headers=headers)
    assert answer.status_code == 400


def test_a_get_with_a_body_is_400(shared: Reader) -> None:
    """GET must not carry a body (quirk 24)."""
    url = f"{shared.server.api_url}/clients"
    answer = shared.client.request("GET", url, headers=shared.headers(), json={"page": 1})
    assert answer.status_code == 400


def test_tokens_in_the_query_string_are_not_taken(shared: Reader) -> None:
    """The sandbox refuses tokens in the query string: no connector may depend on them."""
    url = f"{shared.server.api_url}/users/me?access_token={shared.server.token}&account_id=1000001"
    assert shared.client.get(url, headers={"User-Agent": "x"}).status_code == 401


def test_an_account_out_of_reach_is_404_by_default(shared: Reader) -> None:
    """A valid token with a wrong account id gets a 404 in the recorded JSON shape."""
    answer = shared.get("users/me", account_id=77)
    assert (answer.status_code, answer.json()) == (404, {"status": 404, "error": "Not Found"})


def test_an_account_out_of_reach_may_be_401(start: Start) -> None:
    """A setting gives the other answer that sources report for a wrong account."""
    answer = start(wrong_account=401).get("users/me", account_id=77)
    assert (answer.status_code, answer.json()) == (401, INVALID_TOKEN)


def test_a_revoked_token_stops_working_at_once(start: Start) -> None:
    """After revoke every request is a 401, and restore_token undoes it."""
    reader = start()
    assert reader.get("users/me").status_code == 200
    reader.server.revoke()
    assert reader.get("users/me").status_code == 401
    reader.server.restore_token()
    assert reader.get("users/me").status_code == 200


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_accounts_need_no_account_header(shared: Reader, version: str) -> None:
    """The identity endpoint lists user and accounts by token alone, under both versions."""
    url = f"{shared.server.id_url}/api/{version}/accounts"
    content = shared.client.get(url, headers=without(shared, "Harvest-Account-Id")).json()
    assert set(content["user"]) == {"id", "first_name", "last_name", "email"}
    assert [(row["id"], row["product"]) for row in content["accounts"]] == [(1000001, "harvest")]
    bad = shared.client.get(url, headers={"User-Agent": "x", "Authorization": "Bearer 1.pt.no"})
    assert (bad.status_code, bad.json()) == (401, INVALID_TOKEN)


def test_a_forecast_account_comes_first(start: Start) -> None:
    """Accounts of the other product are listed, before the Harvest ones (quirk 2)."""
    reader = start(forecast_accounts=(555,))
    accounts = reader.get(f"{reader.server.id_url}/api/v2/accounts").json()["accounts"]
    assert [row["product"] for row in accounts] == ["forecast", "harvest"]
    assert reader.get("users/me", account_id=555).status_code == 404


def test_each_token_reaches_its_own_accounts(start: Start) -> None:
    """A token lists and opens only the accounts its person belongs to."""
    people = (
        Person("1.pt.a"),
        Person("2.pt.b", accounts=(1000002,)),
        Person("3.pt.c", accounts=()),
    )
    reader = start(accounts=(1000001, 1000002), people=people)
    url = f"{reader.server.id_url}/api/v2/accounts"
    reached = {
        person.token: [row["id"] for row in reader.get(url, token=person.token).json()["accounts"]]
        for person in people
    }
    assert reached == {"1.pt.a": [1000001, 1000002], "2.pt.b": [1000002], "3.pt.c": []}
    assert reader.get("users/me", token="2.pt.b", account_id=1000001).status_code == 404
    assert reader.get("users/me", token="2.pt.b", account_id=1000002).status_code == 200


def test_unknown_paths_are_html(shared: Reader) -> None:
    """An unknown path, including one below v1, answers an HTML page (quirk 19)."""
    for path in ("/v2/nonsense", "/v2/clients/", "/v2/clients/abc", "/v2/retainers", "/projects"):
        answer = shared.get(shared.server.id_url + path)
        assert (answer.status_code, answer.headers["content-type"][:9]) == (404, "text/html")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("clients/{}", 404),
        ("users/{}/billable_rates", 404),
        ("users/1/billable_rates/{}", 404),
        ("contacts?client_id={}", 422),
        ("clients?page={}", 422),
    ],
)
def test_a_number_of_thousands_of_digits_is_refused(shared: Reader, path: str, status: int) -> None:
    """A number longer than Python reads is refused like one that is none."""
    assert shared.get(path.format("9" * 4301)).status_code == status


def test_an_account_id_of_thousands_of_digits_is_out_of_reach(shared: Reader) -> None:
    """An account id longer than Python reads is answered like any other wrong account."""
    assert shared.get("users/me", account_id=10**4300 - 1).status_code == 404
    headers = shared.headers() | {"Harvest-Account-Id": "9" * 4301}
    answer = shared.client.get(f"{shared.server.api_url}/users/me", headers=headers)
    assert (answer.status_code, answer.json()) == (404, {"status": 404, "error": "Not Found"})


def test_a_missing_record_is_json(shared: Reader) -> None:
    """An id that does not exist is a 404 in JSON."""
    answer = shared.get("clients/1")
    assert (answer.status_code, answer.json()) == (404, {"status": 404, "error": "Not Found"})


def test_answers_carry_the_headers_on_record(shared: Reader) -> None:
    """Date is the sandbox's clock, the ETag is weak, and Cache-Control is no-store."""
    headers = shared.get("clients").headers
    assert headers["Date"] == "Wed, 17 Jun 2026 12:00:00 GMT"
    assert headers["ETag"].startswith('W/"')
    assert headers["Cache-Control"] == "no-store"
    assert not any(name.lower().startswith("x-ratelimit") for name in headers)
