"""
One sync at a time for each pipeline: an operating system's lock, which dies with its process.

Plain dlt use is not locked.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from harvest_source.dlt_internals import find_pipelines_folder
from harvest_source.errors import BusyError, DestinationError, printable


@contextmanager
def only_sync(pipeline: str, *, now: datetime, folder: Path | None = None) -> Iterator[None]:
    """
    Hold the lock of *pipeline*; whoever comes meanwhile stands back.

    The lock is beside the pipeline's working folder, which may be dropped at any time. Who holds it
    is written into a file of its own, for the message only: a file left by a dead process bars
    nobody, the next one takes over.

    Args:
        now: Said to others as the time since which it is held.
        folder: Of the lock; None: dlt's folder of pipelines.

    Raises:
        BusyError: Another process holds it. Names its pid, host and when it began.
        DestinationError: The folder cannot be written.
    """
    folder = folder or find_pipelines_folder()
    path = folder / f"{pipeline}.lock"
    holder = folder / f"{pipeline}.lock.json"
    lock = FileLock(path, timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise BusyError(_describe(pipeline, holder)) from error
    except (OSError, NotImplementedError) as error:
        msg = (
            f"The folder of dlt's pipelines cannot be used ({printable(error)}). Nothing was read "
            "and nothing changed. Make it writable, or name another with DLT_DATA_DIR."
        )
        raise DestinationError(msg) from error
    try:
        with suppress(OSError):  # A full disk bars nobody: it is for others' message only.
            _sign(holder, now)
        yield
    finally:
        with suppress(OSError):
            holder.unlink()  # While we still hold the lock: it is ours.
        lock.release()


def _sign(holder: Path, now: datetime) -> None:
    """Say who holds the lock; replaced in one go, so that nobody reads half of it."""
    said = {"pid": os.getpid(), "host": socket.gethostname(), "since": now.isoformat()}
    draft = holder.with_suffix(".new")
    draft.write_text(json.dumps(said), encoding="utf-8")
    draft.replace(holder)


def _describe(pipeline: str, holder: Path) -> str:
    try:
        said: Any = json.loads(holder.read_text(encoding="utf-8"))
        since = datetime.fromisoformat(said["since"])
        who = (
            f"process {int(said['pid'])} on {printable(said['host'], limit=80)}, "
            f"since {since:%Y-%m-%d %H:%M:%S} UTC"
        )
    except (OSError, ValueError, KeyError, TypeError):
        who = "another process, which began only now"
    return (
        f"Another sync of pipeline {pipeline} is running ({who}). Nothing was read and nothing "
        "changed. Wait for it, or use another --pipeline with another --database."
    )
