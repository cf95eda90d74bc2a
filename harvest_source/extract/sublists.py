"""
One of several lists of a table, such as the payments of one invoice, and the removal of its rows.

A list that is empty brings no row that could replace the rows loaded before: their removal is kept
as pending, until it is carried out or the list has rows again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from harvest_source.decode.decoder import ARROW_TYPES
from harvest_source.extract.removals import Reason, Removal, add_pending_removal, drop_removals
from harvest_source.extract.task import Task
from harvest_source.schema.endpoint import Endpoint


@dataclass(frozen=True, slots=True)
class Sublist:
    """One of several lists of a table: the columns and values that all of its rows share."""

    values: tuple[tuple[str, Any], ...]
    path: str = ""
    """Relative to the API's base; empty if only its rows matter, and the list is not read."""
    params: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return "/".join(str(value) for _, value in self.values)

    def stamp(self, table: pa.Table, endpoint: Endpoint) -> pa.Table:
        """
        Add the sublist's columns to *table*, and fill key columns that are hidden from some roles.

        Records of children and reports do not say which parent or window they belong to (quirk 62).
        """
        types = {column.name: ARROW_TYPES[column.type] for column in endpoint.injected}
        for name, value in self.values:
            constant = pa.repeat(pa.scalar(value, types[name]), table.num_rows)
            table = table.append_column(name, constant)
        for name, stand_in in endpoint.fill:
            at = table.column_names.index(name)
            table = table.set_column(at, name, pc.fill_null(table.column(name), stand_in))
        return table


def add_removal_of_lists(task: Task, sublists: Sequence[Sublist], reason: Reason) -> None:
    """Store the removal of all rows of *sublists*, at least one, as pending."""
    add_pending_removal(task.state, _build_removal(task, sublists, reason))


def forget_removals(task: Task, sublists: Sequence[Sublist]) -> None:
    """
    Forget that the rows of *sublists* are to be removed: rows of these lists were loaded again.

    Plain dlt carries out no removal. An invoice without payments may be paid before a sync does.
    """
    for reason in (Reason.EMPTY, Reason.COVERED) if sublists else ():
        drop_removals(task.state, [_build_removal(task, sublists, reason)])


def _build_removal(task: Task, sublists: Sequence[Sublist], reason: Reason) -> Removal:
    columns = tuple(name for name, _ in sublists[0].values)
    values = tuple(tuple(value for _, value in sublist.values) for sublist in sublists)
    now, account_id = task.options.clock.now(), task.session.account_id
    return Removal(task.endpoint, account_id, reason, now, columns, values)
