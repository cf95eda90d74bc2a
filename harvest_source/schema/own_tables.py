"""This package's own tables, beside Harvest's: what a row is, its key and columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from harvest_source.schema.columns import Column, Type, bigint, flag, text, timestamp

SYNC_RUNS: Final = "sync_runs"
VERIFY_RUNS: Final = "verify_runs"
DELETED_RECORDS: Final = "deleted_records"


@dataclass(frozen=True, slots=True)
class OwnTable:
    """
    One of this package's own tables.

    Attributes:
        key: The columns that identify a row.
        required: Columns that are never null, beside the key.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ("id",)
    required: frozenset[str] = frozenset()

    def describe(self, column: str) -> str | None:
        """What *column* holds; None for a column that dlt adds."""
        return next((each.description for each in self.columns if each.name == column), None)


def json(name: str, description: str) -> Column:
    """Declare an object or a list, kept as JSON."""
    return Column(name, Type.JSON, description)


OWN_TABLES: Final = (
    OwnTable(
        SYNC_RUNS,
        "One row for each sync that reached the warehouse, also for one that failed",
        (
            text("id", "Id of the run"),
            timestamp("started_at", "When it began, UTC"),
            timestamp("ended_at", "When it ended, UTC"),
            text("status", "ok, partial (something failed or was not proven complete) or error"),
            text("account_ids", "Harvest accounts it read, joined by commas"),
            json("tables", "Rows read and deleted by table and account, as in the report"),
            json("errors", "What failed, by table and account; paths are shortened to their names"),
            bigint("requests", "Requests it sent to Harvest"),
            text("version", "Version of harvest-source"),
            bigint("rows_deleted", "Rows removed because Harvest deleted them"),
            bigint("rows_lost", "Rows that were missing here and were read again by the audit"),
            bigint("rows_reread", "Rows that the audit read again"),
            bigint("rows_corrected", "Rows that differed when the audit read them again"),
            timestamp("oldest_read_at", "Every row was read since this time at least once, UTC"),
        ),
        required=frozenset({"started_at", "ended_at", "status"}),
    ),
    OwnTable(
        VERIFY_RUNS,
        "One row for each comparison with Harvest's own totals, whatever it found",
        (
            text("id", "Id of the verification"),
            timestamp("started_at", "When it began, UTC: what changed in Harvest before is in it"),
            timestamp("ended_at", "When it ended, UTC"),
            text("status", "ok, differs, partial (something was not compared) or error (nothing)"),
            text("account_ids", "Harvest accounts it compared, joined by commas"),
            bigint("compared", "Figures that were compared"),
            bigint("differing", "Figures that differ from Harvest's"),
            bigint("not_told", "Figures that differ for a known reason, which may be right"),
            json("checks", "Sums here and in Harvest by account, check and currency, as reported"),
            json("differences", "The figures that differ, the first 1,000 of them"),
            json("errors", "What was not compared and why; paths are shortened to their names"),
            flag("mended", "What differed was read again, and compared once more"),
            bigint("requests", "Requests it sent to Harvest"),
            text("version", "Version of harvest-source"),
        ),
        required=frozenset({"started_at", "ended_at", "status"}),
    ),
    OwnTable(
        DELETED_RECORDS,
        "One row for each removal of a row that Harvest no longer has",
        (
            bigint("account_id", "Harvest account the row belonged to"),
            text("table_name", "Table it was removed from"),
            bigint("parent_id", "Id of the row it was below, such as a payment's invoice; or null"),
            bigint("id", "Id of the row; of a report, of what the row was about"),
            timestamp("detected_at", "When the removal was noticed, UTC"),
            timestamp("restored_at", "When the row was back in its table, UTC; null: it is not"),
            json("record", "The whole row with its arrays; null where only ids are kept"),
            # A digest of account, table, key and time: dlt's merge does not match nulls, and
            # parent_id is null in most rows.
            text("_dlt_id", "Digest of account, table, id and time: identifies the removal"),
        ),
        key=("_dlt_id",),
        required=frozenset({"account_id", "table_name", "id", "detected_at"}),
    ),
)

OWN_BY_NAME: Final[Mapping[str, OwnTable]] = {table.name: table for table in OWN_TABLES}
