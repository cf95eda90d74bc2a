"""
Charts as functions of rows. :mod:`harvest_source.pages.drawing` turns them into pictures.

Each mark has a ``text`` of its own, which a browser shows as a tooltip and a screen reader reads.
Amounts of two currencies never share an axis.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Final

import altair as alt

from harvest_source.pages.drawing import (
    AGES,
    BANDS,
    BLUE,
    DEEP,
    GREY,
    INK,
    LINE,
    MUTED,
    ORANGE,
    PALE,
    Chart,
    Values,
    find_band,
)
from harvest_source.pages.marts import Row

_ROW: Final = 22
"""Height of a bar with the space around it."""
_WIDE: Final = 1060
"""Width of a chart that fills the page."""
_MONTH: Final = 40
"""Minimum width of a column labelled with month and year."""
_NOTE: Final = 32
"""Minimum width of a bar with a note above it: the notes of narrower bars would overlap."""


def draw_utilization(
    rows: Sequence[Row], labels: Sequence[str], periods: Sequence[str], *, by_month: bool
) -> Chart:
    """
    Draw a heat map of people and weeks, or months.

    Args:
        rows: ``label`` of a person, ``period`` as ISO date, ``share``, ``text``.
        labels: Labels of the people from the top down.
        periods: Every week or month as ISO date, from left to right; one may have no row.
    """
    count = max(len(periods), 1)
    step = max(min((_WIDE - 210) // count, 46), 12)
    if not by_month:
        when = "utcdate(toDate(datum.value)) <= 7 ? utcFormat(toDate(datum.value), '%b') : ''"
    elif step >= _MONTH:
        when = "utcFormat(toDate(datum.value), '%b %y')"
    else:  # Years only: the names of months would overlap.
        when = "utcmonth(toDate(datum.value)) ? '' : utcFormat(toDate(datum.value), '%Y')"
    values = [{**row, "band": find_band(row["share"])} for row in rows]
    return (
        alt.Chart(_data(values))
        .mark_rect(cornerRadius=2)
        .encode(
            x=alt.X(
                "period:O",
                title="Month" if by_month else "Week, by its first day",
                axis=alt.Axis(labelExpr=when, labelAngle=0, labelOverlap=False, labelAlign="left"),
                scale=alt.Scale(domain=list(periods), paddingInner=0.12),
            ),
            y=alt.Y("label:N", title=None, scale=alt.Scale(domain=list(labels), paddingInner=0.12)),
            color=alt.Color(
                "band:N",
                title="Worked, of the hours available",
                scale=alt.Scale(domain=[b[0] for b in BANDS], range=[b[2] for b in BANDS]),
                legend=alt.Legend(orient="top", symbolType="square", columns=6),
            ),
            description="text:N",
        )
        .properties(width=step * count, height=17 * max(len(labels), 1))
    )


def draw_mix(rows: Sequence[Row]) -> Chart:
    """
    Draw hours by month or week, billable ones at the bottom of each bar.

    Args:
        rows: ``period`` as written below the bars, ``kind``, ``hours``, ``text``; the first kind of
            each period also has ``note`` and ``top``.
    """
    order = list(dict.fromkeys(row["period"] for row in rows))
    data = _data(rows)
    x = alt.X(
        "period:O",
        title=None,
        scale=alt.Scale(domain=order),
        axis=alt.Axis(labelAngle=0, labelOverlap=True),
    )
    bars = (
        alt.Chart(data)
        .mark_bar(cornerRadius=1)
        .encode(
            x=x,
            y=alt.Y("hours:Q", title="Hours", stack="zero", axis=alt.Axis(format=",~f")),
            # Leave room above the bars for the notes.
            color=_kinds((("Billable", BLUE), ("Not billable", GREY)), offset=24),
            order=alt.Order("rank:Q"),
            description="text:N",
        )
    )
    notes = (
        alt.Chart(_data([row for row in rows if row.get("note")]))
        .mark_text(baseline="bottom", dy=-4, fontSize=11, color=INK)
        .encode(x=x, y=alt.Y("top:Q"), text="note:N")
    )
    step = max(min(_WIDE // max(len(order), 1), 78), 4)
    layers = (bars, notes) if has_room(len(order)) else (bars,)
    return alt.layer(*layers).properties(width=step * max(len(order), 1), height=230)


def has_room(periods: int) -> bool:
    """Whether the bars of :func:`draw_mix` are wide enough for the notes above them."""
    return periods * _NOTE <= _WIDE


def draw_budgets(rows: Sequence[Row]) -> Chart:
    """
    Draw how much of each budget is spent, with a line where it is used up.

    Args:
        rows: ``label``, ``share``, ``state`` (within or over), ``note`` beside the bar, ``text``.
    """
    most = max([1.1, *(row["share"] for row in rows)])
    bound = min(most, 1.6)
    values = [{**row, "shown": max(min(row["share"], bound), 0)} for row in rows]
    data = _data(values)
    y = _labels(rows)
    width = 430
    bars = (
        alt.Chart(data)
        .mark_bar(height=13, cornerRadius=1)
        .encode(
            x=alt.X(
                "shown:Q",
                title="Share of the budget that is spent",
                scale=alt.Scale(domain=[0, bound], nice=False),
                axis=alt.Axis(format="%", tickCount=6),
            ),
            y=y,
            color=_kinds((("within the budget", BLUE), ("over it", ORANGE)), field="state"),
            description="text:N",
        )
    )
    full = (
        alt.Chart(_data([{"full": 1}]))
        .mark_rule(color=INK, strokeWidth=1.5)
        .encode(x=alt.X("full:Q"))
    )
    return alt.layer(bars, full, _notes(data, y, width)).properties(
        width=width, height=_ROW * len(rows)
    )


def draw_burn(rows: Sequence[Row], titles: Sequence[str], as_of: date) -> Chart:
    """
    Draw how each budget was spent so far, and as a dashed line, the outlook.

    Args:
        rows: ``title`` of the budget, ``day`` as ISO date, ``share``, ``kind`` (spent or outlook);
            marked points have ``text``, and ``note`` (now) or ``out`` (when it runs out).
        titles: Titles of the budgets in the order of the small charts.
    """
    most, days = max([1.05, *(row["share"] for row in rows)]), sorted(row["day"] for row in rows)
    x = alt.X(
        "day:T",
        title=None,
        scale=alt.Scale(domain=[days[0], days[-1]], type="utc"),
        axis=alt.Axis(format="%b %y", tickCount=4, labelFlush=True),
    )
    y = alt.Y(
        "share:Q",
        title=None,
        scale=alt.Scale(domain=[0, most], nice=False),
        axis=alt.Axis(format="%", values=[0, 0.5, 1]),
    )
    dashes = alt.Scale(domain=["spent", "outlook"], range=[[1, 0], [4, 4]])
    base = alt.Chart().encode(x=x, y=y)
    today = alt.Chart().mark_rule(color=LINE, strokeWidth=1.5)
    layers = (
        today.transform_calculate(day=f"toDate('{as_of.isoformat()}')").encode(x=x),
        alt.Chart().mark_rule(color=MUTED).encode(y=alt.YDatum(1)),
        base.mark_line(strokeWidth=2, color=BLUE).encode(
            strokeDash=alt.StrokeDash("kind:N", scale=dashes, legend=None)
        ),
        base.transform_filter("isValid(datum.text)")
        .mark_point(filled=True, size=45, color=ORANGE)
        .encode(description="text:N"),
        base.transform_filter("isValid(datum.out)")
        .mark_text(align="right", dx=-7, dy=-9, fontSize=11, color=INK)
        .encode(text="out:N"),
        base.transform_filter("isValid(datum.note)")
        .mark_text(align="left", dx=7, dy=9, fontSize=11, color=INK)
        .encode(text="note:N"),
    )
    small = alt.layer(*layers, data=_data(rows)).properties(width=285, height=110)
    return _repeat(small, "title", titles)


def draw_uninvoiced(groups: Mapping[str, Sequence[Row]]) -> Chart:
    """
    Draw what is not invoiced, by client: a chart for each currency.

    Args:
        groups: By currency, rows with ``label``, ``kind``, ``rank``, ``amount``, ``text``; the
            first of each label has ``note``.
    """
    kinds = (("Time", BLUE), ("Fixed fees", DEEP), ("Expenses", PALE), ("On drafts", GREY))
    charts = []
    for currency, rows in groups.items():
        data = _data(rows)
        y, width = _labels(rows), 430
        bars = (
            alt.Chart(data)
            .mark_bar(height=13, cornerRadius=1)
            .encode(
                x=_money("amount", currency),
                y=y,
                color=_kinds(kinds),
                order=alt.Order("rank:Q"),
                description="text:N",
            )
        )
        notes = _notes(_data([row for row in rows if row.get("note")]), y, width)
        count = len({row["label"] for row in rows})
        charts.append(alt.layer(bars, notes).properties(width=width, height=_ROW * count))
    return alt.vconcat(*charts, spacing=18).resolve_scale(x="independent", y="independent")


def draw_ageing(groups: Mapping[str, Sequence[Row]]) -> Chart:
    """
    Draw what is due by how long it has been due: a chart with its own axis for each currency.

    Args:
        groups: By currency, rows with ``bucket``, ``due``, ``note``, ``text``.
    """
    names = {bucket: name for bucket, name, _ in AGES}
    rows = [
        {**row, "age": names[row["bucket"]], "title": f"Due, {currency}"}
        for currency, ours in groups.items()
        for row in ours
    ]
    x = alt.X(
        "age:N",
        title="Days overdue",
        scale=alt.Scale(domain=list(names.values())),
        axis=alt.Axis(labelAngle=0),
    )
    y = alt.Y("due:Q", title=None, axis=alt.Axis(labelExpr=_SHORT, tickCount=4))
    colours = alt.Scale(domain=list(names.values()), range=[each[2] for each in AGES])
    bars = (
        alt.Chart()
        .mark_bar(cornerRadius=1, width=34)
        .encode(
            x=x, y=y, color=alt.Color("age:N", scale=colours, legend=None), description="text:N"
        )
    )
    notes = (
        alt.Chart()
        .mark_text(baseline="bottom", dy=-3, fontSize=11, color=INK)
        .encode(x=x, y=y, text="note:N")
    )
    small = alt.layer(bars, notes, data=_data(rows)).properties(width=290, height=120)
    titles = list(dict.fromkeys(row["title"] for row in rows))
    return _repeat(small, "title", titles).resolve_scale(y="independent")


def draw_margins(rows: Sequence[Row]) -> Chart:
    """
    Draw the margin of each client as a share of its revenue.

    Args:
        rows: ``label``, ``share``, ``state`` (of all hours, or of a part), ``note``, ``text``.
    """
    shares = [row["share"] for row in rows]
    low, high = max(min([0, *shares]), -1.0), min(max([0.5, *shares]), 1.0)
    data = _data([{**row, "shown": min(max(row["share"], -1.0), 1.0)} for row in rows])
    y, width = _labels(rows), 430
    bars = (
        alt.Chart(data)
        .mark_bar(height=13, cornerRadius=1)
        .encode(
            x=alt.X(
                "shown:Q",
                title="Margin, share of the revenue",
                scale=alt.Scale(domain=[low, high], nice=False),
                axis=alt.Axis(format="%", tickCount=6),
            ),
            y=y,
            color=_kinds(
                (("all hours known", BLUE), ("a part of the hours", PALE), ("a loss", ORANGE)),
                field="state",
            ),
            description="text:N",
        )
    )
    return alt.layer(bars, _notes(data, y, width)).properties(width=width, height=_ROW * len(rows))


def draw_missing(rows: Sequence[Row], start: date, end: date) -> Chart:
    """
    Draw the days on which people logged nothing, one mark each.

    Args:
        rows: ``label`` of a person, ``day`` as ISO date, ``text``; people from the top down.
    """
    labels = list(dict.fromkeys(row["label"] for row in rows))
    return (
        alt.Chart(_data(rows))
        .mark_tick(thickness=4, height=12, color=ORANGE)
        .encode(
            x=alt.X(
                "day:T",
                title=None,
                scale=alt.Scale(
                    domain=[start.isoformat(), (end + timedelta(days=1)).isoformat()], type="utc"
                ),
                axis=alt.Axis(format="%-d %b", tickCount=8, labelFlush=True),
            ),
            y=_labels(rows),
            description="text:N",
        )
        .properties(width=620, height=18 * max(len(labels), 1))
    )


_SHORT: Final = "format(datum.value, abs(datum.value) < 1 ? '~f' : '~s')"
"""
Axis label of an amount: 20,000 as 20k. The full amount is beside the bar.

