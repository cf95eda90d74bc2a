"""Output of ``harvest-source auth``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from harvest_source.auth.profiles import build_auth_command
from harvest_source.cli.console import Console, print_figures, print_json, print_table
from harvest_source.errors import counted

if TYPE_CHECKING:
    from harvest_source.operations.health_report import HealthReport
    from harvest_source.operations.login import LoginReport
    from harvest_source.operations.revocation import RevocationReport
    from harvest_source.operations.sign_in_status import StatusReport

_STATES: Final[Mapping[str, str]] = {
    "ok": "works: Harvest accepts it",
    "kept": "not checked; --check asks Harvest",
    "dead": "dead: sign in again",
    "none": "not signed in",
    "unknown": "not known",
}

_HEALTH: Final = ("Profile", "Place", "State", "Kind", "User", "Roles", "Expires", "Refreshed")

_HARVEST_SIDES: Final[Mapping[str, str]] = {
    "nothing": "",
    "ended": "Harvest has ended it too.",
    "by_hand": "Harvest offers no way to end it from here and still accepts it. Its owner has to "
    "revoke it at https://id.getharvest.com/developers.",
    "failed": "",
}
"""What happened to a revoked sign-in at Harvest; a failure is listed with the errors."""

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
"""Keys of a status report in the order of the table; empty ones are left out."""


def show_address(url: str, *, by_hand: bool) -> None:
    """Print where to sign in: on stderr, on a line of its own, so that it can be copied whole."""
    if by_hand:
        click.echo(
            "Open this address in any browser. The page it leads to afterwards need not load: copy "
            "its address back here.\n",
            err=True,
        )
    else:
        click.echo(
            "Your browser should open. If it does not, open this address yourself:\n", err=True
        )
    click.echo(f"{url}\n", err=True)


def show_login(console: Console, report: LoginReport) -> None:
    """Show the result of a login."""
    found = report.as_dict()
    if console.as_json:
        print_json(found)
        return
    if len(report.accounts) > 1:
        _print_accounts(found["accounts"])
    place = ""
    if found["account_id"]:
        roles = ", ".join(found["roles"]) or "no role"
        place = f" to account {found['account_id']} {found['account']} as {found['user']} ({roles})"
    print(f"ok: signed in{place}, profile {report.profile}")
    if report.overruled_by:
        console.note(
            "warning",
            f"{report.overruled_by} takes precedence over this sign-in. Remove it to use this one.",
        )


def show_status(console: Console, report: StatusReport) -> None:
    """Show what is known about a sign-in."""
    found = report.as_dict()
    if console.as_json:
        print_json(found)
        return
    if report.error is not None:
        console.error(str(report.error))
    for notice in report.notices:
        console.warn(notice)
    if console.quiet:
        print(f"profile {report.profile}: {_STATES[report.state]}")
        return
    rows = [("profile", report.profile), ("state", _STATES[report.state])]
    for name in _SHOWN:
        value = found[name]
        text = ", ".join(map(str, value)) if isinstance(value, list) else value
        if text:
            rows.append((name.replace("_", " "), str(text)))
    print_table(("Sign-in", ""), rows)


def show_health(console: Console, report: HealthReport) -> None:
    """Show the state of every sign-in."""
    found = report.as_dict()
    if console.as_json:
        print_json(found)
        return
    for each in report.sign_ins:
        if each.report.error is not None:
            mark = "error" if each.is_used else "note"
            console.note(
                mark, f"profile {each.report.profile}: {each.report.error}", always=each.is_used
            )
        for change in each.role_changes:
            text = f"profile {each.report.profile}: {change}. It may see other rows now."
            console.note("warning", text, always=True)
    for text, always in _list_warnings(report):
        console.note("warning", text, always=always)
    if console.quiet:
        number = sum(each.needs_owner for each in report.sign_ins)
        print(f"{report.status}: {counted(len(report.sign_ins), 'sign-in')}, {number} to renew")
        return
    rows = [_build_health_row(entry) for entry in found["sign_ins"]]
    print_figures(_HEALTH, rows, expendable="Kind")


def _list_warnings(report: HealthReport) -> list[tuple[str, bool]]:
    """
    Each warning once, and whether it is shown even with ``--quiet``.

    A warning that several sign-ins share names no profile.
    """
    counts = Counter(notice for each in report.sign_ins for notice in each.report.notices)
    found = [(text, True) for text in report.warnings]
    for each in report.sign_ins:
        for notice in each.report.notices:
            is_shared = counts[notice] > 1
            text = notice.text if is_shared else f"profile {each.report.profile}: {notice.text}"
            found.append((text, notice.kind.is_urgent))
    return list(dict.fromkeys(found))


def _build_health_row(entry: Mapping[str, Any]) -> tuple[str, ...]:
    since = entry["refused_since"]
    state = f"refused since {_cut_time(since)}" if since else entry["state"]
    return (
        entry["profile"],
        f"{entry['place']}{'' if entry['used'] else ', not used'}",
        state,
        entry["kind"] or "",
        entry["user"],
        ", ".join(entry["roles"]),
        _cut_time(entry["expires_at"]),
        _cut_time(entry["refreshed_at"]),
    )


def _cut_time(instant: str | None) -> str:
    """Shorten an instant in ISO 8601 to ``2026-11-22 08:00``; UTC."""
    return (instant or "")[:16].replace("T", " ")


def show_revocation(console: Console, report: RevocationReport) -> None:
    """Show the result of a revocation."""
    if console.as_json:
        print_json(report.as_dict())
        return
    for error in report.errors:
        console.error(str(error))
    ended = [f"{number} {name}" for name, number in report.ended.items()]
    here = "forgotten here" if report.was_saved else "not in the vault"
    state = "partial" if report.errors else "ok"
    print(f"{state}: profile {report.profile} is {', '.join((here, *ended))}")
    if text := _HARVEST_SIDES[report.harvest]:
        console.note("note", text, always=True)


def show_accounts(console: Console, found: Sequence[Mapping[str, Any]]) -> None:
    """Show the accounts that a credential can access."""
    if console.as_json:
        print_json({"status": "ok", "accounts": list(found)})
    else:
        _print_accounts(found)


def show_logout(console: Console, profile: str, *, was_there: bool) -> None:
    """Show the result of a logout."""
    if console.as_json:
        print_json({"status": "ok", "profile": profile, "forgotten": was_there})
    elif not was_there:
        print(f"ok: profile {profile} was not signed in")
    else:
        print(f"ok: profile {profile} is forgotten here")
        console.note(
            "note",
            "Harvest still accepts the login; revoke it at https://id.getharvest.com/developers. "
            f"To sign in again: {build_auth_command('login', profile)}",
        )


def show_rotation(console: Console, count: int, place: str) -> None:
    """Show the result of a key rotation."""
    if console.as_json:
        print_json({"status": "ok", "logins": count, "key": place})
    else:
        print(f"ok: {counted(count, 'sign-in')} sealed with the new key in {place}")


def _print_accounts(found: Sequence[Mapping[str, Any]]) -> None:
    rows = [
        (str(row["id"]), row["name"], row["product"], "chosen" if row["chosen"] else "")
        for row in found
    ]
    print_table(("Account", "Name", "Product", ""), rows)
