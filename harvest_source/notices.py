"""Warnings with a kind, so that code can treat some of them differently."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class NoticeKind(Enum):
    """What a warning is about."""

    CLOCK = auto()
    """This machine's clock and Harvest's differ."""
    MISSING_DATE = auto()
    """Answers have no ``Date`` header."""
    ALLOWANCE = auto()
    """Harvest's request allowance is used up."""
    SIGN_IN = auto()
    """How tokens are stored."""
    RENEWAL = auto()
    """A sign-in was not renewed, or its new tokens were not stored: later runs depend on it."""
    OTHER = auto()

    @property
    def is_urgent(self) -> bool:
        """Whether users see it even with ``--quiet``."""
        return self is NoticeKind.RENEWAL


@dataclass(frozen=True, slots=True)
class Notice:
    """
    A warning for the user.

    Attributes:
        text: One sentence or more: what happened, what is known, what to do.
    """

    kind: NoticeKind
    text: str
