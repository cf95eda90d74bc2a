"""Arguments of the ask functions, as people write them in Python."""

from __future__ import annotations

from typing import Any

import pytest

from harvest_source.ask.filters import Filter
from harvest_source.ask.records import build_filters, parse_names


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
