"""What the pages say: each figure equals SQL's, and none claims more than is known."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from harvest_source.errors import ConfigError, DestinationError
from harvest_source.pages import figures
from harvest_source.pages.choosing import build_filters
from harvest_source.pages.filters import Choices
from harvest_source.pages.marts import open_marts
from harvest_source.pages.report import build_report
from harvest_source.pages.section import Section
from harvest_source.pages.sections import BUILDERS
from harvest_source.pages.tiles import build_tiles
from harvest_source.warehouse.target import build_target
from tests.support.holders import writing
from tests.support.marts import MadeMarts, OpenPage

DAY = date(2026, 11, 2)


def fill(made: MadeMarts) -> None:
    """Add two clients with two currencies, and two people."""
    made.add("clients", {"client_id": 1, "client_name": "Alder", "currency": "EUR"})
    made.add("clients", {"client_id": 2, "client_name": "Birch <b>", "currency": "JPY"})
    made.add("people", {"user_id": 11, "person_name": "Ada", "weekly_capacity_hours": 40})
    made.add("people", {"user_id": 12, "person_name": "Bo", "weekly_capacity_hours": 20})
    same = {"spent_date": DAY, "project_id": 5, "task_id": 6}
    made.add(
        "hours_daily",
        {"user_id": 11, "client_id": 1, "currency": "EUR", "hours": "6", "billable_hours": "6"},
        {"user_id": 11, "client_id": 2, "currency": "JPY", "hours": "2", "billable_hours": "0"},
        {"user_id": 12, "client_id": 2, "currency": "JPY", "hours": "3.3", "billable_hours": "3"},
        **same,
    )


def names(section: Section) -> list[str]:
    """The texts of a chart."""
    return re.findall(r"<text[^>]*>([^<]*)</text>", section.chart)


def titles(section: Section) -> list[str]:
    """The tooltips of a chart's marks."""
    return re.findall(r"<title>([^<]*)</title>", section.chart)


def test_sums_follow_what_is_chosen(made: MadeMarts, open_page: OpenPage) -> None:
    """Client, person, currency, account and days each filter the sums."""
    fill(made)
    page = open_page()
    for filters, hours in (
        ({}, 11.3),
        ({"clients": ((7, 1),)}, 6),
        ({"clients": ((7, 1), (7, 2))}, 11.3),
        ({"clients": ((8, 1),)}, 0),
        ({"people": ((7, 12),)}, 3.3),
        ({"currency": "JPY"}, 5.3),
        ({"accounts": (8,)}, 0),
        ({"start": DAY, "end": DAY}, 11.3),
        ({"end": date(2026, 11, 1)}, 0),
    ):
        row = figures.read_hours(page.marts, open_page(**filters).filters)
        assert row["hours"] == pytest.approx(hours), filters


def test_a_page_of_empty_models_has_every_section(open_page: OpenPage) -> None:
    """No section divides by zero, and each says that it has nothing."""
    page = open_page()
    for name, build in BUILDERS.items():
        section = build(page)
        assert section.name == name
        assert section.notes or section.table or section.about.startswith("Never compared")
    assert build_report(page).count("<section") == len(BUILDERS)


def test_the_commands_of_a_page_name_the_file_without_its_folder(
    made: MadeMarts, open_page: OpenPage
) -> None:
    """A page is passed on to people who must not learn how folders are named here."""
    page = open_page()
    assert "verify --database warehouse.duckdb --pipeline p" in BUILDERS["freshness"](page).about
    assert str(made.path.parent) not in build_report(page)


def test_currencies_share_no_bar_and_no_sum(made: MadeMarts, open_page: OpenPage) -> None:
    """Each currency has its own axis and top figure; the account's currency comes first."""
    fill(made)
    project = {"project_name": "P", "is_archived": False, "is_fixed_fee": False}
    for client, currency, amount in ((1, "EUR", 100), (2, "JPY", 90_000)):
        made.add(
            "uninvoiced",
            {"project_id": client, "client_id": client, "client_name": f"C{client}"},
            currency=currency,
            uninvoiced_time=amount,
            uninvoiced_fee=0,
            uninvoiced_expenses=0,
            **project,
        )
    page = open_page()
    section = BUILDERS["uninvoiced"](page)
    assert {"EUR", "JPY", "100 EUR", "90,000 JPY"} <= set(names(section))
    tile = next(each for each in build_tiles(page) if each.label == "Uninvoiced")
    assert (tile.value, tile.more) == ("100 EUR", "90,000 JPY")
    assert "90,100" not in build_report(page)


