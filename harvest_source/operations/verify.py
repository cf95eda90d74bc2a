"""
Is the warehouse what Harvest has? Counts, hours and money against Harvest's own totals.

Writes nothing unless asked to mend; then reads again exactly the parts that differ.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from harvest_source.auth.sessions import Session, Sessions
from harvest_source.defaults import MAX_DELETES
from harvest_source.errors import ConfigError, ForbiddenError, RemoteError, ResponseError
from harvest_source.extract.extraction import Extraction
from harvest_source.extract.list_reader import ReadResult
from harvest_source.extract.run_log import RunLog
from harvest_source.extract.slices import DateWindow, Slice
from harvest_source.load.settings import Hooks, RunArguments, build_settings
from harvest_source.operations.audit import Audit, AuditedTable, build_audit_options
from harvest_source.operations.run_report import EXIT_ORDER
from harvest_source.schema.columns import ACCOUNT_ID
from harvest_source.schema.endpoints import BY_NAME, DEFAULT_ENDPOINTS
from harvest_source.warehouse.lock import only_sync
from harvest_source.warehouse.table_copy import as_day
from harvest_source.warehouse.target import DUCKDB, build_target
from harvest_source.warehouse.warehouse import Warehouse

OK: Final = "ok"
DIFFERS: Final = "differs"
INFORMATION: Final = "information"

_DIFFERENCE: Final = 5
_HALF_CENT: Final = Decimal("0.005")
_ASKED: Final = 20
"""Invoices that Harvest is asked for one by one."""
_BATCH: Final = 500
_REPORT_YEARS: Final = range(1990, 2101)
"""Years that Harvest is asked a report for; others are typing errors, and counted all the same."""
_NOT_FOUND: Final = 404


@dataclass(frozen=True, slots=True)
class Comparison:
    """One number here and there."""

    account_id: int
    table: str
    check: str
    """``rows``, ``hours``, ``amount`` or ``invoice total``."""
    scope: str
    """What was counted or added up: ``2024``, ``project 17, 2024``."""
    here: Decimal
    there: Decimal
    state: str
    """``ok``, ``differs``, or ``information``: it differs, and that may be right."""
    detail: str = ""
    mend: tuple[Slice, ...] = ()
    """What to read again."""

    def as_dict(self) -> dict[str, Any]:
        """The object of ``--json``; numbers as exact text."""
        return {
            "account_id": self.account_id,
            "table": self.table,
            "check": self.check,
            "scope": self.scope,
            "here": _plain(self.here),
            "there": _plain(self.there),
            "state": self.state,
            "detail": self.detail,
        }


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """All comparisons, in the order they were made; after mending, those made again."""

    account_ids: tuple[int, ...]
    comparisons: tuple[Comparison, ...]
    run_log: RunLog
    requests: int
    mended: bool = False

    @property
    def differences(self) -> list[Comparison]:
        """What is not as it should be."""
        return [each for each in self.comparisons if each.state == DIFFERS]

    @property
    def exit_code(self) -> int:
        """0, 5 for a difference, or the gravest error's."""
        codes = {failure.error.exit_code for failure in self.run_log.failures}
        codes |= {_DIFFERENCE} if self.differences else set()
        return next((code for code in EXIT_ORDER if code in codes), 0)

    def as_dict(self) -> dict[str, Any]:
        """The object of ``--json``."""
        counts = Counter(each.state for each in self.comparisons)
        return {
            "status": "ok" if self.exit_code == 0 else "error",
            "account_ids": list(self.account_ids),
            "requests": self.requests,
            "mended": self.mended,
            "compared": {state: counts[state] for state in (OK, DIFFERS, INFORMATION)},
            "findings": [each.as_dict() for each in self.comparisons],
            "errors": [failure.as_dict() for failure in self.run_log.failures],
            "warnings": list(self.run_log.warnings),
        }


