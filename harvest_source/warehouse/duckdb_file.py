"""The DuckDB file of a warehouse: create it, and wait while other processes have it open."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import duckdb

from harvest_source.clock import Clock
from harvest_source.dlt_internals import create_duckdb_file
from harvest_source.errors import DestinationError
from harvest_source.machine import read_memory, read_processors
from harvest_source.sql.statements import (
    DUCKDB_GIVE_BACK,
    DUCKDB_HAS_TABLE,
    DUCKDB_JOIN,
    DUCKDB_JOIN_ALL,
    DUCKDB_READ_SHARE,
    DUCKDB_SCHEMAS_WITH,
    DUCKDB_SET_MEMORY,
    DUCKDB_SET_THREADS,
    DUCKDB_WHOLE_METADATA,
    DUCKDB_WRITE_LOG,
    restore_memory,
)
from harvest_source.warehouse.duckdb_errors import (
    Kept,
    explain_error,
    find_holder,
    is_duckdb,
    is_locked,
)
from harvest_source.warehouse.duckdb_log import DuckDBLog

_RETRY_S: Final = 1.0

LEAST_MEMORY: Final = 80 * 1024 * 1024
"""
Minimum of memory that DuckDB may use in :meth:`DuckDBFile.held`, in bytes; what it needs beyond
that it spills into a file beside its own.
"""
_MORE_MEMORY: Final = (96 * 1024 * 1024, 112 * 1024 * 1024)
"""
The next limits in turn, if that was too little. DuckDB 1.5.6 lacks a few blocks in some first
loads; 1.5.6 and 2.0.1 lack more if rows in a table of ten million change, while the process has
512 MB for everything.
"""
MOST_MEMORY: Final = 160 * 1024 * 1024
"""
Maximum of that memory; by default DuckDB takes up to four fifths of the machine's. A first load
takes a tenth less processor time with 160 MB than with 80, and a little more with 320 or 640.
"""
_OTHERS: Final = 352 * 1024 * 1024
"""What the process needs besides DuckDB: Python, its libraries, pages that were read ahead."""
_MOST_THREADS: Final = 2
"""
Maximum of DuckDB's threads while it loads, on every machine: a package is one file, which one
thread copies. On two processors a first load took 7 to 18 % more processor time with two threads
than with one, 32 % more with four and 60 % with eight, and each needs memory for the rows that it
writes.
"""
_LOGGED: Final = "Nothing is lost: the changes are in the log beside it."
_LOADED: Final = "_dlt_version"
"""A table of every dataset that dlt has loaded."""


def choose_memory(available: int | None) -> int:
    """
    Choose DuckDB's memory in bytes: half of what the process has left for it, within bounds.

    Args:
        available: Bytes that the process may use; None if unknown, which may be little.
    """
    if available is None:
        return LEAST_MEMORY
    return min(max((available - _OTHERS) // 2, LEAST_MEMORY), MOST_MEMORY)


def _list_bounds(memory: int) -> list[int | None]:
    """The memory that DuckDB may use at first, and at each further try; None: any amount."""
    more = (each for each in (*_MORE_MEMORY, MOST_MEMORY) if memory < each <= MOST_MEMORY)
    return [memory, *more, None]


@dataclass(slots=True)
class _State:
    """
    The mutable state of a :class:`DuckDBFile`.

    Attributes:
        limit_before: DuckDB's own memory limit; None outside :meth:`DuckDBFile.held`.
        lifted: How often :meth:`DuckDBFile.raise_memory_limit` has given DuckDB more memory.
        checked: The connection of :meth:`DuckDBFile.check`, if the file stayed open.
        waits: Whether to wait for other processes.
        is_large: Whether much is written, so that row groups are not joined.
    """

    limit_before: str | None = None
    lifted: int = 0
    checked: duckdb.DuckDBPyConnection | None = None
    waits: bool = True
    is_large: bool = False


@dataclass(frozen=True, slots=True)
class DuckDBFile:
    """
    The file of a warehouse.

    Attributes:
        clock: Waits while another process has the file open.
        wait_s: Longest wait in seconds, each time the file is opened.
        on_wait: Called once per opening with the process that has the file open.
        only_reads: Open the file for reading, beside other readers; do not create it.
    """

    path: Path
    clock: Clock
    wait_s: float
    on_wait: Callable[[str], None]
    only_reads: bool = False
    memory: int = field(default_factory=lambda: choose_memory(read_memory()))
    """Bytes that DuckDB may use in :meth:`held`."""
    log: DuckDBLog = field(init=False, repr=False, compare=False)
    """What is not in the file yet."""
    _state: _State = field(default_factory=_State, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "log", DuckDBLog(self.path))

    @contextmanager
    def held(self, kept: Kept) -> Iterator[None]:
        """
        Keep the file open while dlt opens and closes its own connections.

        Otherwise, each time the last connection is closed, DuckDB would write the whole log into
        the file. Meanwhile DuckDB gets half of its threads, two at most: on two cores, copying and
        merging 100,000 rows with one thread took less than half the processor time of two, and the
        other core goes on reading. Its memory is limited too, until :meth:`raise_memory_limit` is
        called.

        Raises:
            DestinationError: The file cannot be opened, or stays in use; the message has *kept*.
        """
        with self.open(kept) as connection:
            self.close_checked()
            if self._state.limit_before is not None:
                yield
                return
            join = DUCKDB_JOIN.format(0 if self._state.is_large else 1)
            for setting in (DUCKDB_WHOLE_METADATA, DUCKDB_GIVE_BACK, join):
                with suppress(duckdb.CatalogException):  # Not every version has it.
                    connection.execute(setting)
            with _sharing(connection, self._bound) as self._state.limit_before:
                try:
                    yield
                finally:
                    self._state.limit_before = None
                    with suppress(duckdb.Error):  # Only the first failure is reported.
                        self.log.end(connection)

    @contextmanager
    def writing_much(self) -> Iterator[None]:
        """Write a large package, or many rows again, without joining row groups meanwhile."""
        before, self._state.is_large = self._state.is_large, True
        try:
            yield
        finally:
            self._state.is_large = before

    def check(self, kept: Kept, *, stays_open: bool) -> None:
        """
        Check that the file can be opened.

        Args:
            stays_open: Leave it open until :meth:`held` is first entered, or :meth:`close_checked`
                called: opening any file costs DuckDB 20 ms of processor time.

        Raises:
            DestinationError: The file cannot be opened, or stays in use; the message has *kept*.
        """
        self._state.checked = self.open(kept)
        if not stays_open:
            self.close_checked()

    def close_checked(self) -> None:
        """Close the file if :meth:`check` left it open."""
        if self._state.checked is not None:
            self._state.checked.close()
            self._state.checked = None

    @property
    def _bound(self) -> int | None:
        """Bytes that DuckDB may use now; None: as many as it uses by default."""
        return _list_bounds(self.memory)[self._state.lifted]

    def raise_memory_limit(self, kept: Kept) -> bool:
        """Raise DuckDB's memory limit by one step from now on; False if it had no limit."""
        if self._bound is None:
            return False
        self._state.lifted += 1
        if (before := self._state.limit_before) is not None:
            bound = self._bound
            with self.open(kept) as connection:
                connection.execute(
                    restore_memory(before) if bound is None else _limit_memory(bound)
                )
        return True

    def write_log(self) -> None:
        """
        Write the changes since the log was kept into the file, unless the log is to be left.

        Raises:
            DestinationError: The file cannot be opened. The next process to open it for writing
                will write them.
        """
        if self.log.stop_keeping():
            with self.held(_LOGGED), self.open(_LOGGED) as connection:
                connection.execute(DUCKDB_WRITE_LOG)  # Another connection may still be open.

    def stop_waiting(self) -> None:
        """From now on, do not wait to open the file; threads that wait stop within a second."""
        self._state.waits = False

    def open(self, kept: Kept) -> duckdb.DuckDBPyConnection:
        """
        Open the file as soon as no other process locks it.

        Args:
            kept: What became of the data, for the error message.

        Raises:
            DestinationError: The file cannot be opened, or stays in use.
        """
        try:
            return self._open()
        except duckdb.Error as error:
            what = explain_error(
                self.path, error, kept=kept, wait_s=self.wait_s, only_reads=self.only_reads
            )
            raise DestinationError(what) from error

    def _open(self) -> duckdb.DuckDBPyConnection:
        if not self.only_reads:
            create_duckdb_file(self.path)
            self.log.protect()
        deadline, is_reported = self.clock.monotonic() + self.wait_s, False
        while True:
            try:
                return duckdb.connect(str(self.path), read_only=self.only_reads)
            except duckdb.Error as error:
                left = deadline - self.clock.monotonic()
                if left <= 0 or not self._state.waits or not is_locked(error):
                    raise
                if not is_reported:
                    self.on_wait(find_holder(error))
                    is_reported = True
            self.clock.sleep(min(_RETRY_S, left))


