"""Who sees no less than who, and what may take the place of what."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from harvest_source.auth.sessions import Owner
from harvest_source.extract.visibility import LastRead, covers
from harvest_source.schema.endpoints import BY_NAME

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def owner(*roles: str, user_id: int = 7) -> Owner:
    return Owner(user_id, "Ada", "ada@example.com", roles)


@pytest.mark.parametrize(
    ("sight", "other", "expected"),
    [
        ("7:administrator", "8:manager", True),
        ("8:administrator", "7:administrator", True),
        ("7:manager", "7:manager", True),
        ("7:manager", "7:member", True),
        ("7:manager,people_manager", "7:manager", True),
        ("7:manager", "7:administrator", False),
        ("7:member", "7:manager", False),
        ("7:manager", "8:manager", False),
        ("7:manager", "7:manager,people_manager", False),
        ("7:manager", "7:member,people_manager", False),
        ("7:", "7:member", True),
        ("7:member", "", False),
    ],
)
def test_who_sees_no_less(sight: str, other: str, expected: bool) -> None:
    """Administrators see everything; else only the roles of one person can be compared."""
    assert covers(sight, other) is expected


@pytest.mark.parametrize(
    ("reader", "rows", "expected"),
    [
        (owner("administrator", user_id=9), 0, True),
        (owner("manager"), 3, True),
        (owner("manager"), 2, False),
        (owner("member"), 3, False),
        (owner("manager", user_id=8), 3, False),
    ],
)
def test_fewer_rows_are_evidence_to_administrators_only(
    reader: Owner, rows: int, expected: bool
) -> None:
    """Whoever sees less, or other rows, replaces nothing; what is about the reader always goes."""
    seen = LastRead(NOW, owner("manager").visibility, 3, "digest")
    assert seen.may_give_way(BY_NAME["report_time_team"], reader, rows) is expected
    assert seen.may_give_way(BY_NAME["my_project_assignments"], reader, rows)


@pytest.mark.parametrize("stored", [None, "2026-01-01T00:00:00+00:00", {}, {"at": "yesterday"}])
def test_what_cannot_be_understood_was_not_seen(stored: object) -> None:
    """An older state, or none, is read anew; what was stored comes back as it was."""
    assert LastRead.load(stored) is None
    seen = LastRead(NOW, "7:manager", 3, "digest")
    assert LastRead.load(seen.dump()) == seen
