"""Opening labs, and sharing a first sync that many tests start with."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.support.lab import Lab


@dataclass
class _Copy:
    """A synced lab as it was: its folder beside the copy, and the time."""

    folder: Path
    at: datetime
    is_open: bool = False

    @property
    def files(self) -> Path:
        """The copied files."""
        return self.folder.with_suffix(".copy")


@dataclass
class Shelf:
    """
    Labs with their first sync done, by what was synced.

    dlt's state names the DuckDB file by its path, so a lab always opens in the folder in which it
    was created: one test at a time.
    """

    folder: Path
    _copies: dict[str, _Copy] = field(default_factory=dict)

    @contextmanager
    def open(self, tables: tuple[str, ...], options: Any, fields: Any) -> Iterator[Lab]:
        """A lab with these sandbox *fields* and *tables* synced with *options*, for one test."""
        key = repr((tables, sorted(options.items()), sorted(fields.items())))
        folder = self.folder / str(len(self._copies))
        copy = self._copies.get(key)
        if copy is not None:
            folder = copy.folder
            assert not copy.is_open, "two labs of one copy"
            assert not _open_files(folder), "the test before has left files open"
            shutil.rmtree(folder)
            shutil.copytree(copy.files, folder, symlinks=True)
        else:
            # A lab whose first sync failed has left its folder here.
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        with Lab(folder, **fields) as lab:
            lab.stop_timers()
            if copy is None:
                lab.rest()
                report = lab.sync(*tables, **options)
                assert (report.status, report.run_log.warnings) == ("ok", [])
                lab.server.reset_requests()
                copy = self._copies[key] = _Copy(folder, lab.clock())
                shutil.copytree(folder, copy.files, symlinks=True)
            else:
                lab.clock.set(copy.at)
            copy.is_open = True
            try:
                yield lab
            finally:
                copy.is_open = False


def _open_files(folder: Path) -> list[str]:
    """The files below *folder* that this process has open; none if the system does not tell."""
    descriptors = Path("/proc/self/fd")
    if not descriptors.exists():
        return []
    found = []
    for descriptor in descriptors.iterdir():
        with suppress(FileNotFoundError):  # The descriptor of this very listing.
            found.append(str(descriptor.readlink()))
    return [path for path in found if path.startswith(f"{folder}/")]


class OpenLab:
    """
    Opens labs for one test with ``open_lab(entries=100)``, and closes them afterwards.

    Args:
        folder: The folder for new labs.
        shelf: The labs with their first sync done.
    """

    def __init__(self, folder: Path, shelf: Shelf) -> None:
        self._folder = folder
        self._shelf = shelf
        self._open = ExitStack()
        self._count = 0

    def __call__(self, **fields: Any) -> Lab:
        """A new lab whose sandbox has these settings, with an empty warehouse."""
        folder = self._folder / f"lab{self._count}"
        self._count += 1
        folder.mkdir()
        return self._open.enter_context(Lab(folder, **fields))

    def loaded(self, *tables: str, options: dict[str, Any] | None = None, **fields: Any) -> Lab:
        """
        A lab whose *tables* are synced and equal to Harvest's, with no timer running.

        Args:
            options: The options of that sync.
            fields: Settings of the sandbox.
        """
        return self._open.enter_context(self._shelf.open(tables, options or {}, fields))

    def close(self) -> None:
        """Stop the sandboxes."""
        self._open.close()
