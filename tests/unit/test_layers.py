"""
The floors of the package: imports go only downward, and each room has its own libraries.

A room is a folder of ``harvest_source``, or a module directly in it.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import pytest

from tests.floors import FLOORS, SANDBOX, WITHOUT_DLT
from tests.structure import (
    DEFAULT_FOLDER,
    PACKAGE,
    Source,
    count_floors,
    find_imports,
    read_package,
)

ROOT = DEFAULT_FOLDER.parent


SIZES = {"file": 400, "class": 200, "arguments": 6}
"""Most lines of a file (except tables of data) and of a class; most arguments of a constructor."""

TABLES_OF_DATA = frozenset({"schema.records", "schema.endpoints"})

SANDBOX_GUESTS = frozenset({"cli.commands"})
"""Modules that may start a sandbox."""

pytestmark = pytest.mark.xdist_group("parsed package")  # One worker parses it for all tests.


@pytest.fixture(scope="session")
def sources() -> Sequence[Source]:
    """Every module, those of the sandbox included."""
    return read_package(DEFAULT_FOLDER)


@pytest.fixture(scope="session")
def ours(sources: Sequence[Source]) -> Sequence[Source]:
    """Every module except those of the sandbox."""
    return [source for source in sources if source.room != SANDBOX]


@pytest.fixture(scope="session")
def imports(sources: Sequence[Source]) -> Mapping[str, set[str]]:
    """The modules that each module imports."""
    modules = frozenset(source.module for source in sources)
    return {source.module: find_imports(source, modules) for source in sources}


def level(room: str) -> int | None:
    """The floor of a room, from 0; None if it has no floor."""
    return next((at for at, each in enumerate(FLOORS) if room in each.rooms), None)


def room_of(module: str) -> str:
    return module.partition(".")[0]


def test_every_module_is_on_a_floor(ours: Sequence[Source]) -> None:
    """A new room needs a floor in ``FLOORS``, or no test guards its imports."""
    assert {source.room for source in ours if level(source.room) is None} == set()


def test_imports_go_downward_only(ours: Sequence[Source], imports: Mapping[str, set[str]]) -> None:
    """No module imports from a room above its own, or from another room on its floor."""
    against = [
        f"{source.module} imports {module}"
        for source in ours
        for module in imports[source.module]
        if not is_allowed(source.room, room_of(module))
    ]
    assert against == []


def is_allowed(room: str, other: str) -> bool:
    """Whether a module of *room* may import one of *other*."""
    mine, theirs = level(room), level(other)
    assert mine is not None
    if other in {room, SANDBOX} or mine in {0, len(FLOORS) - 1}:
        return True
    return theirs is not None and theirs < mine


def test_each_floor_has_its_own_libraries(ours: Sequence[Source]) -> None:
    """Values need only the standard library; dlt, sockets and DuckDB stay on their own floors."""
    foreign = {source.module: set(find_libraries(source)) - may_import(source) for source in ours}
    assert {module: names for module, names in foreign.items() if names} == {}


def may_import(source: Source) -> set[str]:
    """Top-level names that a module may import."""
    mine = level(source.room)
    assert mine is not None
    allowed = FLOORS[mine].libraries | sys.stdlib_module_names | {PACKAGE}
    return set(allowed - {"dlt"} if source.room in WITHOUT_DLT else allowed)


def find_libraries(source: Source) -> Iterator[str]:
    """Top-level names of all imports in a file."""
    for node in source.nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, (
                f"{source.module} imports relatively; this test reads full names"
            )
            assert node.module is not None
            yield node.module.partition(".")[0]


def test_modules_do_not_import_in_a_circle(imports: Mapping[str, set[str]]) -> None:
    """Modules of one room may import each other, but never in a cycle."""
    assert count_floors(imports) > 1


def test_floors_are_at_most_ten() -> None:
    """A newcomer can remember the whole structure."""
    assert len(FLOORS) <= 10
    assert not any(below.rooms & above.rooms for below, above in pairwise(FLOORS))


def test_files_classes_and_constructors_stay_small(sources: Sequence[Source]) -> None:
    """A file, class or constructor that exceeds these sizes has to be split."""
    code = [source for source in sources if source.module not in TABLES_OF_DATA]
    assert [source.module for source in code if source.lines > SIZES["file"]] == []
    classes = [block for source in sources for block in source.classes()]
    assert [block for block in classes if block.lines > SIZES["class"]] == []
    functions = [block for source in sources for block in source.functions()]
    makers = [block for block in functions if block.place.endswith(":__init__")]
    assert [block for block in makers if block.arguments - 1 > SIZES["arguments"]] == []


def test_few_modules_start_the_sandbox(
    ours: Sequence[Source], imports: Mapping[str, set[str]]
) -> None:
    """The sandbox is for people and tests; the connector never depends on it."""
    starting = {
        source.module for source in ours if SANDBOX in set(map(room_of, imports[source.module]))
    }
    assert starting <= SANDBOX_GUESTS


def test_the_sandbox_imports_nothing_of_ours(imports: Mapping[str, set[str]]) -> None:
    """If server and client shared an endpoint table, a wrong path would pass every test."""
    shared = {
        module: names
        for module, imported in imports.items()
        if room_of(module) == SANDBOX and (names := {*map(room_of, imported)} - {SANDBOX})
    }
    assert shared == {}


@pytest.mark.parametrize("module", [PACKAGE, f"{PACKAGE}.cli.main", f"{PACKAGE}.__main__"])
def test_importing_us_is_cheap(module: str) -> None:
    """``--help`` imports neither dlt nor Arrow, DuckDB or HTTP."""
    dear = {"dlt", "duckdb", "httpx", "msgspec", "pyarrow", "rich"}
    code = f"import sys, {module}; print(*sorted({dear!r} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
