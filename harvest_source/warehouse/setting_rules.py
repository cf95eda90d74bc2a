"""The rule of a setting of dlt, and the kinds of rules; ``dlt_settings`` lists the settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Rule(Enum):
    """What a sync does about a setting of dlt."""

    FREE = "may differ"
    OVERRIDDEN = "overridden"
    REFUSED = "refused"


def _never(_: Any) -> bool:
    return False


def is_on(value: Any) -> bool:
    """Whether dlt reads *value* as true."""
    return str(value).strip().lower() in {"1", "t", "true", "on", "y", "yes"}


def is_count(value: Any) -> bool:
    """Whether *value* is a whole number of at least 1."""
    text = str(value).strip()
    return text.isascii() and text.isdigit() and text.strip("0") != ""  # int() has a limit.


def is_off(value: Any) -> bool:
    """Whether dlt reads *value* as false, or it is blank."""
    return not str(value).strip() or str(value).strip().lower() in {
        "0",
        "f",
        "false",
        "off",
        "n",
        "no",
    }


@dataclass(frozen=True, slots=True)
class SettingRule:
    """
    One setting, or several that are alike, separated by commas.

    Attributes:
        why: What it would change, or why it changes nothing that a sync promises; a sentence
            without its capital and its full stop, for messages that go on.
        instead: What to use instead of a refused setting; ``{reread}`` stands for the command that
            reads everything again.
        is_harmless: Whether a value of a refused setting is accepted all the same.
    """

    names: str
    rule: Rule
    why: str
    instead: str = ""
    is_harmless: Callable[[Any], bool] = _never


@dataclass(frozen=True, slots=True)
class SectionRules:
    """
    The settings of one section.

    Attributes:
        name: The section in ``config.toml``; ``NAME`` stands for the pipeline or destination.
        places: The most specific sections in which dlt looks; it then tries those above them.
            Empty if values are not checked.
        inner: Section that always follows; empty if there is none.
    """

    name: str
    settings: tuple[SettingRule, ...]
    places: tuple[tuple[str, ...], ...] = ()
    inner: str = ""


def free(names: str, why: str) -> SettingRule:
    """Build a setting that may differ."""
    return SettingRule(names, Rule.FREE, why)


def overridden(names: str, why: str) -> SettingRule:
    """Build a setting that a sync overrides."""
    return SettingRule(names, Rule.OVERRIDDEN, why)


def refused(
    names: str, why: str, instead: str, is_harmless: Callable[[Any], bool] = _never
) -> SettingRule:
    """Build a setting of which a sync refuses all but harmless values."""
    return SettingRule(names, Rule.REFUSED, why, instead, is_harmless)
