"""Turns the options that people type into the filters of a page."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from datetime import date

from harvest_source.config.parse import parse_accounts, parse_date
from harvest_source.errors import ConfigError, printable
from harvest_source.pages.filters import Choices, Filters, RecordKey


def build_filters(
    choices: Choices,
    *,
    since: str | None = None,
    until: str | None = None,
    account: Sequence[str] = (),
    client: Sequence[str] = (),
    person: Sequence[str] = (),
    currency: str | None = None,
) -> Filters:
    """
    Build filters from typed options; the default period is the last twelve months.

    Raises:
        ConfigError: An option names something that the models lack, or the end is before the start.
    """
    first, last = choices.default_period()
    end = parse_date(until, "--until") or last
    start = parse_date(since, "--since") or min(first, end)
    check_period(start, end, "Correct --since or --until.")
    accounts = parse_accounts(account)
    check_accounts(choices, accounts)
    return Filters(
        start,
        end,
        accounts=accounts,
        clients=tuple(key for each in client for key in _find(each, choices.clients, "client")),
        people=tuple(key for each in person for key in _find(each, choices.people, "person")),
        currency=_find_currency(currency, choices),
    )


def check_period(start: date, end: date, advice: str) -> None:
    """
    Check that a period does not end before it begins.

    Args:
        advice: The end of the message: where to correct the period.

    Raises:
        ConfigError: It does: no day is in it, and its figures would be zeros.
    """
    if start > end:
        raise ConfigError(f"The period ends on {end}, before it begins on {start}. {advice}")


def check_accounts(choices: Choices, accounts: Sequence[int]) -> None:
    """
    Check that the models have all *accounts*.

    Raises:
        ConfigError: One account is missing.
    """
    known = [each for each, _ in choices.accounts]
    if known and (others := [each for each in accounts if each not in known]):
        msg = (
            f"The models have no account {others[0]}. They have: {', '.join(map(str, known))}. "
            "Name one of them with --account."
        )
        raise ConfigError(msg)


def _find(text: str, known: Sequence[tuple[RecordKey, str]], what: str) -> list[RecordKey]:
    """Find the keys of everything with this name or id."""
    wanted = text.strip().lower()
    found = [key for key, name in known if wanted in (name.lower(), str(key[1]))]
    if not found:
        names = sorted({name for _, name in known})
        near = difflib.get_close_matches(text, names, 3, 0.4) or names[:3]
        msg = (
            f"There is no {what} {printable(text, limit=80)!r} in the models. "
            f"Name one of them in full: {', '.join(near)}"
        )
        raise ConfigError(msg)
    return found


def _find_currency(text: str | None, choices: Choices) -> str:
    if text is None:
        return ""
    if text.upper() not in choices.currencies:
        msg = (
            f"No client has the currency {printable(text, limit=20)!r}. "
            f"Choose one of: {', '.join(choices.currencies)}"
        )
        raise ConfigError(msg)
    return text.upper()
