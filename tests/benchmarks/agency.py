"""
What an ordinary agency waits for: 200,000 entries, 500 invoices, 60 people.

Most of its first sync is waiting for Harvest's limit, so the order of the requests says more than
the wall time of a shared machine: each request of a run without limit is given the moment at which
the limiter would have let it through.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from harvest_source.sandbox import start_process
from tests.benchmarks.place import ALLOWED, WINDOW_S, Line, Place
from tests.benchmarks.sync_speed import build_command

SIZES: Final = {
    "entries": 200_000,
    "invoices": 500,
    "users": 60,
    "estimates": 40,
    "projects": 120,
    "clients": 60,
}
BELOW: Final = ("/messages", "/payments", "_rates")
"""How the paths of lists below a parent end."""


def limiter_s(requests: int) -> float:
    """Seconds until the limiter has let *requests* requests through, from the first one on."""
    return max(requests - 1, 0) // ALLOWED * WINDOW_S


def agency() -> Iterator[Line]:
    """First sync, a run without changes, and a full refresh of every default table."""
    serve = [text for name, size in SIZES.items() for text in (f"--{name}", str(size))]
    with (
        start_process(*serve, "--no-limit") as server,
        tempfile.TemporaryDirectory() as folder,
    ):
        place = Place(server, Path(folder))
        command = build_command(False, True)
        for name in ("agency, first sync", "agency, unchanged"):
            yield Line(name, place.run(command), describe(place.requests()))
        refresh = [*command, "--full-refresh"]
        yield Line("agency, full refresh", place.run(refresh), describe(place.requests()))


def describe(asked: Sequence[dict[str, Any]]) -> str:
    """When the limiter would have let the last request for entries through, and the last of all."""
    paths = [each["path"] for each in asked]
    entries = [number for number, path in enumerate(paths, 1) if path.endswith("/time_entries")]
    kinds = Counter(kind for path in paths for kind in BELOW if path.endswith(kind))
    below = ", ".join(f"{count} {kind.strip('/_')}" for kind, count in kinds.items())
    own = limiter_s(len(entries))
    return (
        f"entries: {len(entries)} requests, limiter {own:.0f} s, in after {entries[-1]} requests, "
        f"{limiter_s(entries[-1]):.0f} s; all: {limiter_s(len(paths)):.0f} s; {below or 'no lists'}"
    )
