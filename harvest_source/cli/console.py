"""What people see: a progress bar and messages on stderr, tables on stdout; or one JSON object."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from harvest_source.extract.run_log import PageCounts, Progress
from harvest_source.schema.endpoint import Endpoint
from harvest_source.schema.endpoints import ENDPOINTS

if TYPE_CHECKING:
    from rich.table import Table

    from harvest_source.operations.check import CheckReport
    from harvest_source.operations.comparisons import Comparison
    from harvest_source.operations.run_report import SyncReport
    from harvest_source.operations.verify import VerifyReport

EMPTY_REPORT: Final[Mapping[str, Any]] = {
    "status": "error",
    "account_ids": [],
    "seconds": 0,
    "requests": 0,
    "tables": {},
    "skipped": [],
    "errors": [],
    "warnings": [],
}

_LINE_EVERY_S: Final = 5.0
_WIDE: Final = 160
_MARKS: Final = {
    "ok": "green",
    "warning": "yellow",
    "skipped": "yellow",
    "information": "yellow",
    "error": "red",
    "differs": "red",
}

OnProgress = Callable[[Progress], None]


class Wishes(Protocol):
    """How a command was asked to speak."""

    as_json: bool
    quiet: bool


def error_dict(kind: str, message: str) -> dict[str, Any]:
    """One entry of ``errors`` that belongs to no table."""
    return {"account_id": None, "table": None, "type": kind, "message": message}


def open_log() -> None:
    """Let dlt and us log to stderr: ``--debug``."""
    os.environ["RUNTIME__LOG_LEVEL"] = "INFO"
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    # At DEBUG it writes headers out, whoever asked for that level.
    logging.getLogger("httpcore").setLevel(logging.INFO)


class Console:
    """Says what a command found, the way the caller wishes."""

    def __init__(self, wishes: Wishes) -> None:
        self._wishes = wishes

    def error(self, message: str) -> None:
        """A short clear refusal on stderr."""
        _rich(stderr=True).print(f"[bold red]error:[/] {_escaped(message)}", soft_wrap=True)

    def note(self, mark: str, message: str) -> None:
        """One line on stderr, unless ``--quiet``."""
        if not self._wishes.quiet:
            colour = _MARKS.get(mark, "default")
            _rich(stderr=True).print(f"[{colour}]{mark}:[/] {_escaped(message)}", soft_wrap=True)

    @contextmanager
    def progress(self) -> Iterator[OnProgress | None]:
        """A bar on a terminal, a plain line now and then elsewhere, nothing with ``--quiet``."""
        if self._wishes.quiet:
            yield None
        elif sys.stderr.isatty():
            with _bar() as on_progress:
                yield on_progress
        else:
            yield Lines(time.monotonic).update

    def sync_report(self, report: SyncReport, options: Mapping[str, Any]) -> None:
        """The end of a sync."""
        if self._wishes.as_json:
            print(json.dumps(report.as_dict()))
            return
        for warning in report.run_log.warnings:
            self.note("warning", warning)
        for skip in report.run_log.skipped:
            self.note("skipped", f"{skip.table} of account {skip.account_id}: {skip.reason}")
        if report.run_log.audit.was_due:
            self.note("audit", report.run_log.audit.describe())
        for error in report.errors:
            self.error(str(error))
        for failure in report.run_log.failures:
            what = failure.table or "the whole account"
            self.error(f"{what} of account {failure.account_id}: {failure.error}")
        if report.tables:
            _print_table(_sync_table(report))
        print(_summary(report, options))

    def check_report(self, report: CheckReport) -> None:
        """The findings of a check."""
        if self._wishes.as_json:
            print(json.dumps(report.as_dict()))
            return
        table = _table("Subject", "Name", "State", "Detail", whole=("Subject", "Name", "State"))
        for finding in report.findings:
            colour = _MARKS[finding.state]
            state = f"[{colour}]{finding.state}[/]"
            table.add_row(finding.subject, _escaped(finding.name), state, _escaped(finding.detail))
        _print_table(table)

    def verify_report(self, report: VerifyReport) -> None:
        """What was compared, and all that is not equal."""
        if self._wishes.as_json:
            print(json.dumps(report.as_dict()))
            return
        for warning in report.run_log.warnings:
            self.note("warning", warning)
        for failure in report.run_log.failures:
            self.error(f"{failure.table} of account {failure.account_id}: {failure.error}")
        _print_table(_verify_table(report))
        counts = report.as_dict()["compared"]
        print(
            f"{counts['ok']:,} equal, {counts['differs']:,} differ, {counts['information']:,} "
            f"cannot be told: {report.requests} requests"
        )
        if report.differences and not report.mended:
            self.note("warning", "To read again what differs: harvest-source verify --fix")

    def tables(self) -> None:
        """Every table with its columns."""
        if self._wishes.as_json:
            print(json.dumps({"tables": {e.name: describe(e) for e in ENDPOINTS}}))
            return
        for endpoint in ENDPOINTS:
            for heading, table in _column_tables(endpoint):
                print(heading)
                _print_table(table)
                print()


def describe(endpoint: Endpoint) -> dict[str, Any]:
    """One table as data."""
    columns = {c.name: c for c in endpoint.columns if not c.secret}
    return {
        "key": list(endpoint.key),
        "cursor": endpoint.cursor,
        "permission": endpoint.permission,
        "columns": {
            name: {"type": str(column.type), "description": column.description}
            for name, column in columns.items()
        },
        "children": {
            f"{endpoint.name}__{child.name}": {
                "description": child.description,
                "columns": {
                    column.name: {"type": str(column.type), "description": column.description}
                    for column in child.columns
                },
            }
            for child in endpoint.record.children
        },
    }


def _summary(report: SyncReport, options: Mapping[str, Any]) -> str:
    """What was read, from where to where, and what it took."""
    plural = "s" if len(report.account_ids) > 1 else ""
    accounts = ", ".join(map(str, report.account_ids))
    rows = sum(count.rows for count in report.tables.values())
    place = options["destination"]
    if place == "duckdb":
        place = options["database"] or "harvest.duckdb"
    return (
        f"{report.status}: {rows:,} rows of account{plural} {accounts}, into {place}, dataset "
        f"{options['dataset']}: {report.requests} requests, {report.seconds:.1f} s"
    )


class Lines:
    """Plain progress for logs: at most a line every few seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._counts = PageCounts()
        self._last = monotonic()

    def update(self, progress: Progress) -> None:
        """Count one more page."""
        self._counts.add(progress)
        now = self._monotonic()
        if now - self._last >= _LINE_EVERY_S:
            self._last = now
            print(f"{self._counts.rows:,} of about {self._counts.total:,} rows", file=sys.stderr)


