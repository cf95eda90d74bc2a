"""Sections on the data itself: what is missing, how old it is, when it was last verified."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from harvest_source.errors import counted
from harvest_source.pages import figures
from harvest_source.pages.marts import Marts, Row
from harvest_source.pages.section import PageContext, Section, TextTable
from harvest_source.pages.words import (
    describe_finding,
)
from harvest_source.schema.run_record import parse_time


def build_quality(page: PageContext) -> Section:
    rows = figures.read_findings(page.marts, page.filters)
    table = TextTable(
        ("Finding", "What it does", "Records", "For example"),
        tuple(
            (*describe_finding(row["finding"]), f"{row['rows']:,}", row["example"] or "")
            for row in rows
        ),
        numbers=("Records",),
    )
    return Section(
        "quality",
        "Data quality",
        f"Records that make the figures incomplete: those of {page.period}, and those without a "
        "day. Every record is in harvest__data_quality.",
        table=table if rows else None,
        notes=() if rows else ("Nothing was found.",),
    )


def build_freshness(page: PageContext) -> Section:
    syncs = figures.read_syncs(page.marts)
    table = TextTable(
        ("Last syncs (UTC)", "Seconds", "Status", "Requests", "Rows deleted", "Version"),
        tuple(
            (
                f"{row['started_at']:%Y-%m-%d %H:%M:%S}",
                f"{(row['ended_at'] - row['started_at']).total_seconds():,.1f}",
                row["status"],
                f"{row['requests'] or 0:,}",
                f"{row['rows_deleted'] or 0:,}",
                row["version"] or "",
            )
            for row in syncs
        ),
        numbers=("Seconds", "Requests", "Rows deleted"),
    )
    return Section(
        "freshness",
        "Freshness",
        describe_verified(page.marts),
        table=table if syncs else None,
        notes=tuple(_warn_of_age(page.marts, syncs)),
    )


def describe_verified(marts: Marts) -> str:
    """Describe when the warehouse was last compared with Harvest's own totals, and the result."""
    last, command = figures.read_verified(marts), _build_command(marts, "verify")
    if last is None:
        return f"Never compared with Harvest's own totals. Compare: {command}"
    when = f"{last.as_of:%Y-%m-%d %H:%M} UTC"
    if last.status == "ok":
        return f"Compared with Harvest's own totals {when}: all {last.compared:,} figures equal."
    before = f" Last equal {last.last_ok:%Y-%m-%d %H:%M} UTC." if last.last_ok else ""
    return (
        f"Compared with Harvest's own totals {when}: {last.differing:,} of "
        f"{counted(last.compared, 'figure')} differ ({last.status}).{before} To see which: "
        f"{command}"
    )


def _warn_of_age(marts: Marts, syncs: Sequence[Row]) -> Iterator[str]:
    built = figures.read_models_syncs(marts)
    loaded = {parse_time(row["started_at"]) for row in syncs if row["status"] in ("ok", "partial")}
    # By the syncs, not by their times: after one while the clock was ahead, none would be later.
    if built and not loaded <= built:
        command = _build_command(marts, "transform")
        yield f"The models are older than the last sync. Build them: {command}"


def _build_command(marts: Marts, name: str) -> str:
    """Build a command for the warehouse; a page is passed on, so no folder is named."""
    file = marts.target.database
    return replace(marts.target, database=file and Path(file.name)).build_command(name)
