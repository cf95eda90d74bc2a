"""Output of ``harvest-source status``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from harvest_source.cli.console import Console, print_figures, print_json, print_table, print_text
from harvest_source.errors import counted

if TYPE_CHECKING:
    from harvest_source.operations.warehouse_status import WarehouseStatus


def show_warehouse_status(console: Console, report: WarehouseStatus) -> None:
    """Show the last runs, then the tables, then a summary line."""
    if console.as_json:
        print_json(report.as_dict())
        return
    for each in report.waiting:
        console.note("waiting", each)
    for each in report.warnings:
        console.note("warning", each)
    if not console.quiet:
        _show_runs(report)
        _show_tables(report)
        asked = ", checked with Harvest" if report.is_checked else ""
        console.note("sign-in", f"{report.sign_in.state}{asked}")
        console.note("last verify", describe_verified(report))
    if report.is_checked and report.sign_in.error:
        console.error(str(report.sign_in.error))
    print_text(*summarise(report).split(": ", 1))


def describe_verified(report: WarehouseStatus) -> str:
    """When the warehouse was last compared with Harvest's own totals, and the result."""
    last = report.verified
    if last is None:
        command = report.target.build_command("verify")
        return f"none is on record. Compare with Harvest's own totals: {command}"
    if last.status == "ok":
        return f"ok, {_age(report, last.as_of)}, {counted(last.compared, 'figure')} equal"
    differ = f"{last.differing:,} of {counted(last.compared, 'figure')} differ"
    before = f"last ok {_age(report, last.last_ok)}" if last.last_ok else "never ok"
    return f"{last.status}, {_age(report, last.as_of)}, {differ}; {before}"


def summarise(report: WarehouseStatus) -> str:
    """One line: the age of the oldest table, and how many are too old."""
    if stale := report.stale:
        names = ", ".join(dict.fromkeys(each.table for each in stale))
        return f"stale: {counted(len(stale), 'table')} older than allowed: {names}"
    known = [each.as_of for each in report.tables if each.as_of is not None]
    if len(known) < len(report.tables) or not known:
        missing = [each.table for each in report.tables if each.as_of is None]
        names = f": {', '.join(dict.fromkeys(missing))}" if missing else ""
        return (
            f"not known: no complete run is on record for {counted(len(missing), 'table')}{names}"
        )
    oldest = min(known)
    return (
        f"ok: every table is as of {oldest:%Y-%m-%d %H:%M:%S} UTC or later, {_age(report, oldest)}"
    )


def _show_runs(report: WarehouseStatus) -> None:
    rows = [
        [
            f"{run.started_at:%Y-%m-%d %H:%M:%S}",
            f"{(run.ended_at - run.started_at).total_seconds():,.1f}",
            run.status,
            f"{run.requests:,}",
            f"{sum(each.get('rows', 0) for each in run.tables.values()):,}",
            counted(len(run.errors), "error") if run.errors else "",
        ]
        for run in report.runs
    ]
    if rows:
        headings = ("Last runs (UTC)", "Seconds", "Status", "Requests", "Rows", "Errors")
        print_table(headings, rows, numbers=("Seconds", "Requests", "Rows"))


def _show_tables(report: WarehouseStatus) -> None:
    headings = ["Account", "Table", "Rows", "As of", "Next audit", "All parents by"]
    skip = 0 if len({each.account_id for each in report.tables}) > 1 else 1
    print_figures(
        headings[skip:],
        [row[skip:] for row in _iter_rows(report)],
        numbers=("Account", "Rows"),
        expendable="All parents by",
    )


def _iter_rows(report: WarehouseStatus) -> Iterator[list[str]]:
    for each in report.tables:
        mark = "stale, " if each.is_stale else ""
        left = f", {each.parents_left:,} not read yet" if each.parents_left else ""
        as_of = f"{mark}{_age(report, each.as_of)}" if each.as_of else f"{mark}not known"
        yield [
            str(each.account_id),
            each.table,
            f"{each.rows:,}",
            as_of,
            _until(report, each.next_audit),
            _until(report, each.next_sweep) + left,
        ]


def _age(report: WarehouseStatus, at: datetime) -> str:
    return f"{_format_duration(report.now - at)} ago"


def _until(report: WarehouseStatus, at: datetime | None) -> str:
    if at is None:
        return ""
    return f"in {_format_duration(at - report.now)}" if at > report.now else "next run"


def _format_duration(passed: timedelta) -> str:
    """A duration in its two largest units at most."""
    minutes = max(int(passed.total_seconds()) // 60, 0)
    days, rest = divmod(minutes, 1440)
    hours, minutes = divmod(rest, 60)
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
