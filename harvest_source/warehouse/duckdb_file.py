"""The DuckDB file of a warehouse: making it, and waiting while other processes have it."""

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
    DUCKDB_CHECKPOINT,
    DUCKDB_GIVE_BACK,
    DUCKDB_HAS_TABLE,
    DUCKDB_JOIN,
    DUCKDB_JOIN_ALL,
    DUCKDB_KEEP_LOG,
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
Bytes that DuckDB may use in :meth:`DuckDBFile.held` at least; what it needs beyond them it keeps in
a file beside its own.
"""
_MORE_MEMORY: Final = (96 * 1024 * 1024, 112 * 1024 * 1024)
"""
The same where that was too little, in turn. DuckDB 1.5.6 lacks a few blocks in some first loads,
and both lack more where rows of ten million change, while the process has 512 MB for everything.
"""
MOST_MEMORY: Final = 160 * 1024 * 1024
"""
And at most: by itself DuckDB takes up to four fifths of the machine. A first load takes a tenth
less processor time with 160 MB than with 80, and a little more with 320 or 640.
"""
_OTHERS: Final = 352 * 1024 * 1024
"""What the process needs beside DuckDB: Python, its libraries, pages that were read ahead."""
_LEFT_BYTES: Final = 1 << 16
"""Of a log that stays beside the file after a run that loaded nothing: a day of rows of runs."""
_MOST_THREADS: Final = 2
"""
Threads of DuckDB while it loads, on every machine: a package is one file, which one thread copies.
On two processors a first load took 7 to 18 % more processor time with two threads than with one,
32 % more with four and 60 % with eight, and each needs memory for the rows that it writes.
"""
_LOG_BYTES: Final = 1 << 20
"""A longer log is written into the file at once: to open the file is to read the log."""

_LOGGED: Final = "Nothing is lost: what changed is in the log beside it."
_LOADED: Final = "_dlt_version"
"""A table of every dataset that dlt has loaded."""


def choose_memory(available: int | None) -> int:
    """
    Bytes for DuckDB of those that the process may use: half of what others leave, within bounds.

    Args:
        available: None: it is not known, and may be little.
    """
    if available is None:
        return LEAST_MEMORY
    return min(max((available - _OTHERS) // 2, LEAST_MEMORY), MOST_MEMORY)


def _list_bounds(memory: int) -> list[int | None]:
    """What DuckDB may use at first, and at each further try; None: any amount."""
    more = (each for each in (*_MORE_MEMORY, MOST_MEMORY) if memory < each <= MOST_MEMORY)
    return [memory, *more, None]


@dataclass(slots=True)
class _State:
    """
    What changes in a :class:`DuckDBFile`.

    Attributes:
        limit_before: DuckDB's own limit of memory; None outside :meth:`DuckDBFile.held`.
        lifted: How often :meth:`DuckDBFile.lift` has given DuckDB more memory.
        keeps_log: Whether a short log stays beside the file when it is closed.
        has_kept_log: Whether one did. Otherwise a log there is another process's.
        before: Mark of file and log when :meth:`DuckDBFile.keep_log` was called.
        leaves_log: Whether the log stays beside the file for good.
        checked: The connection of :meth:`DuckDBFile.check`, if the file stayed open.
        waits: Whether other processes are waited for.
        is_large: Whether much is written, so that groups of rows are not joined.
    """

    limit_before: str | None = None
    lifted: int = 0
    keeps_log: bool = False
    has_kept_log: bool = False
    before: tuple[int, ...] = ()
    leaves_log: bool = False
    checked: duckdb.DuckDBPyConnection | None = None
    waits: bool = True
    is_large: bool = False


@dataclass(frozen=True, slots=True)
class DuckDBFile:
    """
    The file of a warehouse.

    Attributes:
        clock: Waits while another process has the file open.
        wait_s: For how long at most, each time the file is opened.
        on_wait: Called once per opening with the process that has it.
        only_reads: Open it for reading, beside other readers; do not make it.
    """

    path: Path
    clock: Clock
    wait_s: float
    on_wait: Callable[[str], None]
    only_reads: bool = False
    memory: int = field(default_factory=lambda: choose_memory(read_memory()))
    """Bytes that DuckDB may use in :meth:`held`."""
    _state: _State = field(default_factory=_State, repr=False, compare=False)

    @contextmanager
    def held(self, kept: Kept) -> Iterator[None]:
        """
        Keep the file open while dlt opens and closes connections of its own.

        Otherwise each closing of the last connection would write the whole log into the file.
        DuckDB gets half of its threads meanwhile, two at most: on two cores, copying and merging
        100,000 rows with one took less than half the processor time of two, and the other core goes
        on reading.
        And it gets a bounded part of the memory, until :meth:`lift` is called.

        Raises:
            DestinationError: It cannot be opened, or stays in use; says *kept*.
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
            ((threads, limit),) = connection.execute(DUCKDB_READ_SHARE).fetchall()
            self._state.limit_before = limit
            try:
                _share(connection, int(threads), self._bound)
                yield
            finally:
                self._state.limit_before = None
                with suppress(duckdb.Error):  # What failed before is what people need to know.
                    self._end_log(connection)
                    connection.execute(DUCKDB_SET_THREADS.format(threads))
                    connection.execute(DUCKDB_JOIN_ALL)
                    connection.execute(restore_memory(limit))

    @contextmanager
    def writing_much(self) -> Iterator[None]:
        """Write a large package, or many rows again, without joining groups of rows meanwhile."""
        before, self._state.is_large = self._state.is_large, True
        try:
            yield
        finally:
            self._state.is_large = before

    def check(self, kept: Kept, *, stays_open: bool) -> None:
        """
        Open the file, to see that it can be opened.

        Args:
            stays_open: Until :meth:`held` is first entered, or :meth:`close_checked` called: DuckDB
                takes 20 ms of processor time to open any file.

        Raises:
            DestinationError: It cannot be opened, or stays in use; says *kept*.
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
        """Bytes that DuckDB may use now; None: as many as it takes by itself."""
        return _list_bounds(self.memory)[self._state.lifted]

    def _end_log(self, connection: duckdb.DuckDBPyConnection) -> None:
        """
        Keep a short log if it is to be kept, else write it into the file within the bound.

        Closing the file would write it without one. DuckDB refuses while another connection of this
        process has changes: it writes them later.
        """
        if self._state.keeps_log and self._log.read_bytes() <= _LOG_BYTES:
            connection.execute(DUCKDB_KEEP_LOG)
            self._state.has_kept_log = True
            self._log.protect()
        elif self._log.read_bytes():
            with suppress(duckdb.TransactionException):
                connection.execute(DUCKDB_CHECKPOINT)

    def lift(self, kept: Kept) -> bool:
        """Let DuckDB use more memory from now on, a step at a time; False: it had no bound."""
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

    def keep_log(self) -> None:
        """
        From now on, write nothing into the file when it is closed, until :meth:`write_log`.

        DuckDB writes its log into the file when the last connection closes, and with it the
        description of every table anew: 2.6 MB each time, for one row too. A run closes the file
        after each step, for readers. Meanwhile the log lies beside it, where every DuckDB reads it.
        """
        self._state.keeps_log = not self.only_reads
        self._state.before = self._log.read_mark()

    @property
    def has_changed(self) -> bool:
        """Whether anything was written since :meth:`keep_log`."""
        return self._log.read_mark() != self._state.before

    @property
    def _log(self) -> DuckDBLog:
        return DuckDBLog(self.path)

    def leave_log(self) -> None:
        """
        Leave a short log beside the file, in place of :meth:`write_log`.

        For a row or two, which take 2 KB there and 2.6 MB in the file. Every DuckDB from 1.0 on
        reads them there, and the next that writes has them in the file; a copy alone lacks them.
        """
        self._state.leaves_log = self._log.read_bytes() <= _LEFT_BYTES

    def write_log(self) -> None:
        """
        Write into the file what has changed since :meth:`keep_log`, unless the log is left.

        Raises:
            DestinationError: It cannot be opened. The next to open it for writing writes it.
        """
        if self._state.leaves_log:
            return
        self._state.keeps_log = False
        if self._state.has_kept_log and self._log.read_bytes():
            with self.held(_LOGGED), self.open(_LOGGED) as connection:
                connection.execute(DUCKDB_WRITE_LOG)  # Another connection may be open still.

    def wait_no_more(self) -> None:
        """From now on, open the file at once or not at all; waiting threads stop in a second."""
        self._state.waits = False

    def open(self, kept: Kept) -> duckdb.DuckDBPyConnection:
        """
        Open the file as soon as no other process keeps it closed to this one.

        Args:
            kept: What became of the data, for the error.

        Raises:
            DestinationError: It cannot be opened, or stays in use.
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


