"""Warnings with a kind, for code that treats some of them differently from others."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class NoticeKind(Enum):
    """What a warning is about."""

    CLOCK = auto()
    """This machine's clock and Harvest's differ."""
    ALLOWANCE = auto()
    """Harvest's request allowance is used up."""
    SIGN_IN = auto()
    """How tokens are renewed and kept."""
    OTHER = auto()


@dataclass(frozen=True, slots=True)
class Notice:
    """
    A warning for people.

    Attributes:
        text: One sentence or more: what happened, what is known, what to do.
    """

    kind: NoticeKind
    text: str
