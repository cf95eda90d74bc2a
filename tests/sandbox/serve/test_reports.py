"""Reports compared with sums over the rows, computed here a second time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest

from harvest_source.sandbox import REPORTS, Limit, ManualClock, Person, Sandbox
from tests.sandbox.reader import Reader, Start

Row = dict[str, Any]
Books = dict[str, list[Row]]
FIRST, LAST = "2025-07-01", "2026-06-17"
SUBJECTS = {"clients": "client", "projects": "project", "tasks": "task", "team": "user",
            "categories": "expense_category"}  # fmt: skip
CENT = Decimal("0.01")


@pytest.fixture(scope="module")
def busy() -> Iterator[Reader]:
    """An account with many entries and expenses, some edited, some deleted, some running."""
    with Sandbox(entries=1000, expenses=300, clock=ManualClock(), limit=False).start() as server:
        for seed, table in enumerate(("time_entries", "expenses")):
            server.churn(edits=40, creations=5, deletions=30, table=table, seed=seed)
        for row in server.rows("time_entries")[100:140]:
            server.edit("time_entries", row["id"], hours=2.3, billable=True, billable_rate=33.337)
        reader = Reader(server)
        yield reader
        reader.client.close()


@pytest.fixture(scope="module")
def books(busy: Reader) -> Books:
    """The rows that the reports of `busy` sum up, by table."""
    tables = ("time_entries", "expenses", "projects", "users")
    return {table: busy.server.rows(table) for table in tables}


def number(value: Any) -> Decimal:
    """A JSON number as the decimal it spells; null is 0."""
    return Decimal(str(value or 0))


def cents(value: Decimal) -> Decimal:
    """Rounded half up."""
    return value.quantize(CENT, ROUND_HALF_UP)


def within(books: Books, table: str, first: str = FIRST, last: str = LAST) -> list[Row]:
    """The rows worked or spent from *first* to *last*, both included."""
    return [row for row in books[table] if first <= row["spent_date"] <= last]


def by_id(books: Books, table: str) -> dict[int, Row]:
    """A table by id."""
    return {row["id"]: row for row in books[table]}


def key_of(kind: str) -> Callable[[Row], tuple[int, str]]:
    """Subject and currency of an entry or expense."""
    return lambda row: (row[SUBJECTS[kind]]["id"], row["client"]["currency"])


def read(reader: Reader, name: str, **params: Any) -> list[Row]:
    """Every row of a report over the year, unless *params* say otherwise."""
    dates = {"from_": FIRST, "to": LAST} if REPORTS[name].dated else {}
    return reader.rows(f"reports/{REPORTS[name].path}", **(dates | params))


def keyed(rows: list[Row], kind: str) -> dict[tuple[int, str], Row]:
    """Report rows by subject and currency; there is one each."""
    found = {(row[f"{SUBJECTS[kind]}_id"], row["currency"]): row for row in rows}
    assert len(found) == len(rows)
    return found


@pytest.mark.parametrize("fees", [False, True])
@pytest.mark.parametrize("kind", ["clients", "projects", "tasks", "team"])
def test_time_reports_add_up_rounded_hours(
    busy: Reader, books: Books, kind: str, fees: bool
) -> None:
    """Reports sum rounded_hours and what they earn; fixed-fee hours earn 0.0 unless included."""
    projects = by_id(books, "projects")
    expected: dict[tuple[int, str], list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 3)
    for row in within(books, "time_entries"):
        hours = number(row["rounded_hours"])
        billable = hours if row["billable"] else Decimal(0)
        earns = fees or not projects[row["project"]["id"]]["is_fixed_fee"]
        amount = billable * number(row["billable_rate"]) if earns else Decimal(0)
        held = expected[key_of(kind)(row)]
        expected[key_of(kind)(row)] = [
            a + b for a, b in zip(held, (hours, billable, amount), strict=True)
        ]
    rows = keyed(read(busy, f"report_time_{kind}", include_fixed_fee=str(fees).lower()), kind)
    assert set(rows) == {key for key, sums in expected.items() if sums[0]}
    for key, row in rows.items():
        total, billable, amount = expected[key]
        assert number(row["total_hours"]) == total
        assert number(row["billable_hours"]) == billable
        assert number(row["billable_amount"]) == cents(amount)


def test_sums_of_rounded_hours_differ_from_sums_of_hours(busy: Reader, books: Books) -> None:
    """Sums of rounded hours and of hours differ (quirk 67), as do amounts with fixed fees."""
    entries = within(books, "time_entries")
    total = sum(number(row["total_hours"]) for row in read(busy, "report_time_clients"))
    assert total > sum(number(row["hours"]) for row in entries)
    plain, fees = (
        sum(row["billable_amount"] for row in read(busy, "report_time_projects", **params))
        for params in ({}, {"include_fixed_fee": "true"})
    )
    assert 0 < plain < fees


@pytest.mark.parametrize("kind", ["clients", "projects", "categories", "team"])
def test_expense_reports_add_up_expenses(busy: Reader, books: Books, kind: str) -> None:
    """Total and billable amount, by subject and currency."""
    expected: dict[tuple[int, str], list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 2)
    for row in within(books, "expenses"):
        cost = number(row["total_cost"])
        total, billable = expected[key_of(kind)(row)]
        part = cost if row["billable"] else Decimal(0)
        expected[key_of(kind)(row)] = [total + cost, billable + part]
    rows = keyed(read(busy, f"report_expenses_{kind}"), kind)
    assert set(rows) == {key for key, sums in expected.items() if sums[0]}
    for key, row in rows.items():
        found = [number(row[name]) for name in ("total_amount", "billable_amount")]
        assert found == [cents(part) for part in expected[key]]


def test_one_subject_may_have_several_currencies(busy: Reader) -> None:
    """There is one row per subject and currency."""
    for name, key in (("report_time_team", "user_id"), ("report_expenses_categories",
                      "expense_category_id")):  # fmt: skip
        rows = read(busy, name)
        assert len({row[key] for row in rows}) < len(rows)


@pytest.mark.parametrize("group", ["time", "expenses"])
def test_codes_stand_in_two_reports_only(busy: Reader, books: Books, group: str) -> None:
    """
    [CODE] is before the name in time/projects and expenses/projects (S4), sorted as displayed.
    """
    projects = by_id(books, "projects")
    rows = read(busy, f"report_{group}_projects")
    for row in rows:
        project = projects[row["project_id"]]
        code = f"[{project['code']}] " if project["code"] else ""
        assert row["project_name"] == code + project["name"]
        assert row["client_name"] == project["client"]["name"]
    names = [row["project_name"] for row in rows]
    assert names == sorted(names, key=str.casefold)
    assert any(name.startswith("[P") for name in names)
    for plain in ("report_uninvoiced", "report_project_budget"):
        pairs = [(row["client_name"], row["project_name"]) for row in read(busy, plain)]
        assert pairs == sorted(pairs, key=lambda pair: (pair[0].casefold(), pair[1].casefold()))
        assert not any(name.startswith("[") for _, name in pairs)


def test_team_reports_show_capacity_avatar_and_contractors(busy: Reader, books: Books) -> None:
    """The time report has capacity and avatar; both reports say who is a contractor."""
    people = by_id(books, "users")
    for group, names in (
        ("time", ("is_contractor", "weekly_capacity", "avatar_url")),
        ("expenses", ("is_contractor",)),
    ):
        for row in read(busy, f"report_{group}_team"):
            user = people[row["user_id"]]
            assert row["user_name"] == f"{user['first_name']} {user['last_name']}"
            assert all(row[name] == user[name] for name in names)


def uninvoiced(books: Books, first: str, last: str) -> dict[int, list[Decimal]]:
    """By project: hours, open hours, open expenses and open amount, fixed fees aside."""
    found: dict[int, list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 4)
    for row in within(books, "time_entries", first, last):
        hours = number(row["rounded_hours"])
        found[row["project"]["id"]][0] += hours
        if row["billable"] and not row["is_billed"]:
            found[row["project"]["id"]][1] += hours
            found[row["project"]["id"]][3] += hours * number(row["billable_rate"])
    for row in within(books, "expenses", first, last):
        if row["billable"] and not row["is_billed"]:
            found[row["project"]["id"]][2] += number(row["total_cost"])
            found[row["project"]["id"]][3] += number(row["total_cost"])
    return found


def test_uninvoiced_holds_every_project(busy: Reader, books: Books) -> None:
    """Every project has a row, even if all is zero (S4); numbers are ints as well as floats."""
    projects = by_id(books, "projects")
    rows = read(busy, "report_uninvoiced", from_="2026-06-08", to="2026-06-17")
    found = uninvoiced(books, "2026-06-08", "2026-06-17")
    assert {row["project_id"] for row in rows} == set(projects)
    names = ("total_hours", "uninvoiced_hours", "uninvoiced_expenses", "uninvoiced_amount")
    for row in rows:
        project = projects[row["project_id"]]
        sums = found[row["project_id"]]
        shown = names[:3] if project["is_fixed_fee"] else names
        assert [number(row[name]) for name in shown] == [cents(part) for part in sums][: len(shown)]
        assert row["currency"] == project["client"]["currency"]
    assert any(not any(row[name] for name in names) for row in rows)
    for name in names:
        assert {"int", "float"} == {type(row[name]).__name__ for row in rows}


def test_a_fixed_fee_stands_in_every_window(start: Start) -> None:
    """The fee less invoiced lines, negative when over, is in each window that reaches the start."""
    reader = start(entries=0, expenses=0, invoices=0)
    server = reader.server
    project = server.create("projects", is_fixed_fee=True, fee=900, starts_on="2026-03-10")
    line = {"id": 1, "kind": "Service", "amount": 1000.0,
            "project": {"id": project["id"], "name": project["name"], "code": None}}  # fmt: skip

    def amounts(**params: str) -> list[float]:
        windows = (("20260201", "20260309"), ("20260201", "20260310"), ("20260501", "20260531"))
        return [
            row["uninvoiced_amount"]
            for first, last in windows
            for row in read(reader, "report_uninvoiced", from_=first, to=last, **params)
            if row["project_id"] == project["id"]
        ]

    assert amounts() == [0, 900, 900]
    server.create("invoices", client_id=project["client"]["id"], line_items=[line])
    assert amounts() == [0, -100, -100]
    assert amounts(include_fixed_fee="false") == []


def spent_on(books: Books, project: Row) -> Decimal:
    """The part of a project's budget that is spent, in all or this month."""
    since = "2026-06-01" if project["budget_is_monthly"] else "0"
    entries = [
        row
        for row in within(books, "time_entries", since, "2026-06-30")
        if row["project"]["id"] == project["id"] and row["budgeted"]
    ]
    if project["budget_by"] not in ("project_cost", "task_fees"):
        return sum((number(row["rounded_hours"]) for row in entries), Decimal(0))
    used = sum(
        (
            number(row["rounded_hours"]) * number(row["billable_rate"])
            for row in entries
            if row["billable"]
        ),
        Decimal(0),
    )
    if project["budget_by"] == "project_cost" and project["cost_budget_include_expenses"]:
        used += sum(
            number(row["total_cost"])
            for row in within(books, "expenses", since, "2026-06-30")
            if row["project"]["id"] == project["id"]
        )
    return used


