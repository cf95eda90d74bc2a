"""
Reads all tables of all accounts in parallel, as one stream of batches.

The reading threads do not know where the rows go. The consumer stores rows and state in the order
in which the batches arrive.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from copy import deepcopy
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import Any, Final, TypeAlias

import pyarrow as pa

from harvest_source.auth.sessions import Sessions
from harvest_source.concurrency import gather
from harvest_source.defaults import PACKAGE_ROWS
from harvest_source.errors import HarvestError
from harvest_source.extract.confirmation import Confirmation
from harvest_source.extract.options import ReadOptions
from harvest_source.extract.parent_lists import ParentLists
from harvest_source.extract.reading_order import ReadingOrder, TableFeed
from harvest_source.extract.run_log import Place, RunLog
from harvest_source.extract.strategies import read
from harvest_source.extract.task import Task
from harvest_source.extract.visibility import (
    describe_lost_access,
    explain_off,
    explain_skip,
    was_read,
)
from harvest_source.memory import is_plentiful
from harvest_source.schema.endpoint import Endpoint

POLL_S: Final = 0.05
"""Poll interval, in seconds, for deciding whether to flush buffered rows."""

QUIET_POLLS: Final = 5
"""
Polls without a batch after which reading counts as paused, if Harvest's rate limit is used up.

One poll is enough when no rows are left to come.
"""

PAUSE_S: Final = 1.0
"""
Length of a pause between requests that is worth a load, in seconds: a load takes as long.

A slow answer that outlasts the polls is not a pause. Loading a few pages each time would cost more
processor time and make many small row groups.
"""

QUIET_ROWS: Final = 10_000
"""Buffered rows that are worth a load of their own while reading is paused."""

LONG_QUIET_POLLS: Final = 40
"""
Polls of a pause after which buffered rows are loaded, however few: two seconds.

Rows read by then must not wait for lists that take one request per parent.
"""

SILENT_POLLS: Final = 200
"""The same when Harvest is only slow to answer: ten seconds."""

TABLE_WORKERS: Final = 24
"""Tables read in parallel: enough for all that are read by default."""

BATCHES_WAITING: Final = 8
"""Limit on batches read ahead of the consumer, which bounds memory: a page is one megabyte."""

MANY_BATCHES_WAITING: Final = 50
"""
The same when memory is plentiful: a package, so that reading never waits for a load.
"""


def _count_waiting() -> int:
    return MANY_BATCHES_WAITING if is_plentiful() else BATCHES_WAITING


class Signal(Enum):
    """A marker between batches."""

    QUIET = "nothing came for one poll interval"
    FIRST_READ = "the tables of all accounts are read, and the last lists below parents begin"


Item: TypeAlias = "Batch | Signal"
"""What a reading thread emits."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one table of one account, or its state once all earlier batches are safe."""

    endpoint: Endpoint
    account_id: int
    table: pa.Table | None = None
    state: Mapping[str, Any] | None = None

    @property
    def needs_confirmation(self) -> bool:
        """Whether loading it replaces rows, moves a cursor, or lets rows be removed."""
        return self.state is not None or self.endpoint.cursor is None

    @property
    def rows(self) -> int:
        """The number of rows; 0 for a state."""
        return 0 if self.table is None else int(self.table.num_rows)


def _split_ready(
    package: Sequence[Batch], asked: Collection[Place]
) -> tuple[list[Batch], list[Batch]]:
    """
    Split *package* into batches that can be loaded without asking Harvest, and the others.

    While the rate limit is used up, the question would have to wait, and all rows with it.
    """
    ready: list[Batch] = []
    others: list[Batch] = []
    for each in package:
        is_ready = not each.needs_confirmation or (each.endpoint.name, each.account_id) in asked
        (ready if is_ready else others).append(each)
    return ready, others


