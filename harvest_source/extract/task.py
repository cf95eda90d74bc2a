"""One table of one account, to be read now: what every way of reading it needs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import partial
from typing import Any, Final

import pyarrow as pa

from harvest_source.auth.sessions import Session
from harvest_source.decode.decoder import Decoder
from harvest_source.decode.key_decoder import KeyDecoder
from harvest_source.extract.cursor import Cursor, ReadPlan, plan_read, plan_whole_read
from harvest_source.extract.exclusion import excluded_columns, load_excluded
from harvest_source.extract.key_lists import KeyClient
from harvest_source.extract.list_reader import ListReader, ReadResult, collect_ids
from harvest_source.extract.options import ReadOptions
from harvest_source.extract.parent_lists import ParentLists
from harvest_source.extract.proof import describe_left_out
from harvest_source.extract.run_log import Place, RunLog
from harvest_source.extract.slice_reader import ListSource, SliceReader, list_proof_columns
from harvest_source.extract.slices import Slice
from harvest_source.extract.visibility import describe_kept_list, describe_lower_role
from harvest_source.extract.window_plan import WindowSettings
from harvest_source.schema.endpoint import Endpoint
from harvest_source.schema.endpoints import BY_NAME

_KEY_WORKERS: Final = 4
"""
Windows of one table whose keys are read in parallel. Keys take so little time to decode that four
lists use up Harvest's allowance while an answer takes less than 0.6 s, and each list needs memory
for two pages.
"""


@dataclass(frozen=True, slots=True)
class Task:
    """One table of one account, to be read now."""

    endpoint: Endpoint
    session: Session
    decoder: Decoder
    state: dict[str, Any]
    """The table's entry in dlt's state; changed in place."""
    options: ReadOptions
    run_log: RunLog
    parents: ParentLists = field(default_factory=ParentLists)
    """The lists of parents that the run has read."""

    @property
    def key(self) -> Place:
        """Table and account: the key of the run log's entries."""
        return self.endpoint.name, self.session.account_id

    @property
    def today(self) -> date:
        """The current day, UTC."""
        return self.options.clock.now().date()

    @property
    def visibility(self) -> str:
        """What the token of this run may see."""
        return self.session.owner.visibility

    @property
    def excluded(self) -> frozenset[str]:
        """The table's columns that this run leaves out."""
        return excluded_columns(self.endpoint, self.options.exclude)

    @property
    def lacks_columns(self) -> bool:
        """Whether rows in the warehouse lack columns that are no longer left out."""
        return bool(load_excluded(self.state) - self.excluded)

    def confirm_time(self, began: datetime) -> datetime | None:
        """*began* as far as Harvest's own clock vouches for it; None: not at all."""
        return self.session.server_clock.confirm_time(began)

    def decode(self, rows: bytes) -> pa.Table:
        """Decode the rows of one page."""
        return self.decoder.decode(rows)

    def build_reader(self) -> ListReader:
        """A reader of the table's list that reads windows in parallel and reports progress."""
        return self._build_reader(self._build_source(), self.options.workers)

    def build_key_reader(self) -> ListReader:
        """The same, for the columns that show which rows exist: keys, dates, ``updated_at``."""
        workers = min(self.options.workers, _KEY_WORKERS)
        return self._build_reader(self._build_key_source(), workers)

    def build_figure_reader(self, figures: Collection[str]) -> SliceReader:
        """A reader of keys and *figures* (numbers and flags) that reads all pages in turn."""
        source = self._build_key_source(figures)
        return SliceReader(source, today=self.today, on_page=self._report_page)

    def _build_key_source(self, more: Collection[str] = ()) -> ListSource:
        source = self._build_source()
        wanted = {*_list_key_columns(self.endpoint), *more}
        key = self.endpoint.envelope_key
        client = KeyClient(
            self.session.client, KeyDecoder(self.endpoint.record, self.decoder, wanted, key)
        )
        return replace(source, client=client, decode=client.decode)

    def _build_reader(self, source: ListSource, workers: int) -> ListReader:
        settings = WindowSettings(self.today, workers=workers)
        return ListReader(source, settings, on_page=self._report_page)

    def build_slice_reader(self) -> SliceReader:
        """A reader of the table's list that reads all of its pages in turn."""
        return SliceReader(self._build_source(), today=self.today, on_page=self._report_page)

    def _build_source(self) -> ListSource:
        return ListSource(
            self.session.client,
            self.endpoint,
            self.decode,
            split_ids=partial(_list_split_ids, self),
        )

    def _report_page(self, rows: int, total: int | None) -> None:
        self.run_log.progress(*self.key, rows, total)

    def sees_all_of(self, cursor: Cursor) -> bool:
        """Whether this run's token sees at least what the tokens that read the rows saw."""
        return cursor.is_covered_by(self.visibility)

    def plan(self, cursor: Cursor | None, date_column: str | None) -> ReadPlan:
        """
        Decide what to read of the list that *cursor* belongs to.

        Args:
            date_column: The column by which that list can be filtered by date; None if it cannot.
        """
        if cursor is not None and not self.sees_all_of(cursor):
            self.run_log.warn(describe_lower_role(self.session.account_id))
        is_full, now = self.options.full_refresh, self.options.clock.now()
        start_date = self.options.start_date if date_column else None
        if not is_full and cursor is not None and self.lacks_columns and self.sees_all_of(cursor):
            self._warn_of_lacking_columns()
            return plan_whole_read(cursor, start_date, self.session.managed_scope)
        plan = plan_read(
            None if is_full else cursor,
            visibility=self.visibility,
            start_date=start_date,
            overlap=self.options.overlap,
            now=now,
            managed=self.session.managed_scope,
        )
        return plan.with_changes(cursor, now) if is_full else plan

    def _warn_of_lacking_columns(self) -> None:
        columns = sorted(load_excluded(self.state) - self.excluded)
        names = ", ".join(f"{self.endpoint.name}.{column}" for column in columns)
        self.run_log.warn(
            f"{names} {'is' if len(columns) == 1 else 'are'} no longer excluded: all of "
            f"{self.endpoint.name} of account {self.session.account_id} is read again to fill "
            f"{'it' if len(columns) == 1 else 'them'}."
        )

    def note_unproven(self, results: Sequence[ReadResult]) -> None:
        """Record which slices of the table could not be proven complete, and why."""
        unproven = [each for result in results for each in (*result.unproven, *result.left_out)]
        slices = "; ".join(dict.fromkeys(map(str, unproven)))
        reasons = dict.fromkeys(each for result in results for each in result.reasons)
        if left_out := sum(each for result in results for each in result.left_out.values()):
            self.run_log.left_out.add(self.key)
            reasons[describe_left_out(left_out)] = None
        why = "; ".join(reasons) or "it kept changing while it was read"
        self.run_log.note_unproven(
            *self.key,
            f"{self.endpoint.name} of account {self.session.account_id} may lack rows ({slices}): "
            f"{why}. The rows that came are loaded; the next run reads that part again.",
        )

    def warn_kept(self, what: str) -> None:
        """Warn that a list is not replaced, because this token sees less of it than before."""
        if not self.session.server_clock.has_undated:  # That case has its own warning.
            self.run_log.warn(describe_kept_list(self.endpoint, self.session.account_id, what))


