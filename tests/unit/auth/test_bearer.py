"""Tokens that can be sent but not read."""

from __future__ import annotations

import copy
import pickle

import httpx
import pytest

from harvest_source.auth.bearer import BearerToken
from harvest_source.errors import ConfigError

TOKEN = "1234567.pt.very-secret"


def test_the_token_is_sent_as_a_header() -> None:
    """The token is never in the query, where logs would keep it."""
    sent: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200)

    with httpx.Client(transport=httpx.MockTransport(handler), auth=BearerToken(TOKEN)) as client:
        client.get("https://api.harvestapp.com/v2/users/me")
    assert sent[0].headers["Authorization"] == f"Bearer {TOKEN}"
    assert TOKEN not in str(sent[0].url)


@pytest.mark.parametrize("token", [f" {TOKEN}", f"{TOKEN}\n", f"\t{TOKEN} \r\n"])
def test_blanks_around_a_token_are_dropped(token: str) -> None:
    """A file or a copied line often ends with a blank."""
    request = httpx.Request("GET", "https://h")
    next(BearerToken(token).auth_flow(request))
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    "token",
    [
        "",
        "  ",
        "\n",
        f"Bearer {TOKEN}",
        f"{TOKEN}\nX: 1",
        f"{TOKEN}\x00",
        f"{TOKEN}é",
        None,
        1234567,
    ],
)
def test_text_that_is_not_a_token_is_refused(token: str) -> None:
    """The text is refused before it is sent, and not repeated."""
    with pytest.raises(ConfigError) as caught:
        BearerToken(token)
    assert "very-secret" not in str(caught.value)


def test_a_token_cannot_be_read_back() -> None:
    """repr, str, format and vars end up in logs and traces, so none has the token."""
    token = BearerToken(TOKEN)
    assert repr(token) == "BearerToken(***)"
    for text in (str(token), f"{token}", f"{token!r}", str(vars(token))):
        assert "very-secret" not in text


def test_a_token_cannot_be_pickled_or_copied() -> None:
    """A pickled token would be a token in a file."""
    token = BearerToken(TOKEN)
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="cannot be pickled or copied"):
            attempt(token)