def _share(connection: duckdb.DuckDBPyConnection, threads: int, bound: int | None) -> None:
    """
    Leave half of DuckDB's *threads* or more, and all memory but *bound*, to others.

    DuckDB has no such settings of one connection. They are of all connections of this process
    to the file, and those of a notebook may stay open. A limit that a person gave to dlt is set
    with each connection of dlt's, and wins.
    """
    fewer = max(1, min(threads // 2, read_processors() // 2, _MOST_THREADS))
    connection.execute(DUCKDB_SET_THREADS.format(fewer))
    if bound is not None:
        connection.execute(_limit_memory(bound))


def _limit_memory(bound: int) -> str:
    """The statement that lets DuckDB use *bound* bytes."""
    return DUCKDB_SET_MEMORY.format(f"{bound // 1024}KiB")


def may_hold_dataset(path: Path, dataset: str) -> bool:
    """
    Whether a DuckDB file holds a dataset that dlt has loaded.

    An empty file, or one of another kind, does not. One that cannot be opened now, because it is
    in use or newer than the library, may: opening it for the run says what is wrong.
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
    The datasets of a DuckDB file that dlt has loaded, ascending.

    Raises:
        duckdb.Error: The file cannot be opened.
    """
    with duckdb.connect(str(path), read_only=True) as connection:
        found = connection.execute(DUCKDB_SCHEMAS_WITH, [_LOADED]).fetchall()
    return sorted(name for (name,) in found)
