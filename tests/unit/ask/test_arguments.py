"""Arguments of the ask functions, as people write them in Python."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harvest_source.ask.filters import Filter
from harvest_source.ask.records import (
    build_filters,
    find,
    list_records,
    list_tables,
    parse_names,
    query,
    sum_time,
)
from harvest_source.ask.runner import Runner
from harvest_source.ask.statement_guard import StatementRefused
from harvest_source.errors import ConfigError


@pytest.mark.parametrize("names", ["month", ["month"], iter(["month"]), {"month": 1}.keys()])
def test_a_single_name_may_be_given_in_any_form(names: Any) -> None:
    """A string is one name, not its letters."""
    assert parse_names(names) == ("month",)


def test_names_with_commas_are_split() -> None:
    """Names with commas are split, as in a setting of several names."""
    assert parse_names("id, -name") == ("id", "-name")


def test_a_filter_given_as_text_keeps_its_commas() -> None:
    """A filter's value keeps its commas."""
    assert build_filters("name=Miller, Ltd") == (Filter("name", "=", "Miller, Ltd"),)


@pytest.mark.parametrize("limit", [0, -1, 10**12, "5", True, 1.5, None])
def test_a_limit_that_is_no_number_of_rows_is_refused(limit: Any) -> None:
    """Before a process is started for the question; the warehouse need not exist."""
    questions: tuple[tuple[Callable[[], object], str], ...] = (
        (lambda: list_records("clients", limit=limit, warehouse="none"), "limit"),
        (lambda: find("a", limit=limit, warehouse="none"), "limit"),
        (lambda: sum_time(limit=limit, warehouse="none"), "limit"),
        (lambda: query("SELECT 1", max_rows=limit, warehouse="none"), "max_rows"),
        (lambda: Runner(Path("none")).query("SELECT 1", max_rows=limit), "max_rows"),
    )
    for ask, name in questions:
        with pytest.raises(StatementRefused, match=f"{name} is .* a whole number between 1 and"):
            ask()


@pytest.mark.parametrize("path", ["", " "])
def test_an_empty_path_is_not_the_default_file(path: str) -> None:
    """It comes from a variable that is not set."""
    with pytest.raises(ConfigError, match="--database has an empty value"):
        list_tables(warehouse=path)