@contextmanager
def _bar() -> Iterator[OnProgress]:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bar

    counts = PageCounts()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=_rich(stderr=True), transient=True) as bar:
        task = bar.add_task("rows", total=None, rate="")

        def on_progress(progress: Progress) -> None:
            counts.add(progress)
            speed = bar.tasks[0].speed
            rate = f"{speed:,.0f} rows/s" if speed else ""
            bar.update(task, completed=counts.rows, total=counts.total, rate=rate)

        yield on_progress


def _sync_table(report: SyncReport) -> Table:
    several = len(report.account_ids) > 1
    headings = ["Table", "Rows read", "Deleted"]
    table = _table(
        *(["Account", *headings] if several else headings), numbers=("Rows read", "Deleted")
    )
    for name, count in report.tables.items():
        for account, (rows, deleted) in count.accounts.items():
            cells = [name, f"{rows:,}", f"{deleted:,}"]
            table.add_row(*([str(account), *cells] if several else cells))
    return table


def _verify_table(report: VerifyReport) -> Table:
    """Equal numbers are added up by table and check; every other one has a line of its own."""
    headings = ("Account", "Table", "Check", "Scope", "Here", "Harvest", "State", "Detail")
    table = _table(*headings, numbers=("Here", "Harvest"), whole=headings[:-1])
    groups: dict[tuple[int, str, str], list[Comparison]] = {}
    for each in report.comparisons:
        groups.setdefault((each.account_id, each.table, each.check), []).append(each)
    for (account_id, name, check), found in groups.items():
        same = [each for each in found if each.state == "ok"]
        if same:
            cells = (str(account_id), name, check, f"{len(same)} compared", "", "")
            table.add_row(*cells, _marked("ok"), "")
        for each in found:
            if each.state != "ok":
                numbers = (f"{each.here.normalize():,f}", f"{each.there.normalize():,f}")
                cells = (str(account_id), name, check, each.scope, *numbers)
                table.add_row(*cells, _marked(each.state), _escaped(each.detail))
    return table


def _marked(state: str) -> str:
    return f"[{_MARKS[state]}]{state}[/]"


def _column_tables(endpoint: Endpoint) -> Iterator[tuple[str, Table]]:
    """Every table of an endpoint under its heading, which no terminal may cut."""
    heading = f"{endpoint.name}  key {', '.join(endpoint.key)}  cursor {endpoint.cursor or 'none'}"
    description = describe(endpoint)
    yield heading, _columns(description["columns"])
    for name, child in description["children"].items():
        yield f"{name}  {child['description']}", _columns(child["columns"])


def _columns(columns: Mapping[str, Mapping[str, str]]) -> Table:
    table = _table("Column", "Type", "Description", whole=("Column", "Type"))
    for name, column in columns.items():
        table.add_row(name, column["type"], _escaped(column["description"]))
    return table


def _table(*headings: str, numbers: tuple[str, ...] = (), whole: tuple[str, ...] = ()) -> Table:
    """A plain table; the columns *whole* are never cut or wrapped."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        justify: Literal["left", "right"] = "right" if heading in numbers else "left"
        table.add_column(heading, justify=justify, no_wrap=heading in whole)
    return table


def _print_table(table: Table) -> None:
    """On stdout, without the blanks that rich fills lines with."""
    console = _rich()
    with console.capture() as captured:
        console.print(table)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))


def _rich(*, stderr: bool = False) -> Any:
    from rich.console import Console as RichConsole

    stream = sys.stderr if stderr else sys.stdout
    # In a file or a pipe nothing has to fit a screen, and a name cut short is useless.
    width = None if stream.isatty() or "COLUMNS" in os.environ else _WIDE
    return RichConsole(stderr=stderr, highlight=False, emoji=False, width=width)


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def print_rows(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A plain table of text on stdout; nothing in it is cut."""
    table = _table(*headings, whole=tuple(headings))
    for row in rows:
        table.add_row(*map(_escaped, row))
    _print_table(table)
