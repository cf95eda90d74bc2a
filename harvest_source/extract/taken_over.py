"""
What the state of another pipeline proves about rows that this one takes over. Pure.

Every table is read again, so no progress and no digest of the other pipeline counts. But the rows
show who read them: a token that sees less must neither replace a list nor read history again, as
if it had followed that token in one pipeline.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from harvest_source.extract.cursor import take_over_cursor
from harvest_source.extract.exclusion import load_excluded, store_excluded
from harvest_source.extract.last_read import LastRead
from harvest_source.extract.parent_sweep import SWEEP_KEY, ParentSweep
from harvest_source.extract.stored import load_object

_LONG_AGO: Final = datetime(2006, 1, 1, tzinfo=UTC)
"""Before Harvest began, so that each list is due."""
_LISTS: Final = ("parents", "windows")
"""Keys below which a table's state has one entry for each of its lists."""


def keep_evidence(state: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return what remains of the *state* of one table and account.

    The children of all parents are asked for, also of parents whose own columns show none: the
    warehouse may hold some.
    """
    kept: dict[str, Any] = {}
    take_over_cursor(kept, state)
    if seen := _untrusted(state.get("seen")):
        kept["seen"] = seen
    for key in _LISTS:
        lists = {name: _untrusted(each) for name, each in load_object(state.get(key)).items()}
        if known := {name: each for name, each in lists.items() if each}:
            kept[key] = known
    if SWEEP_KEY in state:
        kept[SWEEP_KEY] = ParentSweep().dump()
    store_excluded(kept, load_excluded(state))
    return kept


def _untrusted(stored: Any) -> dict[str, Any] | None:
    read = LastRead.load(stored)
    return None if read is None else replace(read.without_trust(), at=_LONG_AGO).dump()
