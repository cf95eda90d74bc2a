"""Worker processes answer from the warehouse: limits, locks, records and cursors."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from harvest_source import ask
from harvest_source.ask import Answer, Limits, QueryFailed, Runner, StatementRefused
from harvest_source.clock import SystemClock
from harvest_source.errors import DestinationError
from tests.support.questions import TOO_MUCH, find_workers, make_warehouse


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small warehouse."""
    return make_warehouse(tmp_path_factory.mktemp("ask") / "warehouse.duckdb")


@pytest.fixture(scope="module")
def runner(warehouse: Path) -> Iterator[Runner]:
    """A runner that keeps a worker ready, as a server does."""
    runner = Runner(warehouse, keeps_one_ready=True)
    yield runner
    runner.close()


class ImpatientClock(SystemClock):
    """Counts the pauses instead of waiting; each pause advances the clock by its length."""

    def __init__(self) -> None:
        self.passed = 0.0

    def monotonic(self) -> float:
        return self.passed

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def sleep(self, seconds: float) -> None:
        self.passed += seconds


@pytest.mark.parametrize("sql", TOO_MUCH, ids=range(len(TOO_MUCH)))
def test_statements_that_exceed_limits_are_stopped(warehouse: Path, sql: str) -> None:
    """Endless, huge and deep statements end with a short error, and their processes end too."""
    before = find_workers()
    runner = Runner(warehouse, limits=Limits(seconds=1, memory_mb=200))
    with pytest.raises((QueryFailed, StatementRefused)) as caught:
        runner.query(sql)
    assert len(str(caught.value)) < 400
    assert find_workers() == before


@pytest.mark.parametrize("stem", ["warehouse", "harvest"])
def test_a_query_beyond_its_memory_says_so(tmp_path: Path, stem: str) -> None:
    """A sort that does not fit is about memory, not about what may be read."""
    path = make_warehouse(tmp_path / "made.duckdb").rename(tmp_path / f"{stem}.duckdb")
    runner = Runner(path, limits=Limits(memory_mb=100))
    with pytest.raises(QueryFailed, match="needs more memory"):
        runner.query("SELECT range FROM range(300000000) ORDER BY hash(range)")


def test_a_value_that_python_does_not_have_is_explained(runner: Runner) -> None:
    """The message is about the value, not about limits, and its remedy works."""
    with pytest.raises(QueryFailed, match="is too large"):
        runner.query("SELECT to_days(2147483647)")
    answer = runner.query("SELECT CAST(to_days(2147483647) AS VARCHAR)")
    assert answer.rows == (("2147483647 days",),)


