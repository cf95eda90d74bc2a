"""
What a run did, recorded while it runs: rows, skips, failures, warnings. Thread-safe.

Knows nothing of dlt or HTTP.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple, TypeAlias, TypeVar

from harvest_source.activity import Activity
from harvest_source.defaults import PAGE_ROWS
from harvest_source.errors import HarvestError, IncompleteListError, error_dict
from harvest_source.notices import Notice, NoticeKind

T = TypeVar("T")

Place: TypeAlias = tuple[str, int]
"""A table's name and an account's id."""


@dataclass(frozen=True, slots=True)
class Skip:
    """A table that was deliberately not read, with the reason shown to users."""

    account_id: int
    table: str
    reason: str


@dataclass(frozen=True, slots=True)
class UnaskedParents:
    """Parents whose children no run has read yet: *left* of *parents*, until *by* at the latest."""

    left: int
    parents: int
    by: datetime


@dataclass(frozen=True, slots=True)
class Failure:
    """A table that could not be read; with ``table=""`` a whole account."""

    account_id: int
    table: str
    error: HarvestError

    def as_dict(self) -> dict[str, Any]:
        """As ``--json`` and ``sync_runs`` show it."""
        return error_dict(self.error, account_id=self.account_id, table=self.table)


@dataclass(frozen=True, slots=True)
class Progress:
    """One page was read: *rows* rows of a list of about *total* rows (None: not known)."""

    account_id: int
    table: str
    rows: int
    total: int | None


class _Sums(NamedTuple):
    """Sums from the pages of one table or several."""

    rows: int = 0
    total: int = 0
    pages_left: int = 0
    left: int = 0
    exceeded: int = 0
    """Tables for which more rows came than were announced."""


@dataclass(slots=True)
class PageCounts:
    """
    Rows read and expected over all tables, according to their pages. Thread-safe.

    The sums are kept up to date: a run of many accounts asks for them after every page.
    """

    _announced: dict[Place, int] = field(default_factory=dict)
    _rows: dict[Place, int] = field(default_factory=dict)
    _sums: _Sums = field(default_factory=_Sums)
    """Replaced as a whole, so that reading it needs no lock."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, progress: Progress) -> None:
        """Count a page."""
        key = progress.table, progress.account_id
        with self._lock:
            rows, announced = self._rows.get(key, 0), self._announced.get(key, 0)
            before = _sum_up(rows, announced)
            more = progress.rows if progress.total is None else progress.total - announced
            self._rows[key] = rows = rows + progress.rows
            self._announced[key] = announced = announced + max(more, 0)
            changes = zip(self._sums, before, _sum_up(rows, announced), strict=True)
            self._sums = _Sums(*(of_all - was + now for of_all, was, now in changes))

    @property
    def rows(self) -> int:
        """Rows read."""
        return self._sums.rows

    @property
    def total(self) -> int:
        """Rows read and still to come, approximately."""
        return self._sums.total

    @property
    def pages_left(self) -> int:
        """Pages still to come, approximately: a page of one list holds no rows of another."""
        return self._sums.pages_left

    @property
    def left(self) -> int | None:
        """Rows still to come, approximately; None when more came than were announced."""
        sums = self._sums
        return None if sums.exceeded else sums.left


