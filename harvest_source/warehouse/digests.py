"""Digests of rows, before and after they were read again: what that corrected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from harvest_source.extract.slices import Slice
from harvest_source.schema.columns import ACCOUNT_ID
from harvest_source.sql.conditions import AllOf, AnyOf, Condition, Equals
from harvest_source.warehouse.arrow_reads import select_digests
from harvest_source.warehouse.table_copy import TableCopy

_KEY: Final = [ACCOUNT_ID, "id"]
_DIGESTS: Final = ["updated_at", "content"]


def read_digests(parts: Sequence[tuple[TableCopy, Sequence[Slice]]]) -> pa.Table:
    """
    Digests of the rows of some slices of one table, for several accounts in one query.

    Rows that change without a new ``updated_at``, such as running timers, are left out; dlt's
    columns do not count.

    Returns:
        Account and id of each row, once, and digests of its ``updated_at`` and its whole content.

    Raises:
        DestinationError: The destination refused.
    """
    copy, _ = parts[0]
    endpoint, flag = copy.endpoint, copy.endpoint.volatile
    with copy.warehouse.sql() as sql:
        names = [n for n in sql.columns_of(endpoint.name) if not n.startswith("_dlt_")]
        where: Condition = AnyOf(*(each.condition_of(slices, names) for each, slices in parts))
        content = names
        if flag is not None and flag[0] not in names:
            # Which rows change by themselves is not known: only rows that come are noticed.
            content = ["id"]
        elif flag is not None:
            where = AllOf(where, AnyOf(Equals(flag[0], False), Equals(flag[0], None)))
        columns = select_digests(sql, endpoint.name, where, _KEY, (["updated_at"], content))
    found = pa.table(dict(zip((*_KEY, *_DIGESTS), columns, strict=True)))
    # A row that stands in the warehouse twice has one digest.
    once = found.group_by(_KEY, use_threads=False).aggregate([(each, "max") for each in _DIGESTS])
    return once.rename_columns([each.removesuffix("_max") for each in once.column_names])


def compare_digests(before: pa.Table, after: pa.Table) -> pa.Table:
    """
    Rows that came, or changed though ``updated_at`` had not moved, when they were read again.

    Returns:
        Account and id of each, and whether it ``came``.
    """
    before = before.append_column("was", pa.repeat(pa.scalar(True), before.num_rows))
    joined = after.join(before, _KEY, right_suffix="_before", use_threads=False)
    came = pc.is_null(joined.column("was"))
    is_same_time = pc.equal(joined.column("updated_at"), joined.column("updated_at_before"))
    is_other = pc.not_equal(joined.column("content"), joined.column("content_before"))
    is_corrected = pc.or_(came, pc.fill_null(pc.and_(is_same_time, is_other), False))
    return joined.select(_KEY).append_column("came", came).filter(is_corrected)


def find_came(corrected: pa.Table, account_id: int) -> list[int]:
    """The ids of rows of one account that came, ascending."""
    is_ours = pc.equal(corrected.column(ACCOUNT_ID), account_id)
    return sorted(corrected.filter(pc.and_(is_ours, corrected.column("came")))["id"].to_pylist())