def test_project_budget_is_as_of_now(busy: Reader, books: Books) -> None:
    """There is no window; projects without budget are omitted; monthly budgets count this month."""
    projects = by_id(books, "projects")
    rows = read(busy, "report_project_budget")
    budgeted = {key for key, row in projects.items() if row["budget_by"] != "none"}
    assert {row["project_id"] for row in rows} == budgeted
    for row in rows:
        project = projects[row["project_id"]]
        spent = cents(spent_on(books, project))
        assert number(row["budget_spent"]) == spent
        assert number(row["budget_remaining"]) == number(row["budget"]) - spent
        for name in ("budget_by", "budget_is_monthly", "is_active"):
            assert row[name] == project[name]
    assert any(row["budget_remaining"] < 0 for row in rows)
    assert any(row["budget_is_monthly"] for row in rows)


def test_project_budget_by_method(start: Start) -> None:
    """The budget is the project's own, or the sum over its active tasks or people."""
    server = start(entries=0, expenses=0).server
    common: Row = {"budget": 10, "cost_budget": 500.5}
    for method, budget in (
        ("project", 10), ("project_cost", 500.5), ("task", 7.5), ("task_fees", 7.5), ("person", 40),
    ):  # fmt: skip
        project = server.create("projects", budget_by=method, **common)["id"]
        for part, active in ((3, True), (4.5, True), (99, False)):
            server.create("task_assignments", project_id=project, budget=part, is_active=active)
        server.create("user_assignments", project_id=project, budget=40)
        row = next(r for r in server.report("report_project_budget") if r["project_id"] == project)
        assert row["budget"] == row["budget_remaining"] == budget
    empty = server.create("projects", budget_by="project")["id"]
    row = next(r for r in server.report("report_project_budget") if r["project_id"] == empty)
    assert (row["budget"], row["budget_spent"], row["budget_remaining"]) == (None, 0, None)