@dataclass(frozen=True, slots=True)
class Extraction:
    """How a run reads: the accounts, the options and the run log that all its tables share."""

    sessions: Sessions
    options: ReadOptions
    run_log: RunLog
    workers: int = TABLE_WORKERS
    package_rows: int = PACKAGE_ROWS
    """Rows per package, approximately."""
    waiting: int = field(default_factory=_count_waiting)
    """Batches that may wait for the consumer."""
    parents: ParentLists = field(default_factory=ParentLists)
    """The lists of parents that the run has read."""

    def iter_packages(self, feeds: Iterable[TableFeed]) -> Generator[list[Batch], None, None]:
        """
        Read all *feeds* in parallel; yield their batches in packages of about *package_rows* rows.

        Reading continues while the consumer has a package. A table that fails is recorded in the
        run log, and the others continue. Lists below parents are read after the account's other
        tables; the rows of a long read do not wait for such lists of the last account.
        """
        package: list[Batch] = []
        rows = polls = 0
        is_long = False
        order, asked = ReadingOrder(list(feeds)), set[Place]()
        batches = gather(
            partial(self._read, order, asked),
            order.first,
            workers=self.workers,
            waiting=self.waiting,
            silence=(POLL_S, Signal.QUIET),
        )
        with closing(batches):
            for batch in batches:
                polls += batch is Signal.QUIET
                if isinstance(batch, Batch):
                    package.append(batch)
                    rows += batch.rows
                    polls = 0
                enough = 1 if is_long else QUIET_ROWS
                is_last = batch is Signal.FIRST_READ and rows >= enough
                if not (is_last or self._is_due(rows, polls)):
                    continue
                is_paused = not is_last and rows < self.package_rows and polls < LONG_QUIET_POLLS
                ready, package = _split_ready(package, asked) if is_paused else (package, [])
                if ready:
                    yield self._confirm(ready, asked)
                    is_long = True
                rows = sum(each.rows for each in package)
        if package:
            yield self._confirm(package, asked)
        self.run_log.drop_doubtful()

    def _confirm(self, batches: list[Batch], asked: Collection[Place] = frozenset()) -> list[Batch]:
        """
        Drop batches that would replace rows or move a cursor while rows may be hidden.

        Args:
            asked: Tables that were already asked about after their last page.
        """
        places = [(each.endpoint, each.account_id) for each in batches if each.needs_confirmation]
        if not places or self.options.rereads is not None:
            # An audit's rereads move no cursor, and the code that removes rows asks before it does.
            return batches
        Confirmation(self.sessions, self.run_log).ask(
            (endpoint, account_id)
            for endpoint, account_id in places
            if (endpoint.name, account_id) not in asked
        )
        # In place: a second list would keep the rows in memory while the consumer has the first.
        batches[:] = [
            each
            for each in batches
            if not (
                each.needs_confirmation
                and self.run_log.is_doubtful(each.endpoint.name, each.account_id)
            )
        ]
        return batches

    def _is_due(self, rows: int, polls: int) -> bool:
        """Whether to load *rows* buffered rows, after *polls* polls without a batch."""
        if rows >= self.package_rows or not rows:
            return rows > 0
        is_paused = polls >= QUIET_POLLS and self._pause_s() >= PAUSE_S
        if polls >= (LONG_QUIET_POLLS if is_paused else SILENT_POLLS):
            return True
        is_last = polls >= 1 and self.run_log.pages.left == 0
        return rows >= QUIET_ROWS and (is_paused or is_last)

    def _pause_s(self) -> float:
        """Seconds until Harvest's limit lets the next request through."""
        return self.sessions.until_free_s()

    def _read(
        self,
        order: ReadingOrder,
        asked: set[Place],
        feed: TableFeed,
        emit: Callable[[Item], None],
    ) -> Sequence[TableFeed]:
        """
        Read one feed; return the feeds that may begin now.

        Lists below parents use up Harvest's rate limit within a second. So the questions that must
        precede the load of the rows read so far are asked here, before those lists begin: the
        consumer may still be loading.
        """
        for batch in self._iter_unconfirmed(feed):
            emit(batch)
        finished = order.finish(feed)
        if self.workers > 1 and finished.read:
            if self._is_long(feed.account_id):
                self._ask_about(finished.read)
                asked.update((each.endpoint.name, each.account_id) for each in finished.read)
            if finished.is_last:
                emit(Signal.FIRST_READ)
        return finished.released

    def _is_long(self, account_id: int) -> bool:
        """Whether so many rows of an account were read that some may be loaded meanwhile."""
        is_audit = self.options.rereads is not None
        return not is_audit and self.run_log.count_rows(account_id) >= QUIET_ROWS

    def _ask_about(self, feeds: Sequence[TableFeed]) -> None:
        """Ask about tables that were read to the end, so that no load waits for the answer."""
        Confirmation(self.sessions, self.run_log).ask(
            (feed.endpoint, feed.account_id) for feed in feeds
        )

    def iter_batches(self, feed: TableFeed) -> Iterator[Batch]:
        """
        Read one feed; batches that replace rows, and the last state, come last, once confirmed.

        Raises:
            HarvestError: The table could not be read, and ``options.isolate`` is off.
        """
        held: list[Batch] = []
        for batch in self._iter_unconfirmed(feed):
            if not batch.needs_confirmation:
                yield batch
                continue
            if held and held[-1].state is not None:
                held.pop()  # Only the last state counts.
            held.append(batch)
        yield from self._confirm(held)

    def _iter_unconfirmed(self, feed: TableFeed) -> Iterator[Batch]:
        name, account_id = feed.endpoint.name, feed.account_id
        began_at = self.options.clock.now()
        try:
            yield from self._iter_batches(feed)
        except HarvestError as error:
            if reason := self._explain(feed, error):
                self._skip(feed, reason)
            elif not self.options.isolate:
                raise
            else:
                self.run_log.fail(name, account_id, error)
        finally:
            self.run_log.note_times(name, account_id, began_at, self.options.clock.now())

    def _explain(self, feed: TableFeed, error: HarvestError) -> str | None:
        try:
            session = self.sessions.open(feed.account_id)
        except HarvestError:
            return None
        return explain_skip(feed.endpoint, session, error)

    def _skip(self, feed: TableFeed, reason: str) -> None:
        """Skip a table; if it was loaded before, warn that its rows are no longer updated."""
        self.run_log.skip(feed.endpoint.name, feed.account_id, reason)
        if was_read(feed.state):
            self.run_log.warn(describe_lost_access(feed.endpoint, feed.account_id, reason))

    def _iter_batches(self, feed: TableFeed) -> Iterator[Batch]:
        endpoint, account_id = feed.endpoint, feed.account_id
        session = self.sessions.open(account_id)
        self.run_log.add_rows(endpoint.name, account_id, 0)
        if reason := explain_off(endpoint, session):
            self._skip(feed, reason)
            return
        state = deepcopy(dict(feed.state))
        task = Task(
            endpoint, session, feed.decoder, state, self.options, self.run_log, self.parents
        )
        stored = deepcopy(state)
        for table in read(task):
            if state != stored:
                stored = deepcopy(state)
                yield Batch(endpoint, account_id, state=stored)
            if table.num_rows:
                yield Batch(endpoint, account_id, table=table)
                # After the yield: if the consumer gives up this read, the rows are not counted.
                self.run_log.add_rows(endpoint.name, account_id, table.num_rows)
        if state != stored:
            yield Batch(endpoint, account_id, state=state)
