"""Values as a spreadsheet reads them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from harvest_source.export.plain_texts import to_texts

DECIMAL = pa.decimal128(38, 9)
INSTANT = pa.timestamp("us", "UTC")
AT = datetime(2026, 1, 31, 23, 30, tzinfo=UTC)


def column(values: list[Any], kind: pa.DataType) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values, kind)])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("2.75", "2.75"),
        ("0", "0"),
        ("100", "100"),
        ("-0.000000001", "-0.000000001"),
        ("12345678901234567890123456789.5", "12345678901234567890123456789.5"),
        (None, None),
    ],
)
def test_a_decimal_keeps_every_digit(value: str | None, text: str | None) -> None:
    """A decimal keeps every digit, without trailing zeros or exponent; a comma is an option."""
    given = [None if value is None else Decimal(value)]
    assert to_texts(column(given, DECIMAL)).to_pylist() == [text]
    comma = to_texts(column(given, DECIMAL), comma=True).to_pylist()
    assert comma == [None if text is None else text.replace(".", ",")]


def test_decimals_of_one_column_do_not_change_each_other() -> None:
    """A zero, which Arrow writes with an exponent, does not change the other values."""
    given = column([Decimal("0"), Decimal("1.10"), Decimal("20"), None], DECIMAL)
    assert to_texts(given).to_pylist() == ["0", "1.1", "20", None]


def test_instants_are_in_utc_without_a_zone() -> None:
    """Fractions of a second appear only if there are any."""
    given = column([AT, AT.replace(microsecond=250000), None], INSTANT)
    assert to_texts(given).to_pylist() == [
        "2026-01-31 23:30:00",
        "2026-01-31 23:30:00.250000",
        None,
    ]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_formulas_are_defused(text: str) -> None:
    """Text that a spreadsheet would execute is shown as text."""
    assert to_texts(column([text], pa.string())).to_pylist() == [f"'{text}"]


@pytest.mark.parametrize(
    ("value", "kind"),
    [("a=b", pa.string()), ("", pa.string()), (5, pa.int64()), (True, pa.bool_())],
)
def test_values_that_no_spreadsheet_misreads_are_unchanged(value: Any, kind: pa.DataType) -> None:
    """A value that no spreadsheet misreads is unchanged."""
    assert to_texts(column([value, None], kind)).to_pylist() == [value, None]


def test_days_are_exported_unchanged() -> None:
    """Days have no zone."""
    assert to_texts(column([date(2026, 1, 31)], pa.date32())).to_pylist() == [date(2026, 1, 31)]
