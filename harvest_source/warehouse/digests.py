"""Digests of rows, before and after they are read again, to find what that changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from harvest_source.extract.exclusion import excluded_columns
from harvest_source.extract.slices import Slice
from harvest_source.schema.columns import ACCOUNT_ID
from harvest_source.sql.conditions import AllOf, AnyOf, Condition, Equals, OneOf
from harvest_source.warehouse.arrow_reads import select_digests
from harvest_source.warehouse.page_digests import PageDigests
from harvest_source.warehouse.table_copy import TableCopy

_KEY: Final = [ACCOUNT_ID, "id"]
_DIGESTS: Final = ["updated_at", "content"]
_ROWS: Final = "rows"


@dataclass(frozen=True, slots=True)
class StoredRows:
    """
    Digests of rows of one table, as the warehouse had them at one moment.

    Attributes:
        rows: Account and id of each row, once; digests of its ``updated_at`` and its whole content;
            and how many rows have that key.
        columns: The columns that the content digest covers, including the key.
        detects_changes: Whether that digest detects changed content, or covers the key alone.
    """

    rows: pa.Table
    columns: tuple[str, ...]
    detects_changes: bool = True
    _by_account: dict[int, pa.Table] = field(default_factory=dict, repr=False, compare=False)

    def find_contents(self, account_id: int, ids: pa.ChunkedArray) -> pa.ChunkedArray:
        """Content digests of an account's rows with one of *ids*, without duplicated rows."""
        rows = self._by_account.get(account_id)
        if rows is None:  # Filtered only once, because every page looks up its rows.
            is_ours = pc.equal(self.rows.column(ACCOUNT_ID), account_id)
            rows = self._by_account[account_id] = self.rows.filter(is_ours)
        is_wanted = pc.is_in(rows.column("id"), value_set=ids)
        is_single = pc.equal(rows.column(_ROWS), 1)
        return rows.column("content").filter(pc.and_(is_wanted, is_single))


def read_digests(
    parts: Sequence[tuple[TableCopy, Sequence[Slice]]],
    digests: PageDigests,
    exclude: frozenset[str] = frozenset(),
    ids: Sequence[int] | None = None,
) -> StoredRows:
    """
    Read digests of the rows of some slices of one table, for several accounts in one query.

    Rows that change without a new ``updated_at``, such as running timers, are left out; dlt's
    columns are ignored.

    Args:
        digests: Computes the digests if the destination cannot.
        exclude: ``table.column`` names that are ignored too.
        ids: Only rows with one of these ids; few.

    Raises:
        DestinationError: The destination refused.
    """
    copy, _ = parts[0]
    endpoint, flag = copy.endpoint, copy.endpoint.volatile
    excluded = excluded_columns(endpoint, exclude)
    with copy.warehouse.sql() as sql:
        names = [n for n in sql.columns_of(endpoint.name) if not n.startswith("_dlt_")]
        where: Condition = AnyOf(*(each.condition_of(slices, names) for each, slices in parts))
        if ids is not None:
            where = AllOf(OneOf("id", ids), where)
        content, detects_changes = [each for each in names if each not in excluded], True
        if flag is not None and flag[0] not in names:
            # It is unknown which rows change by themselves: only new rows are detected.
            content, detects_changes = ["id"], False
        elif flag is not None:
            where = AllOf(where, AnyOf(Equals(flag[0], False), Equals(flag[0], None)))
        groups = (["updated_at"], content)
        found = select_digests(sql, endpoint.name, where, _KEY, groups, digests)
    found = found.rename_columns([*_KEY, *_DIGESTS])
    wanted = [*((each, "max") for each in _DIGESTS), ("id", "count")]
    once = found.group_by(_KEY, use_threads=False).aggregate(wanted)
    once = once.select([*_KEY, *(f"{each}_max" for each in _DIGESTS), "id_count"])
    return StoredRows(
        once.rename_columns([*_KEY, *_DIGESTS, _ROWS]), tuple(content), detects_changes
    )


def compare_digests(before: pa.Table, after: pa.Table) -> pa.Table:
    """
    Find rows that, read again, are new or have changed although ``updated_at`` is the same.

    Returns:
        Account and id of each row, and in ``came`` whether it is new.
    """
    before = before.append_column("was", pa.repeat(pa.scalar(True), before.num_rows))
    joined = after.join(before, _KEY, right_suffix="_before", use_threads=False)
    came = pc.is_null(joined.column("was"))
    is_same_time = pc.equal(joined.column("updated_at"), joined.column("updated_at_before"))
    is_other = pc.not_equal(joined.column("content"), joined.column("content_before"))
    is_corrected = pc.or_(came, pc.fill_null(pc.and_(is_same_time, is_other), False))
    return joined.select(_KEY).append_column("came", came).filter(is_corrected)


def find_new_rows(corrected: pa.Table, account_id: int) -> list[int]:
    """The ids of one account's new rows, ascending."""
    is_ours = pc.equal(corrected.column(ACCOUNT_ID), account_id)
    return sorted(corrected.filter(pc.and_(is_ours, corrected.column("came")))["id"].to_pylist())
