"""
Remove rows, for every step of a run: count, check the guard, store, carry out, forget.

A decided removal is stored in dlt's state before its first statement runs, and deleted from it
after the last. If a run stops in between, :func:`finish_pending_removals` of the next run finishes
the removal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any

from harvest_source.errors import DestinationError, GuardError
from harvest_source.extract.last_read import LastRead
from harvest_source.extract.removals import (
    Reason,
    Removal,
    add_pending_removal,
    drop_malformed_removals,
    drop_removals,
    has_malformed_removals,
    load_pending_removals,
)
from harvest_source.extract.run_log import Place
from harvest_source.extract.stored import load_object
from harvest_source.load.own_tables import is_made
from harvest_source.load.state import change_account, stored_accounts
from harvest_source.operations.workspace import Workspace
from harvest_source.schema.columns import ACCOUNT_ID
from harvest_source.schema.endpoint import Endpoint
from harvest_source.schema.endpoints import BY_NAME
from harvest_source.schema.own_tables import DELETED_RECORDS
from harvest_source.sql.conditions import Equals
from harvest_source.warehouse.deleted_records import DeletedRow, find_unrecorded, insert_records
from harvest_source.warehouse.own_rows import takes_inserts
from harvest_source.warehouse.removal import (
    count_rows,
    delete_rows,
    find_outdated_lists,
    guard,
    iter_rows,
)
from harvest_source.warehouse.sql import Row, Sql
from harvest_source.warehouse.warehouse import Warehouse


@dataclass(slots=True)
class RowRemoval:
    """
    Rows that one step of a run removes together.

    A removal that the guard refuses becomes a failure of its table, and blocks no other table.
    """

    workspace: Workspace
    option: str = ""
    """The option that a refused ``sync`` needs in addition to ``--max-deletes``."""
    _decided: list[Removal] = field(default_factory=list)

    def add(self, removals: Sequence[Removal], *, limit: Decimal | None) -> bool:
        """
        Count the rows of *removals*, all of one table of one account, and note them.

        Args:
            limit: Share of the account's rows in that table, from 0 to 1, that may be removed;
                None: the guard is not asked.

        Returns:
            False if the guard refuses all of them.

        Raises:
            DestinationError: The destination refused.
        """
        if not removals:
            return True
        with self.workspace.warehouse.sql() as sql:
            counted = [(each, count_rows(sql, each)) for each in removals]
            rows = sum(n for _, n in counted)
            if rows and limit is not None:
                endpoint, account_id = removals[0].endpoint, removals[0].account_id
                total = sql.count(endpoint.name, Equals(ACCOUNT_ID, account_id))
                try:
                    guard(endpoint, rows, total, limit, self.workspace.commands.repeat(self.option))
                except GuardError as error:
                    self.workspace.run_log.fail(endpoint.name, account_id, error)
                    return False
        self._decided += [each for each, n in counted if n]
        return True

    def execute(self) -> int:
        """
        Store the removals as pending, carry them out, and count the rows in the run log.

        First ask Harvest once more whether this token sees all rows, and leave out tables of which
        it may not.

        Returns:
            How many rows were removed from the removals' tables; rows below are not counted.

        Raises:
            DestinationError: The destination refused; the next run finishes it.
        """
        places = [(each.endpoint, each.account_id) for each in self._decided]
        doubtful = self.workspace.confirmation.find_doubtful(places)
        self._decided = [each for each in self._decided if each.place not in doubtful]
        if not self._decided:
            return 0
        warehouse = self.workspace.warehouse
        try:
            with warehouse.held():
                warehouse.write_state(partial(_store, self._decided))
                return carry_out(self.workspace, self._decided)
        except DestinationError as error:
            if not warehouse.raise_memory_limit(error):
                raise
        return _carry_out_with_room(self.workspace, self._decided)


def finish_pending_removals(workspace: Workspace) -> None:
    """
    Carry out the removals that an earlier run did not finish. Call it before anything is read.

    Rows of lists that plain dlt found empty have not been counted yet, so the guard is asked now.
    A stored removal that cannot be read is dropped with a warning.

    Raises:
        DestinationError: The destination refused.
    """
    _drop_malformed(workspace)
    done: list[Removal] = []
    for place in _iter_states(workspace.warehouse.source_state):
        removals = load_pending_removals(*place)
        checked = RowRemoval(workspace)
        unchecked = [each for each in removals if each.reason is Reason.EMPTY]
        refused = unchecked and not checked.add(unchecked, limit=workspace.upkeep.max_deletes)
        done += [each for each in removals if not (refused and each in unchecked)]
    if done:
        _carry_out_with_room(workspace, done)


def _drop_malformed(workspace: Workspace) -> None:
    warehouse, log = workspace.warehouse, workspace.run_log
    found = [
        (endpoint, account_id)
        for endpoint, account_id, state in _iter_states(warehouse.source_state)
        if has_malformed_removals(endpoint, account_id, state)
    ]

    def change(state: dict[str, Any]) -> None:
        for endpoint, account_id in found:
            account = change_account(state, endpoint.name, account_id)
            drop_malformed_removals(endpoint, account_id, account)

    for endpoint, account_id in found:
        log.warn(
            f"{endpoint.name} of account {account_id}: a removal that an earlier run had stored "
            "cannot be read, and was dropped. Its rows may still be in the warehouse. To remove "
            f"what Harvest no longer has: {workspace.commands.read_whole(endpoint.name)}"
        )
    if found:
        warehouse.write_state(change)


def _iter_states(sources: Mapping[str, Any]) -> Iterator[tuple[Endpoint, int, Mapping[str, Any]]]:
    """Yield each table with each of its accounts and their state."""
    for table in load_object(sources.get("resources")):
        if endpoint := BY_NAME.get(table):
            for account_id, state in stored_accounts(sources, table).items():
                yield endpoint, int(account_id), state


def _carry_out_with_room(workspace: Workspace, removals: Sequence[Removal]) -> int:
    """:func:`carry_out`, repeated with more memory for DuckDB as often as it had too little."""
    while True:
        try:
            return carry_out(workspace, removals)
        except DestinationError as error:
            if not workspace.warehouse.raise_memory_limit(error):
                raise


def carry_out(workspace: Workspace, removals: Sequence[Removal]) -> int:
    """
    Record and delete the rows of pending *removals*, then delete the removals from the state.

    Idempotent: a repeated call finishes what was begun and records no row twice.

    Returns:
        How many rows were removed from the tables of the removals; rows below are not counted.

    Raises:
        DestinationError: The destination refused.
    """
    warehouse, keep = workspace.warehouse, workspace.upkeep.keep_content
    if not is_made(DELETED_RECORDS, warehouse.schema):
        warehouse.merge_own(DELETED_RECORDS, [])
    removed, inserts = Counter[Place](), takes_inserts(warehouse)
    if not inserts:
        _record_by_load(warehouse, removals, keep)
    with warehouse.sql() as sql, sql.transaction():
        for removal, rows in _iter_portions(sql, removals):
            removed.update((row.endpoint.name, row.account_id) for row in rows)
            if inserts:
                insert_records(sql, _build_records(removal, rows, keep))
        for removal in removals:
            delete_rows(sql, removal)
    outdated = _find_outdated(warehouse, removals)
    warehouse.write_state(partial(_forget, removals, outdated))
    for place, rows_removed in removed.items():
        workspace.run_log.add_deleted(*place, rows_removed)
    return sum(removed[place] for place in {each.place for each in removals})


def _record_by_load(warehouse: Warehouse, removals: Sequence[Removal], keep: bool) -> None:
    """Let dlt load the records, where SQL cannot insert JSON. Call it before rows are deleted."""
    unrecorded: list[Row] = []
    with warehouse.sql() as sql:
        for removal, rows in _iter_portions(sql, removals):
            unrecorded += find_unrecorded(sql, _build_records(removal, rows, keep))
    if unrecorded:
        warehouse.merge_own(DELETED_RECORDS, unrecorded)


def _iter_portions(
    sql: Sql, removals: Iterable[Removal]
) -> Iterator[tuple[Removal, list[DeletedRow]]]:
    """Yield the rows that *removals* delete, in portions of one removal each."""
    return ((removal, rows) for removal in removals for rows in iter_rows(sql, removal))


def _build_records(removal: Removal, rows: Iterable[DeletedRow], keep: bool) -> list[Row]:
    return [row.as_record(removal.detected_at, keep_content=keep) for row in rows]


def _store(removals: Sequence[Removal], state: dict[str, Any]) -> None:
    for removal in removals:
        add_pending_removal(change_account(state, *removal.place), removal)


def _forget(
    removals: Sequence[Removal], outdated: Mapping[Place, set[str]], state: dict[str, Any]
) -> None:
    """Delete *removals* from the state, and what it remembers of the removed rows."""
    for place in {each.place for each in removals}:
        account = change_account(state, *place)
        drop_removals(account, [each for each in removals if each.place == place])
        account.pop("volatile", None)
    for place, parents in outdated.items():
        lists = load_object(change_account(state, *place).get("parents"))
        for parent in parents:
            lists.pop(parent, None)


def _find_outdated(warehouse: Warehouse, removals: Sequence[Removal]) -> dict[Place, set[str]]:
    """Parents, by table and account, whose remembered lists were removed."""
    sources = warehouse.source_state
    found: dict[Place, set[str]] = {}
    with warehouse.sql() as sql:
        for removal in removals:
            rows = _count_remembered(sources, removal)
            if rows:
                for table, parents in find_outdated_lists(sql, removal, rows).items():
                    found.setdefault((table, removal.account_id), set()).update(parents)
    return found


def _count_remembered(sources: Mapping[str, Any], removal: Removal) -> dict[str, dict[str, int]]:
    """How many rows the remembered lists below a removal's rows had, by table and parent."""
    counts = {}
    for endpoint in BY_NAME.values():
        if endpoint.parent_table != removal.endpoint.name:
            continue
        account = stored_accounts(sources, endpoint.name).get(str(removal.account_id), {})
        lists = load_object(account.get("parents"))
        reads = {name: LastRead.load(each) for name, each in lists.items()}
        if reads:
            counts[endpoint.name] = {name: read.rows for name, read in reads.items() if read}
    return counts
