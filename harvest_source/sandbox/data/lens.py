"""How a stored record is shown to one viewer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harvest_source.sandbox.data.values import (
    NOTHING_HIDDEN,
    HiddenKeys,
    Record,
    clone,
    dumps,
    hide,
)

Change = Callable[[Record], Record | None]
"""An alteration of served records: returns the new record, or ``None`` after an in-place change."""


def apply_changes(record: Record, changes: Sequence[Change]) -> Record:
    """*record* after *changes*; the stored record itself is never modified."""
    if not changes:
        return record
    altered: Record = clone(record)
    for change in changes:
        altered = change(altered) or altered
    return altered


@dataclass(frozen=True, slots=True)
class Lens:
    """How records are shown: without *hidden* keys, after *changes*, as of Unix second *now*."""

    hidden: HiddenKeys = NOTHING_HIDDEN
    changes: tuple[Change, ...] = ()
    now: int = 0

    def show(self, record: Record) -> bytes:
        """*record* as JSON."""
        return dumps(hide(apply_changes(record, self.changes), self.hidden))
