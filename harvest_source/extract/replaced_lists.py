"""
Lists without ``updated_since``: each is read as a whole and replaces the rows loaded before.

Some exist once per account (roles), some once per parent (an invoice's payments) or per window (a
report of one year): the latter are distinguished by their :class:`Sublist`. A list is replaced only
by a complete read, and only if this token sees at least what the token that read the list before
saw. An empty list has no row to merge, so the removal of its rows is pending: it is stored together
with the state that says that the list is empty.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

import pyarrow as pa

from harvest_source.concurrency import in_parallel
from harvest_source.errors import (
    IncompleteListError,
    ResponseError,
    StaleAnswerError,
    counted,
)
from harvest_source.extract.exclusion import note_excluded, store_excluded
from harvest_source.extract.last_read import LastRead, count_elements, fingerprint
from harvest_source.extract.proof import (
    ATTEMPTS,
    confirm_empty,
    count_changed,
    explain_shortfall,
    pages_agree,
)
from harvest_source.extract.removals import Reason
from harvest_source.extract.schedule import is_due
from harvest_source.extract.slice_reader import ListSource, SliceRead, SliceReader
from harvest_source.extract.slices import Slice
from harvest_source.extract.stored import load_object
from harvest_source.extract.sublists import Sublist, add_removal_of_lists, forget_removals
from harvest_source.extract.task import Task
from harvest_source.extract.visibility import covers

SUBLIST_ROWS: Final = 20_000
"""Rows of small lists are joined into tables of about this size before they are passed on."""

SUBLIST_WORKERS: Final = 8
"""Lists read in parallel. At 1 s per request they use up Harvest's 100 requests in 15 s."""


def shows_all(task: Task) -> bool:
    """
    Whether rows that are missing from the task's list are gone rather than hidden.

    An administrator sees every row, and everyone sees all of a list about themselves. For most
    lists below a parent, a token sees all rows or gets a 403. An answer without a date may be of
    any age, so it proves nothing.
    """
    endpoint = task.endpoint
    is_all_or_nothing = endpoint.is_personal or (
        endpoint.parent is not None and not endpoint.in_part
    )
    sees_all = is_all_or_nothing or task.session.owner.is_administrator
    return sees_all and not task.session.server_clock.has_undated


def may_replace(task: Task, before: LastRead, rows: int) -> bool:
    """
    Whether *rows* rows read now may replace what was read *before*.

    If the list may hide rows, this token must see at least what the previous one saw, and no fewer
    rows may have come.
    """
    return shows_all(task) or (covers(task.visibility, before.by) and rows >= before.rows)


def accepts(task: Task, before: LastRead | None, table: pa.Table, what: str) -> bool:
    """Whether to load *table* in place of what was read *before*: it may be, and it differs."""
    if before is not None and not may_replace(task, before, table.num_rows):
        task.warn_kept(what)
        return False
    if before and before.digest == fingerprint(table) and not task.options.full_refresh:
        task.run_log.add_rows(*task.key, table.num_rows)
        return False
    return True


def build_last_read(task: Task, table: pa.Table) -> LastRead:
    """What to store about *table*, which was read now."""
    elements = count_elements(task.endpoint, table)
    now, by = task.options.clock.now(), task.visibility
    return LastRead(now, by, table.num_rows, fingerprint(table), elements)


def add_removal_of_empty_lists(task: Task, sublists: Sequence[Sublist]) -> None:
    """
    Store the removal of all rows of *sublists*, which are empty, as pending.

    Only if this token would see the rows if there were any.
    """
    if sublists and shows_all(task):
        add_removal_of_lists(task, sublists, Reason.EMPTY)


