"""Output at the end of ``harvest-source sync``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harvest_source.cli.console import Console, print_json, print_table, print_text
from harvest_source.cli.json_log import log_sync
from harvest_source.errors import counted
from harvest_source.schema.endpoints import BY_NAME

if TYPE_CHECKING:
    from harvest_source.operations.run_report import SyncReport


def show_sync(console: Console, report: SyncReport) -> None:
    """
    Show warnings, skipped tables and errors on stderr; the table and a summary line on stdout.

    With ``--quiet``, for logs, stdout gets only the summary line, with the time.
    """
    if console.log is not None:
        _tell(console, report)
        log_sync(console.log, report)
    if console.as_json:
        print_json(report.as_dict())
    if not console.as_text:
        return
    _tell(console, report)
    if console.quiet:
        print(f"{report.ended_at:%Y-%m-%d %H:%M:%S} UTC {summarise(report)}")
        return
    _show_tables(report)
    print_text(*summarise(report).split(": ", 1))


def _show_tables(report: SyncReport) -> None:
    """Show the tables that changed, and how many others there are."""
    rows = list(_iter_rows(report))
    news = [row for row in rows if row[-2:] != ["0", "0"]]
    if news:
        headings = ["Account", "Table", "Rows read", "Deleted"]
        print_table(
            headings[_first_column(report) :],
            (row[_first_column(report) :] for row in news),
            numbers=("Rows read", "Deleted"),
            whole=(),
        )
    if len(news) < len(rows):
        print(f"Nothing new in {counted(len(rows) - len(news), 'table')}.\n")


def _first_column(report: SyncReport) -> int:
    """Index of the first column shown: the account's is left out if there is only one."""
    return 0 if len(report.account_ids) > 1 else 1


def _tell(console: Console, report: SyncReport) -> None:
    log = report.run_log
    for notice in log.notices:
        console.warn(notice)
    for skip in log.skipped:
        console.note("skipped", f"{skip.table} of account {skip.account_id}: {skip.reason}")
    if log.unasked:
        console.note("later", describe_unasked(report))
    if log.audit.was_due:
        console.note("audit", log.audit.describe())
    if log.given_back:
        console.note("file", f"{log.given_back / 1e6:,.1f} MB of free space given back")
    for error in report.errors:
        console.error(str(error))
    for failure in log.failures:
        what = failure.table or "the whole account"
        console.error(f"{what} of account {failure.account_id}: {failure.error}")
    for unproven in log.unproven:
        console.error(str(unproven.error))


def describe_unasked(report: SyncReport) -> str:
    """How many parents are still to be read for which tables, by when, and how to read all now."""
    unasked = sorted(report.run_log.unasked.items())
    parts = ", ".join(
        f"{table} of {each.left:,} of {each.parents:,} "
        f"{BY_NAME[table].parent_table}{_of_account(report, account_id)}"
        for (table, account_id), each in unasked
    )
    by = max(each.by for _, each in unasked)
    return (
        f"the next runs read {parts}, all of them by {by:%Y-%m-%d} with one run a day. To read all "
        f"now: {report.target.build_command('sync --all-children')}"
    )


def _of_account(report: SyncReport, account_id: int) -> str:
    return f" of account {account_id}" if len(report.account_ids) > 1 else ""


def _iter_rows(report: SyncReport) -> Iterator[list[str]]:
    for name, count in report.tables.items():
        for account_id, (rows, deleted) in count.accounts.items():
            yield [str(account_id), name, f"{rows:,}", f"{deleted:,}"]


def summarise(report: SyncReport) -> str:
    """What was read, from where to where, and what it took: the summary line on stdout."""
    plural = "s" if len(report.account_ids) > 1 else ""
    accounts = ", ".join(map(str, report.account_ids))
    rows = sum(count.rows for count in report.tables.values())
    target = report.target
    copy = f"; copy for readers: {report.published}" if report.published else ""
    return (
        f"{report.status}: {rows:,} rows of account{plural} {accounts}, into "
        f"{target.database or target.destination}, dataset {target.dataset}: "
        f"{counted(report.requests, 'request')}, {report.seconds:.1f} s"
        f"{_describe_freshness(report)}{copy}"
    )


def _describe_freshness(report: SyncReport) -> str:
    """As of when the copy is complete, and whether the tokens see everything."""
    if report.status != "ok":
        return ""
    as_of = f"as of {report.started_at:%H:%M:%S} UTC"
    if report.run_log.unasked:
        tables = {table for table, _ in report.run_log.unasked}
        as_of += f" except for {counted(len(tables), 'table')}"
    partial = report.run_log.partial_roles
    if not partial:
        return f", complete {as_of}"
    roles = "; ".join(
        f"account {account_id}: {roles}" if len(report.account_ids) > 1 else roles
        for account_id, roles in partial.items()
    )
    return f", {as_of}, as far as the token sees ({roles})"
