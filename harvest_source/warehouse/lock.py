"""
Allow one sync at a time for each warehouse and pipeline.

The lock is the operating system's, so it is released when its process ends.

Using plain dlt takes no lock.
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

from harvest_source.errors import BusyError, DestinationError, printable
from harvest_source.warehouse.working_folder import explain_unusable


@contextmanager
def sync_lock(pipeline: str, folder: Path, *, now: datetime) -> Iterator[None]:
    """
    Hold the lock of *pipeline* in *folder* during the block.

    The lock file is beside the pipeline's working folder, because the folder itself may be removed
    at any time. A second file names the process that holds the lock, for the message only: one that
    a dead process left behind has no effect.

    Args:
        folder: The folder that contains the pipeline's working folder for this warehouse.
        now: Shown to other processes as the time since which the lock is held.

    Raises:
        BusyError: Another process holds the lock. Names its PID, host and start time.
        DestinationError: The folder cannot be written.
    """
    path = folder / f"{pipeline}.lock"
    holder = folder / f"{pipeline}.lock.json"
    lock = FileLock(path, timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise BusyError(_describe(pipeline, holder)) from error
    except (OSError, NotImplementedError) as error:
        raise DestinationError(explain_unusable(error)) from error
    try:
        with suppress(OSError):  # A full disk must not stop the run: the file is only informative.
            _sign(holder, now)
        yield
    finally:
        with suppress(OSError):
            holder.unlink()  # While we still hold the lock: it is ours.
        lock.release()


def _sign(holder: Path, now: datetime) -> None:
    """Write who holds the lock, atomically, so that no reader sees a half-written file."""
    holder_info = {"pid": os.getpid(), "host": socket.gethostname(), "since": now.isoformat()}
    draft = holder.with_suffix(".new")
    draft.write_text(json.dumps(holder_info), encoding="utf-8")
    draft.replace(holder)


def _describe(pipeline: str, holder: Path) -> str:
    try:
        info: Any = json.loads(holder.read_text(encoding="utf-8"))
        since = datetime.fromisoformat(info["since"])
        who = (
            f"process {int(info['pid'])} on {printable(info['host'], limit=80)}, "
            f"since {since:%Y-%m-%d %H:%M:%S} UTC"
        )
    except (OSError, ValueError, KeyError, TypeError):
        who = "another process, which has only just started"
    return (
        f"Another sync of pipeline {pipeline} is running ({who}). Nothing was read and nothing "
        "changed. Wait for it, or sync into another --database."
    )
