"""A log file on a disk that is full for a while."""

from __future__ import annotations

from pathlib import Path

import pytest

from harvest_source.rotated_file import RotatedFile
from tests.support.no_room import limit_file_size


@pytest.mark.parametrize(
    ("rooms", "content"),
    [
        ([0], "one\ntwo\n"),
        ([0, 0], "one\ntwo\n"),
        ([2], "one\nfu\ntwo\n"),
        ([2, 0], "one\nfu\ntwo\n"),
        ([2, 1], "one\nfu\ntwo\n"),
        ([2, 3], "one\nfu\nfu\ntwo\n"),
    ],
)
def test_a_line_that_failed_leaves_no_empty_line(
    tmp_path: Path, rooms: list[int], content: str
) -> None:
    """Each attempt has room for so many bytes; what it wrote ends before the next line."""
    path = tmp_path / "mcp.log"
    log = RotatedFile(path)
    log.append("one")
    for room in rooms:
        size = path.stat().st_size + room
        with limit_file_size(size), pytest.raises(OSError, match=r"too large|No space"):
            log.append("full")
    log.append("two")
    assert path.read_text() == content
