"""How a run reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from harvest_source.clock import Clock
from harvest_source.defaults import SWEEP_EVERY, WINDOW_WORKERS
from harvest_source.extract.slices import Slice
from harvest_source.schema.endpoints import SECRET_COLUMNS


@dataclass(frozen=True, slots=True)
class Reread:
    """Parts of a table to be read whatever the cursor says, which stays where it is."""

    parts: tuple[Slice, ...]
    audit: dict[str, Any]
    """What to store once they were read, with proof."""


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How a run reads."""

    clock: Clock
    start_date: date | None = None
    overlap: timedelta = timedelta(minutes=5)
    exclude: frozenset[str] = SECRET_COLUMNS
    """``table.column``."""
    history: frozenset[str] = frozenset()
    """Tables of which every version is kept."""
    full_refresh: bool = False
    walk_every: timedelta = SWEEP_EVERY
    """How often every parent's children are read again, moved or not."""
    workers: int = WINDOW_WORKERS
    """Windows of one table read at once."""
    isolate: bool = False
    """A table that fails is noted in the ledger and the others go on; otherwise it raises."""
    again: Mapping[tuple[str, int], Reread] | None = None
    """By table and account: read just this."""
