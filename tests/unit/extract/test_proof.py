"""When a slice counts as read completely, and what happens to one that does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest

from harvest_source.extract.known_rows import digest_recent_rows, merge_contents
from harvest_source.extract.list_reader import ListReader, ReadResult
from harvest_source.extract.proof import (
    CaughtUp,
    Prover,
    changed_during_read,
    count_changed,
    is_affected,
    pages_agree,
)
from harvest_source.extract.slice_reader import Emit, ListSource, SliceRead
from harvest_source.extract.slices import ALL_DAYS, DateWindow, Slice
from harvest_source.extract.window_plan import WindowSettings
from tests.support.model import (
    ENTRIES,
    UNDATED,
    ModelClient,
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
    slice_reader,
    table,
)

MARCH_10_TO_19 = DateWindow(date(2024, 3, 10), date(2024, 3, 20))
NOTHING = CaughtUp(table(), is_proven=True)


def read_of(*rows: Row, window: DateWindow = ALL_DAYS, total: int | None = None) -> SliceRead:
    """A read of two pages that brought *rows*."""
    total = len(rows) if total is None else total
    return SliceRead(Slice(window), table(*rows), total, NOON, pages=2, records=len(rows))


# The clauses.


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        (read_of(entry(1), entry(2)), True),
        (read_of(entry(1), entry(2), total=3), False),
        (read_of(entry(1), entry(2), total=1), False),
        (SliceRead(Slice(), table(entry(1)), None, NOON, pages=2, records=1), False),
        (SliceRead(Slice(), table(entry(1)), 1, NOON, pages=1, records=1), True),
        (SliceRead(Slice(), table(entry(1)), None, NOON, pages=1, records=1), True),
        (SliceRead(Slice(), table(entry(1)), 2, NOON, pages=1, records=1), False),
    ],
)
def test_pages_agree_if_they_hold_what_they_announce(read: SliceRead, expected: bool) -> None:
    """Several pages need a common total; one page needs no total, but must not lack rows."""
    assert pages_agree(read) is expected


@pytest.mark.parametrize(("at", "expected"), [(-1, False), (0, True), (1, True)])
def test_a_change_in_the_second_the_read_began_is_during_the_read(at: int, expected: bool) -> None:
    """Harvest dates changes in whole seconds, so all of that second counts."""
    began = datetime(2024, 3, 1, 12, 0, 0, 900_000, tzinfo=UTC)
    rows = table(entry(1), entry(2, at=at))
    recent = digest_recent_rows(rows, began)
    read = SliceRead(Slice(), rows, 2, began, pages=2, records=2, recent=recent)
    assert changed_during_read(read) is expected


def test_a_row_that_is_not_dated_may_have_changed_during_the_read() -> None:
    """This holds beside rows whose dates are all older, too."""
    rows = table(entry(1), entry(2))
    at = rows.column("updated_at")
    undated = pa.array([None, at[1].as_py()], at.type)
    rows = rows.set_column(rows.column_names.index("updated_at"), "updated_at", undated)
    assert list(digest_recent_rows(rows, NOON)) == [1]


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        pytest.param([entry(2, at=9)], False, id="as it was before"),
        pytest.param([entry(2, at=9, notes="Else")], True, id="another content"),
        pytest.param([entry(2, at=9, day=2)], True, id="another day"),
        pytest.param([entry(1)], True, id="not seen before"),
    ],
)
def test_a_row_that_was_known_before_did_not_change_during_the_read(
    before: list[Row], expected: bool
) -> None:
    """Two reads decide, not the row's date; so they do in the catch-up that follows."""
    rows = table(entry(1), entry(2, at=9))
    recent, known = digest_recent_rows(rows, NOON), digest_recent_rows(table(*before), NOON)
    read = SliceRead(Slice(), rows, 2, NOON, pages=2, records=2, recent=recent, known=known)
    assert changed_during_read(read) is expected
    caught_up = CaughtUp(table(entry(2, at=9)), is_proven=True, contents=recent)
    assert is_affected(read, caught_up.since(read), UNDATED) is expected


