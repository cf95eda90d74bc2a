"""Accounts of a token, and account ids as people write them."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from harvest_source.auth.accounts import (
    Account,
    choose_account,
    fetch_accounts,
    harvest_accounts,
    parse_account_ids,
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

    return fetch_accounts(
        "https://id.getharvest.com",
        auth=BearerToken("1.pt.x"),
        user_agent="test (me@example.com)",
        clock=FakeClock(),
        transport=httpx.MockTransport(handler),
    )


def test_accounts_are_asked_for_with_token_and_user_agent() -> None:
    """No account header: none is chosen yet."""
    sent: list[httpx.Request] = []
    rows = [
        {"id": 9001, "name": "Acme plans", "product": "forecast"},
        {"id": 1001, "name": "Acme", "product": "harvest", "google_sign_in_required": False},
    ]
    assert fetch(httpx.Response(200, json={"user": {}, "accounts": rows}), sent) == [PLANS, ACME]
    assert str(sent[0].url) == "https://id.getharvest.com/api/v2/accounts"
    assert sent[0].headers["Authorization"] == "Bearer 1.pt.x"
    assert sent[0].headers["User-Agent"] == "test (me@example.com)"
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
    """Never an empty list of accounts."""
    with pytest.raises(ResponseError, match="the list of accounts"):
        fetch(httpx.Response(200, json=body))


def test_names_are_fit_to_print() -> None:
    """An account's name is typed by people, and printed in errors."""
    row = {"id": 1, "name": "A\x1b[31m\nB" + "c" * 200, "product": None}
    account = fetch(httpx.Response(200, json={"accounts": [row]}))[0]
    assert account.name.startswith("A [31m Bccc")
    assert len(account.name) == 80
    assert account.product == ""


def test_a_refused_token_is_an_auth_error() -> None:
    """The identity host answers as the API does."""
    with pytest.raises(AuthError, match="the list of accounts"):
        fetch(httpx.Response(401))


def test_forecast_is_left_out() -> None:
    """The first of the list is often Forecast's."""
    assert harvest_accounts([PLANS, ACME]) == [ACME]
    assert choose_account([PLANS, ACME]) == ACME


def test_of_several_none_is_guessed() -> None:
    """All are named, so that one can be chosen."""
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
def test_none_is_a_matter_of_signing_in(accounts: list[Account], said: str) -> None:
    """The token works, for nothing of ours."""
    with pytest.raises(AuthError, match=said):
        choose_account(accounts)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, (1,)),
        ("1", (1,)),
        (" 1 ", (1,)),
        ("1,2", (1, 2)),
        ("1 , 2", (1, 2)),
        ("[1, 2]", (1, 2)),
        ('["1", "2"]', (1, 2)),
        ("[1]", (1,)),
        ([1, 2], (1, 2)),
        (["1", 2], (1, 2)),
        ((2, 1), (2, 1)),
        ([1, "1", 1], (1,)),
        (None, ()),
        ("9223372036854775807", (2**63 - 1,)),
        ("0001", (1,)),
    ],
)
def test_ids_are_read_as_people_write_them(value: object, expected: tuple[int, ...]) -> None:
    """In order, each once."""
    assert parse_account_ids(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        *(
            "",
            " ",
            "[]",
            ",",
            "1,",
            "1,,2",
            "12a",
            "1 2",
            "-1",
            "+1",
            "0",
            0,
            -1,
            "1.0",
            1.0,
            "1e3",
        ),
        *(
            "\u0661",
            "\u00b2",
            True,
            [],
            [[1]],
            {},
            {"1": 1},
            b"1",
            object(),
            [None],
            2**63,
            "9" * 30,
        ),
    ],
)
def test_anything_else_is_refused(value: object) -> None:
    """Early and by name: the account header would only come back as a 401."""
    with pytest.raises(ConfigError, match="account_id"):
        parse_account_ids(value)


@pytest.mark.parametrize(
    "value", ["1234567.pt.very-secret", " 1234567.pt.very-secret ", ["1234567.pt.very-secret"]]
)
def test_a_token_in_the_wrong_place_is_recognised(value: object) -> None:
    """Harvest's own samples once had the two swapped. It is not repeated."""
    with pytest.raises(ConfigError, match="account_id holds an access token") as caught:
        parse_account_ids(value)
    assert "very-secret" not in str(caught.value)


def test_another_secret_in_the_wrong_place_is_not_repeated() -> None:
    """OAuth tokens have no shape to know them by."""
    with pytest.raises(ConfigError) as caught:
        parse_account_ids("very-secret")
    assert "very-secret" not in str(caught.value)
