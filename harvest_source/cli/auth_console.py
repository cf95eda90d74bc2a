"""What people see of ``harvest-source auth``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from harvest_source.auth.saved_login import build_auth_command
from harvest_source.cli.console import print_rows
from harvest_source.errors import counted

if TYPE_CHECKING:
    from harvest_source.cli.options import Context
    from harvest_source.operations.login import LoginReport, StatusReport

_STATES: Final[Mapping[str, str]] = {
    "ok": "works: Harvest was asked",
    "kept": "not asked; --check asks Harvest",
    "dead": "dead: sign in again",
    "none": "not signed in",
    "unknown": "not known: Harvest did not answer",
}

_SHOWN: Final = (
    "kind",
    "source",
    "account_ids",
    "account",
    "user",
    "roles",
    "scope",
    "expires_at",
    "refreshed_at",
    "signed_in_at",
    "unused",
    "key",
    "profiles",
)


def address(url: str, *, by_hand: bool) -> None:
    """Where to sign in: on stderr, alone on its line, so that it can be copied whole."""
    if by_hand:
        click.echo(
            "Open this address in any browser. Where it leads afterwards need not load: copy that "
            "address back here.\n",
            err=True,
        )
    else:
        click.echo("Your browser opens. If it does not, open this address yourself:\n", err=True)
    click.echo(f"{url}\n", err=True)


def login(context: Context, report: LoginReport) -> None:
    """The end of a login."""
    if context.as_json:
        print(json.dumps(report.as_dict()))
        return
    found = report.as_dict()
    if len(report.accounts) > 1:
        _print_accounts(found["accounts"])
    where = f"account {found['account_id']} {found['account']}" if found["account_id"] else ""
    who = f" as {found['user']} ({', '.join(found['roles']) or 'no role'})" if where else ""
    print(f"ok: signed in{f' to {where}' if where else ''}{who}, profile {report.profile}")
    if report.overruled_by:
        context.console.note(
            "warning",
            f"{report.overruled_by} still counts before this sign-in. Remove it to use this one.",
        )


def status(context: Context, report: StatusReport) -> None:
    """What is known of a sign-in."""
    found = report.as_dict()
    if context.as_json:
        print(json.dumps(found))
        return
    if report.error is not None:
        context.console.error(str(report.error))
    for warning in report.warnings:
        context.console.note("warning", warning)
    rows = [("profile", report.profile), ("state", _STATES[report.state])]
    for name in _SHOWN:
        value = found[name]
        text = ", ".join(map(str, value)) if isinstance(value, list) else value
        if text:
            rows.append((name.replace("_", " "), str(text)))
    print_rows(("Sign-in", ""), rows)


def accounts(context: Context, found: Sequence[Mapping[str, Any]]) -> None:
    """The accounts a credential reaches."""
    if context.as_json:
        print(json.dumps({"status": "ok", "accounts": list(found)}))
        return
    _print_accounts(found)


def logout(context: Context, profile: str, was_there: bool) -> None:
    """The end of a logout."""
    if context.as_json:
        print(json.dumps({"status": "ok", "profile": profile, "forgotten": was_there}))
        return
    if not was_there:
        print(f"ok: profile {profile} was not signed in")
        return
    print(f"ok: profile {profile} is forgotten here")
    context.console.note(
        "note",
        "Harvest still knows the login; revoke it at https://id.getharvest.com/developers. "
        f"To sign in again: {build_auth_command('login', profile)}",
    )


def rotation(context: Context, count: int, place: str) -> None:
    """The end of a change of keys."""
    if context.as_json:
        print(json.dumps({"status": "ok", "logins": count, "key": place}))
        return
    print(f"ok: {counted(count, 'sign-in')} sealed with the new key in {place}")


def _print_accounts(found: Sequence[Mapping[str, Any]]) -> None:
    rows = [
        (str(row["id"]), row["name"], row["product"], "chosen" if row["chosen"] else "")
        for row in found
    ]
    print_rows(("Account", "Name", "Product", ""), rows)