def test_a_fee_that_was_exceeded_pays_for_no_other_work(
    made: MadeMarts, open_page: OpenPage
) -> None:
    """The amount invoiced beyond a fee is named, and reduces nothing else."""
    same = {"client_id": 1, "client_name": "Alder", "currency": "EUR", "uninvoiced_expenses": 0}
    made.add(
        "uninvoiced",
        {"project_id": 1, "uninvoiced_time": 0, "uninvoiced_fee": -500, "is_fixed_fee": True},
        {"project_id": 2, "uninvoiced_time": 800, "uninvoiced_fee": 0, "is_fixed_fee": False},
        {"project_id": 3, "uninvoiced_time": 0, "uninvoiced_fee": None, "is_fixed_fee": True},
        **same,
    )
    section = BUILDERS["uninvoiced"](open_page())
    assert "800 EUR" in names(section)
    assert any("Alder 500 EUR" in note for note in section.notes)
    assert any("1 fixed fee without an amount" in note for note in section.notes)


def margin(**fields: Any) -> dict[str, Any]:
    return {
        "project_id": 1,
        "month": date(2026, 10, 1),
        "client_id": 1,
        "client_name": "Alder",
        "currency": "EUR",
        "hours": 10,
        "revenue": 1000,
        "cost": 400,
        "margin": 600,
        "hours_without_billable_rate": 0,
        "hours_without_cost_rate": 0,
        "is_fee_or_date_missing": False,
        "is_other_currency": False,
    } | fields


def test_a_margin_is_of_known_months_alone(made: MadeMarts, open_page: OpenPage) -> None:
    """Hours without a rate do not change the margin: they are left out, and named."""
    made.add(
        "profitability_monthly",
        margin(),
        margin(project_id=2, cost=None, margin=None, hours_without_cost_rate=10, hours=30),
        margin(project_id=3, margin=900, hours_without_billable_rate=4, hours=40),
    )
    section = BUILDERS["margins"](open_page())
    assert "60 %: 600 of 1,000 EUR, 12 % of hours" in names(section)
    assert section.table is None


def test_a_margin_that_is_not_known_has_no_bar(made: MadeMarts, open_page: OpenPage) -> None:
    """A currency without an exchange rate, and work without revenue, are named, not drawn."""
    made.add(
        "profitability_monthly",
        margin(currency="JPY", cost=None, margin=None, is_other_currency=True),
        margin(client_id=2, client_name="Own", revenue=0, margin=-400),
    )
    section = BUILDERS["margins"](open_page())
    assert section.chart == ""
    assert section.table is not None
    assert section.table.rows == (("Alder", "10", "JPY", "no exchange rate of JPY"),)
    assert any("Own" in note for note in section.notes)


def test_a_client_without_hours_has_a_margin_too(made: MadeMarts, open_page: OpenPage) -> None:
    """A month of a fixed fee is revenue, whether hours were recorded in it or not."""
    made.add(
        "profitability_monthly",
        margin(hours=0, revenue=1000, cost=250, margin=750),
        margin(client_id=2, client_name="Birch", hours=0, revenue=500, margin=None, cost=None),
        margin(client_id=2, client_name="Birch", project_id=2, hours=0, revenue=1500, margin=600),
        margin(client_id=3, client_name="Cedar", hours=0, revenue=0, cost=90, margin=-90),
        margin(client_id=4, client_name="Damson", hours=0, revenue=0, cost=0, margin=0),
    )
    section = BUILDERS["margins"](open_page())
    assert "75 %: 750 of 1,000 EUR" in names(section)
    assert "40 %: 600 of 1,500 EUR, 75 % of revenue" in names(section)
    assert section.notes == ("Without revenue, and not shown: Cedar.",)


@pytest.mark.parametrize(
    ("weekday", "begin"), [(1, DAY), (7, date(2026, 11, 1)), (6, date(2026, 10, 31))]
)
def test_hours_are_of_the_accounts_weeks(
    made: MadeMarts, open_page: OpenPage, weekday: int, begin: date
) -> None:
    """The weeks of the billable mix are those of the heat map: the account's."""
    fill(made)
    made.run(f"UPDATE harvest_models.int_harvest__accounts SET first_weekday = {weekday}")
    page = open_page()
    (row,) = figures.read_mix(page.marts, page.filters, by_week=True)
    assert (row["period"], row["billable"] + row["other"]) == (begin, pytest.approx(11.3))


