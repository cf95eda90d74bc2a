"""
What runs after the first cost: repairs, audits, bulk edits, refreshes, and what stays on the disk.

Wall times of a shared machine say little here: CPU seconds, requests and the largest size in memory
are compared, of whole processes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import duckdb

from tests.benchmarks.place import Line, Place, open_place
from tests.benchmarks.sync_speed import build_command

ENTRIES: Final = int(os.environ.get("UPKEEP_ENTRIES", "200000"))
"""Time entries of the account."""
WRONG: Final = 10
"""Rows that a repair finds different."""
EDITED: Final = 100_000
"""Rows of a bulk edit; half of a smaller account."""
DATABASE: Final = "harvest_data.duckdb"


def upkeep() -> Iterator[Line]:
    """A first load, then each kind of run that follows it."""
    with open_place(ENTRIES, limit=False) as place:
        command = build_command(False, True)
        yield Line(f"first load, {ENTRIES:,}", place.run(command), describe_disk(place))
        yield Line("unchanged", place.run(command), describe_disk(place))
        place.server.control("churn", edits=70, seed=1)
        yield Line("70 changed", place.run(command), describe_disk(place))
        spoil(place.folder / DATABASE)
        verify = [*command, "--verify-fix"]
        yield Line(f"verify --fix, {WRONG} wrong", place.run(verify), describe_wrong(place))
        yield Line("daily audit", place.run([*command, "--deletes"]), describe_disk(place))
        place.server.control("churn", edits=min(EDITED, ENTRIES // 2), seed=2)
        name = f"bulk edit, {min(EDITED, ENTRIES // 2):,}"
        yield Line(name, place.run(command), describe_disk(place))
        yield Line("full refresh", place.run([*command, "--full-refresh"]), describe_disk(place))


def spoil(database: Path) -> None:
    """Make some rows wrong, spread over the years, as a hand in the warehouse would."""
    with duckdb.connect(str(database)) as connection:
        connection.execute(
            "UPDATE harvest.time_entries SET hours = hours + 1 WHERE id IN (SELECT id FROM "
            f"harvest.time_entries WHERE NOT is_running ORDER BY hash(id) LIMIT {WRONG})"
        )


def describe_wrong(place: Place) -> str:
    """Rows of time entries, and the sum of their hours, which the next verification compares."""
    with duckdb.connect(str(place.folder / DATABASE), read_only=True) as connection:
        query = "SELECT count(*), sum(hours) FROM harvest.time_entries"
        rows, hours = connection.execute(query).fetchall()[0]
    return f"{rows:,} rows, {hours:,.2f} hours afterwards"


def describe_disk(place: Place) -> str:
    """Megabytes of the database and of the working folder, and paths in the latter."""
    files = [each for each in (place.folder / "dlt").rglob("*") if each.is_file()]
    size = sum(each.stat().st_size for each in files) / 1e6
    database = (place.folder / DATABASE).stat().st_size / 1e6
    return f"file {database:,.0f} MB; working folder {size:.1f} MB, {len(files)} files"
