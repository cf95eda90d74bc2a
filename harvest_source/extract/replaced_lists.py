"""
Reading lists that exist once per parent or once per window: children, rates, reports.

Each such list is a *scope*: it is read whole and takes the place of what the warehouse has of it.
An empty one leaves nothing to merge, so it is named, to be deleted by whoever can.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from harvest_source.decode.decoder import ARROW_TYPES
from harvest_source.schema.endpoint import Endpoint

WALK_PARENTS: Final = 50
"""Parents of a scheduled walk per table and run: half of what 15 seconds allow."""

SCOPE_ROWS: Final = 20_000
"""Rows worth handing on together: a list per parent is small."""

SCOPES_AT_ONCE: Final = 8
"""Requests in flight at once; more cannot be had from Harvest's allowance at 1 s per request."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What tells one list from the next: the columns and values that all of its rows share."""

    values: tuple[tuple[str, Any], ...]
    path: str
    """Relative to the API's base."""
    params: Mapping[str, str]

    def __str__(self) -> str:
        return "/".join(str(value) for _, value in self.values)

    def stamp(self, table: pa.Table, endpoint: Endpoint) -> pa.Table:
        """Give every row of *table* the scope's values, and hidden key columns their stand-ins."""
        types = {column.name: ARROW_TYPES[column.type] for column in endpoint.injected}
        for name, value in self.values:
            constant = pa.repeat(pa.scalar(value, types[name]), table.num_rows)
            table = table.append_column(name, constant)
        for name, stand_in in endpoint.fill:
            at = table.column_names.index(name)
            table = table.set_column(at, name, pc.fill_null(table.column(name), stand_in))
        return table


@dataclass(frozen=True, slots=True)
class ParentSweep:
    """A scheduled walk over all parents, a few per run."""

    finished_at: datetime | None = None
    began: datetime | None = None
    after: int | None = None
    """Last parent asked in the walk under way; parents are asked in the order of their ids."""

    @classmethod
    def load(cls, stored: Mapping[str, Any] | None) -> ParentSweep:
        """Read a stored walk; one that cannot be understood begins anew."""
        stored = stored or {}
        try:
            return cls(
                finished_at=_parse(stored.get("finished_at")),
                began=_parse(stored.get("began")),
                after=int(stored["after"]) if stored.get("after") is not None else None,
            )
        except (TypeError, ValueError):
            return cls()

    def dump(self) -> dict[str, Any]:
        """As stored in dlt's state."""
        return {
            "finished_at": self.finished_at.isoformat() if self.finished_at else None,
            "began": self.began.isoformat() if self.began else None,
            "after": self.after,
        }

    def is_due(self, now: datetime, every: timedelta) -> bool:
        """Whether a walk is under way or should begin."""
        return self.began is not None or self.finished_at is None or now - self.finished_at >= every

    def next_parents(self, parents: Iterable[int], most: int) -> list[int]:
        """The next parents to ask, at most *most*."""
        after = self.after
        rest = sorted(each for each in set(parents) if after is None or each > after)
        return rest[:most]

    def advance(self, asked: Sequence[int], parents: Iterable[int], now: datetime) -> ParentSweep:
        """The walk after *asked* were read and are safe."""
        began = self.began or now
        last = asked[-1] if asked else self.after
        if any(last is None or each > last for each in parents):
            return ParentSweep(self.finished_at, began, last)
        return ParentSweep(finished_at=began)


def _parse(stored: str | None) -> datetime | None:
    return datetime.fromisoformat(stored) if stored else None
