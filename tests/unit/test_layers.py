"""
The floors of the package: imports go only downward, and each room has its own libraries.

A room is a folder of ``harvest_source``, or a module directly in it.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator, Sequence
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

SOURCES = read_package(DEFAULT_FOLDER)
OURS = [source for source in SOURCES if source.room != SANDBOX]
MODULES = frozenset(source.module for source in SOURCES)
IMPORTS = {source.module: find_imports(source, MODULES) for source in SOURCES}


def level(room: str) -> int | None:
    """The floor of a room, from 0; None if it has no floor."""
    return next((at for at, each in enumerate(FLOORS) if room in each.rooms), None)


def room_of(module: str) -> str:
    return module.partition(".")[0]


def each(sources: Sequence[Source]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("source", sources, ids=lambda source: source.module)


@each(OURS)
def test_every_module_is_on_a_floor(source: Source) -> None:
    """A new room needs a floor, or no test guards its imports."""
    assert level(source.room) is not None, f"put {source.room} into FLOORS"


@each(OURS)
def test_imports_go_downward_only(source: Source) -> None:
    """No module imports from a room above its own, or from another room on its floor."""
    mine = level(source.room)
    assert mine is not None
    for module in IMPORTS[source.module]:
        theirs = level(room_of(module))
        if room_of(module) in {source.room, SANDBOX} or mine in {0, len(FLOORS) - 1}:
            continue
        assert theirs is not None, f"imports {module}, which is on no floor"
        assert theirs < mine, f"imports {module}, which is not below"


@each(OURS)
def test_each_floor_has_its_own_libraries(source: Source) -> None:
    """Values need only the standard library; dlt, sockets and DuckDB stay on their own floors."""
    mine = level(source.room)
    assert mine is not None
    allowed = FLOORS[mine].libraries | sys.stdlib_module_names | {PACKAGE}
    if source.room in WITHOUT_DLT:
        allowed -= {"dlt"}
    assert set(find_libraries(source)) <= allowed


def find_libraries(source: Source) -> Iterator[str]:
    """Top-level names of all imports in a file."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, (
                f"{source.module} imports relatively; this test reads full names"
            )
            assert node.module is not None
            yield node.module.partition(".")[0]


def test_modules_do_not_import_in_a_circle() -> None:
    """Modules of one room may import each other, but never in a cycle."""
    assert count_floors(IMPORTS) > 1


def test_floors_are_at_most_ten() -> None:
    """A newcomer can remember the whole structure."""
    assert len(FLOORS) <= 10
    assert not any(below.rooms & above.rooms for below, above in pairwise(FLOORS))


@each(SOURCES)
def test_files_classes_and_constructors_stay_small(source: Source) -> None:
    """A file, class or constructor that exceeds these sizes has to be split."""
    if source.module not in TABLES_OF_DATA:
        assert source.lines <= SIZES["file"]
    assert [block for block in source.classes() if block.lines > SIZES["class"]] == []
    makers = (block for block in source.functions() if block.place.endswith(":__init__"))
    assert [each for each in makers if each.arguments - 1 > SIZES["arguments"]] == []


@each(OURS)
def test_few_modules_start_the_sandbox(source: Source) -> None:
    """The sandbox is for people and tests; the connector never depends on it."""
    if source.module not in SANDBOX_GUESTS:
        assert SANDBOX not in set(map(room_of, IMPORTS[source.module]))


@each([source for source in SOURCES if source.room == SANDBOX])
def test_the_sandbox_imports_nothing_of_ours(source: Source) -> None:
    """If server and client shared an endpoint table, a wrong path would pass every test."""
    assert set(map(room_of, IMPORTS[source.module])) <= {SANDBOX}


@pytest.mark.parametrize("module", [PACKAGE, f"{PACKAGE}.cli.main", f"{PACKAGE}.__main__"])
def test_importing_us_is_cheap(module: str) -> None:
    """``--help`` imports neither dlt nor Arrow, DuckDB or HTTP."""
    dear = {"dlt", "duckdb", "httpx", "msgspec", "pyarrow", "rich"}
    code = f"import sys, {module}; print(*sorted({dear!r} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