Below 1, the short form would be in thousandths: 200m for 0.2.
"""


def _data(rows: Iterable[Row]) -> Chart:
    return alt.Data(values=Values(rows))  # type: ignore[no-untyped-call]


def _money(field: str, currency: str) -> alt.X:
    return alt.X(
        f"{field}:Q", title=currency, stack="zero", axis=alt.Axis(labelExpr=_SHORT, tickCount=6)
    )


def _labels(rows: Sequence[Row]) -> alt.Y:
    """
    Build the axis with the labels of the bars, in the order of *rows*.

    The order is a domain, not a ``sort``: for each name of a ``sort``, Vega nests one condition in
    another, which fails for thousands of names, and for names like ``constructor``.
    """
    return alt.Y(
        "label:N",
        title=None,
        scale=alt.Scale(domain=list(dict.fromkeys(row["label"] for row in rows))),
        axis=alt.Axis(labelLimit=260, labelPadding=8),
    )


def _notes(data: Chart, y: alt.Y, width: int) -> Chart:
    """Build a column of texts to the right of the bars."""
    return (
        alt.Chart(data)
        .mark_text(align="left", fontSize=11.5, color=INK)
        .encode(x=alt.value(width + 12), y=y, text="note:N")
    )


def _kinds(kinds: Sequence[tuple[str, str]], *, field: str = "kind", offset: int = 10) -> alt.Color:
    return alt.Color(
        f"{field}:N",
        title=None,
        scale=alt.Scale(domain=[name for name, _ in kinds], range=[colour for _, colour in kinds]),
        legend=alt.Legend(orient="top", symbolType="square", offset=offset),
    )


def _repeat(small: Chart, field: str, titles: Sequence[str]) -> Chart:
    """Build a small chart for each of *titles*, three in a row."""
    # Without the limit, a long title widens its column, and the page shrinks the whole picture.
    header = alt.Header(
        labelAnchor="start", labelFontWeight="bold", labelFontSize=12.5, labelLimit=285
    )
    facet = alt.Facet(f"{field}:N", title=None, sort=list(titles), header=header)
    return small.facet(facet=facet, columns=3, spacing=22)
