"""The accounts a token reaches, and which one to read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from harvest_source.api.attempt import OkResponse
from harvest_source.api.http_context import HttpContext
from harvest_source.api.pages import parse_object
from harvest_source.api.requester import Requester
from harvest_source.defaults import SECTION
from harvest_source.errors import AuthError, ConfigError, ResponseError, printable

_PATH = "/api/v2/accounts"
_LABEL = "the list of accounts"


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


def fetch_accounts(id_url: str, auth: httpx.Auth, http: HttpContext) -> list[Account]:
    """
    Every account the token reaches, Forecast's included, in Harvest's order.

    Args:
        id_url: The identity host: ``https://id.getharvest.com``.

    Raises:
        ConfigError: *id_url* cannot be used; nothing was sent.
        AuthError: The token was refused.
        ApiError: No usable answer.
    """
    with Requester(id_url, http, auth=auth, url_name="id_url") as requester:
        return requester.fetch(_PATH, parse=_parse_accounts, label=_LABEL)


def harvest_accounts(accounts: Iterable[Account]) -> list[Account]:
    """The accounts of the product Harvest. A token's first account is often a Forecast one."""
    return [account for account in accounts if account.product == "harvest"]


def choose_account(accounts: Sequence[Account], section: str = SECTION) -> Account:
    """
    The only Harvest account.

    Args:
        section: Where account_id is to be set, for the message.

    Raises:
        ConfigError: There are several; the message lists them all.
        AuthError: There is none.
    """
    found = harvest_accounts(accounts)
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(f"{account.id} {account.name}".strip() for account in found)
        msg = (
            f"This token reaches {len(found)} Harvest accounts and none was chosen: {names}. "
            f"Set account_id under [{section}] in .dlt/config.toml, or pass --account."
        )
        raise ConfigError(msg)
    others = f", only {len(accounts)} of other products" if accounts else ""
    msg = (
        f"This token reaches no Harvest account{others}. Make a token as a user of the "
        "account: https://id.getharvest.com/developers."
    )
    raise AuthError(msg)


def _parse_accounts(answer: OkResponse) -> list[Account]:
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
