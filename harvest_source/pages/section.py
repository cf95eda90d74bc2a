"""The data types of a page, its sections and their tables."""

from __future__ import annotations

from dataclasses import dataclass

from harvest_source.pages.filters import Choices, Filters
from harvest_source.pages.marts import Marts
from harvest_source.pages.words import format_day


@dataclass(frozen=True, slots=True)
class PageContext:
    """Open models, and the filters of the page."""

    marts: Marts
    filters: Filters
    choices: Choices

    @property
    def period(self) -> str:
        """The period, written for people."""
        return f"{format_day(self.filters.start)} to {format_day(self.filters.end)}"


@dataclass(frozen=True, slots=True)
class TextTable:
    """Rows of text below a chart; *numbers* are the headings of right-aligned columns."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """
    One question and its answer.

    Attributes:
        name: Anchor within the page: ``utilization``.
        about: What is shown, and for which days.
        chart: SVG; empty: there is nothing to draw.
        notes: What the figures lack or leave out.
    """

    name: str
    title: str
    about: str
    chart: str = ""
    table: TextTable | None = None
    notes: tuple[str, ...] = ()