def test_a_row_with_two_contents_counts_as_changed() -> None:
    """It changed between two pages of one read."""
    contents: dict[int, str] = {}
    for each in ("One", "Two", "Two"):
        merge_contents(contents, digest_recent_rows(table(entry(2, at=9, notes=each)), NOON))
    read = SliceRead(Slice(), table(), 0, NOON, pages=2, records=0, recent=contents, known=contents)
    assert changed_during_read(read)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        pytest.param([], False, id="nothing changed"),
        pytest.param([entry(5, day=1, at=9)], False, id="elsewhere"),
        pytest.param([entry(5, day=12, at=9)], True, id="now in the slice"),
        pytest.param([entry(5, day=20, at=9)], False, id="on the day after the slice"),
        pytest.param([entry(1, day=1, at=9)], True, id="read from the slice, now elsewhere"),
        pytest.param([entry(1, day=12, at=-1)], False, id="before the slice was read"),
    ],
)
def test_a_slice_is_affected_by_rows_in_it_or_formerly_in_it(
    changed: list[Row], expected: bool
) -> None:
    """A change elsewhere does not affect a slice; a row that moved out of it does."""
    read = read_of(entry(1, day=12), window=MARCH_10_TO_19)
    assert is_affected(read, table(*changed), ENTRIES) is expected


def test_without_dates_every_change_affects_a_slice() -> None:
    """In a list without a date filter any change may have moved rows."""
    assert is_affected(read_of(entry(1)), table(entry(5, at=9)), UNDATED)


@pytest.mark.parametrize("name", ["spent_date", "updated_at"])
def test_a_change_without_a_date_affects_every_slice(name: str) -> None:
    """If it is unknown where or when a row moved, the slice counts as affected."""
    changed = table(entry(5, day=1, at=9))
    field = changed.schema.field(name)
    at = changed.schema.get_field_index(name)
    blank = changed.set_column(at, field, pa.nulls(1, field.type))
    read = read_of(entry(1, day=1), window=DateWindow(date(2024, 3, 1), date(2024, 3, 2)))
    assert is_affected(read, blank, ENTRIES)


@pytest.mark.parametrize(("count", "expected"), [(1, True), (2, False), (3, True)])
def test_a_count_must_confirm_the_total(count: int, expected: bool) -> None:
    """Fewer rows are a change, like more rows."""
    assert count_changed(read_of(entry(1), entry(2)), lambda _: count) is expected


def test_an_unproven_catch_up_proves_nothing() -> None:
    """The catch-up may lack a change, so not even the count is requested."""
    client = ScriptedClient()
    prover = Prover(slice_reader(client), lambda _began, _emit: NOTHING)
    read = read_of(entry(1), entry(2))
    assert prover.has_changed(read, CaughtUp(table(), is_proven=False))
    assert client.asked == []


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        pytest.param(read_of(entry(1), entry(2)), True, id="nothing changed"),
        pytest.param(
            replace(read_of(entry(1), entry(2)), recent={2: "content"}), False, id="a row is new"
        ),
        pytest.param(read_of(entry(1), entry(2), total=3), False, id="a row is missing"),
    ],
)
def test_the_innermost_catch_up_is_proven_by_its_pages(read: SliceRead, expected: bool) -> None:
    """No other request proves it, so a change on one of its pages is enough to refuse."""
    assert Prover(slice_reader(ScriptedClient()), lambda *_: NOTHING).is_quiet(read) is expected


# Proving.


def test_one_page_needs_no_proof() -> None:
    """It was served at one moment, so it needs no catch-up and no count."""

    def catch_up(_began: datetime, _emit: Emit) -> CaughtUp:
        raise AssertionError("one page was caught up")

    client = ScriptedClient([[page([entry(1)], 1)]])
    result = Prover(slice_reader(client), catch_up).prove(Slice(), lambda _: None)
    assert (result.pieces, result.unproven, result.rows) == (1, (), 1)
    assert client.asked == [{}]


def test_two_pages_need_a_catch_up_and_a_count() -> None:
    """Several pages need the changes since the second they began, and the count."""
    pages = [page([entry(2)], 2, at=0.5), page([entry(1)], 2, at=1)]
    client, result = ScriptedClient([pages], [2]), ReadResult()
    assert ids(*list_reader(client).iter_tables(Slice(), result)) == [1, 2]
    assert result.proven
    assert client.asked == [{}, {"updated_since": "2024-03-01T11:59:59Z"}, "count"]


def test_a_page_that_lacks_rows_it_announces_is_read_again() -> None:
    """One page whose total differs from its rows is never a proof."""
    client = ScriptedClient([[page([entry(1)], 2)]] * 3)
    result = ReadResult()
    assert ids(*list_reader(client).iter_tables(Slice(), result)) == [1]
    assert not result.proven
    assert result.unproven == [Slice()]


