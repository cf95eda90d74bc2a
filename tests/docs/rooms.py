"""The floors of the code, for docs/development.md: as tests/unit/test_layers.py holds them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.docs.reference import code, table
from tests.floors import FLOORS, SANDBOX, WITHOUT_DLT, Floor
from tests.structure import DEFAULT_FOLDER


def build_rooms() -> str:
    """Every room with what it holds, from the top floor down; the sandbox stands apart."""
    rows = [
        (str(number), f"`{room}`", _describe(DEFAULT_FOLDER / room), _libraries(floor, room))
        for number, floor in reversed(list(enumerate(FLOORS, start=1)))
        for room in sorted(floor.rooms)
        if (DEFAULT_FOLDER / room).is_dir()
    ]
    rows.append(("1", code(sorted(FLOORS[0].rooms)), "Errors, time, threads, default values.", "-"))
    rows += [("apart", f"`{path}`", _describe(DEFAULT_FOLDER / path), "-") for path in _sandbox()]
    return table(("Floor", "Room", "Holds", "Libraries it may import"), rows)


def _sandbox() -> Iterator[str]:
    """The sandbox and its rooms."""
    yield SANDBOX
    for path in sorted((DEFAULT_FOLDER / SANDBOX).iterdir()):
        if (path / "__init__.py").exists():
            yield f"{SANDBOX}/{path.name}"


def _libraries(floor: Floor, room: str) -> str:
    """What a room may import from others."""
    return code(sorted(floor.libraries - ({"dlt"} if room in WITHOUT_DLT else set())))


def _describe(room: Path) -> str:
    """First paragraph of a room's docstring, on one line."""
    docstring = ast.get_docstring(ast.parse((room / "__init__.py").read_text())) or ""
    return " ".join(docstring.partition("\n\n")[0].split()).replace("``", "`")
