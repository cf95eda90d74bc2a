"""Removing rows: collect them, check the guard, remove all of them together, count them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from harvest_source.errors import GuardError
from harvest_source.operations.workspace import Workspace
from harvest_source.warehouse.removal import RowsToDelete, find, remove


@dataclass(slots=True)
class RowRemoval:
    """
    Rows that one step of a run removes together.

    What the guard refuses becomes a failure of its table; the other tables are not held up.
    """

    workspace: Workspace
    _found: list[tuple[RowsToDelete, list[dict[str, Any]]]] = field(default_factory=list)

    def add(self, candidates: Iterable[RowsToDelete], *, limit: Decimal | None = None) -> None:
        """
        Look *candidates* up in the warehouse and note them for removal.

        Args:
            limit: Share of the account's rows in that table, from 0 to 1, that may go; None: no
                guard.

        Raises:
            DestinationError: The destination refused.
        """
        for each in candidates:
            try:
                rows = find(self.workspace.warehouse, each, limit=limit)
            except GuardError as error:
                self.workspace.run_log.fail(each.endpoint.name, each.account_id, error)
                continue
            if rows:
                self._found.append((each, rows))

    def execute(self) -> int:
        """
        Ask once more whether this token sees all rows, and leave out tables of which it may not.

        Record the other rows in ``deleted_records``, remove them with their child rows, count them.

        Returns:
            How many rows were removed.

        Raises:
            DestinationError: The destination refused.
        """
        workspace = self.workspace
        self._leave_out_doubtful()
        remove(
            workspace.warehouse,
            self._found,
            now=workspace.now(),
            keep_content=workspace.upkeep.keep_content,
        )
        for each, rows in self._found:
            workspace.run_log.add_deleted(each.endpoint.name, each.account_id, len(rows))
        return sum(len(rows) for _, rows in self._found)

    def _leave_out_doubtful(self) -> None:
        """Rows of children go with their parent's, so all tables of one removal are asked about."""
        places = [(each.endpoint, each.account_id) for each, _ in self._found]
        doubtful = self.workspace.confirmation.find_doubtful(places)
        self._found = [
            (each, rows)
            for each, rows in self._found
            if (each.endpoint.name, each.account_id) not in doubtful
        ]
