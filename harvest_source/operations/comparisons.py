"""One figure in the warehouse beside the same figure in Harvest."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Context, Decimal
from enum import StrEnum
from math import isqrt
from typing import TYPE_CHECKING, Any, Final

from harvest_source.extract.run_log import Place
from harvest_source.extract.slices import DateWindow, Slice
from harvest_source.schema.columns import SEPARATOR

if TYPE_CHECKING:
    from harvest_source.warehouse.target import Target  # Imports dlt, which --help does without.

ALL: Final = "all"
"""The scope of a figure of a whole table."""

COUNTED: Final = frozenset({"rows", "ids"})
"""Checks whose differences are located by counts and ids; other checks name what to read."""

AT_ONCE: Final = 8
"""Parallel requests for the figures of one table."""

HALF_CENT: Final = Decimal("0.005")
"""Sums that Harvest reports are rounded to cents, and to hundredths of an hour."""

CHANGED: Final = "changed since the last sync"
"""The excuse of figures whose rows have changed: it may hide a wrong row."""

_FEWEST_STARTS: Final = 31
"""Fewest positions at which the records that are compared on a day can start; a prime."""

_UNDATED: Final = (
    "Harvest may have changed this without a new updated_at (to read it again: {{{}}})"
)
UNDATED: Final = _UNDATED.format("verify --fix")
"""The excuse of values that the next sync does not update."""
UNDATED_IN_LONG_TABLE: Final = _UNDATED.format("verify --all-values --fix")
"""The same in a table whose values are compared only when asked for."""
UNASKED: Final = "not read yet; a later run reads it (to read it now: {sync --all-children})"
"""Why a list below a parent may differ before the first sweep of parents has ended."""

_COMMAND: Final = re.compile(r"\{(.+)\}")
"""The command in an excuse; :meth:`Comparison.complete` adds the options that it needs."""

_DOUBTFUL: Final = frozenset({CHANGED, UNDATED, UNDATED_IN_LONG_TABLE})
_NAMING: Final = frozenset({UNASKED, UNDATED, UNDATED_IN_LONG_TABLE})
"""Excuses that name a command."""

EXACT: Final = Context(prec=1000)
"""
Arithmetic that rounds nothing: a product of two columns has up to 77 digits, and Python's default
is 28.
"""


class State(StrEnum):
    """The result of one comparison."""

    OK = "ok"
    DIFFERS = "differs"
    INFORMATION = "information"
    """The figures differ, for a known reason that may be legitimate."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The project or invoice that a figure belongs to, as people know it."""

    kind: str
    """``project`` or ``invoice``."""
    id: int
    name: str = ""
    """The project's name, the invoice's number; empty: not known."""
    client: str = ""

    def __str__(self) -> str:
        named = f"{self.kind} {self.id}" + (f" {self.name}" if self.name else "")
        return f"{named}, {self.client}" if self.client else named


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One figure here and there."""

    account_id: int
    table: str
    check: str
    """``rows``, ``hours``, ``amount``, ``invoice total``, ...: what the figures are."""
    scope: str
    """What was counted or added up: ``2024``, ``project 17, 2024``."""
    here: Decimal
    there: Decimal
    currency: str = ""
    """For money: its ISO code, if it is known."""
    subject: Subject | None = None
    """What the figures belong to, unless it is a whole table."""
    year: int | None = None
    tolerance: Decimal = Decimal(0)
    """Largest difference that still counts as equal."""
    excuse: str = ""
    """Why the figures may differ although nothing is wrong; empty: they must be equal."""
    slices: tuple[Slice, ...] = ()
    """What to read again to mend a difference; empty: the table is counted again."""
    children: tuple[tuple[str, int], ...] = ()
    """Tables below a parent, with the parent's id, to read again to mend a difference."""

    @property
    def is_equal(self) -> bool:
        """Whether the figures differ by no more than the tolerance."""
        return EXACT.abs(EXACT.subtract(self.here, self.there)) <= self.tolerance

    @property
    def state(self) -> State:
        """What the figures say."""
        if self.is_equal:
            return State.OK
        return State.INFORMATION if self.excuse else State.DIFFERS

    @property
    def is_doubtful(self) -> bool:
        """Whether changed rows excuse the difference, and a wrong row may be among them."""
        is_excused = self.state is State.INFORMATION and self.excuse in _DOUBTFUL
        return is_excused and bool(self.slices)

    @property
    def where(self) -> str:
        """The scope in people's words, with the names of project and client."""
        if self.subject is None:
            return f"{self.table}, {self.scope}" if self.scope != ALL else self.table
        return str(self.subject) + (f", {self.year}" if self.year is not None else "")

    @property
    def detail(self) -> str:
        """Why the figures differ, if that is known."""
        return "" if self.is_equal else self.excuse

    def complete(self, target: Target) -> Comparison:
        """The comparison for people: the command in its excuse has the options for *target*."""
        if self.excuse not in _NAMING:
            return self
        excuse = _COMMAND.sub(lambda found: target.build_command(found[1]), self.excuse)
        return replace(self, excuse=excuse)

    def as_dict(self) -> dict[str, Any]:
        """The object of ``--json``; numbers as exact text."""
        return {
            "account_id": self.account_id,
            "table": self.table,
            "check": self.check,
            "scope": self.scope,
            "currency": self.currency,
            "name": self.subject.name if self.subject else "",
            "client": self.subject.client if self.subject else "",
            "here": format_plain(self.here),
            "there": format_plain(self.there),
            "state": str(self.state),
            "detail": self.detail,
        }


