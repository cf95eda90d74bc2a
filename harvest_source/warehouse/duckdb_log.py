"""The log beside a DuckDB file: changes that are committed but not in the file yet."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class DuckDBLog:
    """The log of the file at *path*, if there is one."""

    path: Path

    def read_bytes(self) -> int:
        """The log's size; 0 if there is none."""
        return sum(log.stat().st_size for log in self._find())

    def read_mark(self) -> tuple[int, ...]:
        """A mark that changes when something is written into the log or the file."""
        file = self.path.stat() if self.path.exists() else None
        return self.read_bytes(), *((file.st_mtime_ns, file.st_size) if file else ())

    def protect(self) -> None:
        """Give the log the file's permissions: DuckDB creates it with those of the umask."""
        for log in self._find():
            with suppress(OSError):  # Another user's log: its permissions and rows are unchanged.
                log.chmod(self.path.stat().st_mode & 0o777)

    def _find(self) -> list[Path]:
        """The log is beside the target of a symbolic link; of older DuckDB, beside the link."""
        logs = [Path(f"{path}.wal") for path in {self.path, self.path.resolve()}]
        return [log for log in logs if log.exists()]