def test_expenses_count_against_a_budget_of_total_fees_only(start: Start) -> None:
    """The option to include expenses has no effect on another kind of budget."""
    server = start(entries=0, expenses=0).server
    spent = {}
    for method in ("project", "project_cost", "task", "task_fees", "person"):
        project = server.create("projects", budget_by=method, cost_budget_include_expenses=True)
        server.create("expenses", project_id=project["id"], total_cost=12.5)
        report = {row["project_id"]: row for row in server.report("report_project_budget")}
        spent[method] = report[project["id"]]["budget_spent"]
    assert spent == {"project": 0, "project_cost": 12.5, "task": 0, "task_fees": 0, "person": 0}


def test_project_budget_by_activity(busy: Reader) -> None:
    """is_active gives the active or the archived projects."""
    both = read(busy, "report_project_budget")
    for flag in (True, False):
        rows = read(busy, "report_project_budget", is_active=str(flag).lower())
        assert rows == [row for row in both if row["is_active"] is flag] != []
        assert rows == busy.server.report("report_project_budget", is_active=flag)


@pytest.mark.parametrize("name", [name for name, row in REPORTS.items() if row.dated])
def test_windows_are_checked(shared: Reader, name: str) -> None:
    """Both dates are required, in either format, at most 365 days apart."""
    path = f"reports/{REPORTS[name].path}"
    for first, last, status in (
        ("20200101", "20210101", 400), ("20200102", "20210101", 200), ("20210101", "20220101", 200),
        ("2021-01-01", "2022-01-02", 400), ("2021-01-01", "20220101", 200),
        ("yesterday", "20220101", 422), ("2021-02-30", "20220101", 422), ("20220101", "", 422),
    ):  # fmt: skip
        answer = shared.get(path, from_=first, to=last)
        assert answer.status_code == status, (first, last)
        if status == 400:
            expected = {"message": "Invalid timeframe: must not exceed 1 year"}
            assert answer.json() == expected
    assert shared.get(path, to="20220101").status_code == 422
    assert shared.get(path, from_="20220102", to="20220101").status_code == 200
    compact, dashed = (
        shared.get(path, from_=first, to=last).json()["results"]
        for first, last in (("20260101", "20260617"), ("2026-01-01", "2026-06-17"))
    )
    assert compact == dashed != []