def read_whole(reader: SliceReader, *, had_rows: bool = True) -> SliceRead:
    """
    Read a list without ``updated_since``, completely or not at all.

    A list of one page is complete if it holds as many distinct ids as it announces. A longer one
    must announce the same total on every page, and a count taken afterwards must confirm it. There
    is no catch-up to prove more.

    Args:
        had_rows: Whether rows of the list may have been loaded before: then an empty list is asked
            for twice.

    Raises:
        IncompleteListError: The list changed during every attempt.
    """
    endpoint = reader.endpoint
    shortfalls: list[str] = []
    for _ in range(ATTEMPTS):
        read = reader.read_all(Slice())
        shortfalls.append(explain_shortfall(read))
        if endpoint.single:
            return read
        if had_rows:
            read = confirm_empty(reader, read)
        # Even with equal numbers, a list is incomplete if one of its records was left out.
        is_consistent = pages_agree(read) and read.records == read.table.num_rows
        if is_consistent and not (read.needs_proof and count_changed(read, reader.count)):
            return read
    why = f"kept changing in all {ATTEMPTS} attempts to read it"
    if all(shortfalls):
        why = f"could not be read completely: {shortfalls[-1]}"
    msg = f"{endpoint.name} {why}. The rows loaded earlier are kept. Run the same command again."
    raise IncompleteListError(msg, path=endpoint.list_path, attempts=ATTEMPTS)


def read_all(task: Task) -> Iterator[pa.Table]:
    """Read all rows of an account's list; they replace the account's rows."""
    note_excluded(task.state, task.excluded)
    before = LastRead.load(task.state.get("seen"))
    if before is not None and not may_replace(task, before, before.rows):
        task.warn_kept("all of it")
        return
    table = read_list(task)
    if accepts(task, before, table, "all of it"):
        whole = [Sublist(())]
        if table.num_rows == 0:
            add_removal_of_empty_lists(task, whole)
        yield table
        if table.num_rows:
            forget_removals(task, whole)
        task.state["seen"] = build_last_read(task, table).dump()
        store_excluded(task.state, task.excluded)


def reread_all(task: Task) -> Iterator[pa.Table]:
    """Read the list that a verification chose; load it even if it has not changed."""
    if task.key not in (task.options.rereads or {}):
        return
    if before := LastRead.load(task.state.get("seen")):
        task.state["seen"] = before.without_trust().dump()
    yield from read_all(task)


def read_list(task: Task) -> pa.Table:
    """
    All rows of an account's list; ``company`` reuses the answer that said which modules are on.

    Raises:
        HarvestError: Harvest did not answer, or the list could not be read completely.
    """
    if task.endpoint.single and (page := task.session.company.take()) is not None:
        task.run_log.progress(*task.key, 1, None)
        return task.decode(page.rows)
    return read_whole(task.build_slice_reader()).table


class StoredLists:
    """
    What is remembered of the sublists of one table, and whether they may be replaced.

    Args:
        task: The table.
        name: The key in the table's state; below it there is one entry per sublist.
    """

    def __init__(self, task: Task, name: str) -> None:
        self._task = task
        self._name = name
        self._stored: dict[str, Any] = dict(load_object(task.state.get(name)))

    @property
    def names(self) -> list[str]:
        """Every sublist for which something is stored."""
        return list(self._stored)

    def forget(self, sublist: str) -> None:
        """Drop what is stored for *sublist*."""
        self._stored.pop(sublist, None)

    def before(self, sublist: str) -> LastRead | None:
        """What is remembered of the last read of *sublist*."""
        return LastRead.load(self._stored.get(sublist))

    def may_have_rows(self, sublist: str) -> bool:
        """Whether rows of *sublist* may have been loaded; yes if no read of it is remembered."""
        before = self.before(sublist)
        return before.rows > 0 if before else sublist in self._stored

    def may_be_read(self, sublist: str) -> bool:
        """Whether reading *sublist* now can replace anything; if not, a warning is recorded."""
        before = self.before(sublist)
        if before is None or may_replace(self._task, before, before.rows):
            return True
        self._task.warn_kept(sublist)
        return False

    def accepts(self, sublist: Sublist, table: pa.Table) -> bool:
        """Whether to load *table* in place of what was read of *sublist* before."""
        name, task = str(sublist), self._task
        before, now = self.before(name), build_last_read(task, table)
        is_accepted = accepts(task, before, table, name)
        if is_accepted or (before and self._is_outdated(before, now)):
            self._stored[name] = now.dump()
        return is_accepted

    def _is_outdated(self, before: LastRead, now: LastRead) -> bool:
        """
        Whether to store that the rows are still the same.

        Not in every run: a change of state costs a load, even without rows.
        """
        is_same = before.digest == now.digest
        return is_same and is_due(before.at, now.at, self._task.options.sweep_every)

    def store(self, only: str | None = None) -> None:
        """Store what is remembered, with the rows yielded before; if given, for sublist *only*."""
        kept = {n: each for n, each in self._stored.items() if only is None or n == only}
        self._task.state[self._name] = kept