def test_utilization_is_of_hours_available(made: MadeMarts, open_page: OpenPage) -> None:
    """Time off shortens a week; an unfinished week is not shown; capacity is named."""
    fill(made)
    same = {"user_id": 11, "person_name": "Ada", "capacity_hours": 40, "billable_hours": 16}
    made.add(
        "utilization_weekly",
        {"week_start": DAY, "worked_hours": 16, "off_hours": 24, "available_hours": 16},
        {"week_start": date(2026, 11, 30), "worked_hours": 1, "off_hours": 0},
        **same,
    )
    section = BUILDERS["utilization"](open_page())
    assert titles(section) == [
        "Ada, week of 2 Nov 2026: 16 h of 16 h available, 100 %; 16 h billable, 24 h off"
    ]
    assert "Ada, 40 h" in names(section)


def test_two_records_with_the_same_name_are_two_bars(made: MadeMarts, open_page: OpenPage) -> None:
    """People, and projects of one client, with the same name are never added up."""
    same = {"person_name": "Ada", "week_start": DAY, "billable_hours": 0, "capacity_hours": 40}
    for user, worked in ((11, 20), (12, 60)):
        made.add("utilization_weekly", {"user_id": user, **same}, worked_hours=worked, off_hours=0)
    made.run("UPDATE harvest_models.harvest__utilization_weekly SET available_hours = 40")
    budget = {"client_name": "Alder", "project_name": "Retainer", "unit": "hours", "budget": 10}
    for project, spent in ((1, 4), (2, 5)):
        made.add(
            "budgets",
            {**budget, "project_id": project, "spent": spent, "is_archived": False},
            spent_share_of_budget=spent / 10,
            budget_is_monthly=False,
        )
    page = open_page()
    assert {"Ada (11)", "Ada (12)"} <= set(names(BUILDERS["utilization"](page)))
    assert {"Retainer (1), Alder", "Retainer (2), Alder"} <= set(names(BUILDERS["budgets"](page)))


def test_two_accounts_may_use_the_same_ids(made: MadeMarts, open_page: OpenPage) -> None:
    """People and clients of two accounts with the same id and name are counted and shown apart."""
    for account in (7, 8):
        made.add(
            "hours_daily",
            {"account_id": account, "user_id": 11, "spent_date": DAY, "hours": 1},
        )
        made.add(
            "receivables_ageing",
            {"account_id": account, "client_id": 1, "client_name": "Alder", "currency": "EUR"},
            bucket="1-30",
            bucket_order=1,
            invoices=1,
            due_amount=10 * account,
        )
    page = open_page()
    assert figures.read_hours(page.marts, page.filters)["people"] == 2
    table = BUILDERS["ageing"](page).table
    assert table is not None
    assert [(row[0], row[2], row[3]) for row in table.rows] == [
        ("Alder (1, account 8)", "1", "80.00"),
        ("Alder (1, account 7)", "1", "70.00"),
    ]


def test_a_budget_says_when_it_runs_out(made: MadeMarts, open_page: OpenPage) -> None:
    """Money has its currency, hours are hours; a budget without an amount is named, not drawn."""
    same = {"client_name": "Alder", "currency": "EUR", "is_archived": False, "weekly_use": 10}
    made.add(
        "budgets",
        {"project_id": 1, "project_name": "Site", "unit": "money", "budget": 1000, "spent": 1200},
        spent_share_of_budget="1.2",
        budget_is_monthly=False,
        **same,
    )
    made.add(
        "budgets",
        {"project_id": 2, "project_name": "App", "unit": "hours", "budget": 100, "spent": 50},
        spent_share_of_budget="0.5",
        budget_is_monthly=False,
        runs_out_on=date(2026, 12, 24),
        **same,
    )
    made.add("budgets", {"project_id": 3, "project_name": "None", "unit": "hours"}, **same)
    made.add(
        "budget_months",
        {"project_id": 2, "month": date(2026, 10, 1), "spent_share_of_budget": "0.3"},
        budget_is_monthly=False,
    )
    page = open_page()
    section = BUILDERS["budgets"](page)
    assert "120 %: 1,200 of 1,000 EUR" in names(section)
    assert "50 %: 50 of 100 h, runs out 24 Dec 2026" in names(section)
    assert section.notes == ("1 budget without an amount: None, Alder.",)
    assert "24 Dec 2026" in names(BUILDERS["burn"](page))


