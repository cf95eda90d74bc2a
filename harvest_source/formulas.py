"""Detect texts that a spreadsheet would run as a formula, and make them harmless."""

from __future__ import annotations

from typing import Final

BEGINNINGS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
"""First characters by which a spreadsheet may take a text for a formula, as listed by OWASP."""

PATTERN: Final = "^([" + "".join(f"\\x{ord(each):02x}" for each in BEGINNINGS) + "])"
"""The same as a regular expression whose group is the first character."""

DEFUSED: Final = "'"
"""Prefix that makes spreadsheets show such a text and not run it."""


def defuse(text: str) -> str:
    """*text*, prefixed where needed so that a spreadsheet shows it and does not run it."""
    return DEFUSED + text if text.startswith(BEGINNINGS) else text