def find_windows(differing: Iterable[Comparison]) -> Sequence[DateWindow]:
    """
    Where to look for extra or missing rows of one table.

    Differing ids are known to the day. A year whose count differs is added as a window only if it
    has none of those days.
    """
    by_id, by_count = (
        dict.fromkeys(
            part.window for each in differing if each.check == check for part in each.slices
        )
        for check in ("ids", "rows")
    )
    years = [each for each in by_count if not any(map(each.overlaps, by_id))]
    return [*by_id, *years]


def find_root_table(each: Comparison) -> str:
    """The table that was compared; for counted array elements, the table of their rows."""
    return each.table if each.check == "orphans" else each.table.partition(SEPARATOR)[0]


def is_to_mend(each: Comparison) -> bool:
    """Whether the figures differ, or changed rows may hide that they do."""
    return each.state is State.DIFFERS or each.is_doubtful


def find_places(each: Comparison) -> set[Place]:
    """The tables that were compared, or are read again to mend a difference."""
    names = {find_root_table(each).removesuffix("_history"), *(name for name, _ in each.children)}
    return {(name, each.account_id) for name in names}


def as_number(value: Any) -> Decimal:
    """*value* as Harvest or the warehouse hands it out, exactly; None is zero."""
    return Decimal(0) if value is None else Decimal(str(value))


def add_up(numbers: Iterable[Decimal]) -> Decimal:
    """The exact sum, however many digits it has."""
    total = Decimal(0)
    for each in numbers:
        total = EXACT.add(total, each)
    return total


def choose_for_day(numbers: Sequence[int], most: int, today: date) -> list[int]:
    """
    At most *most* of the ascending *numbers*: each day the next ones, so that all take turns.

    The number of positions at which a day can start is a prime, which no week is a multiple of. So
    all take turns, too, if ``verify`` runs once a week.
    """
    if len(numbers) <= most or not most:
        return list(numbers[:most])
    starts = max(-(-len(numbers) // most), _FEWEST_STARTS)
    while any(starts % each == 0 for each in range(2, isqrt(starts) + 1)):
        starts += 1
    step = most * starts // len(numbers)
    start = today.toordinal() * step % starts * len(numbers) // starts
    return [*numbers, *numbers][start : start + most]


def format_plain(number: Decimal) -> str:
    """All digits, without trailing zeros."""
    return format(EXACT.normalize(number), "f")