def test_the_day_of_the_sync_is_not_reported_as_missing(
    made: MadeMarts, open_page: OpenPage
) -> None:
    """A person who has logged nothing today may still do so."""
    same = {"user_id": 11, "person_name": "Ada", "capacity_hours": 8, "is_archived": False}
    made.add("missing_time", {"day": date(2026, 11, 27)}, {"day": date(2026, 11, 30)}, **same)
    section = BUILDERS["missing"](open_page())
    assert titles(section) == ["Ada: nothing on Friday, 27 Nov 2026"]


def test_without_invoices_no_ageing_is_shown(made: MadeMarts, open_page: OpenPage) -> None:
    """If the module is off, the page says so, and no tile shows zero."""
    made.run("DROP TABLE harvest_models.harvest__receivables_ageing")
    page = open_page()
    assert BUILDERS["ageing"](page).notes == ("Invoices are switched off in Harvest.",)
    assert "Overdue" not in {tile.label for tile in build_tiles(page)}


@pytest.mark.parametrize("is_built", [False, True])
def test_models_older_than_the_last_sync_are_reported(
    made: MadeMarts, open_page: OpenPage, is_built: bool
) -> None:
    """The page names the command, and how the warehouse compared with Harvest."""
    made.run(
        "CREATE TABLE harvest.sync_runs AS SELECT TIMESTAMPTZ '2026-11-30 10:00:00+00' AS "
        "started_at, TIMESTAMPTZ '2026-11-30 10:01:00+00' AS ended_at, 'ok' AS status, "
        "3 AS requests, 0 AS rows_deleted, '1' AS version;"
        "CREATE TABLE harvest.verify_runs AS SELECT TIMESTAMPTZ '2026-11-29 10:00:00+00' AS "
        "started_at, 'differs' AS status, 10 AS compared, 2 AS differing"
    )
    made.add("sync_health", {"sync_run_id": "a", "started_at": "2026-11-29 10:00:00"})
    # The clock was ahead then.
    made.add("sync_health", {"sync_run_id": "b", "started_at": "2126-11-29 10:00:00"})
    if is_built:
        made.add("sync_health", {"sync_run_id": "c", "started_at": "2026-11-30 10:00:00"})
    section = BUILDERS["freshness"](open_page())
    assert any("harvest-source transform" in note for note in section.notes) is not is_built
    assert "2 of 10 figures differ" in section.about


def test_names_are_text(made: MadeMarts, open_page: OpenPage) -> None:
    """A client's name is never markup, not even in a chart, so the page fetches nothing."""
    fill(made)
    made.add(
        "receivables_ageing",
        {"client_id": 2, "client_name": "<script>x</script>", "bucket": ">90", "bucket_order": 4},
        currency="EUR",
        invoices=1,
        due_amount=5,
    )
    made.add("profitability_monthly", margin(client_name="<img src=//x.example>"))
    text = build_report(open_page(clients=((7, 2),)))
    text += build_report(open_page())
    assert "<script" not in text
    assert "<img" not in text
    assert "only Birch &lt;b&gt;" in text
    addresses = set(re.findall(r"https?://[^\s\"'<>)]+", text))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("DROP SCHEMA harvest_models CASCADE", "no models yet .* harvest-source transform"),
        ("DROP TABLE harvest_models.harvest__budgets", "no harvest__budgets .*transform"),
        ("DROP SCHEMA harvest CASCADE", "no tables in dataset harvest.* harvest-source sync"),
    ],
)
def test_missing_models_or_tables_are_reported_with_a_command(
    made: MadeMarts, change: str, said: str
) -> None:
    """The warehouse has no models, other models, or no tables."""
    made.run(change)
    target = build_target("duckdb", made.path, "harvest", "p")
    with pytest.raises(ConfigError, match=said), open_marts(target):
        pass


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """The error names the command that creates one."""
    target = build_target("duckdb", tmp_path / "none.duckdb", "harvest", "p")
    with pytest.raises(ConfigError, match="harvest-source sync"), open_marts(target):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_dataset_that_dlt_names_otherwise_is_found(made: MadeMarts) -> None:
    """dlt writes the dataset User-Data as user_data: the message is about its models."""
    made.run("CREATE SCHEMA user_data")
    made.run("CREATE TABLE user_data.clients (id BIGINT)")
    target = build_target("duckdb", made.path, "User-Data", "p")
    said = "no models yet in schema user_data_models"
    with pytest.raises(ConfigError, match=said), open_marts(target):
        pass


