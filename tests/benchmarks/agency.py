"""
How long an ordinary agency waits: 200,000 entries, 500 invoices, 60 people.

Its first sync mostly waits for Harvest's limit, so the order of the requests says more than the
wall time on a shared machine: for each request of a run without limit, this computes the moment at
which the limiter would have let it through. ``agency-limited`` really waits, with Harvest's limit
and 300 ms per request, and compares with a hand-written source of the time entries alone.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import duckdb

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
    """Seconds from the first request until the limiter has let *requests* requests through."""
    return max(requests - 1, 0) // ALLOWED * WINDOW_S


def agency() -> Iterator[Line]:
    """First sync, a run without changes, and a full refresh of every default table."""
    with open_agency("--no-limit") as place:
        command = build_command(False, True)
        for name in ("agency, first sync", "agency, unchanged"):
            yield Line(name, place.run(command), describe(place.requests()))
        refresh = [*command, "--full-refresh"]
        yield Line("agency, full refresh", place.run(refresh), describe(place.requests()))


def agency_limited(baseline: list[str]) -> Iterator[Line]:
    """First sync of every default table, and *baseline*, which reads time entries alone."""
    with open_agency("--latency-ms", "300") as place:
        began = time.time()
        run = place.run(build_command(True, True))
        loaded_s = last_load(place.folder / "harvest_data.duckdb") - began
        asked = place.requests()
    own_s = limiter_s(sum(each["path"].endswith("/time_entries") for each in asked))
    notes = f"entries all loaded after {loaded_s:.1f} s, limiter {own_s:.1f} s"
    more = f"{loaded_s - own_s:+.1f} s; all: limiter {limiter_s(len(asked)):.1f} s"
    yield Line("agency, limit on, 300 ms", run, f"{notes}, {more}")
    with open_agency("--latency-ms", "300") as place:
        run = place.run(baseline)
        asked = place.requests()
    refused = sum(each["status"] == 429 for each in asked)
    yield Line("  baseline: time entries alone", run, f"{len(asked)} requests; {refused} x 429")


def last_load(database: Path) -> float:
    """When the last load that brought time entries ended, in seconds since 1970."""
    query = (
        "SELECT epoch(max(inserted_at)) FROM harvest._dlt_loads "
        "WHERE load_id IN (SELECT _dlt_load_id FROM harvest.time_entries)"
    )
    with duckdb.connect(str(database), read_only=True) as connection:
        return float(connection.execute(query).fetchall()[0][0])


@contextmanager
def open_agency(*options: str) -> Iterator[Place]:
    """The account, served in a process of its own with *options*, and a new folder."""
    serve = [text for name, size in SIZES.items() for text in (f"--{name}", str(size))]
    with (
        start_process(*serve, *options) as server,
        tempfile.TemporaryDirectory() as folder,
    ):
        yield Place(server, Path(folder))


def describe(asked: Sequence[dict[str, Any]]) -> str:
    """When the limiter would have let through the last request for entries, and the last of all."""
    paths = [each["path"] for each in asked]
    entries = [number for number, path in enumerate(paths, 1) if path.endswith("/time_entries")]
    kinds = Counter(kind for path in paths for kind in BELOW if path.endswith(kind))
    below = ", ".join(f"{count} {kind.strip('/_')}" for kind, count in kinds.items())
    own = limiter_s(len(entries))
    return (
        f"entries: {len(entries)} requests, limiter {own:.0f} s, in after {entries[-1]} requests, "
        f"{limiter_s(entries[-1]):.0f} s; all: {limiter_s(len(paths)):.0f} s; {below or 'no lists'}"
    )
