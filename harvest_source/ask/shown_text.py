"""
Text of the warehouse where it is shown: notes, names and subjects are anyone's words.

Terminals obey some characters, spreadsheets obey some beginnings, and readers cannot see others.
The warehouse keeps every text as Harvest sent it; only what is shown is changed.
"""

from __future__ import annotations

import unicodedata
from typing import Any, Final

from harvest_source.formulas import defuse

_KEPT: Final = "\n\t"
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"})
"""Control and formatting characters, such as those that turn the direction of writing."""


def clean(text: str) -> str:
    """*text* without control and invisible characters; line ends and tabs stay."""
    return "".join(
        each for each in text if each in _KEPT or unicodedata.category(each) not in _INVISIBLE
    )


def clean_value(value: Any) -> Any:
    """As :func:`clean`, in lists and dictionaries too; other values stay."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, (list, tuple)):
        return [clean_value(each) for each in value]
    if isinstance(value, dict):
        return {clean(str(key)): clean_value(each) for key, each in value.items()}
    return value


def to_line(value: Any) -> str:
    """A value as one line of a table on a terminal."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return " ".join(clean(str(value)).split())


def to_csv_cell(value: Any, kind: str) -> str:
    """
    A value for a CSV file that a spreadsheet opens: text that looks like a formula is quoted.

    Args:
        kind: DuckDB's type of the column. Numbers stay numbers.
    """
    text = "" if value is None else clean(value if isinstance(value, str) else to_line(value))
    is_text = kind.startswith(("VARCHAR", "JSON")) or kind.endswith("[]")
    return defuse(text) if is_text else text
