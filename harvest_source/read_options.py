"""How a run reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from harvest_source.clock import Clock
from harvest_source.endpoints import SECRETS
from harvest_source.parts import WORKERS, Part

PACKAGE_ROWS: Final = 100_000
"""Rows of one load package, about: dlt and DuckDB need memory in proportion."""

WALK_EVERY: Final = timedelta(days=7)
"""Deleting a child may leave its parent as it was: so every parent is asked once in a while."""


@dataclass(frozen=True, slots=True)
class Again:
    """Parts of a table to be read whatever the cursor says, which stays where it is."""

    parts: tuple[Part, ...]
    audit: dict[str, Any]
    """What to store once they were read, with proof."""


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How a run reads."""

    clock: Clock
    start_date: date | None = None
    overlap: timedelta = timedelta(minutes=5)
    exclude: frozenset[str] = SECRETS
    """``table.column``."""
    history: frozenset[str] = frozenset()
    """Tables of which every version is kept."""
    full_refresh: bool = False
    walk_every: timedelta = WALK_EVERY
    """How often every parent's children are read again, moved or not."""
    workers: int = WORKERS
    """Windows of one table read at once."""
    isolate: bool = False
    """A table that fails is noted in the ledger and the others go on; otherwise it raises."""
    again: Mapping[tuple[str, int], Again] | None = None
    """By table and account: read just this."""
