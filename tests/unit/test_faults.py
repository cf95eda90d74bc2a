"""FAULTS.md names a test for each fault that was reproduced; it has to exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
FAULTS = REPOSITORY / "tests" / "FAULTS.md"


def test_every_test_that_holds_a_fault_exists() -> None:
    """By file and function; ``::name`` alone is in the file named before it in the line."""
    lines = [line for line in FAULTS.read_text().splitlines() if line.startswith("| r")]
    assert len(lines) == 30
    for line in lines:
        file = ""
        named = re.findall(r"`([\w/.]*)::(\w+)`", line)
        assert named, line
        for path, function in named:
            file = path or file
            tree = ast.parse((REPOSITORY / file).read_text())
            functions = {each.name for each in tree.body if isinstance(each, ast.FunctionDef)}
            assert function in functions, f"{file}::{function}"
