"""Charts as drawn: axes that skip nothing, labels that can be read, bars that stay in the chart."""

from __future__ import annotations

import re
from datetime import date
from html import unescape

import pytest

from harvest_source.pages.section import Section
from harvest_source.pages.sections import BUILDERS
from tests.support.marts import MadeMarts, OpenPage

DAY = date(2026, 11, 2)
HOURS = {"user_id": 11, "client_id": 1, "project_id": 5, "currency": "EUR"}
WEEK = {"user_id": 11, "person_name": "Ada", "capacity_hours": 40, "billable_hours": 16}
BUDGET = {"client_name": "Alder", "unit": "hours", "is_archived": False, "budget_is_monthly": False}
MARKED = re.compile(r'<path  d="M([^"]*)"[^>]*><title>([^<]*)</title>')


def names(section: Section) -> list[str]:
    """The texts of a chart."""
    return re.findall(r"<text[^>]*>([^<]*)</text>", section.chart)


def place(section: Section, text: str) -> tuple[float, float]:
    """Where a text of a chart is, within its group."""
    found = re.search(rf'translate\(([-0-9.]+),([-0-9.]+)\)"[^>]*>{text}<', section.chart)
    assert found, names(section)
    return float(found[1]), float(found[2])


def test_months_and_weeks_without_hours_keep_their_place(
    made: MadeMarts, open_page: OpenPage
) -> None:
    """An axis that skipped them would show January beside November as if they were neighbours."""
    hours = {"hours": 8, "billable_hours": 4, **HOURS}
    days = (date(2026, 8, 5), date(2026, 10, 12), DAY)
    made.add("hours_daily", *({"spent_date": day} for day in days), **hours)
    months = BUILDERS["mix"](open_page())
    assert names(months)[:4] == ["Aug 26", "Sep 26", "Oct 26", "Nov 26"]
    assert "Sep 26, billable: 0 h of 0 h" in months.chart
    weeks = BUILDERS["mix"](open_page(start=date(2026, 10, 1)))
    assert names(weeks)[:4] == ["12 Oct", "19 Oct", "26 Oct", "2 Nov"]


def test_weeks_in_which_none_was_available_keep_their_place(
    made: MadeMarts, open_page: OpenPage
) -> None:
    """In the heat map, four weeks are four columns, also if everyone is on holiday in three."""
    weeks = {"worked_hours": 16, "off_hours": 0, "available_hours": 40, **WEEK}
    made.add("utilization_weekly", {"week_start": date(2026, 10, 5)}, {"week_start": DAY}, **weeks)
    section = BUILDERS["utilization"](open_page())
    columns = [float(at.split(",")[0]) for at, _ in MARKED.findall(section.chart)]
    assert columns[1] - columns[0] == pytest.approx(4 * 46, abs=1)


def test_a_budget_stays_level_in_months_without_use(made: MadeMarts, open_page: OpenPage) -> None:
    """What was spent in one month is not drawn as if it had been spent in those before it."""
    of_budget = {"project_id": 2, "project_name": "App", "budget": 100, "spent": 90, **BUDGET}
    made.add("budgets", of_budget, spent_share_of_budget="0.9")
    made.add(
        "budget_months",
        {"month": date(2026, 3, 1), "spent_share_of_budget": "0.3"},
        {"month": date(2026, 8, 1), "spent_share_of_budget": "0.5"},
        {"month": DAY.replace(day=1), "spent_share_of_budget": "0.9"},
        project_id=2,
        budget_is_monthly=False,
    )
    section = BUILDERS["burn"](open_page())
    found = re.search(r'd="M([-0-9.,L]+)" stroke="#2f7ebc"', section.chart)
    assert found, section.chart
    points = [tuple(map(float, each.split(","))) for each in found[1].split("L")]
    # The height is 110 for 105 %.
    shares = [round((110 - height) / 110 * 1.05, 2) for _, height in points]
    assert shares == [0, 0.3, 0.3, 0.5, 0.5, 0.9]


@pytest.mark.parametrize("name", ["constructor", "toString", "</script>", "\"A\", 'B' \\ C"])
def test_a_name_is_never_code_of_the_renderer(
    made: MadeMarts, open_page: OpenPage, name: str
) -> None:
    """A person or client with a name that means something in JavaScript has a row as all others."""
    week = {"week_start": DAY, "worked_hours": 8, "off_hours": 0, "available_hours": 40}
    made.add("utilization_weekly", week | WEEK | {"person_name": name})
    missing = {"day": date(2026, 11, 27), "is_archived": False, "capacity_hours": 8}
    made.add("missing_time", missing, user_id=11, person_name=name)
    page = open_page()
    assert name in map(unescape, names(BUILDERS["utilization"](page)))
    assert f"{name}, 1 day" in map(unescape, names(BUILDERS["missing"](page)))