def verify(
    *,
    destination: str = DUCKDB,
    database: str | Path | None = None,
    dataset: str = "harvest",
    pipeline: str = "harvest",
    account: Sequence[int | str] = (),
    fix: bool = False,
    max_deletes: str = MAX_DELETES,
    settings: Mapping[str, Any] | None = None,
    hooks: Hooks | None = None,
) -> VerifyReport:
    """
    Compare every table that was read by what changed with Harvest's own totals.

    What changed in Harvest since the last sync is no difference. Reports have an allowance of their
    own, 100 requests in 15 minutes; a year takes one.

    Args:
        fix: Read again what differs, remove what is gone, and compare once more.
        max_deletes: Share of a table that mending may remove.

    Raises:
        ConfigError: There is no such warehouse. Nothing was sent.
        BusyError: A sync of this pipeline is running.
        HarvestError: No account could be opened.
    """
    hooks, run_log = hooks or Hooks(), RunLog()
    target = build_target(destination, database, dataset, pipeline)
    if target.database is not None and not target.database.exists():
        msg = f"There is no warehouse {target.database} to verify. Make it: harvest-source sync"
        raise ConfigError(msg)
    arguments = RunArguments(settings=settings, account=account, max_deletes=max_deletes)
    resolved = build_settings(arguments, hooks, run_log)
    sessions = Sessions(resolved.connection)
    with only_sync(pipeline, now=hooks.clock.now()), sessions.in_use():
        warehouse = Warehouse(
            target,
            clock=hooks.clock,
            wait_s=resolved.destination_wait_s,
            on_warning=run_log.warn,
        )
        for warning in warehouse.restore() if fix else warehouse.follow():
            run_log.warn(warning)
        reading = Extraction(sessions, resolved.options, run_log)
        options = build_audit_options(resolved, None, resolved.upkeep.max_deletes)

        def compare() -> list[Comparison]:
            audit = Audit(warehouse, reading, DEFAULT_ENDPOINTS, options)
            accounts = (sessions.open(each) for each in sessions.account_ids())
            return [
                each for one in accounts for each in _Account(warehouse, audit, one, run_log).run()
            ]

        found = compare()
        differ = [each for each in found if each.state == DIFFERS]
        if fix and differ:
            _mend(Audit(warehouse, reading, DEFAULT_ENDPOINTS, options), sessions, differ)
            found = compare()
        ids = tuple(sessions.account_ids())
        return VerifyReport(ids, tuple(found), run_log, sessions.requests, bool(fix and differ))


def _mend(audit: Audit, sessions: Sessions, differ: Sequence[Comparison]) -> None:
    for account_id in sessions.account_ids():
        ours = [each for each in differ if each.account_id == account_id]
        parts: dict[str, list[Slice]] = defaultdict(list)
        for each in ours:
            parts[each.table] += [part for part in each.mend if part not in parts[each.table]]
        counted = {each.table for each in ours if each.check == "rows"}
        audit.mend(sessions.open(account_id), parts, counted)


