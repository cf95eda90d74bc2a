"""
The log for programs: ``--log-format json``, one JSON object on each line of stderr.

Every line has ``at`` (UTC) and ``event``, one of :data:`EVENTS`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from harvest_source.clock import Clock, SystemClock

if TYPE_CHECKING:
    from harvest_source.operations.run_report import SyncReport

OPTION: Final = "--log-format"
JSON: Final = "json"

EVENTS: Final[Mapping[str, str]] = {
    "progress": "Every five seconds: what is read, and how far",
    "warning": "A warning",
    "skipped": "A table that was skipped, and why",
    "later": "Messages, payments and rates that later runs read, and until when",
    "audit": "What the daily audit found",
    "file": "Space of the DuckDB file that was given back",
    "sheet": "The file of `verify --html`",
    "error": "An error",
    "table": "Each table of each account: `status` (`ok`, `skipped`, `unproven`, `error`), `rows`, "
    "`deleted`, and the times `began_at` and `ended_at` of its read",
    "finding": "Each check or model",
    "run": "The last line, however the command ends: `status`, `exit_code`, `seconds`, `requests` "
    "and `rows`",
}
"""Every event, with its meaning in Markdown."""

_NESTED: Final = frozenset({"tables", "errors", "warnings", "skipped"})
"""Parts of a report that get lines of their own, or are counted in the ``run`` line."""


def wants_json_log(arguments: Sequence[str]) -> bool:
    """Whether the command line asks for this log; works even if it cannot be parsed."""
    return f"{OPTION}={JSON}" in arguments or (OPTION, JSON) in pairwise(arguments)


class JsonLog:
    """
    The log of one command.

    Args:
        clock: Gives the time of each line.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._began_at, self._began_s = self._clock.now(), self._clock.monotonic()
        self._result: dict[str, Any] = {"status": "ok"}

    def write(self, event: str, **fields: Any) -> None:
        """Write one line; ``fields`` are values that JSON can hold, or datetimes."""
        line = {"at": self._clock.now(), "event": event, **fields}
        print(json.dumps(line, default=_to_json), file=sys.stderr)

    def note_result(self, report: Mapping[str, Any]) -> None:
        """Keep for the ``run`` line what it needs from *report*, the ``--json`` object."""
        counts = {name: len(report[name]) for name in ("errors", "warnings") if name in report}
        flat = {name: value for name, value in report.items() if name not in _NESTED}
        plain = {name: value for name, value in flat.items() if not _is_table(value)}
        self._result = {**plain, **counts}

    def end(self, exit_code: int) -> None:
        """Write the ``run`` line."""
        ended_at = self._clock.now()
        result = self._result
        if exit_code and result.get("status") == "ok":
            result = {**result, "status": "error"}
        self.write(
            "run",
            **{
                **result,
                "exit_code": exit_code,
                "began_at": self._began_at,
                "ended_at": ended_at,
                "seconds": round(self._clock.monotonic() - self._began_s, 3),
            },
        )


def log_sync(log: JsonLog, report: SyncReport) -> None:
    """Write a line for each table of each account, and keep the totals for the ``run`` line."""
    for line in _iter_table_lines(report):
        log.write("table", **line)
    summary = report.as_dict()
    rows = sum(count.rows for count in report.tables.values())
    deleted = sum(count.deleted for count in report.tables.values())
    place = {"warehouse": str(report.target), "dataset": report.target.dataset}
    log.note_result({**summary, "rows": rows, "deleted": deleted, **place})


def log_findings(log: JsonLog, report: Mapping[str, Any], findings: Iterable[Any]) -> None:
    """Write a line for each finding, and keep *report* for the ``run`` line."""
    for finding in findings:
        log.write("finding", **finding)
    log.note_result(report)


def _iter_table_lines(report: SyncReport) -> Iterator[dict[str, Any]]:
    run_log = report.run_log
    states: dict[tuple[str, int], tuple[str, str]] = {}
    for unproven in run_log.unproven:
        states[unproven.table, unproven.account_id] = "unproven", str(unproven.error)
    for skip in run_log.skipped:
        states[skip.table, skip.account_id] = "skipped", skip.reason
    for failure in run_log.failures:
        states[failure.table, failure.account_id] = "error", str(failure.error)
    read = {(name, id_) for name, count in report.tables.items() for id_ in count.accounts}
    for name, account_id in sorted(read | states.keys(), key=lambda place: (place[1], place[0])):
        count = report.tables.get(name)
        rows, deleted = count.accounts.get(account_id, (0, 0)) if count else (0, 0)
        status, message = states.get((name, account_id), ("ok", ""))
        began_at, ended_at = run_log.times.get((name, account_id), (None, None))
        yield {
            "account_id": account_id,
            "table": name,
            "status": status,
            "rows": rows,
            "deleted": deleted,
            "began_at": began_at,
            "ended_at": ended_at,
            **({"message": message} if message else {}),
        }


def _is_table(value: object) -> bool:
    """Whether a value of a report is a list of objects, which is too long for a log line."""
    return isinstance(value, list) and any(isinstance(each, dict) for each in value)


def _to_json(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
