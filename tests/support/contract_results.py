"""What the contract's story ended with, for each destination and step: ``tests/CONTRACT.md``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

FILE: Final = Path(__file__).parents[1] / "CONTRACT.md"

OK: Final = "ok"
NOT_REACHED: Final = "not reached"

HEAD: Final = ("| Destination | Step | Result | Seconds | Day |", "|---|---|---|---|---|")

_INTRODUCTION: Final = """\
# What the contract of destinations ended with

Written by `python -m tests.destination_contract --write`, on two busy cores: what the seconds say
is which step is long. `docs/destinations.md` takes its cells from here.

"""


@dataclass(frozen=True, slots=True)
class Result:
    """
    One line.

    Attributes:
        destination: A name of :mod:`tests.support.destinations`, with a version where it ran in an
            environment of its own.
        result: :data:`OK`, ``FAILED``, :data:`NOT_REACHED`, or why it was not tried.
    """

    destination: str
    step: str
    result: str
    seconds: str = ""
    day: str = ""

    def is_of(self, name: str) -> bool:
        """Whether it is of the destination *name*, in whichever version."""
        return self.destination.partition(" ")[0] == name

    def __str__(self) -> str:
        cells = (self.destination, self.step, self.result, self.seconds, self.day)
        return f"| {' | '.join(cells)} |"


def parse(line: str) -> Result | None:
    """The result that a line of the table has; None for any other line."""
    cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
    if len(cells) != len(Result.__dataclass_fields__) or line in HEAD:
        return None
    return Result(*cells)


def read() -> tuple[Result, ...]:
    """Every line of the file; none if there is no file."""
    lines = FILE.read_text().splitlines() if FILE.exists() else []
    return tuple(found for line in lines if (found := parse(line)))


def write(results: Iterable[Result], order: Sequence[str]) -> None:
    """
    Put *results* in place of what the file has of their destinations.

    Args:
        order: Names of destinations, as the table is to have them.
    """
    new = list(results)
    told = {each.destination for each in new}
    kept = [each for each in read() if each.destination not in told]
    names = list(dict.fromkeys(each.destination for each in (*kept, *new)))
    names.sort(key=lambda name: (order.index(name.partition(" ")[0]), name))
    lines = [str(each) for name in names for each in (*kept, *new) if each.destination == name]
    FILE.write_text(_INTRODUCTION + "\n".join((*HEAD, *lines, "")))


def today() -> str:
    """The day, as the table has it."""
    return date.today().isoformat()  # noqa: DTZ011 - for people
