"""
Writes values as texts that Excel and other spreadsheets read as what they are.

Instants lose their zone, which is always UTC: spreadsheet readers and writers refuse zones.
Decimals lose trailing zeros. Texts that a spreadsheet would run as a formula are defused.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from harvest_source import formulas

_ZEROS: Final = r"\.?0+$"
_NO_FRACTION: Final = r"\.0+$"


def to_texts(column: Any, *, comma: bool = False) -> Any:
    """
    Convert an Arrow column for a CSV file; null stays null.

    Args:
        comma: Write decimals with a comma.
    """
    kind = column.type
    if pa.types.is_decimal(kind):
        return _format_decimals(column, comma=comma)
    if pa.types.is_floating(kind):
        texts = pc.cast(column, pa.string())
        return pc.replace_substring(texts, ".", ",") if comma else texts
    if pa.types.is_timestamp(kind):
        naive = pc.cast(column, pa.timestamp(kind.unit))
        return pc.replace_substring_regex(pc.cast(naive, pa.string()), _NO_FRACTION, "")
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return pc.replace_substring_regex(column, formulas.PATTERN, rf"{formulas.DEFUSED}\1")
    return column


def _format_decimals(column: Any, *, comma: bool) -> Any:
    texts = pc.cast(column, pa.string())
    # Arrow writes small numbers with an exponent, including 0 with nine decimals.
    has_exponent = pc.match_substring(texts, "E")
    if pc.any(has_exponent).as_py():
        texts = pa.chunked_array(
            [pa.array(map(format_all_digits, column.to_pylist()), pa.string())]
        )
    texts = pc.if_else(
        pc.match_substring(texts, "."), pc.replace_substring_regex(texts, _ZEROS, ""), texts
    )
    return pc.replace_substring(texts, ".", ",") if comma else texts


def format_all_digits(value: Decimal | None) -> str | None:
    """Format a number with all digits and no exponent; trailing zeros may remain."""
    return None if value is None else format(value, "f")
