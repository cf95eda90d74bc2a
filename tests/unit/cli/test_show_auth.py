"""What ``harvest-source auth`` prints for people."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from harvest_source.auth.accounts import Account
from harvest_source.auth.saved_login import SavedLogin
from harvest_source.auth.token_endpoint import Tokens
from harvest_source.cli.console import Console
from harvest_source.cli.show_auth import (
    show_accounts,
    show_address,
    show_login,
    show_logout,
    show_rotation,
    show_status,
)
from harvest_source.errors import AuthError
from harvest_source.notices import Notice, NoticeKind
from harvest_source.operations.login import LoginReport, account_dict
from harvest_source.operations.sign_in_status import SignInState, StatusReport

Screen = Callable[[int], None]
Capture = pytest.CaptureFixture[str]

ACME, LABS = Account(1001, "Acme", "harvest"), Account(1002, "Acme Labs", "harvest")
CAREFUL = Notice(NoticeKind.SIGN_IN, "careful")
URL = "https://id.getharvest.com/oauth2/authorize?client_id=app&state=" + "x" * 200


def login(*accounts: Account, overruled_by: str = "", **fields: Any) -> LoginReport:
    given: dict[str, Any] = {
        "tokens": Tokens("access-secret", "refresh-secret"),
        "account_id": 1001,
        "account_name": "Acme",
        "user": "Ada Abbott",
        "roles": ("administrator",),
    }
    saved = SavedLogin(**{**given, **fields})
    return LoginReport("default", saved, accounts or (ACME,), "/vault", overruled_by)


@pytest.mark.parametrize("by_hand", [True, False])
def test_an_address_is_never_broken_over_lines(
    capsys: Capture, screen: Screen, by_hand: bool
) -> None:
    """The address is never broken, however long it is, because people copy it."""
    screen(80)
    show_address(URL, by_hand=by_hand)
    captured = capsys.readouterr()
    assert URL in captured.err.splitlines()
    assert captured.out == ""


def test_a_login_names_the_person_and_the_account(capsys: Capture) -> None:
    """The login is one line, without a token."""
    show_login(Console(), login())
    captured = capsys.readouterr()
    assert captured.out == (
        "ok: signed in to account 1001 Acme as Ada Abbott (administrator), profile default\n"
    )
    assert captured.err == ""


def test_a_login_without_an_account_names_neither(capsys: Capture) -> None:
    """The accounts are listed, and none is chosen."""
    show_login(Console(), login(ACME, LABS, account_id=None, account_name="", user="", roles=()))
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "ok: signed in, profile default"
    assert any("1002" in line for line in lines)
    assert not any("chosen" in line for line in lines)


def test_an_unused_login_is_warned_about(capsys: Capture) -> None:
    """A credential in the configuration takes precedence."""
    show_login(Console(), login(overruled_by="SOURCES__HARVEST__CREDENTIALS__ACCESS_TOKEN"))
    assert "ACCESS_TOKEN takes precedence over this sign-in" in capsys.readouterr().err


ACCOUNTS = """\

 Account   Name        Product
 ──────────────────────────────────────
 1001      Acme        harvest   chosen
 1002      Acme Labs   harvest

"""


@pytest.mark.parametrize("columns", [80, 100, 140])
def test_accounts_are_a_table(capsys: Capture, screen: Screen, columns: int) -> None:
    """The chosen one is marked."""
    screen(columns)
    show_accounts(Console(), [account_dict(each, 1001) for each in (ACME, LABS)])
    assert capsys.readouterr().out == ACCOUNTS


def test_a_dead_sign_in_says_why(capsys: Capture) -> None:
    """The error is on stderr, the known facts on stdout; empty lines are omitted."""
    error = AuthError("Harvest refused the token.")
    show_status(Console(), StatusReport("work", SignInState.DEAD, "/vault", error=error))
    captured = capsys.readouterr()
    assert captured.err == "error: Harvest refused the token.\n"
    assert "dead: sign in again" in captured.out
    assert "scope" not in captured.out


@pytest.mark.parametrize("state", SignInState)
def test_every_sign_in_state_has_a_text(capsys: Capture, state: SignInState) -> None:
    """Every state has a text, so a new state needs one."""
    show_status(Console(), StatusReport("work", state, "/vault"))
    assert " state " in capsys.readouterr().out


def test_a_logout_says_that_harvest_still_knows_the_login(capsys: Capture) -> None:
    """The sign-in is forgotten here; only Harvest can revoke it."""
    show_logout(Console(), "work", was_there=True)
    captured = capsys.readouterr()
    assert captured.out == "ok: profile work is forgotten here\n"
    assert "revoke it at https://id.getharvest.com/developers" in captured.err
    assert "harvest-source auth login --profile work" in captured.err


def test_a_logout_without_a_login_is_no_failure(capsys: Capture) -> None:
    """There is nothing to revoke either."""
    show_logout(Console(), "work", was_there=False)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("ok: profile work was not signed in\n", "")


def test_every_report_has_a_json_form(capsys: Capture) -> None:
    """Each report is one object, and stderr is empty."""
    console = Console(as_json=True)
    show_login(console, login(overruled_by="somewhere"))
    show_accounts(console, [account_dict(ACME, 1001)])
    show_status(console, StatusReport("work", SignInState.KEPT, "/vault", notices=(CAREFUL,)))
    show_logout(console, "work", was_there=True)
    show_rotation(console, 2, "the keyring")
    captured = capsys.readouterr()
    objects = [json.loads(line) for line in captured.out.splitlines()]
    assert [each["status"] for each in objects] == ["ok"] * 5
    assert captured.err == ""
    assert "secret" not in captured.out
