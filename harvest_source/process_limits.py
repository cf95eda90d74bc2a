"""Memory, threads and files that the process needs, and the messages for when they are missing."""

from __future__ import annotations

import errno
import sys
from typing import Final

from harvest_source.errors import ResourceError, iter_causes

ADDRESS_SPACE: Final = 1_200_000 * 1024
"""
Bytes of address space below which no sync has succeeded, not even of one small table.

Measured on two processors; more processors need more. Below it, libraries written in C end the
process with a signal, or threads wait for a thread that never started.
"""

_LACKS_MEMORY: Final = ("failed to map segment", "Cannot allocate memory")
"""Messages of the system's loader for a library that does not fit into memory."""
_NO_FILE: Final = (errno.EMFILE, errno.ENFILE)
_NO_THREAD: Final = "can't start new thread"


def check_address_space() -> None:
    """
    Refuse to start if the process's address space is limited too tightly.

    Raises:
        ResourceError: ``ulimit -v`` is below what any sync needs.
    """
    limit = read_address_limit()
    if limit is not None and limit < ADDRESS_SPACE:
        raise ResourceError(
            f"Not enough memory for this process: it may use {_kilobytes(limit)} of address space "
            f"(ulimit -v), and needs at least {_kilobytes(ADDRESS_SPACE)}. Nothing was read and "
            f"nothing changed. {_REMEDY}"
        )


def explain_lack(error: BaseException) -> str | None:
    """The message if *error* or a cause is a lack of memory, threads or files; else None."""
    if any(isinstance(each, OSError) and each.errno in _NO_FILE for each in iter_causes(error)):
        return _explain_files()
    if not any(_is_lack(each) for each in iter_causes(error)):
        return None
    limit = read_address_limit()
    known = (
        f"It may use {_kilobytes(limit)} of address space (ulimit -v)."
        if limit is not None
        else "Its address space is not limited (ulimit -v): the limit is the machine's, the "
        "container's, or on the number of processes (ulimit -u)."
    )
    return (
        f"Not enough memory or threads for this process ({_describe(error)}). {known} What was "
        f"loaded stays; the same command goes on from here. {_REMEDY}"
    )


def _explain_files() -> str:
    limit = read_file_limit()
    known = f"it may have {limit:,} open (ulimit -n)" if limit else "the system has too many open"
    return (
        f"Too many open files and connections for this process: {known}. What was loaded stays; "
        "the same command goes on from here. Raise the limit before the command (ulimit -n 4096), "
        "or read fewer accounts in one run (--account)."
    )


def read_file_limit() -> int | None:
    """Files and connections that the process may have open; None if there is no limit."""
    if sys.platform == "win32":
        return None
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


def read_address_limit() -> int | None:
    """Bytes of address space that the process may have; None if there is no limit."""
    if sys.platform == "win32":
        return None
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if soft == resource.RLIM_INFINITY else soft


_REMEDY: Final = (
    "Raise the limit before the command: ulimit -v unlimited. To limit the memory that it uses, "
    "limit a container or a systemd unit (MemoryMax=2G): address space that is reserved is not "
    "memory that is used."
)


def _is_lack(error: BaseException) -> bool:
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, ImportError):
        return any(words in str(error) for words in _LACKS_MEMORY)
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, RuntimeError) and str(error) == _NO_THREAD


def _describe(error: BaseException) -> str:
    found = next(each for each in iter_causes(error) if _is_lack(each))
    return str(found).splitlines()[0] if str(found) else type(found).__name__


def _kilobytes(size: int) -> str:
    """*size* in the unit of ``ulimit -v``."""
    return f"{size // 1024:,} kB"
