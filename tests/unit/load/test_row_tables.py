"""Rows from a user's steps as Arrow tables: declared types, added columns, misfits."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import dlt
import pyarrow as pa
import pytest

from harvest_source.errors import ConfigError
from harvest_source.load.row_tables import RowTables
from harvest_source.schema.endpoints import BY_NAME

KEY = {"account_id": 1, "id": 7}


def build(row: dict[str, Any], table: str = "time_entries") -> pa.Table:
    rows = RowTables(BY_NAME[table], frozenset({"notes"}))
    return rows.build([KEY | row], dlt.Schema("harvest"))


def test_declared_columns_keep_their_types() -> None:
    """Python values fit like Harvest's; binary fractions get nine decimals."""
    [row] = build(
        {
            "hours": 1 / 3,
            "rounded_hours": "1.25",
            "spent_date": date(2026, 1, 2),
            "created_at": datetime(2026, 1, 2, 3, tzinfo=UTC),
            "is_locked": True,
            "notes": "excluded",
            "user__id": 12.0,
        }
    ).to_pylist()
    assert (row["hours"], row["rounded_hours"]) == (Decimal("0.333333333"), Decimal("1.25"))
    assert (row["spent_date"], row["is_locked"], row["user__id"]) == (date(2026, 1, 2), True, 12)
    assert row["created_at"] == datetime(2026, 1, 2, 3, tzinfo=UTC)
    assert "notes" not in row


@pytest.mark.parametrize(
    ("value", "arrow_type", "stored"),
    [
        (True, pa.bool_(), True),
        (2**40, pa.int64(), 2**40),
        (0.1, pa.float64(), 0.1),
        (Decimal("0.1"), pa.decimal128(38, 9), Decimal("0.1")),
        ("text", pa.string(), "text"),
        (date(2026, 1, 2), pa.date32(), date(2026, 1, 2)),
        (datetime(2026, 1, 2), pa.timestamp("us", "UTC"), datetime(2026, 1, 2, tzinfo=UTC)),  # noqa: DTZ001
        ([1, date(2026, 1, 2)], pa.string(), '[1,"2026-01-02"]'),
    ],
)
def test_added_columns_get_the_type_of_their_first_value(
    value: Any, arrow_type: pa.DataType, stored: Any
) -> None:
    """A step may add a column of any plain type."""
    table = build({"added": value})
    assert table.schema.field("added").type == arrow_type
    assert table.column("added").to_pylist() == [stored]


def test_objects_become_columns_and_misfits_are_beside_them() -> None:
    """An object's members become columns; a value that does not fit is exact text beside it."""
    [row] = build({"added": {"a": {"b": 1}}, "hours": "many", "is_locked": 1}).to_pylist()
    assert row["added__a__b"] == 1
    assert (row["hours"], row["hours__v_text"]) == (None, "many")
    assert (row["is_locked"], row["is_locked__v_text"]) == (None, "1")


def test_rows_without_a_key_are_refused() -> None:
    """Rows without a key cannot be merged."""
    with pytest.raises(ConfigError, match="without a usable id"):
        RowTables(BY_NAME["clients"], frozenset()).build([{"account_id": 1}], dlt.Schema("some"))
