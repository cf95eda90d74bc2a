"""What a cursor requests next, and how it moves."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvest_source.extract.cursor import Cursor, ReadPlan, load_cursor, plan_read
from harvest_source.extract.slices import ALL_DAYS, DateWindow, Slice

NOW = datetime(2024, 6, 30, 12, 0, tzinfo=UTC)
AN_HOUR_AGO = NOW - timedelta(hours=1)
OVERLAP = timedelta(seconds=300)
OWNER = "7:administrator"
SPRING, SUMMER = date(2024, 3, 1), date(2024, 6, 1)

CURSOR = Cursor(at=AN_HOUR_AGO, covered_from=None, visibility=OWNER, wide_at=AN_HOUR_AGO)
STORED = {
    "at": "2024-06-30T11:00:00+00:00",
    "covered_from": "2024-03-01",
    "visibility": OWNER,
    "wide_at": "2024-06-30T10:00:00+00:00",
}


def cursor(**changes: Any) -> Cursor:
    fields = ("at", "covered_from", "visibility", "wide_at")
    return Cursor(**{**{name: getattr(CURSOR, name) for name in fields}, **changes})


def read_plan(
    before: Cursor | None,
    *,
    start: date | None = None,
    owner: str = OWNER,
    now: datetime = NOW,
    overlap: timedelta = OVERLAP,
) -> ReadPlan:
    return plan_read(before, visibility=owner, start_date=start, overlap=overlap, now=now)


def history(start: date | None = None, end: date | None = None) -> Slice:
    return Slice(DateWindow(start, end))


CHANGES = Slice(since=AN_HOUR_AGO - OVERLAP)


@pytest.mark.parametrize(
    ("before", "start", "slices", "is_whole", "covered_from"),
    [
        pytest.param(None, None, [history()], True, None, id="first read: all history"),
        pytest.param(None, SPRING, [history(SPRING)], True, SPRING, id="first read: bounded"),
        pytest.param(CURSOR, None, [CHANGES], False, None, id="changes"),
        pytest.param(CURSOR, SPRING, [CHANGES], False, None, id="changes, whatever their date"),
        pytest.param(
            cursor(covered_from=SPRING), SPRING, [CHANGES], False, SPRING, id="same bound"
        ),
        pytest.param(
            cursor(covered_from=SPRING), SUMMER, [CHANGES], False, SPRING, id="later bound"
        ),
        pytest.param(
            cursor(covered_from=SUMMER),
            SPRING,
            [history(SPRING, SUMMER), CHANGES],
            False,
            SPRING,
            id="earlier bound: the missing history first",
        ),
        pytest.param(
            cursor(covered_from=SUMMER),
            None,
            [history(), CHANGES],
            False,
            None,
            id="bound removed: all history first, for rows without a date",
        ),
    ],
)
def test_a_cursor_decides_between_history_and_changes(
    before: Cursor | None,
    start: date | None,
    slices: list[Slice],
    is_whole: bool,
    covered_from: date | None,
) -> None:
    """History is read without a cursor, changes with one, and what an earlier bound adds."""
    planned = read_plan(before, start=start)
    assert list(planned.slices) == slices
    assert (planned.is_whole, planned.covered_from) == (is_whole, covered_from)


@pytest.mark.parametrize(
    ("covered_from", "start", "bound"),
    [(None, None, None), (None, SPRING, None), (SPRING, SUMMER, SPRING), (SUMMER, SPRING, SPRING)],
)
def test_another_owner_or_role_reads_all_that_was_covered(
    covered_from: date | None, start: date | None, bound: date | None
) -> None:
    """Rows that become visible have old timestamps, so no bound may leave them outdated."""
    before = cursor(covered_from=covered_from, visibility="7:manager")
    for owner in ("8:manager", "7:administrator", "7:manager,people_manager"):
        planned = read_plan(before, start=start, owner=owner)
        assert planned.slices == (history(bound),)
        assert planned.is_whole
        assert planned.covered_from == bound


@pytest.mark.parametrize("owner", ["7:manager", "8:member", "9:administrator"])
def test_a_token_that_sees_no_more_rereads_no_history(owner: str) -> None:
    """After an administrator no row becomes visible, and hidden values must overwrite nothing."""
    planned = read_plan(cursor(visibility="7:administrator"), owner=owner)
    assert planned.slices == (Slice(since=AN_HOUR_AGO - OVERLAP),)


@pytest.mark.parametrize(
    ("visibility", "others", "reads_all"),
    [
        ("7:manager", (), True),
        ("7:administrator", (), False),
        ("7:manager", ("9:administrator",), False),
    ],
)
def test_rows_that_are_taken_over_are_read_again_by_a_token_that_sees_all_of_them(
    visibility: str, others: tuple[str, ...], *, reads_all: bool
) -> None:
    """Also values that only an earlier token saw must not be overwritten."""
    before = cursor(visibility=visibility, others=others, taken_over=True)
    assert read_plan(before, owner="7:manager").is_whole is reads_all


@pytest.mark.parametrize(
    ("hours", "is_wide"), [(0, False), (19.9, False), (20, True), (72, True), (-23, False)]
)
def test_once_a_day_the_overlap_is_a_day_long(hours: float, is_wide: bool) -> None:
    """Long transactions commit with old timestamps."""
    planned = read_plan(cursor(wide_at=NOW - timedelta(hours=hours)))
    assert planned.is_wide is is_wide
    reach = timedelta(hours=25) if is_wide else OVERLAP
    assert planned.slices == (Slice(since=AN_HOUR_AGO - reach),)


def test_a_longer_overlap_stays_longer() -> None:
    """The daily overlap never shortens a longer configured overlap."""
    overlap = timedelta(hours=40)
    for wide_at in (AN_HOUR_AGO, NOW - timedelta(days=2)):
        (slice_,) = read_plan(cursor(wide_at=wide_at), overlap=overlap).slices
        assert slice_.since == AN_HOUR_AGO - overlap


def test_a_clock_set_back_does_not_end_the_daily_overlap() -> None:
    """A wide read that seems to be days ahead does not count."""
    assert read_plan(cursor(wide_at=NOW + timedelta(days=2))).is_wide


def test_a_cursor_from_the_future_is_ignored() -> None:
    """Nothing would ever have changed since, so history is read. Two hours are a skewed clock."""
    assert read_plan(cursor(at=NOW + timedelta(days=2))).slices == (history(),)
    soon = NOW + timedelta(hours=2)
    assert read_plan(cursor(at=soon)).slices == (Slice(since=soon - OVERLAP),)


def test_an_absurdly_long_overlap_requests_every_change() -> None:
    """An absurd setting costs time, but causes no error."""
    (slice_,) = read_plan(CURSOR, overlap=timedelta(days=999_999_999)).slices
    assert slice_.params() == {"updated_since": "2006-01-01T00:00:00Z"}


@pytest.mark.parametrize("is_wide", [True, False])
def test_a_proven_read_moves_the_cursor_to_its_beginning(is_wide: bool) -> None:
    """The new cursor is the read's beginning, and keeps the time of the last wide overlap."""
    began = NOW + timedelta(minutes=1)
    earned = ReadPlan((), False, SPRING, is_wide).next_cursor(began, OWNER, CURSOR)
    assert earned == Cursor(began, SPRING, OWNER, began if is_wide else CURSOR.wide_at)


