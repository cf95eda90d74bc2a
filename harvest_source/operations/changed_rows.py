"""Rows that changed in Harvest since they were merged: the next sync merges them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from harvest_source.extract.list_reader import ReadResult
from harvest_source.extract.slices import Slice
from harvest_source.operations.audit_tables import AuditedTable
from harvest_source.operations.workspace import Workspace
from harvest_source.schema.columns import ACCOUNT_ID
from harvest_source.sql.conditions import AllOf, Equals, OneOf
from harvest_source.sql.values import as_instant

_BATCH: Final = 500
"""Ids in one SQL statement."""


@dataclass(frozen=True, slots=True)
class ChangedRow:
    """A row as the warehouse has it and as Harvest has it now."""

    here: Mapping[str, Any] | None
    """None: it is new."""
    there: Mapping[str, Any]

    @property
    def versions(self) -> Iterator[Mapping[str, Any]]:
        """Both versions, or the only one."""
        if self.here is not None:
            yield self.here
        yield self.there


def find_changed_rows(
    workspace: Workspace, table: AuditedTable, columns: Sequence[str]
) -> list[ChangedRow]:
    """
    The rows of *table* that changed since the merge.

    Args:
        columns: What is needed of each version, in addition to ``id`` and ``updated_at``.

    Raises:
        HarvestError: Harvest did not answer, or the destination refused.
    """
    there: dict[int, dict[str, Any]] = {}
    needed = {"id", "updated_at", *columns}
    for page in table.reader.iter_tables(Slice(since=table.pair.since), ReadResult()):
        # A whole row takes ten kilobytes as a dictionary, and 100,000 may have changed.
        rows = page.select([name for name in page.column_names if name in needed])
        there |= {row["id"]: row for row in rows.to_pylist()}
    here = select_rows(workspace, table, sorted(there), columns)
    changed = (ChangedRow(here.get(key), row) for key, row in there.items())
    return [
        each for each in changed if each.here is None or not _is_same_instant(each.here, each.there)
    ]


def select_rows(
    workspace: Workspace, table: AuditedTable, ids: Sequence[int], columns: Sequence[str]
) -> dict[int, dict[str, Any]]:
    """
    The warehouse's rows with one of *ids*, by id.

    Args:
        columns: Columns beside ``id`` and ``updated_at``; those the warehouse lacks are left out.

    Raises:
        DestinationError: The destination refused.
    """
    wanted = dict.fromkeys(("id", "updated_at", *columns))
    names = [each for each in wanted if workspace.has_column(table.endpoint.name, each)]
    account = Equals(ACCOUNT_ID, table.session.account_id)
    found: dict[int, dict[str, Any]] = {}
    if not ids:
        return found
    with workspace.warehouse.sql() as sql:
        for at in range(0, len(ids), _BATCH):
            where = AllOf(account, OneOf("id", ids[at : at + _BATCH]))
            rows = sql.select(table.endpoint.name, where, names)
            found |= {row["id"]: row for row in rows}
    return found


def _is_same_instant(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether both have the same ``updated_at``."""
    here, there = as_instant(one["updated_at"]), as_instant(other["updated_at"])
    return here is not None and here == there
