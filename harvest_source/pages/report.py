"""The report: one HTML file with everything in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from harvest_source._version import __version__
from harvest_source.pages.filters import Choices, Filters
from harvest_source.pages.html import (
    build_page,
    build_table,
    escape,
    heading,
    paragraph,
    write_page,
)
from harvest_source.pages.section import PageContext, Section
from harvest_source.pages.sections import build_sections
from harvest_source.pages.tiles import Tile, build_tiles
from harvest_source.pages.words import format_day


def write_report(path: Path, page: PageContext) -> None:
    """
    Write the report.

    Raises:
        ConfigError: The file cannot be written.
    """
    write_page(path, build_report(page))


def build_report(page: PageContext) -> str:
    """Build the report as one HTML page."""
    names = name_accounts(page.choices, page.filters)
    footer = (
        f"harvest-source {__version__}. Money is shown in the currency of each client and never "
        "added across currencies. Definitions: docs/models.md of harvest-source."
    )
    return build_page(f"{names}: report", build_body(page), footer=footer)


def build_body(page: PageContext) -> list[str]:
    """Build title, tiles and sections as HTML; the app shows the same."""
    return [
        heading(1, name_accounts(page.choices, page.filters)),
        f'<p class="sub">{" &middot; ".join(map(_span, describe_report(page)))}</p>',
        build_tiles_html(build_tiles(page)),
        *(part for each in build_sections(page) for part in iter_html(each)),
    ]


def _span(text: str) -> str:
    return f"<span>{escape(text)}</span>"


def name_accounts(choices: Choices, filters: Filters) -> str:
    """The names of the companies that the page is about."""
    known = [
        name or f"account {account}"
        for account, name in choices.accounts
        if not filters.accounts or account in filters.accounts
    ]
    return ", ".join(known) or "Harvest"


def describe_report(page: PageContext) -> list[str]:
    """The line below the title: period, age, accounts, filters, warehouse and version."""
    filters, choices, target = page.filters, page.choices, page.marts.target
    accounts = [str(each) for each, _ in choices.accounts] or ["?"]
    if filters.accounts:
        accounts = [str(each) for each in filters.accounts]
    clients = dict(choices.clients)
    people = dict(choices.people)
    chosen = [clients.get(key, str(key[1])) for key in filters.clients]
    chosen += [people.get(key, str(key[1])) for key in filters.people]
    return [
        page.period,
        f"as of {format_day(choices.as_of)}",
        f"account {', '.join(accounts)}",
        *([f"only {', '.join(chosen)}"] if chosen else []),
        *([f"only {filters.currency}"] if filters.currency else []),
        # Without its folder, which does not interest the readers of a report.
        target.database.name if target.database else str(target),
        f"harvest-source {__version__}",
    ]


def build_tiles_html(tiles: Sequence[Tile]) -> str:
    """Build the tiles: the figures at the top."""
    cells = "".join(
        f'<div class="tile"><div class="label">{escape(tile.label)}</div>'
        f'<div class="value">{escape(tile.value)}</div>'
        f'<div class="more">{escape(tile.more)}</div></div>'
        for tile in tiles
    )
    return f'<div class="tiles">{cells}</div>'


def iter_html(section: Section) -> Iterator[str]:
    """Yield the HTML of one section."""
    yield f'<section id="{section.name}">'
    yield heading(2, section.title)
    yield paragraph(section.about, "about")
    if section.chart:
        yield f'<figure class="chart">{section.chart}</figure>'
    for note in section.notes:
        yield paragraph(note, "note")
    if section.table is not None:
        table = section.table
        yield build_table(table.headings, table.rows, numbers=table.numbers)
    yield "</section>"
