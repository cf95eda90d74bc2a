"""What a page is about, and what a section of it is."""

from __future__ import annotations

from dataclasses import dataclass

from harvest_source.pages.filters import Choices, Filters
from harvest_source.pages.marts import Marts
from harvest_source.pages.words import write_day


@dataclass(frozen=True, slots=True)
class Page:
    """Open models, and what is asked of them."""

    marts: Marts
    filters: Filters
    choices: Choices

    @property
    def period(self) -> str:
        """The days, for people."""
        return f"{write_day(self.filters.start)} to {write_day(self.filters.end)}"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text below a chart; *numbers* are the headings of columns that stand flush right."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """
    One question and its answer.

    Attributes:
        name: For addresses within the page: ``utilization``.
        about: What is shown, and of which days.
        chart: SVG; empty: there is nothing to draw.
        notes: What the figures lack or leave out.
    """

    name: str
    title: str
    about: str
    chart: str = ""
    table: Table | None = None
    notes: tuple[str, ...] = ()
