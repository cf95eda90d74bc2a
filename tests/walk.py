"""
Prints the files that one value passes through in a sync, in order: ``python -m tests.walk``.

A real sync reads the sandbox. The files are those of the calls that are open when the value is
used: first in the thread that started the work, then in the thread that does it. Helpers that only
call back (threads, retries) are left out. A file that the path enters again is marked.
"""

from __future__ import annotations

import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from types import FrameType
from typing import Any

from tests.structure import DEFAULT_FOLDER
from tests.support.lab import Lab


@dataclass(frozen=True)
class Station:
    """
    The call that ends a walk.

    Attributes:
        has_value: Whether the call has the value, judged by its frame.
    """

    title: str
    file: str
    function: str
    has_value: Callable[[FrameType], bool] = lambda _: True


def asks_for_changes(frame: FrameType) -> bool:
    return "updated_since" in str(frame.f_locals["attempt"].spec.url)


STATIONS = (
    Station("updated_since, to the request", "api/sender.py", "send", asks_for_changes),
    Station("the token, to the object that hides it", "auth/bearer.py", "__init__"),
    Station("the token, to the header", "auth/bearer.py", "auth_flow"),
)


HELPERS = frozenset({"concurrency.py", "api/retry.py"})


@dataclass
class Walks:
    """A profiler that records the open calls when a station is first reached."""

    main: int
    found: dict[Station, list[str]] = field(default_factory=dict)

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        if event != "call" or (name := file_of(frame)) is None:
            return
        for station in STATIONS:
            is_there = (name, frame.f_code.co_name) == (station.file, station.function)
            if is_there and station not in self.found and station.has_value(frame):
                self.found[station] = self._files(frame)

    def _files(self, frame: FrameType) -> list[str]:
        names = name_files(frame)
        if threading.get_ident() != self.main:
            before = name_files(sys._current_frames()[self.main])
            # This thread's work was started by a function of the file in which the thread starts.
            names = before[: before.index(names[0])] + names
        return [name for name, _ in groupby(names)]


def name_files(frame: FrameType) -> list[str]:
    """The files of the open calls, outermost first."""
    names = [name for each in iter_callers(frame) if (name := file_of(each))]
    return [name for name in reversed(names) if name not in HELPERS]


def iter_callers(frame: FrameType | None) -> Iterator[FrameType]:
    """The frame and its callers."""
    while frame is not None:
        yield frame
        frame = frame.f_back


def file_of(frame: FrameType) -> str | None:
    """The file of a call, below the package; None for the sandbox and other code."""
    path = Path(frame.f_code.co_filename)
    if not path.is_relative_to(DEFAULT_FOLDER):
        return None
    name = path.relative_to(DEFAULT_FOLDER).as_posix()
    return None if name.startswith("sandbox/") else name


def find_walks() -> dict[Station, list[str]]:
    """The files on the way to each station, in a second sync of two tables."""
    with tempfile.TemporaryDirectory() as folder, Lab(Path(folder), entries=50) as lab:
        lab.sync("clients", "time_entries")
        lab.rest()
        walks = Walks(threading.get_ident())
        threading.setprofile(walks)
        sys.setprofile(walks)
        try:
            lab.sync("clients", "time_entries")
        finally:
            sys.setprofile(None)
            threading.setprofile(None)
    return walks.found


def main() -> None:
    for station, files in find_walks().items():
        rooms = [room for room, _ in groupby(files, lambda name: name.partition("/")[0])]
        print(f"{station.title}: {len(files)} files, {len(rooms)} rooms")
        for at, name in enumerate(files):
            print(f"  {name}{'  (again)' if name in files[:at] else ''}")


if __name__ == "__main__":
    main()
