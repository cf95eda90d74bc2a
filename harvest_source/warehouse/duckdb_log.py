"""
The log beside a DuckDB file: changes that are committed but not in the file yet.

When the last connection closes, DuckDB writes its log into the file, and with it a new description
of every table: 2.6 MB each time, even for one row. A run closes the file after each step, so that
others can read it. Until its end the log stays beside the file, where every DuckDB reads it.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from harvest_source.dlt_internals import committing
from harvest_source.file_permissions import copy_permissions
from harvest_source.sql.statements import DUCKDB_CHECKPOINT, DUCKDB_KEEP_LOG

_LEFT_BYTES: Final = 1 << 16
"""Largest log left beside the file after a run that loaded nothing: a day of rows about runs."""

_LOG_BYTES: Final = 1 << 20
"""A longer log is written into the file at once, because opening the file reads the log."""


_PARTS: Final = (".checkpoint", ".recovery")
"""Ends of the names of what DuckDB has beside its log while it writes the log into the file."""


@dataclass(slots=True)
class DuckDBLog:
    """
    The log of the file at *path*, if there is one, and whether it stays beside the file.

    Attributes:
        keeps: Whether a short log stays there when the file is closed.
        has_kept: Whether this run has left one so. Otherwise a log there is another process's.
        leaves: Whether a short log also stays there after the run.
        before: Mark of file and log when :meth:`keep` was called.
    """

    path: Path
    keeps: bool = False
    has_kept: bool = False
    leaves: bool = False
    before: tuple[int, ...] = ()

    def keep(self) -> None:
        """Write nothing into the file when it is closed, until :meth:`stop_keeping`."""
        self.keeps = True
        self.before = self.read_mark()

    @property
    def has_changed(self) -> bool:
        """Whether anything was written since :meth:`keep`."""
        return self.read_mark() != self.before

    def leave(self) -> None:
        """
        Leave a short log beside the file for good: :meth:`stop_keeping` then returns False.

        This is for a row or two, which take 2 KB in the log and 2.6 MB in the file. Every DuckDB
        from 1.0 on reads them from the log, and the next one that writes moves them into the file;
        a copy of the file alone lacks them.
        """
        self.leaves = self.read_bytes() <= _LEFT_BYTES

    def stop_keeping(self) -> bool:
        """End what :meth:`keep` began; returns whether the log has to be written into the file."""
        if self.leaves:
            return False
        self.keeps = False
        return self.has_kept and self.read_bytes() > 0

    def end(self, connection: duckdb.DuckDBPyConnection) -> None:
        """
        Keep a short log if :meth:`keep` asked for it, else write it into the file.

        It is written here because the memory limit still applies; closing the file would write it
        without a limit. DuckDB refuses while another connection of this process has uncommitted
        changes, and then writes the log later.
        """
        if self.keeps and self.read_bytes() <= _LOG_BYTES:
            connection.execute(DUCKDB_KEEP_LOG)
            self.has_kept = True
            self.protect()
        elif self.read_bytes():
            with suppress(duckdb.TransactionException), self.committing():
                connection.execute(DUCKDB_CHECKPOINT)

    def read_bytes(self) -> int:
        """The log's size; 0 if there is none."""
        return sum(log.stat().st_size for log in self._find())

    def read_mark(self) -> tuple[int, ...]:
        """A mark that changes when something is written into the log or the file."""
        file = self.path.stat() if self.path.exists() else None
        return self.read_bytes(), *((file.st_mtime_ns, file.st_size) if file else ())

    def committing(self) -> AbstractContextManager[None]:
        """Commit in the block, into a log with the file's permissions, while the file is open."""
        return committing(self.path)

    def protect(self) -> None:
        """
        Give the log the file's permissions and group: DuckDB creates it with those of the process.

        DuckDB goes on writing the log of a run that ended early, and leaves beside it what it had
        begun to write into the file.
        """
        for log in self._find(*_PARTS):
            with suppress(OSError):  # Another user's log: its permissions and rows are unchanged.
                copy_permissions(log, self.path.stat())

    def _find(self, *parts: str) -> list[Path]:
        """The log is beside the target of a symbolic link; of older DuckDB, beside the link."""
        places = {self.path, self.path.resolve()}
        logs = [Path(f"{path}.wal{part}") for path in places for part in ("", *parts)]
        return [log for log in logs if log.exists()]
