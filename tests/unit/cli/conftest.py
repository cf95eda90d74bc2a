"""A screen of a fixed width, as plain text."""

from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Set the width, in columns, for which commands print."""
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)

    def set_width(columns: int) -> None:
        monkeypatch.setenv("COLUMNS", str(columns))

    return set_width
