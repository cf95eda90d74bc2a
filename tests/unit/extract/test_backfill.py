"""Progress of a first read: stored, merged, and used only for the same read."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from harvest_source.extract.backfill import dump_backfill, load_backfill
from harvest_source.extract.list_reader import ReadResult
from harvest_source.extract.slices import DateWindow, Slice

BEGAN = datetime(2026, 11, 22, 12, tzinfo=UTC)
ONE, TWO, THREE = date(2024, 1, 1), date(2024, 2, 1), date(2024, 3, 1)
OWNER = "7:administrator"
STORED = {
    "window": [None, None],
    "visibility": OWNER,
    "began": "2026-11-22T12:00:00+00:00",
    "done": [[None, "2024-02-01"], ["2024-03-01", None]],
}


def test_progress_is_stored_in_few_windows() -> None:
    """Adjacent windows are merged, in whatever order they ended."""
    done = [DateWindow(THREE), DateWindow(ONE, TWO), DateWindow(None, ONE)]
    assert dump_backfill(Slice(), ReadResult(BEGAN, done=done), OWNER) == STORED


def test_stored_progress_is_understood() -> None:
    """This is the format in earlier runs' state files."""
    loaded = load_backfill(STORED, Slice(), OWNER, BEGAN)
    assert (loaded.began, loaded.done) == (BEGAN, [DateWindow(None, TWO), DateWindow(THREE)])


@pytest.mark.parametrize(
    ("slice_", "visibility"),
    [
        pytest.param(Slice(DateWindow(ONE)), OWNER, id="other days"),
        pytest.param(Slice(), "7:manager", id="another role"),
        pytest.param(Slice(since=BEGAN), OWNER, id="changes"),
    ],
)
def test_progress_of_another_read_does_not_count(slice_: Slice, visibility: str) -> None:
    """Its windows may lack rows that this read must bring."""
    assert load_backfill(STORED, slice_, visibility, BEGAN) == ReadResult()


def test_progress_of_a_manager_counts_for_the_same_projects() -> None:
    """A manager who is given another project sees its old rows, in windows that are done."""
    result = ReadResult(BEGAN, done=[DateWindow(None, TWO), DateWindow(THREE)])
    stored = dump_backfill(Slice(), result, "7:manager", "a1")
    assert load_backfill(stored, Slice(), "7:manager", BEGAN, "a1") == result
    assert load_backfill(stored, Slice(), "7:manager", BEGAN, "b2") == ReadResult()


@pytest.mark.parametrize(
    "stored",
    [None, {}, {**STORED, "done": []}, {**STORED, "began": "x"}, {**STORED, "done": [["x", None]]}],
)
def test_malformed_progress_does_not_count(stored: Any) -> None:
    """Reading everything again loses nothing."""
    assert load_backfill(stored, Slice(), OWNER, BEGAN) == ReadResult()
