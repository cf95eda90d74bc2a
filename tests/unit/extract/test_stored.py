"""Stored values that were changed by hand count as absent."""

from __future__ import annotations

from datetime import date

import pytest

from harvest_source.extract.exclusion import note_excluded
from harvest_source.extract.parent_sweep import ParentSweep
from harvest_source.extract.stored import dump_day, load_day, load_ids, load_object
from harvest_source.load.state import change_account, forget_tables, source_state, stored_accounts

MALFORMED = ["x", 7, True, None, [], ["x"]]


@pytest.mark.parametrize("stored", MALFORMED)
def test_what_is_no_object_is_empty(stored: object) -> None:
    """It is not taken apart."""
    assert load_object(stored) == {}
    assert ParentSweep.load(stored) == ParentSweep()


@pytest.mark.parametrize("stored", ["12", 7, None, {}, ["x"], [True], [{}]])
def test_what_is_no_id_is_left_out(stored: object) -> None:
    """Nor are the characters of a text."""
    assert load_ids(stored) == set()


def test_ids_are_loaded() -> None:
    """Beside what is none."""
    assert load_ids([1, "x", 2]) == {1, 2}


@pytest.mark.parametrize("day", [None, date(201, 1, 2), date(2026, 6, 17)])
def test_days_are_loaded_as_stored(day: date | None) -> None:
    """None, for an open side, too."""
    assert load_day(dump_day(day)) == day


@pytest.mark.parametrize("stored", MALFORMED)
def test_malformed_accounts_count_as_absent(stored: object) -> None:
    """Their tables are read from the first row on, and their state is written anew."""
    good = {"cursor": {"at": "2026-06-17T12:00:00+00:00"}}
    for state in (
        {"resources": {"tasks": {"accounts": {"7": stored, "x": good, "8": good}}}},
        {"resources": {"tasks": {"accounts": stored}}},
        {"resources": {"tasks": stored}},
        {"resources": stored},
    ):
        assert stored_accounts(state, "tasks").keys() <= {"8"}
        change_account(state, "tasks", 7)["cursor"] = good["cursor"]
        assert stored_accounts(state, "tasks")["7"] == good
    for pipeline in ({"sources": {"harvest": stored}}, {"sources": stored}):
        assert source_state(pipeline) == {}
    forget_tables({"resources": stored}, ["tasks"])


@pytest.mark.parametrize("stored", MALFORMED)
def test_digests_are_forgotten_beside_malformed_lists(stored: object) -> None:
    """Those lists are read again because nothing is known of them."""
    state = {"parents": stored, "windows": {"2026": {"digest": "d"}}, "seen": stored}
    note_excluded(state, frozenset({"name"}))
    assert state["windows"] == {"2026": {"digest": ""}}
