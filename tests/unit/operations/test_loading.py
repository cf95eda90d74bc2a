"""How many rows are loaded at once."""

from __future__ import annotations

from harvest_source.defaults import PACKAGE_ROWS, SMALL_PACKAGE_ROWS
from harvest_source.operations.loading import choose_package_rows

GROUP = 122_880
"""Rows in one of DuckDB's row groups."""
PAGE = 2_000
"""Rows of a full page, by which a package may exceed the requested size."""


def test_a_first_load_in_little_memory_fills_groups_of_rows() -> None:
    """If a package leaves room in a row group, DuckDB rewrites its rows with the next package."""
    rows = choose_package_rows(SMALL_PACKAGE_ROWS, merges=False)
    assert 0.95 * GROUP < rows <= GROUP - PAGE


def test_packages_are_small_where_rows_are_merged() -> None:
    """Merging takes more memory, and leaves rows in place."""
    assert choose_package_rows(SMALL_PACKAGE_ROWS, merges=True) == SMALL_PACKAGE_ROWS


def test_another_number_of_rows_is_unchanged() -> None:
    """A caller's number, and the number for plentiful memory, are unchanged."""
    for rows in (1_000, PACKAGE_ROWS):
        assert choose_package_rows(rows, merges=False) == rows
