"""FAULTS.md and MISTAKES.md name a test in each line, and that test exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
LINES = {"FAULTS.md": 30, "MISTAKES.md": 37}
"""The minimum number of lines in each table."""


@pytest.mark.parametrize("name", LINES)
def test_every_test_named_for_a_fault_exists(name: str) -> None:
    """A test is named by file and function; ``::name`` refers to the file before it in the line."""
    lines = (REPOSITORY / "tests" / name).read_text().splitlines()
    rows = [line for line in lines if line.startswith("| ")][1:]
    assert len(rows) >= LINES[name]
    for row in rows:
        file = ""
        named = re.findall(r"`([\w/.]*)::(\w+)`", row)
        assert named, row
        for path, function in named:
            file = path or file
            tree = ast.parse((REPOSITORY / file).read_text())
            functions = {each.name for each in tree.body if isinstance(each, ast.FunctionDef)}
            assert function in functions, f"{file}::{function}"