def build_task(endpoint: Endpoint, session: Session, options: ReadOptions, run_log: RunLog) -> Task:
    """A task without stored state, for reading and counting outside a run's tables."""
    decoder = Decoder(endpoint.record, account_id=session.account_id)
    return Task(endpoint, session, decoder, {}, options, run_log)


def _list_key_columns(endpoint: Endpoint) -> Collection[str]:
    """The columns that a proof looks at, or that say which slice a row is in."""
    return {*list_proof_columns(endpoint), endpoint.cut_by or "id"}


def read_ids(task: Task, endpoint: Endpoint) -> tuple[set[int], bool]:
    """All ids of a list of the task's account, and whether they are proven to be complete."""
    decoder = Decoder(endpoint.record, account_id=task.session.account_id)
    keys = KeyDecoder(endpoint.record, decoder, _list_key_columns(endpoint))
    source = ListSource(task.session.client, endpoint, keys.decode)
    reader, result = ListReader(source, WindowSettings(task.today)), ReadResult()
    return collect_ids(reader, Slice(), result), result.proven


def _list_split_ids(task: Task) -> list[int]:
    """The ids by which a day of the task's list can be split, as Harvest has them now."""
    assert task.endpoint.cut_by is not None
    listed = BY_NAME[task.endpoint.cut_by.removesuffix("__id") + "s"]
    ids, _ = read_ids(task, listed)
    return sorted(ids)
