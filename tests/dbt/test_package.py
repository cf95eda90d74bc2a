"""The dbt package's files: they match the declarations, and nothing in them varies by build."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from tests.dbt.generate import PACKAGE, find_differences

MARTS = sorted((PACKAGE / "models" / "marts").glob("*.sql"))
CONTRACTS: dict[str, Any] = {
    model["name"]: model
    for model in yaml.safe_load((PACKAGE / "models/marts/_harvest__models.yml").read_text())[
        "models"
    ]
}
CLOCKS = re.compile(r"\b(current_date|current_timestamp|now\(\)|today\(\)|run_started_at)", re.I)


def test_sources_and_staging_follow_the_declarations() -> None:
    """Every generated file is what ``python -m tests.docs.generate`` writes."""
    assert find_differences() == []


def test_every_mart_has_a_contract() -> None:
    """Every mart has a contract: without one, its columns could change unnoticed."""
    assert {path.stem for path in MARTS} == CONTRACTS.keys()


@pytest.mark.parametrize("name", CONTRACTS)
def test_marts_are_described_and_have_a_grain(name: str) -> None:
    """Every column has a type and a description, and a test enforces the grain."""
    model = CONTRACTS[name]
    assert model["description"]
    assert all(column["data_type"] and column["description"] for column in model["columns"])
    (grain,) = (test["unique_grain"] for test in model["data_tests"] if "unique_grain" in test)
    columns = {column["name"] for column in model["columns"]}
    assert set(grain["arguments"]["columns"]) <= columns


def test_models_do_not_look_at_the_clock() -> None:
    """The same tables give the same models on any day: `as of` is a variable or the last sync."""
    for path in PACKAGE.rglob("*.sql"):
        assert not CLOCKS.search(path.read_text()), path


def test_the_package_needs_no_other() -> None:
    """``dbt deps`` has nothing to fetch."""
    assert not list(PACKAGE.glob("packages.yml"))
    assert not list(PACKAGE.glob("dependencies.yml"))
