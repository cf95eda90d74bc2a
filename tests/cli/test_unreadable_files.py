"""A warehouse file that cannot be opened: every command gives the same error and remedy."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeAlias

import duckdb
import pytest

from tests.support.command import Result, Run
from tests.support.holders import reading, writing
from tests.support.questions import make_warehouse

pytestmark = pytest.mark.thorough

COMMANDS: Final = {
    "sync": ("sync", "--table", "clients"),
    "check": ("check",),
    "verify": ("verify",),
    "status": ("status",),
    "export": ("export", "files"),
    "query": ("query", "SELECT 1"),
}
ASKING: Final = {"list": ("list", "clients"), "get": ("get", "clients", "1")}
NAME: Final = "harvest_data.duckdb"

Damage: TypeAlias = Callable[[Path], None]


def be_text(path: Path) -> None:
    """Write a file of another kind."""
    path.write_text("Harvest hours, to be filed. " * 1000)


def be_empty(path: Path) -> None:
    """Leave an empty file, as ``touch`` or a full disk does."""
    path.write_bytes(b"")


def be_folder(path: Path) -> None:
    """Put a folder in the file's place."""
    path.unlink()
    path.mkdir()


def be_short(path: Path) -> None:
    """Truncate the file, like an incomplete copy."""
    path.write_bytes(path.read_bytes()[:9000])


def have_a_damaged_log(path: Path) -> None:
    """Leave the log of a killed process, with a bit-flipped byte in its middle."""
    connection = duckdb.connect(str(path))
    connection.execute("CREATE TABLE harvest.more AS SELECT range AS id FROM range(10000)")
    log = path.with_name(f"{path.name}.wal")
    half, content = log.stat().st_size // 2, path.read_bytes()
    written = bytearray(log.read_bytes())
    connection.close()
    written[half] ^= 0xFF
    path.write_bytes(content)
    log.write_bytes(written)


def have_an_older_log(path: Path) -> None:
    """Leave a log that was already written into the file, as a restored log would be."""
    log = path.with_name(f"{path.name}.wal")
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE harvest.more AS SELECT range AS id FROM range(10)")
    with duckdb.connect(str(path)) as connection:
        connection.execute("DELETE FROM harvest.more WHERE id = 1")
        content = log.read_bytes()
    log.write_bytes(content)


def have_a_folder_as_log(path: Path) -> None:
    path.with_name(f"{path.name}.wal").mkdir()


FAULTS: Final[dict[str, tuple[Damage, tuple[str, ...]]]] = {
    "text": (be_text, ("is not a DuckDB database", "--database")),
    "empty": (be_empty, ("is empty", "Remove it")),
    "folder": (be_folder, ("is a folder", f"--database {NAME}/{NAME}")),
    "short": (be_short, ("is damaged", "backup", f"mv {NAME} {NAME}.damaged")),
    "log folder": (
        have_a_folder_as_log,
        (f"{NAME}.wal is a folder", f"mv {NAME}.wal {NAME}.wal.folder"),
    ),
    "log": (have_a_damaged_log, ("is damaged", f"mv {NAME}.wal {NAME}.wal.damaged")),
    "older log": (
        have_an_older_log,
        ("before a backup was restored", f"mv {NAME}.wal {NAME}.wal.damaged"),
    ),
}


def flatten(result: Result, folder: Path) -> str:
    """The output on one line, with the file as the user named it."""
    assert "Traceback" not in result.err
    said = f"{result.out}\n{result.err}"
    return " ".join(said.replace(f"{folder}/", "").split())


@pytest.mark.parametrize("fault", FAULTS)
def test_all_commands_report_an_unusable_file_in_the_same_words(
    run: Run, folder: Path, fault: str
) -> None:
    """Every command exits with 6 and says in the same words what is wrong and what to do."""
    damage, says = FAULTS[fault]
    damage(make_warehouse(folder / NAME))
    for name, command in (COMMANDS | (ASKING if fault == "text" else {})).items():
        result = run(*command)
        assert result.code == 6, (name, result)
        said = flatten(result, folder)
        assert all(words in said for words in says), (name, said)


@contextmanager
def unreadable(path: Path) -> Iterator[None]:
    """Make the file readable by root only."""
    path.chmod(0)
    yield
    path.chmod(0o600)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_of_another_user_is_reported(run: Run, folder: Path) -> None:
    """The error says that this user cannot read it."""
    with unreadable(make_warehouse(folder / NAME)):
        for name, command in COMMANDS.items():
            result = run(*command)
            assert result.code == 6, (name, result)
            assert "cannot be read by this user" in flatten(result, folder), (name, result)


def test_a_file_locked_by_another_process_is_reported(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commands exit with 6 and name the process. Questions wait by their own clock: test_ask.py."""
    monkeypatch.setenv("SOURCES__HARVEST__DESTINATION_WAIT", "0")
    with writing(make_warehouse(folder / NAME)) as holder:
        for name, command in COMMANDS.items():
            if name != "query":
                result = run(*command)
                assert result.code == 6, (name, result)
                assert f"(PID {holder.pid})" in flatten(result, folder), (name, result)


def test_reading_commands_work_beside_another_reader(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``status``, ``export`` and questions work beside a reader; only writers are refused."""
    monkeypatch.setenv("SOURCES__HARVEST__DESTINATION_WAIT", "0")
    assert run("sync", "--table", "clients").code == 0
    with reading(folder / NAME):
        assert run("sync", "--table", "clients").code == 6
        for name in ("status", "export", "query"):
            assert run(*COMMANDS[name]).code == 0, name
