"""Content of the app's notebook: the warehouse as it is now, or why it cannot be shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from harvest_source.errors import HarvestError
from harvest_source.pages.choosing import check_accounts, check_period
from harvest_source.pages.filters import Choices, Filters, RecordKey, read_choices
from harvest_source.pages.html import escape, heading
from harvest_source.pages.marts import open_marts
from harvest_source.pages.report import build_body
from harvest_source.pages.section import PageContext
from harvest_source.warehouse.target import Target

PAGE_WAIT_S: Final = 3.0
"""How long a click waits for a file that a sync has; then the page says so."""

_FIRST_YEAR: Final = 1000
"""First year with four digits. The field gives an earlier one while a year is being typed."""


@dataclass(slots=True)
class Shown:
    """The warehouse that the app shows. There is one per process, set before the server starts."""

    target: Target
    accounts: tuple[int, ...] = ()


_shown: list[Shown] = []


def show(shown: Shown) -> None:
    """Set what every session of the app shows."""
    _shown[:] = [shown]


@dataclass(slots=True)
class Chosen:
    """
    What the user of one session chose: the values of the controls that *Read again* makes anew.

    Attributes:
        start: First day; None: the default period.
        end: Last day; None: the day that the models are as of, which moves with each sync.
        accounts, clients, people: Values of the lists; empty: all.
        currency: Currency of the client; empty: all.
    """

    accounts: Sequence[int]
    start: date | None = None
    end: date | None = None
    clients: Sequence[tuple[RecordKey, ...]] = ()
    people: Sequence[tuple[RecordKey, ...]] = ()
    currency: str = ""

    def keep_period(self, days: tuple[date, date], choices: Choices) -> None:
        """Keep a period; one that ends before it begins is not kept: no field can begin with it."""
        start, end = days
        if start <= end:
            self.start, self.end = start, None if end == choices.as_of else end

    def find_period(self, choices: Choices) -> tuple[date, date]:
        """The kept period, or the default one."""
        if self.start is None:
            return choices.default_period()
        return self.start, self.end or max(self.start, choices.as_of)


def find_choices() -> Choices | str:
    """Read what can be chosen; return HTML that says why if there is nothing to choose from."""
    try:
        with open_marts(_shown[0].target, wait_s=PAGE_WAIT_S) as marts:
            choices = read_choices(marts)
        # If no named account existed, none would be preset and the page would show all accounts.
        check_accounts(choices, preset_accounts())
        return choices
    except HarvestError as error:
        return _explain(error)


def group_by_name(known: Sequence[tuple[RecordKey, str]]) -> dict[str, tuple[RecordKey, ...]]:
    """Group keys by name: two clients may have the same name."""
    groups: dict[str, list[RecordKey]] = {}
    for key, name in known:
        groups.setdefault(name or f"without a name, {key[1]}", []).append(key)
    return {name: tuple(keys) for name, keys in groups.items()}


def find_names(
    groups: Mapping[str, tuple[RecordKey, ...]], chosen: Sequence[tuple[RecordKey, ...]]
) -> list[str]:
    """Names of the groups with a chosen key: after a rename, the new name is chosen."""
    keys = {key for each in chosen for key in each}
    return [name for name, group in groups.items() if not keys.isdisjoint(group)]


def describe_lost(chosen: Chosen, choices: Choices) -> str:
    """
    Say as HTML which filters no longer apply, because the models have lost all that was chosen.

    Such a filter is empty, and the page shows all: without a word, that would look filtered.
    """
    known = {account for account, _ in choices.accounts}
    lost = [
        *(["clients"] if _has_lost(chosen.clients, choices.clients) else []),
        *(["people"] if _has_lost(chosen.people, choices.people) else []),
        *(["currencies"] if chosen.currency and chosen.currency not in choices.currencies else []),
        *(["accounts"] if chosen.accounts and known.isdisjoint(chosen.accounts) else []),
    ]
    text = "".join(
        f"<p>The {each} that were chosen are no longer in the models: all {each} are shown.</p>"
        for each in lost
    )
    return (
        f'<div class="page"><div class="result warn" id="lost">{text}</div></div>' if lost else ""
    )


def _has_lost(
    chosen: Sequence[tuple[RecordKey, ...]], known: Sequence[tuple[RecordKey, str]]
) -> bool:
    keys = {key for each in chosen for key in each}
    return bool(keys) and keys.isdisjoint(key for key, _ in known)


def is_typed(days: tuple[date, date]) -> bool:
    """Whether both years of a period are typed to the end."""
    return all(day.year >= _FIRST_YEAR for day in days)


def build_view(
    choices: Choices,
    *,
    days: tuple[date, date],
    accounts: Sequence[int],
    clients: Sequence[tuple[RecordKey, ...]],
    people: Sequence[tuple[RecordKey, ...]],
    currency: str | None,
) -> str:
    """Build everything below the controls as HTML, or say why there is nothing."""
    start, end = days
    filters = Filters(
        start,
        end,
        accounts=tuple(accounts),
        clients=tuple(key for keys in clients for key in keys),
        people=tuple(key for keys in people for key in keys),
        currency=currency or "",
    )
    try:
        check_period(start, end, "Correct one of the days in Period.")
        with open_marts(_shown[0].target, wait_s=PAGE_WAIT_S) as marts:
            body = "\n".join(build_body(PageContext(marts, filters, choices)))
    except HarvestError as error:
        return _explain(error)
    return f'<div class="page">{body}</div>'


def preset_accounts() -> tuple[int, ...]:
    """The accounts that the command named; empty: all."""
    return _shown[0].accounts


def _explain(error: HarvestError) -> str:
    """Show the error with the message of the command line, which says what to do."""
    text = escape(str(error))
    return (
        f'<div class="page">{heading(1, "Nothing to show yet")}'
        f'<div class="result warn" id="why"><p>{text}</p></div></div>'
    )
