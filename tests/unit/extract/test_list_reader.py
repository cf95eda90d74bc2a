"""The parts of reading: what is asked, what counts as proven, which copy of a row stays."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from math import inf

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvest_source.decode.dedup import keep_newest
from harvest_source.errors import ResponseError
from harvest_source.extract.list_reader import (
    ListReader,
    Page,
    ReadResult,
    SliceRead,
    TooLong,
    has_news,
    read_whole,
    touches,
)
from harvest_source.extract.slices import DateWindow, Slice
from harvest_source.extract.window_plan import Sample
from harvest_source.schema.endpoint import Endpoint
from tests.model_figures import (
    ENTRIES,
    FIRST_DAY,
    UNDATED,
    ModelClient,
    ModelPage,
    Row,
    WatchedReader,
    World,
    decode,
)

NOON = datetime(2024, 3, 1, 12, 0, tzinfo=UTC)
WHOLE = replace(UNDATED, name="roles", cursor=None)
SINGLE = replace(WHOLE, name="company", single=True, primary_key=())


def entry(row_id: int, *, day: int = 1, at: int = -1000, notes: str = "") -> Row:
    """A record changed *at* seconds after noon."""
    return Row(row_id, date(2024, 3, day), 11, notes, at)


def page(rows: Sequence[Row], total: int | None, *, at: float = 0) -> ModelPage:
    body = "[" + ",".join(row.json() for row in rows) + "]"
    return ModelPage(body.encode(), total, NOON + timedelta(seconds=at))


def table(*rows: Row) -> pa.Table:
    return decode(page(rows, None).rows)


class ScriptedClient:
    """
    Answers each walk with the next of *walks*, each count with the next of *counts*.

    Questions about changes are all answered with the page of *changed* rows.
    """

    def __init__(
        self,
        walks: Iterable[Iterable[ModelPage]],
        counts: Iterable[int] = (),
        changed: Sequence[Row] = (),
    ) -> None:
        self._walks = iter(walks)
        self._counts = iter(counts)
        self._changed = page(changed, len(changed))
        self.asked: list[Mapping[str, str] | str] = []

    def iter_pages(
        self, path: str, *, key: str | None, params: Mapping[str, str], most_rows: int | None
    ) -> Generator[Page, None, None]:
        self.asked.append(dict(params))
        yield from [self._changed] if "updated_since" in params else next(self._walks)

    def fetch_count(self, path: str, *, key: str, params: Mapping[str, str]) -> int:
        self.asked.append("count")
        return next(self._counts)


def reader(
    client: ScriptedClient,
    endpoint: Endpoint = ENTRIES,
    *,
    on_page: Callable[[int, int | None], None] = lambda _rows, _total: None,
    long_rows: int = 100,
) -> ListReader:
    return ListReader(
        client,
        endpoint,
        decode,
        today=date(2024, 3, 31),
        on_page=on_page,
        long_rows=long_rows,
        window_rows=long_rows,
    )


def ids(*tables: pa.Table) -> list[int]:
    return sorted({row_id for table in tables for row_id in table.column("id").to_pylist()})


def test_a_part_asks_in_harvests_words() -> None:
    """Inclusive days, whole UTC seconds, and the id filter without the double underscore."""
    part = Slice(
        DateWindow(date(2024, 3, 1), date(2024, 4, 1)),
        since=NOON + timedelta(seconds=5, microseconds=900_000),
        only=("user__id", 7),
    )
    assert part.params() == {
        "from": "2024-03-01",
        "to": "2024-03-31",
        "updated_since": "2024-03-01T12:00:05Z",
        "user_id": "7",
    }
    assert str(part) == "2024-03-01 to 2024-04-01, changed since 2024-03-01 12:00:05, user__id 7"


def test_one_page_is_one_request() -> None:
    """A read that fits one page is atomic: nothing more is asked."""
    client, outcome = ScriptedClient([[page([entry(2), entry(1)], 2)]]), ReadResult()
    (only,) = reader(client).iter_tables(Slice(), outcome)
    assert ids(only) == [1, 2]
    assert outcome.proven
    assert outcome.began == NOON
    assert client.asked == [{}]


def test_a_page_that_lacks_rows_it_announces_is_read_again() -> None:
    """One page whose total is not its rows is no proof, and never becomes one."""
    client = ScriptedClient([[page([entry(1)], 2)]] * 3)
    outcome = ReadResult()
    assert ids(*reader(client).iter_tables(Slice(), outcome)) == [1]
    assert not outcome.proven
    assert outcome.unproven == [Slice()]


def test_two_pages_need_a_catch_up_and_a_count() -> None:
    """More than one page: what changed since, from the very second it began, and the count."""
    pages = [page([entry(2)], 2, at=0.5), page([entry(1)], 2, at=1)]
    client, outcome = ScriptedClient([pages], [2]), ReadResult()
    assert ids(*reader(client).iter_tables(Slice(), outcome)) == [1, 2]
    assert outcome.proven
    assert client.asked == [{}, {"updated_since": "2024-03-01T11:59:59Z"}, "count"]


@pytest.mark.parametrize(
    ("pages", "changed", "count"),
    [
        pytest.param([([3], 3), ([2], 2)], [], 2, id="totals differ"),
        pytest.param([([3], 3), ([3, 2], 3)], [], 3, id="an id twice"),
        pytest.param([([3], None), ([2], None)], [], 2, id="no totals"),
        pytest.param([([3], 2), ([2], 2)], [entry(9, at=0)], 2, id="a row in the catch-up"),
        pytest.param([([3], 2), ([2], 2)], [], 3, id="another count"),
    ],
)
def test_what_is_not_proven_does_not_move_the_cursor(
    pages: list[tuple[list[int], int | None]], changed: list[Row], count: int
) -> None:
    """Each clause alone is enough to refuse; rows read are delivered all the same."""
    walk = [page([entry(i) for i in rows], total) for rows, total in pages]
    client, outcome = ScriptedClient([walk] * 3, [count] * 3, changed), ReadResult()
    tables = reader(client, UNDATED).iter_tables(Slice(), outcome)
    assert ids(*tables) == [2, 3, *(row.id for row in changed)]
    assert outcome.unproven == [Slice()]


def test_a_row_dated_after_the_read_began_is_news() -> None:
    """A row on a page, changed in the second the read began or later, refuses the proof."""
    walk = [page([entry(3)], 2), page([entry(2, at=1)], 2)]
    client, outcome = ScriptedClient([walk] * 3, [2] * 3), ReadResult()
    assert ids(*reader(client, UNDATED).iter_tables(Slice(), outcome)) == [2, 3]
    assert not outcome.proven


@pytest.mark.parametrize(("at", "expected"), [(-1, False), (0, True), (1, True)])
def test_news_is_what_changed_in_the_second_it_began(at: int, expected: bool) -> None:
    """Harvest dates changes in whole seconds: the begun second counts whole."""
    began = NOON + timedelta(milliseconds=900)
    assert has_news(table(entry(1), entry(2, at=at)), began) is expected


def taken(*rows: Row, window: DateWindow = DateWindow()) -> SliceRead:  # noqa: B008 - frozen
    return SliceRead(Slice(window), table(*rows), len(rows), NOON, pages=2, records=len(rows))


MARCH_10_TO_19 = DateWindow(date(2024, 3, 10), date(2024, 3, 20))


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        pytest.param([], False, id="nothing changed"),
        pytest.param([entry(5, day=1, at=9)], False, id="elsewhere"),
        pytest.param([entry(5, day=12, at=9)], True, id="now in the part"),
        pytest.param([entry(5, day=20, at=9)], False, id="on the day after the part"),
        pytest.param([entry(1, day=1, at=9)], True, id="read from the part, now elsewhere"),
        pytest.param([entry(1, day=12, at=-1)], False, id="before the part was read"),
    ],
)
def test_a_part_is_touched_by_what_is_in_it_or_was(changed: list[Row], expected: bool) -> None:
    """A change elsewhere is nothing to this part; a row moved out of it is."""
    part = taken(entry(1, day=12), window=MARCH_10_TO_19)
    assert touches(ENTRIES, part, table(*changed)) is expected


def test_without_windows_every_change_touches() -> None:
    """Where lists have no dates, any change may have moved rows."""
    assert touches(UNDATED, taken(entry(1)), table(entry(5, at=9)))


def test_a_change_without_a_date_touches() -> None:
    """When it is not known where or when a row moved, the worst is assumed."""
    changed = table(entry(5, day=1, at=9))
    for name in ("spent_date", "updated_at"):
        field = changed.schema.field(name)
        blank = changed.set_column(
            changed.schema.get_field_index(name), field, pa.nulls(1, field.type)
        )
        part = taken(entry(1, day=1), window=DateWindow(date(2024, 3, 1), date(2024, 3, 2)))
        assert touches(ENTRIES, part, blank)


def test_a_long_read_stops_after_the_first_page() -> None:
    """A list that is to be cut is not read before."""
    drawn = []

    def walk() -> Iterator[ModelPage]:
        for number in range(5):
            drawn.append(number)
            yield page([entry(number)], 500)

    assert reader(ScriptedClient([walk()])).take(Slice(), most_rows=499) == TooLong(
        Slice(), 500, NOON, Sample(1, date(2024, 3, 1), date(2024, 3, 1))
    )
    assert drawn == [0]


def test_no_page_at_all_is_an_error() -> None:
    """Nothing is never taken for an empty list."""
    with pytest.raises(ResponseError, match="no page at all"):
        reader(ScriptedClient([[]])).take(Slice())


def test_every_page_is_told() -> None:
    """Progress comes page by page, with the total of the part."""
    told: list[tuple[int, int | None]] = []
    client = ScriptedClient([[page([entry(2), entry(3)], 3), page([entry(1)], 3)]])
    reader(client, on_page=lambda rows, total: told.append((rows, total))).take(Slice())
    assert told == [(2, 3), (1, 3)]


class ForgetfulClient(ModelClient):
    """Leaves the first row out of every list that is asked for by date."""

    def _select(self, params: Mapping[str, str]) -> list[Row]:
        rows = super()._select(params)
        return [row for row in rows if row.id != 101 or not {"from", "to"} & params.keys()]


@pytest.mark.parametrize(("client", "is_proven"), [(ModelClient, True), (ForgetfulClient, False)])
def test_a_gap_between_windows_is_not_proven(client: type[ModelClient], is_proven: bool) -> None:
    """A row that the whole list has and no window shows keeps the cursor where it was."""
    world, outcome = World(), ReadResult()
    for day in range(8):
        world.create(date(2024, 3, 1 + day), user=11)
    world.now_s = 10_000
    served = client(world, lambda _request, _is_sent: None, per_page=1)
    cut = ListReader(
        served,
        ENTRIES,
        decode,
        today=date(2024, 3, 31),
        long_rows=4,
        window_rows=2,
        last_rows=inf,
    )
    found = {row_id for table in cut.iter_tables(Slice(), outcome) for row_id in ids(table)}
    assert outcome.parts > 1
    assert outcome.proven is is_proven
    assert (len(outcome.done), outcome.rows) == (outcome.parts, len(found)), "each window once"
    assert found == set(range(101 if is_proven else 102, 109))


@pytest.mark.parametrize(("last_rows", "catch_ups"), [(inf, 1), (0, 4)])
def test_windows_that_end_together_are_proven_together(last_rows: float, catch_ups: int) -> None:
    """One catch-up tells of all of them what changed; one that has long been read is proven."""
    world, outcome = World(), ReadResult()
    for number in range(16):
        world.create(FIRST_DAY + timedelta(days=number // 4), user=11)
    world.now_s = 10_000
    cut = WatchedReader(
        ModelClient(world, lambda _request, _is_sent: None, per_page=2),
        ENTRIES,
        long_rows=4,
        window_rows=4,
        last_rows=last_rows,
    )
    found = {row_id for table in cut.iter_tables(Slice(), outcome) for row_id in ids(table)}
    assert found == set(range(101, 117))
    assert outcome.proven
    assert (outcome.parts, len(cut.caught_up)) == (4, catch_ups)


@pytest.mark.parametrize(("known", "is_proven"), [((11, 12), True), ((11,), False)])
def test_a_day_is_cut_only_if_all_its_rows_have_a_known_id(
    known: tuple[int, ...], is_proven: bool
) -> None:
    """A person nobody listed would lose their hours: then the day stays unproven, in one piece."""
    world, outcome = World(), ReadResult()
    for number in range(4):
        world.create(date(2024, 3, 5), user=11 + number % 2)
    world.now_s = 10_000

    def edit_in_every_walk(_request: int, is_sent: bool) -> None:
        world.now_s += 1
        if is_sent:
            world.edit(101)

    busy = ListReader(
        ModelClient(world, edit_in_every_walk, per_page=2),
        ENTRIES,
        decode,
        today=date(2024, 3, 31),
        cut_values=lambda: known,
    )
    one_day = DateWindow(date(2024, 3, 5), date(2024, 3, 6))
    rows = {row_id for table in busy.iter_tables(Slice(), outcome) for row_id in ids(table)}
    assert rows == {101, 102, 103, 104}
    assert outcome.unproven == ([] if is_proven else [Slice(one_day)])


# Lists without updated_since.


def test_a_whole_list_of_one_page_is_taken_as_it_is() -> None:
    """One page with all it announces is complete."""
    client = ScriptedClient([[page([entry(1)], 1)]])
    assert ids(read_whole(reader(client, WHOLE), WHOLE).table) == [1]
    assert client.asked == [{}]


def test_an_empty_list_is_asked_for_twice() -> None:
    """It would empty the table: it must be empty once more."""
    client = ScriptedClient([[page([], 0)], [page([entry(1)], 1)]], [1])
    assert ids(read_whole(reader(client, WHOLE), WHOLE).table) == [1]
    assert client.asked == [{}, "count", {}]
    client = ScriptedClient([[page([], 0)]], [0])
    assert read_whole(reader(client, WHOLE), WHOLE).table.num_rows == 0


@pytest.mark.parametrize(
    ("walk", "count"),
    [
        pytest.param([([3], 2), ([2], 1)], 2, id="totals differ"),
        pytest.param([([3], 2), ([3], 2)], 2, id="an id twice"),
        pytest.param([([3], 2), ([2], 2)], 1, id="another count"),
        pytest.param([([3], 2)], 2, id="fewer rows than announced"),
        pytest.param([([3, 3], 2)], 2, id="an id twice on one page"),
        pytest.param([([3, 3], 2)], 1, id="an id twice on one page, and gone"),
        pytest.param([([], 0)], 1, id="no longer empty"),
    ],
)
def test_a_whole_list_is_complete_or_not_taken(
    walk: list[tuple[list[int], int]], count: int
) -> None:
    """Half a list must never take the place of the account's rows."""
    pages = [page([entry(i) for i in rows], total) for rows, total in walk]
    with pytest.raises(ResponseError, match="kept changing"):
        read_whole(reader(ScriptedClient([pages] * 3, [count] * 3), WHOLE), WHOLE)