def test_a_destination_of_files_has_no_models_to_report() -> None:
    """The tables may be there: the error must not say that a sync has to fill them."""
    target = build_target("filesystem", None, "harvest", "p")
    said = "models cannot be built.* sync --pipeline"
    with pytest.raises(ConfigError, match=said), open_marts(target):
        pass


def test_a_file_being_written_is_reported_as_in_use(made: MadeMarts) -> None:
    """The error names the process, and does not wait for long."""
    target = build_target("duckdb", made.path, "harvest", "p")
    with writing(made.path), pytest.raises(DestinationError, match="in use"), open_marts(target):
        pass


@pytest.fixture
def choices(made: MadeMarts, open_page: OpenPage) -> Choices:
    """The choices for the two clients."""
    fill(made)
    return open_page().choices


def test_names_and_days_are_taken_as_typed(choices: Choices) -> None:
    """A name in any case, an id, or a lower-case currency is accepted; the default is a year."""
    found = build_filters(choices, client=("alder", "2"), currency="eur", person=("ADA",))
    assert found.clients == ((7, 1), (7, 2))
    assert (found.people, found.currency) == (((7, 11),), "EUR")
    assert (found.start, found.end) == (DAY, date(2026, 11, 30))
    assert build_filters(choices, since="2026-01-05").start == date(2026, 1, 5)


def test_unknown_names_are_refused(choices: Choices) -> None:
    """The error lists what exists."""
    refused: list[tuple[dict[str, Any], str]] = [
        ({"client": ("Aldr",)}, "no client 'Aldr'.*Alder"),
        ({"person": ("Zed",)}, "no person 'Zed'"),
        ({"currency": "usd"}, "Choose one of: EUR, JPY"),
        ({"since": "2027-01-01"}, "before it begins"),
        ({"account": ("9",)}, "no account 9. They have: 7"),
        ({"until": "soon"}, "--until"),
    ]
    for typed, said in refused:
        with pytest.raises(ConfigError, match=said):
            build_filters(choices, **typed)


def test_names_cannot_turn_what_stands_after_them(made: MadeMarts, open_page: OpenPage) -> None:
    """Invisible characters of names reach neither the page nor its charts; ids tell names apart."""
    turned = "Alder\u202e\u2066 \x1b[31m"
    made.add(
        "clients",
        {"client_id": 1, "client_name": turned, "currency": "EUR"},
        {"client_id": 2, "client_name": "Alder [31m", "currency": "EUR"},
    )
    made.add("people", {"user_id": 11, "person_name": "Ada\u202e", "weekly_capacity_hours": 40})
    made.add(
        "uninvoiced",
        {"client_id": 1, "client_name": turned, "uninvoiced_time": "10"},
        {"client_id": 2, "client_name": "Alder [31m", "uninvoiced_time": "20"},
        currency="EUR",
    )
    page = open_page(clients=((7, 1), (7, 2)))
    assert {name for _, name in page.choices.clients} == {"Alder [31m"}
    text = build_report(page)
    assert "Alder [31m (1)" in text
    assert "Alder [31m (2)" in text
    assert [each for each in text if not each.isprintable() and each != "\n"] == []


def test_what_is_not_known_is_not_said_to_be_invoiced(made: MadeMarts, open_page: OpenPage) -> None:
    """Hours without a rate have no amount, but they are not on an invoice either."""
    work = {"client_id": 1, "client_name": "Alder", "currency": "EUR", "is_fixed_fee": False}
    made.add("uninvoiced", work, project_id=1, uninvoiced_time=0, hours_without_billable_rate=30)
    section = BUILDERS["uninvoiced"](open_page())
    assert section.notes == ("30 h have no billable rate: their amounts are missing.",)


def test_a_refund_is_in_the_chart_as_in_the_figure_above(
    made: MadeMarts, open_page: OpenPage
) -> None:
    """The amounts beside the bars add up to the one at the top, also if some are below zero."""
    for client, time, expenses in ((1, 100, 0), (2, 0, -50), (3, 20, -20)):
        made.add(
            "uninvoiced",
            {"project_id": client, "client_id": client, "client_name": f"C{client}"},
            currency="EUR",
            uninvoiced_time=time,
            uninvoiced_expenses=expenses,
            is_fixed_fee=False,
        )
    page = open_page()
    assert {"100 EUR", "-50 EUR", "0 EUR"} <= set(names(BUILDERS["uninvoiced"](page)))
    tile = next(each for each in build_tiles(page) if each.label == "Uninvoiced")
    assert tile.value == "50 EUR"


