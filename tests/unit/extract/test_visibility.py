"""Which token sees no less than another, and which tables are skipped."""

from __future__ import annotations

import pytest

from harvest_source.errors import ForbiddenError, ResponseError, ServerError
from harvest_source.extract.visibility import covers, explain_skip, was_read
from harvest_source.schema.endpoints import BY_NAME


@pytest.mark.parametrize(
    ("visibility", "other", "expected"),
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
def test_tokens_are_compared_by_what_they_see(visibility: str, other: str, expected: bool) -> None:
    """Administrators see every row; otherwise only roles of one person can be compared."""
    assert covers(visibility, other) is expected


@pytest.mark.parametrize(
    ("error", "is_skipped"),
    [
        (ForbiddenError("403"), True),
        (ResponseError("404", status=404), False),
        (ServerError("503", status=503), False),
    ],
)
def test_without_a_permission_a_table_is_skipped(error: ResponseError, is_skipped: bool) -> None:
    """A 403 means a missing permission; any other error is a failure, unless a module is off."""
    assert (explain_skip(BY_NAME["clients"], None, error) is not None) is is_skipped


@pytest.mark.parametrize(
    ("state", "expected"),
    [({}, False), ({"audit": {}}, False), ({"cursor": {"at": "x"}}, True), ({"walk": {}}, False)],
)
def test_a_stored_cursor_or_list_shows_that_a_table_was_read(
    state: dict[str, object], expected: bool
) -> None:
    """Skipping the table is then worth a warning: its rows are no longer updated."""
    assert was_read(state) is expected
