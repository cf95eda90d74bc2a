"""
Makes the warehouse's texts safe to show: anyone may have written the notes, names and subjects.

Terminals interpret control characters, spreadsheets run texts that begin like formulas, and readers
cannot see some characters. The warehouse keeps every text as Harvest sent it; only output changes.
"""

from __future__ import annotations

import unicodedata
from typing import Any, Final

from harvest_source.formulas import defuse

_KEPT: Final = "\n\t"
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"})
"""Categories of control and formatting characters, such as those that reverse the direction."""


def clean(text: str) -> str:
    """Remove control and invisible characters from *text*; line ends and tabs stay."""
    if text.isprintable():
        return text  # Most names, at a tenth of the time.
    return "".join(
        each for each in text if each in _KEPT or unicodedata.category(each) not in _INVISIBLE
    )


def clean_value(value: Any) -> Any:
    """Clean texts as :func:`clean` does, in lists and dictionaries too; other values stay."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, (list, tuple)):
        return [clean_value(each) for each in value]
    if isinstance(value, dict):
        return {clean(str(key)): clean_value(each) for key, each in value.items()}
    return value


def to_line(value: Any) -> str:
    """Write a value on one line, for a table on a terminal."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return " ".join(clean(str(value)).split())


def to_csv_cell(value: Any, kind: str) -> str:
    """
    Write a value for a CSV file; text that a spreadsheet would run as a formula is defused.

    Args:
        kind: DuckDB's type of the column. Numbers stay numbers.
    """
    text = "" if value is None else clean(value if isinstance(value, str) else to_line(value))
    is_text = kind.startswith(("VARCHAR", "JSON")) or kind.endswith("[]")
    return defuse(text) if is_text else text
