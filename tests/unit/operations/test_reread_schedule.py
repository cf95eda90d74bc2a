"""Which windows an audit rereads, and in which order."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from harvest_source.extract.audit_state import Coverage
from harvest_source.extract.slices import ALL_DAYS, DateWindow
from harvest_source.operations.day_counts import DayCounts
from harvest_source.operations.reread_schedule import RereadCandidate, plan_rereads

START = datetime(2026, 6, 17, 12, tzinfo=UTC)
DAY = timedelta(days=1)
FIRST = date(2020, 1, 1)


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def candidate(
    name: str, rows: dict[int, int], at: datetime = START, *, bound: date | None = None
) -> RereadCandidate:
    counts = dict[date | None, int]({day(number): many for number, many in rows.items()})
    return RereadCandidate(name, Coverage.whole(at), DayCounts(counts), True, bound)


def test_nothing_is_read_again_within_a_day() -> None:
    """This holds however many requests are allowed."""
    assert plan_rereads([candidate("time_entries", {0: 9})], 20, START + DAY / 2) == ([], {})


def test_a_small_account_is_read_again_whole() -> None:
    """Each table takes one request; open sides stay open, for years like 0201."""
    tables = [candidate("time_entries", {0: 900, 9: 900}), candidate("expenses", {3: 2})]
    chosen, _ = plan_rereads(tables, 20, START + DAY)
    assert chosen == [("time_entries", ALL_DAYS), ("expenses", ALL_DAYS)]


def test_a_day_never_spends_more_than_its_requests() -> None:
    """A long history is reread page by page over many days, the oldest read first."""
    rows = dict.fromkeys(range(3000), 70)  # 210,000 rows.
    table, small = candidate("time_entries", rows), candidate("clients", {0: 5})
    now, days = START, 0
    while min(seen.at for seen in table.coverage.seen) == START:
        now, days = now + DAY, days + 1
        chosen, coverage = plan_rereads([table, small], 20, now)
        assert len(chosen) <= 20
        table = RereadCandidate(table.name, coverage[table.name], table.days, True)
        small = RereadCandidate(
            small.name, coverage.get(small.name, small.coverage), small.days, True
        )
    assert days == 6
    assert len(table.coverage.seen) <= days + 1
    assert min(seen.at for seen in small.coverage.seen) > START


def test_days_before_the_bound_are_not_read_again() -> None:
    """Days before ``start_date`` are skipped; the days after it are still chosen."""
    table = candidate("time_entries", {0: 1500, 50: 1500, 99: 1500}, bound=day(40))
    chosen, _ = plan_rereads([table], 20, START + DAY)
    assert chosen == [
        ("time_entries", DateWindow(day(40), day(99))),
        ("time_entries", DateWindow(day(99), None)),
    ]


def test_a_list_without_dates_is_read_on_a_day_of_its_own() -> None:
    """If a list without dates needs more requests than a day has, it is read alone."""
    large = RereadCandidate(
        "task_assignments", Coverage.whole(START), DayCounts({None: 60_000}), False
    )
    small = candidate("expenses", {0: 5}, START - DAY)
    first, coverage = plan_rereads([large, small], 20, START + DAY)
    assert first == [("expenses", ALL_DAYS)]
    small = RereadCandidate("expenses", coverage["expenses"], small.days, True)
    second, _ = plan_rereads([large, small], 20, START + 2 * DAY)
    assert second == [("task_assignments", ALL_DAYS)]