def test_a_single_object_needs_no_total() -> None:
    """``company`` is no list."""
    client = ScriptedClient([[page([entry(1)], None)]])
    assert read_whole(reader(client, SINGLE), SINGLE).table.num_rows == 1


# Which copy of a row stays.


@given(st.lists(st.lists(st.tuples(st.integers(1, 6), st.integers(0, 3)), max_size=8), min_size=1))
def test_the_newest_copy_stays_and_the_later_of_equals(
    reads: list[list[tuple[int, int]]],
) -> None:
    """One row per id: the greatest ``updated_at``, and of those the one read last."""
    expected: dict[int, tuple[int, str]] = {}
    tables = []
    for at, rows in enumerate(reads):
        copies = [
            entry(row_id, at=second, notes=f"{at}.{place}")
            for place, (row_id, second) in enumerate(rows)
        ]
        for copy in copies:
            if copy.id not in expected or expected[copy.id][0] <= copy.updated_s:
                expected[copy.id] = copy.updated_s, copy.notes
        tables.append(table(*copies))
    joined = keep_newest(tables, ["id"])
    found = dict(
        zip(joined.column("id").to_pylist(), joined.column("notes").to_pylist(), strict=True)
    )
    assert joined.num_rows == len(expected)
    assert found == {row_id: notes for row_id, (_, notes) in expected.items()}


