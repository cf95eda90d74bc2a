"""Which years of a report are read."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from harvest_source.auth.sessions import Owner
from harvest_source.extract.removals import PENDING_REMOVALS, Reason, load_pending_removals
from harvest_source.extract.slice_reader import ListPage
from harvest_source.extract.strategies import read
from harvest_source.schema.endpoints import BY_NAME
from tests.support.model import ModelPage
from tests.support.scripted_lists import FixedClient, build_task

REPORT = BY_NAME["report_time_clients"]
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
HOURS_BEFORE = {"2025-12-31": 9, "2024-12-31": 5, "2023-12-31": 0}
"""The number of entries up to the end of a year; the first are in 2024."""


ROWS = '[{"id": 1, "client_id": 1, "client_name": "A", "total_hours": 1, "currency": "EUR"}]'


def read_years(
    state: dict[str, Any], now: datetime, before: dict[str, int] = HOURS_BEFORE, **options: Any
) -> list[str]:
    """The first days of the years that a run reads at once; *before* has entries up to a day."""
    client = FixedClient({}, before)
    list(read(build_task(client, REPORT, state=state, now=now, **options)))
    reports = [each for each in client.asked if each.startswith("reports/")]
    return sorted(each.partition("from=")[2][:8] for each in reports)


def test_old_years_are_read_on_a_schedule() -> None:
    """First all years with hours are read, then only recent ones, and after a week all again."""
    state: dict[str, Any] = {}
    every_year = ["20240101", "20250101", "20260101"]
    assert read_years(state, NOW) == every_year
    assert read_years(state, NOW + DAY) == ["20260101"]
    assert read_years(state, NOW + 7 * DAY) == every_year
    assert read_years(state, NOW + 8 * DAY, full_refresh=True) == every_year


def test_last_year_is_still_edited_in_its_first_quarter() -> None:
    """Hours less than ninety days old change, so a year that contains some is read."""
    state: dict[str, Any] = {}
    march = datetime(2026, 3, 1, 12, tzinfo=UTC)
    read_years(state, march)
    assert read_years(state, march + DAY) == ["20250101", "20260101"]


def test_a_token_that_sees_more_reads_every_year() -> None:
    """Rows of any year may have become visible."""
    state: dict[str, Any] = {}
    manager = Owner(1, "Ann", "", ("manager",))
    read_years(state, NOW, owner=manager)
    assert read_years(state, NOW + DAY, owner=manager) == ["20260101"]
    assert len(read_years(state, NOW + DAY)) == 3


def test_a_start_date_bounds_reports() -> None:
    """It is the report's first day; rows before it are not counted."""
    client = FixedClient({}, HOURS_BEFORE)
    list(read(build_task(client, REPORT, now=NOW, start_date=date(2025, 7, 1))))
    assert sorted(client.asked) == [
        "reports/time/clients?from=20250701&to=20251231",
        "reports/time/clients?from=20260101&to=20261231",
        "time_entries?from=2025-07-01&to=2025-12-31",
        "time_entries?from=2027-01-01",
    ]


def test_a_year_whose_rows_became_more_or_fewer_is_read() -> None:
    """If dates were corrected, the old and the new year are read at once, not in a week."""
    state: dict[str, Any] = {}
    assert read_years(state, NOW) == ["20240101", "20250101", "20260101"]
    moved = {"2025-12-31": 9, "2024-12-31": 6, "2023-12-31": 0}
    assert read_years(state, NOW + DAY, moved) == ["20240101", "20250101", "20260101"]
    assert read_years(state, NOW + 2 * DAY, moved) == ["20260101"]


def test_a_year_whose_rows_are_gone_is_read_once_more_and_forgotten() -> None:
    """If a wrong year was corrected, its rows are removed, and then it is forgotten."""
    state: dict[str, Any] = {}
    read_years(state, NOW, {"2025-12-31": 9, "2024-12-31": 9, "2023-12-31": 9, "2022-12-31": 0})
    assert set(state["windows"]) == {f"{year}-01-01/{year}-12-31" for year in range(2023, 2027)}
    assert read_years(state, NOW + DAY, {"2025-12-31": 0}) == ["20230101", "20260101"]
    assert set(state["windows"]) == {"2026-01-01/2026-12-31"}


def test_an_empty_window_is_asked_for_twice_if_the_warehouse_has_rows() -> None:
    """Nothing is remembered of it, but its rows are there: one odd answer would remove them."""
    path, state = "reports/time/clients", dict[str, Any](windows={"2026-01-01/2026-12-31": {}})
    client = FixedClient({path: "[]"}, others={path: {"20261231": 8}})
    task = build_task(client, REPORT, state=state, now=NOW)
    list(read(task))
    assert PENDING_REMOVALS not in state
    assert "was not replaced for from_date 2026-01-01" in str(task.run_log.unproven[0].error)


