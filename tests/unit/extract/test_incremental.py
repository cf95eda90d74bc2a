"""What a read of changes or history stores about itself, beside the rows."""

from __future__ import annotations

import threading
from collections.abc import Generator, Mapping
from dataclasses import replace
from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from harvest_source.auth.sessions import Owner
from harvest_source.extract.audit_state import AuditState, Coverage, load_audit_state
from harvest_source.extract.cursor import Cursor, load_cursor
from harvest_source.extract.options import Reread
from harvest_source.extract.slice_reader import ListPage
from harvest_source.extract.slices import DateWindow, Slice
from harvest_source.extract.strategies import read
from harvest_source.extract.volatile_rows import VolatileRows, digest_rows
from harvest_source.schema.endpoints import BY_NAME
from tests.support.model import (
    ENTRIES,
    START,
    ModelClient,
    ModelPage,
    World,
)
from tests.support.scripted_lists import (
    NOON,
    FixedClient,
    ScriptedClient,
    build_task,
    entry,
    ids,
    page,
)

ROWS = 24_000
BAD = date(2024, 1, 3)


class UnsteadyClient(ModelClient):
    """Announces another total on every page of one busy day."""

    def iter_pages(
        self,
        path: str,
        *,
        key: str | None,
        params: Mapping[str, str],
        most_rows: int | None = None,
    ) -> Generator[ListPage, None, None]:
        if path != ENTRIES.list_path:  # There are no ids by which to split the day.
            yield ModelPage(b"[]", 0, START)
            return
        pages = super().iter_pages(path, key=key, params=params, most_rows=most_rows)
        is_bad = params.get("from", "") <= str(BAD) <= params.get("to", "9")
        for number, each in enumerate(pages):
            is_wrong = is_bad and "updated_since" not in params
            total = (each.total_entries or 0) + (number if is_wrong else 0)
            yield ModelPage(each.rows, total, each.began)


def read_once(
    world: World,
    client: type[ModelClient],
    state: dict[str, Any],
    *exclude: str,
    manages: str = "",
) -> tuple[int, list[str]]:
    """
    The number of rows in one run, read page by page, and why they are unproven.

    Args:
        manages: What a manager manages; empty: an administrator reads.
    """
    served = client(world, lambda _request, _is_sent: None, per_page=2000)
    now = START + timedelta(seconds=world.now_s)
    owner = Owner(1, "Ann", "", ("manager",)) if manages else None
    task = build_task(served, state=state, now=now, exclude=frozenset(exclude), owner=owner)
    managed: Any = SimpleNamespace(digest=lambda: manages)
    task = replace(task, session=replace(task.session, managed=managed))
    rows = sum(table.num_rows for table in read(task))
    return rows, [str(each.error) for each in task.run_log.unproven]


