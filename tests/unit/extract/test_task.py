"""What all ways of reading a table share: keys, other lists' ids, plans."""

from __future__ import annotations

from datetime import timedelta

from harvest_source.auth.sessions import Owner
from harvest_source.extract.cursor import Cursor
from harvest_source.extract.slices import Slice
from harvest_source.extract.task import read_ids
from harvest_source.schema.endpoints import BY_NAME
from tests.support.model import ModelPage
from tests.support.scripted_lists import NOON, ScriptedClient, build_task


def test_ids_of_another_list_are_read_with_proof() -> None:
    """A complete list has all ids."""
    task = build_task(ScriptedClient([[ModelPage(b'[{"id": 3}, {"id": 1}]', 2, NOON)]]))
    assert read_ids(task, BY_NAME["users"]) == ({1, 3}, True)


def test_an_id_that_no_column_holds_is_in_no_list_of_ids() -> None:
    """A parent without an id has no path: the list is unproven, and the cursor below it stays."""
    people = b'[{"id": 2}, {"id": 99999999999999999999}, {"id": null}, {"id": 1}]'
    task = build_task(ScriptedClient([[ModelPage(people, 4, NOON)]]))
    assert read_ids(task, BY_NAME["users"]) == ({1, 2}, False)


def test_a_lower_role_is_warned_about_and_reads_only_changes() -> None:
    """History is reread for a token that sees more, not for one that sees less."""
    cursor = Cursor(NOON, None, "1:administrator", NOON)
    task = build_task(ScriptedClient(), owner=Owner(1, "Ann", "", ("member",)))
    read_plan = task.plan(cursor, "spent_date")
    assert read_plan.slices == (Slice(since=NOON - timedelta(minutes=5)),)
    assert "sees less than the one that loaded it" in task.run_log.warnings[0]
    assert not task.sees_all_of(cursor)
