"""Which account is chosen at sign-in."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from harvest_source.auth.accounts import Account
from harvest_source.errors import AuthError, ConfigError
from harvest_source.operations.login import account_dict, pick_account

ACME, LABS = Account(1001, "Acme", "harvest"), Account(1002, "Acme Labs", "harvest")
FORECAST = Account(77, "Acme", "forecast")


def forbid(_: Sequence[Account]) -> int | None:
    raise AssertionError("a person was asked")


def test_the_only_account_is_chosen() -> None:
    """Forecast's accounts do not count, and no person is asked."""
    assert pick_account([FORECAST, ACME], None, forbid) == ACME


@pytest.mark.parametrize("wanted", ["1002", 1002, [1002]])
def test_a_wanted_account_is_chosen(wanted: object) -> None:
    """The account may be written as in an option or in a setting."""
    assert pick_account([ACME, LABS], wanted, forbid) == LABS


@pytest.mark.parametrize("wanted", ["77", "999"])
def test_an_account_that_is_not_reached_is_refused(wanted: str) -> None:
    """So is an account of another product; the error names the reachable ones."""
    with pytest.raises(ConfigError, match="1001 Acme, 1002 Acme Labs"):
        pick_account([FORECAST, ACME, LABS], wanted, forbid)


def test_a_person_chooses_among_several() -> None:
    """Only Harvest's accounts are shown."""
    shown: list[Account] = []

    def ask(accounts: Sequence[Account]) -> int | None:
        shown.extend(accounts)
        return 1002

    assert pick_account([FORECAST, ACME, LABS], None, ask) == LABS
    assert shown == [ACME, LABS]


@pytest.mark.parametrize("wanted", [None, "1001,1002"])
def test_without_a_choice_there_is_no_account(wanted: str | None) -> None:
    """There was no answer at the prompt, or the configuration has several accounts."""
    assert pick_account([ACME, LABS], wanted, lambda _: None) is None


def test_a_token_that_reaches_no_account_is_refused() -> None:
    """There is nothing to choose from."""
    with pytest.raises(AuthError):
        pick_account([FORECAST], None, forbid)


def test_the_chosen_account_is_marked() -> None:
    """The list is that of ``auth accounts --json``."""
    assert account_dict(ACME, 1001) == {
        "id": 1001,
        "name": "Acme",
        "product": "harvest",
        "chosen": True,
    }
    assert not account_dict(LABS, 1001)["chosen"]
