"""How many rows are loaded at once."""

from __future__ import annotations

from harvest_source.defaults import PACKAGE_ROWS, SMALL_PACKAGE_ROWS
from harvest_source.operations.loading import choose_package_rows

GROUP = 122_880
"""Rows of a group of DuckDB's."""
PAGE = 2_000
"""Rows of a full page, by which a package may be larger than was asked for."""


def test_a_first_load_in_little_memory_fills_groups_of_rows() -> None:
    """Where a package leaves room in a group, the next one has DuckDB write its rows again."""
    rows = choose_package_rows(SMALL_PACKAGE_ROWS, merges=False)
    assert 0.95 * GROUP < rows <= GROUP - PAGE


def test_packages_are_small_where_rows_are_merged() -> None:
    """That takes more memory, and leaves rows where they are."""
    assert choose_package_rows(SMALL_PACKAGE_ROWS, merges=True) == SMALL_PACKAGE_ROWS


def test_another_number_of_rows_stays() -> None:
    """What the caller chose, and what is taken where memory is plentiful."""
    for rows in (1_000, PACKAGE_ROWS):
        assert choose_package_rows(rows, merges=False) == rows
