"""Comparisons of ids and values that still hold after mending, outside of the mended windows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from harvest_source.extract.run_log import Place
from harvest_source.extract.slices import DateWindow
from harvest_source.operations.comparisons import COUNTED, Comparison, find_windows

_KEPT: Final = ("ids", "values")
"""Checks that read whole lists: 500 requests for a million rows."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """What was found of one table."""

    comparisons: Sequence[Comparison] = ()
    windows: Collection[DateWindow] = ()
    """Windows that mending may have changed since; empty: nothing has changed."""


@dataclass(slots=True)
class EarlierComparisons:
    """What was found of each table before it was mended."""

    _earlier: dict[Place, Earlier] = field(default_factory=dict)

    def find(self, place: Place) -> Earlier:
        """What is known of a table; nothing before its first comparison."""
        return self._earlier.get(place, Earlier())

    def keep(
        self, place: Place, before: Iterable[Comparison], mended: Sequence[Comparison]
    ) -> None:
        """
        Keep what was found of a table, as far as it still holds.

        Args:
            before: All comparisons of the table.
            mended: Those of its own figures that were mended. Reading rows again adds and removes
                no ids, unless counts or ids differed.
        """
        kept = [each for each in before if each.check in _KEPT]
        values = {part.window for each in mended if each.check == "values" for part in each.slices}
        windows = values.union(find_windows(mended))
        is_counted = any(each.check in COUNTED for each in mended)
        if not kept or (is_counted and not windows):
            self._earlier.pop(place, None)
            return
        # What was found in the windows of earlier rounds, and not mended, is to be found again.
        before_that = self.find(place).windows if windows else ()
        self._earlier[place] = Earlier(kept, windows.union(before_that))