def test_a_copy_without_a_date_never_wins() -> None:
    """A row whose ``updated_at`` was no instant loses against any that has one."""
    blank = table(entry(1, notes="blank"))
    at = blank.schema.get_field_index("updated_at")
    blank = blank.set_column(at, blank.schema.field(at), pa.nulls(1, blank.schema.field(at).type))
    for tables in ([blank, table(entry(1))], [table(entry(1)), blank]):
        assert keep_newest(tables, ["id"]).column("notes").to_pylist() == [""]


def test_rows_without_a_key_all_stay() -> None:
    """Nobody can tell whether two rows without an id are one."""
    schema = pa.schema([("id", pa.int64()), ("n", pa.string())])
    rows = pa.table({"id": [None, 1, None, 1], "n": ["a", "b", "c", "d"]}, schema=schema)
    assert keep_newest([rows], ["id"]).column("n").to_pylist() == ["a", "c", "d"]


def test_keys_of_several_columns_tell_rows_apart() -> None:
    """A row is another when any column of its key is."""
    rows = pa.table({"id": [1, 1, 1], "project__id": [7, 8, 7], "n": ["a", "b", "c"]})
    assert keep_newest([rows], ["id", "project__id"]).column("n").to_pylist() == ["b", "c"]


def test_tables_with_other_columns_join() -> None:
    """A column that came up on a later page is null in earlier rows."""
    joined = keep_newest([pa.table({"id": [1]}), pa.table({"new": ["x"], "id": [2]})], ["id"])
    assert joined.to_pylist() == [{"id": 1, "new": None}, {"id": 2, "new": "x"}]
