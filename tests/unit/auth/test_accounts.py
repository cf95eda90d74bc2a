"""Accounts of a token, and account ids as people write them."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from harvest_source.api.http_context import HttpContext
from harvest_source.auth.accounts import (
    Account,
    choose_account,
    fetch_accounts,
    harvest_accounts,
)
from harvest_source.auth.bearer import BearerToken
from harvest_source.errors import AuthError, ConfigError, ResponseError
from tests.clocks import FakeClock

ACME = Account(1001, "Acme", "harvest")
LABS = Account(1002, "Acme Labs", "harvest")
PLANS = Account(9001, "Acme plans", "forecast")


def fetch(response: httpx.Response, sent: list[httpx.Request] | None = None) -> list[Account]:
    def handler(request: httpx.Request) -> httpx.Response:
        if sent is not None:
            sent.append(request)
        return response

    http = HttpContext(
        clock=FakeClock(), contact="me@example.com", transport=httpx.MockTransport(handler)
    )
    return fetch_accounts("https://id.getharvest.com", BearerToken("1.pt.x"), http)


def test_accounts_are_asked_for_with_token_and_user_agent() -> None:
    """The request has no account header: no account is chosen yet."""
    sent: list[httpx.Request] = []
    rows = [
        {"id": 9001, "name": "Acme plans", "product": "forecast"},
        {"id": 1001, "name": "Acme", "product": "harvest", "google_sign_in_required": False},
    ]
    assert fetch(httpx.Response(200, json={"user": {}, "accounts": rows}), sent) == [PLANS, ACME]
    assert str(sent[0].url) == "https://id.getharvest.com/api/v2/accounts"
    assert sent[0].headers["Authorization"] == "Bearer 1.pt.x"
    assert sent[0].headers["User-Agent"].endswith(" (me@example.com)")
    assert "Harvest-Account-Id" not in sent[0].headers


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"accounts": None},
        {"accounts": {}},
        {"accounts": [1]},
        {"accounts": [{"name": "Acme"}]},
        {"accounts": [{"id": "1001", "product": "harvest"}]},
    ],
)
def test_odd_answers_are_errors(body: Any) -> None:
    """An odd answer is never an empty list of accounts."""
    with pytest.raises(ResponseError, match="the list of accounts"):
        fetch(httpx.Response(200, json=body))


def test_names_are_fit_to_print() -> None:
    """People type account names, and errors print them."""
    row = {"id": 1, "name": "A\x1b[31m\nB" + "c" * 200, "product": None}
    account = fetch(httpx.Response(200, json={"accounts": [row]}))[0]
    assert account.name.startswith("A [31m Bccc")
    assert len(account.name) == 80
    assert account.product == ""


def test_a_refused_token_is_an_auth_error() -> None:
    """The identity host answers like the API."""
    with pytest.raises(AuthError, match="the list of accounts"):
        fetch(httpx.Response(401))


def test_forecast_is_left_out() -> None:
    """Forecast's account is often the first in the list."""
    assert harvest_accounts([PLANS, ACME]) == [ACME]
    assert choose_account([PLANS, ACME]) == ACME


def test_an_account_is_never_guessed_among_several() -> None:
    """The error names all accounts, so that one can be chosen."""
    with pytest.raises(ConfigError) as caught:
        choose_account([PLANS, ACME, LABS])
    assert str(caught.value) == (
        "This token reaches 2 Harvest accounts and none was chosen: 1001 Acme, 1002 Acme Labs. "
        "Set account_id under [sources.harvest] in .dlt/config.toml, or pass --account."
    )


@pytest.mark.parametrize(
    ("accounts", "said"),
    [
        ([], "reaches no Harvest account. "),
        ([PLANS], "reaches no Harvest account, only 1 of other"),
    ],
)
def test_a_token_without_a_harvest_account_is_an_auth_error(
    accounts: list[Account], said: str
) -> None:
    """A token without a Harvest account is valid, but useless here."""
    with pytest.raises(AuthError, match=said):
        choose_account(accounts)
