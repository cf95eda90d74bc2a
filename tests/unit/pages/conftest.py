"""A file with every mart, and its opened models."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date
from pathlib import Path

import pytest

from harvest_source.pages.filters import Filters, read_choices
from harvest_source.pages.marts import open_marts
from harvest_source.pages.section import PageContext
from harvest_source.warehouse.target import build_target
from tests.support.marts import MadeMarts, OpenPage


@pytest.fixture
def made(tmp_path: Path) -> MadeMarts:
    """A warehouse with empty models."""
    return MadeMarts(tmp_path / "warehouse.duckdb")


@pytest.fixture
def open_page(made: MadeMarts) -> Iterator[OpenPage]:
    """The warehouse's models, opened as for a page; keyword arguments are filters."""
    with ExitStack() as stack:

        def enter(**filters: object) -> PageContext:
            marts = stack.enter_context(
                open_marts(build_target("duckdb", made.path, "harvest", "p"))
            )
            choices = read_choices(marts)
            given = {"start": date(2026, 1, 1), "end": choices.as_of, **filters}
            return PageContext(marts, Filters(**given), choices)  # type: ignore[arg-type]

        yield enter
