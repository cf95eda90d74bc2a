"""
Every version of a row, beside the table that holds the last one: ``projects_history``.

dlt's scd2 merges it, told by a digest of the row's content, so that an unchanged row that is read
again makes no version. The whole key is its merge key: rows that a run did not read stay open.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import dlt
import pyarrow as pa
from dlt.common.schema import Schema
from dlt.common.schema.typing import TTableSchemaColumns

from harvest_source.decode.decoder import Decoder
from harvest_source.decode.dedup import keep_newest
from harvest_source.load.file_format import choose_format
from harvest_source.load.resources import build_hints, stored_columns, type_hint, with_load_id
from harvest_source.schema.columns import LOAD_ID, Type
from harvest_source.schema.endpoint import Endpoint

DIGEST: Final = "_dlt_id"
"""dlt tells versions apart by this column."""
_SCD2: Final[Any] = {
    "disposition": "merge",
    "strategy": "scd2",
    "validity_column_names": ["valid_from", "valid_to"],
    "row_version_column_name": DIGEST,
}


@dataclass(frozen=True, slots=True)
class Versions:
    """The history of one table."""

    endpoint: Endpoint
    excluded: frozenset[str] = frozenset()

    @property
    def table(self) -> str:
        """Where the versions are."""
        return f"{self.endpoint.name}_history"

    def must_begin(self, schema: Schema) -> bool:
        """Whether there is no version yet: then the table is read from its first row on."""
        return not stored_columns(schema, self.table)

    def iter_items(self, tables: Sequence[pa.Table], decoder: Decoder) -> Iterator[Any]:
        """The rows of *tables*, each key once, as an item for dlt that goes into the history."""
        if not tables:
            return
        rows = keep_newest(tables, self.endpoint.key)
        digests = pa.array(map(_digest, rows.to_pylist()), pa.string())
        column = pa.field(DIGEST, pa.string(), nullable=False)
        rows = with_load_id(rows, self.endpoint).append_column(column, digests)
        hints = dlt.mark.make_hints(
            table_name=self.table,
            columns=self._build_columns(decoder, frozenset(rows.column_names)),
            merge_key=self.endpoint.key,
            write_disposition=_SCD2,
            file_format=choose_format(),
        )
        yield dlt.mark.with_hints(rows, hints, create_table_variant=True)

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
        columns[LOAD_ID] = {"name": LOAD_ID, "data_type": "text", "nullable": False}
        return columns


def _digest(row: dict[str, Any]) -> str:
    """Of the row's content. A column that is null is like one that is not there yet."""
    content = repr([(name, row[name]) for name in sorted(row) if row[name] is not None])
    return hashlib.blake2b(content.encode("utf-8", "replace"), digest_size=16).hexdigest()
