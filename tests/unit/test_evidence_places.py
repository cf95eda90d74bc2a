"""Evidence, cursors and schedules are each decided in one file."""

from __future__ import annotations

import ast
from collections.abc import Callable

from tests.structure import DEFAULT_FOLDER, read_package

OURS = [each for each in read_package(DEFAULT_FOLDER) if each.room != "sandbox"]


def modules_with(matches: Callable[[ast.AST], bool]) -> set[str]:
    """The modules that have a matching node."""
    return {each.module for each in OURS if any(matches(node) for node in ast.walk(each.tree))}


def stores(node: ast.AST, key: str) -> bool:
    """Whether *node* is ``something[key] = ...``."""
    return (
        isinstance(node, ast.Subscript)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.slice, ast.Constant)
        and node.slice.value == key
    )


def calls(node: ast.AST, *names: str) -> bool:
    """Whether *node* calls one of *names*, as a function or a method."""
    if not isinstance(node, ast.Call):
        return False
    called = node.func
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    return name in names


def names_header(node: ast.AST) -> bool:
    """Whether *node* names a header that tells the age of an answer."""
    return isinstance(node, ast.Constant) and node.value in {"Date", "Age"}


def measures_since(node: ast.AST) -> bool:
    """Whether *node* compares the time elapsed since a stored time."""
    if not isinstance(node, ast.Compare):
        return False
    sides = [node.left, *node.comparators]
    return any(
        isinstance(side, ast.BinOp)
        and isinstance(side.op, ast.Sub)
        and ast.unparse(side.left).rpartition(".")[2] == "now"
        for side in sides
    )


def test_only_one_file_moves_cursors() -> None:
    """Every cursor follows the rules of ``extract/cursor.py``."""
    assert modules_with(lambda node: stores(node, "cursor")) == {"extract.cursor"}
    assert modules_with(lambda node: calls(node, "Cursor", "next_cursor")) == {"extract.cursor"}


def test_only_one_file_judges_how_old_an_answer_is() -> None:
    """The header is read where answers are received, and judged in ``api/evidence.py``."""
    assert modules_with(lambda node: calls(node, "AnswerAge")) == {"api.evidence"}
    assert modules_with(names_header) == {"api.attempt"}


def test_only_one_file_decides_what_is_due() -> None:
    """Stored times in the future, and days that are slightly short, are handled in one place."""
    rooms = {"extract", "load", "warehouse", "operations"}
    found = modules_with(measures_since)
    assert {each for each in found if each.partition(".")[0] in rooms} == {"extract.schedule"}


def test_only_one_function_requests_an_empty_list_twice() -> None:
    """Whole tables, parents, reports and slices of long lists all use it."""
    callers = modules_with(lambda node: calls(node, "confirm_empty"))
    assert callers == {"extract.proof", "extract.replaced_lists"}
