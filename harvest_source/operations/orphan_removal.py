"""
Rows whose parent is neither in the warehouse nor at Harvest: payments of an invoice that is gone.

A run may read payments but not invoices, or an invoice may be deleted after its payments are read
and before the list of invoices is. Then no audit of invoices removes the payments. So each audit
looks for parents that rows name and the warehouse lacks. If there are any, the complete list of
parents decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from harvest_source.auth.sessions import Session
from harvest_source.concurrency import in_parallel
from harvest_source.errors import RemoteError
from harvest_source.extract.removals import Reason, Removal
from harvest_source.extract.run_log import RunLog
from harvest_source.extract.schedule import DAILY, is_due, load_instant
from harvest_source.extract.task import build_task, read_ids
from harvest_source.extract.visibility import explain_hidden_rows, explain_undated
from harvest_source.load.state import change_account, stored_accounts
from harvest_source.operations.row_removal import RowRemoval
from harvest_source.operations.workspace import Workspace
from harvest_source.schema.endpoint import Endpoint
from harvest_source.schema.endpoints import BY_NAME, ENDPOINTS
from harvest_source.warehouse.removal import delete_lost_elements, find_missing_parents

_CHECKED: Final = "swept_at"
"""State key of a table and account: when it was last searched although its parents are not read."""

_LISTS: Final = 4
"""Parent lists read in parallel: people, projects, invoices and estimates have rows below them."""


@dataclass(slots=True)
class OrphanRemoval:
    """Finds and removes the rows of one account that have no parent."""

    workspace: Workspace
    session: Session
    now: datetime
    _parents: dict[str, set[int] | None] = field(default_factory=dict)
    """Ids of all parents at Harvest, by their table; None: not proven."""
    _missing: dict[str, list[int]] = field(default_factory=dict)
    """By table, parents that its rows name and the warehouse lacks, from :meth:`read_stored`."""
    _alone: list[str] = field(default_factory=list)
    """Tables that are searched although their parents were not merged in this run."""

    def read_stored(self, merged: Sequence[str]) -> None:
        """
        Look below *merged* parents, which are up to date, and at tables read without parents.

        Queries only the warehouse; :meth:`run` does the rest.

        Raises:
            DestinationError: The destination refused.
        """
        if explain_undated(self.session):
            return
        due = list(self._find_due(merged))
        self._missing = {each.name: self._find_missing(each) for each in due}
        self._alone = [
            each.name for each in due if each.parent and each.parent.endpoint not in merged
        ]

    def run(self) -> None:
        """
        Ask Harvest for the parents that are missing, and remove the rows whose parent is gone.

        Raises:
            DestinationError: The destination refused.
        """
        if explain_undated(self.session):
            return
        self._remove_orphans(self._missing)
        if decided := [table for table in self._alone if self._is_decided(table)]:
            self.workspace.warehouse.write_state(lambda state: self._note(state, decided))

    def mend(self, tables: Sequence[str]) -> None:
        """
        Remove the rows of *tables* that have no parent, including array elements.

        Raises:
            DestinationError: The destination refused.
        """
        if reason := explain_undated(self.session):
            self.workspace.run_log.warn(reason)
            return
        lists = [BY_NAME[name] for name in tables if name in BY_NAME]
        seen = [each for each in lists if explain_hidden_rows(each, self.session) is None]
        self._remove_orphans({each.name: self._find_missing(each) for each in seen})
        warehouse = self.workspace.warehouse
        with warehouse.sql() as sql, sql.transaction():
            for array in (name for name in tables if name not in BY_NAME):
                delete_lost_elements(sql, array, self.session.account_id)

    def _remove_orphans(self, missing: Mapping[str, Sequence[int]]) -> None:
        """
        Remove the rows whose parent is gone.

        Args:
            missing: By table, the parents that its rows name and the warehouse lacks.
        """
        tables = [BY_NAME[name] for name, parents in missing.items() if parents]
        self._read_parents(tables)
        removal = RowRemoval(self.workspace, "--deletes")
        for below in tables:
            if removals := self._find_orphans(below, missing[below.name]):
                removal.add(removals, limit=self.workspace.upkeep.max_deletes)
        self.workspace.run_log.audit.deleted += removal.execute()

    def _find_due(self, merged: Sequence[str]) -> Iterator[Endpoint]:
        account_id, outdated = self.session.account_id, self.workspace.run_log.find_outdated()
        chosen = {each.name for each in self.workspace.endpoints}
        for below in ENDPOINTS:
            if below.parent is None or not self.workspace.warehouse.has_table(below.name):
                continue
            is_alone = below.name in chosen and below.parent.endpoint not in chosen
            is_below = below.parent.endpoint in merged
            if (below.name, account_id) in outdated or explain_hidden_rows(below, self.session):
                continue
            if is_below or (is_alone and self._is_due(below)):
                yield below

    def _is_due(self, below: Endpoint) -> bool:
        """Whether the last search of a table whose parents are not in the run is a day ago."""
        if self.workspace.upkeep.deletes:
            return True
        sources, account_id = self.workspace.warehouse.source_state, str(self.session.account_id)
        at = stored_accounts(sources, below.name).get(account_id, {}).get(_CHECKED)
        return is_due(load_instant(at), self.now, DAILY)

    def _is_decided(self, table: str) -> bool:
        """Whether it is known which parents of *table* are gone; otherwise the next run asks."""
        parent = BY_NAME[table].parent
        assert parent is not None
        is_proven = not self._missing[table] or self._parents.get(parent.endpoint) is not None
        return is_proven and not self.workspace.run_log.is_doubtful(table, self.session.account_id)

    def _find_orphans(self, below: Endpoint, missing: Sequence[int]) -> list[Removal]:
        assert below.parent is not None
        there = self._parents.get(below.parent.endpoint)
        if there is None:
            return []
        gone = tuple((each,) for each in missing if each not in there)
        columns, account_id = (below.parent.key,), self.session.account_id
        orphans = Removal(below, account_id, Reason.ORPHAN, self.now, columns, gone)
        return [orphans] if gone else []

    def _find_missing(self, below: Endpoint) -> list[int]:
        with self.workspace.warehouse.sql() as sql:
            return find_missing_parents(sql, below, self.session.account_id)

    def _read_parents(self, tables: Sequence[Endpoint]) -> None:
        """Read the complete list of the parents of each of *tables*, several lists at once."""
        names = list(dict.fromkeys(each.parent.endpoint for each in tables if each.parent))
        lists = in_parallel(self._read_ids, [BY_NAME[each] for each in names], workers=_LISTS)
        for name, found in zip(names, lists, strict=True):
            if isinstance(found, RemoteError):
                self.workspace.run_log.warn(
                    f"Rows below {name} were not audited in account {self.session.account_id}: "
                    f"{found}"
                )
            else:
                self._parents[name] = found

    def _read_ids(self, listed: Endpoint) -> set[int] | RemoteError | None:
        """All ids of a list; None if the read is not proven, the error if the read failed."""
        task = build_task(listed, self.session, self.workspace.extraction.options, RunLog())
        try:
            found, is_proven = read_ids(task, listed)
        except RemoteError as error:
            return error
        return found if is_proven else None

    def _note(self, state: dict[str, Any], tables: Sequence[str]) -> None:
        for table in tables:
            change_account(state, table, self.session.account_id)[_CHECKED] = self.now.isoformat()
