"""The figures at the top of the pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from harvest_source.pages import figures
from harvest_source.pages.filters import Choices
from harvest_source.pages.marts import Row
from harvest_source.pages.money_sections import sum_open
from harvest_source.pages.section import PageContext
from harvest_source.pages.words import format_hours, format_money, format_share


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure at the top of the page."""

    label: str
    value: str
    more: str = ""


def build_tiles(page: PageContext) -> tuple[Tile, ...]:
    """Build the figures at the top; money by currency, the accounts' own currencies first."""
    hours, capacity = (
        figures.read_hours(page.marts, page.filters),
        figures.read_capacity(page.marts, page.filters),
    )
    total, available = hours["hours"], capacity["available"]
    tiles = [
        Tile(
            "Hours",
            format_hours(total).removesuffix(" h"),
            f"of {hours['people']:,} people" if hours["people"] != 1 else "of one person",
        ),
        Tile(
            "Billable",
            format_share(hours["billable"] / total) if total else "-",
            f"{format_hours(hours['billable'])}",
        ),
        Tile(
            "Utilization",
            format_share(capacity["worked"] / available) if available else "-",
            f"of {format_hours(available)} available, all clients",
        ),
    ]
    uninvoiced = _sum_by_currency(figures.read_uninvoiced(page.marts, page.filters), sum_open)
    tiles.append(_money_tile("Uninvoiced", uninvoiced, page.choices))
    ageing = figures.read_ageing(page.marts, page.filters)
    if ageing is not None:
        overdue = _sum_by_currency(ageing, lambda row: row["due"] if row["order"] > 0 else 0)
        tiles.append(_money_tile("Overdue", overdue, page.choices))
    return tuple(tiles)


def _sum_by_currency(rows: Iterable[Row], amount: Callable[[Row], Any]) -> Mapping[str, float]:
    sums: dict[str, float] = {}
    for row in rows:
        currency = row["currency"] or "?"
        sums[currency] = sums.get(currency, 0.0) + float(amount(row) or 0)
    return {currency: total for currency, total in sums.items() if total}


def _money_tile(label: str, sums: Mapping[str, float], choices: Choices) -> Tile:
    if not sums:
        return Tile(label, "0")
    first, *others = (
        f"{format_money(sums[each])} {each}" for each in choices.sort_currencies(sums)
    )
    return Tile(label, first, ", ".join(others))
