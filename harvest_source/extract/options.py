"""How a run reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from harvest_source.clock import Clock
from harvest_source.defaults import OVERLAP_S, SWEEP_EVERY, WINDOW_WORKERS
from harvest_source.extract.run_log import Place
from harvest_source.extract.slices import Slice
from harvest_source.schema.endpoints import SECRET_COLUMNS


@dataclass(frozen=True, slots=True)
class Reread:
    """What to read again of a table, regardless of its cursor, which does not move."""

    slices: tuple[Slice, ...] = ()
    audit: dict[str, Any] = field(default_factory=dict)
    """The table's new ``audit`` state, stored once all slices are read and proven."""
    parents: tuple[int, ...] = ()
    """For a table below a parent: the parents whose lists are read again."""


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How a run reads."""

    clock: Clock
    start_date: date | None = None
    """First day of history that is read, for lists with a date filter; None: all of it."""
    overlap: timedelta = timedelta(seconds=OVERLAP_S)
    """Time before each cursor that is read again."""
    exclude: frozenset[str] = SECRET_COLUMNS
    """Columns that are left out, as ``table.column``."""
    history: frozenset[str] = frozenset()
    """Tables of whose rows every version is kept."""
    full_refresh: bool = False
    """Ignore cursors and progress; rows that this run does not see are removed afterwards."""
    all_children: bool = False
    """Ask every parent for its children in this run, instead of some per run."""
    sweep_every: timedelta = SWEEP_EVERY
    """How often the children of all parents, changed or not, and reports of old years are read."""
    workers: int = WINDOW_WORKERS
    """Windows of one table read in parallel."""
    isolate: bool = False
    """Whether a table that fails is recorded in the run log; otherwise it raises."""
    rereads: Mapping[Place, Reread] | None = None
    """What to read again, by table and account; if given, nothing else is read."""
