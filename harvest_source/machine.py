"""How much memory and how many processors the system leaves to this process."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Final

from harvest_source.process_limits import ADDRESS_SPACE, read_address_limit

SMALL: Final = 512 * 1024 * 1024
"""Bytes of memory with which every run succeeds."""

_ROOT: Final = Path("/")
_GROUPS: Final = "sys/fs/cgroup"
_UNIFIED: Final = (_GROUPS, f"{_GROUPS}/unified")
"""Where cgroups of version 2 are mounted; the second path is used beside version 1."""
_NO_LIMIT: Final = 1 << 60
"""A number from here on means no limit: cgroups of version 1 have no word for it."""


def read_memory(root: Path = _ROOT) -> int | None:
    """
    Bytes of memory that this process may use: the smallest of the limits that apply to it.

    The limits are those of its cgroups (version 2 or 1) and their parent groups, of its address
    space (``ulimit -v``) and data (``ulimit -d``), and the machine's memory.

    Args:
        root: The folder that holds ``proc`` and ``sys``.

    Returns:
        None where the system reports none of them.
    """
    limits = [
        *_iter_group_limits(root, "", ("memory.max", "memory.high")),
        *_iter_group_limits(root, "memory", ("memory.limit_in_bytes",)),
        *_iter_own_limits(),
    ]
    return min((limit for limit in limits if limit < _NO_LIMIT), default=None)


def read_processors(root: Path = _ROOT) -> int:
    """
    Processors that this process may use: those it may run on, or fewer if its cgroups say so.

    Args:
        root: The folder that holds ``proc`` and ``sys``.

    Returns:
        At least 1; a fraction of a processor counts as one.
    """
    found = [_count_processors()]
    for text in _iter_group_files(root, "", ("cpu.max",)):
        quota, _, period = text.partition(" ")
        found += _divide(quota, period)
    for group in _iter_groups(root, "cpu"):
        found += _divide(_read(group / "cpu.cfs_quota_us"), _read(group / "cpu.cfs_period_us"))
    return max(1, min(found))


def _divide(quota: str, period: str) -> list[int]:
    """Processors that *quota* per *period* amounts to, rounded up; empty without a quota."""
    with suppress(ValueError, ZeroDivisionError):
        if int(quota) > 0:
            return [math.ceil(int(quota) / int(period))]
    return []


def _count_processors() -> int:
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _iter_own_limits() -> Iterator[int]:
    """The limits of the process itself, and the machine's memory."""
    address_space = read_address_limit()
    if address_space is not None:  # A sync reserves most of its address space without using it.
        yield max(0, address_space - ADDRESS_SPACE) + SMALL
    if sys.platform == "win32":
        return
    import resource

    data, _ = resource.getrlimit(resource.RLIMIT_DATA)
    if data != resource.RLIM_INFINITY:
        yield data
    with suppress(ValueError, OSError):  # Not every system has these names.
        yield os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _iter_group_limits(root: Path, controller: str, names: tuple[str, ...]) -> Iterator[int]:
    for text in _iter_group_files(root, controller, names):
        with suppress(ValueError):  # "max": no limit.
            yield int(text)


def _iter_group_files(root: Path, controller: str, names: tuple[str, ...]) -> Iterator[str]:
    """Contents of the files *names* in each cgroup of this process, where they exist."""
    for group in _iter_groups(root, controller):
        for name in names:
            if text := _read(group / name):
                yield text


def _iter_groups(root: Path, controller: str) -> Iterator[Path]:
    """
    Folders of this process's cgroup and its parents, the innermost first.

    In a container the path may exist only on the host, while the mounted folders begin at the
    container's own cgroup: callers skip folders that do not exist.

    Args:
        controller: A controller of version 1; empty for version 2.
    """
    places = (f"{_GROUPS}/{controller}",) if controller else _UNIFIED
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, has_controllers, rest = line.partition(":")
        controllers, has_path, path = rest.partition(":")
        if not (has_controllers and has_path and controller in controllers.split(",")):
            continue
        own = PurePosixPath(path.lstrip("/"))
        for place in places:
            yield from (root / place / each for each in (own, *own.parents))


def _read(file: Path) -> str:
    """The stripped text of a small file; empty if it cannot be read."""
    with suppress(OSError, UnicodeDecodeError):
        return file.read_text(encoding="utf-8").strip()
    return ""