def test_both_ends_of_a_window_belong_to_it(start: Start) -> None:
    """Windows that share a day count it twice (quirk 65)."""
    reader = start(entries=0, expenses=0)
    reader.server.create("time_entries", spent_date="2026-01-15", hours=1)
    windows = (("20260101", "20260115"), ("20260115", "20260131"), ("20260116", "20260131"))
    sums = [
        sum(row["total_hours"] for row in read(reader, "report_time_team", from_=first, to=last))
        for first, last in windows
    ]
    assert sums == [1, 1, 0]


def test_a_running_timer_counts_what_it_has_so_far(start: Start) -> None:
    """The report grows with the clock, rounded up like the entry."""
    clock = ManualClock()
    reader = start(entries=0, expenses=0, clock=clock)
    reader.server.create("time_entries", is_running=True, timer_started_at="2026-06-17T12:00:00Z",
                         hours=0)  # fmt: skip
    totals = []
    for _ in range(3):
        totals.append([row["total_hours"] for row in read(reader, "report_time_tasks")])
        clock.advance(1200)
    assert totals == [[], [0.5], [0.75]]


def test_reports_page_by_number(busy: Reader) -> None:
    """A page has results, the usual envelope, and links by page number that keep the window."""
    whole = busy.get("reports/time/team", from_=FIRST, to=LAST).json()
    pages = busy.pages("reports/time/team", from_=FIRST, to=LAST, per_page=7)
    assert [row for page in pages for row in page["results"]] == whole["results"]
    assert len(pages) == -(-whole["total_entries"] // 7) > 2
    assert "page=2" in pages[0]["links"]["next"]
    assert f"from={FIRST}" in pages[0]["links"]["next"]
    assert busy.get("reports/time/team", from_=FIRST, to=LAST, per_page=2001).status_code == 422


@pytest.mark.parametrize("name", REPORTS)
def test_reports_are_logged_by_name_and_returned_by_a_method(busy: Reader, name: str) -> None:
    """The log has name and unknown parameters; `report` returns the served rows."""
    busy.server.reset_requests()
    rows = read(busy, name, colour="red")
    assert busy.server.requests.counts() == {name: 1}
    assert busy.server.requests[0].unknown == ("colour",)
    dates = (FIRST, LAST) if REPORTS[name].dated else ()
    assert busy.server.report(name, *dates) == rows != []
    assert busy.get(f"reports/{REPORTS[name].path}/more").text.startswith("<!DOCTYPE")


def test_invalid_report_requests_are_refused(busy: Reader) -> None:
    """`report` refuses unknown names and parameters, bad windows and roles too low."""
    server = busy.server
    refused: tuple[tuple[str, tuple[Any, ...], Row], ...] = (
        ("report_time", (FIRST, LAST), {}),
        ("report_time_team", (FIRST, LAST), {"colour": "red"}),
        ("report_time_team", ("2020-01-01", LAST), {}),
        ("report_project_budget", (FIRST, LAST), {}),
        ("report_uninvoiced", (FIRST, LAST), {"token": server.tokens["member"]}),
    )
    for name, dates, params in refused:
        with pytest.raises(ValueError, match=r"report|timeframe|authorized"):
            server.report(name, *dates, **params)


@pytest.mark.parametrize("status", [404, 401])
def test_a_report_needs_a_token_that_reaches_the_account(start: Start, status: int) -> None:
    """`report` refuses an account out of the token's reach, as the API does."""
    people = (Person("1.pt.a"), Person("2.pt.b", accounts=(1000002,)))
    reader = start(accounts=(1000001, 1000002), people=people, wrong_account=status)
    for name, report in REPORTS.items():
        dates = {"from_": FIRST, "to": LAST} if report.dated else {}
        with pytest.raises(ValueError, match=str(status)):
            reader.server.report(name, account_id=1000001, token="2.pt.b", **dates)
        path = f"reports/{report.path}"
        answer = reader.get(path, account_id=1000001, token="2.pt.b", **dates)
        assert answer.status_code == status
        assert reader.server.report(name, account_id=1000002, token="2.pt.b", **dates)


def test_forecast_hours_come_on_request(busy: Reader) -> None:
    """scheduled_hours in time/projects and time/team with include_forecast (one source)."""
    for name in REPORTS:
        rows = read(busy, name, include_forecast="true")
        expected = name in ("report_time_projects", "report_time_team")
        assert all(("scheduled_hours" in row) == expected for row in rows)


def test_the_allowance_of_reports_is_their_own(start: Start) -> None:
    """By default 100 reports per 15 minutes pass, whatever the general limit."""
    reader = start(limit=True, entries=5, general_limit=Limit(0, 15))
    reader.server.use_allowance(97, budget="reports")
    assert [reader.get("reports/project_budget").status_code for _ in range(3)] == [200] * 3
    assert reader.get("reports/time/team").headers["Retry-After"] == "900"
    reader.server.settings.clock.advance(900)  # type: ignore[attr-defined]
    assert reader.get("reports/project_budget").status_code == 200


def test_faults_and_alterations_reach_reports(start: Start) -> None:
    """They match reports by name; envelope faults use the key results."""
    reader = start()
    reader.server.alter("report_time_team", "drop_field", name="currency")
    assert all("currency" not in row for row in read(reader, "report_time_team"))
    reader.server.fault("null_rows", table="report_project_budget", times=1)
    assert reader.get("reports/project_budget").json()["results"] is None


def test_each_account_reports_only_its_own_rows(start: Start) -> None:
    """Each account's reports add up its own rows."""
    reader = start(accounts=(1000001, 1000002), entries=400)
    for name, report in REPORTS.items():
        dates = {"from_": FIRST, "to": LAST} if report.dated else {}
        first, second = (
            reader.server.report(name, account_id=key, **dates) for key in (1000001, 1000002)
        )
        assert first != second
