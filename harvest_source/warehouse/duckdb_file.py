"""
The DuckDB file of a warehouse: making it, waiting while other processes have it, explaining errors.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import duckdb

from harvest_source.clock import Clock
from harvest_source.defaults import DATABASE
from harvest_source.dlt_internals import create_duckdb_file
from harvest_source.errors import DestinationError
from harvest_source.installation import advise_install
from harvest_source.sql.statements import (
    DUCKDB_HAS_TABLE,
    DUCKDB_READ_THREADS,
    DUCKDB_SCHEMAS_WITH,
    DUCKDB_SET_THREADS,
    DUCKDB_WHOLE_METADATA,
)

_RETRY_S: Final = 1.0
_HOLDER: Final = re.compile(r"(?P<program>[^\s\"]+) \(PID (?P<pid>\d+)\)")
_STORAGE_VERSION: Final = re.compile(
    r"version number (?P<file>\d+), but we can only read versions? "
    r"(?:between \d+ and )?(?P<newest>\d+)"
)
"""How every DuckDB from 1.0 to 2.0 refuses a file of another storage version."""
_MAGIC: Final = (8, b"DUCK")
"""Place and content of the bytes by which DuckDB knows its files."""
_OPEN_HERE: Final = "same database file with a different configuration"
_WAL_DAMAGED: Final = "Failure while replaying WAL file"
_LOADED: Final = "_dlt_version"
"""A table of every dataset that dlt has loaded."""
_LOCKED: Final = ("set lock on file", "conflicting lock", "used by another process")


@dataclass(frozen=True, slots=True)
class DuckDBFile:
    """
    The file of a warehouse.

    Attributes:
        clock: Waits while another process has the file open.
        wait_s: For how long at most, each time the file is opened.
        on_wait: Called once per opening with the process that has it.
    """

    path: Path
    clock: Clock
    wait_s: float
    on_wait: Callable[[str], None]
    _is_held: list[bool] = field(default_factory=list, repr=False, compare=False)
    """Not empty inside :meth:`held`."""

    @contextmanager
    def held(self, kept: str) -> Iterator[None]:
        """
        Keep the file open while dlt opens and closes connections of its own.

        Otherwise each closing of the last connection would write the whole log into the file.
        DuckDB gets half of its threads meanwhile: on two cores, copying and merging 100,000 rows
        with one took less than half the processor time of two, and the other core goes on reading.

        Raises:
            DestinationError: It cannot be opened, or stays in use; says *kept*.
        """
        with self.open(kept) as connection:
            if self._is_held:
                yield
                return
            with suppress(duckdb.CatalogException):  # Not every version has the setting.
                connection.execute(DUCKDB_WHOLE_METADATA)
            self._is_held.append(True)
            try:
                with _halving_threads(connection):
                    yield
            finally:
                self._is_held.clear()

    def open(self, kept: str) -> duckdb.DuckDBPyConnection:
        """
        Open the file for writing, as soon as no other process has it.

        Args:
            kept: What became of the data, for the error: a sentence.

        Raises:
            DestinationError: It cannot be opened, or stays in use.
        """
        try:
            return self._open()
        except duckdb.Error as error:
            what = explain_error(self.path, error, wait_s=self.wait_s, kept=kept)
            raise DestinationError(what) from error

    def _open(self) -> duckdb.DuckDBPyConnection:
        create_duckdb_file(self.path)
        deadline, is_reported = self.clock.monotonic() + self.wait_s, False
        while True:
            try:
                return duckdb.connect(str(self.path))
            except duckdb.Error as error:
                left = deadline - self.clock.monotonic()
                if left <= 0 or not is_locked(error):
                    raise
                if not is_reported:
                    self.on_wait(find_holder(error))
                    is_reported = True
            self.clock.sleep(min(_RETRY_S, left))


@contextmanager
def _halving_threads(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """
    Use half of DuckDB's threads, and all of them again at the end.

    DuckDB has no such setting of one connection. It is one of all connections of this process to
    the file, and those of a notebook may stay open.
    """
    ((threads,),) = connection.execute(DUCKDB_READ_THREADS).fetchall()
    connection.execute(DUCKDB_SET_THREADS.format(max(1, int(threads) // 2)))
    try:
        yield
    finally:
        connection.execute(DUCKDB_SET_THREADS.format(int(threads)))


def explain_error(path: Path, error: duckdb.Error, *, wait_s: float, kept: str) -> str:
    """
    Why a file cannot be opened, and what to do.

    Args:
        wait_s: How long was waited for other processes.
        kept: What became of the data: a sentence.
    """
    text = " ".join(str(error).split())
    if is_locked(error):
        waited = f" and was for the {wait_s:.0f} s waited" if wait_s else ""
        return (
            f"{path} is in use by {find_holder(error)}{waited}. {kept} Close it there, then run "
            "again; destination_wait under [sources.harvest] sets how long to wait."
        )
    if isinstance(error, duckdb.ConnectionException) and _OPEN_HERE in text:
        return (
            f"{path} is open in this very process with other settings, for reading only perhaps "
            f"(a notebook?). {kept} Close that connection, connection.close(), then sync again."
        )
    if text.startswith(_WAL_DAMAGED):
        log = shlex.quote(f"{path}.wal")
        return (
            f"The log of {path}, which has what was written last, is damaged: {text[:160]}. {kept} "
            f"Without it the warehouse is as it was some writes before, and the next sync reads "
            f"the rest again: mv {log} {log}.damaged"
        )
    if versions := _STORAGE_VERSION.search(text):
        return _explain_version(path, int(versions["file"]), int(versions["newest"]), kept)
    if path.is_dir():
        return (
            f"{path} is a folder, and the warehouse is a file. {kept} Name a file in it: "
            f"--database {shlex.quote(str(path / DATABASE))}"
        )
    if path.exists() and not _is_duckdb(path):
        return f"{path} is not a DuckDB database. {kept} Name another file with --database."
    folder = path.parent.absolute()
    if not folder.exists():
        return f"The folder {folder} does not exist. {kept} Make it, or name another file."
    locked = next((each for each in (path, folder) if _is_read_only(each)), None)
    if locked is not None:
        return (
            f"{locked.absolute()} cannot be written by this user, or is on a disk that cannot be "
            f"written. {kept} Give this user the right to, or name another file with --database."
        )
    return (
        f"DuckDB cannot open {path}: {text[:200].rstrip('.')}. {kept} If it stays so, name another "
        "file with --database."
    )


def _is_read_only(path: Path) -> bool:
    return path.exists() and not os.access(path, os.W_OK)


def _explain_version(path: Path, file: int, newest: int, kept: str) -> str:
    if file > newest:
        return (
            f"{path} was made by a newer DuckDB (storage version {file}) than the installed "
            f"{duckdb.__version__}, which reads up to {newest}. {kept} Install a newer one: "
            f"{advise_install(('--upgrade', 'duckdb'))}"
        )
    return (
        f"{path} was made by a DuckDB older than 0.10 (storage version {file}), which the "
        f"installed {duckdb.__version__} cannot read. {kept} Name another file with --database."
    )


def _is_duckdb(path: Path) -> bool:
    """Whether the file begins as DuckDB's files do; True where it cannot be read."""
    start, magic = _MAGIC
    try:
        with path.open("rb") as file:
            return file.read(start + len(magic))[start:] == magic
    except OSError:
        return True