def test_a_window_inside_another_is_removed() -> None:
    """A year read from July and now from January counts July only once."""
    state: dict[str, Any] = {}
    client = FixedClient({"reports/time/clients": ROWS}, HOURS_BEFORE)
    list(read(build_task(client, REPORT, state=state, now=NOW, start_date=date(2026, 5, 1))))
    assert set(state["windows"]) == {"2026-05-01/2026-12-31"}
    task = build_task(client, REPORT, state=state, now=NOW + DAY)
    list(read(task))
    assert set(state["windows"]) == {f"{year}-01-01/{year}-12-31" for year in (2024, 2025, 2026)}
    (gone,) = load_pending_removals(REPORT, 1, state)
    assert (gone.reason, gone.columns) == (Reason.COVERED, ("from_date", "to_date"))
    assert gone.values == ((date(2026, 5, 1), date(2026, 12, 31)),)
    del state[PENDING_REMOVALS]
    client.asked.clear()
    later = build_task(client, REPORT, state=state, now=NOW + DAY, start_date=date(2026, 5, 1))
    list(read(later))
    assert "reports/time/clients?from=20260101&to=20261231" in client.asked, "it stays as wide"
    assert PENDING_REMOVALS not in state


def test_an_answer_without_a_date_forgets_no_window() -> None:
    """It may be outdated and lack rows: the window that was read stays until a dated answer."""
    state: dict[str, Any] = {}
    client = FixedClient({"reports/time/clients": ROWS}, HOURS_BEFORE)
    list(read(build_task(client, REPORT, state=state, now=NOW, start_date=date(2026, 5, 1))))
    client.asked.clear()
    task = build_task(client, REPORT, state=state, now=NOW + DAY)
    task.session.server_clock.date(None, sent_at=NOW, elapsed_s=0)
    list(read(task))
    assert "2026-05-01/2026-12-31" in state["windows"]
    assert PENDING_REMOVALS not in state
    assert "reports/time/clients?from=20260101&to=20261231" not in client.asked, "days count once"
    assert any("without the Date header" in each for each in task.run_log.warnings)
    list(read(build_task(client, REPORT, state=state, now=NOW + DAY)))
    assert "2026-05-01/2026-12-31" not in state["windows"]


def test_a_report_of_two_lists_is_read_for_years_of_either() -> None:
    """Expenses in years without time entries are invoiced, too."""
    state: dict[str, Any] = {}
    uninvoiced = BY_NAME["report_uninvoiced"]

    def read_with(expenses: dict[str, int], now: datetime) -> list[str]:
        client = FixedClient({}, HOURS_BEFORE, {"expenses": expenses})
        list(read(build_task(client, uninvoiced, state=state, now=now)))
        return [
            each.partition("from=")[2][:4]
            for each in client.asked
            if "from=" in each and "reports" in each
        ]

    old = {"2025-12-31": 4, "2024-12-31": 4, "2023-12-31": 4, "2022-12-31": 4, "2021-12-31": 0}
    every_year = ["2022", "2023", "2024", "2025", "2026"]
    assert read_with(old, NOW) == every_year
    assert read_with(old, NOW + DAY) == ["2026"]
    more = {day: n and n + 1 for day, n in old.items()}
    assert read_with(more, NOW + DAY) == ["2022", "2026"]


def test_a_snapshot_is_kept_once_a_day() -> None:
    """A snapshot is stored only for its own day: earlier days are never read again."""
    state: dict[str, Any] = {}
    budget = BY_NAME["report_project_budget"]
    for now in (NOW, NOW, NOW + DAY):
        list(read(build_task(FixedClient({}), budget, state=state, now=now)))
    assert list(state["windows"]) == ["2026-06-02"]


class ShortYear(FixedClient):
    """Announces one row more than it serves in every report of a year that begins at *short*."""

    short = ""

    def iter_pages(
        self, path: str, *, key: str | None, params: Mapping[str, str], most_rows: int | None
    ) -> Generator[ListPage, None, None]:
        more = int(params.get("from") == self.short)
        for page in super().iter_pages(path, key=key, params=params, most_rows=most_rows):
            yield ModelPage(page.rows, (page.total_entries or 0) + more, page.began)


def test_an_incomplete_year_blocks_no_other() -> None:
    """Its rows stay, with those of a window that it covers, and the next run reads it."""
    client = ShortYear({"reports/time/clients": ROWS}, HOURS_BEFORE)
    state: dict[str, Any] = {}
    list(read(build_task(client, REPORT, state=state, now=NOW, start_date=date(2025, 7, 1))))

    client.short = "20250101"
    task = build_task(client, REPORT, state=state, now=NOW + DAY)
    years = {row["from_date"].year for table in read(task) for row in table.to_pylist()}
    assert years == {2024}, "2026 is unchanged"
    (failure,) = task.run_log.unproven
    assert "was not replaced for from_date 2025-01-01, to_date 2025-12-31: " in str(failure.error)
    assert PENDING_REMOVALS not in state
    assert "2025-07-01/2025-12-31" in state["windows"]

    client.short = ""
    task = build_task(client, REPORT, state=state, now=NOW + DAY)
    years = {row["from_date"].year for table in read(task) for row in table.to_pylist()}
    assert years == {2025}
    assert PENDING_REMOVALS in state, "the covered window leaves"
