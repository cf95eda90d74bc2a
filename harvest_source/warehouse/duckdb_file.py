"""A DuckDB file that other processes may have open: waiting for it, and saying who has it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from harvest_source.clock import Clock
from harvest_source.errors import DestinationError

_RETRY_S: Final = 1.0
_HOLDER: Final = re.compile(r"(?P<program>[^\s\"]+) \(PID (?P<pid>\d+)\)")
_LOCKED: Final = ("set lock on file", "conflicting lock", "used by another process")


@dataclass(frozen=True, slots=True)
class DuckDBFile:
    """
    The file of a warehouse.

    Attributes:
        clock: Waits while another process has the file open.
        wait_s: For how long at most, each time the file is opened.
        on_wait: Told once per opening which process has it.
    """

    path: Path
    clock: Clock
    wait_s: float
    on_wait: Callable[[str], None]

    @contextmanager
    def held(self, kept: str) -> Iterator[None]:
        """
        Keep the file open while dlt opens and closes connections of its own.

        Otherwise each closing of the last connection would write the whole log into the file. One
        thread: on two cores, copying and merging 100,000 rows took less than half the processor
        time of two threads, and the other core goes on reading.

        Raises:
            DestinationError: It cannot be opened, or stays in use; says *kept*.
        """
        with self.open(kept) as connection:
            connection.execute("SET threads = 1")
            yield

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
            raise DestinationError(self._explain(error, kept)) from error

    def _open(self) -> duckdb.DuckDBPyConnection:
        deadline, has_told = self.clock.monotonic() + self.wait_s, False
        while True:
            try:
                return duckdb.connect(str(self.path))
            except duckdb.Error as error:
                left = deadline - self.clock.monotonic()
                if left <= 0 or not is_locked(error):
                    raise
                if not has_told:
                    self.on_wait(find_holder(error))
                    has_told = True
            self.clock.sleep(min(_RETRY_S, left))

    def _explain(self, error: duckdb.Error, kept: str) -> str:
        path, text = self.path, " ".join(str(error).split())
        if is_locked(error):
            waited = f" and was for the {self.wait_s:.0f} s waited" if self.wait_s else ""
            return (
                f"{path} is in use by {find_holder(error)}{waited}. {kept} Close it there, then "
                "run again; destination_wait under [sources.harvest] sets how long to wait."
            )
        if "not a valid DuckDB" in text or "database file" in text:
            return f"{path} is not a DuckDB database. {kept} Name another file with --database."
        if not path.parent.exists():
            return f"The folder {path.parent} does not exist. {kept} Make it, or name another file."
        return f"DuckDB cannot open {path}: {text[:200]} {kept}"


def is_locked(error: duckdb.Error) -> bool:
    """Whether another process has the file open. DuckDB has no error type of its own for that."""
    text = str(error).lower()
    return any(words in text for words in _LOCKED)


def find_holder(error: duckdb.Error) -> str:
    """The process that has the file, by name and PID."""
    found = _HOLDER.search(str(error))
    return f"{Path(found['program']).name} (PID {found['pid']})" if found else "another process"
