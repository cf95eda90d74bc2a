"""How the contract's story ended, for each destination and step: ``tests/CONTRACT.md``."""

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
        destination: A name of :mod:`tests.support.destinations`, with a version if it ran in its
            own environment.
        result: :data:`OK`, ``FAILED``, :data:`NOT_REACHED`, or why it was not tried.
    """

    destination: str
    step: str
    result: str
    seconds: str = ""
    day: str = ""

    def is_of(self, name: str) -> bool:
        """Whether it belongs to the destination *name*, in any version."""
        return self.destination.partition(" ")[0] == name

    def __str__(self) -> str:
        cells = (self.destination, self.step, self.result, self.seconds, self.day)
        return f"| {' | '.join(cells)} |"


def parse(line: str) -> Result | None:
    """The result in a line of the table; None for any other line."""
    cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
    if len(cells) != len(Result.__dataclass_fields__) or line in HEAD:
        return None
    return Result(*cells)


def read() -> tuple[Result, ...]:
    """Every line of the file; none if the file does not exist."""
    lines = FILE.read_text().splitlines() if FILE.exists() else []
    return tuple(found for line in lines if (found := parse(line)))


def write(results: Iterable[Result], order: Sequence[str]) -> None:
    """
    Replace the file's lines of the destinations in *results*.

    Args:
        order: Names of destinations, in the order of the table.
    """
    new = list(results)
    told = {each.destination for each in new}
    kept = [each for each in read() if each.destination not in told]
    names = list(dict.fromkeys(each.destination for each in (*kept, *new)))
    names.sort(key=lambda name: (order.index(name.partition(" ")[0]), name))
    lines = [str(each) for name in names for each in (*kept, *new) if each.destination == name]
    FILE.write_text(_INTRODUCTION + "\n".join((*HEAD, *lines, "")))


def today() -> str:
    """The day in the table's format."""
    return date.today().isoformat()  # noqa: DTZ011 - for people
