"""Whole lists: cut into windows, read, and checked for gaps."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from datetime import date, timedelta
from math import inf

import pytest

from harvest_source.extract.list_reader import (
    TABLES_WAITING,
    ListReader,
    ReadResult,
    WindowPace,
)
from harvest_source.extract.proof import SliceResult
from harvest_source.extract.slice_reader import ListPage, ListSource
from harvest_source.extract.slices import DateWindow, Slice
from harvest_source.extract.window_plan import WindowSettings
from harvest_source.schema.endpoint import Endpoint
from tests.support.model import (
    ENTRIES,
    FIRST_DAY,
    UNDATED,
    ModelClient,
    ModelPage,
    Row,
    World,
    decode,
)
from tests.support.scripted_lists import (
    END_OF_MARCH,
    NOON,
    ScriptedClient,
    entry,
    ids,
    list_reader,
    page,
)
from tests.support.watched_reader import WatchedReader


def test_one_page_is_one_request() -> None:
    """A read that fits on one page is atomic: nothing more is requested."""
    client, result = ScriptedClient([[page([entry(2), entry(1)], 2)]]), ReadResult()
    (only,) = list_reader(client).iter_tables(Slice(), result)
    assert ids(only) == [1, 2]
    assert result.proven
    assert result.began == NOON
    assert client.asked == [{}]


TWO = page([entry(2), entry(1)], 2)


def test_a_list_behind_an_odd_empty_answer_is_not_held_in_memory() -> None:
    """Its pages are delivered while the others are read, as for any list."""
    many = [page([entry(each)], 30) for each in range(1, 31)]
    read = list[int]()

    def serve() -> Iterator[ModelPage]:
        for each in many:
            read.append(len(read))
            yield each

    client = ScriptedClient([[page([], 0)], serve()], counts=[30, 30, 30])
    settings = WindowSettings(END_OF_MARCH, long_rows=100, window_rows=100, workers=2)
    tables = ListReader(ListSource(client, ENTRIES, decode), settings).iter_tables(
        Slice(), ReadResult()
    )
    assert ids(next(each for each in tables if each.num_rows)) == [1]
    assert len(read) <= TABLES_WAITING + 2
    assert ids(*tables) == list(range(2, 31))


WITHOUT_ID = ModelPage(TWO.rows.replace(b'"id":1,', b'"id":null,'), 2, NOON)


@pytest.mark.parametrize("endpoint", [ENTRIES, UNDATED])
@pytest.mark.parametrize(
    ("pages", "most_rows", "expected"),
    [
        ([TWO], 2, [1, 2]),
        ([page([], 0)], 2, []),
        ([page([entry(2), entry(1)], 3), page([entry(3)], 3)], 2, None),
        ([page([entry(2), entry(1)], 3), page([entry(3)], 3)], 9, None),
        ([page([entry(2), entry(1)], 3)], 9, None),
        ([page([entry(2), entry(2)], 2)], 9, None),
        ([WITHOUT_ID], 9, None),
        ([page([entry(2), entry(1)], None)], 9, None),
    ],
)
def test_a_short_list_is_read_by_one_request(
    endpoint: Endpoint, pages: list[ModelPage], most_rows: int, expected: list[int] | None
) -> None:
    """The page must have as many rows as it announces, each with its own id."""
    client = ScriptedClient([pages])
    found = list_reader(client, endpoint).read_page(Slice(), most_rows)
    assert (None if found is None else ids(found)) == expected
    assert client.asked == [{}]


class ForgetfulClient(ModelClient):
    """Omits the first row, which has no date, from every list requested by date."""

    def _select(self, params: Mapping[str, str]) -> list[Row]:
        rows = super()._select(params)
        return [row for row in rows if row.id != 101 or not {"from", "to"} & params.keys()]


@pytest.mark.parametrize("client", [ModelClient, ForgetfulClient])
def test_a_row_in_no_window_is_read_all_the_same(client: type[ModelClient]) -> None:
    """The list has more rows than its windows, so it is reread without dates."""
    world, result = World(), ReadResult()
    for day in range(8):
        world.create(date(2024, 3, 1 + day), user=11)
    world.now_s = 10_000
    served = client(world, lambda _request, _is_sent: None, per_page=1)
    settings = WindowSettings(END_OF_MARCH, long_rows=4, window_rows=2, last_rows=inf)
    cut = ListReader(ListSource(served, ENTRIES, decode), settings)
    found = [row_id for table in cut.iter_tables(Slice(), result) for row_id in ids(table)]
    assert result.pieces > 1
    assert result.proven
    assert set(found) == set(range(101, 109))
    is_read_twice = len(found) > len(set(found))
    assert is_read_twice is (client is ForgetfulClient)


class OddClient(ModelClient):
    """Serves row 104 without a usable id."""

    def iter_pages(
        self,
        path: str,
        *,
        key: str | None,
        params: Mapping[str, str],
        most_rows: int | None = None,
    ) -> Generator[ListPage, None, None]:
        for each in super().iter_pages(path, key=key, params=params, most_rows=most_rows):
            rows = each.rows.replace(b'"id":104,', b'"id":null,')
            yield ModelPage(rows, each.total_entries, each.began)


@pytest.mark.parametrize("last_rows", [inf, -inf])
def test_a_record_without_an_id_leaves_only_its_window_to_be_read_again(last_rows: float) -> None:
    """With the proof deferred or not, it costs no more requests than without the record."""
    requests: list[list[int]] = []
    for client in (ModelClient, OddClient):
        world, result = World(), ReadResult()
        for day in range(8):
            world.create(date(2024, 3, 1 + day), user=11)
        world.now_s = 10_000
        requests.append([])
        served = client(world, lambda each, _is_sent: requests[-1].append(each), per_page=1)
        settings = WindowSettings(END_OF_MARCH, long_rows=4, window_rows=2, last_rows=last_rows)
        cut = ListReader(ListSource(served, ENTRIES, decode), settings)
        found = ids(*cut.iter_tables(Slice(), result))
    assert found == [101, 102, 103, 105, 106, 107, 108]
    assert not result.proven
    assert result.unproven == []
    assert sum(result.left_out.values()) == 1
    (odd,) = (slice_.window for slice_ in result.left_out)
    assert date(2024, 3, 4) in odd
    assert not any(date(2024, 3, 4) in window for window in result.done)
    assert any(date(2024, 3, 8) in window for window in result.done)
    assert requests[0] == requests[1]


class UneasyClient(ForgetfulClient):
    """Edits a row on each request for the whole list, so that no whole list is proven."""

    def _select(self, params: Mapping[str, str]) -> list[Row]:
        rows = super()._select(params)
        if not {"from", "to", "updated_since"} & params.keys():
            self._world.edit(104)
        return rows


def test_a_row_in_no_window_of_a_busy_list_leaves_it_unproven() -> None:
    """The cursor stays, and the message says how many rows are in no window."""
    world, result = World(), ReadResult()
    for day in range(8):
        world.create(date(2024, 3, 1 + day), user=11)
    world.now_s = 10_000
    served = UneasyClient(world, lambda _request, _is_sent: None, per_page=1)
    settings = WindowSettings(END_OF_MARCH, long_rows=4, window_rows=2, last_rows=inf)
    cut = ListReader(ListSource(served, ENTRIES, decode), settings)
    list(cut.iter_tables(Slice(), result))
    assert not result.proven
    assert result.reasons == ["1 row is in no window of dates, and the whole list kept changing"]


class GrowingClient(ModelClient):
    """Counts one row more in the windows of a list than in the list just before."""

    def fetch_count(self, path: str, *, key: str, params: Mapping[str, str]) -> int:
        rows = super().fetch_count(path, key=key, params=params)
        return rows if {"from", "to"} & params.keys() else rows - 1


def test_a_list_whose_windows_never_add_up_is_unproven() -> None:
    """The windows are proven, but the list kept growing in every attempt to compare the counts."""
    served = GrowingClient(build_dense_world(), lambda _request, _is_sent: None, per_page=2)
    settings = WindowSettings(END_OF_MARCH, long_rows=4, window_rows=4)
    result = ReadResult()
    tables = ListReader(ListSource(served, ENTRIES, decode), settings).iter_tables(Slice(), result)
    assert ids(*tables) == list(range(101, 117))
    assert (result.proven, result.unproven) == (False, [Slice()])


@pytest.mark.parametrize("client", [ModelClient, ForgetfulClient])
def test_a_row_in_neither_half_is_read_all_the_same(client: type[ModelClient]) -> None:
    """The same holds for a short list that was split because it kept changing."""
    world, result = World(), ReadResult()
    for day in range(4):
        world.create(date(2024, 3, 1 + day), user=11)
    world.now_s = 10_000

    def edit_for_a_while(request: int, is_sent: bool) -> None:
        world.now_s += 1
        if is_sent and request < 14:
            world.edit(104)

    served = client(world, edit_for_a_while, per_page=1)
    reader = ListReader(ListSource(served, ENTRIES, decode), WindowSettings(END_OF_MARCH))
    assert ids(*reader.iter_tables(Slice(), result)) == [101, 102, 103, 104]
    assert result.pieces > 1
    assert result.proven


def build_dense_world() -> World:
    """A world with sixteen rows on four days."""
    world = World()
    for number in range(16):
        world.create(FIRST_DAY + timedelta(days=number // 4), user=11)
    world.now_s = 10_000
    return world


@pytest.mark.parametrize(("last_rows", "catch_ups"), [(inf, 1), (0, 4)])
def test_windows_that_end_together_are_proven_together(last_rows: float, catch_ups: int) -> None:
    """One catch-up proves them all; a window that ended long before is proven alone."""
    result = ReadResult()
    cut = WatchedReader(
        ModelClient(build_dense_world(), lambda _request, _is_sent: None, per_page=2),
        ENTRIES,
        long_rows=4,
        window_rows=4,
        last_rows=last_rows,
    )
    found = {row_id for table in cut.iter_tables(Slice(), result) for row_id in ids(table)}
    assert found == set(range(101, 117))
    assert result.proven
    assert (result.pieces, len(cut.watch.caught_up)) == (4, catch_ups)


class RecordingClient(ModelClient):
    """Records the query of every request."""

    def __init__(self, world: World) -> None:
        super().__init__(world, lambda _request, _is_sent: None, per_page=2)
        self.asked: list[Mapping[str, str]] = []

    def _select(self, params: Mapping[str, str]) -> list[Row]:
        self.asked.append(params)
        return super()._select(params)


def test_an_interrupted_read_continues_with_the_windows_it_lacks() -> None:
    """Finished windows are not reread; the catch-up goes back to the beginning."""
    client = RecordingClient(build_dense_world())
    settings = WindowSettings(END_OF_MARCH, long_rows=4, window_rows=4)
    reader = ListReader(ListSource(client, ENTRIES, decode), settings)
    second_day = FIRST_DAY + timedelta(days=1)
    began = NOON + timedelta(hours=1)
    result = ReadResult(began=began, done=[DateWindow(None, second_day)])
    tables = list(reader.iter_tables(Slice(), result))
    assert ids(*tables) == list(range(105, 117))
    assert (result.proven, result.began, result.rows) == (True, began, None)
    last_catch_up = client.asked.index({"updated_since": "2024-03-01T12:59:59Z"})
    before = client.asked[:last_catch_up]
    assert all(each.get("from", "9") >= str(second_day) for each in before)
    assert sum("updated_since" in each for each in before) == 3, "each window is proven at once"


def test_several_workers_read_what_one_does() -> None:
    """Windows that are read in parallel lose no rows."""
    client = ModelClient(build_dense_world(), lambda _request, _is_sent: None, per_page=2)
    settings = WindowSettings(END_OF_MARCH, long_rows=4, window_rows=4, workers=3)
    result = ReadResult()
    tables = ListReader(ListSource(client, ENTRIES, decode), settings).iter_tables(Slice(), result)
    assert ids(*tables) == list(range(101, 117))
    assert (result.proven, result.pieces, result.rows) == (True, 4, 16)


def test_results_of_slices_add_up() -> None:
    """One uncounted slice makes the total number of rows unknown."""
    result, window = ReadResult(), DateWindow(None, FIRST_DAY)
    assert not result.proven, "it has not begun"
    result.began = NOON
    result.add(SliceResult(Slice(window), 1, (), 5))
    assert (result.proven, result.rows, result.done) == (True, 5, [window])
    result.add(SliceResult(Slice(DateWindow(FIRST_DAY)), 3, (Slice(),), None))
    assert (result.proven, result.pieces, result.rows) == (False, 4, None)
    assert result.done == [window], "an unproven window is read again"


def test_joined_reads_began_with_the_first_and_are_proven_together() -> None:
    """A cursor that began with the last would pass what changed during the others."""
    for order in (1, -1):
        first, second = [ReadResult(NOON), ReadResult(NOON + timedelta(minutes=1))][::order]
        joined = ReadResult()
        joined.join(first)
        joined.join(second)
        assert (joined.began, joined.proven) == (NOON, True)
    joined.join(ReadResult(NOON, unproven=[Slice()]))
    assert not joined.proven


def test_windows_are_ending_when_none_has_many_rows_to_come() -> None:
    """A window that has not been read at all may have any number of rows."""
    one, other = Slice(DateWindow(None, FIRST_DAY)), Slice(DateWindow(FIRST_DAY))
    pace = WindowPace([one, other], last_rows=10)
    pace.update(one, 0)
    assert not pace.is_ending
    pace.update(other, 10)
    assert pace.is_ending
    pace.replace(other, [Slice()])
    assert not pace.is_ending