def _sum_up(rows: int, announced: int) -> _Sums:
    """The figures of one table."""
    left = announced - rows
    pages_left = max(-(-left // PAGE_ROWS), 0)
    return _Sums(rows, max(rows, announced), pages_left, left, int(left < 0))


@dataclass(slots=True)
class AuditReport:
    """The result of one run's audit."""

    compared: int = 0
    """Tables whose counts were compared, each account's counted separately."""
    deleted: int = 0
    """Rows deleted in Harvest and removed here."""
    lost: int = 0
    """Rows that Harvest had and the warehouse lacked, and that were read again."""
    reread: int = 0
    """Rows that were read again."""
    corrected: int = 0
    """Rows read again that differed or were missing, though ``updated_at`` had not changed."""
    oldest_read_at: datetime | None = None
    """When the least recently read row was last read; None: not known."""

    def run_values(self) -> dict[str, Any]:
        """The values of the audit's columns in ``sync_runs``."""
        return {
            "rows_lost": self.lost,
            "rows_reread": self.reread,
            "rows_corrected": self.corrected,
            "oldest_read_at": self.oldest_read_at,
        }

    @property
    def was_due(self) -> bool:
        """Whether anything was compared or read again."""
        return bool(self.compared or self.reread)

    def describe(self) -> str:
        """A summary in one line."""
        oldest = self.oldest_read_at
        since = f"; every row was read since {oldest:%Y-%m-%d %H:%M} UTC" if oldest else ""
        return (
            f"{self.compared} tables compared with Harvest, {self.deleted:,} rows deleted, "
            f"{self.lost:,} found missing, {self.reread:,} read again, {self.corrected:,} of them "
            f"corrected{since}"
        )


@dataclass(slots=True)
class RunLog:
    """Counts and findings of one run. Keys are (table, account)."""

    on_progress: Callable[[Progress], None] | None = None
    activity: Activity = field(default_factory=Activity)
    """What the run is doing, for observers."""
    rows: dict[Place, int] = field(default_factory=dict)
    """Records read."""
    deleted: dict[Place, int] = field(default_factory=dict)
    """Rows removed from the warehouse."""
    times: dict[Place, tuple[datetime, datetime]] = field(default_factory=dict)
    """When the reading of a table began and when it ended."""
    read_by_others: set[Place] = field(default_factory=set)
    """Tables last read with another token or role: fewer rows are no evidence of deletions."""
    whole: set[Place] = field(default_factory=set)
    """Tables read from the first row to the last, with proof."""
    unasked: dict[Place, UnaskedParents] = field(default_factory=dict)
    """For tables below parents: what a first read leaves to later runs."""
    skipped: list[Skip] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    unproven: list[Failure] = field(default_factory=list)
    """Tables whose rows are loaded, but whose lists could not be proven complete."""
    left_out: set[Place] = field(default_factory=set)
    """Tables with records that could not be loaded: counts are no evidence of deletions."""
    doubtful: set[Place] = field(default_factory=set)
    """Tables whose rows may be hidden rather than gone; with ``""`` a whole account."""
    partial_roles: dict[int, str] = field(default_factory=dict)
    """Roles by account, if the token is not an administrator's: it may see only a part."""
    notices: list[Notice] = field(default_factory=list)
    audit: AuditReport = field(default_factory=AuditReport)
    given_back: int = 0
    """Bytes by which a DuckDB file was shrunk."""
    pages: PageCounts = field(default_factory=PageCounts)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add_rows(self, table: str, account_id: int, rows: int) -> None:
        """Count *rows* records as read; zero makes the table appear in the report."""
        with self._lock:
            key = table, account_id
            self.rows[key] = self.rows.get(key, 0) + rows

    def reset_rows(self, rows: Mapping[Place, int]) -> None:
        """Count only *rows* as read: the others were discarded and are read again."""
        with self._lock:
            self.rows = {key: rows.get(key, 0) for key in self.rows}

    def count_rows(self, account_id: int) -> int:
        """Records of an account that were read."""
        with self._lock:
            return sum(rows for (_, account), rows in self.rows.items() if account == account_id)

    def add_deleted(self, table: str, account_id: int, rows: int) -> None:
        """Count *rows* as removed from the warehouse."""
        with self._lock:
            key = table, account_id
            self.deleted[key] = self.deleted.get(key, 0) + rows

    def note_times(
        self, table: str, account_id: int, began_at: datetime, ended_at: datetime
    ) -> None:
        """Note when a table was read; if it is read again, its first beginning is kept."""
        with self._lock:
            key = table, account_id
            first, _ = self.times.get(key, (began_at, ended_at))
            self.times[key] = first, ended_at

    def skip(self, table: str, account_id: int, reason: str) -> None:
        """Record that a table is deliberately not read."""
        if self._add_new(self.skipped, Skip(account_id, table, reason)):
            self.on_finding(f"{table} of account {account_id} is left out: {reason}")

    def fail(self, table: str, account_id: int, error: HarvestError) -> None:
        """Record that a table could not be read."""
        with self._lock:
            self.failures.append(Failure(account_id, table, error))

    def take_failures(self, since: int) -> list[Failure]:
        """
        Take out the failures from number *since* on.

        A table that failed is left out of what follows: so it is tried again.
        """
        with self._lock:
            taken, self.failures[since:] = self.failures[since:], []
        return taken

    def find_outdated(self) -> set[Place]:
        """The tables that failed or were skipped: the warehouse may lack their latest changes."""
        failed = {(each.table, each.account_id) for each in self.failures}
        return failed | {(each.table, each.account_id) for each in self.skipped}

    def note_unproven(self, table: str, account_id: int, message: str) -> None:
        """
        Record that a table could not be read with proof, and why; a repeated note counts once.

        The run is ``partial`` then: what was read is loaded, and a row may be missing.
        """
        failure = Failure(account_id, table, IncompleteListError(message))
        if self._add_new(self.unproven, failure, key=attrgetter("table", "account_id")):
            self.on_finding(message)

    def doubt(self, table: str, account_id: int, message: str) -> None:
        """
        Record that rows of a table, or of a whole account (``""``), may be hidden, and why.

        What the run has so far taken for evidence of missing rows no longer counts.
        """
        with self._lock:
            self.doubtful.add((table, account_id))
        self.drop_doubtful()
        self.note_unproven(table, account_id, message)

    def is_doubtful(self, table: str, account_id: int) -> bool:
        """Whether missing rows of a table may be hidden rather than gone."""
        return bool({("", account_id), (table, account_id)} & self.doubtful)

    def note_whole(self, table: str, account_id: int) -> None:
        """Record that a table was read from the first row to the last, with proof."""
        with self._lock:
            self.whole.add((table, account_id))

    def drop_whole(self, tables: Collection[str]) -> None:
        """Forget that *tables* were read whole, of every account."""
        with self._lock:
            self.whole = {each for each in self.whole if each[0] not in tables}

    def drop_doubtful(self) -> None:
        """Forget that doubtful tables were read whole."""
        with self._lock:
            self.whole = {each for each in self.whole if not self.is_doubtful(*each)}

    def warn(self, message: str) -> None:
        """Record a message for the user, as :meth:`add_notice`."""
        self.add_notice(Notice(NoticeKind.OTHER, message))

    def add_notice(self, notice: Notice) -> None:
        """Record a warning for the user; a repeated one is recorded once."""
        if self._add_new(self.notices, notice):
            self.on_finding(notice.text)

    def on_finding(self, message: str) -> None:
        """Called once for each warning, skip and unproven read. Does nothing here."""

    def _add_new(
        self, found: list[T], item: T, key: Callable[[T], object] = lambda each: each
    ) -> bool:
        """Add *item* to *found*; False: one with the same *key* is there already."""
        with self._lock:
            is_new = all(key(each) != key(item) for each in found)
            if is_new:
                found.append(item)
            return is_new

    @property
    def warnings(self) -> list[str]:
        """The texts of all notices, in the order they came."""
        with self._lock:
            return [notice.text for notice in self.notices]

    def progress(self, table: str, account_id: int, rows: int, total: int | None) -> None:
        """Count a page and report it to ``on_progress``."""
        progress = Progress(account_id, table, rows, total)
        self.pages.add(progress)
        if self.on_progress is not None:
            self.on_progress(progress)
