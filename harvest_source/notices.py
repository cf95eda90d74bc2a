"""Warnings with a kind, for code that treats some of them differently from others."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class NoticeKind(Enum):
    """What a warning is about."""

    CLOCK = auto()
    """This machine's clock and Harvest's differ."""
    MISSING_DATE = auto()
    """Answers do not say when they were made."""
    ALLOWANCE = auto()
    """Harvest's request allowance is used up."""
    SIGN_IN = auto()
    """How tokens are kept."""
    RENEWAL = auto()
    """A sign-in was not renewed, or its new tokens were not kept: later runs depend on it."""
    OTHER = auto()

    @property
    def is_urgent(self) -> bool:
        """Whether people see it whatever else they do not want to see (``--quiet``)."""
        return self is NoticeKind.RENEWAL


@dataclass(frozen=True, slots=True)
class Notice:
    """
    A warning for people.

    Attributes:
        text: One sentence or more: what happened, what is known, what to do.
    """

    kind: NoticeKind
    text: str