@dataclass(slots=True)
class _Account:
    """The comparisons of one account."""

    warehouse: Warehouse
    audit: Audit
    session: Session
    run_log: RunLog
    unsettled: set[tuple[int, int]] = field(default_factory=set)
    """Projects and years with hours that changed since the last sync, or are running."""

    def run(self) -> Iterator[Comparison]:
        """Every comparison; a table that cannot be compared is in the ledger."""
        looks = {look.endpoint.name: look for look in self.audit.looks(self.session)}
        for look in looks.values():
            yield from self._guarded(look.endpoint.name, self._count(look))
        if "time_entries" in looks:
            yield from self._guarded("time_entries", self._add_up(looks["time_entries"]))
        if "invoices" in looks:
            yield from self._guarded("invoices", self._check_invoices(looks["invoices"]))

    def _guarded(self, table: str, comparisons: Iterator[Comparison]) -> Iterator[Comparison]:
        account_id = self.session.account_id
        try:
            yield from comparisons
        except ForbiddenError as error:
            self.run_log.warn(f"{table} of account {account_id} cannot be compared: {error}")
        except RemoteError as error:
            self.run_log.fail(table, account_id, error)

    def _compare(
        self,
        table: str,
        check: str,
        scope: str,
        here: Any,
        there: Any,
        *,
        tolerance: Decimal = Decimal(0),
        excuse: str = "",
        mend: tuple[Slice, ...] = (),
    ) -> Comparison:
        here, there = Decimal(here), Decimal(there)
        even = abs(here - there) <= tolerance
        state = OK if even else INFORMATION if excuse else DIFFERS
        detail = "" if even else excuse
        account_id = self.session.account_id
        return Comparison(account_id, table, check, scope, here, there, state, detail, mend)

    # Rows.

    def _count(self, look: AuditedTable) -> Iterator[Comparison]:
        """Rows in all and, for lists with dates, by year; those changed meanwhile are known."""
        name, is_dated = look.endpoint.name, look.endpoint.window is not None
        here, then, now = self._changes(look)
        root = DateWindow(start=look.copy.bound)
        there = look.reader.count(Slice(root if is_dated else DateWindow()))
        total = sum(here.values()) - sum(then.values()) + sum(now.values())
        yield self._compare(name, "rows", "all", total, there)
        for window in _year_windows(root, here) if is_dated else ():
            rows = _within(window, here) - _within(window, then) + _within(window, now)
            yield self._compare(name, "rows", _name(window), rows, look.reader.count(Slice(window)))

    def _changes(
        self, look: AuditedTable
    ) -> tuple[Mapping[date | None, int], Counter[date | None], Counter[date | None]]:
        """Rows by day; and of the rows that changed since they were merged, then and now."""
        endpoint, outcome = look.endpoint, ReadResult()
        rows: dict[int, dict[str, Any]] = {}
        for table in look.reader.iter_tables(Slice(since=look.since), outcome):
            rows |= {row["id"]: row for row in table.to_pylist()}
        ours = self._select_rows(look, sorted(rows))
        then, now = Counter[date | None](), Counter[date | None]()
        for key, row in rows.items():
            old = ours.get(key)
            if old is not None and _same_instant(old["updated_at"], row["updated_at"]):
                continue
            for each, counter in ((old, then), (row, now)):
                if each is not None:
                    day = as_day(each[endpoint.window]) if endpoint.window else None
                    if endpoint.window is None or day in DateWindow(start=look.copy.bound):
                        counter[day] += 1
                    self._unsettle(look, each)
        return look.copy.count_days(), then, now

    def _unsettle(self, look: AuditedTable, row: Mapping[str, Any]) -> None:
        if look.endpoint.name == "time_entries" and row["spent_date"] is not None:
            day = as_day(row["spent_date"])
            assert day is not None
            self.unsettled.add((row["project__id"], day.year))

    def _select_rows(self, look: AuditedTable, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
        names = ["id", "updated_at", look.endpoint.window or "id"]
        if look.endpoint.name == "time_entries":
            names.append("project__id")
        found: dict[int, dict[str, Any]] = {}
        for at in range(0, len(ids), _BATCH):
            some = ids[at : at + _BATCH]
            marks = ", ".join(["%s"] * len(some))
            columns = ", ".join(f'"{name}"' for name in dict.fromkeys(names))
            query = (
                f"SELECT {columns} FROM {{{look.endpoint.name}}} "  # noqa: S608 - ours
                f"WHERE {ACCOUNT_ID} = %s AND id IN ({marks})"
            )
            for row in self._query(query, look.session.account_id, *some):
                found[row["id"]] = row
        return found

    # Hours and money.

    def _add_up(self, look: AuditedTable) -> Iterator[Comparison]:
        """Rounded hours and billable amounts by project and year, against Harvest's reports."""
        self._unsettle_running(look)
        sums = self._sums(look)
        projects = self._projects()
        for year in sorted({year for _, year in sums}):
            if year not in _REPORT_YEARS:
                continue
            window = DateWindow(_later(date(year, 1, 1), look.copy.bound), date(year + 1, 1, 1))
            reported = self._report(window)
            ours = {project for project, on in sums if on == year}
            for project in sorted(ours | reported.keys()):
                part = Slice(window, only=("project__id", project))
                row = sums.get((project, year), {})
                yield from self._compare_project(
                    project, year, row, reported.get(project, []), projects, part
                )

    def _compare_project(
        self,
        project: int,
        year: int,
        row: Mapping[str, Any],
        reported: Sequence[Mapping[str, Any]],
        projects: Mapping[int, Mapping[str, Any]],
        part: Slice,
    ) -> Iterator[Comparison]:
        scope = f"project {project}, {year}"
        changed = "changed since the last sync" if (project, year) in self.unsettled else ""
        hours = sum((_number(each.get("total_hours")) for each in reported), Decimal(0))
        yield self._compare(
            "time_entries",
            "hours",
            scope,
            row.get("hours") or 0,
            hours,
            tolerance=_HALF_CENT,
            excuse=changed,
            mend=(part,),
        )
        if any(each.get("billable_amount") is None for each in reported):
            return  # Hidden from this role.
        known = projects.get(project)
        excuse = changed or _excuse(known, reported)
        is_fixed = known is not None and known["is_fixed_fee"] is True
        yield self._compare(
            "time_entries",
            "amount",
            scope,
            0 if is_fixed else row.get("amount") or 0,
            sum((_number(each["billable_amount"]) for each in reported), Decimal(0)),
            # Unverified against a live account: whether each entry's amount is rounded, or the sum.
            tolerance=_HALF_CENT * (1 + int(row.get("billable_rows") or 0)),
            excuse=excuse,
            mend=(part,),
        )

    def _unsettle_running(self, look: AuditedTable) -> None:
        """Hours of running timers grow while nobody changes them."""
        flag = look.endpoint.volatile
        assert flag is not None
        for table in look.reader.iter_tables(Slice(flag=flag), ReadResult()):
            for row in table.to_pylist():
                self._unsettle(look, row)
        query = f"SELECT * FROM {{time_entries}} WHERE {ACCOUNT_ID} = %s AND is_running"  # noqa: S608
        for row in self._query(query, look.session.account_id):
            self._unsettle(look, row)

    def _sums(self, look: AuditedTable) -> dict[tuple[int, int], dict[str, Any]]:
        bound = "AND spent_date >= %s " if look.copy.bound else ""
        query = (
            "SELECT project__id AS project, EXTRACT(YEAR FROM spent_date) AS year, "  # noqa: S608
            "SUM(rounded_hours) AS hours, "
            "SUM(CASE WHEN billable THEN rounded_hours * COALESCE(billable_rate, 0) ELSE 0 END) "
            "AS amount, SUM(CASE WHEN billable THEN 1 ELSE 0 END) AS billable_rows "
            f"FROM {{time_entries}} WHERE {ACCOUNT_ID} = %s {bound}"
            "AND spent_date IS NOT NULL AND project__id IS NOT NULL GROUP BY 1, 2"
        )
        parameters = [look.session.account_id, *([look.copy.bound] if look.copy.bound else [])]
        rows = self._query(query, *parameters)
        return {(row["project"], int(row["year"])): row for row in rows}

    def _projects(self) -> dict[int, dict[str, Any]]:
        if not self.warehouse.has_table("projects"):
            return {}
        query = f"SELECT id, is_fixed_fee FROM {{projects}} WHERE {ACCOUNT_ID} = %s"  # noqa: S608
        return {row["id"]: row for row in self._query(query, self.session.account_id)}

    def _report(self, window: DateWindow) -> dict[int, list[dict[str, Any]]]:
        params = {name: day.replace("-", "") for name, day in window.params().items()}
        rows: dict[int, list[dict[str, Any]]] = defaultdict(list)
        path = BY_NAME["report_time_projects"].list_path
        for page in self.session.client.iter_pages(path, key="results", params=params):
            for row in json.loads(page.rows, parse_float=Decimal):
                rows[row["project_id"]].append(row)
        return rows

    # Invoices.

    def _check_invoices(self, look: AuditedTable) -> Iterator[Comparison]:
        """An invoice is its lines, less discount, plus taxes; else it must say so in Harvest."""
        if not self.warehouse.has_table("invoices__line_items"):
            return
        query = (
            "SELECT i.id, i.issue_date, i.amount, COALESCE(SUM(l.amount), 0) AS lines, "  # noqa: S608
            "COALESCE(i.discount_amount, 0) AS discount, COALESCE(i.tax_amount, 0) "
            "+ COALESCE(i.tax2_amount, 0) AS tax FROM {invoices} AS i "
            "LEFT JOIN {invoices__line_items} AS l ON l._dlt_root_id = i._dlt_id "
            f"WHERE i.{ACCOUNT_ID} = %s GROUP BY i.id, i.issue_date, i.amount, i.discount_amount, "
            "i.tax_amount, i.tax2_amount ORDER BY i.id"
        )
        asked = 0
        for row in self._query(query, look.session.account_id):
            due = row["lines"] - row["discount"] + row["tax"]
            excuse = ""
            if abs(due - (row["amount"] or 0)) > _HALF_CENT:
                asked += 1
                excuse = self._ask_invoice(row) if asked <= _ASKED else "not looked into: too many"
            day = as_day(row["issue_date"])
            window = DateWindow() if day is None else DateWindow(day, day + timedelta(days=1))
            yield self._compare(
                "invoices",
                "invoice total",
                f"invoice {row['id']}",
                row["amount"] or 0,
                due,
                tolerance=_HALF_CENT,
                excuse=excuse,
                mend=(Slice(window),),
            )

    def _ask_invoice(self, row: Mapping[str, Any]) -> str:
        """Why the sum may be right all the same: Harvest says the very same."""
        try:
            invoice = self.session.client.fetch_object(f"invoices/{row['id']}")
        except ResponseError as error:
            if error.status == _NOT_FOUND:
                return ""
            raise
        lines = sum((_number(each.get("amount")) for each in invoice["line_items"]), Decimal(0))
        is_same = lines == row["lines"] and _number(invoice.get("amount")) == (row["amount"] or 0)
        return "Harvest itself has this total for these lines" if is_same else ""

    def _query(self, query: str, *parameters: Any) -> list[dict[str, Any]]:
        """Rows of a query that names tables in braces."""
        with self.warehouse.sql() as client:
            for name in self.warehouse.schema.tables:
                query = query.replace(f"{{{name}}}", client.make_qualified_table_name(name))
            with client.execute_query(query, *parameters) as cursor:
                names = [column[0] for column in cursor.description]
                return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _year_windows(root: DateWindow, here: Mapping[date | None, int]) -> list[DateWindow]:
    """Touching windows: each year with rows, and what lies between and beyond."""
    years = sorted({day.year for day in here if day is not None})
    firsts = {each for year in years for each in (year, year + 1) if each <= date.max.year}
    cuts = [date(year, 1, 1) for year in sorted(firsts)]
    inside = [cut for cut in cuts if root.start is None or cut > root.start]
    starts: list[date | None] = [root.start, *inside]
    ends: list[date | None] = [*inside, None]
    return [DateWindow(start, end) for start, end in zip(starts, ends, strict=True)]


def _name(window: DateWindow) -> str:
    """``2024`` for a year, else its days."""
    start, end = window.start, window.end
    if start and end and start.year + 1 == end.year and (end.month, end.day) == (1, 1):
        return str(start.year)
    return str(window)


def _within(window: DateWindow, days: Mapping[date | None, int]) -> int:
    return sum(rows for day, rows in days.items() if day is not None and day in window)


def _excuse(project: Mapping[str, Any] | None, reported: Sequence[Mapping[str, Any]]) -> str:
    """Why an amount may differ though all is right."""
    if project is None:
        return "the project is not in the warehouse: whether it has a fixed fee is not known"
    if len({each.get("currency") for each in reported}) > 1:
        return "reported in several currencies"
    if project["is_fixed_fee"]:
        return "fixed fee: how its hours are reported is not known"
    return ""


def _same_instant(one: Any, other: Any) -> bool:
    instants = [
        each if isinstance(each, datetime) else datetime.fromisoformat(str(each))
        for each in (one, other)
        if each is not None
    ]
    aware = [each if each.tzinfo else each.replace(tzinfo=UTC) for each in instants]
    return len(aware) == 2 and aware[0] == aware[1]


def _later(day: date, bound: date | None) -> date:
    return day if bound is None or bound < day else bound


def _number(value: Any) -> Decimal:
    return Decimal(0) if value is None else Decimal(str(value))


def _plain(number: Decimal) -> str:
    return format(number.normalize(), "f")
