"""
The state of the warehouse: last runs, tables' age and rows, what waits, what is planned, sign-in.

Reads the warehouse and the working folder. Asks Harvest nothing, unless the sign-in is to be
checked.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from harvest_source.activity import Activity
from harvest_source.api.notification import Event, Notification
from harvest_source.clock import Clock, SystemClock
from harvest_source.config.lists import parse_values
from harvest_source.config.notify import parse_recipient
from harvest_source.config.parse import (
    parse_accounts,
    parse_destination_wait,
    parse_full_walk,
    parse_table_format,
    parse_tables,
)
from harvest_source.config.resolve import read_configuration
from harvest_source.config.spec import HarvestConfiguration
from harvest_source.defaults import DATASET, DUCKDB, PIPELINE
from harvest_source.errors import ConfigError
from harvest_source.exit_codes import ExitCode, choose_exit_code
from harvest_source.extract.audit_state import load_audit_state
from harvest_source.extract.parent_sweep import SWEEP_KEY, ParentSweep
from harvest_source.extract.schedule import DAILY, is_older, plan_next
from harvest_source.load.state import stored_accounts
from harvest_source.notices import Notice
from harvest_source.operations.check_loaded import check_accounts, check_loaded
from harvest_source.operations.login import open_sign_in_context
from harvest_source.operations.notifying import notify
from harvest_source.operations.runs_on_record import read_runs
from harvest_source.operations.sign_in_status import StatusReport, read_status
from harvest_source.schema.endpoints import BY_NAME
from harvest_source.schema.own_tables import VERIFY_RUNS
from harvest_source.schema.run_record import RunRecord, find_last_read, find_never_read
from harvest_source.schema.verify_record import VERIFY_COLUMNS, VerifyRecord, find_last
from harvest_source.sql.conditions import EVERY_ROW
from harvest_source.warehouse.sql import Sql
from harvest_source.warehouse.target import Target, build_target
from harvest_source.warehouse.warehouse import Warehouse

_SHOWN_RUNS: Final = 5
_UNITS: Final = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


@dataclass(frozen=True, slots=True)
class TableStatus:
    """
    One table of one account.

    Attributes:
        as_of: When the last run began that read it without a failure; None: none did.
        next_audit: When it is compared with Harvest's count again; None: it is not.
        next_sweep: When all parents are asked again; None: it has no parents.
        parents_left: Parents that no run has asked yet.
        is_stale: Whether it is older than the requested age.
    """

    table: str
    account_id: int
    rows: int
    as_of: datetime | None
    next_audit: datetime | None
    next_sweep: datetime | None
    parents_left: int
    is_stale: bool

    def as_dict(self) -> dict[str, Any]:
        """The object of ``--json``."""
        return {
            "table": self.table,
            "account_id": self.account_id,
            "rows": self.rows,
            "as_of": _format(self.as_of),
            "next_audit": _format(self.next_audit),
            "next_sweep": _format(self.next_sweep),
            "parents_left": self.parents_left,
            "is_stale": self.is_stale,
        }


@dataclass(frozen=True, slots=True)
class WarehouseStatus:
    """
    Everything that ``status`` shows.

    Attributes:
        runs: The last ones, the newest first.
        waiting: What an earlier run read and did not load; empty: nothing.
        warnings: What else the user should know.
        verified: The last verification; None: there was none.
    """

    target: Target
    now: datetime
    runs: tuple[RunRecord, ...]
    tables: tuple[TableStatus, ...]
    waiting: tuple[str, ...]
    sign_in: StatusReport
    is_checked: bool
    warnings: tuple[str, ...] = ()
    verified: VerifyRecord | None = None

    @property
    def stale(self) -> list[TableStatus]:
        """The tables that are older than the requested age."""
        return [each for each in self.tables if each.is_stale]

    @property
    def exit_code(self) -> ExitCode:
        """0; 5 for a table that is too old; the code of a sign-in that was checked and failed."""
        codes = {ExitCode.CHECK_FAILED} if self.stale else set()
        if self.is_checked and self.sign_in.error:
            codes.add(self.sign_in.exit_code)
        return choose_exit_code(codes)

    def as_dict(self) -> dict[str, Any]:
        """The object of ``--json``."""
        return {
            "status": "ok" if self.exit_code == 0 else "error",
            "at": self.now.isoformat(),
            "warehouse": str(self.target),
            "dataset": self.target.dataset,
            "runs": [each.as_dict() for each in self.runs],
            "tables": [each.as_dict() for each in self.tables],
            "waiting": list(self.waiting),
            "warnings": list(self.warnings),
            "sign_in": self.sign_in.as_dict(),
            "verified": self.verified.as_dict() if self.verified else None,
        }


def read_warehouse_status(
    *,
    destination: str = DUCKDB,
    database: str | Path | None = None,
    dataset: str = DATASET,
    pipeline: str = PIPELINE,
    account: int | Iterable[int | str] = (),
    table: Iterable[str] = (),
    max_age: str | None = None,
    check: bool = False,
    settings: Mapping[str, Any] | None = None,
    clock: Clock | None = None,
    activity: Activity | None = None,
) -> WarehouseStatus:
    """
    Read the state of the warehouse.

    Args:
        account: Only these accounts.
        table: Only these tables; those that syncs have read when none is named.
        max_age: ``90m``, ``26h`` or ``2d``: tables whose last complete read began earlier are
            stale.
        check: Ask Harvest whether the sign-in works.
        activity: Is notified while this waits for a DuckDB file.

    Raises:
        ConfigError: A name or an age is not valid, or nothing was loaded into the warehouse.
        DestinationError: The destination cannot be opened.
    """
    config = read_configuration(settings or {})
    now = (clock or SystemClock()).now()
    limit = None if max_age is None else parse_age(max_age)
    plan = _Plan(now, limit, parse_full_walk(config.full_walk))
    names = parse_values(table, "table (--table)")
    wanted = {each.name for each in parse_tables(names)} if names else set(BY_NAME)
    accounts = parse_accounts(account)
    target = replace(
        build_target(destination, database, dataset, pipeline),
        table_format=parse_table_format(config.table_format),
        profile=config.auth_profile,
        accounts=accounts,
    )
    target.check_exists()
    sign_in = _read_sign_in(settings or {}, ask=check)
    warnings: list[str] = []
    wait_s = parse_destination_wait(config.destination_wait)
    warehouse = Warehouse(
        replace(target, only_reads=True),
        clock=clock,
        wait_s=wait_s,
        on_warning=warnings.append,
        activity=activity,
    )
    waiting = warehouse.follow()
    check_loaded(warehouse)
    check_accounts(warehouse, accounts)
    with warehouse.sql() as sql:
        runs = read_runs(warehouse, sql, now)
        places = _list_places(warehouse, find_never_read(runs), wanted, accounts)
        tables = tuple(
            _read_table(warehouse, name, account_id, rows, runs, plan)
            for name, account_id, rows in _iter_counts(sql, places)
        )
        verified = _read_verified(warehouse, sql)
    shown, said = tuple(runs[:_SHOWN_RUNS]), tuple(warnings)
    status = WarehouseStatus(
        target, now, shown, tables, tuple(waiting), sign_in, check, said, verified
    )
    return _notify_if_stale(status, config)


@dataclass(frozen=True, slots=True)
class _Plan:
    """
    What decides whether a table is stale and when its parents are asked again.

    Attributes:
        limit: Age from which on a table is stale; None: none is.
        sweep_every: ``full_walk``.
    """

    now: datetime
    limit: timedelta | None
    sweep_every: timedelta


def _notify_if_stale(status: WarehouseStatus, config: HarvestConfiguration) -> WarehouseStatus:
    """Notify the configured address of stale tables; if that fails, the report says so."""
    recipient = parse_recipient(config) if status.stale else None
    if recipient is None:
        return status
    names = ", ".join(dict.fromkeys(each.table for each in status.stale))
    text = f"harvest-source: {status.target} is stale: {names}"
    why = notify(recipient, Notification(Event.STALE, text, status.as_dict()))
    return replace(status, warnings=(*status.warnings, why)) if why else status


def parse_age(text: str) -> timedelta:
    """
    A duration as people type it: ``90m``, ``26h``, ``2d``.

    Raises:
        ConfigError: It has another form.
    """
    found = re.fullmatch(r"(\d{1,5})([mhd])", text.strip())
    if found is None:
        msg = f"{text[:20]!r} is not an age. Write a number of minutes, hours or days, such as 26h."
        raise ConfigError(msg)
    return int(found[1]) * _UNITS[found[2]]


def _read_verified(warehouse: Warehouse, sql: Sql) -> VerifyRecord | None:
    """The last verification on record."""
    if not warehouse.has_table(VERIFY_RUNS):
        return None
    return find_last(sql.select(VERIFY_RUNS, EVERY_ROW, VERIFY_COLUMNS))


def _list_places(
    warehouse: Warehouse,
    never_read: Collection[tuple[str, int]],
    wanted: Collection[str],
    accounts: Collection[int],
) -> dict[str, list[int]]:
    """
    The accounts of each table that is shown, in the tables' own order.

    Args:
        never_read: Tables, by account, that no run has read to its end: they have no state.
    """
    places: dict[str, list[int]] = {}
    for name in BY_NAME:
        known = {int(each) for each in stored_accounts(warehouse.source_state, name)}
        known |= {account_id for table, account_id in never_read if table == name}
        if name in wanted and warehouse.has_table(name):
            places[name] = sorted(known & set(accounts) if accounts else known)
    return places


def _iter_counts(sql: Sql, places: Mapping[str, list[int]]) -> Iterator[tuple[str, int, int]]:
    """Table, account and rows of *places*."""
    for name, account_ids in places.items():
        rows = sql.count_by(name, EVERY_ROW, "account_id") if account_ids else {}
        for account_id in account_ids:
            yield name, account_id, rows.get(account_id, 0)


def _read_table(
    warehouse: Warehouse,
    name: str,
    account_id: int,
    rows: int,
    runs: Sequence[RunRecord],
    plan: _Plan,
) -> TableStatus:
    state = stored_accounts(warehouse.source_state, name).get(str(account_id), {})
    as_of = find_last_read(runs, name, account_id)
    is_stale = plan.limit is not None and is_older(as_of, plan.now, plan.limit)
    audit = None
    if "audit" in state:
        audit = plan_next(load_audit_state(state["audit"], plan.now).counted_at, plan.now, DAILY)
    last = ParentSweep.load(state.get(SWEEP_KEY))
    sweep = _plan_sweep(last, plan) if BY_NAME[name].parent is not None else None
    left = last.left if last.is_first else 0
    return TableStatus(name, account_id, rows, as_of, audit, sweep, left, is_stale)


def _plan_sweep(last: ParentSweep, plan: _Plan) -> datetime:
    """When all parents will have been asked: at the end of the current sweep, or of the next."""
    if (end := last.ends_by(plan.now, plan.sweep_every)) is not None:
        return end
    done = last.at or last.finished_at
    return plan_next(done, plan.now, plan.sweep_every) if done else plan.now


def _read_sign_in(settings: Mapping[str, Any], *, ask: bool) -> StatusReport:
    """
    What is known of the sign-in. A machine that only looks at the warehouse needs none.

    Raises:
        ConfigError: A profile is named that does not exist.
    """
    notices: list[Notice] = []
    report = read_status(open_sign_in_context(settings, notices.append), notices, ask=ask)
    if "auth_profile" in settings and isinstance(report.error, ConfigError):
        raise report.error
    return report


def _format(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
