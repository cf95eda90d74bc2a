"""Which accounts a token reaches, and which of them is meant."""

from __future__ import annotations

import random as _random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from harvest_source.api.pages import parse_object
from harvest_source.api.requester import Answer, Exchange, Requester
from harvest_source.api.retry import RetryLimits
from harvest_source.clock import Clock
from harvest_source.errors import AuthError, ConfigError, ResponseError, printable

_PATH = "/api/v2/accounts"
_LABEL = "the list of accounts"
_LARGEST_ID = 2**63 - 1
_WHERE = "Set account_id under [sources.harvest] in .dlt/config.toml"


@dataclass(frozen=True, slots=True)
class Account:
    """
    One account a token reaches.

    Attributes:
        product: ``harvest`` or ``forecast``.
    """

    id: int
    name: str
    product: str


def fetch_accounts(
    id_url: str,
    *,
    auth: httpx.Auth,
    user_agent: str,
    clock: Clock,
    transport: httpx.BaseTransport | None = None,
    random: Callable[[], float] = _random.random,
    limits: RetryLimits = RetryLimits(),  # noqa: B008 - frozen
    on_response: Callable[[Exchange], None] | None = None,
) -> list[Account]:
    """
    Every account the token reaches, in Harvest's order, Forecast's among them.

    Args:
        id_url: The identity host: ``https://id.getharvest.com``.

    Raises:
        ConfigError: *id_url* will not do; nothing was sent.
        AuthError: The token was refused.
        ApiError: No usable answer.
    """
    with Requester(
        base_url=id_url,
        url_name="id_url",
        auth=auth,
        user_agent=user_agent,
        limiter=None,
        clock=clock,
        random=random,
        limits=limits,
        transport=transport,
        on_response=on_response,
    ) as requester:
        return requester.fetch(_PATH, parse=_parse_accounts, label=_LABEL)


def harvest_accounts(accounts: Iterable[Account]) -> list[Account]:
    """Those of the product Harvest: the first of the list is often Forecast's."""
    return [account for account in accounts if account.product == "harvest"]


def choose_account(accounts: Sequence[Account]) -> Account:
    """
    The only Harvest account.

    Raises:
        ConfigError: There are several; the message names them all.
        AuthError: There is none.
    """
    found = harvest_accounts(accounts)
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(f"{account.id} {account.name}".strip() for account in found)
        msg = (
            f"This token reaches {len(found)} Harvest accounts and none was chosen: {names}. "
            f"{_WHERE}, or pass --account."
        )
        raise ConfigError(msg)
    others = f", only {len(accounts)} of other products" if accounts else ""
    msg = (
        f"This token reaches no Harvest account{others}. Make a token as someone who is in the "
        "account: https://id.getharvest.com/developers."
    )
    raise AuthError(msg)


def parse_account_ids(value: object) -> tuple[int, ...]:
    """
    Account ids as people write them: ``1``, ``"1"``, ``"1,2"``, ``"[1, 2]"``, ``[1, "2"]``.

    Returns:
        Each id once, in the order given; empty for None.

    Raises:
        ConfigError: Anything else. The message never repeats the value: tokens end up here.
    """
    if value is None:
        return ()
    parts = list(value) if isinstance(value, list | tuple) else _split(value)
    if not parts:
        msg = f"account_id is empty. {_WHERE}, or leave it out."
        raise ConfigError(msg)
    return tuple(dict.fromkeys(_parse_id(part) for part in parts))


def _split(value: object) -> list[object]:
    if not isinstance(value, str):
        return [value]
    text = value.strip()
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    return [part.strip().strip("'\"") for part in text.split(",")] if text.strip() else []


def _parse_id(part: object) -> int:
    if isinstance(part, str) and ".pt." in part:
        msg = (
            "account_id holds an access token. Move it to credentials.access_token in "
            ".dlt/secrets.toml, and put the account's number in account_id."
        )
        raise ConfigError(msg)
    digits = str(part).strip() if isinstance(part, str | int) else ""
    if not (digits.isascii() and digits.isdigit() and len(digits) < 20):
        msg = f"account_id is not a number, or a list of numbers. {_WHERE}: digits only."
        raise ConfigError(msg)
    number = int(digits)
    if not 0 < number <= _LARGEST_ID:
        msg = f"account_id is out of range: {number}. {_WHERE} to the number Harvest shows."
        raise ConfigError(msg)
    return number


def _parse_accounts(answer: Answer) -> list[Account]:
    rows = parse_object(answer.body, label=_LABEL, path=_PATH).get("accounts")
    if not isinstance(rows, list):
        msg = f'Harvest answered 200 for {_LABEL} without an "accounts" list. Check id_url.'
        raise ResponseError(msg, path=_PATH, status=200)
    return [_parse_account(row) for row in rows]


def _parse_account(row: Any) -> Account:
    number = row.get("id") if isinstance(row, dict) else None
    if type(number) is not int:
        msg = f"Harvest answered 200 for {_LABEL} with an account that has no id. Check id_url."
        raise ResponseError(msg, path=_PATH, status=200)
    return Account(
        id=number,
        name=printable(row.get("name") or "", limit=80),
        product=printable(row.get("product") or "", limit=20),
    )
