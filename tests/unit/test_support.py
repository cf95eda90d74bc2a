"""Tests share code through plain modules, never through each other."""

from __future__ import annotations

import ast
from pathlib import Path

TESTS = Path(__file__).parents[1]


def is_collected(module: str) -> bool:
    """Whether pytest collects a module, or takes fixtures from it."""
    name = module.rpartition(".")[2]
    return name == "conftest" or name.startswith("test_")


def imported(path: Path) -> set[str]:
    """Test modules that a module may import, anywhere in its code."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            module = node.module or ""
            found |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {module for module in found if module.split(".")[0] == "tests"}


def test_no_test_module_is_imported() -> None:
    """Fixtures come from conftest by name; other shared code is in a separate module."""
    found = {
        str(path.relative_to(TESTS)): modules
        for path in TESTS.rglob("*.py")
        if (modules := [module for module in imported(path) if is_collected(module)])
    }
    assert found == {}