def read_sublists(
    task: Task,
    sublists: Sequence[Sublist],
    stored: StoredLists | None = None,
    *,
    is_first: bool = False,
) -> Generator[pa.Table, None, list[Sublist]]:
    """
    Read all *sublists*, several in parallel, and yield their rows in tables that are worth loading.

    A list that could not be read completely is recorded as unproven. Its rows stay; the others are
    read.

    Args:
        stored: What is remembered of them; None: every list is loaded, changed or not.
        is_first: Whether no row of them was ever loaded.

    Returns:
        The sublists that could not be read completely.
    """

    def read_sublist(sublist: Sublist) -> tuple[Sublist, pa.Table | IncompleteListError | None]:
        had_rows = stored.may_have_rows(str(sublist)) if stored else not is_first
        return sublist, _read_sublist(task, sublist, had_rows=had_rows)

    tables: list[pa.Table] = []
    empty, brought = list[Sublist](), list[Sublist]()
    incomplete: list[tuple[Sublist, IncompleteListError]] = []
    results = in_parallel(read_sublist, sublists, workers=SUBLIST_WORKERS)
    for sublist, table in task.run_log.activity.announce(results, len(sublists)):
        if table is None:
            continue
        if isinstance(table, IncompleteListError):
            incomplete.append((sublist, table))
            continue
        task.run_log.progress(*task.key, table.num_rows, None)
        if stored is not None and not stored.accepts(sublist, table):
            continue
        if stored is None and not is_first:
            _refuse_undated(task)
        if table.num_rows == 0:
            empty.append(sublist)
            continue
        tables.append(table)
        brought.append(sublist)
        if sum(each.num_rows for each in tables) >= SUBLIST_ROWS:
            yield pa.concat_tables(tables, promote_options="default")
            tables = []
    add_removal_of_empty_lists(task, empty)
    if tables:
        yield pa.concat_tables(tables, promote_options="default")
    forget_removals(task, brought)
    if incomplete:
        _note_incomplete(task, incomplete)
    return [sublist for sublist, _ in incomplete]


def _note_incomplete(task: Task, incomplete: Sequence[tuple[Sublist, IncompleteListError]]) -> None:
    """Record which lists of the table, at least one, are incomplete, and why the first is."""
    (first, error), *others = incomplete
    names = ", ".join(f"{column} {value}" for column, value in first.values)
    more = f" and {counted(len(others), 'other list')}" if others else ""
    task.run_log.note_unproven(
        *task.key,
        f"{task.endpoint.name} of account {task.session.account_id} was not replaced for "
        f"{names}{more}: {error}",
    )


def _refuse_undated(task: Task) -> None:
    """
    Refuse a list that may lack rows, if its earlier number of rows is not remembered.

    Raises:
        StaleAnswerError: Answers had no date.
    """
    if task.session.server_clock.has_undated:
        msg = (
            f"{task.endpoint.name} of account {task.session.account_id} was not replaced: "
            "Harvest's answers came without the Date header, so they may be outdated and lack "
            "rows. Set the proxy in between to pass on the Date header."
        )
        raise StaleAnswerError(msg, path=task.endpoint.list_path, status=200)


def _read_sublist(
    task: Task, sublist: Sublist, *, had_rows: bool
) -> pa.Table | IncompleteListError | None:
    """All rows of one sublist, or why not all; None if its parent is gone or has no such list."""
    endpoint = replace(task.endpoint, path=sublist.path)

    def decode(rows: bytes) -> pa.Table:
        return sublist.stamp(task.decoder.decode(rows), task.endpoint)

    source = ListSource(task.session.client, endpoint, decode, sublist.params)
    try:
        return read_whole(SliceReader(source, today=task.today), had_rows=had_rows).table
    except IncompleteListError as error:
        return error
    except ResponseError as error:
        if error.status in endpoint.absent:
            return None
        raise
