"""The rooms of the sandbox: imports go one way, and files, classes and constructors stay small."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence

import pytest

from tests.structure import DEFAULT_FOLDER, Source, find_imports, read_package

SANDBOX = "sandbox"
FLOORS = (
    frozenset({"checks"}),
    frozenset({"settings", "endpoints"}),
    frozenset({"data"}),
    frozenset({"oauth"}),
    frozenset({"serve"}),
    frozenset({"control"}),
    frozenset({"__init__", "__main__"}),
)
"""From the ground up: a room imports itself and the floors below."""

LIBRARIES = {"serve": {"uvicorn"}}
"""Libraries besides the standard one, by room."""

FILE_LINES, CLASS_LINES, ARGUMENTS = 400, 200, 6

pytestmark = pytest.mark.xdist_group("parsed package")  # One worker parses it for all tests.


@pytest.fixture(scope="session")
def sources() -> Sequence[Source]:
    """The modules of the sandbox."""
    return [source for source in read_package(DEFAULT_FOLDER) if source.room == SANDBOX]


def room_of(module: str) -> str:
    """``data`` of ``sandbox.data.values``; ``__init__`` of the package itself."""
    return [*module.split("."), "__init__"][1]


def floor_of(module: str) -> int:
    """The floor of a module's room, from 0."""
    return next(at for at, rooms in enumerate(FLOORS) if room_of(module) in rooms)


def test_imports_go_one_way(sources: Sequence[Source]) -> None:
    """A module imports its own room and the rooms below it."""
    modules = [source.module for source in sources]
    against = {
        (source.module, module)
        for source in sources
        for module in find_imports(source, modules)
        if room_of(module) != room_of(source.module) and floor_of(module) >= floor_of(source.module)
    }
    assert not against


def find_names(source: Source) -> Iterator[str]:
    """The full names of everything that a file imports."""
    for node in source.nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{source.module} imports relatively; this reads full names"
            yield node.module or ""


def test_the_sandbox_imports_nothing_of_the_connector(sources: Sequence[Source]) -> None:
    """Client and server share no code: an error in shared code would pass every test."""
    foreign = {
        (source.module, name)
        for source in sources
        for name in find_names(source)
        if not name.startswith("harvest_source.sandbox.")
        and name.partition(".")[0] not in sys.stdlib_module_names
        and name.partition(".")[0] not in LIBRARIES.get(room_of(source.module), set())
    }
    assert not foreign


def find_constants(source: Source) -> Iterator[str]:
    """The names that a file gives values and types at its top level."""
    for node in source.tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for part in (part for target in targets for part in ast.walk(target)):
                if isinstance(part, ast.Name) and not part.id.startswith("__"):
                    yield part.id


def find_uses(source: Source) -> Iterator[str]:
    """The names that a file reads or imports."""
    for node in source.nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.ImportFrom):
            yield from (alias.name for alias in node.names)


def test_every_constant_is_used(sources: Sequence[Source]) -> None:
    """No constant or type outlives the code that read it."""
    used = {name for source in sources for name in find_uses(source)}
    unused = [
        (source.module, name)
        for source in sources
        for name in find_constants(source)
        if name not in used
    ]
    assert not unused


def test_files_and_classes_stay_small(sources: Sequence[Source]) -> None:
    """Every file, class and constructor is small enough to be read in one go."""
    assert not [source.module for source in sources if source.lines > FILE_LINES]
    classes = [block for source in sources for block in source.classes()]
    assert not [block.place for block in classes if block.lines > CLASS_LINES]
    functions = [block for source in sources for block in source.functions()]
    makers = [block for block in functions if block.place.endswith(":__init__")]
    assert not [block.place for block in makers if block.arguments - 1 > ARGUMENTS]