def may_hold_dataset(path: Path, dataset: str) -> bool:
    """
    Whether a DuckDB file holds a dataset that dlt has loaded.

    An empty file, or one of another kind, does not. One that cannot be opened now, because it is
    in use or newer than the library, may: opening it for the run says what is wrong.
    """
    if not _is_duckdb(path):
        return False
    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            found = connection.execute(DUCKDB_HAS_TABLE, [dataset, _LOADED])
            return found.fetchall() != [(0,)]
    except duckdb.Error:
        return True


def list_datasets(path: Path) -> list[str]:
    """
    The datasets of a DuckDB file that dlt has loaded, ascending.

    Raises:
        duckdb.Error: The file cannot be opened.
    """
    with duckdb.connect(str(path)) as connection:
        found = connection.execute(DUCKDB_SCHEMAS_WITH, [_LOADED]).fetchall()
    return sorted(name for (name,) in found)


def is_locked(error: duckdb.Error) -> bool:
    """Whether another process has the file open. DuckDB has no error type of its own for that."""
    text = str(error).lower()
    return any(words in text for words in _LOCKED)


def find_holder(error: duckdb.Error) -> str:
    """The process that has the file, by name and PID."""
    found = _HOLDER.search(str(error))
    return f"{Path(found['program']).name} (PID {found['pid']})" if found else "another process"