@pytest.mark.parametrize("pages", [1, 2])
def test_a_row_that_leaves_between_two_attempts_is_caught_up(pages: int) -> None:
    """The first attempt delivered an old state of it, and no other attempt brings it."""
    disagreeing = [page([entry(3)], 3), page([entry(2)], 2)]
    rows = [entry(2), entry(1)] if pages == 2 else [entry(2)]
    agreeing = [page([each], pages, at=100) for each in rows]
    moved_out = entry(3, day=30, at=50)
    client = ScriptedClient([disagreeing, agreeing], [pages], [moved_out])
    result, window = ReadResult(), DateWindow(date(2024, 3, 1), date(2024, 3, 20))
    tables = list(list_reader(client).iter_tables(Slice(window), result))
    assert tables[-1].column("spent_date").to_pylist() == [date(2024, 3, 30)]
    assert client.asked[2] == {"updated_since": "2024-03-01T11:59:59Z"}
    assert result.proven


@pytest.mark.parametrize(
    ("pages", "changed", "count"),
    [
        pytest.param([([3], 3), ([2], 2)], [], 2, id="totals differ"),
        pytest.param([([3], 3), ([3, 2], 3)], [], 3, id="an id twice"),
        pytest.param([([3], None), ([2], None)], [], 2, id="no totals"),
        pytest.param([([3], 2), ([2], 2)], [], 3, id="another count"),
    ],
)
def test_an_unproven_read_does_not_move_the_cursor(
    pages: list[tuple[list[int], int | None]], changed: list[Row], count: int
) -> None:
    """Each clause alone is enough to refuse; the rows read are still delivered."""
    served = [page([entry(i) for i in rows], total) for rows, total in pages]
    client, result = ScriptedClient([served] * 3, [count] * 3, changed), ReadResult()
    tables = list_reader(client, UNDATED).iter_tables(Slice(), result)
    assert ids(*tables) == [2, 3, *(row.id for row in changed)]
    assert result.unproven == [Slice()]


def test_a_row_that_changed_during_the_read_refuses_the_proof() -> None:
    """A row on a page changed in the second the read began or later, in each read."""
    lists = [
        [page([entry(3)], 2), page([entry(2, at=1, notes=notes)], 2)]
        for notes in ("One", "Two", "Three")
    ]
    client, result = ScriptedClient(lists, [2] * 3), ReadResult()
    assert ids(*list_reader(client, UNDATED).iter_tables(Slice(), result)) == [2, 3]
    assert not result.proven


@pytest.mark.parametrize(
    ("on_page", "changed"),
    [(entry(2, at=9), []), (entry(2), [entry(9, at=0)])],
    ids=["a row on a page", "a row in the catch-up"],
)
def test_a_row_that_looks_new_in_two_reads_did_not_change(on_page: Row, changed: list[Row]) -> None:
    """The first read is unproven, as the row may be new; the second finds it unchanged."""
    pages = [page([entry(3)], 2), page([on_page], 2)]
    client, result = ScriptedClient([pages] * 3, [2] * 3, changed), ReadResult()
    list(list_reader(client, UNDATED).iter_tables(Slice(), result))
    assert result.proven
    assert client.asked.count({}) == 2


@pytest.mark.parametrize(("known", "is_proven"), [((11, 12), True), ((11,), False)])
def test_a_day_is_split_only_if_all_its_rows_have_a_known_id(
    known: tuple[int, ...], is_proven: bool
) -> None:
    """Rows of a person missing from the list of people would be lost: the day stays unproven."""
    world, result = World(), ReadResult()
    for number in range(4):
        world.create(date(2024, 3, 5), user=11 + number % 2)
    world.now_s = 10_000

    def edit_during_every_request(_request: int, is_sent: bool) -> None:
        world.now_s += 1
        if is_sent:
            world.edit(101)

    client = ModelClient(world, edit_during_every_request, per_page=2)
    source = ListSource(client, ENTRIES, decode, split_ids=lambda: known)
    busy = ListReader(source, WindowSettings(END_OF_MARCH))
    one_day = DateWindow(date(2024, 3, 5), date(2024, 3, 6))
    rows = {row_id for table in busy.iter_tables(Slice(), result) for row_id in ids(table)}
    assert rows == {101, 102, 103, 104}
    assert result.unproven == ([] if is_proven else [Slice(one_day)])
    assert result.began is not None
    assert result.began - NOON <= timedelta(seconds=10_002)
