"""What a whole run did, as people and ``--json`` get it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from harvest_source.errors import HarvestError, error_dict
from harvest_source.exit_codes import ExitCode, choose_exit_code
from harvest_source.extract.run_log import RunLog
from harvest_source.operations.run import Run
from harvest_source.schema.endpoint import Endpoint
from harvest_source.warehouse.target import Target


@dataclass(frozen=True, slots=True)
class TableCount:
    """What a run read from one table and removed from it."""

    rows: int
    """Records read."""
    deleted: int
    accounts: Mapping[int, tuple[int, int]]
    """``account_id: (rows, deleted)``."""


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a run did, as ``--json`` prints it."""

    target: Target
    """Where the tables are, with the dataset's name as the destination has it."""
    account_ids: tuple[int, ...]
    started_at: datetime
    ended_at: datetime
    seconds: float
    requests: int
    tables: Mapping[str, TableCount]
    run_log: RunLog
    errors: tuple[HarvestError, ...] = ()
    """Failures that belong to no single table."""
    published: Path | None = None
    """The copy for readers, if one was asked for and everything was read."""

    @property
    def status(self) -> str:
        """
        ``ok``, ``partial`` or ``error``.

        ``partial``: something landed, and something failed or could not be proven complete.
        """
        if not self.errors and not self.run_log.failures:
            return "partial" if self.run_log.unproven else "ok"
        failed = {(f.table, f.account_id) for f in self.run_log.failures}
        landed = any(
            (table, account) not in failed
            for table, count in self.tables.items()
            for account in count.accounts
        )
        return "partial" if landed and not self.errors else "error"

    @property
    def exit_code(self) -> ExitCode:
        """0, or the gravest of the errors' codes."""
        codes = {error.exit_code for error in self.errors}
        found = (*self.run_log.failures, *self.run_log.unproven)
        codes |= {failure.error.exit_code for failure in found}
        return choose_exit_code(codes)

    def as_dict(self) -> dict[str, Any]:
        """The object of ``--json``."""
        return {
            "status": self.status,
            "account_ids": list(self.account_ids),
            "seconds": round(self.seconds, 2),
            "requests": self.requests,
            "tables": {name: _count_dict(count) for name, count in self.tables.items()},
            "skipped": [
                {"account_id": s.account_id, "table": s.table, "reason": s.reason}
                for s in self.run_log.skipped
            ],
            "errors": [
                *(error_dict(error) for error in self.errors),
                *(failure.as_dict() for failure in self.run_log.failures),
                *(failure.as_dict() for failure in self.run_log.unproven),
            ],
            "warnings": list(self.run_log.warnings),
            **({"unasked": unasked} if (unasked := self._list_unasked()) else {}),
            **({"published": str(self.published)} if self.published else {}),
        }

    def _list_unasked(self) -> list[dict[str, Any]]:
        return [
            {
                "account_id": account_id,
                "table": table,
                "left": each.left,
                "parents": each.parents,
                "by": each.by.isoformat(),
            }
            for (table, account_id), each in sorted(self.run_log.unasked.items())
        ]


def _count_dict(count: TableCount) -> dict[str, Any]:
    return {
        "rows": count.rows,
        "deleted": count.deleted,
        "accounts": {
            str(account): {"rows": rows, "deleted": deleted}
            for account, (rows, deleted) in count.accounts.items()
        },
    }


def count_tables(run_log: RunLog, endpoints: Iterable[Endpoint]) -> dict[str, TableCount]:
    """The counts of each of *endpoints* that was read."""
    counts = {}
    for endpoint in endpoints:
        accounts = {
            account: (rows, run_log.deleted.get((endpoint.name, account), 0))
            for (table, account), rows in sorted(run_log.rows.items())
            if table == endpoint.name
        }
        if accounts:
            rows = sum(rows for rows, _ in accounts.values())
            deleted = sum(deleted for _, deleted in accounts.values())
            counts[endpoint.name] = TableCount(rows, deleted, accounts)
    return counts


def build_report(
    run: Run,
    account_ids: tuple[int, ...],
    endpoints: Iterable[Endpoint] = (),
    errors: Iterable[HarvestError] = (),
) -> SyncReport:
    """The report of *run*, which ends now."""
    clock = run.hooks.clock
    return SyncReport(
        target=run.target,
        account_ids=account_ids,
        started_at=run.started_at,
        ended_at=clock.now(),
        seconds=clock.monotonic() - run.started_s,
        requests=run.sessions.requests,
        tables=count_tables(run.run_log, endpoints),
        run_log=run.run_log,
        errors=tuple(errors),
    )
