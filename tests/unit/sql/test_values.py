"""Values that return as another type than Python's, and parameters for such destinations."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from harvest_source.sql.dialects import find_dialect
from harvest_source.sql.values import READERS, as_parameter

AT = datetime(2024, 1, 31, 12, 30, tzinfo=UTC)
ELSEWHERE = datetime(2024, 1, 31, 14, 30, tzinfo=timezone(timedelta(hours=2)))


@pytest.mark.parametrize(
    ("kind", "given", "read"),
    [
        ("date", "2024-01-31", date(2024, 1, 31)),
        ("date", AT, date(2024, 1, 31)),
        ("timestamp", "2024-01-31 12:30:00.000000", AT),
        ("timestamp", AT.replace(tzinfo=None), AT),
        ("timestamp", ELSEWHERE, AT),
        ("decimal", 1.1, Decimal("1.1")),
        ("decimal", 2, Decimal(2)),
        ("decimal", "1.000000001", Decimal("1.000000001")),
        ("bool", 1, True),
        ("bool", 0, False),
        *((kind, None, None) for kind in READERS),
    ],
)
def test_values_get_the_types_of_the_schema(kind: str, given: Any, read: Any) -> None:
    """Values have the schema's type, whatever type the driver returns."""
    found = READERS[kind](given)
    assert (found, type(found)) == (read, type(read))


@pytest.mark.parametrize(
    ("dialect", "given", "written"),
    [
        ("duckdb", ELSEWHERE, ELSEWHERE),
        ("bigquery", ELSEWHERE, AT),
        ("mysql", ELSEWHERE, AT.replace(tzinfo=None)),
        ("sqlite", ELSEWHERE, "2024-01-31 12:30:00.000000"),
        ("sqlite", date(2024, 1, 31), "2024-01-31"),
        ("sqlite", Decimal("1.5"), 1.5),
        ("mysql", Decimal("1.5"), Decimal("1.5")),
        ("sqlite", None, None),
        ("sqlite", True, True),
    ],
)
def test_parameters_are_written_as_the_driver_takes_them(
    dialect: str, given: Any, written: Any
) -> None:
    """Instants are in UTC wherever the driver would lose the time zone."""
    found = as_parameter(given, find_dialect(dialect))
    assert (found, type(found)) == (written, type(written))