def fill_world() -> World:
    """A long list with one busy day."""
    world = World()
    for number in range(ROWS):
        on = BAD if number < 3000 else BAD + timedelta(days=1 + number * 60 // ROWS)
        world.create(on, user=11)
    world.now_s = 10_000
    return world


def test_proven_windows_are_kept_when_others_are_unproven() -> None:
    """The next run reads the rest, not all of a long list again."""
    world = fill_world()
    state: dict[str, Any] = {}
    rows, unproven = read_once(world, UnsteadyClient, state)
    assert rows >= ROWS
    assert "cursor" not in state
    assert "(2024-01-03 to 2024-01-04)" in unproven[0]
    ((first, last),) = state["backfill"]["done"]
    assert (first > str(BAD), last) == (True, None)
    rows, unproven = read_once(world, ModelClient, state)
    assert rows < ROWS * 0.7
    assert not unproven
    assert "cursor" in state
    assert "backfill" not in state


@pytest.mark.parametrize(("manages", "reads_all"), [("one", False), ("two", True)])
def test_a_manager_who_is_given_more_begins_again(manages: str, reads_all: bool) -> None:
    """The old entries of another project are also in the windows that were read before."""
    world, state = fill_world(), dict[str, Any]()
    read_once(world, UnsteadyClient, state, manages="one")
    assert "cursor" not in state
    rows, unproven = read_once(world, ModelClient, state, manages=manages)
    assert (rows >= ROWS, unproven) == (reads_all, [])
    assert "cursor" in state


NOTES = "time_entries.notes"


def test_all_is_read_again_once_a_column_is_no_longer_left_out() -> None:
    """Harvest has not changed, but the rows here lack it. After that, changes are enough."""
    world, state = fill_world(), dict[str, Any]()
    read_once(world, ModelClient, state, NOTES)
    assert state["excluded"] == ["notes"]
    assert read_once(world, ModelClient, state, NOTES)[0] == 0
    assert read_once(world, ModelClient, state)[0] == ROWS
    assert "excluded" not in state
    assert read_once(world, ModelClient, state)[0] == 0
    read_once(world, ModelClient, state, NOTES)
    assert state["excluded"] == ["notes"], "what is read from now on lacks it"


def test_an_interrupted_reread_continues_where_it_stopped() -> None:
    """Its own windows have the column; those of a read without the column do not count."""
    world, state = fill_world(), dict[str, Any]()
    read_once(world, UnsteadyClient, state, NOTES)
    assert ("backfill" in state, state["excluded"]) == (True, ["notes"])
    rows, _ = read_once(world, UnsteadyClient, state)
    assert rows >= ROWS
    assert ("cursor" in state, "backfill" in state, "excluded" in state) == (False, True, False)
    rows, unproven = read_once(world, ModelClient, state)
    assert (rows < ROWS * 0.7, unproven) == (True, [])
    assert "cursor" in state


def test_a_first_read_that_left_out_a_column_is_not_continued_with_it() -> None:
    """The windows that it finished lack the column, so they are read again."""
    world, state = fill_world(), dict[str, Any]()
    read_once(world, UnsteadyClient, state, NOTES)
    assert ("cursor" in state, "backfill" in state) == (False, True)
    rows, unproven = read_once(world, ModelClient, state)
    assert (rows >= ROWS, unproven) == (True, [])


def test_a_lower_role_fills_no_column() -> None:
    """A lower role may get nulls in place of known rates."""
    manager = Owner(1, "Ann", "", ("manager",))
    state = {**stored_cursor(visibility="1:administrator"), "excluded": ["notes"]}
    list(read(build_task(ScriptedClient(), state=state, owner=manager)))
    assert state["excluded"] == ["notes"]


HOUR = timedelta(hours=1)
TIMERS = replace(ENTRIES, volatile=("is_running", "true"))


def stored_cursor(**changes: Any) -> dict[str, Any]:
    """The state of a table that an administrator read an hour before noon."""
    before = Cursor(NOON - HOUR, None, "1:administrator", NOON - HOUR)
    return {"cursor": replace(before, **changes).dump()}


@pytest.mark.parametrize(
    ("changes", "rows", "moves"),
    [
        pytest.param({}, 0, False, id="nothing came: the old cursor is as good"),
        pytest.param({}, 1, True, id="rows came"),
        pytest.param({"wide_at": NOON - 25 * HOUR}, 0, True, id="the daily wide overlap"),
        pytest.param({"visibility": "2:administrator"}, 0, False, id="another administrator"),
    ],
)
def test_a_cursor_moves_when_that_is_worth_a_load(
    changes: dict[str, Any], rows: int, moves: bool
) -> None:
    """State is loaded with rows; without rows, a moved cursor would cost a load of its own."""
    state = stored_cursor(**changes)
    before = load_cursor(state["cursor"])
    client = ScriptedClient(changed=[entry(1)] * rows)
    list(read(build_task(client, state=state)))
    after = load_cursor(state["cursor"])
    assert after is not None
    assert (after != before) is moves
    assert not moves or after.at == NOON


def test_the_cursor_of_two_reads_is_the_beginning_of_the_first() -> None:
    """What changed while the days of an earlier start date were read must not be passed."""
    state = stored_cursor(covered_from=date(2024, 2, 1))
    client = ScriptedClient([[page([entry(1)], 1, at=-50)]], changed=[entry(2)])
    list(read(build_task(client, state=state, start_date=date(2024, 1, 1))))
    assert [set(each) for each in client.asked] == [{"from", "to"}, {"updated_since"}]
    after = load_cursor(state["cursor"])
    assert after is not None
    assert after.at == NOON - timedelta(seconds=50)


def test_rows_that_another_token_read_are_noted() -> None:
    """Fewer rows then do not prove deletions. Two administrators see the same rows."""
    manager = Owner(1, "Ann", "", ("manager",))
    for owner, noted in ((manager, {("time_entries", 1)}), (None, set())):
        state = stored_cursor(visibility="2:administrator")
        task = build_task(ScriptedClient(), state=state, owner=owner)
        list(read(task))
        assert task.run_log.read_by_others == noted


def test_all_of_history_renews_the_audit() -> None:
    """Every row was just read, so none is due for rereading."""
    state: dict[str, Any] = {}
    task = build_task(ScriptedClient([[page([entry(1)], 1)]]), state=state)
    assert sum(table.num_rows for table in read(task)) == 1
    assert state["audit"] == AuditState.whole(NOON).dump()
    assert task.run_log.whole == {("time_entries", 1)}


@pytest.mark.parametrize(
    ("cursor", "is_full", "is_counted"),
    [
        pytest.param(None, False, False, id="its history has just begun"),
        pytest.param({"visibility": "1:manager"}, False, False, id="the role has risen"),
        pytest.param({}, True, True, id="a full refresh removes what it has not seen"),
    ],
)
def test_rereading_history_does_not_replace_counting_rows(
    cursor: dict[str, Any] | None, *, is_full: bool, is_counted: bool
) -> None:
    """So rows must still be counted: otherwise two alternating jobs would postpone it forever."""
    before = AuditState.whole(NOON - 25 * HOUR)
    state = {"audit": before.dump(), **({} if cursor is None else stored_cursor(**cursor))}
    client = ScriptedClient([[page([entry(1)], 1)]])
    task = build_task(client, state=state, full_refresh=is_full)
    list(read(task))
    after = load_audit_state(state["audit"], NOON)
    assert after.coverage == Coverage.whole(NOON)
    assert (after.counted_at == NOON) is is_counted
    assert after.counted_at in {NOON, before.counted_at}
    assert task.run_log.read_by_others == set()


def test_running_timers_are_loaded_when_they_changed() -> None:
    """Their hours grow without a new ``updated_at``; unchanged ones only count as read."""
    state = stored_cursor()
    loaded = []
    for notes in ("a", "a", "b"):
        timer = entry(1, notes=notes)
        task = build_task(ScriptedClient([[page([timer], 1)]]), TIMERS, state=state)
        loaded.append(sum(table.num_rows for table in read(task)))
    assert loaded == [1, 0, 1]
    assert task.run_log.failures == []


def timers(*notes: str) -> pa.Table:
    """A table of entries; those without notes do not run."""
    rows = [
        {"id": number, "is_running": text != "", "notes": text, "updated_at": NOON}
        for number, text in enumerate(notes, 1)
    ]
    return pa.Table.from_pylist(rows)


def test_reading_all_of_history_includes_running_timers() -> None:
    """The digest of a first read equals the next run's, in any order of rows."""
    first, listed = VolatileRows(TIMERS), timers("a", "", "b")
    for at in (2, 1, 0):
        first.add(listed.slice(at, 1))
    running = listed.filter(listed.column("is_running"))
    assert first.digest() == digest_rows(running.take([1, 0]), TIMERS)
    first.add(timers(""))
    assert first.digest() == digest_rows(running.slice(1), TIMERS)
    assert VolatileRows(ENTRIES).digest() is None
    nothing = VolatileRows(TIMERS)
    nothing.add(timers("", ""))
    assert nothing.digest() == digest_rows(running.slice(0, 0), TIMERS)


def test_a_full_refresh_continues_nothing() -> None:
    """It removes the rows that it does not see, so it must read all of them."""
    state: dict[str, Any] = stored_cursor()
    state["backfill"] = {
        "window": [None, None],
        "visibility": "1:administrator",
        "began": NOON.isoformat(),
        "done": [[None, None]],
    }
    task = build_task(ScriptedClient([[page([entry(1)], 1)]]), state=state, full_refresh=True)
    assert sum(table.num_rows for table in read(task)) == 1
    assert "backfill" not in state


@pytest.mark.parametrize("is_proven", [True, False])
def test_a_reread_is_remembered_when_it_is_proven(is_proven: bool) -> None:
    """The cursor stays; the run's other tables are not read."""
    one_day, state = DateWindow(date(2024, 3, 1), date(2024, 3, 2)), stored_cursor()
    before, audit = dict(state), AuditState.whole(NOON).dump()
    rereads = {("time_entries", 1): Reread((Slice(one_day),), audit)}
    served = [page([entry(1)], 1 if is_proven else 2)]
    task = build_task(ScriptedClient([served] * 3), state=state, rereads=rereads)
    assert sum(table.num_rows for table in read(task)) >= 1
    assert state == ({**before, "audit": audit} if is_proven else before)
    assert bool(task.run_log.unproven) is not is_proven
    other = build_task(FixedClient({}), replace(ENTRIES, name="expenses"), rereads=rereads)
    assert list(read(other)) == []


class TogetherClient(FixedClient):
    """In a thread, answers no list before another one is requested too."""

    def __init__(self) -> None:
        super().__init__({ENTRIES.list_path: '[{"id": 1}]'})
        self._together = threading.Barrier(2, timeout=20)
        self.alone = 0
        """The number of lists that the test's own thread requested."""

    def iter_pages(
        self, path: str, *, key: str | None, params: Mapping[str, str], most_rows: int | None
    ) -> Generator[ListPage, None, None]:
        if threading.current_thread() is threading.main_thread():
            self.alone += 1
        else:
            self._together.wait()
        yield from super().iter_pages(path, key=key, params=params, most_rows=most_rows)


@pytest.mark.parametrize("workers", [1, 4])
def test_slices_are_reread_in_parallel(workers: int) -> None:
    """With one worker they are read in turn, in this thread, each after the last one's rows."""
    days = [date(2024, 3, 1) + timedelta(days=number) for number in range(4)]
    slices = tuple(Slice(DateWindow(day, day + timedelta(days=1))) for day in days)
    audit, state, client = AuditState.whole(NOON).dump(), dict[str, Any](), TogetherClient()
    rereads = {("time_entries", 1): Reread(slices, audit)}
    task = build_task(client, state=state, rereads=rereads)
    task = replace(task, options=replace(task.options, workers=workers))
    tables = read(task)
    next(tables)
    assert len(client.asked) == 1 or workers > 1
    assert sum(table.num_rows for table in tables) == len(days) - 1
    assert len(client.asked) == len(days)
    assert client.alone == (len(days) if workers == 1 else 0)
    assert state == {"audit": audit}


ODD_ID = '{"id": 99999999999999999999999}'


def test_a_record_with_an_odd_id_blocks_no_other_record() -> None:
    """It is counted and reported, and the cursor stays until the record can be loaded."""
    good = ", ".join(f'{{"id": {each}}}' for each in range(1, 25))
    client = FixedClient({"clients": f"[{good}, {ODD_ID}]"})
    state: dict[str, Any] = {}
    task = build_task(client, BY_NAME["clients"], state=state)
    tables = list(read(task))
    assert ids(*tables) == [*range(1, 25)]
    assert {name for each in tables for name in each.column_names if name.startswith("id")} == {
        "id"
    }
    (failure,) = task.run_log.unproven
    assert failure.table == "clients"
    assert "1 record came without a usable key and was left out" in str(failure.error)
    assert state == {}
    assert task.run_log.whole == set(), "a full refresh removes nothing"
    assert task.run_log.left_out == {("clients", 1)}, "an audit removes nothing"
    assert len(client.asked) == 1, "the other rows are proven"

    client.lists["clients"] = f"[{good}]"
    task = build_task(client, BY_NAME["clients"], state=state)
    list(read(task))
    assert task.run_log.unproven == []
    assert "cursor" in state
