"""The floors of the code, for docs/development.md, as in tests/floors.py."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.docs.reference import code, table
from tests.floors import FLOORS, SANDBOX, WITHOUT_DLT, Floor
from tests.structure import DEFAULT_FOLDER

ENTRY = frozenset({"__init__", "__main__"})
"""Modules that are entry points, not rooms."""


def build_rooms() -> str:
    """Every room with its content, from the top floor down; the sandbox is separate."""
    rows = [
        (str(number), f"`{room}`", _describe(room), _libraries(floor, room))
        for number, floor in reversed(list(enumerate(FLOORS, start=1)))
        for room in sorted(floor.rooms - ENTRY)
    ]
    rows += [("apart", f"`{room}`", _describe(room), "-") for room in _sandbox()]
    return table(("Floor", "Room", "Holds", "Libraries it may import"), rows)


def _sandbox() -> Iterator[str]:
    """The sandbox and its rooms."""
    yield SANDBOX
    for path in sorted((DEFAULT_FOLDER / SANDBOX).iterdir()):
        if (path / "__init__.py").exists():
            yield f"{SANDBOX}/{path.name}"


def _libraries(floor: Floor, room: str) -> str:
    """The libraries that a room may import."""
    return code(sorted(floor.libraries - ({"dlt"} if room in WITHOUT_DLT else set())))


def _describe(room: str) -> str:
    """First paragraph of a room's docstring, on one line; a room may be a single file."""
    file = DEFAULT_FOLDER / f"{room}.py"
    text = (file if file.exists() else DEFAULT_FOLDER / room / "__init__.py").read_text()
    docstring = ast.get_docstring(ast.parse(text)) or ""
    line = " ".join(docstring.partition("\n\n")[0].split())
    return re.sub(r":\w+:(?=`)", "", line).replace("``", "`")
