"""The exit codes of the command line."""

from __future__ import annotations

import ast

import pytest

from harvest_source import errors
from harvest_source.exit_codes import ExitCode, choose_exit_code
from tests.structure import DEFAULT_FOLDER, Source, read_package

SOURCES = [source for source in read_package(DEFAULT_FOLDER) if source.room != "sandbox"]


def test_exit_codes_are_fixed() -> None:
    """Schedulers depend on them."""
    assert sorted(ExitCode) == [0, 1, 2, 3, 4, 5, 6, 7, 130, 143]
    assert {kind.exit_code for kind in find_kinds()} == set(ExitCode) - {0, 130, 143}


def find_kinds() -> list[type[errors.HarvestError]]:
    kinds = [errors.HarvestError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    return kinds


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        (set(), 0),
        ({5}, 5),
        ({4, 5}, 4),
        ({3, 4, 5}, 3),
        ({6, 3, 4, 5}, 6),
        ({7, 6, 3}, 7),
        ({2, 7, 6}, 2),
        ({1, 2, 7, 6, 3, 4, 5}, 1),
    ],
)
def test_the_most_serious_exit_code_wins(codes: set[int], expected: int) -> None:
    """If several apply, the order is 1, 2, 7, 6, 3, 4, 5."""
    assert choose_exit_code(codes) == expected


def iter_bare(source: Source) -> list[int]:
    """Lines with a number in place of an exit code."""
    is_command = source.room == "cli"
    found = []
    for node in ast.walk(source.tree):
        match node:
            case (
                ast.Assign(targets=[target], value=ast.Constant(int()))
                | ast.AnnAssign(target=target, value=ast.Constant(int()))
            ) if ast.unparse(target).endswith("exit_code"):
                found.append(node.lineno)
            case ast.FunctionDef(name="exit_code") | ast.FunctionDef(name="_run" | "_fail"):
                found += find_numbers(node)
            case ast.FunctionDef(decorator_list=[_, *_]) if is_command:
                found += find_numbers(node)
    return found


def find_numbers(function: ast.FunctionDef) -> list[int]:
    """Lines on which a function returns a number, alone or in a conditional."""
    values = [each.value for each in ast.walk(function) if isinstance(each, ast.Return)]
    parts = [part for value in values if value for part in (value, *ast.iter_child_nodes(value))]
    return [
        part.lineno for part in parts if isinstance(part, ast.Constant) and type(part.value) is int
    ]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.module)
def test_no_exit_code_is_written_as_a_bare_number(source: Source) -> None:
    """A reader sees how the process ends, and a search finds every place."""
    assert iter_bare(source) == []
