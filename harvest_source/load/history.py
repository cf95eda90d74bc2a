"""
Keeps every version of a row, beside the table with the last one: ``projects_history``.

dlt's scd2 merges the versions. A digest of the row's content identifies a version, so an unchanged
row that is read again adds none. The merge key is the whole key: dlt closes a version only when
another version of the same row arrives, so rows that a run did not read stay open.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import dlt
import pyarrow as pa
from dlt.common.schema.typing import TTableSchemaColumns

from harvest_source.decode.decoder import Decoder
from harvest_source.decode.dedup import keep_newest
from harvest_source.defaults import TableFormat
from harvest_source.extract.cursor import load_cursor, take_over_cursor
from harvest_source.extract.exclusion import excluded_columns
from harvest_source.extract.known_rows import digest_row
from harvest_source.load.encoder import place_misfits, with_load_id
from harvest_source.load.file_format import choose_format
from harvest_source.load.hints import build_hints, load_id_hint, type_hint
from harvest_source.schema.columns import LOAD_ID, Type
from harvest_source.schema.endpoint import Endpoint

VALID_FROM: Final = "valid_from"
VALID_TO: Final = "valid_to"
DIGEST: Final = "_dlt_id"
"""Column with the digest, by which dlt distinguishes versions."""
_SCD2: Final[Any] = {
    "disposition": "merge",
    "strategy": "scd2",
    "validity_column_names": [VALID_FROM, VALID_TO],
    "row_version_column_name": DIGEST,
}


_BEGUN: Final = "history"
"""Key in the state of a table and account: its history has a first version of every row."""


def build_histories(
    endpoints: Iterable[Endpoint],
    names: frozenset[str],
    exclude: frozenset[str],
    table_format: TableFormat | None,
) -> dict[str, TableHistory]:
    """The histories of the tables in *names*; *exclude* are ``table.column`` names to leave out."""
    return {
        each.name: TableHistory(each, excluded_columns(each, exclude), table_format)
        for each in endpoints
        if each.name in names
    }


def find_beginning(history: TableHistory | None, state: Mapping[str, Any]) -> dict[str, Any]:
    """
    The *state* of a table and account from which to continue reading.

    As long as the history has not begun, its cursor is marked so that the table is read from its
    first row on. This applies to each account separately, and again after runs that kept no
    history, since they added no version. A token that sees less than an earlier one does not read
    the rows again: hidden rates arrive as null and would overwrite known values.
    """
    if history is None:
        return {name: each for name, each in state.items() if name != _BEGUN}
    if state.get(_BEGUN):
        return dict(state)
    # Rows that an interrupted read has brought may have no version.
    beginning = {name: each for name, each in state.items() if name not in ("cursor", "backfill")}
    take_over_cursor(beginning, state)
    return beginning


def note_begun(history: TableHistory | None, state: Mapping[str, Any]) -> dict[str, Any]:
    """The *state* to store: it says whether all rows since :func:`find_beginning` were read."""
    cursor = load_cursor(state.get("cursor"))
    has_begun = cursor is not None and not cursor.taken_over and not cursor.others
    return {**state, _BEGUN: True} if history is not None and has_begun else dict(state)


@dataclass(frozen=True, slots=True)
class TableHistory:
    """The versions of one table's rows."""

    endpoint: Endpoint
    excluded: frozenset[str] = frozenset()
    table_format: TableFormat | None = None

    @property
    def table(self) -> str:
        """Name of the table that holds the versions."""
        return f"{self.endpoint.name}_history"

    def encode(self, tables: Sequence[pa.Table], decoder: Decoder) -> list[Any]:
        """The rows of *tables*, each key once, as one item for dlt; none if there are no tables."""
        if not tables:
            return []
        rows = place_misfits(self.endpoint, decoder, keep_newest(tables, self.endpoint.key))
        digests = pa.array(map(digest_row, rows.to_pylist()), pa.string())
        column = pa.field(DIGEST, pa.string(), nullable=False)
        rows = with_load_id(rows, self.endpoint).append_column(column, digests)
        optional: Any = {"table_format": self.table_format} if self.table_format else {}
        hints = dlt.mark.make_hints(
            table_name=self.table,
            columns=self._build_columns(decoder, frozenset(rows.column_names)),
            merge_key=self.endpoint.key,
            write_disposition="merge" if self.table_format else _SCD2,
            file_format=choose_format(),
            **optional,
        )
        return [dlt.mark.with_hints(rows, hints, create_table_variant=True)]

    def _build_columns(self, decoder: Decoder, names: frozenset[str]) -> TTableSchemaColumns:
        columns = build_hints(self.endpoint, self.excluded)
        for hint in columns.values():
            hint.pop("dedup_sort", None)
        learned = {**decoder.learned, **dict.fromkeys(decoder.arrays, Type.TEXT)}
        for name in learned.keys() & names:
            columns.setdefault(name, type_hint(name, learned[name]))
        for child in self.endpoint.record.children:
            if child.name in columns:
                columns[child.name]["description"] = f"{child.description}, as JSON"
        columns[LOAD_ID] = load_id_hint()
        if self.table_format:
            # Our own merge into the files does what dlt's scd2 does. If the hints named it scd2,
            # plain dlt could not read the tables.
            for name, mark in ((VALID_FROM, "x-valid-from"), (VALID_TO, "x-valid-to")):
                columns[name] = cast(Any, {**type_hint(name, Type.TIMESTAMP), mark: True})
            columns[DIGEST] = cast(Any, {**type_hint(DIGEST, Type.TEXT), "x-row-version": True})
        return columns