def test_axes_of_small_figures_can_be_read(made: MadeMarts, open_page: OpenPage) -> None:
    """No label is repeated, and 0.2 is not 200m, which reads as millions."""
    made.add("hours_daily", {"spent_date": DAY, "hours": "1.4", "billable_hours": 1, **HOURS})
    due = {"client_id": 1, "bucket": "1-30", "bucket_order": 1, "invoices": 1}
    for currency, amount in (("EUR", "0.4"), ("JPY", 45_000_000)):
        made.add("receivables_ageing", due, currency=currency, due_amount=amount)
    page = open_page()
    hours = names(BUILDERS["mix"](page))
    assert {"0.2", "1.2"} <= set(hours)
    assert len(hours) == len(set(hours))
    amounts = names(BUILDERS["ageing"](page))
    assert {"0", "0.1", "0.4", "20M"} <= set(amounts)
    assert not [each for each in amounts if each.endswith("m")]


def test_the_shares_of_long_periods_do_not_overlap(made: MadeMarts, open_page: OpenPage) -> None:
    """Bars of ten years fit the page; shares that would not fit above them are in no label."""
    hours = {"hours": 8, "billable_hours": 4, **HOURS}
    made.add("hours_daily", {"spent_date": date(2017, 1, 5)}, {"spent_date": DAY}, **hours)
    few = BUILDERS["mix"](open_page(start=date(2026, 1, 1)))
    assert "50 %" in names(few)
    many = BUILDERS["mix"](open_page(start=date(2017, 1, 1)))
    assert "50 %" not in names(many)
    assert "share" not in many.about
    width = re.search(r'<svg [^>]*width="([0-9.]+)"', many.chart)
    assert width
    assert float(width[1]) < 1180


def test_the_months_of_long_periods_do_not_overlap(made: MadeMarts, open_page: OpenPage) -> None:
    """Above two years, the heat map names the years only."""
    month = {"worked_hours": 16, "off_hours": 0, "available_hours": 160, **WEEK}
    starts = [date(year, at, 1) for year in range(2017, 2027) for at in range(1, 12)]
    made.add("utilization_monthly", *({"month": each} for each in starts), **month)
    few = names(BUILDERS["utilization"](open_page(start=date(2025, 8, 1))))
    assert {"Aug 25", "Sep 25", "Nov 26"} <= set(few)
    many = names(BUILDERS["utilization"](open_page(start=date(2017, 1, 1))))
    assert [each for each in many if each.startswith("20")] == [str(y) for y in range(2017, 2027)]
    assert not [each for each in many if each.endswith((" 17", " 26"))]


def test_a_share_above_a_full_bar_is_below_the_legend(made: MadeMarts, open_page: OpenPage) -> None:
    """The tallest bar may reach the top of the chart; its note is between it and the legend."""
    made.add("hours_daily", {"spent_date": DAY, "hours": 8, "billable_hours": 4, **HOURS})
    section = BUILDERS["mix"](open_page())
    legend = re.search(
        r'role-legend"[^>]*><g transform="translate\([-0-9.]+,(-[0-9.]+)\)', section.chart
    )
    assert legend
    symbols = 12
    note = place(section, "50 %")[1]
    # A note is written upwards from its baseline, in letters of 11 points.
    assert note - 11 >= float(legend[1]) + symbols


def test_bars_stay_within_their_charts(made: MadeMarts, open_page: OpenPage) -> None:
    """A negative use, and a margin above the revenue, are in the note; no bar covers a label."""
    made.add(
        "budgets",
        {"project_id": 1, "project_name": "A", "spent": -50, "spent_share_of_budget": "-0.1"},
        {"project_id": 2, "project_name": "B", "spent": 5000, "spent_share_of_budget": "10"},
        budget=500,
        **BUDGET,
    )
    month = {"month": date(2026, 10, 1), "client_id": 1, "client_name": "Alder", "currency": "EUR"}
    rates = {"hours_without_billable_rate": 0, "hours_without_cost_rate": 0}
    known = {"project_id": 1, "hours": 10, "revenue": 100, "cost": -500, "margin": 600}
    made.add("profitability_monthly", month | rates | known)
    page = open_page()
    for name, said in (("budgets", "-10 %: -50 of 500 h"), ("margins", "600 %: 600 of 100 EUR")):
        section = BUILDERS[name](page)
        assert said in names(section)
        for path, _ in MARKED.findall(section.chart):
            along = [float(each) for each in re.findall(r"[hL]?(-?[0-9.]+)[,v]", path)]
            assert all(-1 <= each <= 431 for each in map(abs, along)), path
            assert float(path.split(",")[0]) >= -1


def test_long_titles_leave_small_charts_their_size(made: MadeMarts, open_page: OpenPage) -> None:
    """The page scales a picture to its width: a title of 200 letters made all others illegible."""
    of_budget = {"project_id": 2, "project_name": "App " * 50, "budget": 100, "spent": 90, **BUDGET}
    made.add("budgets", of_budget, spent_share_of_budget="0.9")
    share = {"project_id": 2, "spent_share_of_budget": "0.3", "budget_is_monthly": False}
    made.add("budget_months", share, month=date(2026, 10, 1))
    section = BUILDERS["burn"](open_page())
    width = re.search(r'<svg [^>]*width="([0-9.]+)"', section.chart)
    assert width
    assert float(width[1]) < 400
    assert any(each.endswith("…") for each in names(section))
