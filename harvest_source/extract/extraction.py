"""
Tables of accounts, read at once, as one stream of batches.

Reading runs on threads of its own and knows nothing of where rows go. Whoever takes the batches
stores rows and state in the order in which they come.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from harvest_source.auth.sessions import Sessions
from harvest_source.concurrency import gather
from harvest_source.decode.decoder import Decoder
from harvest_source.defaults import PACKAGE_ROWS
from harvest_source.errors import HarvestError
from harvest_source.extract.options import ReadOptions
from harvest_source.extract.run_log import RunLog
from harvest_source.extract.strategies import Task, read
from harvest_source.extract.visibility import explain_off, explain_skip, lost_sight, was_read
from harvest_source.schema.endpoint import Endpoint

LOOK_S: Final = 0.05
"""How long nothing comes until somebody looks whether rows had better be loaded."""

QUIET_LOOKS: Final = 5
"""Nothing came so many times: the allowance is used up. Once is enough when nothing is left."""

QUIET_ROWS: Final = 10_000
"""Rows that are worth a load of their own then."""

WORKERS: Final = 24
"""Tables read at once: all that are on by default."""

BATCHES_WAITING: Final = 32


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one table of one account, or the state to keep once all before it are safe."""

    endpoint: Endpoint
    account_id: int
    table: pa.Table | None = None
    state: Mapping[str, Any] | None = None

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return 0 if self.table is None else int(self.table.num_rows)


@dataclass(frozen=True, slots=True)
class TableFeed:
    """One table of one account, to be read."""

    endpoint: Endpoint
    account_id: int
    decoder: Decoder
    state: Mapping[str, Any]
    """What is stored of it; never changed."""


@dataclass(frozen=True, slots=True)
class Extraction:
    """What all feeds of a run share."""

    sessions: Sessions
    options: ReadOptions
    run_log: RunLog
    workers: int = WORKERS
    package_rows: int = PACKAGE_ROWS

    def iter_packages(self, feeds: Iterable[TableFeed]) -> Generator[list[Batch], None, None]:
        """
        Read all *feeds* at once and yield what came, in lists of about *package_rows* rows.

        The next ones are read while a list is in your hands. A table that fails is noted in the
        ledger, and the others go on.
        """
        held: list[Batch] = []
        rows = looks = 0
        batches = gather(
            self._read,
            list(feeds),
            workers=self.workers,
            waiting=BATCHES_WAITING,
            silence=(LOOK_S, None),
        )
        with closing(batches):
            for batch in batches:
                looks += 1
                if batch is not None:
                    held.append(batch)
                    rows += batch.rows
                    looks = 0
                if self._is_due(rows, looks):
                    yield held
                    held, rows = [], 0
        if held:
            yield held

    def _is_due(self, rows: int, looks: int) -> bool:
        """Whether to load *rows*, when nothing came the last so many *looks*."""
        is_quiet = looks >= (1 if self.run_log.pages.left == 0 else QUIET_LOOKS)
        return rows >= (QUIET_ROWS if is_quiet else self.package_rows)

    def _read(self, feed: TableFeed, emit: Callable[[Batch | None], None]) -> None:
        for batch in self.iter_batches(feed):
            emit(batch)

    def iter_batches(self, feed: TableFeed) -> Iterator[Batch]:
        """
        Read one feed; a state follows the rows it stands for.

        Raises:
            HarvestError: Only if failures are not to be isolated.
        """
        name, account_id = feed.endpoint.name, feed.account_id
        try:
            yield from self._iter_batches(feed)
        except HarvestError as error:
            if reason := self._explain(feed, error):
                self._skip(feed, reason)
            elif not self.options.isolate:
                raise
            else:
                self.run_log.fail(name, account_id, error)

    def _explain(self, feed: TableFeed, error: HarvestError) -> str | None:
        try:
            session = self.sessions.open(feed.account_id)
        except HarvestError:
            return None
        return explain_skip(feed.endpoint, session, error)

    def _skip(self, feed: TableFeed, reason: str) -> None:
        """Leave a table out; more is said when it could be read before."""
        self.run_log.skip(feed.endpoint.name, feed.account_id, reason)
        if was_read(feed.state):
            self.run_log.warn(lost_sight(feed.endpoint, feed.account_id, reason))

    def _iter_batches(self, feed: TableFeed) -> Iterator[Batch]:
        endpoint, account_id = feed.endpoint, feed.account_id
        session = self.sessions.open(account_id)
        self.run_log.add_rows(endpoint.name, account_id, 0)
        if reason := explain_off(endpoint, session):
            self._skip(feed, reason)
            return
        state = deepcopy(dict(feed.state))
        task = Task(endpoint, session, feed.decoder, state, self.options, self.run_log)
        stored = deepcopy(state)
        for table in read(task):
            if state != stored:
                stored = deepcopy(state)
                yield Batch(endpoint, account_id, state=stored)
            if table.num_rows:
                self.run_log.add_rows(endpoint.name, account_id, table.num_rows)
                yield Batch(endpoint, account_id, table=table)
        if state != stored:
            yield Batch(endpoint, account_id, state=state)
