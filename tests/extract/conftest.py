"""Simulated accounts that are read without dlt."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.support.read_lab import OpenReadLab, ReadLab


@pytest.fixture
def open_lab() -> Iterator[OpenReadLab]:
    """Open labs, each with its own sandbox; all are closed after the test."""
    with ExitStack() as labs:

        def open_one(**fields: Any) -> ReadLab:
            return labs.enter_context(ReadLab(**fields))

        yield open_one
