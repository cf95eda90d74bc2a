"""A file with rows that replaces another is for those who could read that one."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from harvest_source.export import export
from harvest_source.export.text_files import write_csv, write_parquet
from harvest_source.file_permissions import create_draft
from harvest_source.pages.html import write_page

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows has other permissions")


class OneRow:
    """Tables with one row."""

    def iter_batches(self, _: str) -> list[pa.Table]:
        """The row."""
        return [pa.table({"name": ["Ada"]})]


def write_with(writer: export.Writer) -> Callable[[Path], object]:
    """Write a file as an export does."""
    rows: Any = OneRow()
    return lambda path: export._write(path, rows, "users", writer)


@pytest.mark.parametrize(
    "write",
    [write_with(write_csv), write_with(write_parquet), lambda path: write_page(path, "Ada")],
    ids=["csv", "parquet", "page"],
)
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_a_file_that_is_written_again_keeps_its_permissions(
    tmp_path: Path, write: Callable[[Path], object], mode: int
) -> None:
    """Its owner may have taken it from other users."""
    path = tmp_path / "users"
    write(path)
    before, first = path.stat().st_mode, path.read_bytes()
    path.chmod(mode)
    write(path)
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert stat.S_IMODE(before) == 0o666 & ~read_umask()
    assert path.read_bytes() == first
    assert list(tmp_path.iterdir()) == [path]


def test_a_draft_is_private_while_it_is_written(tmp_path: Path) -> None:
    """A draft that a killed process left may be open to all users. Read-only files are replaced."""
    path, draft = tmp_path / "users", tmp_path / "users.part"
    path.touch()
    path.chmod(0o400)
    draft.touch()
    draft.chmod(0o666)
    create_draft(draft, path)
    assert stat.S_IMODE(draft.stat().st_mode) == 0o600


def read_umask() -> int:
    """The umask of this process."""
    found = os.umask(0o077)
    os.umask(found)
    return found
