"""
The warehouse of a benchmark, in DuckDB, PostgreSQL or Delta files: how to spoil rows in it, and how
to measure its size and the bytes written.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any, Final, Protocol, TypeVar

import duckdb
import pyarrow.compute as pc

T = TypeVar("T")

DESTINATIONS: Final = ("duckdb", "postgres", "delta")
DATABASE: Final = "harvest_data.duckdb"
_SPOIL: Final = (
    "UPDATE harvest.time_entries SET rounded_hours = rounded_hours + 1 WHERE id IN (SELECT id "
    "FROM harvest.time_entries WHERE NOT is_running ORDER BY id % 9973, id LIMIT {rows})"
)
_SUM: Final = "SELECT count(*), sum(rounded_hours) FROM harvest.time_entries WHERE NOT is_running"


class Store(Protocol):
    """The destination that a benchmark's runs write to."""

    environment: Mapping[str, str]
    """Settings that select the destination."""
    options: Sequence[str]
    """Arguments of ``impatient_sync`` that select it."""

    def spoil(self, rows: int) -> None:
        """Make *rows* rows wrong, spread over the years, as a manual edit would."""

    def sum_hours(self) -> tuple[int, Any]:
        """Number and hours of the entries whose timers do not run."""

    def describe(self, ours_mb: float) -> str:
        """
        The size of the warehouse, and what was written to it since the last call.

        Args:
            ours_mb: Megabytes that the measured process itself wrote to disk.
        """


class DuckDBStore:
    """The DuckDB file in the folder of the runs."""

    environment: Mapping[str, str] = MappingProxyType({})
    options: Sequence[str] = ()

    def __init__(self, folder: Path) -> None:
        self._path = folder / DATABASE

    def spoil(self, rows: int) -> None:
        _apart(_execute, self._path, _SPOIL.format(rows=rows))

    def sum_hours(self) -> tuple[int, Any]:
        ((rows, hours),) = _apart(_execute, self._path, _SUM)
        return int(rows), hours

    def describe(self, ours_mb: float) -> str:
        size = self._path.stat().st_size
        times = size / _apart(_measure_copy, self._path)
        return (
            f"file {size / 1e6:,.0f} MB, {times:.2f} times a fresh copy; written {ours_mb:,.1f} MB"
        )


def _apart(work: Callable[..., T], *arguments: Any) -> T:
    """
    The result of *work* in a process of its own.

    The system counts the peak size of this process as that of each process it starts, until that
    one has used more; and copying a file of 100 MB takes a gigabyte.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def _execute(path: Path, statement: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(path)) as connection:
        return connection.execute(statement).fetchall()


def _measure_copy(path: Path) -> int:
    """Size in bytes of a copy of the file by ``COPY FROM DATABASE``."""
    with TemporaryDirectory() as folder, duckdb.connect() as connection:
        fresh = Path(folder, "fresh.duckdb")
        connection.execute(
            f"SET enable_progress_bar = false; ATTACH '{path}' AS ours (READ_ONLY);"
            f"ATTACH '{fresh}' AS fresh (STORAGE_VERSION 'v1.0.0');"
            "COPY FROM DATABASE ours TO fresh; DETACH fresh"
        )
        return fresh.stat().st_size


@dataclass
class PostgresStore:
    """A database of a server on this machine."""

    environment: Mapping[str, str]
    address: str
    server_pid: int
    options: Sequence[str] = ("--destination=postgres",)
    _written: float = 0.0
    _cpu_s: float = 0.0

    def spoil(self, rows: int) -> None:
        self._ask(_SPOIL.format(rows=rows))

    def sum_hours(self) -> tuple[int, Any]:
        ((rows, hours),) = self._ask(_SUM)
        return int(rows), hours

    def describe(self, ours_mb: float) -> str:
        query = "SELECT pg_database_size(current_database()), pg_current_wal_lsn() - '0/0'"
        ((size, log),) = self._ask(query)
        cpu_s, written = _used_s(self.server_pid), float(log) / 1e6
        said = (
            f"database {size / 1e6:,.0f} MB; written {ours_mb:,.1f} MB, and "
            f"{written - self._written:,.1f} MB of PostgreSQL's log in {cpu_s - self._cpu_s:.1f} s "
            "of its CPU"
        )
        self._written, self._cpu_s = written, cpu_s
        return said

    def _ask(self, query: str) -> list[tuple[Any, ...]]:
        import psycopg2

        with closing(psycopg2.connect(self.address)) as connection:
            connection.autocommit = True
            cursor = connection.cursor()
            cursor.execute(query)
            return cursor.fetchall() if cursor.description else []


class DeltaStore:
    """Delta tables in a folder."""

    options: Sequence[str] = ("--destination=filesystem",)

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.environment: Mapping[str, str] = {
            "DESTINATION__FILESYSTEM__BUCKET_URL": folder.as_uri(),
            "SOURCES__HARVEST__TABLE_FORMAT": "delta",
        }

    def spoil(self, rows: int) -> None:
        _apart(_spoil_delta, self._folder, rows)

    def sum_hours(self) -> tuple[int, Any]:
        return _apart(_sum_delta, self._folder)

    def describe(self, ours_mb: float) -> str:
        files = [each.stat().st_size for each in self._folder.rglob("*") if each.is_file()]
        return f"{len(files)} files of {sum(files) / 1e6:,.0f} MB; written {ours_mb:,.1f} MB"


def _spoil_delta(folder: Path, rows: int) -> None:
    columns = ["id", "is_running"]
    found = _open_delta(folder).to_pyarrow_table(columns=columns).filter(~pc.field("is_running"))
    chosen = sorted(found.column("id").to_pylist(), key=lambda each: (each % 9973, each))
    _open_delta(folder).update(
        updates={"rounded_hours": "rounded_hours + 1"},
        predicate=f"id IN ({', '.join(map(str, chosen[:rows]))})",
    )


def _sum_delta(folder: Path) -> tuple[int, Any]:
    columns = ["rounded_hours", "is_running"]
    found = _open_delta(folder).to_pyarrow_table(columns=columns).filter(~pc.field("is_running"))
    return found.num_rows, pc.sum(found.column("rounded_hours")).as_py()


def _open_delta(folder: Path) -> Any:
    import deltalake

    return deltalake.DeltaTable(str(folder / "harvest" / "time_entries"))


@contextmanager
def open_store(destination: str, folder: Path) -> Iterator[Store]:
    """The store of *destination*, with a server running until the end if it needs one."""
    if destination == "duckdb":
        yield DuckDBStore(folder)
        return
    if destination == "delta":
        yield DeltaStore(folder / "lake")
        return
    from tests.support.postgres import build_environment, serving

    with serving(folder / "postgres") as address:
        pid = (folder / "postgres" / "data" / "postmaster.pid").read_text().split()[0]
        store = PostgresStore(build_environment(address), address, int(pid))
        store.describe(0)
        yield store


def _used_s(server: int) -> float:
    """CPU seconds of a process and of its children, including those that have ended."""
    ticks = 0
    for each in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, rest = re.fullmatch(r"(\d+) \(.*\) (.*)", each.read_text(), re.DOTALL).groups()  # type: ignore[union-attr]
        except (OSError, AttributeError):
            continue  # The process has ended.
        fields = rest.split()
        if int(pid) == server:
            ticks += sum(map(int, fields[11:15]))
        elif int(fields[1]) == server:
            ticks += sum(map(int, fields[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")