@contextmanager
def _sharing(connection: duckdb.DuckDBPyConnection, bound: int | None) -> Iterator[str]:
    """
    Leave at least half of DuckDB's threads, and all memory except *bound*, to others meanwhile.

    Afterwards each setting is restored, even if another one cannot be. Yields DuckDB's own memory
    limit.

    DuckDB has no such settings per connection: they apply to all connections of this process to the
    file, and those of a notebook may stay open. A limit that the user gave to dlt is set with each
    of dlt's connections, and takes precedence.
    """
    ((threads, limit),) = connection.execute(DUCKDB_READ_SHARE).fetchall()
    fewer = max(1, min(int(threads) // 2, read_processors() // 2, _MOST_THREADS))
    try:
        connection.execute(DUCKDB_SET_THREADS.format(fewer))
        if bound is not None:
            connection.execute(_limit_memory(bound))
        yield str(limit)
    finally:
        for setting in (
            restore_memory(limit),
            DUCKDB_SET_THREADS.format(threads),
            DUCKDB_JOIN_ALL,
        ):
            with suppress(duckdb.Error):  # Not every version has every setting.
                connection.execute(setting)


def _limit_memory(bound: int) -> str:
    """The statement that lets DuckDB use *bound* bytes."""
    return DUCKDB_SET_MEMORY.format(f"{bound // 1024}KiB")


def may_hold_dataset(path: Path, dataset: str) -> bool:
    """
    Whether a DuckDB file holds a dataset that dlt has loaded.

    False for an empty file, or one of another kind. True for a file that cannot be opened now,
    because it is in use or newer than the library: opening it for the run reports what is wrong.
    """
    if not is_duckdb(path):
        return False
    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            found = connection.execute(DUCKDB_HAS_TABLE, [dataset, _LOADED])
            return found.fetchall() != [(0,)]
    except duckdb.Error:
        return True


def list_datasets(path: Path) -> list[str]:
    """
    List the datasets of a DuckDB file that dlt has loaded, ascending.

    Raises:
        duckdb.Error: The file cannot be opened.
    """
    with duckdb.connect(str(path), read_only=True) as connection:
        found = connection.execute(DUCKDB_SCHEMAS_WITH, [_LOADED]).fetchall()
    return sorted(name for (name,) in found)
