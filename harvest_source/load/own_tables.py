"""The tables of this package itself, beside Harvest's: their names and columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import dlt
from dlt.common.schema.typing import TTableSchemaColumns
from dlt.sources import DltResource

SYNC_RUNS: Final = "sync_runs"
DELETED_RECORDS: Final = "deleted_records"

COLUMNS: Final[Mapping[str, TTableSchemaColumns]] = {
    SYNC_RUNS: {
        "id": {"data_type": "text", "nullable": False, "primary_key": True},
        "started_at": {"data_type": "timestamp", "nullable": False},
        "ended_at": {"data_type": "timestamp", "nullable": False},
        "status": {"data_type": "text", "nullable": False},
        "account_ids": {"data_type": "text"},
        "tables": {"data_type": "json"},
        "errors": {"data_type": "json"},
        "requests": {"data_type": "bigint"},
        "version": {"data_type": "text"},
        "rows_deleted": {"data_type": "bigint"},
        "rows_lost": {"data_type": "bigint"},
        "rows_reread": {"data_type": "bigint"},
        "rows_corrected": {"data_type": "bigint"},
        "oldest_read_at": {"data_type": "timestamp"},
    },
    DELETED_RECORDS: {
        "account_id": {"data_type": "bigint", "nullable": False},
        "table_name": {"data_type": "text", "nullable": False},
        "parent_id": {"data_type": "bigint"},
        "id": {"data_type": "bigint", "nullable": False},
        "detected_at": {"data_type": "timestamp", "nullable": False},
        "restored_at": {"data_type": "timestamp"},
        "record": {"data_type": "json"},
        # A digest of account, table, key and time: dlt's merge compares no null, and parent_id is
        # null in most rows.
        "_dlt_id": {"data_type": "text", "nullable": False, "primary_key": True},
    },
}


def build_own_resource(table: str, rows: list[dict[str, Any]]) -> DltResource:
    """A resource that merges *rows* into one of our tables; without rows it makes the table."""
    columns = COLUMNS[table]
    merge: Any = {"disposition": "merge", "strategy": "delete-insert"}

    def draw() -> Iterator[Any]:
        yield rows or dlt.mark.materialize_table_schema()

    resource: DltResource = dlt.resource(
        draw,
        name=table,
        columns=columns,
        primary_key=[name for name, hint in columns.items() if hint.get("primary_key")],
        write_disposition=merge,
    )
    return resource


def is_made(table: str, schema: dlt.Schema) -> bool:
    """Whether dlt's *schema* has one of our tables with all its columns."""
    return COLUMNS[table].keys() <= schema.tables.get(table, {"columns": {}})["columns"].keys()
