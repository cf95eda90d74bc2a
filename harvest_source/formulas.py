"""Texts that a spreadsheet would run as a formula, and what makes them harmless."""

from __future__ import annotations

from typing import Final

BEGINNINGS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
"""How a text begins that a spreadsheet may take for a formula, as OWASP lists them."""

PATTERN: Final = "^([" + "".join(f"\\x{ord(each):02x}" for each in BEGINNINGS) + "])"
"""The same as a regular expression whose group is the beginning."""

DEFUSED: Final = "'"
"""Stands before such a text: spreadsheets show it and run nothing."""


def defuse(text: str) -> str:
    """*text* as a spreadsheet shows it and runs nothing."""
    return DEFUSED + text if text.startswith(BEGINNINGS) else text
