"""Who may enter dlt's working folder, whose packages hold rows."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dlt
import pytest

from harvest_source.errors import DestinationError
from harvest_source.warehouse import pipeline as pipelines
from harvest_source.warehouse.pipeline import PipelineFolder, attach_existing, read_identity
from harvest_source.warehouse.target import Target
from harvest_source.warehouse.working_folder import choose_mode, explain_unusable, protect_folder

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows has other permissions")

NAME = "harvest"
GROUP = 54321


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Target:
    """A DuckDB file that does not exist yet, and a data folder of dlt for this test."""
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt"))
    return Target(database=tmp_path / "harvest_data.duckdb", pipeline=NAME)


@pytest.fixture
def working(tmp_path: Path) -> Path:
    """The working folder."""
    return tmp_path / "dlt" / "pipelines" / NAME


@contextmanager
def umask(value: int) -> Iterator[None]:
    """Create files with this umask, as a user's Python process may."""
    before = os.umask(value)
    try:
        yield
    finally:
        os.umask(before)


def read_mode(path: Path) -> int:
    """The permissions of a file or folder."""
    return stat.S_IMODE(path.stat().st_mode)


def attach(target: Target) -> PipelineFolder:
    """Attach as a run does; it warns of nothing."""

    def fail(warning: str) -> None:
        raise AssertionError(warning)

    return PipelineFolder(target, fail)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (0o755, 0o700),  # As the umask 022 made it.
        (0o775, 0o770),  # As the umask 002 made it: the group may be a team.
        (0o777, 0o700),
        (0o711, 0o700),
        (0o750, 0o750),
        (0o770, 0o770),
        (0o2775, 0o2770),
        (0o700, 0o700),
    ],
)
def test_a_folder_found_is_for_its_owner_and_a_group_with_more_than_others(
    found: int, expected: int
) -> None:
    """Other users have no access; a group keeps its own only if it had more than they."""
    assert choose_mode(found, is_open=False) == expected
    assert choose_mode(found, is_open=True) == found


@pytest.mark.parametrize("mask", [0o000, 0o002, 0o022, 0o077])
@pytest.mark.parametrize("destination", ["duckdb", "postgres"])
def test_a_new_folder_is_private(
    target: Target, working: Path, destination: str, mask: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the umask, which stays the process's own, and the destination."""
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", "postgresql://a:b@localhost/c")
    database = target.database if destination == "duckdb" else None
    with umask(mask):
        folder = attach(Target(destination, database, pipeline=NAME))
        assert read_mode(working) == 0o700
        folder.start_anew()
        assert read_mode(working) == 0o700
        within = os.umask(mask)
    assert within == mask


def test_an_earlier_folder_is_made_private(target: Target, working: Path) -> None:
    """Plain dlt and earlier versions created it with the permissions of the umask."""
    with umask(0o022):
        dlt.pipeline(NAME, destination="duckdb")
        assert read_mode(working) == 0o755
        attach(target)
    assert read_mode(working) == 0o700


def test_the_folder_of_a_warehouse_for_all_stays_open(target: Target, working: Path) -> None:
    """All users may read the rows anyway."""
    assert target.database is not None
    attach(target)
    target.database.touch()
    target.database.chmod(0o644)
    working.chmod(0o755)
    protect_folder(target)
    assert read_mode(working) == 0o755
    protect_folder(Target("postgres", None, pipeline=NAME))
    assert read_mode(working) == 0o700


@pytest.mark.parametrize("is_damaged", [False, True])
def test_the_folder_of_a_team_stays_theirs(
    target: Target, working: Path, is_damaged: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when a run starts anew in it, for which dlt removes the folder."""
    attach(target)
    if os.geteuid() == 0:
        os.chown(working, -1, GROUP)
    working.chmod(0o2770)
    before = working.stat()
    if is_damaged:
        (working / "schemas").mkdir(exist_ok=True)
        (working / "state.json").write_text("{")
        warnings = list[str]()
        PipelineFolder(target, warnings.append)
        assert len(warnings) == 1
    else:
        monkeypatch.setattr(pipelines, "_IDENTITY", "another")
        attach(target)
    after = working.stat()
    assert (after.st_mode, after.st_gid) == (before.st_mode, before.st_gid)


def test_a_group_that_cannot_be_kept_gets_no_access(
    target: Target, working: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user may have left the team: then the new folder has another group."""
    folder = attach(target)
    working.chmod(0o770)

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "chown", refuse)
    folder.start_anew()
    assert read_mode(working) == 0o700


def test_the_folder_of_another_user_is_named(
    target: Target, working: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``attach()`` says how to choose another folder, instead of a traceback."""
    working.mkdir(parents=True)

    def refuse(*_: object, **__: object) -> None:  # Root can enter every folder.
        raise PermissionError(13, "Permission denied", str(working / "state.json"))

    monkeypatch.setattr(dlt, "attach", refuse)
    assert read_identity(NAME) is None
    with pytest.raises(DestinationError, match=r"Permission denied.*DLT_DATA_DIR"):
        attach_existing(target, read_only=True)


def test_a_folder_made_for_reading_is_private(
    target: Target, working: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``attach()`` creates it through dlt; later loads of plain dlt write their packages there."""
    monkeypatch.setattr(dlt, "attach", dlt.pipeline)
    with umask(0o022):
        attach_existing(target, read_only=False)
    assert read_mode(working) == 0o700


def test_a_file_in_place_of_the_data_folder_is_named(target: Target, tmp_path: Path) -> None:
    """A run, ``status`` and ``check`` say how to choose another folder."""
    (tmp_path / "dlt").write_text("A file.")
    with pytest.raises(DestinationError, match=r"Not a directory.*DLT_DATA_DIR"):
        attach(target)


def test_a_data_folder_with_a_name_too_long_is_named(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same for a name that no folder can have."""
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / ("x" * 300)))
    with pytest.raises(DestinationError, match=r"name too long.*DLT_DATA_DIR"):
        attach(target)


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "Make room on its disk"),
        (errno.EDQUOT, "Make room on its disk"),
        (errno.EACCES, "Make it writable"),
        (errno.EROFS, "Make it writable"),
    ],
)
def test_what_the_folder_lacks_is_asked_for(number: int, remedy: str) -> None:
    """A full disk needs room; more permissions would not help."""
    assert remedy in explain_unusable(OSError(number, os.strerror(number)))