def test_a_cursor_names_earlier_tokens_that_saw_more_until_one_sees_all_of_it() -> None:
    """An administrator, then two people, one after the other, then an administrator again."""
    seen, read = CURSOR, ReadPlan((), False, None, False)
    for visibility, others in (
        ("8:manager", (OWNER,)),
        ("8:manager", (OWNER,)),
        ("9:member", (OWNER, "8:manager")),
    ):
        seen = read.next_cursor(NOW, visibility, seen)
        assert (seen.visibility, seen.others) == (visibility, others)
        assert load_cursor(seen.dump()) == seen
        assert not seen.is_of(visibility)
        assert not seen.is_covered_by(visibility)
    assert seen.is_covered_by("10:administrator")
    assert read_plan(seen, owner="10:administrator").is_whole
    assert read.next_cursor(NOW, "10:administrator", seen).others == ()


def test_the_first_read_counts_as_wide() -> None:
    """It has just read all of history."""
    planned = read_plan(None)
    assert planned.next_cursor(NOW, OWNER, None).wide_at == NOW


instants = st.datetimes(datetime(2006, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001


@given(instants, st.none() | st.dates(), st.text(), instants)
def test_cursors_survive_storage(
    at: datetime, covered_from: date | None, visibility: str, wide_at: datetime
) -> None:
    """A stored cursor loads unchanged."""
    before = Cursor(at, covered_from, visibility, wide_at)
    assert load_cursor(before.dump()) == before


@given(
    instants,
    instants,
    st.none() | st.dates(),
    st.none() | st.dates(),
    st.timedeltas(timedelta(0)),
)
def test_planning_never_leaves_a_gap(
    at: datetime, now: datetime, covered: date | None, start: date | None, overlap: timedelta
) -> None:
    """From the bound on, every day is covered or read, and every change is requested."""
    before = cursor(at=at, covered_from=covered, wide_at=at)
    planned = read_plan(before, start=start, now=now, overlap=overlap)
    *missing, last = planned.slices
    if last.since is None:
        assert planned.is_whole
        assert not missing
    else:
        assert last.since <= at
        assert last.window == ALL_DAYS
    read = [each.window for each in planned.slices if each.since is None]
    for day in (start or date.min, covered or date.min, date.max):
        if start is None or day >= start:
            assert any(day in window for window in read) or covered is None or day >= covered
    assert planned.covered_from is None or (start is not None and planned.covered_from <= start)


@pytest.mark.parametrize(
    "instead",
    [
        "",
        "yesterday",
        "2024-06-30T11:00:00",
        5,
        None,
        [],
        "0001-01-01T00:00:00+14:00",
        "0001-01-01T00:00:00+00:00",
    ],
)
@pytest.mark.parametrize("name", ["at", "wide_at"])
def test_times_that_cannot_be_right_make_no_cursor(name: str, instead: Any) -> None:
    """Rereading history loses nothing; guessing might, and a time without a zone is a guess."""
    if name == "wide_at" and instead == "0001-01-01T00:00:00+00:00":
        return  # It only makes the next overlap wide.
    assert load_cursor({**STORED, name: instead}) is None


@pytest.mark.parametrize(
    "stored",
    [
        None,
        {},
        "2024-06-30",
        ["at"],
        7,
        {**STORED, "covered_from": ""},
        {**STORED, "covered_from": 20240301},
        {**STORED, "covered_from": "March"},
        *({k: v for k, v in STORED.items() if k != name} for name in STORED),
    ],
)
def test_garbage_makes_no_cursor(stored: Any) -> None:
    """Damaged state, or another version's, counts as no cursor, and never raises."""
    assert load_cursor(stored) is None


def test_a_stored_cursor_is_understood() -> None:
    """This is the format in earlier runs' state files."""
    assert load_cursor(STORED) == Cursor(
        AN_HOUR_AGO, SPRING, OWNER, datetime(2024, 6, 30, 10, 0, tzinfo=UTC)
    )
