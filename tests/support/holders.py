"""Other processes that hold what a run needs, until they are killed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from harvest_source.warehouse.lock import sync_lock
from tests.support.children import Child, fork

HELD_SINCE = datetime(2026, 6, 17, 12, tzinfo=UTC)
"""The time at which the holder of a lock says it took it."""


@contextmanager
def _holding(call: str, what: Path, *more: str) -> Iterator[Child]:
    module = "tests.support.holders"
    with fork(
        str(what), *more, folder=what.parent, environment=os.environ, call=f"{module}:{call}"
    ) as child:
        assert child.stdout.readline() == "held\n"
        yield child


@contextmanager
def reading(database: Path) -> Iterator[Child]:
    """Another process that has a DuckDB file open for reading."""
    with _holding("read", database) as child:
        yield child


@contextmanager
def writing(database: Path) -> Iterator[Child]:
    """Another process that has a DuckDB file open for writing."""
    with _holding("write", database) as child:
        yield child


@contextmanager
def syncing(folder: Path, pipeline: str = "harvest") -> Iterator[Child]:
    """Another process that holds the lock of *pipeline* in *folder*."""
    folder.mkdir(parents=True, exist_ok=True)
    with _holding("lock", folder, pipeline) as child:
        yield child


def read() -> None:
    """In the child: open the named file for reading, and wait."""
    with duckdb.connect(sys.argv[1], read_only=True):
        _wait()


def write() -> None:
    """In the child: open the named file for writing, and wait."""
    with duckdb.connect(sys.argv[1]):
        _wait()


def lock() -> None:
    """In the child: take the lock of the named folder and pipeline, and wait."""
    with sync_lock(sys.argv[2], Path(sys.argv[1]), now=HELD_SINCE):
        _wait()


def _wait() -> None:
    print("held", flush=True)
    sys.stdin.read()
