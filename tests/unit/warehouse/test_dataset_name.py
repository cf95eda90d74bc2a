"""The warning about a dataset that dlt names otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from harvest_source.dlt_internals import is_ambiguous
from harvest_source.errors import ConfigError
from harvest_source.operations.transform import transform
from harvest_source.warehouse.dataset_name import explain_other_name


def refuse_to_ask() -> str:
    """Fail: a plain name has to cost nothing."""
    pytest.fail("asked for a name that dlt keeps in every destination")


@pytest.mark.parametrize("dataset", ["harvest", "a_1", "a" * 60])
def test_a_plain_name_is_not_looked_up(dataset: str) -> None:
    """dlt would have to build a client for it."""
    assert explain_other_name(dataset, refuse_to_ask) == ""


@pytest.mark.parametrize(
    ("dataset", "found"), [("User-Data", "user_data"), ("a" * 70, "aaa_x_aaa")]
)
def test_a_name_that_dlt_rewrites_or_shortens_is_given(dataset: str, found: str) -> None:
    """Queries need the new name."""
    assert f"write {found}.time_entries" in explain_other_name(dataset, lambda: found)


def test_a_long_name_that_the_destination_keeps_is_no_warning() -> None:
    """DuckDB has no limit."""
    assert explain_other_name("a" * 70, lambda: "a" * 70) == ""


@pytest.mark.parametrize("dataset", ["user_data", "User_Data", "User-Data"])
def test_a_file_named_like_the_rewritten_dataset_is_ambiguous(tmp_path: Path, dataset: str) -> None:
    """dbt would begin, and every model would fail."""
    assert is_ambiguous("user_data", dataset)
    assert not is_ambiguous("users", dataset)
    with pytest.raises(ConfigError, match="no model can read its tables"):
        transform(database=tmp_path / "user_data.duckdb", dataset=dataset)