def test_query_workers_receive_no_credentials(
    warehouse: Path, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process that runs a caller's SQL receives no credentials from the environment."""
    monkeypatch.setenv("SOURCES__HARVEST__CREDENTIALS__ACCESS_TOKEN", "canary")
    fresh = Runner(warehouse, keeps_one_ready=True)
    fresh.query("SELECT 1")
    try:
        for pid in find_workers():
            assert b"canary" not in Path(f"/proc/{pid}/environ").read_bytes()
    finally:
        fresh.close()


@pytest.mark.rare
def test_paging_by_cursor_returns_every_record_once(runner: Runner) -> None:
    """Paging ends and returns every record once, in any order and with nulls in the sort column."""
    for order in ([], ["-notes"], ["notes", "-hours"], ["-spent_date"]):
        seen: list[int] = []
        cursor = None
        while True:
            page = ask.list_records(
                "time_entries",
                columns=["id"],
                order=order,
                limit=7,
                after=cursor,
                warehouse=runner,
            )
            seen += [row[0] for row in page.rows]
            cursor = page.cursor
            if cursor is None:
                break
        assert sorted(seen) == list(range(40)), order


@pytest.mark.parametrize("key", ["", ", id::VARCHAR AS _dlt_id"], ids=["no key", "key"])
@pytest.mark.parametrize("order", ["notes", "-notes"])
def test_paging_in_the_order_of_long_texts(tmp_path: Path, order: str, key: str) -> None:
    """A page that ends at a text beyond an answer's 20,000 characters repeats and skips no row."""
    path = tmp_path / "warehouse.duckdb"
    begin = "CASE WHEN id < 3 THEN '' ELSE repeat('n', 25000) END"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE SCHEMA harvest")
        connection.execute(
            f"CREATE TABLE harvest.made AS SELECT id, {begin} || chr(64 + id::INT) AS notes"
            f"{key} FROM range(1, 6) t(id)"
        )
    runner = Runner(path, keeps_one_ready=True)
    found, cursor = [], None
    for _ in range(7):
        page = ask.list_records(
            "made", columns=["id"], order=[order], limit=1, after=cursor, warehouse=runner
        )
        found += [record["id"] for record in page.records()]
        cursor = page.cursor
        assert len(cursor or "") < 1000
        if cursor is None:
            break
    runner.close()
    assert sorted(found) == [1, 2, 3, 4, 5]
    assert found[:2] == [1, 2] if order == "notes" else found[-2:] == [2, 1]


def test_a_cursor_of_another_list_is_refused(runner: Runner) -> None:
    """A cursor works only with its own table, filters and order; a made-up one is refused."""
    page = ask.list_records("time_entries", limit=3, warehouse=runner)
    assert page.cursor is not None
    for cursor in (page.cursor, "nonsense", "bnVsbA", ""):
        with pytest.raises(StatementRefused, match="cursor"):
            ask.list_records("clients", limit=3, after=cursor, warehouse=runner)


@pytest.mark.parametrize(
    ("where", "count"),
    [
        (["user__name=Ann"], 14),
        (["user__name!=Ann"], 26),
        (["spent_date>=2026-02-01"], 9),
        (["hours<1", "billable=true"], 3),
        (["notes=null"], 20),
        (["notes!=null"], 20),
        (["notes~NOT"], 20),
        (["notes~%"], 0),
        ({"project__id": 1, "is_billed": False}, 20),
        ({"notes": None}, 20),
    ],
)
def test_every_filter_operator_works_as_stated(
    runner: Runner, where: list[str], count: int
) -> None:
    """Every operator filters as stated, null included; LIKE wildcards are matched literally."""
    found = ask.list_records("time_entries", where=where, limit=500, warehouse=runner)
    assert len(found.rows) == count


MISTAKES: dict[str, Callable[[Runner], Answer]] = {
    "Did you mean time_entries": lambda it: ask.list_records("time_entrys", warehouse=it),
    "Did you mean name": lambda it: ask.list_records("clients", where=["nam=x"], warehouse=it),
    "A filter looks": lambda it: ask.list_records("clients", where=["name"], warehouse=it),
    "between 1 and 500": lambda it: ask.list_records("clients", limit=501, warehouse=it),
    "client, project, person": lambda it: ask.sum_time(["year"], warehouse=it),
    "There is no table": lambda it: ask.describe_table("duckdb_settings", warehouse=it),
}


@pytest.mark.parametrize("words", MISTAKES)
def test_errors_say_how_to_correct_the_question(runner: Runner, words: str) -> None:
    """The error alone tells a model or a person how to correct the question."""
    with pytest.raises(StatementRefused, match=words):
        MISTAKES[words](runner)


def test_sums_of_time_equal_those_of_sql(runner: Runner, warehouse: Path) -> None:
    """Hours and amounts per currency are exact; entries without a rate are counted, not priced."""
    answer = ask.sum_time(["person", "month"], where=["is_billed=false"], warehouse=runner)
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        expected = connection.execute(
            "SELECT SUM(hours), SUM(CASE WHEN billable THEN rounded_hours * 100 END), COUNT(*) "
            "FROM harvest.time_entries WHERE billable_rate IS NOT NULL OR NOT billable"
        ).fetchone()
    assert expected is not None
    records = answer.records()
    assert {each["currency"] for each in records} == {"EUR", "USD"}
    assert sum(Decimal(each["amount"] or 0) for each in records) == expected[1]
    assert sum(each["entries"] - each["without_rate"] for each in records) == expected[2]
    assert {each["month"] for each in records} == {"2026-01-01", "2026-02-01"}


def test_search_finds_names_by_substring(runner: Runner) -> None:
    """The search ignores case; what the warehouse lacks is left out."""
    found = ask.find("IENT 3", warehouse=runner)
    assert [(each["kind"], each["name"]) for each in found.records()] == [("client", "Client 3")]


def test_records_have_exact_decimals_and_plain_json(runner: Runner) -> None:
    """Decimals are text with all significant digits; instants are UTC."""
    record = ask.get_record("time_entries", 1, warehouse=runner).records()[0]
    assert (record["hours"], record["billable_rate"]) == ("1.25", "100")
    assert (record["spent_date"], record["updated_at"]) == ("2026-01-02", "2026-02-01T10:00:00Z")
    json.dumps(record)


def test_a_question_waits_for_a_locked_file_then_reports_it(warehouse: Path) -> None:
    """While a sync holds the file, a question waits up to its limit, then reports it as in use."""
    clock = ImpatientClock()
    with (
        duckdb.connect(str(warehouse)),
        pytest.raises(DestinationError, match=r"warehouse\.duckdb is in use"),
    ):
        Runner(warehouse, clock=clock, limits=Limits(wait_s=1.2)).query("SELECT 1")
    assert clock.passed >= 1.2
    assert Runner(warehouse, clock=clock).query("SELECT 1").rows == ((1,),)


def test_a_question_without_a_warehouse_says_how_to_create_one(tmp_path: Path) -> None:
    """If there is no warehouse, the error names the command that makes one and creates no file."""
    with pytest.raises(DestinationError, match="harvest-source sync"):
        Runner(tmp_path / "none.duckdb").query("SELECT 1")
    assert list(tmp_path.iterdir()) == []