def test_a_margin_of_negative_revenue_is_no_share(made: MadeMarts, open_page: OpenPage) -> None:
    """A loss of 600 on a revenue of -100 is not a profit of 600 %."""
    made.add("profitability_monthly", margin(revenue=-100, cost=500, margin=-600))
    section = BUILDERS["margins"](open_page())
    assert (section.chart, section.table) == ("", None)
    assert section.notes == ("Without revenue, and not shown: Alder.",)


def test_a_period_without_a_whole_week_is_not_said_to_have_no_hours(
    made: MadeMarts, open_page: OpenPage
) -> None:
    """The hours of a single day are in the figures above, but no week begins on it."""
    week = {"user_id": 11, "person_name": "Ada", "worked_hours": 8, "available_hours": 40}
    made.add("utilization_weekly", week, week_start=DAY)
    section = BUILDERS["utilization"](open_page(start=date(2026, 11, 4), end=date(2026, 11, 4)))
    said = "No week that begins in this period and is over has hours available."
    assert section.notes == (said,)


def test_the_day_of_the_sync_alone_has_no_missing_time(
    made: MadeMarts, open_page: OpenPage
) -> None:
    """Missing days end before it: a period of that day has none, and does not run backwards."""
    made.add("missing_time", user_id=11, person_name="Ada", day=date(2026, 11, 30))
    day = date(2026, 11, 30)
    section = BUILDERS["missing"](open_page(start=day, end=day))
    assert section.notes == ("No day of this period is before 30 Nov 2026.",)
    assert "2026" not in section.about


def test_what_has_no_name_and_no_currency_is_said_to_have_none(
    made: MadeMarts, open_page: OpenPage
) -> None:
    """A token may not see the project or client of an entry; a missing name is no name None."""
    same = {"client_id": 1, "is_archived": False}
    made.add("uninvoiced", {"project_id": 1, "is_fixed_fee": True}, uninvoiced_fee=-5, **same)
    made.add("uninvoiced", {"project_id": 2, "is_fixed_fee": False}, uninvoiced_time=10, **same)
    made.add("uninvoiced", {"project_id": 3, "is_fixed_fee": False}, uninvoiced_time=10)
    made.add(
        "receivables_ageing", client_id=1, bucket="1-30", bucket_order=1, due_amount=9, invoices=1
    )
    made.add("profitability_monthly", margin(client_name=None, currency=None))
    made.add("profitability_monthly", margin(client_id=None, client_name=None, currency=None))
    made.add("missing_time", {"user_id": 11, "day": date(2026, 11, 27)}, is_archived=False)
    budget = {"project_id": 1, "unit": "money", "budget": 10, "spent": 1, "is_archived": False}
    made.add("budgets", budget, budget_is_monthly=False, spent_share_of_budget="0.1")
    page = open_page()
    text = build_report(page)
    assert "None" not in text
    assert {"project without a name, no client"} <= set(names(BUILDERS["budgets"](page)))
    amounts = set(names(BUILDERS["uninvoiced"](page)))
    assert {"client without a name", "no client", "10 no currency"} <= amounts


def test_a_budget_and_its_share_agree(made: MadeMarts, open_page: OpenPage) -> None:
    """Small hours have tenths on both sides: 5 of 5 h is not 108 %."""
    budget = {"client_name": "Alder", "unit": "hours", "is_archived": False}
    made.add(
        "budgets",
        {"project_id": 1, "project_name": "A", "budget": 5, "spent": "5.4"},
        budget_is_monthly=False,
        spent_share_of_budget="1.08",
        **budget,
    )
    assert "108 %: 5.4 of 5 h" in names(BUILDERS["budgets"](open_page()))


def test_few_hours_are_not_rounded_away(made: MadeMarts, open_page: OpenPage) -> None:
    """The hours at the top have tenths below 100, as the billable ones beside them."""
    made.add("hours_daily", spent_date=DAY, user_id=11, hours="0.4", billable_hours="0.4")
    (hours, billable, *_) = build_tiles(open_page())
    assert (hours.value, billable.more) == ("0.4", "0.4 h")
