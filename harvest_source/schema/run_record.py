"""What ``sync_runs`` says about a run, and what follows for the age of a table."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

RUN_COLUMNS: Final = ("started_at", "ended_at", "status", "requests", "tables", "errors")
"""The columns of ``sync_runs`` that :meth:`RunRecord.parse` reads."""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """
    One row of ``sync_runs``.

    Attributes:
        tables: Counts by table and account, as in the report of the run.
        errors: What failed or was not proven complete, as in the report.
    """

    started_at: datetime
    ended_at: datetime
    status: str
    requests: int
    tables: Mapping[str, Any]
    errors: tuple[Mapping[str, Any], ...]

    @classmethod
    def parse(cls, row: Mapping[str, Any]) -> RunRecord:
        """Parse a row with :data:`RUN_COLUMNS`, as any destination returns it."""
        return cls(
            parse_time(row["started_at"]),
            parse_time(row["ended_at"]),
            str(row["status"]),
            int(row["requests"] or 0),
            parse_json(row["tables"]) or {},
            tuple(parse_json(row["errors"]) or ()),
        )

    def accounts(self, table: str) -> set[int]:
        """The accounts whose *table* the run read, completely or not."""
        return {int(each) for each in self.tables.get(table, {}).get("accounts", {})}

    def has_read(self, table: str, account_id: int) -> bool:
        """Whether the run read the table of the account, without a failure of either."""
        return account_id in self.accounts(table) and not any(
            each.get("account_id") in (account_id, None) and each.get("table") in (table, "", None)
            for each in self.errors
        )

    def as_dict(self) -> dict[str, Any]:
        """The object of ``--json``."""
        return {
            "started_at": self.started_at.isoformat(),
            "ended_at": self.ended_at.isoformat(),
            "status": self.status,
            "requests": self.requests,
            "rows": sum(each.get("rows", 0) for each in self.tables.values()),
            "errors": [dict(each) for each in self.errors],
        }


def find_last_read(
    runs: Iterable[RunRecord], table: str, account_id: int | None = None
) -> datetime | None:
    """
    When the last of *runs* that read a table without a failure began; None: none did.

    A run is certain to hold only the changes made before it began: later ones may be missing.

    Args:
        account_id: None: the oldest such time of all accounts for which any run read the table.
    """
    known = list(runs)
    if account_id is None:
        accounts = sorted(set().union(*(run.accounts(table) for run in known)))
        return _find_oldest([find_last_read(known, table, each) for each in accounts])
    return max((run.started_at for run in known if run.has_read(table, account_id)), default=None)


def find_never_read(runs: Iterable[RunRecord]) -> set[tuple[str, int]]:
    """The tables, by account, that some of *runs* began to read and none read without a failure."""
    tried, read = set[tuple[str, int]](), set[tuple[str, int]]()
    for run in runs:
        places = {(table, each) for table in run.tables for each in run.accounts(table)}
        tried |= places
        read |= {place for place in places if run.has_read(*place)}
    return tried - read


def find_runs_to_keep(runs: Iterable[RunRecord]) -> list[RunRecord]:
    """
    Those of *runs* that show something that no later one of them shows.

    They are the last one, the last one that wrote rows, and for each table and account the last one
    that read it without a failure: at most one for each table of each account, and two.
    """
    found: list[RunRecord] = []
    told: set[tuple[str, int] | str] = set()
    for run in sorted(runs, key=lambda each: each.started_at, reverse=True):
        tells = {
            (table, account_id)
            for table in run.tables
            for account_id in run.accounts(table)
            if run.has_read(table, account_id)
        } | {"run", "error" if run.status == "error" else "rows"} - {"error"}
        if tells - told:
            found.append(run)
        told |= tells
    return found


def find_as_of(runs: Sequence[RunRecord], tables: Collection[str] = ()) -> datetime | None:
    """
    Time since which any of *tables* may lack changes; None: one was never read completely.

    Args:
        tables: Names of endpoints; empty: all that any run read.
    """
    wanted = tables or {table for run in runs for table in run.tables}
    return _find_oldest([find_last_read(runs, table) for table in sorted(wanted)])


def _find_oldest(times: Sequence[datetime | None]) -> datetime | None:
    known = [each for each in times if each is not None]
    return min(known) if known and len(known) == len(times) else None


def parse_time(value: Any) -> datetime:
    """An instant in UTC, as any destination returns it: SQLite as text without a zone."""
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def parse_json(value: Any) -> Any:
    """A value of a JSON column, which some destinations hand out as text; empty text stays."""
    return json.loads(value) if isinstance(value, str) and value else value
