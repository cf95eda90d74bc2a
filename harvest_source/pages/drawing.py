"""
Draws charts as SVG for a page, without a browser.

The colours of text and rules are replaced by the page's own, which differ in dark mode. Those of
marks are legible in both modes, and colour-blind people can tell them apart: blues against orange.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

import vl_convert

from harvest_source.pages.marts import Row

Chart: TypeAlias = Any
"""A chart of Altair, whose methods return unions of its kinds."""

INK: Final = "#1b2330"
MUTED: Final = "#5a6574"
LINE: Final = "#d8dde4"
EMPTY: Final = "#e9ecf0"
_PAGE_COLOURS: Final[Mapping[str, str]] = {
    INK: "ink",
    MUTED: "muted",
    LINE: "line",
    EMPTY: "empty",
}

BLUE: Final = "#2f7ebc"
PALE: Final = "#9cc5e5"
DEEP: Final = "#1d4f7f"
ORANGE: Final = "#dd8427"
GREY: Final = "#a7b0bb"

_FONT: Final = "Helvetica Neue, Helvetica, Arial, sans-serif"

BANDS: Final = (
    ("nothing", 0.0, EMPTY),
    ("under 50 %", 0.5, "#c3daee"),
    ("50 to 80 %", 0.8, "#7fb3dc"),
    ("80 to 100 %", 1.0, "#3f88c1"),
    ("100 to 115 %", 1.15, "#1d4f7f"),
    ("over 115 %", float("inf"), ORANGE),
)
"""Bands of shares of the available hours: name, upper bound (inclusive), colour."""

AGES: Final = (
    ("not due", "not due", PALE),
    ("1-30", "1 to 30", BLUE),
    ("31-60", "31 to 60", DEEP),
    ("61-90", "61 to 90", "#e0a458"),
    (">90", "over 90", "#c25a12"),
)
"""Buckets of the mart, their labels below the bars, and their colours."""


def find_band(share: float) -> str:
    """Find the band of a share of the available hours."""
    return next(name for name, most, _ in BANDS if share <= most)


class Values(str):
    """
    Rows of a chart that look like a text to Altair, which would otherwise copy them at each step.

    Those copies would take most of the time of a page.
    """

    rows: list[Row]

    def __new__(cls, rows: Iterable[Row]) -> Values:
        """Wrap *rows*."""
        made = super().__new__(cls, "rows")
        made.rows = list(rows)
        return made


def _fill(part: Any) -> Any:
    """Replace each :class:`Values` in a chart's specification by its rows."""
    if isinstance(part, Values):
        return part.rows
    if isinstance(part, dict):
        return {name: _fill(value) for name, value in part.items()}
    return [_fill(each) for each in part] if isinstance(part, list) else part


def warm_up() -> None:
    """Start the renderer: the first picture of a process takes a second longer than the others."""
    vl_convert.vegalite_to_svg({"mark": "point", "data": {"values": []}})


def draw(chart: Chart, title: str) -> str:
    """
    Draw a chart as SVG for a page; its colours follow the page's.

    Args:
        title: What the picture shows, for people who cannot see it.
    """
    svg: str = vl_convert.vegalite_to_svg(_fill(_themed(chart).to_dict(validate=False)))
    for colour, name in _PAGE_COLOURS.items():
        svg = svg.replace(f'fill="{colour}"', f'fill="var(--hs-{name})"')
        svg = svg.replace(f'stroke="{colour}"', f'stroke="var(--hs-{name})"')
    svg = _ROLES.sub("", svg)
    svg = _MARK.sub(r"<\1\2\4><title>\3</title></\1>", svg)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{title}" ', 1)


_ROLES: Final = re.compile(r' (?:role="graphics-symbol"|aria-roledescription="[^"]*")')
"""Attributes repeated for each mark, a third of the file; removed."""

_MARK: Final = re.compile(r'<(path)(?= )((?:(?!/>|>).)*?)aria-label="([^"]*)"((?:(?!/>|>).)*)/>')


def _themed(chart: Chart) -> Chart:
    axis = {
        "labelColor": MUTED,
        "titleColor": MUTED,
        "titleFontWeight": "normal",
        "domainColor": LINE,
        "tickColor": LINE,
        "gridColor": LINE,
        "labelFontSize": 11.5,
        "titleFontSize": 11.5,
    }
    return (
        chart.configure(background="transparent", font=_FONT, padding=2)
        .configure_view(stroke=None)
        .configure_axis(**axis)
        .configure_axisY(domain=False, ticks=False)
        .configure_axisX(grid=True, gridOpacity=0.6)
        .configure_axisBand(grid=False, ticks=False, domain=False)
        .configure_legend(
            labelColor=INK,
            titleColor=MUTED,
            titleFontWeight="normal",
            labelFontSize=11.5,
            titleFontSize=11.5,
            labelLimit=260,
            offset=10,
        )
        .configure_header(labelColor=INK)
        .configure_title(color=INK, fontSize=12.5, fontWeight="bold", offset=8)
    )
