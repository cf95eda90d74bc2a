"""The log beside a DuckDB file: what was committed and is not in the file yet."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class DuckDBLog:
    """The log of the file at *path*, if there is one."""

    path: Path

    def read_bytes(self) -> int:
        """Its size; 0 without one."""
        return sum(log.stat().st_size for log in self._find())

    def read_mark(self) -> tuple[int, ...]:
        """Another one when something was written into the log, or from it into the file."""
        file = self.path.stat() if self.path.exists() else None
        return self.read_bytes(), *((file.st_mtime_ns, file.st_size) if file else ())

    def protect(self) -> None:
        """Let those read the log who may read the file: DuckDB makes it by the umask."""
        for log in self._find():
            with suppress(OSError):  # Another user's: rights and rows are as they were.
                log.chmod(self.path.stat().st_mode & 0o777)

    def _find(self) -> list[Path]:
        """Beside the file that a symbolic link leads to; an older DuckDB: beside the link."""
        logs = [Path(f"{path}.wal") for path in {self.path, self.path.resolve()}]
        return [log for log in logs if log.exists()]
